"""Copy the whole store into a backup, while others go on writing, and put one back into an empty store.

What a backup is consistent to: every record is as it was stored at some moment while the backup was made, and every
record is there that existed all the while. Work that waits is copied first and accounts with their keys last, so that
a job is rather done twice than lost, and nothing sealed is without its key. The audit log is cut at the record that
announces the backup, so its chain is whole. An account that was erased meanwhile may be there in part: the list of
erased accounts beside the master key takes it out when the backup is put back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from qdrant_client import QdrantClient, models
from qdrant_client.client_base import QdrantBase

from optimus.errors import BackupError
from optimus.keys import Keys
from optimus.settings import Settings
from optimus.storage.audit_chain import Link
from optimus.storage.backup_file import PAGE, BackupReader, BackupWriter, Contents, Manifest, Progress, key_check
from optimus.storage.client import EngineClient
from optimus.storage.collections import CollectionNames, create_collections
from optimus.storage.durability import GroupCommit
from optimus.storage.edge import open_embedded
from optimus.storage.filters import all_of, one_of
from optimus.storage.guard import MarkingGuard
from optimus.storage.keyring import IN_FILES
from optimus.storage.migrations import EMBEDDING, FORMAT, RESTORING
from optimus.storage.search_model import JOB
from optimus.storage.server import open_server
from optimus.storage.store import Store
from optimus.storage.table import KIND
from optimus.storage.work import WorkRepository

ORDER = ("work", "memories", "memories_entities", "relations", "conversations", "events", "accounts")
"""In this order the collections are copied."""
PASSING_KINDS = frozenset({"probe", "audit_head"})
"""Kinds of records that are made anew and are in no backup."""
WRITTEN = 128
"""Records of one write when a backup is put back: the embedded engine holds everything else up meanwhile."""


class Restored(NamedTuple):
    """What was put back, and the note beside the master key as it was before."""

    manifest: Manifest
    earlier: dict[str, Any] | None


def write_backup(store: Store, keys: Keys, path: Path, *, made_at: datetime, progress: Progress) -> Manifest:
    """Write everything into a new file at `path`, 256 records at a time.

    Raises:
        BackupError: the file cannot be written.
        StoreError: the store does not answer. There is no file then.
    """
    with store.renewal.place.staying:
        return _write_all(store, keys.masters()[0], path, made_at, progress)


def _write_all(store: Store, master: bytes, path: Path, made_at: datetime, progress: Progress) -> Manifest:
    names, end, done = store.names, store.audit.end(), 0
    total = sum(store.raw.count(collection_name=names.prefix + name, exact=True).count for name in ORDER)
    model = store.work.setting(EMBEDDING) or {}
    contents = Contents(
        schema_version=FORMAT,
        made_at=made_at,
        engine=store.engine,
        embedding=str(model.get("name", "")),
        vector_size=_vector_size(store.raw, names),
        audit_seq=end.seq,
        audit_hash=end.hash,
        key_check=key_check(master),
    )
    with BackupWriter(path) as writer:
        for name in ORDER:
            for page in _pages(store.raw, names.prefix + name):
                kept = [record for record in page if _is_kept(record.payload or {}, end)]
                if kept:
                    writer.add(name, kept)
                done += len(page)
                progress(min(done, total), total)
        for start in range(0, len(wrapped := _key_records(store)), PAGE):
            writer.add("accounts", wrapped[start : start + PAGE])
        return writer.finish(contents, master)


def restore_records(settings: Settings, keys: Keys, path: Path, *, vector_size: int, progress: Progress) -> Restored:
    """Put a backup back into the empty store that the settings name, and leave it marked as half restored.

    Everything about the file is checked first. A store where that was interrupted before counts as empty.

    Raises:
        BackupError: the file will not do, the key is another one, or the store is not empty; nothing is written.
        StoreError: the store cannot be opened, or fails on the way.
    """
    with BackupReader(path) as reader:
        check(reader, keys, vector_size)
        names = CollectionNames(prefix=settings.collection_prefix)
        with _opened(settings) as engine:
            earlier = _earlier(engine, names, _head_file(settings))
            _clear(engine, names)
            create_collections(engine.client, names, vector_size)
            work = WorkRepository(client=engine.client, collection=names.work, sync=engine.sync)
            work.set_setting(RESTORING, {"earlier": earlier})
            _fill(engine, names, reader, progress)
            _count(engine, names, reader.manifest)
            if made := work.setting(EMBEDDING):
                work.set_setting(EMBEDDING, {key: value for key, value in made.items() if key != "collection"})
            engine.sync()
        return Restored(reader.manifest, earlier)


def check(reader: BackupReader, keys: Keys, vector_size: int) -> None:
    """Make sure that a backup is whole, of this master key, and fits this version and its search model.

    Raises:
        BackupError: it will not do.
    """
    reader.prove(keys.masters())
    manifest = reader.manifest
    if manifest.schema_version > FORMAT:
        raise BackupError(
            f"A newer Optimus made this backup (store format {manifest.schema_version}; this version reads up to "
            f"{FORMAT}). Restore it with that version. Nothing was written."
        )
    if manifest.vector_size != vector_size:
        raise BackupError(
            f"The backup's vectors were made by {manifest.embedding or 'another model'} and have "
            f"{manifest.vector_size} numbers; the search model here makes {vector_size}. Set the model that made them. "
            "Nothing was written."
        )
    if not set(manifest.counts) <= set(ORDER):
        raise BackupError("The backup holds a collection that this Optimus does not know. Nothing was written.")
    reader.verify()


def _head_file(settings: Settings) -> Path:
    """Return where the end of the audit log is noted beside the master key."""
    return settings.keys_folder / f"{settings.collection_prefix}audit.head"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Engine:
    client: QdrantClient
    commit: GroupCommit | None

    def sync(self) -> None:
        if self.commit is not None:
            self.commit.wait()


@contextmanager
def _opened(settings: Settings) -> Iterator[_Engine]:
    """Open the engine without walls: what is sealed passes as it is."""
    with ExitStack() as undo:
        if settings.qdrant_url:
            client = EngineClient(open_server(settings))
            undo.callback(client.close)
            yield _Engine(client=client, commit=None)
            return
        backend = open_embedded(settings.data_dir)
        undo.callback(backend.close)
        commit = GroupCommit(sync=backend.sync, flush=backend.flush)
        undo.callback(commit.close)
        yield _Engine(client=EngineClient(MarkingGuard(backend, commit=commit)), commit=commit)


def _earlier(engine: _Engine, names: CollectionNames, head: Path) -> dict[str, Any] | None:
    """Return how far the log had come, from the first try if this is not the first; refuse a store in use.

    Raises:
        BackupError: the store is not empty.
    """
    existing = {found.name for found in engine.client.get_collections().collections}
    if names.work in existing:
        work = WorkRepository(client=engine.client, collection=names.work, sync=engine.sync)
        mark = work.setting(RESTORING)
        if mark is not None:
            earlier = mark.get("earlier")
            return earlier if isinstance(earlier, dict) else None
    users = one_of(KIND, ["user", "connection", "preferences"])
    for name in ORDER:
        where = all_of(users) if name == "accounts" else None
        is_counted = name != "work" and names.prefix + name in existing
        if is_counted and engine.client.count(names.prefix + name, count_filter=where, exact=True).count:
            raise BackupError(
                "A backup is put back into an empty store only, and this one is in use. Set OPTIMUS_DATA_DIR (with a "
                "Qdrant server: OPTIMUS_COLLECTION_PREFIX) to a new one. Nothing was written."
            )
    try:
        noted = json.loads(head.read_bytes()[:1_000])
    except (OSError, ValueError):
        return None
    return noted if isinstance(noted, dict) else None


def _clear(engine: _Engine, names: CollectionNames) -> None:
    """Delete what is left of a store without people, or of an interrupted restore; the mark of one goes last."""
    existing = {found.name for found in engine.client.get_collections().collections}
    for name in reversed(ORDER):
        if names.prefix + name in existing:
            engine.client.delete_collection(names.prefix + name)


def _fill(engine: _Engine, names: CollectionNames, reader: BackupReader, progress: Progress) -> None:
    done, total = 0, reader.manifest.records
    for name, points in reader.points():
        for start in range(0, len(points), WRITTEN):
            engine.client.upsert(names.prefix + name, points=points[start : start + WRITTEN])
        done += len(points)
        progress(done, total)


def _count(engine: _Engine, names: CollectionNames, manifest: Manifest) -> None:
    for name in ORDER:
        marks = 1 if name == "work" else 0
        found = engine.client.count(names.prefix + name, exact=True).count - marks
        if found != manifest.counts.get(name, 0):
            raise BackupError(f"Not everything of {name} was put back. Run the restore again.")


def _pages(backend: QdrantBase, collection: str) -> Iterator[list[Any]]:
    offset: Any = None
    while True:
        records, offset = backend.scroll(
            collection_name=collection, limit=PAGE, offset=offset, with_payload=True, with_vectors=True
        )
        yield records
        if offset is None:
            return


def _is_kept(payload: dict[str, Any], end: Link) -> bool:
    kind = payload.get(KIND)
    if kind == "audit":
        return int(payload.get("seq", 0)) <= end.seq
    return kind not in (*PASSING_KINDS, "key") and not (kind == "setting" and payload.get("name") in (RESTORING, JOB))


def _key_records(store: Store) -> list[models.Record]:
    """Return the wrapped data keys as records of `accounts`, wherever they are kept; each once."""
    kept = {entry.id: entry.fields for entry in store.keyring.entries()}
    return [
        models.Record(id=key_id, vector={}, payload={**fields, KIND: "key", IN_FILES: False})
        for key_id, fields in kept.items()
    ]


def _vector_size(backend: QdrantBase, names: CollectionNames) -> int:
    vectors: Any = backend.get_collection(collection_name=names.memories).config.params.vectors
    return int(vectors[""].size if isinstance(vectors, dict) else vectors.size)
