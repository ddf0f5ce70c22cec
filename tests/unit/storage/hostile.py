"""Three owners in one store, the filters that somebody hostile might build, and the proof that none reaches further."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from qdrant_client import models

from optimus.models import UserId
from optimus.settings import load_settings
from optimus.storage.collections import collection_specs
from optimus.storage.filters import all_of, has_ids, owned_by
from optimus.storage.store import Store, open_memory_store, open_store
from tests.fakes.qdrant_server import FakeQdrant
from tests.unit.storage.conftest import KEYS, START

ALICE = UserId("11111111-1111-4111-8111-111111111111")
BOB = UserId("22222222-2222-4222-8222-222222222222")
CAROL = UserId("33333333-3333-4333-8333-333333333333")
OWNERS = (ALICE, BOB, CAROL)
ENGINES = ("memory", "embedded", "grpc", "rest")
"""Where the walls are tried: both engines of this process, and a server on either wire."""
SMALL, DEEP = 100, 10_000
STATUS = ("active", "superseded")

common: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}
small = settings(max_examples=SMALL, **common)


def deep(test: Callable[..., None]) -> Any:
    """Let a test draw ten thousand examples, where the big counts are asked for."""
    return pytest.mark.deep(pytest.mark.timeout(1800)(settings(max_examples=DEEP, **common)(test)))


def ids_of(owner: UserId) -> list[str]:
    """Return the ids of an owner's points: one of Alice's, two of Bob's, three of Carol's."""
    return [f"aaaaaaaa-aaaa-4aaa-8aaa-{owner[:1]}{number:011}" for number in range(1, OWNERS.index(owner) + 2)]


OWNER_OF = {point_id: owner for owner in OWNERS for point_id in ids_of(owner)}
FRESH = "ffffffff-ffff-4fff-8fff-ffffffffffff"
some_id = st.sampled_from((*OWNER_OF, FRESH))
some_ids = st.lists(some_id, max_size=4)
somebody = st.sampled_from(OWNERS)
acting = st.sampled_from((ALICE, BOB, CAROL, ALICE, BOB, CAROL, None))

VALUES = (*OWNERS, "*", "", "null", "%", ALICE.upper(), f" {BOB}", BOB.replace("2", "\uff12"), *STATUS)
KEYS_ASKED = (
    *("user_id", "user_id", "user_id", "user_id[]", "USER_ID", "user\u200b_id", " user_id", '"user_id"', "$.user_id"),
    *("about.user_id", "about[].user_id", "shared", "shared[]", "status", "data", "data_id", "created_at", "weight"),
)
value = st.sampled_from(VALUES)
key = st.sampled_from(KEYS_ASKED)
match: st.SearchStrategy[Any] = st.one_of(
    value.map(lambda one: models.MatchValue(value=one)),
    st.lists(value, max_size=3).map(lambda several: models.MatchAny(any=several)),
    st.lists(value, max_size=3).map(lambda several: models.MatchExcept(**{"except": several})),
    value.map(lambda one: models.MatchText(text=one)),
    value.map(lambda one: models.MatchTextAny(text_any=one)),
    st.sampled_from((0, 1, True, False)).map(lambda one: models.MatchValue(value=one)),
)
number = st.sampled_from((None, -1.0, 0.0, 0.5, 2.0))
ranges: st.SearchStrategy[Any] = st.builds(models.Range, gte=number, lte=number) | st.builds(
    models.DatetimeRange, gt=st.sampled_from((None, START)), lt=st.sampled_from((None, START))
)
condition: st.SearchStrategy[Any] = st.one_of(
    st.builds(models.FieldCondition, key=key, match=match),
    value.map(lambda one: models.FieldCondition(key="user_id", match=models.MatchValue(value=one))),
    somebody.map(owned_by),
    st.builds(models.FieldCondition, key=key, match=st.none() | match, range=ranges),
    st.builds(models.FieldCondition, key=key, values_count=st.just(models.ValuesCount(gte=0))),
    st.builds(models.FieldCondition, key=key, is_empty=st.booleans()),
    st.builds(models.FieldCondition, key=key, is_null=st.booleans()),
    key.map(lambda one: models.IsEmptyCondition(is_empty=models.PayloadField(key=one))),
    key.map(lambda one: models.IsNullCondition(is_null=models.PayloadField(key=one))),
    some_ids.map(lambda ids: has_ids(*ids)),
    st.sampled_from(("", "ctx", "bm25")).map(lambda name: models.HasVectorCondition(has_vector=name)),
)


def filters_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return filters whose parts are made of `inner`."""
    parts = st.none() | inner | st.lists(inner, max_size=3)
    counted = st.builds(models.MinShould, conditions=st.lists(inner, max_size=3), min_count=st.integers(0, 3))
    return st.builds(models.Filter, must=parts, should=parts, must_not=parts, min_should=st.none() | counted)


