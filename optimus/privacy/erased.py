"""The list of erased accounts, kept beside the master key and never in a backup of the store.

A backup brings back who was erased after it was made. At the next start the list tells whom to erase again.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

from optimus.errors import ConfigurationError
from optimus.models import UserId, is_uuid

FILE = "erased.jsonl"


class ErasureList:
    """Appends to the file and reads it; it holds random ids and times, no names."""

    def __init__(self, *, folder: Path) -> None:
        self._path = folder / FILE

    def add(self, owner: UserId, at: datetime) -> None:
        """Note an account, once; returns when it is on disk.

        Raises:
            ConfigurationError: the file cannot be written; the text says what to do.
        """
        if owner in self.owners():
            return
        line = json.dumps({"user": owner, "at": at.isoformat()}) + "\n"
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(handle, "ab") as file:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            raise self._unusable(exc) from exc

    def owners(self) -> set[UserId]:
        """Return everybody who was erased; a line that a crash cut off is passed over.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return set()
        except OSError as exc:
            raise self._unusable(exc) from exc
        return {owner for owner in map(_owner, lines) if owner}

    def _unusable(self, exc: OSError) -> ConfigurationError:
        reason = exc.strerror or type(exc).__name__
        return ConfigurationError(
            f"The list of erased accounts {self._path} cannot be used: {reason}. Give it to the user that runs Optimus."
        )


def _owner(line: str) -> UserId | None:
    try:
        owner = json.loads(line)["user"]
    except (ValueError, TypeError, KeyError):
        return None
    return UserId(owner) if is_uuid(owner) else None
