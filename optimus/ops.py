"""What `python -m optimus` asks of a running Optimus, or does itself when none runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from optimus import doctor, ops_rescue
from optimus.backups import BackupService
from optimus.errors import InvalidInputError
from optimus.key_rotation import KeyRotation
from optimus.models import is_uuid
from optimus.services import Services
from optimus.storage.optimizing import SERVER_OPTIMIZES, wish


def run(opened: Services, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run one command and return its result as JSON values.

    Raises:
        InvalidInputError: there is no such command, or an argument is missing.
        OptimusError: what the command itself raises.
    """
    if command == "doctor":
        return doctor.examine(opened).model_dump(mode="json")
    if command in _OWN_COMMANDS:
        return _OWN_COMMANDS[command](opened, arguments)
    if command == "verify-audit":
        return opened.audit.verify().model_dump(mode="json")
    if command == ops_rescue.COMMAND:
        return ops_rescue.run_whole(opened.settings, arguments)
    if command in _BACKUP_COMMANDS:
        return _BACKUP_COMMANDS[command](opened.backups, arguments)
    if command in _KEY_COMMANDS:
        return _KEY_COMMANDS[command](opened.key_rotation, arguments)
    raise InvalidInputError(user_message=f"There is no command {command!r}.")


def _create_admin(opened: Services, arguments: dict[str, Any]) -> dict[str, Any]:
    username, password = arguments.get("username"), arguments.get("password")
    if not isinstance(username, str) or not isinstance(password, str):
        raise InvalidInputError(user_message="A username and a password are needed.")
    return {"username": opened.auth.create_admin(code=None, username=username, password=password).username}


def _wish_to_optimize(opened: Services, arguments: dict[str, Any]) -> dict[str, Any]:
    del arguments
    if opened.store.folder is None:
        raise InvalidInputError(user_message=SERVER_OPTIMIZES)
    wish(opened.store.folder)
    return {"at_next_start": True}


def _reembed(opened: Services, arguments: dict[str, Any]) -> dict[str, Any]:
    """Begin, cancel, or only look; always tell how it stands."""
    if arguments.get("act") == "begin":
        opened.reembedding.begin_for(None)
    elif arguments.get("act") == "cancel":
        opened.reembedding.cancel_for(None)
    return opened.reembedding.state().model_dump(mode="json")


_OWN_COMMANDS = {"create-admin": _create_admin, "optimize": _wish_to_optimize, "reembed": _reembed}


def _backup(backups: BackupService, arguments: dict[str, Any]) -> dict[str, Any]:
    path = arguments.get("path")
    if not isinstance(path, str) or not Path(path).is_absolute():
        raise InvalidInputError(user_message="The whole path of a file is needed.")
    backups.begin(Path(path), None)
    return {}


def _backup_progress(backups: BackupService, arguments: dict[str, Any]) -> dict[str, Any]:
    del arguments
    job = backups.job()
    if job is None:
        raise InvalidInputError(user_message="No backup is being made.")
    return {"done": job.done, "total": job.total, "is_over": job.is_over, "error": job.error}


_BACKUP_COMMANDS = {"backup": _backup, "backup-progress": _backup_progress}


def _batch(rotation: KeyRotation, arguments: dict[str, Any]) -> dict[str, Any]:
    after = arguments.get("after")
    if after is not None and not is_uuid(after):
        raise InvalidInputError(user_message="A batch begins at a key's id.")
    return rotation.advance(after).model_dump(mode="json")


_KEY_COMMANDS: dict[str, Callable[[KeyRotation, dict[str, Any]], dict[str, Any]]] = {
    "key-state": lambda rotation, _: {"unfinished": rotation.is_unfinished},
    "rotate-keys": lambda rotation, _: {"keys": rotation.begin()},
    "rotate-keys-batch": _batch,
    "rotate-keys-end": lambda rotation, _: {"retired": rotation.finish()},
    "destroy-retired-keys": lambda rotation, _: {"destroyed": rotation.destroy_retired()},
}
