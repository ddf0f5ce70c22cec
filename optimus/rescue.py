"""Rescue mode: the store is damaged, so nobody works with it; whoever runs the server decides how to go on.

Accounts may be what is damaged, so the proof is a code that the server's terminal shows, and a file in the data
folder holds. Every repair keeps the originals.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Condition
from typing import Any, Protocol

from optimus.audit import AuditAction
from optimus.auth.codes import as_copied, random_code
from optimus.errors import InvalidInputError, SetupError, StoreError, StoreUnavailableError, TooManyAttemptsError
from optimus.models import Clock, utc_now
from optimus.rescue_words import Backup, DamagedPart, part_of, sentence_of
from optimus.settings import Settings
from optimus.storage.audit import AuditLog
from optimus.storage.folder import STORE_FOLDER
from optimus.storage.inspection import Damage
from optimus.storage.rescue import Repair, RepairJournal, RepairNote, Workshop, repairs_for

_log = logging.getLogger(__name__)

CODE_FILE = "rescue.code"
MAX_WRONG = 5
WINDOW = timedelta(minutes=15)
REPAIRS = (Repair.LOG_ASIDE, Repair.ACCEPT, Repair.RESTORE, Repair.QUARANTINE)


class Backups(Protocol):
    """Where backups come from."""

    def newest(self) -> Backup | None:
        """Return the newest whole backup, if there is one."""

    def check(self, backup: Backup) -> None:
        """Make sure that a backup is whole and fits the keys, before anything is set aside for it.

        Raises:
            BackupError: it will not do.
        """

    def restore(self, backup: Backup) -> None:
        """Make the store anew from a backup; there is none at present.

        Raises:
            OptimusError: it could not be done.
        """


class NoBackups:
    """Stands where no backups are made."""

    def newest(self) -> Backup | None:
        """Return that there is none."""
        return None

    def check(self, backup: Backup) -> None:
        """Refuse."""
        raise StoreUnavailableError(f"no backup {backup.name}")

    def restore(self, backup: Backup) -> None:
        """Refuse."""
        self.check(backup)


class RescueDesk:
    """Looks at a closed store, repairs it for whoever knows the code, and tells when nothing is damaged any more."""

    def __init__(self, settings: Settings, *, clock: Clock = utc_now, backups: Backups | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._backups = backups or NoBackups()
        self._shop = Workshop(settings.data_dir, settings.data_dir / STORE_FOLDER, clock=clock)
        self._damages: tuple[Damage, ...] = ()
        self._code = random_code()
        self._wrong: dict[str, list[datetime]] = {}
        self._changed = Condition()
        self._is_mended = False

    @property
    def code(self) -> str:
        """The code of this process: 80 random bits in readable groups."""
        return self._code

    def begin(self, damages: tuple[Damage, ...]) -> None:
        """Take what is damaged, and leave the code where only the server's owner can read it."""
        self._damages, self._is_mended = damages, False
        path = self._settings.data_dir / CODE_FILE
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(f"{self._code}\n")

    def end(self) -> None:
        """Remove the code."""
        (self._settings.data_dir / CODE_FILE).unlink(missing_ok=True)

    def look(self) -> tuple[DamagedPart, ...]:
        """Look at the store again, and return what is damaged.

        Raises:
            StoreLockedError: somebody has the store open.
            StoreUnavailableError: the folder cannot be read or written.
        """
        self._damages = tuple(self._shop.look().damages)
        return self.parts()

    def parts(self) -> tuple[DamagedPart, ...]:
        """Return what was damaged when somebody looked last."""
        backup = self._backups.newest()
        prefix = self._settings.collection_prefix
        return tuple(part_of(damage, prefix, backup) for damage in self._damages)

    def notes(self) -> tuple[RepairNote, ...]:
        """Return what was repaired before and is not settled."""
        return tuple(note for note in self._shop.journal.notes() if not note.is_settled)

    def settle(self) -> int:
        """Say that past repairs are settled; return how many."""
        count = len(self.notes())
        self._shop.journal.change(lambda note: note.model_copy(update={"is_settled": True}))
        return count

    def repair_with(self, code: str, network: str, collection: str, repair: Repair) -> RepairNote:
        """Repair for whoever knows the code; see `repair`.

        Raises:
            SetupError: the code is wrong.
            TooManyAttemptsError: too many wrong codes from this network.
        """
        self.check(code, network)
        return self.repair(collection, repair)

    def repair(self, collection: str, repair: Repair) -> RepairNote:
        """Repair a collection; once nothing is damaged any more, let Optimus start.

        Raises:
            InvalidInputError: this repair is not offered for it.
            StoreError: it could not be done; nothing was lost.
        """
        damage = next((damage for damage in self._damages if damage.collection == collection), None)
        if damage is None or repair not in repairs_for(damage):
            raise InvalidInputError("no such repair", user_message="That cannot be done for this part of the store.")
        note = self._repaired(collection, repair)
        if not self.look():
            with self._changed:
                self._is_mended = True
                self._changed.notify_all()
        return note

    @property
    def is_mended(self) -> bool:
        """Whether nothing is damaged any more, so that Optimus is about to start."""
        return self._is_mended

    def wait_until_mended(self, timeout_s: float) -> bool:
        """Wait until nothing is damaged any more; tell whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_mended, timeout_s)

    def _repaired(self, collection: str, repair: Repair) -> RepairNote:
        act: dict[Repair, Callable[[], RepairNote]] = {
            Repair.LOG_ASIDE: lambda: self._shop.set_log_aside(collection),
            Repair.ACCEPT: lambda: self._shop.accept(collection),
            Repair.QUARANTINE: lambda: self._shop.quarantine(collection),
            Repair.RESTORE: self._restored,
        }
        return act[repair]()

    def _restored(self) -> RepairNote:
        backup = self._backups.newest()
        if backup is None:
            raise InvalidInputError("no backup", user_message="There is no backup to restore.")
        self._backups.check(backup)
        note = self._shop.set_store_aside()
        self._backups.restore(backup)
        return note

    def check(self, code: str, network: str) -> None:
        """Make sure that somebody knows the code.

        Raises:
            SetupError: the code is wrong.
            TooManyAttemptsError: too many wrong codes from this network.
        """
        now = self._clock()
        tries = self._wrong[network] = [at for at in self._wrong.get(network, []) if now - at < WINDOW]
        if len(tries) >= MAX_WRONG:
            left = int((tries[0] + WINDOW - now).total_seconds()) + 1
            raise TooManyAttemptsError(
                "rescue code", retry_after_s=left, way_out="run `python -m optimus rescue` on the server"
            )
        if not hmac.compare_digest(_digest(code), _digest(self._code)):
            tries.append(now)
            raise SetupError(
                "wrong rescue code", user_message="That rescue code is not right. The server's terminal shows it."
            )


def unsettled(settings: Settings) -> tuple[RepairNote, ...]:
    """Return the repairs and the noticed damage that nobody has settled."""
    return tuple(note for note in RepairJournal(settings.data_dir).notes() if not note.is_settled)


def record_repairs(settings: Settings, log: AuditLog) -> None:
    """Tell the audit log of the repairs that it does not know of yet."""
    journal, recorded = RepairJournal(settings.data_dir), []
    for note in journal.notes():
        if not note.is_recorded:
            data = {"collection": note.collection, "repair": note.repair.value}
            _log.warning("the store was damaged: %s", sentence_of(note, settings.collection_prefix))
            told: dict[str, Any] = {**data, "before": note.before, "after": note.after}
            try:
                log.record(AuditAction.STORE_REPAIRED, actor=None, data=told)
            except StoreError:
                _log.exception("the audit log missed a repair; the next start tells it again")
                continue
            recorded.append(note)
    with suppress(OSError):
        journal.change(lambda note: note.model_copy(update={"is_recorded": True}) if note in recorded else note)


def _digest(code: str) -> bytes:
    return hashlib.sha256(as_copied(code).encode("utf-8", "surrogatepass")).digest()
