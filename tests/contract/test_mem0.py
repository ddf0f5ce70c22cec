"""Mem0's own Qdrant adapter runs unmodified on each engine, and finds the same on all."""

from __future__ import annotations

import os
import warnings
from typing import Any
from uuid import uuid4

import pytest

from optimus.storage.bm25 import Bm25Encoder
from tests.contract import dataset

TEXTS = {
    dataset.uuid_of(1): "I am allergic to peanuts",
    dataset.uuid_of(2): "I live in Lisbon near the river",
    dataset.uuid_of(3): "My sister Maria lives in Lisbon",
}
ALICE, BOB = {"user_id": "alice"}, {"user_id": "bob"}
GENERATOR = dataset.random_numbers(5)
VECTORS = {point_id: dataset.dense(GENERATOR, 8) for point_id in TEXTS}


@pytest.fixture(scope="module")
def adapter_class(tmp_path_factory) -> Any:
    """Return Mem0's adapter, imported without telemetry and away from the home folder."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setitem(os.environ, "MEM0_TELEMETRY", "False")
        patch.setitem(os.environ, "MEM0_DIR", str(tmp_path_factory.mktemp("mem0")))
        from mem0.vector_stores.qdrant import Qdrant  # noqa: PLC0415 - seconds, and it reads the environment

        return Qdrant


@pytest.fixture
def adapter(writable, adapter_class) -> Any:
    """Return the adapter on a fresh collection that Mem0 makes itself, filled with three memories."""
    made = adapter_class(f"mem0_{uuid4().hex}", 8, client=writable.engine.client)
    made._bm25_encoder = Bm25Encoder()
    payloads = [{"data": text, **(BOB if "Maria" in text else ALICE)} for text in TEXTS.values()]
    made.insert(list(VECTORS.values()), payloads, list(TEXTS))
    yield made
    writable.engine.client.delete_collection(made.collection_name)


def ids(points: Any) -> list[Any]:
    """Return the ids of what was found."""
    return [point.id for point in points]


def again(writable, adapter) -> Any:
    """Settle, and give the adapter the client that is open afterwards."""
    writable.settle()
    adapter.client = writable.engine.client
    return adapter


def test_mem0_finds_what_it_inserted(writable, adapter):
    """By vector, by words, by user, by id: each memory with a text id."""
    adapter = again(writable, adapter)
    first, second, third = TEXTS
    assert ids(adapter.search("", VECTORS[second], top_k=1)) == [second]
    assert ids(adapter.keyword_search("Lisbon river", filters=ALICE)) == [second]
    assert ids(adapter.search_batch(["", ""], [VECTORS[first], VECTORS[third]], filters=BOB)[1]) == [third]
    assert ids(adapter.list(filters=ALICE)[0]) == [first, second]
    assert adapter.get(third).payload["data"] == TEXTS[third]
    assert isinstance(adapter.get(third).id, str)
    assert adapter.get(dataset.uuid_of(9)) is None


def test_mem0_updates_and_deletes(writable, adapter):
    """A whole update, a payload alone, a vector alone, a deletion."""
    first, second, third = TEXTS
    adapter.update(first, VECTORS[third], {"data": "I have a dog", **ALICE})
    adapter.update(second, payload={"data": "I live in Porto"})
    adapter.update(third, vector=VECTORS[first])
    adapter = again(writable, adapter)
    assert ids(adapter.keyword_search("dog")) == [first]
    assert adapter.get(second).payload == {"data": "I live in Porto", **ALICE}
    assert ids(adapter.search("", VECTORS[first], top_k=1)) == [third]
    adapter.delete(first)
    assert ids(again(writable, adapter).list()[0]) == [second, third]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"user_id": {"in": ["alice", "bob"]}}, 3),
        ({"user_id": {"ne": "alice"}}, 1),
        ({"OR": [ALICE, BOB]}, 3),
        ({"NOT": [BOB]}, 2),
        ({"AND": [ALICE, {"data": {"contains": "Lisbon"}}]}, 1),
        ({"user_id": "nobody"}, 0),
    ],
)
def test_mem0_filters_mean_the_same(writable, adapter, filters, expected):
    """Mem0's own filter language selects as many memories on each engine."""
    assert len(again(writable, adapter).list(filters=filters)[0]) == expected
