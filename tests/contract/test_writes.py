"""Every kind of write leaves the same points behind on every engine, and after a restart of the embedded one."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from qdrant_client import QdrantClient
from qdrant_client import models as m

from tests.contract import dataset
from tests.contract.engines import contents

State = dict[Any, tuple[dict[str, Any], Any]]

LETTER = dataset.uuid_of(77)
CONFIG: dict[str, Any] = {
    "vectors_config": {
        "": m.VectorParams(size=3, distance=m.Distance.DOT),
        "ctx": m.VectorParams(size=2, distance=m.Distance.DOT),
    },
    "sparse_vectors_config": {"bm25": m.SparseVectorParams(modifier=m.Modifier.IDF)},
}
WORDS = m.SparseVector(indices=[3, 9], values=[0.5, 1.5])
FULL: dict[str, Any] = {"": [1.0, 2.0, 3.0], "ctx": [4.0, 5.0], "bm25": WORDS}
FULL_PLAIN = {"": [1.0, 2.0, 3.0], "ctx": [4.0, 5.0], "bm25": {3: 0.5, 9: 1.5}}
BASE: State = {
    1: ({"owner": "a", "n": 1, "box": {"x": 1, "y": {"z": 2}}}, FULL_PLAIN),
    2: ({"owner": "a", "n": 2}, FULL_PLAIN),
    3: ({"owner": "b", "n": 3, "flag": True}, FULL_PLAIN),
    LETTER: ({"owner": "b", "n": 4, "version": 1}, FULL_PLAIN),
}


def value(key: str, wanted: Any) -> m.FieldCondition:
    """Return the condition that a field has a value."""
    return m.FieldCondition(key=key, match=m.MatchValue(value=wanted))


OF_A = m.Filter(must=[value("owner", "a")])
OF_B = m.Filter(must=[value("owner", "b")])
VERSION_1 = m.Filter(must=[value("version", 1)])
VERSION_2 = m.Filter(must=[value("version", 2)])
FLAGGED = m.FilterSelector(filter=m.Filter(must=[value("flag", True)]))


def point(point_id: Any, payload: dict[str, Any] | None = None, **vectors: Any) -> m.PointStruct:
    """Return a point, by default with the first vector alone."""
    return m.PointStruct(id=point_id, vector=vectors or {"": [9.0, 9.0, 9.0]}, payload=payload)


def update_vectors(point_id: Any, **vectors: Any) -> m.PointVectors:
    """Return new vectors of a point; the name `default` stands for the empty one."""
    return m.PointVectors(id=point_id, vector={name.replace("default", ""): v for name, v in vectors.items()})


def upsert(*points: m.PointStruct, **options: Any) -> Callable[[QdrantClient, str], Any]:
    """Return the writing of points."""
    return lambda client, name: client.upsert(name, list(points), **options)


def call(method: str, **arguments: Any) -> Callable[[QdrantClient, str], Any]:
    """Return the call of a client's method on the collection."""
    return lambda client, name: getattr(client, method)(name, **arguments)


NINES: Any = [9.0, 9.0, 9.0]
INSERT, UPDATE = m.UpdateMode.INSERT_ONLY, m.UpdateMode.UPDATE_ONLY
SECOND = {"owner": "b", "n": 5, "version": 2}
PAYLOAD_1 = BASE[1][0]
PAYLOAD_L = BASE[LETTER][0]
ALL_IDS = [1, 2, 3, LETTER]
GONE = None


def payload(point_id: Any, **changed: Any) -> dict[Any, Any]:
    """Return the expectation that fields of a point changed; None means removed."""
    merged = {key: value for key, value in (BASE[point_id][0] | changed).items() if value is not None}
    return {point_id: (merged, BASE[point_id][1])}


def vectors(point_id: Any, expected: Any) -> dict[Any, Any]:
    """Return the expectation that a point has these vectors and its old payload."""
    return {point_id: (BASE[point_id][0], expected)}


