"""Whatever filter a caller builds, another owner's records stay out of reach."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import models

from optimus.errors import StoreError, TenancyError
from optimus.models import UserId
from optimus.storage.filters import all_of, has_ids, owned_by
from optimus.storage.store import open_memory_store
from optimus.storage.tenancy import across_tenants, acting_as
from tests.unit.storage.conftest import KEYS, SIZE, START, vector

ALICE = UserId("11111111-1111-4111-8111-111111111111")
BOB = UserId("22222222-2222-4222-8222-222222222222")
POINTS = {
    "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1": ALICE,
    "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1": BOB,
    "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb2": BOB,
}
KEY_FORMS = ("user_id", "user_id[]", "USER_ID", "user\u200b_id", " user_id", "status", "data_id")
VALUES = (ALICE, BOB, "*", "", "null", BOB.upper(), f" {BOB}", BOB.replace("2", "\uff12"), "active")

matches = st.one_of(
    st.sampled_from(VALUES).map(lambda value: models.MatchValue(value=value)),
    st.lists(st.sampled_from(VALUES), max_size=3).map(lambda values: models.MatchAny(any=values)),
    st.lists(st.sampled_from(VALUES), max_size=3).map(lambda values: models.MatchExcept(**{"except": values})),
)
conditions: st.SearchStrategy[Any] = st.one_of(
    st.builds(models.FieldCondition, key=st.sampled_from(KEY_FORMS), match=matches),
    st.sampled_from(VALUES).map(
        lambda value: models.FieldCondition(key="user_id", match=models.MatchValue(value=value))
    ),
    st.sampled_from(KEY_FORMS).map(lambda key: models.IsEmptyCondition(is_empty=models.PayloadField(key=key))),
    st.lists(st.sampled_from(sorted(POINTS)), max_size=3).map(lambda ids: has_ids(*ids)),
)


def filters_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return filters whose parts are made of `inner`."""
    parts = st.none() | inner | st.lists(inner, max_size=3)
    counted = st.builds(models.MinShould, conditions=st.lists(inner, max_size=3), min_count=st.integers(0, 2))
    return st.builds(models.Filter, must=parts, should=parts, must_not=parts, min_should=st.none() | counted)


def naming(owners: list[UserId], where: models.Filter) -> models.Filter:
    """Return a filter that names `owners` at its top level beside what it wanted before."""
    wanted = where.must if isinstance(where.must, list) else [where.must] if where.must else []
    return where.model_copy(update={"must": [*wanted, *(owned_by(owner) for owner in owners)]})


trees = filters_of(st.recursive(conditions, filters_of, max_leaves=5))
named = st.builds(naming, st.lists(st.sampled_from((ALICE, BOB)), min_size=1, max_size=2), filters_of(conditions))
filters = st.none() | trees | named
calls = st.sampled_from(("scroll", "count", "query", "batch", "fused", "facet", "delete", "set", "vectors"))


@pytest.fixture(scope="module")
def store():
    """A store in memory that the examples share; each puts back what it removed."""
    store = open_memory_store(KEYS, vector_size=SIZE)
    yield store
    store.close()


def fill(store: Any) -> None:
    """Write every point anew."""
    points = [
        models.PointStruct(
            id=point_id,
            vector={"": vector(1), "ctx": vector(2)},
            payload={"user_id": owner, "status": "active", "created_at": START.isoformat()},
        )
        for point_id, owner in POINTS.items()
    ]
    store.client.upsert(store.names.memories, points=points)


def state_of(store: Any, owner: str) -> list[Any]:
    """Return everything that is stored of an owner."""
    with across_tenants():
        records, _ = store.client.scroll(store.names.memories, scroll_filter=all_of(owned_by(owner)), with_vectors=True)
    return [record.model_dump() for record in records]


def reached(store: Any, call: str, where: Any) -> tuple[set[str], int]:
    """Make one call; return the ids that it showed and how many records it counted."""
    client, name = store.client, store.names.memories
    request = models.QueryRequest(query=vector(1), filter=where, limit=10)
    inner = models.Prefetch(query=vector(1), filter=where, limit=10)
    fused = {"query": models.FusionQuery(fusion=models.Fusion.RRF), "query_filter": all_of(owned_by(ALICE))}
    selector: Any = models.FilterSelector(filter=where) if where is not None else []
    answers: dict[str, Callable[[], Any]] = {
        "scroll": lambda: _ids(client.scroll(name, scroll_filter=where)[0]),
        "query": lambda: _ids(client.query_points(name, query=vector(1), query_filter=where).points),
        "batch": lambda: _ids(client.query_batch_points(name, requests=[request])[0].points),
        "fused": lambda: _ids(client.query_points(name, prefetch=inner, **fused).points),
        "count": lambda: client.count(name, count_filter=where).count,
        "facet": lambda: sum(hit.count for hit in client.facet(name, key="status", facet_filter=where).hits),
        "delete": lambda: client.delete(name, points_selector=selector),
        "set": lambda: client.set_payload(name, payload={"status": "changed"}, points=selector),
        "vectors": lambda: client.delete_vectors(name, vectors=["ctx"], points=selector),
    }
    answer = answers[call]()
    return (answer if isinstance(answer, set) else set()), (answer if isinstance(answer, int) else 0)


def _ids(points: Any) -> set[str]:
    return {str(point.id) for point in points}


def check(store: Any, call: str, where: Any) -> None:
    """Prove the rule for one call: Alice acts, Bob's records are neither shown, counted nor changed."""
    fill(store)
    before = state_of(store, BOB)
    try:
        with acting_as(ALICE):
            ids, counted = reached(store, call, where)
    except (TenancyError, StoreError, ValueError):
        ids, counted = set(), 0

    assert not any(POINTS[point_id] == BOB for point_id in ids)
    assert counted <= 1
    assert state_of(store, BOB) == before


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(call=calls, where=filters)
def test_no_filter_reaches_another_owner(store, call, where):
    """A few hundred filter trees, some of them hostile, reach nothing of another owner."""
    check(store, call, where)


@pytest.fixture
def asked_for(request):
    """Skip the big counts unless they are asked for with `-m deep`."""
    if "deep" not in request.config.getoption("markexpr"):
        pytest.skip("runs with -m deep")


@pytest.mark.deep
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("asked_for")
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(call=calls, where=filters)
def test_no_filter_of_ten_thousand_reaches_another_owner(store, call, where):
    """The same with ten thousand."""
    check(store, call, where)


@settings(max_examples=100, deadline=None)
@given(call=calls, where=filters)
def test_a_filter_that_names_its_owner_passes(store, call, where):
    """The rule above is not kept by refusing everything: with the owner in place the same filters pass."""
    fill(store)
    whole = all_of(owned_by(ALICE)) if where is None else all_of(owned_by(ALICE), where)
    try:
        with acting_as(ALICE):
            reached(store, call, whole)
    except TenancyError:
        pytest.fail("a filter that names its owner was refused")
    except (StoreError, ValueError):
        pass
