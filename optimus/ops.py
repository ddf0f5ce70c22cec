"""What `python -m optimus` asks of a running Optimus, or does itself when none runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from optimus import doctor, ops_rescue
from optimus.errors import InvalidInputError
from optimus.services import Services


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
    if command == "verify-audit":
        return opened.audit.verify().model_dump(mode="json")
    if command == ops_rescue.COMMAND:
        return ops_rescue.run_whole(opened.settings, arguments)
    if command == "backup":
        path = arguments.get("path")
        if not isinstance(path, str) or not Path(path).is_absolute():
            raise InvalidInputError(user_message="The whole path of a file is needed.")
        opened.backups.begin(Path(path), None)
        return {}
    if command == "backup-progress":
        job = opened.backups.job()
        if job is None:
            raise InvalidInputError(user_message="No backup is being made.")
        return {"done": job.done, "total": job.total, "is_over": job.is_over, "error": job.error}
    raise InvalidInputError(user_message=f"There is no command {command!r}.")
