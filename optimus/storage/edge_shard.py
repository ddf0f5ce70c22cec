"""One collection of the embedded engine: one shard, one writer at a time, errors in our own terms."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, RLock
from typing import Any, TypeVar
from uuid import UUID

import qdrant_edge as edge
from qdrant_client.http import models

from optimus.errors import (
    NotFoundError,
    StoreBrokenError,
    StoreError,
    StoreLockedError,
    StoreRejectedError,
    StoreUnavailableError,
)
from optimus.storage.integrity import STATE, Changes, Ledger, Tally, record_sum, seal
from optimus.storage.validation import VectorLayout

Result = TypeVar("Result")
Sums = dict[int | str, int]
"""Checksums of records by id, 0 for one that is not there."""
PAGE = 256
"""Points that one call reads, since it pauses the process for its whole length."""

_MESSAGES: dict[str, type[StoreError]] = {
    "WouldBlock": StoreLockedError,
    "No point with id": NotFoundError,
    "Not existing vector name": StoreRejectedError,
    "Vector dimension error": StoreRejectedError,
    "Wrong usage of": StoreRejectedError,
    "Wrong input": StoreRejectedError,
    "Bad request": StoreRejectedError,
    "No range index": StoreRejectedError,
    "No appropriate index": StoreRejectedError,
    "Operation cancelled": StoreRejectedError,
}
"""What the engine's messages contain, and what they mean. A formula without a default ends as a cancellation."""


@contextmanager
def engine_errors(where: str) -> Iterator[None]:
    """Turn what the engine raises into our errors; what is not the engine's passes unchanged.

    The engine raises plain `Exception`, conversion errors (`TypeError`, `ValueError`, `OverflowError`), and on a panic
    a `BaseException` that no `except Exception` sees.

    Raises:
        StoreBrokenError: the engine panicked.
        StoreLockedError: another process, or this one, has the shard open.
        NotFoundError: a point that the call names does not exist.
        StoreRejectedError: the call itself is wrong.
        StoreUnavailableError: anything else, such as a full disk.
    """
    try:
        yield
    except BaseException as exc:
        error = _translated(exc, where)
        if error is None:
            raise
        raise error from exc


def _translated(exc: BaseException, where: str) -> StoreError | None:
    if type(exc).__name__ == "PanicException":
        return StoreBrokenError(f"{where}: the engine panicked")
    if isinstance(exc, TypeError | ValueError | OverflowError):
        return StoreRejectedError(f"{where}: {type(exc).__name__} in a conversion")
    if isinstance(exc, OSError):
        return StoreUnavailableError(f"{where}: {exc.strerror}")
    if type(exc) is not Exception:
        return None
    text = str(exc)
    kinds = (kind for start, kind in _MESSAGES.items() if start in text)
    return next(kinds, StoreUnavailableError)(f"{where}: {text[:200]}")


