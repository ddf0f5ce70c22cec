"""Open the store: engine, guard, walls, client, collections, repositories, in this order."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from qdrant_client import QdrantClient, models
from qdrant_client.client_base import QdrantBase

from optimus.errors import StoreUnavailableError
from optimus.keys import Keys
from optimus.metrics import Metrics
from optimus.models import Clock, utc_now
from optimus.settings import Settings
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog
from optimus.storage.client import EngineClient, memory_backend
from optimus.storage.collections import CollectionNames, Spread, collection_specs, create_collections, spread_of
from optimus.storage.conversations import ConversationRepository
from optimus.storage.documents import DocumentIndex
from optimus.storage.durability import GroupCommit
from optimus.storage.edge import open_embedded
from optimus.storage.events import EventRepository
from optimus.storage.filters import has_ids
from optimus.storage.folder import STORE_FOLDER, FreeSpace, disk_blocks
from optimus.storage.guard import MarkingGuard, MemoryGuard
from optimus.storage.index_choice import DEFAULTS, IndexChoice, index_choice
from optimus.storage.jobs import JobRepository
from optimus.storage.keyring import Keyring, open_keyring
from optimus.storage.link import ServerLink
from optimus.storage.memory_index import MemoryIndex
from optimus.storage.memory_place import MemoryPlace, MemoryWall, PlacedWall
from optimus.storage.migrations import Report, check_format, migrate, note_format
from optimus.storage.personal import PersonalRecords
from optimus.storage.read_ahead import ReadAhead
from optimus.storage.records import Engine, StoreHealth
from optimus.storage.reembedding import Renewal
from optimus.storage.rescue import RepairJournal, notes_of
from optimus.storage.sealing import SealingWall
from optimus.storage.search_model import find_memories
from optimus.storage.server import open_server
from optimus.storage.table import Table
from optimus.storage.tenancy import TenancyWall, across_tenants
from optimus.storage.walls import MeasuringWall
from optimus.storage.work import WorkRepository

VECTOR_SIZE = 384


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The open store. `client` has the walls inside and may be given to Mem0."""

    client: QdrantClient
    engine: Engine
    names: CollectionNames
    keyring: Keyring
    accounts: AccountRepository
    conversations: ConversationRepository
    events: EventRepository
    audit: AuditLog
    work: WorkRepository
    jobs: JobRepository
    memories: MemoryIndex
    documents: DocumentIndex
    personal: PersonalRecords
    probe: Table
    commit: GroupCommit | None
    metrics: Metrics
    """Where every call of the store is measured."""
    raw: QdrantBase
    """The engine below the walls, where what is sealed stays sealed: for copies of the whole store only."""
    renewal: Renewal
    """Knows where the memories lie, and makes all vectors anew for another search model."""
    folder: Path | None = None
    """Where the embedded engine keeps the collections."""
    space: FreeSpace | None = None
    """Watches the disk that the embedded engine writes to."""
    ahead: ReadAhead | None = None
    """Reads the embedded engine's files into the system's cache."""
    link: ServerLink | None = None
    """The way to the server; None where the engine is in this process."""

    def disk_bytes(self, collection: str) -> int | None:
        """Return what a collection takes on the disk; None where the engine is not embedded.

        Files that the engine reserves ahead count with what is really written of them.
        """
        if self.folder is None:
            return None
        files = (self.folder / self.renewal.place.find(collection)).rglob("*")
        return sum(blocks * 512 for path in files if (blocks := disk_blocks(path)))

    def broken(self) -> tuple[str, ...]:
        """Return the collections that are damaged and refuse writes until they are repaired."""
        red = models.CollectionStatus.RED
        names = [spec.name for spec in collection_specs(self.names)]
        return tuple(name for name in names if self.client.get_collection(name).status is red)

    def sync(self) -> None:
        """Return once all writes so far survive power loss; a server or memory needs nothing.

        Raises:
            StoreUnavailableError: the disk refuses.
        """
        if self.commit is not None:
            self.commit.wait()

    def check(self) -> StoreHealth:
        """Write, sync, read and delete a probe record, and count the collections.

        Raises:
            StoreError: any of it fails.
        """
        point_id, started = str(uuid4()), perf_counter()
        if not self.probe.insert(point_id, {"name": "probe"}):
            raise StoreUnavailableError("a probe record was not written")
        written = perf_counter()
        self.sync()
        synced = perf_counter()
        if self.probe.get(point_id) is None:
            raise StoreUnavailableError("a probe record was not found again")
        read = perf_counter()
        self.probe.delete(has_ids(point_id))
        return StoreHealth(
            engine=self.engine,
            write_ms=(written - started) * 1000,
            sync_ms=(synced - written) * 1000,
            read_ms=(read - synced) * 1000,
            collections=self._counts(),
        )

    def close(self) -> None:
        """Sync, flush and close; closing twice does nothing."""
        self.audit.close()
        if self.ahead is not None:
            self.ahead.stop()
        if self.commit is not None:
            self.commit.close()
        self.client.close()

    def _counts(self) -> dict[str, int]:
        with across_tenants():
            return {spec.name: self.client.count(spec.name, exact=True).count for spec in collection_specs(self.names)}


