"""Nothing reaches an engine that could come back after a restart or break a collection."""

import json
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client import models as m

from optimus.errors import StoreRejectedError
from optimus.storage.validation import (
    MAX_PAYLOAD_BYTES,
    MAX_PAYLOAD_DEPTH,
    MAX_PAYLOAD_KEYS,
    VectorLayout,
    known_vector_names,
    point_id,
    query_vector,
    validate_path,
    validate_payload,
    validate_points,
    validate_vectors,
)

LAYOUT = VectorLayout(dense={"": 3, "ctx": 2}, sparse=frozenset({"bm25"}))
GOOD = [1.0, 2.0, 3.0]
LETTER = "0f0e0d0c-0b0a-4908-8706-050403020100"


class Mood(StrEnum):
    """A closed set of text values."""

    CALM = "calm"


def sparse(indices: list[int], values: list[float]) -> m.SparseVector:
    """Return a sparse vector that nobody has checked."""
    return m.SparseVector.model_construct(indices=indices, values=values)


def point(vector: Any, payload: Any = None, *, point_id: Any = 1) -> m.PointStruct:
    """Return a point that nobody has checked."""
    return m.PointStruct.model_construct(id=point_id, vector=vector, payload=payload)


def nested(depth: int) -> Any:
    """Return a payload of so many containers, one in the other."""
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


BAD_VECTORS = {
    "unknown name": {"nope": GOOD},
    "too short": [1.0],
    "too long": [*GOOD, 4.0],
    "zero": [0.0, 0.0, 0.0],
    "not a number": [1.0, float("nan"), 0.0],
    "infinite": [1.0, float("inf"), 0.0],
    "beyond 32-bit floats": [1e300, 0.0, 0.0],
    "text": ["a", "b", "c"],
    "none": None,
    "multi-vector": [GOOD, GOOD, GOOD],
    "document": m.Document(text="x", model="y"),
    "sparse for dense": {"ctx": sparse([1], [1.0])},
    "dense for sparse": {"bm25": GOOD},
    "more indices than values": {"bm25": sparse([1, 2], [0.5])},
    "fewer indices than values": {"bm25": sparse([1], [0.5, 0.5])},
    "index twice": {"bm25": sparse([1, 1], [0.5, 0.5])},
    "negative index": {"bm25": sparse([-1], [0.5])},
    "index beyond 32 bits": {"bm25": sparse([2**32], [0.5])},
    "sparse not a number": {"bm25": sparse([1], [float("nan")])},
}

