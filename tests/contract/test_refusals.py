"""What one engine refuses every engine refuses, and nothing of it is stored, not even after a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qdrant_client import QdrantClient
from qdrant_client import models as m

from optimus.errors import StoreError
from tests.contract.engines import contents

CONFIG: dict[str, Any] = {
    "vectors_config": {
        "": m.VectorParams(size=3, distance=m.Distance.COSINE),
        "ctx": m.VectorParams(size=2, distance=m.Distance.COSINE),
    },
    "sparse_vectors_config": {"bm25": m.SparseVectorParams(modifier=m.Modifier.IDF)},
}
GOOD: dict[str, Any] = {"": [1.0, 0.0, 0.0], "ctx": [1.0, 0.0]}
Call = Callable[[QdrantClient, str], Any]


def sparse(indices: list[int], values: list[float]) -> m.SparseVector:
    """Return a sparse vector that nobody has checked."""
    return m.SparseVector.model_construct(indices=indices, values=values)


def upsert(point_id: Any = 7, payload: Any = None, **vectors: Any) -> Call:
    """Return the writing of a good point, a bad one and another good one."""
    named = {name.replace("default", ""): vector for name, vector in vectors.items()} or GOOD
    bad = m.PointStruct.model_construct(id=point_id, vector=named, payload=payload)
    around = [m.PointStruct(id=n, vector=GOOD, payload={"n": n}) for n in (2, 3)]
    return lambda client, name: client.upsert(name, [around[0], bad, around[1]])


def call(method: str, **arguments: Any) -> Call:
    """Return the call of a client's method on the collection."""
    return lambda client, name: getattr(client, method)(name, **arguments)


def query(query: Any, **arguments: Any) -> Call:
    """Return a search."""
    return lambda client, name: client.query_points(name, query, **arguments)


def new_vectors(**vectors: Any) -> Call:
    """Return an update of the vectors of the stored point."""
    return call("update_vectors", points=[m.PointVectors(id=1, vector=vectors)])


WRITES: dict[str, Call] = {
    "no points": call("upsert", points=[]),
    "unknown vector": upsert(nope=[1.0, 2.0]),
    "unknown vector of an existing point": upsert(1, nope=[1.0, 2.0]),
    "too long a vector": upsert(default=[1.0, 2.0, 3.0, 4.0]),
    "too short a vector": upsert(ctx=[1.0]),
    "dense for sparse": upsert(bm25=[1.0, 2.0]),
    "sparse for dense": upsert(ctx=sparse([1], [1.0])),
    "sparse of two lengths": upsert(bm25=sparse([1, 2], [0.5])),
    "sparse with a repeated index": upsert(bm25=sparse([1, 1], [0.5, 0.5])),
    "id that is no UUID": upsert("seven"),
    "update of an unknown vector": new_vectors(nope=[1.0, 2.0]),
    "update of a vector's size": new_vectors(ctx=[1.0, 2.0, 3.0]),
    "update of a vector's kind": new_vectors(bm25=[1.0]),
    "deletion of an unknown vector": call("delete_vectors", vectors=["nope"], points=[1]),
    "deletion of no ids": call("delete", points_selector=[]),
    "payload of no ids": call("set_payload", payload={"a": 1}, points=[]),
    "batch with a bad operation": call(
        "batch_update_points",
        update_operations=[m.UpsertOperation(upsert=m.PointsList(points=[m.PointStruct(id=9, vector={"no": [1.0]})]))],
    ),
}

READS: dict[str, Call] = {
    "unknown vector": query([1.0, 2.0], using="nope"),
    "wrong size": query([1.0, 2.0]),
    "sparse for dense": query(sparse([1], [1.0])),
    "dense for sparse": query([1.0, 2.0], using="bm25"),
    "no limit": query([1.0, 2.0, 3.0], limit=0),
    "prefetch without a query": query(None, prefetch=m.Prefetch(query=[1.0, 2.0, 3.0])),
    "threshold without a query": query(None, score_threshold=0.5),
    "prefetch without a limit": query(
        m.FusionQuery(fusion=m.Fusion.RRF), prefetch=m.Prefetch(query=[1.0, 2.0, 3.0], limit=0)
    ),
    "fusion without prefetches' weights": query(
        m.RrfQuery(rrf=m.Rrf(weights=[1.0])), prefetch=[m.Prefetch(query=[1.0, 2.0, 3.0])] * 2
    ),
    "fusion by k of 0": query(m.RrfQuery(rrf=m.Rrf(k=0)), prefetch=[m.Prefetch(query=[1.0, 2.0, 3.0])]),
    "by a missing id": query(999),
    "recommend without positive examples": query(m.RecommendQuery(recommend=m.RecommendInput(negative=[1]))),
    "page of nothing": call("scroll", limit=0),
    "facet of nothing": call("facet", key="n", limit=0),
}


@pytest.fixture
def collection(writable) -> str:
    """Return a collection with one point."""
    name = writable.engine.make(**CONFIG)
    writable.engine.client.upsert(name, [m.PointStruct(id=1, vector=GOOD, payload={"n": 1})])
    return str(name)


def refused(engine: Any, action: Callable[[], Any]) -> None:
    """Expect a refusal; the embedded engine's is one of our own errors."""
    with pytest.raises(StoreError if engine.name == "edge" else Exception, match=r".+"):
        action()


@pytest.mark.parametrize("case", WRITES)
def test_a_refused_write_leaves_nothing_behind(writable, collection, case):
    """Not the bad point, not the good ones around it, not a change to a point that was there."""
    before = contents(writable.engine.client, collection)
    refused(writable.engine, lambda: WRITES[case](writable.engine.client, collection))
    writable.settle()
    assert contents(writable.engine.client, collection) == before
    assert writable.engine.client.count(collection).count == 1


@pytest.mark.parametrize("case", READS)
def test_a_contradictory_read_is_refused_and_harms_nothing(writable, collection, case):
    """The call fails, and the next one works."""
    refused(writable.engine, lambda: READS[case](writable.engine.client, collection))
    assert writable.engine.client.count(collection).count == 1
    writable.engine.client.upsert(collection, [m.PointStruct(id=2, vector=GOOD, payload={})])


@pytest.mark.parametrize(
    "action",
    [
        call("get_collection"),
        call("count"),
        call("scroll"),
        call("retrieve", ids=[1]),
        call("delete", points_selector=[1]),
        call("upsert", points=[m.PointStruct(id=1, vector=GOOD)]),
        query([1.0, 2.0, 3.0]),
        call("create_payload_index", field_name="n", field_schema="integer"),
    ],
)
def test_a_missing_collection_is_refused(writable, action):
    """No call makes a collection by the way."""
    refused(writable.engine, lambda: action(writable.engine.client, "never_made"))
    assert not writable.engine.client.collection_exists("never_made")


def test_a_taken_name_is_refused(writable, collection):
    """A second collection of the name is not made, and the first one keeps its points."""
    client = writable.engine.client
    refused(writable.engine, lambda: client.create_collection(collection, **CONFIG))
    assert client.count(collection).count == 1