WRITES: dict[str, tuple[Callable[[QdrantClient, str], Any], dict[Any, Any]]] = {
    "insert": (upsert(point(5, {"n": 5})), {5: ({"n": 5}, NINES)}),
    "insert without vectors": (upsert(m.PointStruct(id=5, vector={}, payload={"n": 5})), {5: ({"n": 5}, {})}),
    "insert without payload": (upsert(point(5)), {5: ({}, NINES)}),
    "insert an empty sparse vector": (
        upsert(point(5, {}, ctx=[1.0, 1.0], bm25=m.SparseVector(indices=[], values=[]))),
        {5: ({}, {"ctx": [1.0, 1.0], "bm25": {}})},
    ),
    "insert a batch of columns": (
        call("upsert", points=m.Batch(ids=[5, 6], vectors={"": [NINES, NINES]}, payloads=[{"n": 5}, {"n": 6}])),
        {5: ({"n": 5}, NINES), 6: ({"n": 6}, NINES)},
    ),
    "insert the same id twice": (upsert(point(5, {"n": 5}), point(5, {"n": 6})), {5: ({"n": 6}, NINES)}),
    "insert more than a part": (
        upsert(*(point(n, {"n": n}) for n in range(100, 550))),
        {n: ({"n": n}, NINES) for n in range(100, 550)},
    ),
    "upload": (
        call("upload_points", points=[point(n, {"n": n}) for n in range(100, 550)], wait=True),
        {n: ({"n": n}, NINES) for n in range(100, 550)},
    ),
    "insert odd values": (
        upsert(point(5, {"a": None, "b": [], "c": {}, "d": [[1, "é\n"]], "e": -1.5, "f": 2**53})),
        {5: ({"a": None, "b": [], "c": {}, "d": [[1, "é\n"]], "e": -1.5, "f": 2**53}, NINES)},
    ),
    "replace drops what is not given": (upsert(point(1, {"n": 9})), {1: ({"n": 9}, NINES)}),
    "insert only, taken": (upsert(point(1, {"n": 9}), update_mode=INSERT), {}),
    "insert only, free and taken": (upsert(point(1, {}), point(5, {}), update_mode=INSERT), {5: ({}, NINES)}),
    "update only, missing": (upsert(point(5, {}), update_mode=UPDATE), {}),
    "update only, present": (upsert(point(1, {"n": 9}), update_mode=UPDATE), {1: ({"n": 9}, NINES)}),
    "update where the version is right": (
        upsert(point(LETTER, SECOND), update_mode=UPDATE, update_filter=VERSION_1),
        {LETTER: (SECOND, NINES)},
    ),
    "update where the version is wrong": (
        upsert(point(LETTER, SECOND), update_mode=UPDATE, update_filter=VERSION_2),
        {},
    ),
    "upsert with a filter inserts what is new": (
        upsert(point(LETTER, SECOND), point(5, {"n": 5}), update_filter=VERSION_2),
        {5: ({"n": 5}, NINES)},
    ),
    "delete by id": (call("delete", points_selector=[1, LETTER]), {1: GONE, LETTER: GONE}),
    "delete a missing id": (call("delete", points_selector=[1, 999]), {1: GONE}),
    "delete by filter": (call("delete", points_selector=OF_A), {1: GONE, 2: GONE}),
    "delete by a wrapped filter": (call("delete", points_selector=FLAGGED), {3: GONE}),
    "delete by a wrapped list": (call("delete", points_selector=m.PointIdsList(points=[2])), {2: GONE}),
    "delete by a guarded id": (
        call("delete", points_selector=m.Filter(must=[m.HasIdCondition(has_id=[1, 3]), value("owner", "b")])),
        {3: GONE},
    ),
    "delete nothing": (call("delete", points_selector=m.Filter(must=[value("owner", "nobody")])), {}),
    "set payload": (call("set_payload", payload={"n": 9, "new": [1]}, points=[1]), payload(1, n=9, new=[1])),
    "set payload under a key": (
        call("set_payload", payload={"w": 7}, points=[1], key="box.y"),
        payload(1, box={"x": 1, "y": {"z": 2, "w": 7}}),
    ),
    "set payload by filter": (
        call("set_payload", payload={"seen": True}, points=OF_A),
        payload(1, seen=True) | payload(2, seen=True),
    ),
    "set payload to null removes the field": (call("set_payload", payload={"n": None}, points=[2]), payload(2, n=None)),
    "overwrite payload": (call("overwrite_payload", payload={"only": 1}, points=[1]), {1: ({"only": 1}, FULL_PLAIN)}),
    "overwrite payload by filter": (
        call("overwrite_payload", payload={"only": 1}, points=OF_B),
        {3: ({"only": 1}, FULL_PLAIN), LETTER: ({"only": 1}, FULL_PLAIN)},
    ),
    "delete payload": (
        call("delete_payload", keys=["n", "absent"], points=[1, 2]),
        payload(1, n=None) | payload(2, n=None),
    ),
    "delete payload by path": (call("delete_payload", keys=["box.y"], points=[1]), payload(1, box={"x": 1})),
    "delete payload by filter": (call("delete_payload", keys=["flag"], points=OF_B), payload(3, flag=None)),
    "clear payload": (call("clear_payload", points_selector=[1]), {1: ({}, FULL_PLAIN)}),
    "clear payload by filter": (
        call("clear_payload", points_selector=OF_A),
        {1: ({}, FULL_PLAIN), 2: ({}, FULL_PLAIN)},
    ),
    "update a vector": (
        call("update_vectors", points=[update_vectors(1, default=NINES)]),
        vectors(1, FULL_PLAIN | {"": NINES}),
    ),
    "update two vectors of two points": (
        call(
            "update_vectors",
            points=[
                update_vectors(1, ctx=[0.0, 1.0]),
                update_vectors(2, bm25=m.SparseVector(indices=[1], values=[1.0])),
            ],
        ),
        vectors(1, FULL_PLAIN | {"ctx": [0.0, 1.0]}) | vectors(2, FULL_PLAIN | {"bm25": {1: 1.0}}),
    ),
    "update vectors where a filter holds": (
        call(
            "update_vectors",
            points=[update_vectors(1, ctx=[0.0, 1.0]), update_vectors(3, ctx=[0.0, 1.0])],
            update_filter=OF_A,
        ),
        vectors(1, FULL_PLAIN | {"ctx": [0.0, 1.0]}),
    ),
    "delete vectors": (
        call("delete_vectors", vectors=["ctx", "bm25"], points=[1]),
        vectors(1, [1.0, 2.0, 3.0]),
    ),
    "delete vectors by filter": (
        call("delete_vectors", vectors=["ctx"], points=OF_A),
        vectors(1, {"": [1.0, 2.0, 3.0], "bm25": {3: 0.5, 9: 1.5}})
        | vectors(2, {"": [1.0, 2.0, 3.0], "bm25": {3: 0.5, 9: 1.5}}),
    ),
    "batch": (
        call(
            "batch_update_points",
            update_operations=[
                m.UpsertOperation(upsert=m.PointsList(points=[point(5, {"n": 5}, ctx=[1.0, 1.0])])),
                m.UpsertOperation(
                    upsert=m.PointsBatch(batch=m.Batch(ids=[6], vectors={"": [NINES]}, payloads=[{"n": 6}]))
                ),
                m.UpsertOperation(upsert=m.PointsList(points=[point(1, {})], update_mode=INSERT)),
                m.SetPayloadOperation(set_payload=m.SetPayload(payload={"n": 50}, points=[5])),
                m.OverwritePayloadOperation(overwrite_payload=m.SetPayload(payload={"only": 1}, filter=OF_A)),
                m.DeletePayloadOperation(delete_payload=m.DeletePayload(keys=["flag"], points=[3])),
                m.UpdateVectorsOperation(update_vectors=m.UpdateVectors(points=[update_vectors(3, default=NINES)])),
                m.DeleteVectorsOperation(delete_vectors=m.DeleteVectors(points=[3], vector=["ctx", "bm25"])),
                m.ClearPayloadOperation(clear_payload=m.PointIdsList(points=[2])),
                m.DeleteOperation(delete=m.PointIdsList(points=[LETTER])),
            ],
        ),
        {
            1: ({"only": 1}, FULL_PLAIN),
            2: ({}, FULL_PLAIN),
            3: ({"owner": "b", "n": 3}, NINES),
            LETTER: GONE,
            5: ({"n": 50}, {"ctx": [1.0, 1.0]}),
            6: ({"n": 6}, NINES),
        },
    ),
}


