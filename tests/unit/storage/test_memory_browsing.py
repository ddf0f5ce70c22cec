"""What the Memory page asks of the index: sums by kind, where memories come from, many changes in one go, uses."""

from datetime import timedelta

import pytest

from optimus.models import (
    ConversationId,
    MemoryId,
    MemoryStatus,
    MemoryType,
    MessageId,
    Provenance,
    SourceKind,
    UserId,
    new_id,
)
from optimus.storage.memory_index import MemoryIndex
from optimus.storage.records import LastUse, MemoryFilter
from optimus.storage.store import Store
from optimus.storage.tenancy import acting_as
from tests.unit.storage.conftest import START
from tests.unit.storage.test_memory_index import memory_of, point

ANY = MemoryFilter(statuses=None)


@pytest.fixture
def index(store: Store) -> MemoryIndex:
    """The memories of each engine."""
    return store.memories


def use(at: int = 1) -> LastUse:
    """Return a use some hours after the start."""
    return LastUse(
        last_used_at=START + timedelta(hours=at),
        last_used_in=MessageId(new_id()),
        last_used_chat=ConversationId(new_id()),
    )


def test_memories_are_counted_by_kind(index: MemoryIndex, store: Store, alice: UserId, bob: UserId):
    """Each kind has its own number, of the owner's and of the wanted ones only; one without a kind is a fact."""
    fact, note, gone = (
        memory_of(alice),
        memory_of(alice, type=MemoryType.NOTE),
        memory_of(alice, type=MemoryType.NOTE, status=MemoryStatus.DELETED),
    )
    for memory in (fact, note, gone, memory_of(bob)):
        index.put(memory.user_id, [point(memory)])
    assert index.tally(alice) == {MemoryType.FACT: 1, MemoryType.NOTE: 1}
    assert index.tally(alice, ANY) == {MemoryType.FACT: 1, MemoryType.NOTE: 2}
    with acting_as(alice):
        payload = {"data": "plain", "user_id": alice, "created_at": START.isoformat()}
        store.client.overwrite_payload(store.names.memories, payload=payload, points=[note.id])
    assert index.tally(alice) == {MemoryType.FACT: 2}


def test_memories_are_found_by_where_they_come_from(index: MemoryIndex, alice: UserId):
    """Written by hand, said in a chat, imported: each filter finds its own."""
    hand = memory_of(alice, "by hand")
    chat = memory_of(alice, "in a chat", provenance=Provenance(extractor="rules"))
    file = memory_of(alice, "imported", provenance=Provenance(source=SourceKind.IMPORT, extractor="rules"))
    index.put(alice, [point(hand), point(chat), point(file)])
    said, imported = frozenset({SourceKind.USER}), frozenset({SourceKind.IMPORT, SourceKind.FILE})
    for wanted, where in (
        (hand, MemoryFilter(by_hand=True, sources=said)),
        (chat, MemoryFilter(by_hand=False, sources=said)),
        (file, MemoryFilter(sources=imported)),
    ):
        assert [memory.id for memory in index.page(alice, where).items] == [wanted.id]


def test_the_last_change_and_what_changed_with_it(index: MemoryIndex, alice: UserId, bob: UserId):
    """The newest change of the owner comes first, and everything of one moment is found by it."""
    early, late = START + timedelta(microseconds=1), START + timedelta(microseconds=2)
    first, second, third = (
        memory_of(alice, minutes=number, updated_at=at) for number, at in enumerate((late, early, late))
    )
    foreign = memory_of(bob, updated_at=late + timedelta(days=1))
    for memory in (first, second, third, foreign):
        index.put(memory.user_id, [point(memory)])
    (newest,) = index.changed_last(alice, MemoryFilter())
    assert newest.updated_at == late
    assert {memory.id for memory in index.page(alice, MemoryFilter(changed_at=late)).items} == {first.id, third.id}
    assert [memory.id for memory in index.changed_last(alice, MemoryFilter(), 3)][2] == second.id


def test_many_changes_pass_over_what_changed_in_between(index: MemoryIndex, alice: UserId, bob: UserId):
    """Only memories at the version before are written; a foreign one and a missing one are not."""
    fresh, stale, foreign = memory_of(alice), memory_of(alice), memory_of(bob)
    for memory in (fresh, stale, foreign):
        index.put(memory.user_id, [point(memory)])
    following = [
        fresh.model_copy(update={"version": 2, "pinned": True}),
        stale.model_copy(update={"version": 3, "pinned": True}),
        foreign.model_copy(update={"version": 2, "pinned": True, "user_id": alice}),
        memory_of(alice, version=2),
    ]
    assert index.replace_all(alice, following) == {fresh.id}
    assert [memory.pinned for memory in index.get(alice, [fresh.id, stale.id])] == [True, False]
    assert [memory.pinned for memory in index.get(bob, [foreign.id])] == [False]
    assert set(index.vectors(alice, [fresh.id])) == {fresh.id}


def test_a_use_is_counted_without_a_new_version(index: MemoryIndex, alice: UserId, bob: UserId):
    """Count, time and answer are kept; version, text and history stay; a foreign memory is not touched."""
    often, once, foreign = memory_of(alice, uses=4), memory_of(alice), memory_of(bob)
    for memory in (often, once, foreign):
        index.put(memory.user_id, [point(memory)])
    last = use()
    index.note_use(alice, [often.id, once.id, once.id, foreign.id, MemoryId(new_id()), MemoryId("no id")], last)
    expected = [memory.model_copy(update=last.model_dump() | {"uses": memory.uses + 1}) for memory in (often, once)]
    assert index.get(alice, [often.id, once.id]) == expected
    assert index.get(bob, [foreign.id]) == [foreign]
    index.replace(alice, expected[1].model_copy(update={"version": 2}), 1)
    assert index.get(alice, [once.id])[0].uses == 1