class EdgeCollection:
    """A shard with its REST configuration.

    Reads run side by side; writes take the lock, so that a check and the write after it belong together. After a panic
    the collection is broken: writes are refused until the process starts anew, reads are still tried.
    """

    def __init__(
        self,
        *,
        name: str,
        folder: Path,
        config: models.CreateCollection,
        shard: edge.EdgeShard,
        tally: Tally | None = None,
        is_synced: bool = False,
    ) -> None:
        """Take an open shard with the tally of its records, if that is known.

        `is_synced` says that all its files are known to be on the disk.
        """
        self.name = name
        self.folder = folder
        self.config = config
        self.writing = RLock()
        self.is_broken = False
        self._shard = shard
        self._ledger = Ledger(folder / STATE, tally)
        self._ledger.save()
        self._is_closed = False
        self._syncing = Lock()
        self._writes = 0
        self._synced_writes = 0
        self._flushed_writes = 0
        self._changes = Changes(folder)
        self._synced_wal: frozenset[Path] | None = frozenset() if is_synced else None

    @property
    def config(self) -> models.CreateCollection:
        """The configuration as the collection was created, with later vectors."""
        return self._config

    @config.setter
    def config(self, config: models.CreateCollection) -> None:
        self._config = config
        self.layout = VectorLayout.of(config)

    def read(self, action: Callable[[edge.EdgeShard], Result]) -> Result:
        """Run a reading call on the shard.

        Raises:
            StoreError: see `engine_errors`.
        """
        try:
            with engine_errors(self.name):
                return action(self._shard)
        except StoreBrokenError:
            self.is_broken = True
            raise

    def points(self, ids: Sequence[int | str], payload: Any = False, vectors: Any = False) -> list[edge.Record]:
        """Return the points that exist of `ids`, in their order; `ids` are canonical and each stands there once.

        Raises:
            StoreError: see `engine_errors`.
        """
        found: list[edge.Record] = []
        for start in range(0, len(ids), PAGE):
            part: list[int | UUID | str] = list(ids[start : start + PAGE])
            found += self.read(lambda shard, part=part: shard.retrieve(part, payload, vectors))  # type: ignore[misc]
        return found

    def write(self, *operations: edge.UpdateOperation) -> None:
        """Apply updates one after the other; each is in the log when this returns.

        Raises:
            StoreBrokenError: the collection is broken, or breaks now.
            StoreError: see `engine_errors`.
        """
        for operation in operations:
            with self.writing:
                if self.is_broken:
                    raise StoreBrokenError(f"{self.name}: broken since an earlier panic")
                self._writes += 1
                self.read(lambda shard, update=operation: shard.update(update))  # type: ignore[misc]

    def write_to(self, ids: Sequence[int | str], operation: edge.UpdateOperation) -> None:
        """Apply an update of the points with `ids`, and follow what becomes of them; see `write`."""
        with self.writing:
            self._follow(self._sums(ids), operation)

    def _follow(self, before: Sums, operation: edge.UpdateOperation) -> None:
        self._ledger.begin(before)
        try:
            self.write(operation)
        except BaseException:
            self._ledger.lose()
            raise
        self._ledger.end(before, self._sums(list(before)))

    def _sums(self, ids: Sequence[int | str]) -> Sums:
        """Return the checksum of each record, 0 for one that is not there; nothing where nobody follows them."""
        if self._ledger.tally is None:
            return {}
        found = _summed(self.points(ids, True))
        return {each: found.get(each, 0) for each in ids}

    def sync(self) -> None:
        """Return once every finished write survives power loss; waits for the disk without holding the GIL.

        The log's files are enough, once the files that were there at the last flush are safe. Callers that wait for
        each other's run find nothing left to do, and so do those of a collection deleted in between.

        Raises:
            OSError: the disk refuses.
        """
        with self._syncing:
            with self.writing:
                due = self._writes
            if due == self._synced_writes and self._synced_wal is not None:
                return
            try:
                self._sync_files()
            except FileNotFoundError:
                if self.folder.exists():
                    raise
            self._synced_writes = due

    def flush(self) -> None:
        """Write out what is only in the log, so that the log can be trimmed. Holds the GIL for its whole length.

        Raises:
            StoreError: see `engine_errors`.
        """
        with self.writing:
            if self._flushed_writes == self._writes or self.is_broken:
                return
            self.read(lambda shard: shard.flush())
            self._flushed_writes = self._writes
        with self._syncing:
            self._synced_wal = None
            self._changes.save()

    def close(self) -> None:
        """Sync, flush, release and seal the shard; a second call does nothing."""
        with suppress(OSError):
            if self._writes != self._synced_writes:
                self.sync()
        with self.writing, suppress(StoreError, OSError):
            if self._is_closed:
                return
            self._is_closed = True
            self._ledger.close()
            self.read(lambda shard: shard.close())
            self._changes.save()
            if not self.is_broken:
                seal(self.folder, self._ledger.tally)

    def count_changes(self, points: int) -> None:
        """Note that so many points were written or deleted, which the search index does not know yet."""
        self._changes.count += points

    def _sync_files(self) -> None:
        wal = self.folder / "shard" / "wal"
        files = frozenset(wal.iterdir())
        if self._synced_wal is None:
            sync_tree(self.folder)
        else:
            for path in sorted(files):
                sync_path(path)
        if files != self._synced_wal:
            sync_path(wal)
        self._synced_wal = files


def _summed(records: Sequence[edge.Record]) -> Sums:
    return {
        record.id if isinstance(record.id, int) else str(record.id): record_sum(record.id, record.payload)
        for record in records
    }


def sync_path(path: Path) -> None:
    """Wait until a file's or folder's content is on the disk; one that is gone needs no waiting."""
    if sys.platform == "win32" and path.is_dir():
        return
    try:
        handle = os.open(path, os.O_RDONLY if sys.platform != "win32" else os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Wait until a folder with everything below it is on the disk."""
    for parent, _, files in os.walk(folder):
        for name in files:
            sync_path(Path(parent, name))
        sync_path(Path(parent))