def _deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    whole = filters_of(inner)
    nested = st.builds(models.Nested, key=st.sampled_from(("about", "shared", "user_id")), filter=whole)
    return whole | nested.map(lambda one: models.NestedCondition(nested=one))


wide: st.SearchStrategy[Any] = st.sampled_from(
    (
        models.FieldCondition(key="weight", range=models.Range(gte=0.0)),
        models.FieldCondition(key="status", match=models.MatchAny(any=list(STATUS))),
        models.FieldCondition(key="user_id", match=models.MatchExcept(**{"except": ["nobody"]})),
        models.FieldCondition(key="user_id", match=models.MatchAny(any=[str(owner) for owner in OWNERS])),
        models.FieldCondition(key="user_id", values_count=models.ValuesCount(gte=1)),
        models.IsEmptyCondition(is_empty=models.PayloadField(key="nothing")),
        models.Filter(must_not=[models.IsEmptyCondition(is_empty=models.PayloadField(key="user_id"))]),
        has_ids(*OWNER_OF),
    )
)
"""Conditions that everybody's records meet."""
like_an_owner: st.SearchStrategy[Any] = st.builds(
    models.FieldCondition,
    key=st.sampled_from(("about[].user_id", "shared", "shared[]", "user_id[]", "user_id")),
    match=somebody.map(lambda one: models.MatchAny(any=[str(one)]))
    | somebody.map(lambda one: models.MatchValue(value=one))
    | somebody.map(lambda one: models.MatchText(text=one)),
)
few = st.lists(wide | like_an_owner, min_size=1, max_size=2)
tempting = st.one_of(
    few.map(lambda parts: models.Filter(must=parts)),
    st.builds(lambda parts, one: models.Filter(should=[*parts, owned_by(one)]), few, somebody),
    st.builds(lambda parts, one: models.Filter(must=[models.Filter(should=[*parts, owned_by(one)])]), few, somebody),
    few.map(lambda parts: models.Filter(min_should=models.MinShould(conditions=parts, min_count=1))),
)
"""What matches much and nearly names an owner: what a wall that is not strict enough lets pass."""
trees = filters_of(st.recursive(condition, _deeper, max_leaves=6)) | tempting | tempting


def naming(owners: list[UserId], where: models.Filter) -> models.Filter:
    """Return a filter that names `owners` at its top level beside what it wanted before."""
    wanted = where.must if isinstance(where.must, list) else [where.must] if where.must else []
    return where.model_copy(update={"must": [*wanted, *(owned_by(owner) for owner in owners)]})


named = st.builds(naming, st.lists(somebody, min_size=1, max_size=2), trees)
filters: st.SearchStrategy[Any] = st.one_of(
    st.none(), trees, named, named, named, trees.map(lambda one: one.model_dump())
)
"""Some name an owner, where they must; the last kind is in a form that a client passes on unread."""


