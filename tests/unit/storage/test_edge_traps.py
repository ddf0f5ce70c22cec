"""Traps of the embedded engine: each one handled, and proven handled."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any
from unittest.mock import Mock

import pytest
import qdrant_edge as edge
from qdrant_client import models as m

from optimus.errors import NotFoundError, StoreBrokenError, StoreRejectedError, StoreUnavailableError
from optimus.storage import edge_shard
from optimus.storage.edge import EdgeBackend
from optimus.storage.edge_registry import EdgeRegistry
from optimus.storage.edge_shard import EdgeCollection, engine_errors
from optimus.storage.edge_update import CHUNK

CONFIG: dict[str, Any] = {
    "vectors_config": {"": m.VectorParams(size=2, distance=m.Distance.DOT)},
    "sparse_vectors_config": {"bm25": m.SparseVectorParams()},
}
NAME = "things"
BARE = (
    "keyword",
    m.PayloadSchemaType.KEYWORD,
    m.KeywordIndexParams(type=m.KeywordIndexType.KEYWORD, enable_hnsw=False),
)


class PanicException(BaseException):
    """What the engine raises when it panics, by name."""


class FakeShard:
    """A shard that notes what it is told, and panics on demand."""

    def __init__(self) -> None:
        self.updates: list[Any] = []
        self.panics = False

    def update(self, operation: Any) -> None:
        """Note an update."""
        if self.panics:
            raise PanicException("index out of bounds")
        self.updates.append(operation)

    def count(self, request: Any) -> int:
        """Answer as if nothing had happened."""
        return 7

    def retrieve(self, ids: list[Any], payload: Any, vectors: Any) -> list[Any]:
        """Know no point."""
        return []


@pytest.fixture
def backend(tmp_path):
    """An embedded store with one empty collection."""
    made = EdgeBackend(tmp_path / "store")
    made.create_collection(NAME, **CONFIG)
    yield made
    made.close()


@pytest.fixture
def fake(tmp_path):
    """A collection over a fake shard."""
    config = m.CreateCollection(vectors=m.VectorParams(size=2, distance=m.Distance.DOT))
    shard: Any = FakeShard()
    return EdgeCollection(name=NAME, folder=tmp_path, config=config, shard=shard), shard


def points(*numbers: int) -> list[m.PointStruct]:
    """Return points with a payload each."""
    return [m.PointStruct(id=n, vector=[1.0, 2.0], payload={"n": n, "flag": n % 2 == 0}) for n in numbers]


def schema_of(backend: EdgeBackend, field: str) -> Any:
    """Return the parameters of an index."""
    return backend.get_collection(NAME).payload_schema[field].params


def test_a_panic_breaks_the_collection_for_writes_only(fake):
    """After a panic nothing more is written until a restart, and reading is still tried."""
    collection, shard = fake
    operation = edge.UpdateOperation.delete_points([1])
    collection.write(operation)
    shard.panics = True
    with pytest.raises(StoreBrokenError):
        collection.write(operation)
    shard.panics = False
    with pytest.raises(StoreBrokenError):
        collection.write(operation)
    assert len(shard.updates) == 1
    assert collection.read(lambda opened: opened.count(None)) == 7


def test_a_real_panic_of_the_engine_is_caught_by_its_name(backend):
    """The engine's own panic is a `BaseException`; it arrives as our error and shows in the description."""
    collection = backend._registry.get(NAME)
    malformed = edge.Query.Nearest(edge.SparseVector([1, 2], [0.5]), "bm25")
    backend.upsert(NAME, [m.PointStruct(id=1, vector={"bm25": m.SparseVector(indices=[1, 2], values=[1.0, 1.0])})])
    request = edge.QueryRequest(limit=1, query=malformed)
    with pytest.raises(StoreBrokenError):
        collection.read(lambda shard: shard.query(request))
    assert backend.get_collection(NAME).status == m.CollectionStatus.RED
    assert backend.count(NAME).count == 1
    with pytest.raises(StoreBrokenError):
        backend.delete(NAME, [1])


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (Exception("Not existing vector name error: x"), StoreRejectedError),
        (Exception("Vector dimension error: expected dim: 4, got 3"), StoreRejectedError),
        (Exception("No point with id 99"), NotFoundError),
        (Exception("Service runtime error: Shard is not initialized"), StoreUnavailableError),
        (Exception("No space left on device"), StoreUnavailableError),
        (OSError(28, "No space left on device"), StoreUnavailableError),
        (TypeError("'object' cannot be converted"), StoreRejectedError),
        (OverflowError("int too large"), StoreRejectedError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (AttributeError("a mistake of ours"), AttributeError),
    ],
)
def test_what_the_engine_raises_becomes_our_error_once(raised, expected):
    """Engine errors are translated by what they say; what is not the engine's passes unchanged."""
    with pytest.raises(expected) as caught, engine_errors("here"):
        raise raised
    assert type(caught.value) is expected


