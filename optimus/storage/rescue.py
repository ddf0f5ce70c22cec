"""Repair a closed embedded store: what is set aside goes to `<data>/quarantine`, and nothing is ever deleted.

What was done, and how many records there were before and after, is kept in `<data>/repairs.jsonl` until somebody says
that it is settled.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from optimus.errors import NotFoundError, StoreUnavailableError
from optimus.models import Clock, Value
from optimus.storage.edge_registry import clear_leftovers, lock_folder, read_config
from optimus.storage.inspection import (
    Damage,
    Fault,
    Inspection,
    Notice,
    adopt,
    copy_folder,
    expected_points,
    inspect,
    read_contents,
    since,
    write_contents,
)
from optimus.storage.trial import try_folders

QUARANTINE = "quarantine"
JOURNAL = "repairs.jsonl"
_LOG = Path("shard") / "wal"


class Repair(StrEnum):
    """What can be done about a damaged collection, and what may be noted beside it."""

    LOG_ASIDE = "log_aside"
    """The write-ahead log is set aside; what the engine had written out by itself stays."""
    QUARANTINE = "quarantine"
    """The collection is set aside whole; an empty one takes its place."""
    ACCEPT = "accept"
    """What can be read counts from now on."""
    RESTORE = "restore"
    """The whole store is set aside; the newest backup takes its place."""
    NOTICED = "noticed"
    """Nothing had to be repaired."""


class RepairNote(Value):
    """A repair that was made, or damage that needed none."""

    at: datetime
    collection: str
    repair: Repair
    before: int | None = None
    """Records that there were; None where that is not known."""
    after: int | None = None
    since: datetime | None = None
    """When the records were whole for the last time, as far as that is known."""
    kept: str = ""
    """Where the originals are, below the data folder."""
    detail: str = ""
    is_recorded: bool = False
    """Whether the audit log tells of it."""
    is_settled: bool = False


class RepairJournal:
    """The notes of one data folder, the oldest first."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / JOURNAL

    def notes(self) -> tuple[RepairNote, ...]:
        """Return every note that can be read."""
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ()
        return tuple(note for line in lines if (note := _note(line)))

    def add(self, *notes: RepairNote) -> None:
        """Append notes; they are on the disk when this returns.

        Raises:
            OSError: the disk refuses.
        """
        self._write((*self.notes(), *notes))

    def change(self, change: Callable[[RepairNote], RepairNote]) -> None:
        """Replace every note by what `change` makes of it.

        Raises:
            OSError: the disk refuses.
        """
        before = self.notes()
        after = tuple(map(change, before))
        if after != before:
            self._write(after)

    def _write(self, notes: Sequence[RepairNote]) -> None:
        fresh = self._path.with_name(f"{JOURNAL}.new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{note.model_dump_json()}\n" for note in notes)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)


