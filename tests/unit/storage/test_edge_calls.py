"""Traps of the embedded engine in how it is called: how long, by whom, and until when."""

from __future__ import annotations

import json
import os
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import qdrant_edge
from qdrant_client import models as m

from optimus.errors import StoreError, StoreUnavailableError
from optimus.storage import edge_shard, edge_update
from optimus.storage.client import EngineClient
from optimus.storage.edge import EdgeBackend
from optimus.storage.edge_shard import EdgeCollection

NAME = "things"
MANY = 450
ALL = m.FilterSelector(filter=m.Filter(must=[m.FieldCondition(key="kind", match=m.MatchValue(value="x"))]))
CHILD_S = 20


@pytest.fixture
def backend(tmp_path):
    """An embedded store with one empty collection."""
    made = EdgeBackend(tmp_path / "store")
    vectors = {name: m.VectorParams(size=2, distance=m.Distance.DOT) for name in ("", "ctx")}
    made.create_collection(NAME, vectors, {"bm25": m.SparseVectorParams()})
    made.create_payload_index(NAME, "kind", "keyword")
    yield made
    made.close()


@pytest.fixture
def filled(backend):
    """The same with 450 points."""
    payload = {"kind": "x", "text": "words"}
    backend.upsert(
        NAME, [m.PointStruct(id=n, vector={"": [1.0, n], "ctx": [2.0, n]}, payload=payload) for n in range(MANY)]
    )
    return backend