def open_store(
    settings: Settings,
    keys: Keys,
    *,
    clock: Clock = utc_now,
    vector_size: int = VECTOR_SIZE,
    metrics: Metrics | None = None,
    is_restoring: bool = False,
    report: Report | None = None,
) -> Store:
    """Open the store that the settings name: a Qdrant server, or the embedded engine in the data folder.

    An older store is brought up to date first; `report` is told how far that has come. Only a restore opens, with
    `is_restoring`, a store that a backup is being put back into.

    Raises:
        ConfigurationError: the folder cannot be used, the server will not do, the vectors have another size, a newer
            Optimus made the store, or the master key is not the store's own.
        StoreLockedError: another process holds the data folder.
        StoreUnavailableError: the server does not answer.
        StoreDamagedError: the embedded store needs rescue.
    """
    names, metrics = CollectionNames(prefix=settings.collection_prefix), metrics or Metrics()
    assemble = partial(
        _assemble,
        names=names,
        keys=keys,
        clock=clock,
        vector_size=vector_size,
        beside=settings.keys_folder,
        metrics=metrics,
        is_restoring=is_restoring,
        report=report,
        choice=index_choice(settings),
    )
    if settings.qdrant_url:
        with ExitStack() as undo:
            guard = open_server(settings)
            undo.callback(guard.close)
            store = replace(assemble(guard, "server", spread=spread_of(settings)), link=guard.link)
            undo.pop_all()
        return store
    with ExitStack() as undo:
        engine = open_embedded(settings.data_dir)
        undo.callback(engine.close)
        if engine.notices:
            RepairJournal(settings.data_dir).add(*notes_of(engine.notices, clock))
        timed_sync = metrics.sync.time()(lambda: engine.sync())  # noqa: PLW0108 - it decorates functions only
        commit = GroupCommit(sync=timed_sync, flush=engine.flush)
        undo.callback(commit.close)
        space = FreeSpace(settings.data_dir, limit=settings.min_free_mb * 1024**2, content=names.content)
        guarded = MarkingGuard(engine, commit=commit, admit=lambda name: space.check(names.plain(name)))
        store = assemble(guarded, "embedded", commit=commit)
        folder = settings.data_dir / STORE_FOLDER
        store = replace(store, folder=folder, space=space, ahead=ReadAhead(folder) if settings.read_ahead else None)
        undo.pop_all()
    return store


def open_memory_store(
    keys: Keys | None = None,
    *,
    clock: Clock = utc_now,
    vector_size: int = VECTOR_SIZE,
    metrics: Metrics | None = None,
) -> Store:
    """Open an empty store in memory behind the same walls, for tests."""
    keys = keys or Keys(jwt=os.urandom(32), pepper=os.urandom(32), master=os.urandom(32))
    guard = MemoryGuard(memory_backend())
    return _assemble(
        guard,
        "memory",
        names=CollectionNames(),
        keys=keys,
        clock=clock,
        vector_size=vector_size,
        metrics=metrics or Metrics(),
    )


def _walls(guard: QdrantBase, place: MemoryPlace, keyring: Keyring, metrics: Metrics) -> MeasuringWall:
    names = place.names
    sealing = SealingWall(MemoryWall(guard, place=place), keyring=keyring, sealed=names.sealed)
    labels = {spec.name: spec.name.removeprefix(names.prefix) for spec in collection_specs(names)}
    return MeasuringWall(TenancyWall(sealing, unowned=names.unowned), metrics=metrics, labels=labels)


def _assemble(
    guard: QdrantBase,
    engine: Engine,
    *,
    names: CollectionNames,
    keys: Keys,
    clock: Clock,
    vector_size: int,
    metrics: Metrics,
    beside: Path | None = None,
    commit: GroupCommit | None = None,
    spread: Spread | None = None,
    is_restoring: bool = False,
    report: Report | None = None,
    choice: IndexChoice = DEFAULTS,
) -> Store:
    sync = commit.wait if commit is not None else lambda: None
    folder = beside / f"{names.prefix}data-keys" if beside and engine == "embedded" else None
    keyring = open_keyring(guard, names.accounts, keys, folder, sync=sync, clock=clock)
    place = MemoryPlace(names)
    wall = _walls(guard, place, keyring, metrics)
    client = EngineClient(wall)
    work = WorkRepository(client=client, collection=names.work, sync=sync)
    if client.collection_exists(names.work):
        check_format(work, is_restoring=is_restoring)
        vector_size = find_memories(guard, work, place, vector_size)
    create_collections(client, names, vector_size, spread, choice)
    keyring.check_master()
    note_format(work)
    head = beside / f"{names.prefix}audit.head" if beside else None
    store = Store(
        client=client,
        engine=engine,
        names=names,
        keyring=keyring,
        accounts=AccountRepository(client=client, collection=names.accounts, sync=sync, clock=clock),
        conversations=ConversationRepository(client=client, collection=names.conversations, sync=sync, clock=clock),
        events=EventRepository(client=client, collection=names.events, sync=sync),
        work=work,
        audit=AuditLog(client=client, names=names, keyring=keyring, head_file=head, sync=sync, clock=clock),
        jobs=JobRepository(client=client, collection=names.work, sync=sync),
        memories=MemoryIndex(backend=wall, collection=names.memories, sync=sync, choice=choice),
        documents=DocumentIndex(backend=wall, collection=names.memories),
        personal=PersonalRecords(client=client, names=names, sync=sync),
        probe=Table(client=client, collection=names.work, kind="probe", sync=sync),
        commit=commit,
        metrics=metrics,
        raw=PlacedWall(guard, place=place),
        renewal=Renewal(engine=guard, client=client, place=place, work=work, spread=spread, choice=choice, sync=sync),
    )
    wall.on_foreign = store.audit.note_foreign
    migrate(store, report=report)
    return store