def test_a_conversion_error_does_not_repeat_the_value():
    """The message of a conversion error may hold what somebody wrote; it stays out of the log line."""
    with pytest.raises(StoreRejectedError) as caught, engine_errors("here"):
        raise ValueError("my secret diary")
    assert "diary" not in str(caught.value)


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("index", [None, "bool"])
def test_a_bool_matches_with_and_without_an_index(backend, wanted, index):
    """A Python bool would reach the engine as an integer and match nothing."""
    if index:
        backend.create_payload_index(NAME, "flag", index)
    backend.upsert(NAME, points(1, 2, 3))
    condition = m.FieldCondition(key="flag", match=m.MatchValue(value=wanted))
    assert backend.count(NAME, m.Filter(must=[condition])).count == (1 if wanted else 2)


@pytest.mark.parametrize("again", BARE[:2])
def test_a_bare_index_request_keeps_the_tenant_mark(backend, again):
    """Mem0 asks for a bare keyword index on `user_id` at every start."""
    backend.create_payload_index(NAME, "user_id", m.KeywordIndexParams(type=m.KeywordIndexType.KEYWORD, is_tenant=True))
    backend.create_payload_index(NAME, "user_id", again)
    backend.create_payload_index(NAME, "user_id", field_type=again)
    assert schema_of(backend, "user_id").is_tenant is True


def test_only_the_tenant_field_is_linked_in_the_vector_graph(backend):
    """Each linked field multiplies the time that building the graph takes; asked for, it is linked."""
    backend.create_payload_index(NAME, "bare", "keyword")
    backend.create_payload_index(NAME, "plain", m.DatetimeIndexParams(type=m.DatetimeIndexType.DATETIME))
    backend.create_payload_index(
        NAME, "linked", m.IntegerIndexParams(type=m.IntegerIndexType.INTEGER, enable_hnsw=True)
    )
    backend.create_payload_index(NAME, "user_id", m.KeywordIndexParams(type=m.KeywordIndexType.KEYWORD, is_tenant=True))
    linked = {field: schema_of(backend, field).enable_hnsw for field in ("bare", "plain", "linked", "user_id")}
    assert linked == {"bare": False, "plain": False, "linked": True, "user_id": None}


def test_an_index_of_another_kind_replaces_the_old_one(backend):
    """Asking for something else is not a repetition."""
    backend.create_payload_index(NAME, "n", "keyword")
    backend.create_payload_index(NAME, "n", "integer")
    assert backend.get_collection(NAME).payload_schema["n"].data_type == m.PayloadSchemaType.INTEGER


def test_ids_leave_the_engine_as_text(backend):
    """The engine gives UUID objects; clients, Mem0 among them, expect text: hits, pages and offsets."""
    letters = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(4)]
    backend.upsert(NAME, [m.PointStruct(id=letter, vector=[1.0, 2.0], payload={}) for letter in letters])
    page, following = backend.scroll(NAME, limit=2)
    hits = backend.query_points(NAME, [1.0, 2.0]).points
    assert [point.id for point in page] == letters[:2]
    assert following == letters[2]
    assert sorted(hit.id for hit in hits) == letters
    assert [found.id for found in backend.retrieve(NAME, letters)] == letters