class Workshop:
    """Looks at and repairs the embedded store of a data folder while nobody has it open."""

    def __init__(self, data_dir: Path, store: Path, *, clock: Clock) -> None:
        self._data_dir = data_dir
        self._root = store
        self._clock = clock
        self.journal = RepairJournal(data_dir)

    def look(self) -> Inspection:
        """Return what is damaged.

        Raises:
            StoreLockedError: somebody has the store open.
            StoreUnavailableError: the folder cannot be read or written.
        """
        with self._alone():
            return inspect(self._root, read_config)

    def set_log_aside(self, name: str) -> RepairNote:
        """Open a collection without its write-ahead log, and let what it then holds count.

        Raises:
            NotFoundError: there is no such collection.
            StoreUnavailableError: it does not open without it either, and is as it was; or the disk refuses.
        """
        return self._opened_anew(name, Repair.LOG_ASIDE, without_log=True)

    def accept(self, name: str) -> RepairNote:
        """Let what a collection holds now count, although it is not what was there.

        Raises:
            NotFoundError: there is no such collection.
            StoreUnavailableError: it does not open, and is as it was; or the disk refuses.
        """
        return self._opened_anew(name, Repair.ACCEPT, without_log=False)

    def quarantine(self, name: str) -> RepairNote:
        """Set a collection aside whole; the next start makes an empty one.

        Raises:
            NotFoundError: there is no such collection.
            StoreUnavailableError: the disk refuses.
        """
        with self._alone():
            folder = self._existing(name)
            place = self._place(name)
            before, last = expected_points(folder), since(folder)
            if folder.exists():
                folder.rename(place)
            write_contents(self._root, [each for each in read_contents(self._root) if each != name])
            return self._noted(name, Repair.QUARANTINE, before=before, after=0, last=last, place=place)

    def set_store_aside(self) -> RepairNote:
        """Set the whole store aside, so that a backup can take its place.

        Raises:
            StoreUnavailableError: the disk refuses.
        """
        with self._alone():
            place = self._place("store")
            self._root.rename(place)
        return self._noted("store", Repair.RESTORE, before=None, after=None, last=None, place=place)

    def _opened_anew(self, name: str, repair: Repair, *, without_log: bool) -> RepairNote:
        with self._alone():
            folder = self._existing(name)
            place = self._place(name)
            before, last = expected_points(folder), since(folder)
            copy_folder(folder, place)
            if without_log:
                shutil.rmtree(folder / _LOG, ignore_errors=True)
                (folder / _LOG).mkdir(exist_ok=True)
            tried = try_folders([folder], [()])[0]
            if tried.fault is not None:
                shutil.rmtree(folder)
                copy_folder(place, folder)
                shutil.rmtree(place)
                raise StoreUnavailableError(
                    f"{name}: {tried.fault}", user_message="That did not help: it still does not open. Nothing changed."
                )
            adopt(folder, tried)
            return self._noted(name, repair, before=before, after=tried.points, last=last, place=place)

    def _existing(self, name: str) -> Path:
        known = {*read_contents(self._root), *(path.name for path in self._root.iterdir() if path.is_dir())}
        if name not in known or name.startswith("."):
            raise NotFoundError(f"no collection {name!r}", user_message=f"There is no collection {name}.")
        return self._root / name

    def _place(self, name: str) -> Path:
        folder = self._data_dir / QUARANTINE
        folder.mkdir(mode=0o700, exist_ok=True)
        stamp = f"{self._clock():%Y%m%d-%H%M%S}-{name}"
        taken = sum(1 for path in folder.iterdir() if path.name.startswith(stamp))
        return folder / (f"{stamp}-{taken}" if taken else stamp)

    def _noted(
        self, name: str, repair: Repair, *, before: int | None, after: int | None, last: datetime | None, place: Path
    ) -> RepairNote:
        kept = place.relative_to(self._data_dir).as_posix() if place.exists() else ""
        note = RepairNote(
            at=self._clock(), collection=name, repair=repair, before=before, after=after, since=last, kept=kept
        )
        self.journal.add(note)
        return note

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder's lock, and say in plain words what the disk refuses."""
        handle = lock_folder(self._root)
        try:
            clear_leftovers(self._root)
            yield
        except OSError as exc:
            sentence = f"The disk refuses: {exc.strerror or type(exc).__name__}. Nothing was lost; make room and retry."
            raise StoreUnavailableError(sentence, user_message=sentence) from exc
        finally:
            os.close(handle)


def notes_of(notices: Sequence[Notice], clock: Clock) -> list[RepairNote]:
    """Return notes of what was noticed while the store was opened."""
    return [
        RepairNote(at=clock(), collection=notice.collection, repair=Repair.NOTICED, detail=notice.detail)
        for notice in notices
    ]


def repairs_for(damage: Damage) -> tuple[Repair, ...]:
    """Return what can be tried for a damage, what loses least first."""
    if damage.fault is Fault.DIFFERENT:
        return (Repair.ACCEPT, Repair.RESTORE, Repair.QUARANTINE)
    if damage.fault is Fault.CLOSED:
        return (Repair.LOG_ASIDE, Repair.RESTORE, Repair.QUARANTINE)
    return (Repair.RESTORE, Repair.QUARANTINE)


def _note(line: str) -> RepairNote | None:
    try:
        return RepairNote.model_validate_json(line)
    except ValidationError:
        return None
