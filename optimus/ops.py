"""What `python -m optimus` asks of a running Optimus, or does itself when none runs."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from optimus import doctor
from optimus.errors import InvalidInputError
from optimus.models import Value
from optimus.services import Services

OPS_FILE = "ops.json"


class OpsAccess(Value):
    """Where the running process listens, and the secret that it takes commands with."""

    token: str
    url: str | None = None
    """None until it is known, which under a foreign ASGI server takes one request."""


def run(opened: Services, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run one command and return its result as JSON values.

    Raises:
        InvalidInputError: there is no such command, or an argument is missing.
        OptimusError: what the command itself raises.
    """
    if command == "doctor":
        return doctor.examine(opened).model_dump(mode="json")
    if command == "create-admin":
        username, password = arguments.get("username"), arguments.get("password")
        if not isinstance(username, str) or not isinstance(password, str):
            raise InvalidInputError(user_message="A username and a password are needed.")
        user = opened.auth.create_admin(code=None, username=username, password=password)
        return {"username": user.username}
    raise InvalidInputError(user_message=f"There is no command {command!r}.")


def new_access(url: str | None) -> OpsAccess:
    """Return access with a fresh token, good for the life of one process."""
    return OpsAccess(token=secrets.token_urlsafe(32), url=url)


def write_access(data_dir: Path, access: OpsAccess) -> None:
    """Leave the access where the command line finds it, mode 0600, replaced in one step."""
    fresh = data_dir / f"{OPS_FILE}.new"
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(access.model_dump_json())
    fresh.replace(data_dir / OPS_FILE)


def read_access(data_dir: Path) -> OpsAccess | None:
    """Return what the last process left, or None; whether it still runs is for the caller to find out."""
    try:
        return OpsAccess.model_validate(json.loads((data_dir / OPS_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return None


def remove_access(data_dir: Path) -> None:
    """Take the access away when the process ends."""
    (data_dir / OPS_FILE).unlink(missing_ok=True)
