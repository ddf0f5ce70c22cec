"""The embedded engine reads all points for a field without an index, and refuses to sort or count by one.

The engine in memory, on which most tests run, does neither, so here everything that it is asked for is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from qdrant_client import models

from optimus.models import MemoryStatus, MemoryType, SourceKind, UserStatus
from optimus.storage.audit_records import AuditAction, AuditFilter
from optimus.storage.collections import collection_specs
from optimus.storage.filters import all_of, equals, owned_by
from optimus.storage.graph import GraphRepository
from optimus.storage.overview import gauge, memories_by_user, totals
from optimus.storage.records import MemoryFilter
from optimus.storage.store import Store
from optimus.storage.tenancy import across_tenants
from optimus.storage.walls import POINT_READS, SELECTOR_ARGUMENTS, Wall, filters_of, selected
from tests.unit.storage.conftest import START
from tests.unit.storage.hostile import ALICE, OWNERS, ids_of
from tests.unit.storage.test_owners_property import CALLS, Asked, Own, watched
from tests.world import World

__all__ = ["watched"]

Field = tuple[str, str]
"""A collection and a field of its records."""
FOR_ONE_RECORD = {"version", "write_id"}
"""Compared on records that are named by their ids; Mem0 has none of them."""
ALONE: dict[str, Any] = {
    "types": frozenset({MemoryType.FACT}),
    "statuses": frozenset(MemoryStatus),
    "conversation_id": ids_of(ALICE)[0],
    "message_id": ids_of(ALICE)[0],
    "document_id": ids_of(ALICE)[0],
    "slot": "name",
    "since": START,
    "until": START,
    "changed_at": START,
    "sources": frozenset({SourceKind.USER}),
    "by_hand": True,
    "min_importance": 0.5,
}


class Listener(Wall):
    """The last wall before an engine: notes which fields records are searched, sorted and counted by."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.asked: set[Field] = set()

    def _pass(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        for where in self._filters(call, arguments):
            if where is not None and not _names_ids(where):
                self.asked |= {(collection_name, key) for key in _keys(where)}
        order = arguments.get("order_by") or getattr(arguments.get("query"), "order_by", None)
        sorted_by = {getattr(order, "key", order), arguments.get("key") if call == "facet" else None} - {None}
        self.asked |= {(collection_name, str(key)) for key in sorted_by}
        return super()._pass(call, collection_name, arguments)

    def _filters(self, call: str, arguments: dict[str, Any]) -> Iterator[models.Filter | None]:
        if call in POINT_READS and call != "retrieve":
            yield from filters_of(call, arguments)
        elif call in SELECTOR_ARGUMENTS:
            yield selected(arguments[SELECTOR_ARGUMENTS[call]])[1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _keys(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for each in part:
            yield from _keys(each)
    elif isinstance(part, models.Filter):
        for each in (part.must, part.should, part.must_not):
            yield from _keys(each)
    elif isinstance(part, models.IsEmptyCondition):
        yield part.is_empty.key
    elif isinstance(part, models.FieldCondition):
        yield part.key


def _names_ids(where: models.Filter) -> bool:
    listed = where.must if isinstance(where.must, list) else [where.must]
    return any(
        isinstance(each, models.HasIdCondition) or (isinstance(each, models.Filter) and _names_ids(each))
        for each in listed
    )


@contextmanager
def listening(store: Store) -> Iterator[Listener]:
    """Listen to everything that an engine is asked for."""
    last: Any = store.client._client
    while isinstance(last._inner, Wall):
        last = last._inner
    listener = Listener(last._inner)
    last._inner = listener
    yield listener
    last._inner = listener._inner


def unindexed(store: Store, asked: set[Field]) -> set[Field]:
    """Return what was asked for and has no index."""
    known = {spec.name: {"user_id", *spec.indexes} for spec in collection_specs(store.names)}
    return {(name, field) for name, field in asked if field not in known[store.names.plain(name)] | FOR_ONE_RECORD}


def _graph(store: Store) -> GraphRepository:
    return GraphRepository(client=store.client, collection=store.names.relations)


OF_ALL: dict[str, Callable[[Store], Any]] = {
    "users": lambda store: (store.accounts.users(), store.accounts.owners(), store.accounts.user(ALICE)),
    "statuses": lambda store: [store.accounts.count_users(status) for status in UserStatus],
    "peppers": lambda store: store.accounts.count_users(pepper_id="any"),
    "sessions": lambda store: (store.accounts.count_sessions(), store.accounts.sessions_of(ALICE)),
    "expiry": lambda store: store.accounts.purge_expired(),
    "limits": lambda store: store.accounts.save_limit(store.accounts.limit("k")),
    "forgotten limits": lambda store: store.accounts.forget_limits("k"),
    "audit": lambda store: store.audit.page(
        AuditFilter(actions=frozenset({AuditAction.SIGN_IN_FAILED.value}), about=ALICE, since=START, until=START)
    ),
    "audit tally": lambda store: (store.audit.tally(), store.audit.verify(), store.audit.forget(ALICE)),
    "events": lambda store: (
        store.events.tally(START),
        store.events.latest("answer", limit=3),
        store.events.records_of_all("answer", since=START),
        store.events.of(ALICE, START, START),
    ),
    "jobs": lambda store: (
        store.jobs.due(START),
        store.jobs.counts(),
        store.jobs.failures(3),
    ),
    "unfinished jobs": lambda store: store.jobs.reset_running(),
    "work": lambda store: (store.work.job_states(), store.work.failed_jobs(limit=3), store.work.intended("erase")),
    "interrupted": lambda store: store.conversations.mark_interrupted(),
    "graph": lambda store: (
        _graph(store).tally(ALICE),
        _graph(store).versions(ALICE),
        _graph(store).naming(ALICE, "a"),
    ),
    "whole": lambda store: (totals(store), memories_by_user(store)),
    "gauges": gauge,
}
"""Calls of the store that are no single owner's, or not among `CALLS`."""


@pytest.mark.parametrize("watched", ["memory"], indirect=True)
def test_every_call_of_a_repository_asks_for_indexed_fields(watched):
    """Whatever a repository searches, sorts or counts by has an index."""
    store = watched.store
    with listening(store) as listener:
        for name in CALLS.keys() - {"say again"}:
            Asked(Own(), store).call(name)
            watched.check({OWNERS[2]})
        for field, value in ALONE.items():
            store.memories.page(ALICE, MemoryFilter(**{field: value}), 3, 0)
        for call in OF_ALL.values():
            call(store)
    assert {field for name, field in listener.asked if name == store.names.memories} >= {
        "status",
        "created_at",
        "importance",
    }
    assert unindexed(store, listener.asked) == set()
    assert ALONE.keys() >= MemoryFilter.model_fields.keys() - {"statuses"}


def test_a_life_asks_for_indexed_fields(world: World):
    """So does what chat, memory, settings and admin do with them."""
    services, owner, me = world.services, world.owner, world.principal
    with listening(services.store) as listener:
        conversation, message, _ = world.say("I'm allergic to peanuts and live in Lisbon")
        world.say("What am I allergic to?", conversation=conversation)
        services.chat.conversations(owner)
        services.memory.list(owner)
        world.clock.now += timedelta(days=2)
        services.overview.counters(me)
        services.overview.people(me)
        services.overview.collections(me)
        services.chat.delete_message(owner, message.id)
    assert len(listener.asked) > 10
    assert unindexed(services.store, listener.asked) == set()


def test_a_field_without_an_index_is_noticed(memory_store):
    """What the rules above are proven with sees a filter, an order and a facet, at any depth."""
    name = memory_store.names.memories
    with listening(memory_store) as listener, across_tenants():
        memory_store.client.scroll(
            name, scroll_filter=all_of(owned_by(ALICE), models.Filter(should=[equals("a", "x")]))
        )
        memory_store.client.scroll(name, order_by="b")
        memory_store.client.facet(name, key="c")
        memory_store.client.query_points(name, query=models.OrderByQuery(order_by="d"))
    assert unindexed(memory_store, listener.asked) == {(name, field) for field in "abcd"}