BAD_PAYLOADS = {
    "too deep": nested(MAX_PAYLOAD_DEPTH + 1),
    "too deep in lists": {"a": json.loads("[" * 16 + "]" * 16)},
    "too many keys": {f"k{n}": n for n in range(MAX_PAYLOAD_KEYS + 1)},
    "too many keys inside": {"a": {f"k{n}": n for n in range(MAX_PAYLOAD_KEYS + 1)}},
    "too large": {"a": "x" * MAX_PAYLOAD_BYTES},
    "too large in bytes": {"a": "é" * (MAX_PAYLOAD_BYTES // 2)},
    "not a number": {"a": float("nan")},
    "infinite": {"a": [1, {"b": float("-inf")}]},
    "lone surrogate": {"a": "\ud800"},
    "lone surrogate in a key": {"a": {"\ud800": 1}},
    "integer beyond 64 bits": {"a": 2**64},
    "integer below 64 bits": {"a": -(2**63) - 1},
    "object": {"a": object()},
    "set": {"a": {1, 2}},
    "bytes": {"a": b"x"},
    "key with a dot": {"a.b": 1},
    "key with a bracket": {"a[0]": 1},
    "empty key": {"": 1},
    "key that is no text": {1: 1},
    "key inside that is no text": {"a": {1: 1}},
}

BAD_IDS = ["seven", "", -1, 2**64, True, 1.5, None, "{" + LETTER + "}", "urn:uuid:" + LETTER]


@pytest.mark.parametrize("case", BAD_VECTORS)
def test_a_bad_vector_is_refused_in_a_point_and_in_an_update(case):
    """Each malformed vector is refused before any engine sees it, wherever it is written."""
    vector = BAD_VECTORS[case]
    with pytest.raises(StoreRejectedError):
        validate_points([point(GOOD), point(vector, point_id=2)], LAYOUT)
    with pytest.raises(StoreRejectedError):
        validate_vectors([m.PointVectors.model_construct(id=1, vector=vector)], LAYOUT)


@pytest.mark.parametrize("case", BAD_PAYLOADS)
def test_a_bad_payload_is_refused(case):
    """Each payload that an engine would change, fail on or be unable to read back is refused."""
    with pytest.raises(StoreRejectedError):
        validate_points([point(GOOD, BAD_PAYLOADS[case])], LAYOUT)


@pytest.mark.parametrize("value", BAD_IDS)
def test_a_bad_id_is_refused(value):
    """Only unsigned 64-bit integers and plain UUIDs are ids."""
    with pytest.raises(StoreRejectedError):
        validate_points([point(GOOD, point_id=value)], LAYOUT)


@pytest.mark.parametrize("value", [LETTER, LETTER.upper(), LETTER.replace("-", ""), UUID(LETTER)])
def test_every_spelling_of_a_uuid_is_one_id(value):
    """An id has one canonical form."""
    assert point_id(value) == LETTER


@pytest.mark.parametrize("value", [0, 2**64 - 1])
def test_an_integer_id_may_be_as_large_as_the_engine_allows(value):
    """Both ends of the unsigned 64-bit range are ids."""
    assert point_id(value) == value


def test_a_payload_becomes_plain_json():
    """Times, UUIDs, enumerations, tuples and numpy's floats turn into what JSON has."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    plain = validate_payload(
        {
            "at": moment,
            "day": date(2026, 1, 2),
            "id": UUID(LETTER),
            "mood": Mood.CALM,
            "pair": (1, (2,)),
            "x": np.float64(0.5),
        }
    )
    assert plain == {
        "at": "2026-01-02T03:04:05.000678+00:00",
        "day": "2026-01-02",
        "id": LETTER,
        "mood": "calm",
        "pair": [1, [2]],
        "x": 0.5,
    }
    assert {type(value) for value in plain.values()} == {str, list, float}


def test_the_limits_themselves_are_allowed():
    """As deep, as many keys and as large as the limits say, and no more."""
    for payload in (
        nested(MAX_PAYLOAD_DEPTH),
        {f"k{n}": True for n in range(MAX_PAYLOAD_KEYS)},
        {"a": "x" * (MAX_PAYLOAD_BYTES - len('{"a": ""}'))},
        {"low": -(2**63), "high": 2**64 - 1},
    ):
        assert validate_payload(payload) == payload


def test_the_depth_of_the_place_counts():
    """A payload put under a path is as deep as both together."""
    validate_payload(nested(MAX_PAYLOAD_DEPTH - 2), path="a.b[0]")
    with pytest.raises(StoreRejectedError):
        validate_payload(nested(MAX_PAYLOAD_DEPTH - 1), path="a.b[0]")


@pytest.mark.parametrize("path", ["", "a..b", ".a", "a.", "a b", 'a"b', "a[x]", ".".join("a" * 16)])
def test_a_malformed_path_is_refused(path):
    """A path is names, dots and indexes, and not too deep."""
    with pytest.raises(StoreRejectedError):
        validate_path(path)


def test_a_caller_s_payload_is_not_changed():
    """Normalising makes a copy."""
    payload = {"a": (1, 2)}
    validate_payload(payload)
    assert payload == {"a": (1, 2)}


def test_vectors_come_back_by_name():
    """A bare vector is the default one; arrays become lists."""
    first, second = validate_points([point(GOOD), point({"ctx": np.array([1.0, 2.0])}, point_id=2)], LAYOUT)
    assert first.vector == {"": GOOD}
    assert second.vector == {"ctx": [1.0, 2.0]}
    assert second.payload == {}


def test_a_batch_of_columns_is_as_good_as_points():
    """Columns become points; columns of different lengths are refused."""
    batch = m.Batch(ids=[1, 2], vectors={"ctx": [[1.0, 2.0], [3.0, 4.0]]}, payloads=[{"n": 1}, {"n": 2}])
    assert [made.payload for made in validate_points(batch, LAYOUT)] == [{"n": 1}, {"n": 2}]
    with pytest.raises(StoreRejectedError):
        validate_points(m.Batch(ids=[1, 2], vectors=[GOOD], payloads=None), LAYOUT)


def test_nothing_to_write_is_refused():
    """A call without points, vectors or names is a mistake."""
    with pytest.raises(StoreRejectedError):
        validate_points([], LAYOUT)
    with pytest.raises(StoreRejectedError):
        validate_vectors([m.PointVectors(id=1, vector={})], LAYOUT)
    with pytest.raises(StoreRejectedError):
        known_vector_names([], LAYOUT)


def test_a_query_may_be_zero_but_not_malformed():
    """Searching for nothing finds nothing; a malformed query is refused, as it would panic."""
    assert query_vector([0.0, 0.0, 0.0], "", LAYOUT) == [0.0, 0.0, 0.0]
    with pytest.raises(StoreRejectedError):
        query_vector(sparse([1, 2], [0.5]), "bm25", LAYOUT)
    with pytest.raises(StoreRejectedError):
        query_vector([float("nan"), 0.0, 0.0], "", LAYOUT)


def test_a_layout_is_read_from_a_collection_s_parameters():
    """What `get_collection` reports is enough to validate above any engine."""
    one = m.VectorParams(size=3, distance=m.Distance.COSINE)
    words = {"bm25": m.SparseVectorParams()}
    assert VectorLayout.of(m.CollectionParams(vectors=one)) == VectorLayout(dense={"": 3}, sparse=frozenset())
    assert VectorLayout.of(m.CreateCollection(vectors={"ctx": one}, sparse_vectors=words)) == VectorLayout(
        dense={"ctx": 3}, sparse=frozenset({"bm25"})
    )
    assert validate_points([point(GOOD)], m.CollectionParams(vectors=one))[0].vector == {"": GOOD}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=4), JSON, max_size=5))
def test_what_passes_is_json_that_reads_back_the_same(payload):
    """Whatever the payload: it is refused, or it is finite UTF-8 JSON equal to what was given."""
    try:
        plain = validate_payload(payload)
    except StoreRejectedError:
        return
    assert plain == payload
    assert json.loads(json.dumps(plain, allow_nan=False).encode()) == payload
