"""The folder of the embedded store: one folder per collection, one process at a time.

    root/.lock                         held while the store is open
    root/.contents                     which collections there are
    root/<collection>/collection.json  the REST configuration
    root/<collection>/shard/           the engine's own files
    root/<collection>/state, sealed    by which damage is noticed, see `integrity`
    root/.passing-<uuid>/              a collection that is being made or deleted

A collection comes and goes by one rename, after everything in it is on the disk: a crash or a power loss at any point
leaves the whole collection or none. What is left on the way is cleared at the next start.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from threading import Lock
from uuid import uuid4

import qdrant_edge as edge
from qdrant_client.http import models

from optimus.errors import (
    AlreadyExistsError,
    NotFoundError,
    StoreBrokenError,
    StoreError,
    StoreLockedError,
    StoreRejectedError,
    StoreUnavailableError,
)
from optimus.storage.edge_schema import to_edge_config
from optimus.storage.edge_shard import EdgeCollection, engine_errors, sync_path, sync_tree
from optimus.storage.folder import NO_DAMAGE, system_error, unusable_store
from optimus.storage.inspection import PASSING, Damage, Fault, StoreDamagedError, inspect, write_contents
from optimus.storage.integrity import Tally, unseal

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FORMAT = 1
_CONFIG = "collection.json"
_SHARD = "shard"
COPYING, OPTIMIZED, REPLACED = ".copying-", ".optimized-", ".replaced-"
"""What an optimization has on the way; see `optimizing`."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


class EdgeRegistry:
    """The open collections of one folder."""

    def __init__(self, root: Path, *, search_threads: int) -> None:
        self.root = root
        self._search_threads = search_threads
        self._changing = Lock()
        self._open_in: int | None = os.getpid()
        self._lock = lock_folder(root)
        self._collections: dict[str, EdgeCollection] = {}
        try:
            clear_leftovers(root)
            self.inspection = inspect(root, read_config)
            self._open_all()
        except BaseException as exc:
            self.close()
            if isinstance(exc, OSError):
                raise unusable_store(root, exc) from exc
            raise

    def _open_all(self) -> None:
        """Open what was found whole; before anything else is told, all that was not."""
        damages = list(self.inspection.damages)
        for name, tally in self.inspection.tallies.items() if not damages else ():
            try:
                self._collections[name] = self._open(self.root / name, tally)
            except StoreBrokenError as exc:
                expected = None if tally is None else tally.points
                damages.append(Damage(collection=name, fault=Fault.CLOSED, detail=str(exc), expected=expected))
        if damages:
            raise StoreDamagedError(damages)
        if self._collections:
            write_contents(self.root, list(self._collections))

    @property
    def _is_closed(self) -> bool:
        """Whether it is closed here: the engine's threads do not live on in a forked child, whose calls would hang."""
        return self._open_in != os.getpid()

    def get(self, name: str) -> EdgeCollection:
        """Return an open collection.

        Raises:
            NotFoundError: there is none of that name.
            StoreUnavailableError: the store is closed.
        """
        found = self._collections.get(name)
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")
        if found is None:
            raise NotFoundError(f"no collection {name!r}")
        return found

    def all(self) -> list[EdgeCollection]:
        """Return every open collection, by name."""
        return [] if self._is_closed else sorted(self._collections.values(), key=lambda collection: collection.name)

    def create(self, name: str, config: models.CreateCollection) -> None:
        """Make an empty collection; after a crash on the way there is none.

        Raises:
            AlreadyExistsError: the name is taken.
            StoreRejectedError: the name cannot be a folder's.
            StoreUnavailableError: the folder cannot be written, or the store is closed.
        """
        if not _NAME.fullmatch(name):
            raise StoreRejectedError("a collection's name has 1-128 letters, digits, _ and -")
        folder = self.root / name
        with self._changing:
            if self._is_closed:
                raise StoreUnavailableError("the store is closed")
            if name in self._collections:
                raise AlreadyExistsError(f"collection {name!r} exists")
            try:
                self._collections[name] = self._make(folder, config)
                write_contents(self.root, list(self._collections))
            except OSError as exc:
                raise unusable_store(folder, exc) from exc

    def delete(self, name: str) -> bool:
        """Remove a collection with all its points; tell whether there was one.

        Raises:
            StoreUnavailableError: the folder cannot be written.
        """
        with self._changing:
            collection = None if self._is_closed else self._collections.pop(name, None)
            if collection is None:
                return False
            collection.close()
            gone = self._passing()
            try:
                write_contents(self.root, list(self._collections))
                collection.folder.rename(gone)
                sync_path(self.root)
            except OSError as exc:
                raise unusable_store(collection.folder, exc) from exc
        shutil.rmtree(gone, ignore_errors=True)
        return True

    def save_config(self, collection: EdgeCollection, config: models.CreateCollection) -> None:
        """Replace a collection's configuration, in memory and on disk."""
        write_config(collection.folder, config, self._search_threads)
        collection.config = config

    def close(self) -> None:
        """Close every collection and let other processes have the folder; a second call does nothing."""
        with self._changing:
            if self._is_closed:
                return
            self._open_in = None
            for collection in self._collections.values():
                collection.close()
            self._collections = {}
            os.close(self._lock)

    def _make(self, folder: Path, config: models.CreateCollection) -> EdgeCollection:
        engine_config = to_edge_config(config, search_threads=self._search_threads)
        making = self._passing()
        making.mkdir()
        try:
            with engine_errors(folder.name):
                edge.EdgeShard.create(str(making / _SHARD), engine_config).close()
            write_config(making, config, self._search_threads)
            sync_tree(making)
            making.rename(folder)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        sync_path(self.root)
        return self._open(folder, Tally(), is_synced=True)

    def _passing(self) -> Path:
        return self.root / f"{PASSING}{uuid4()}"

    def _open(self, folder: Path, tally: Tally | None, *, is_synced: bool = False) -> EdgeCollection:
        config, threads = read_config(folder)
        unseal(folder)
        path = folder / _SHARD
        try:
            with engine_errors(folder.name):
                shard = edge.EdgeShard.load(str(path))
                if threads != self._search_threads:
                    shard.close()
                    shard = edge.EdgeShard.load(str(path), to_edge_config(config, search_threads=self._search_threads))
                    write_config(folder, config, self._search_threads)
        except StoreLockedError:
            raise
        except StoreError as exc:
            if (said := system_error(exc)) is not None and said.errno in NO_DAMAGE:
                raise unusable_store(path, said) from exc
            raise StoreBrokenError(f"collection {folder.name} cannot be opened: {exc}") from exc
        if not (path / "wal").is_dir():
            shard.close()
            raise StoreBrokenError(f"collection {folder.name} keeps no log, so a killed process would lose its writes")
        return EdgeCollection(
            name=folder.name, folder=folder, config=config, shard=shard, tally=tally, is_synced=is_synced
        )