@pytest.fixture
def filled(writable) -> str:
    """Return a collection with the base points."""
    engine = writable.engine
    name = engine.make(**CONFIG)
    engine.client.upsert(
        name, [m.PointStruct(id=point_id, vector=FULL, payload=state[0]) for point_id, state in BASE.items()]
    )
    return str(name)


def test_the_base_is_what_was_written(writable, filled):
    """Points come back as they were given."""
    writable.settle()
    assert contents(writable.engine.client, filled) == BASE


@pytest.mark.parametrize("case", WRITES)
def test_a_write_leaves_exactly_its_points_behind(writable, filled, case):
    """What was written, changed or deleted shows, and nothing else changed."""
    write, changed = WRITES[case]
    write(writable.engine.client, filled)
    writable.settle()
    expected = {point_id: state for point_id, state in (BASE | changed).items() if state is not GONE}
    assert contents(writable.engine.client, filled) == expected


@pytest.mark.parametrize(
    ("write", "changed"),
    [
        (call("set_payload", payload={"n": 9}, points=[1, 999]), payload(1, n=9)),
        (call("overwrite_payload", payload={}, points=[1, 999]), {1: ({}, FULL_PLAIN)}),
        (call("delete_payload", keys=["n"], points=[1, 999]), payload(1, n=None)),
        (call("clear_payload", points_selector=[1, 999]), {1: ({}, FULL_PLAIN)}),
        (
            call("update_vectors", points=[update_vectors(999, default=NINES), update_vectors(1, default=NINES)]),
            vectors(1, FULL_PLAIN | {"": NINES}),
        ),
        (call("delete_vectors", vectors=["ctx", "bm25"], points=[1, 999]), vectors(1, [1.0, 2.0, 3.0])),
    ],
    ids=["set", "overwrite", "delete", "clear", "update vectors", "delete vectors"],
)
def test_a_write_that_names_a_missing_point_changes_the_others_and_says_so(writable, filled, write, changed):
    """The call fails, the points that exist are changed, and no point appears under the missing id."""
    with pytest.raises(Exception, match=r".+"):
        write(writable.engine.client, filled)
    writable.settle()
    assert contents(writable.engine.client, filled) == BASE | changed