def test_a_look_up_gives_each_point_once_and_no_impossible_one(backend):
    """Repeated ids count once, whatever their spelling; an id that nothing can have is a missing one."""
    letter = "0f0e0d0c-0b0a-4908-8706-050403020100"
    backend.upsert(NAME, [*points(1), m.PointStruct(id=letter, vector=[1.0, 2.0], payload={})])
    wanted = [letter, 1, letter.upper(), 1, "no such id", -5]
    assert [found.id for found in backend.retrieve(NAME, wanted)] == [letter, 1]
    assert backend.retrieve(NAME, []) == []


def test_a_bare_vector_is_the_default_one_among_named_ones(backend):
    """A list of numbers means the vector without a name, also in a collection with others."""
    backend.upsert(NAME, [m.PointStruct(id=1, vector=[3.0, 4.0])])
    assert backend.retrieve(NAME, [1], with_vectors=True)[0].vector == [3.0, 4.0]


def backend_over(collection: EdgeCollection) -> EdgeBackend:
    """Return a backend with one collection."""
    backend = EdgeBackend.__new__(EdgeBackend)
    backend._registry = Mock(spec_set=EdgeRegistry, **{"get.return_value": collection})
    return backend


def test_many_points_are_written_in_parts(fake):
    """No single call of the engine, each of which stops the process, writes more than a part."""
    collection, shard = fake
    backend = backend_over(collection)
    backend.upsert(NAME, points(*range(CHUNK * 2 + 1)))
    backend.delete(NAME, list(range(CHUNK + 1)))
    assert len(shard.updates) == 3 + 2


def test_what_must_be_whole_is_one_write_of_the_engine(fake):
    """Points under one token are never cut, since a killed process would leave half of them; insertions may be."""
    collection, shard = fake
    backend = backend_over(collection)
    whole = [m.PointStruct(id=n, vector=[1.0, 2.0], payload={"write_id": "t"}) for n in range(CHUNK * 2 + 1)]
    backend.upsert(NAME, whole)
    assert len(shard.updates) == 1
    backend.upsert(NAME, whole, update_mode=m.UpdateMode.INSERT_ONLY)
    assert len(shard.updates) == 1 + 3


def test_a_change_of_missing_points_never_reaches_the_log(fake):
    """The engine would log it before it finds that they are missing."""
    collection, shard = fake
    backend = backend_over(collection)
    changes: list[Callable[[], Any]] = [
        lambda: backend.set_payload(NAME, {"a": 1}, [1]),
        lambda: backend.update_vectors(NAME, [m.PointVectors(id=1, vector=[1.0, 2.0])]),
        lambda: backend.clear_payload(NAME, [1]),
    ]
    for change in changes:
        with pytest.raises(NotFoundError):
            change()
    assert shard.updates == []


@pytest.fixture
def synced(monkeypatch) -> list[str]:
    """The names of the files that were waited for."""
    names: list[str] = []
    monkeypatch.setattr(edge_shard, "sync_path", lambda path: names.append(path.name))
    return names


def test_only_what_was_written_is_synced(backend, synced):
    """A sync waits for the logs written since the last one, and for nothing when there was no write."""
    backend.create_collection("other", **CONFIG)
    synced.clear()
    backend.sync()
    assert synced == []
    backend.upsert(NAME, points(1))
    backend.sync()
    assert synced
    assert all(name.startswith(("open-", "closed-", "first-", "wal")) for name in synced)