CHANGES: dict[str, tuple[Callable[[EdgeBackend], Any], Callable[[m.Record], bool]]] = {
    "set": (
        lambda backend: backend.set_payload(NAME, {"text": "new"}, ALL),
        lambda record: record.payload == {"kind": "x", "text": "new"},
    ),
    "overwrite": (
        lambda backend: backend.overwrite_payload(NAME, {"text": "new"}, ALL),
        lambda record: record.payload == {"text": "new"},
    ),
    "remove": (
        lambda backend: backend.delete_payload(NAME, ["text"], ALL),
        lambda record: record.payload == {"kind": "x"},
    ),
    "clear": (lambda backend: backend.clear_payload(NAME, ALL), lambda record: not record.payload),
    "vectors": (
        lambda backend: backend.delete_vectors(NAME, ["ctx"], ALL),
        lambda record: record.vector == [1.0, record.id],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_by_filter_is_made_in_short_calls(filled, monkeypatch, change):
    """However many points match, no call of the engine writes more than 200 of them, and each is changed."""
    parts: list[int] = []
    write_to = EdgeCollection.write_to

    def counted(self: EdgeCollection, ids: Any, operation: Any) -> None:
        parts.append(len(ids))
        write_to(self, ids, operation)

    monkeypatch.setattr(EdgeCollection, "write_to", counted)
    act, is_changed = CHANGES[change]
    act(filled)
    found, _ = filled.scroll(NAME, limit=1000, with_vectors=True)
    assert parts == [edge_update.CHUNK, edge_update.CHUNK, MANY - 2 * edge_update.CHUNK]
    assert len(found) == MANY
    assert all(map(is_changed, found))


def test_a_long_page_is_read_in_short_calls(filled, monkeypatch):
    """A page of any length holds its points in order, though no call of the engine reads more than 256."""
    asked: list[int] = []
    request = qdrant_edge.ScrollRequest

    def noted(**told: Any) -> Any:
        asked.append(told["limit"])
        return request(**told)

    monkeypatch.setattr(qdrant_edge, "ScrollRequest", noted)
    page, following = filled.scroll(NAME, limit=300)
    rest, end = filled.scroll(NAME, limit=10_000, offset=following)
    assert [record.id for record in (*page, *rest)] == list(range(MANY))
    assert (following, end) == (300, None)
    assert max(asked) == edge_shard.PAGE


def test_many_ids_are_looked_up_in_short_calls(filled):
    """Points by id come in the order asked for, at most 256 from one call of the engine."""

    class Watched:
        """A shard that notes how many are looked up."""

        def __init__(self, shard: Any) -> None:
            self._shard = shard
            self.asked: list[int] = []

        def retrieve(self, ids: list[Any], *selection: Any) -> Any:
            self.asked.append(len(ids))
            return self._shard.retrieve(ids, *selection)

    collection = filled._registry.get(NAME)
    shard, collection._shard = collection._shard, Watched(collection._shard)
    found = filled.retrieve(NAME, list(reversed(range(MANY))))
    asked, collection._shard = collection._shard.asked, shard
    assert [record.id for record in found] == list(reversed(range(MANY)))
    assert asked == [edge_shard.PAGE, MANY - edge_shard.PAGE]


def test_what_the_engine_lacks_of_an_optimizer_is_ignored(tmp_path):
    """It knows no size from which on files are mapped and no flushing by time; the rest reaches it."""
    everything = m.OptimizersConfigDiff(
        deleted_threshold=0.3,
        vacuum_min_vector_number=500,
        default_segment_number=3,
        max_segment_size=100_000,
        memmap_threshold=20_000,
        indexing_threshold=5_000,
        flush_interval_sec=7,
        max_optimization_threads=2,
    )
    backend = EdgeBackend(tmp_path)
    vector = m.VectorParams(size=2, distance=m.Distance.DOT)
    backend.create_collection(NAME, vector, optimizers_config=everything, hnsw_config=m.HnswConfigDiff(m=8))
    described = backend.get_collection(NAME).config
    backend.close()
    told = json.loads((tmp_path / NAME / "shard" / "edge_config.json").read_text())
    known = {name: told["optimizers"][name] for name in everything.model_dump() if name in told["optimizers"]}
    ignored = {"memmap_threshold", "flush_interval_sec", "max_optimization_threads"}
    assert known == everything.model_dump(exclude_none=True, exclude=ignored) | known
    assert (known["indexing_threshold"], known["default_segment_number"]) == (5_000, 3)
    links = {name: told["hnsw_config"][name] for name in ("m", "ef_construct", "full_scan_threshold")}
    assert links == {"m": 8, "ef_construct": 100, "full_scan_threshold": 10_000}
    assert (described.hnsw_config.m, described.hnsw_config.ef_construct) == (8, 100)
    assert described.optimizer_config.indexing_threshold == 5_000


def test_closing_while_others_read_and_write_ends_them_with_an_error(filled):
    """Nobody hangs or crashes; each learns that the store is closed, and what was acknowledged is there afterwards."""
    begun = Barrier(5)
    ends: list[BaseException] = []
    written: list[int] = []

    def work(step: Callable[[int], Any]) -> None:
        begun.wait()
        for n in range(10_000_000):
            try:
                step(n)
            except BaseException as exc:  # noqa: BLE001 - whatever it is, the test looks at it
                ends.append(exc)
                return

    def write(n: int) -> None:
        filled.upsert(NAME, [m.PointStruct(id=MANY + n, vector={"": [1.0, 2.0]}, payload={"kind": "y"})])
        written.append(MANY + n)

    steps: list[Callable[[int], Any]] = [
        lambda _: filled.query_points(NAME, [1.0, 2.0], limit=3),
        lambda _: filled.scroll(NAME, limit=300),
        lambda n: filled.retrieve(NAME, [n % MANY]),
        write,
    ]
    workers = [Thread(target=work, args=(step,), daemon=True) for step in steps]
    for worker in workers:
        worker.start()
    begun.wait()
    filled.close()
    for worker in workers:
        worker.join(CHILD_S)
    assert not any(worker.is_alive() for worker in workers)
    assert {type(end) for end in ends} == {StoreUnavailableError}
    again = EdgeBackend(filled._registry.root)
    found, _ = again.scroll(NAME, limit=1_000_000, with_payload=False)
    again.close()
    assert {record.id for record in found} >= {*range(MANY), *written}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_is_refused_and_harms_nothing(filled):
    """The engine's threads do not live on in a child: its calls would hang, so they fail; the parent goes on."""
    client = EngineClient(filled)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        signal.alarm(CHILD_S)
        os._exit(_refusals(client))
    assert os.waitpid(child, 0)[1] == 0
    assert client.count(NAME).count == MANY
    client.upsert(NAME, [m.PointStruct(id=MANY, vector={"": [1.0, 2.0]})])
    client.close()
    again = EdgeBackend(filled._registry.root)
    assert again.count(NAME).count == MANY + 1
    again.close()


def _refusals(client: EngineClient) -> int:
    """Return 0 where every call in this process is refused, and closing does nothing."""
    calls: list[Callable[[], Any]] = [
        lambda: client.count(NAME),
        lambda: client.upsert(NAME, [m.PointStruct(id=1, vector={})]),
        lambda: client.create_collection("other", vectors_config=m.VectorParams(size=2, distance=m.Distance.DOT)),
    ]
    refused = 0
    for call in calls:
        try:
            call()
        except StoreError:
            refused += 1
    client.close()
    return int(refused < len(calls))


def test_the_store_is_opened_by_starting_programs_never_by_forking():
    """A forked child would hang on its first call, so nothing here forks."""
    product = Path(edge_shard.__file__).parents[1].rglob("*.py")
    forking = ("os.fork", "import multiprocessing", "from multiprocessing", "ProcessPoolExecutor", "forkserver")
    assert not [path.name for path in product if any(word in path.read_text(encoding="utf-8") for word in forking)]
