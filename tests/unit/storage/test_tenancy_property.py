"""Whoever asks, by whatever filter, id or call: another owner's records are neither shown, counted nor changed."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client import models

from optimus.errors import OptimusError, StoreError, TenancyError
from optimus.models import UserId
from optimus.storage.filters import all_of, owned_by
from optimus.storage.tenancy import acting_as
from tests.unit.storage.conftest import SIZE, vector
from tests.unit.storage.hostile import (
    ALICE,
    ENGINES,
    FRESH,
    OWNER_OF,
    OWNERS,
    STATUS,
    Watched,
    acting,
    common,
    deep,
    filters,
    ids_of,
    named_by,
    naming,
    payload_of,
    small,
    some_id,
    some_ids,
    somebody,
    store_of,
    text_of,
    trees,
)

READS = ("scroll", "ordered", "count", "facet", "query", "batch", "fused", "formula", "retrieve", "by id", "groups")
WRITES = (
    *(
        "delete",
        "delete ids",
        "set",
        "give",
        "set ids",
        "set key",
        "overwrite",
        "drop keys",
        "clear",
        "vectors",
        "move",
    ),
    *("upsert", "upload", "batch update"),
)
selectors = st.sampled_from(
    (True, False, ["status"], ["data"], models.PayloadSelectorExclude(exclude=["user_id"]), ["user_id.x"])
)
modes = st.sampled_from((None, *models.UpdateMode))


@pytest.fixture(scope="module", params=ENGINES)
def watched(request, tmp_path_factory):
    """Three owners with one, two and three records in a tenant collection of each engine."""
    with store_of(request.param, tmp_path_factory.mktemp("tenants"), SIZE) as store:
        for owner in OWNERS:
            points = [point(each, owner, STATUS[number % 2]) for number, each in enumerate(ids_of(owner))]
            store.client.upsert(store.names.memories, points=points)
        yield Watched(store)


def point(point_id: str, owner: UserId, status: str = "active") -> models.PointStruct:
    """Return a record of an owner, with both dense vectors."""
    return models.PointStruct(id=point_id, vector={"": vector(1), "ctx": vector(2)}, payload=payload_of(owner, status))


class Asked:
    """One drawn call: what is asked for, and by it whom the answer may be about."""

    def __init__(self, data: Any, watched: Watched, acts: UserId | None) -> None:
        self.client: Any = watched.store.client
        self.name = watched.store.names.memories
        mine = filters if acts is None else st.builds(naming, st.just([acts]), trees)
        self.where = data.draw(filters | mine, label="where")
        self.inner = data.draw(st.sampled_from((self.where, None)) | filters, label="inner")
        self.ids = data.draw(some_ids, label="ids")
        self.one = data.draw(some_id, label="one")
        self.who = data.draw(somebody, label="who")
        self.shown = data.draw(selectors, label="shown")
        self.mode = data.draw(modes, label="mode")
        self.selector: Any = self.ids if self.where is None else self.where
        if isinstance(self.where, models.Filter):
            self.selector = models.FilterSelector(filter=self.where)

    @property
    def named(self) -> set[UserId]:
        """Whoever is named where nobody acts: by a filter, or as the owner of what is written."""
        return named_by(self.where) | named_by(self.inner) | {self.who}

    def call(self, name: str) -> Any:
        """Make the call of a name."""
        calls: dict[str, Callable[[], Any]] = self._reads() | self._writes()
        return calls[name]()

    def _reads(self) -> dict[str, Callable[[], Any]]:
        client, name, where, shown = self.client, self.name, self.where, {"with_payload": self.shown}
        request = models.QueryRequest.model_construct(query=vector(1), filter=where, limit=10, with_payload=self.shown)
        second = models.QueryRequest.model_construct(query=vector(2), filter=self.inner, using="ctx", limit=10)
        within = models.Prefetch.model_construct(query=vector(1), filter=self.inner, limit=10)
        fused = {"query": models.FusionQuery(fusion=models.Fusion.RRF), "prefetch": within, "query_filter": where}
        score: Any = models.FormulaQuery(formula=models.SumExpression(sum=["$score", 1.0]))
        order = models.OrderBy(key="created_at")
        return {
            "scroll": lambda: client.scroll(name, scroll_filter=where, **shown)[0],
            "ordered": lambda: client.scroll(name, scroll_filter=where, order_by=order, **shown)[0],
            "count": lambda: (client.count(name, count_filter=where).count, self._found()),
            "facet": lambda: (self._facet(), self._found()),
            "query": lambda: client.query_points(name, query=vector(1), query_filter=where, **shown).points,
            "batch": lambda: [p for a in client.query_batch_points(name, requests=[request, second]) for p in a.points],
            "fused": lambda: client.query_points(name, **fused, **shown).points,
            "formula": lambda: client.query_points(name, **fused | {"query": score}, **shown).points,
            "retrieve": lambda: client.retrieve(name, ids=self.ids, **shown),
            "by id": lambda: client.query_points(name, query=self.one, query_filter=where).points,
            "groups": lambda: client.query_points_groups(name, query=vector(1), group_by="status").groups,
        }

    def _writes(self) -> dict[str, Callable[[], Any]]:
        client, name, selector = self.client, self.name, self.selector
        payload = payload_of(self.who, "changed")
        points = [point(each, self.who, "changed") for each in (self.one, *self.ids)]
        moved = [models.PointVectors(id=each, vector={"": vector(3)}) for each in (self.one, *self.ids)]
        guard = {"update_filter": self.inner, "update_mode": self.mode}
        erase = models.DeleteOperation(delete=models.PointIdsList(points=[self.one]))
        return {
            "delete": lambda: client.delete(name, points_selector=selector),
            "delete ids": lambda: client.delete(name, points_selector=models.PointIdsList(points=self.ids)),
            "set": lambda: client.set_payload(name, payload=payload, points=selector),
            "give": lambda: client.set_payload(name, payload={"user_id": self.who}, points=selector),
            "set ids": lambda: client.set_payload(name, payload={"status": "changed"}, points=self.ids),
            "set key": lambda: client.set_payload(name, payload=payload, points=selector, key="about[0]"),
            "overwrite": lambda: client.overwrite_payload(name, payload=payload, points=selector),
            "drop keys": lambda: client.delete_payload(name, keys=["status", self.inner and "x"], points=selector),
            "clear": lambda: client.clear_payload(name, points_selector=selector),
            "vectors": lambda: client.delete_vectors(name, vectors=["ctx"], points=selector),
            "move": lambda: client.update_vectors(name, points=moved, update_filter=self.inner),
            "upsert": lambda: client.upsert(name, points=points, **guard),
            "upload": lambda: client.upload_points(name, points=points),
            "batch update": lambda: client.batch_update_points(name, update_operations=[erase]),
        }

    def _found(self) -> int:
        try:
            return len(self.client.scroll(self.name, scroll_filter=self.where)[0])
        except TenancyError:
            return -1

    def _facet(self) -> int:
        return sum(hit.count for hit in self.client.facet(self.name, key="status", facet_filter=self.where).hits)


def check(watched: Watched, data: Any) -> None:
    """Let somebody make a call, and prove the rule for it."""
    acts = data.draw(acting, label="acting")
    asked = Asked(data, watched, acts)
    allowed = asked.named if acts is None else {acts}
    answer = _answer(asked, data.draw(st.sampled_from((*READS, *WRITES)), label="call"), acts)
    if isinstance(answer, tuple):
        assert answer[0] == answer[1], "more was counted than is shown"
    elif isinstance(answer, list):
        assert {OWNER_OF.get(str(each.id), acts) for each in answer} <= allowed
        assert not any(text_of(owner) in str(answer) for owner in OWNERS if owner not in allowed)
    watched.check(allowed)


def _answer(asked: Asked, call: str, acts: UserId | None) -> Any:
    try:
        with acting_as(acts) if acts else nullcontext():
            return asked.call(call)
    except (OptimusError, NotImplementedError, ValueError, TypeError, AssertionError, AttributeError):
        return None


@small
@given(data=st.data())
def test_nobody_reaches_another_owner(watched, data):
    """A few dozen drawn principals, calls and filters, many of them hostile, reach nothing of another owner."""
    check(watched, data)


@deep
@given(data=st.data())
def test_nobody_of_ten_thousand_reaches_another_owner(watched, data):
    """The same with ten thousand."""
    check(watched, data)


@settings(max_examples=40, **common)
@given(data=st.data())
def test_a_filter_that_names_its_owner_passes(watched, data):
    """The rule above is not kept by refusing everything: with the owner in place the same filters pass."""
    asked = Asked(data, watched, ALICE)
    if isinstance(asked.where, dict):
        asked.where = None
    owner = owned_by(ALICE)
    asked.where = asked.inner = all_of(owner) if asked.where is None else all_of(owner, asked.where)
    asked.selector, asked.who = models.FilterSelector(filter=asked.where), ALICE
    call = data.draw(st.sampled_from(("scroll", "count", "facet", "query", "batch", "fused", "delete", "vectors")))
    try:
        with acting_as(ALICE):
            asked.call(call)
    except TenancyError:
        pytest.fail("a filter that names its owner was refused")
    except (StoreError, ValueError, TypeError, AttributeError):
        pass
    finally:
        watched.check({ALICE})


def test_the_proof_notices_a_change_behind_the_walls(watched):
    """What the rule is proven with sees a foreign record that was changed, and one that is new."""
    raw, name = watched.store.raw, watched.store.names.memories
    raw.set_payload(collection_name=name, payload={"status": "x"}, points=ids_of(ALICE))
    with pytest.raises(AssertionError, match=ALICE):
        watched.check(set())
    watched.check({ALICE})
    raw.upsert(collection_name=name, points=[point(FRESH, ALICE)])
    with pytest.raises(AssertionError, match=ALICE):
        watched.check(set())
    watched.check({ALICE})