def test_a_filled_index_answers_after_later_writes(writable, filled):
    """Filters, orders and facets follow updates and deletes."""
    client = writable.engine.client
    client.create_payload_index(filled, "owner", "keyword")
    client.create_payload_index(filled, "n", "integer")
    client.set_payload(filled, {"owner": "c", "n": 30}, points=[3])
    client.delete(filled, [2])
    writable.settle()
    client = writable.engine.client
    assert [hit.id for hit in client.scroll(filled, order_by="n")[0]] == [1, LETTER, 3]
    assert {hit.value: hit.count for hit in client.facet(filled, "owner", exact=True).hits} == {"a": 1, "b": 1, "c": 1}
    assert client.count(filled, count_filter=OF_B).count == 1


def test_of_many_writers_with_one_version_exactly_one_wins(writable, filled):
    """A compare-and-set on a version lets one writer through, whatever the number of writers."""
    client = writable.engine.client

    def write(token: int) -> None:
        change = point(LETTER, {"version": 2, "token": token})
        client.upsert(filled, [change], update_mode=UPDATE, update_filter=VERSION_1)

    writers = [Thread(target=write, args=(token,)) for token in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    first = contents(client, filled)[LETTER][0]
    client.upsert(filled, [point(LETTER, {"token": 99})], update_mode=UPDATE, update_filter=VERSION_1)
    writable.settle()
    assert contents(writable.engine.client, filled)[LETTER][0] == first
    assert first["token"] in range(8)


def test_what_was_deleted_stays_deleted(writable, filled):
    """A deleted point that is written again has nothing of its former self."""
    client = writable.engine.client
    client.delete(filled, [1])
    client.upsert(filled, [point(1, {"again": True})])
    client.delete(filled, ALL_IDS)
    client.upsert(filled, [point(2, {"again": True})])
    writable.settle()
    assert contents(writable.engine.client, filled) == {2: ({"again": True}, NINES)}