def test_what_another_process_may_have_left_unsynced_is_synced_first(backend, synced):
    """After opening, and after a flush, the first sync waits for every file of the collection."""
    backend.close()
    again = EdgeBackend(backend._registry.root)
    synced.clear()
    again.sync()
    assert "edge_config.json" in synced
    again.upsert(NAME, points(1))
    again.flush()
    synced.clear()
    again.sync()
    assert "edge_config.json" in synced
    again.close()


def test_a_new_log_file_syncs_its_folder(backend, synced):
    """A file that nobody can find after a power loss is as good as lost."""
    backend.upsert(NAME, points(1))
    backend.sync()
    synced.clear()
    collection = backend._registry.get(NAME)
    (collection.folder / "shard" / "wal" / "open-99").touch()
    backend.upsert(NAME, points(1))
    backend.sync()
    (collection.folder / "shard" / "wal" / "open-99").unlink()
    assert "wal" in synced


def test_a_sync_of_a_collection_that_is_deleted_meanwhile_is_no_error(backend):
    """Who waits for a write elsewhere is not told that the disk failed."""
    collection = backend._registry.get(NAME)
    backend.upsert(NAME, points(1))
    backend.delete_collection(NAME)
    collection._synced_writes = -1
    collection.sync()
    assert not backend.collection_exists(NAME)


def test_a_closed_store_says_so(backend):
    """Closing twice is fine; calls after it fail with a plain error."""
    collection = backend._registry.get(NAME)
    backend.close()
    backend.close()
    actions: list[Callable[[], Any]] = [
        lambda: backend.count(NAME),
        lambda: backend.upsert(NAME, points(1)),
        lambda: backend.create_collection("late", **CONFIG),
        lambda: collection.read(lambda shard: shard.info()),
    ]
    for action in actions:
        with pytest.raises(StoreUnavailableError):
            action()
    backend.sync()
    backend.flush()


def test_what_is_not_offered_says_so(backend):
    """A call that the embedded store does not have names itself and the way out."""
    with pytest.raises(NotImplementedError, match="create_snapshot is not offered"):
        backend.create_snapshot(NAME)
    many = m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM)
    with pytest.raises(NotImplementedError, match="multi-vectors"):
        backend.create_collection("x", m.VectorParams(size=2, distance=m.Distance.DOT, multivector_config=many))
    discover = m.DiscoverQuery(discover=m.DiscoverInput(target=1, context=[]))
    with pytest.raises(NotImplementedError, match="DiscoverQuery"):
        backend.query_points(NAME, discover)


def test_a_formula_without_a_default_is_refused_not_unavailable(backend):
    """The engine calls it a cancellation; asking again would not help."""
    backend.upsert(NAME, points(1))
    first = m.Prefetch(query=[1.0, 2.0])
    with pytest.raises(StoreRejectedError):
        backend.query_points(NAME, m.FormulaQuery(formula="absent"), prefetch=first)
    assert backend.query_points(NAME, m.FormulaQuery(formula="absent", defaults={"absent": 2.0}), prefetch=first)


@pytest.mark.parametrize("method", ["scroll", "facet"])
def test_an_order_or_a_facet_without_an_index_is_refused(backend, method):
    """The caller has to make the index first."""
    backend.upsert(NAME, points(1))
    with pytest.raises(StoreRejectedError):
        backend.scroll(NAME, order_by="n") if method == "scroll" else backend.facet(NAME, "n")


def test_threads_that_write_and_read_lose_nothing(backend):
    """Writers of one collection take turns; readers never fail."""
    failures: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for n in range(start, start + 40):
                backend.upsert(NAME, points(n))
                backend.query_points(NAME, [1.0, 2.0], limit=3)
                backend.set_payload(NAME, {"seen": n}, [n])
                backend.sync()
        except BaseException as exc:  # noqa: BLE001 - whatever it is, the test fails
            failures.append(exc)

    workers = [Thread(target=work, args=(start,)) for start in range(0, 320, 40)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    found, _ = backend.scroll(NAME, limit=1000)
    assert {point.id: point.payload["seen"] for point in found} == {n: n for n in range(320)}