def named_by(where: Any) -> set[UserId]:
    """Return whom a filter names at its top level, by a reading of its own."""
    must = getattr(where, "must", None) or []
    listed = must if isinstance(must, list) else [must]
    return {owner for owner in OWNERS if owned_by(owner) in listed}


@contextmanager
def store_of(engine: str, folder: Any, size: int) -> Iterator[Store]:
    """Open an empty store of an engine; a server's goes with its server."""
    with ExitStack() as ends:
        if engine == "memory":
            store = open_memory_store(KEYS, vector_size=size)
        elif engine == "embedded":
            store = open_store(load_settings(data_dir=folder), KEYS, vector_size=size)
        else:
            server = ends.enter_context(closing(FakeQdrant()))
            settings_ = server.settings(data_dir=folder, qdrant_prefer_grpc=engine == "grpc")
            store = open_store(settings_, KEYS, vector_size=size)
        ends.callback(store.close)
        yield store


def text_of(owner: UserId) -> str:
    """Return words that only an owner's own records hold."""
    return f"secret-{str(owner)[:4]}"


def payload_of(owner: UserId, status: str = "active") -> dict[str, Any]:
    """Return a payload that names others wherever it may, and its owner where it must."""
    others = [other for other in OWNERS if other != owner]
    return {
        "user_id": owner,
        "data": f"I keep a {text_of(owner)} here",
        "status": status,
        "shared": others,
        "about": [{"user_id": other} for other in others],
        "weight": 0.5,
        "created_at": START.isoformat(),
    }


State = dict[str, dict[str, models.Record]]
"""Everything of one owner: by collection and id, as it lies in the engine."""


class Watched:
    """A store whose records are known, so that a change of anybody's is seen and taken back."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._names = [spec.name for spec in collection_specs(store.names)]
        self.truth = {owner: self.state(owner) for owner in OWNERS}

    def state(self, owner: UserId) -> State:
        """Return everything of an owner, from below the walls."""
        return {name: self._of(owner, name) for name in self._names}

    def _of(self, owner: UserId, name: str) -> dict[str, models.Record]:
        found, _ = self.store.raw.scroll(
            collection_name=name, scroll_filter=all_of(owned_by(owner)), limit=1000, with_vectors=True
        )
        return {str(record.id): record for record in found}

    def check(self, allowed: set[UserId]) -> None:
        """Prove that the records of all others are as they were; put those of the allowed ones back."""
        for owner in OWNERS:
            now = self.state(owner)
            is_same = all(_plain(now[name]) == _plain(self.truth[owner][name]) for name in self._names)
            assert is_same or owner in allowed, f"records of {owner} were changed"
            if not is_same:
                self._restore(owner, now)
                assert self.state(owner).keys() == self.truth[owner].keys()

    def _restore(self, owner: UserId, now: State) -> None:
        for name in self._names:
            known = self.truth[owner][name]
            gone: list[Any] = [point_id for point_id in now[name] if point_id not in known]
            if gone:
                self.store.raw.delete(collection_name=name, points_selector=models.PointIdsList(points=gone))
            points = [models.PointStruct(id=i, vector=_any(r.vector), payload=r.payload) for i, r in known.items()]
            if points and _plain(now[name]) != _plain(known):
                self.store.raw.upsert(collection_name=name, points=points)


def _plain(records: dict[str, models.Record]) -> dict[str, Any]:
    """Return records in a form that compares; an engine may round a vector anew when it moves it."""
    return {point_id: (record.payload, _rounded(record.vector)) for point_id, record in records.items()}


def _any(vector: Any) -> Any:
    """Return a vector that was read as one that may be written; the types of the two differ in name only."""
    return vector or {}


def _rounded(vector: Any) -> Any:
    if isinstance(vector, dict):
        return {name: _rounded(one) for name, one in vector.items()}
    if isinstance(vector, list):
        return [round(one, 3) for one in vector]
    return vector