def lock_folder(root: Path) -> int:
    """Make the folder and take its lock, which the system releases when the process ends, however it ends.

    Raises:
        StoreLockedError: another process has it.
        StoreUnavailableError: the folder cannot be used.
    """
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise unusable_store(root, exc) from exc
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(handle)
        raise StoreLockedError(f"{root} is in use") from exc
    return handle


def clear_leftovers(root: Path) -> None:
    """Remove what was being made or deleted when the last process ended, and settle what it was exchanging.

    The caller holds the folder's lock.
    """
    for path in root.glob(f"{PASSING}*"):
        shutil.rmtree(path)
    for prefix in (OPTIMIZED, REPLACED):
        for path in root.glob(f"{prefix}*"):
            original = root / path.name.removeprefix(prefix)
            if original.exists():
                shutil.rmtree(path)
            else:
                path.rename(original)
                sync_path(root)
    for path in root.glob(f"{COPYING}*"):
        shutil.rmtree(path)


def write_config(folder: Path, config: models.CreateCollection, search_threads: int) -> None:
    """Replace a collection's configuration on the disk in one step."""
    kept = config.model_dump(mode="json", exclude_none=True, by_alias=True)
    stored = {"format": FORMAT, "search_threads": search_threads, "config": kept, "checksum": _checksum(kept)}
    fresh = folder / f"{_CONFIG}.new"
    fresh.write_text(json.dumps(stored, indent=1), encoding="utf-8")
    sync_path(fresh)
    fresh.replace(folder / _CONFIG)
    sync_path(folder)


def read_config(folder: Path) -> tuple[models.CreateCollection, int]:
    """Return a collection's configuration and its search threads.

    Raises:
        StoreBrokenError: it is missing or damaged, or another version wrote it.
        StoreUnavailableError: it may not be read.
    """
    path = folder / _CONFIG
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        found, threads = int(stored["format"]), int(stored["search_threads"])
        config = models.CreateCollection.model_validate(stored["config"])
        is_whole = stored.get("checksum", _checksum(stored["config"])) == _checksum(stored["config"])
    except (FileNotFoundError, ValueError, KeyError, TypeError) as exc:
        raise StoreBrokenError(f"{path.name} cannot be read: {type(exc).__name__}") from exc
    except OSError as exc:
        raise unusable_store(path, exc) from exc
    if found != FORMAT or not is_whole:
        raise StoreBrokenError(f"{path.name} is damaged, or another version of Optimus wrote it")
    return config, threads


def _checksum(config: object) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
