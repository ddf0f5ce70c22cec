"""What `python -m optimus` asks of a running Optimus, or does itself when none runs."""

from __future__ import annotations

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
    raise InvalidInputError(user_message=f"There is no command {command!r}.")
