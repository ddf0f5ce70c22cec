"""Backups of the running store: on command, from the admin page, and by themselves, with the old ones deleted.

How the last one went is kept in the store, so that a restart neither forgets a backup nor makes one too many.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from optimus.auth.permissions import Action, authorize
from optimus.background import BackgroundJob
from optimus.errors import BackupError, InvalidInputError, OptimusError
from optimus.keys import Keys
from optimus.models import Clock, Principal, UserId, Value
from optimus.settings import Settings
from optimus.storage.audit_records import AuditAction
from optimus.storage.backup import write_backup
from optimus.storage.backup_file import PASSING, BackupReader, Manifest
from optimus.storage.store import Store

LOOK_EVERY_S = 60.0
"""How often the thread looks whether a backup is due."""
RETRY_AFTER = timedelta(hours=1)
"""When a backup that failed is tried again, where the next one is not due earlier."""
_SETTING = "backup"
_NAME = re.compile(r"optimus-\d{8}-\d{6}\.backup")

_log = logging.getLogger(__name__)


class BackupState(Value):
    """How it stands with the backups."""

    is_scheduled: bool
    """Whether they are made by themselves."""
    made_at: datetime | None = None
    """When the last good one was made."""
    size: int = 0
    """Of the last good one, in bytes."""
    records: int = 0
    name: str = ""
    """The file, without its folder."""
    failed_at: datetime | None = None
    """When one failed, if none was good since."""
    error: str = ""
    next_at: datetime | None = None
    """When the next one is due; None where none is made by itself."""


class BackupJob(BackgroundJob):
    """One backup that is being made; where it is stopped, nothing is left of it."""

    path: Path | None = None
    """The finished file."""

    def step(self, done: int, total: int) -> None:
        """Note how far it has come.

        Raises:
            BackupError: it was asked to stop.
        """
        self.done, self.total = done, total
        if self.is_stopping:
            raise BackupError("The backup was stopped. No file was left.")


class BackupService:
    """Makes backups, one at a time."""

    def __init__(self, *, store: Store, keys: Keys, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._folder = settings.backup_dir
        self._every = timedelta(hours=settings.backup_every_hours)
        self._keep = settings.backup_keep
        self._clock = clock
        self._job: BackupJob | None = None
        self._beginning = Lock()
        self._closing = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to make backups by themselves, where a folder for them is set; a second call does nothing."""
        if self._folder is not None and self._thread is None and not self._closing.is_set():
            self._thread = Thread(target=self._follow, name="optimus-backups", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop what runs, and make no more; calling it twice does nothing."""
        with self._beginning:
            self._closing.set()
            job = self._job
        if job is not None:
            job.stop()
            job.wait(LOOK_EVERY_S)
        if self._thread is not None:
            self._thread.join()

    def state(self) -> BackupState:
        """Return how the last backup went and when the next one is due.

        What happened at a time to come was before the clock was set back, and puts nothing off.

        Raises:
            StoreError: the store does not answer.
        """
        fields = {name: value for name, value in (self._store.work.setting(_SETTING) or {}).items() if value}
        found = BackupState.model_validate(fields | {"is_scheduled": self._folder is not None})
        if self._folder is None:
            return found
        now = self._clock()
        due = found.made_at + self._every if found.made_at and found.made_at <= now else now
        if found.failed_at and found.failed_at <= now:
            due = max(due, found.failed_at + min(RETRY_AFTER, self._every))
        return found.model_copy(update={"next_at": due})

    def gauge(self) -> None:
        """Show the last backup in the metrics; where the store does not answer, they stay as they were."""
        with suppress(OptimusError):
            state = self.state()
            self._store.metrics.backup_at.set(state.made_at.timestamp() if state.made_at else 0)

    def job(self) -> BackupJob | None:
        """Return the backup that is being made, or the last one of this process."""
        return self._job

    def run_due(self) -> BackupJob | None:
        """Make a backup now if one is due, and return how it went.

        Raises:
            StoreError: the store does not answer.
        """
        state = self.state()
        if state.next_at is None or state.next_at > self._clock():
            return None
        job = self._begin()
        self._run(job, self._new_path(), None)
        return job

    def back_up_now(self, principal: Principal) -> BackupJob:
        """Begin to make a backup in the folder that is set, in the background.

        Raises:
            PermissionDeniedError: the principal may not manage the system.
            InvalidInputError: no folder is set, or a backup is being made.
        """
        authorize(principal, Action.MANAGE_SYSTEM)
        if self._folder is None:
            raise InvalidInputError(user_message="Set OPTIMUS_BACKUP_DIR to the folder for backups first.")
        return self.begin(self._new_path(), principal.user_id)

    def begin(self, path: Path, actor: UserId | None) -> BackupJob:
        """Begin to write a backup to a file that does not exist, in the background.

        Raises:
            InvalidInputError: a backup is being made, or Optimus is stopping.
        """
        job = self._begin()
        Thread(target=self._run, args=(job, path, actor), name="optimus-backup", daemon=True).start()
        return job

    def make(self, path: Path, progress: Callable[[int, int], None]) -> Manifest:
        """Write a backup here and now, read it again, and return what is in it.

        Raises:
            BackupError: the file cannot be written.
            StoreError: the store does not answer.
        """
        with self._store.audit.around(AuditAction.BACKUP, actor=None, data={"way": "terminal"}):
            manifest = self._write(path, progress)
        self._note(path, manifest)
        return manifest

    def _begin(self) -> BackupJob:
        with self._beginning:
            if self._closing.is_set() or (self._job is not None and not self._job.is_over):
                raise InvalidInputError(user_message="A backup is being made already. Wait until it is done.")
            self._job = BackupJob()
            return self._job

    def _run(self, job: BackupJob, path: Path, actor: UserId | None) -> None:
        try:
            with self._store.audit.around(AuditAction.BACKUP, actor=actor):
                manifest = self._write(path, job.step)
            self._note(path, manifest)
            job.path = path
            if path.parent == self._folder:
                self._clear_away(path)
        except OptimusError as error:
            self._note_failure(job, error.user_message)
        except Exception as error:  # noqa: BLE001 - in a thread of its own nobody else would hear of it
            _log.error("a backup failed: %s", type(error).__name__)
            self._note_failure(job, "It could not be made. The server's log says more.")
        finally:
            job.end()

    def _write(self, path: Path, progress: Callable[[int, int], None]) -> Manifest:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise BackupError(f"The folder {path.parent} cannot be made: {exc.strerror}. Choose another.") from exc
        manifest = write_backup(self._store, self._keys, path, made_at=self._clock(), progress=progress)
        with BackupReader(path) as reader:
            reader.verify()
        return manifest

    def _note(self, path: Path, manifest: Manifest) -> None:
        size = path.stat().st_size
        kept = {"made_at": manifest.made_at.isoformat(), "size": size, "records": manifest.records, "name": path.name}
        self._store.work.set_setting(_SETTING, kept)

    def _note_failure(self, job: BackupJob, sentence: str) -> None:
        job.error = sentence
        _log.warning("a backup was not made")
        try:
            kept: dict[str, Any] = self._store.work.setting(_SETTING) or {}
            failed = {"failed_at": self._clock().isoformat(), "error": sentence}
            self._store.work.set_setting(_SETTING, kept | failed)
        except OptimusError:
            _log.warning("that a backup failed could not be stored")

    def _new_path(self) -> Path:
        folder = self._folder or Path()
        return folder / f"optimus-{self._clock():%Y%m%d-%H%M%S}.backup"

    def _clear_away(self, newest: Path) -> None:
        """Delete the oldest backups beyond those to keep, and what a crash left half written.

        The newest one is told apart from them by more than its name, which names the time by a clock that may jump.
        """
        folder = self._folder or Path()
        others = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path != newest)
        left = folder.glob(f".optimus-*{PASSING}")
        for path in (*others[: max(0, len(others) + 1 - self._keep)], *left):
            path.unlink(missing_ok=True)

    def _follow(self) -> None:
        while not self._closing.wait(LOOK_EVERY_S):
            try:
                self.run_due()
            except OptimusError:
                _log.warning("no backup could be made", exc_info=True)
