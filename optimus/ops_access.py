"""Where the running process listens, and the secret that it takes commands with: a 0600 file in the data folder."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

OPS_FILE = "ops.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpsAccess:
    """What the command line needs in order to ask the running process."""

    token: str
    url: str | None = None
    """None until it is known, which under a foreign ASGI server takes one request."""


def new_access(url: str | None) -> OpsAccess:
    """Return access with a fresh token, good for the life of one process."""
    return OpsAccess(token=secrets.token_urlsafe(32), url=url)


def write_access(data_dir: Path, access: OpsAccess) -> None:
    """Leave the access where the command line finds it, replaced in one step."""
    fresh = data_dir / f"{OPS_FILE}.new"
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(access), file)
    fresh.replace(data_dir / OPS_FILE)


def read_access(data_dir: Path) -> OpsAccess | None:
    """Return what the last process left, or None; whether it still runs is for the caller to find out."""
    try:
        found = json.loads((data_dir / OPS_FILE).read_text(encoding="utf-8"))
        return OpsAccess(token=str(found["token"]), url=found["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove_access(data_dir: Path) -> None:
    """Take the access away when the process ends."""
    (data_dir / OPS_FILE).unlink(missing_ok=True)
