from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from qdrant_client import models

from optimus.errors import ConflictError, NotFoundError
from optimus.models import (
    ConversationId,
    Memory,
    MemoryId,
    MemoryStatus,
    MemoryType,
    MemoryVersion,
    MessageId,
    Provenance,
    ScorePart,
    SourceKind,
    UserId,
    new_id,
)
from optimus.storage.bm25 import Bm25Encoder, SparseWeights
from optimus.storage.memory_payload import memory_to_payload, payload_to_memory
from optimus.storage.records import MemoryFilter, MemoryPoint, QueryVectors
from tests.unit.storage.conftest import START, vector

ENCODER = Bm25Encoder()


def memory_of(owner: UserId, text: str = "I live in Lisbon", *, minutes: int = 0, **changes: Any) -> Memory:
    """Return a memory to store."""
    at = START + timedelta(minutes=minutes)
    memory = Memory(
        id=MemoryId(new_id()),
        user_id=owner,
        text=text,
        type=MemoryType.FACT,
        recorded_at=at,
        updated_at=at,
        valid_from=at,
    )
    return memory.model_copy(update=changes)


def point(memory: Memory, seed: int = 1) -> MemoryPoint:
    """Return a memory with vectors that depend on the seed only."""
    weights = ENCODER.encode_document(memory.text)
    return MemoryPoint(memory=memory, dense=vector(seed), ctx=vector(seed + 100), bm25=weights, bm25_ctx=weights)


def query(text: str, seed: int = 1) -> QueryVectors:
    """Return a query whose meaning depends on the seed only."""
    return QueryVectors(dense=vector(seed), sparse=ENCODER.encode_query(text))


def full_memory(owner: UserId) -> Memory:
    """Return a memory with nothing left at its default."""
    return memory_of(
        owner,
        status=MemoryStatus.SUPERSEDED,
        slot="home",
        importance=0.7,
        confidence=0.4,
        entities=("Lisbon",),
        language="pt",
        provenance=Provenance(
            source=SourceKind.FILE,
            conversation_id=ConversationId(new_id()),
            message_id=MessageId(new_id()),
            extractor="rules",
        ),
        pinned=True,
        confirmations=3,
        valid_to=START + timedelta(days=1),
        superseded_by=new_id(),
        supersedes=new_id(),
        version=4,
        history=(
            MemoryVersion(
                version=3, text="I live in Rome", status=MemoryStatus.ACTIVE, changed_at=START, reason="edit"
            ),
        ),
    )


def test_whole_memory_survives_reopening(place, store, alice):
    """Every part of a memory and both its vectors come back as they were stored."""
    memory = full_memory(alice)
    store.memories.put(alice, [point(memory)])

    memories = place.open().memories
    assert memories.get(alice, [memory.id]) == [memory]
    stored = memories.vectors(alice, [memory.id])[memory.id]
    assert stored.dense == pytest.approx(vector(1), abs=1e-6)
    assert stored.ctx == pytest.approx(vector(101), abs=1e-6)


def test_get_keeps_the_order_and_passes_over_what_is_missing(store, alice):
    """Ids come back in the order asked for; unknown, malformed and repeated ones add nothing."""
    memories = [memory_of(alice, f"number {number}") for number in range(3)]
    store.memories.put(alice, [point(memory) for memory in memories])

    wanted = [memories[2].id, new_id(), "*", memories[0].id, memories[2].id]

    assert store.memories.get(alice, wanted) == [memories[2], memories[0]]
    assert store.memories.get(alice, []) == []


def test_foreign_memory_looks_missing(store, alice, bob):
    """No call with another owner sees, changes or removes a memory."""
    memory = memory_of(alice)
    store.memories.put(alice, [point(memory)])

    assert store.memories.get(bob, [memory.id]) == []
    assert store.memories.vectors(bob, [memory.id]) == {}
    assert store.memories.page(bob).total == 0
    assert store.memories.count(bob) == 0
    assert not any(store.memories.legs(bob, query("Lisbon")).values())
    store.memories.delete(bob, [memory.id])
    stolen = memory.model_copy(update={"user_id": bob, "text": "stolen"})
    with pytest.raises(NotFoundError):
        store.memories.replace(bob, stolen, expected_version=1)
    with pytest.raises(ConflictError):
        store.memories.put(bob, [point(stolen)])

    assert store.memories.get(alice, [memory.id]) == [memory]


def test_replace_keeps_the_vectors(place, store, alice):
    """A changed memory keeps what makes it searchable."""
    memory = memory_of(alice)
    store.memories.put(alice, [point(memory)])
    before = store.memories.vectors(alice, [memory.id])

    changed = memory.model_copy(update={"status": MemoryStatus.ARCHIVED, "slot": None, "version": 2})
    store.memories.replace(alice, changed, expected_version=1)

    memories = place.open().memories
    assert memories.get(alice, [memory.id]) == [changed]
    assert memories.vectors(alice, [memory.id]) == before


def test_replace_needs_the_version_that_was_read(store, alice):
    """Of many parallel changes to one version exactly one is stored."""
    memory = memory_of(alice)
    store.memories.put(alice, [point(memory)])

    def change(number):
        changed = memory.model_copy(update={"text": f"change {number}", "version": 2})
        try:
            store.memories.replace(alice, changed, expected_version=1)
        except ConflictError:
            return None
        return changed

    with ThreadPoolExecutor(8) as pool:
        won = [changed for changed in pool.map(change, range(8)) if changed]

    assert store.memories.get(alice, [memory.id]) == won


def test_put_replaces_and_adds_only_at_the_expected_version(store, alice):
    """A replacement with its new memory is written whole, or nothing of it stays."""
    old = memory_of(alice, "I live in Rome")
    store.memories.put(alice, [point(old)])
    new = memory_of(alice, "I live in Porto", supersedes=old.id)
    gone = old.model_copy(update={"status": MemoryStatus.SUPERSEDED, "superseded_by": new.id, "version": 2})

    store.memories.put(alice, [point(gone), point(new)], expected_version=1)
    assert store.memories.get(alice, [old.id, new.id]) == [gone, new]

    late = memory_of(alice, "I live in Faro")
    with pytest.raises(ConflictError):
        store.memories.put(alice, [point(old.model_copy(update={"version": 2})), point(late)], expected_version=1)

    assert store.memories.get(alice, [old.id, new.id, late.id]) == [gone, new]


def test_pages_come_newest_first_without_gaps(store, alice):
    """Paging shows each memory once, newest recorded first, also where times are equal."""
    memories = [memory_of(alice, f"number {number}", minutes=number // 2) for number in range(7)]
    store.memories.put(alice, [point(memory) for memory in memories])

    pages, offset = [], None
    while True:
        page = store.memories.page(alice, limit=3, offset=offset)
        pages.append(page)
        offset = page.next_offset
        if offset is None:
            break

    shown = [memory for page in pages for memory in page.items]
    assert [len(page.items) for page in pages] == [3, 3, 1]
    assert {memory.id for memory in shown} == {memory.id for memory in memories}
    assert [memory.recorded_at for memory in shown] == sorted((m.recorded_at for m in memories), reverse=True)
    assert {page.total for page in pages} == {7}


def test_filters_narrow(store, alice):
    """Each part of a filter narrows, and without words about status only true memories count."""
    chat, said = ConversationId(new_id()), MessageId(new_id())
    here = Provenance(conversation_id=chat, message_id=said)
    fact = memory_of(alice, "fact", minutes=1, provenance=here, slot="home")
    note = memory_of(alice, "note", minutes=2, type=MemoryType.NOTE)
    gone = memory_of(alice, "gone", minutes=3, status=MemoryStatus.DELETED)
    store.memories.put(alice, [point(memory) for memory in (fact, note, gone)])

    def found(**fields: Any) -> set[str]:
        return {memory.text for memory in store.memories.page(alice, MemoryFilter(**fields)).items}

    assert found() == {"fact", "note"}
    assert found(statuses=None) == {"fact", "note", "gone"}
    assert found(statuses=frozenset({MemoryStatus.DELETED})) == {"gone"}
    assert found(types=frozenset({MemoryType.NOTE})) == {"note"}
    assert found(conversation_id=chat) == found(message_id=said) == found(slot="home") == {"fact"}
    assert found(since=note.recorded_at) == {"note"}
    assert found(until=note.recorded_at) == {"fact"}
    assert store.memories.count(alice, MemoryFilter(statuses=None, slot="home")) == 1


def test_legs_find_by_meaning_and_by_words(store, alice):
    """Each leg ranks by its own signal, and what is not true now is not found."""
    lisbon = memory_of(alice, "I live in Lisbon")
    cats = memory_of(alice, "My cats are called Tom and Ada")
    gone = memory_of(alice, "My cats were called Bo", status=MemoryStatus.DELETED)
    store.memories.put(alice, [point(lisbon, 1), point(cats, 2), point(gone, 2)])

    legs = store.memories.legs(alice, query("cat names", seed=1))

    assert next(iter(legs[ScorePart.DENSE].items())) == (lisbon.id, pytest.approx(1.0, abs=1e-4))
    assert list(legs[ScorePart.KEYWORD]) == [cats.id]
    assert list(legs[ScorePart.KEYWORD_CONTEXT]) == [cats.id]
    assert set(legs[ScorePart.CONTEXT]) == {lisbon.id, cats.id}
    everything = store.memories.legs(alice, query("cat names"), MemoryFilter(statuses=None))
    assert gone.id in everything[ScorePart.KEYWORD]


def test_the_nearest_in_meaning_come_first(store, alice, bob):
    """Ids and cosines of the owner's own memories, nearest first and no more than asked for, on every engine."""
    memories = [memory_of(alice, f"memory {seed}") for seed in range(1, 5)]
    store.memories.put(alice, [point(memory, seed) for seed, memory in enumerate(memories, 1)])
    store.memories.put(bob, [point(memory_of(bob), 2)])

    near = store.memories.nearest(alice, vector(2), MemoryFilter(), 3)

    assert near[0] == (memories[1].id, pytest.approx(1.0, abs=1e-3))
    assert [score for _, score in near] == sorted((score for _, score in near), reverse=True)
    assert len(near) == 3
    assert {point_id for point_id, _ in near} <= {memory.id for memory in memories}


def test_query_without_words_leaves_the_keyword_legs_empty(store, alice):
    """A query of stop words is still answered by meaning."""
    store.memories.put(alice, [point(memory_of(alice))])

    legs = store.memories.legs(alice, QueryVectors(dense=vector(1), sparse=SparseWeights()))

    assert [len(legs[part]) for part in legs] == [1, 1, 0, 0]


def test_word_statistics_are_the_owners_own(store, alice, bob):
    """Another's memories do not move the scores."""
    lisbon = memory_of(alice, "I live in Lisbon")
    store.memories.put(alice, [point(lisbon), point(memory_of(alice, "I like tea"))])
    before = store.memories.legs(alice, query("Lisbon"))[ScorePart.KEYWORD][lisbon.id]
    store.memories.put(bob, [point(memory_of(bob, f"Lisbon trip {number}")) for number in range(20)])

    after = store.memories.legs(alice, query("Lisbon"))[ScorePart.KEYWORD][lisbon.id]

    assert after == pytest.approx(before, abs=1e-4)


def test_delete_purges(place, store, alice):
    """A purged memory is gone, also after a restart."""
    kept, purged = memory_of(alice, "kept"), memory_of(alice, "purged")
    store.memories.put(alice, [point(kept), point(purged)])

    store.memories.delete(alice, [purged.id, new_id()])

    assert place.open().memories.get(alice, [kept.id, purged.id]) == [kept]


def test_memory_of_a_plain_mem0_is_read_with_defaults(alice):
    """A record that Mem0 wrote by itself is a memory too."""
    point_id = new_id()
    payload = {"data": "Likes tea", "hash": "x", "user_id": alice, "created_at": "2026-01-01T12:00:00+00:00"}

    memory = payload_to_memory(point_id, payload)

    assert (memory.id, memory.text, memory.type) == (point_id, "Likes tea", MemoryType.FACT)
    assert memory.recorded_at == memory.updated_at == START


def test_old_wordings_beyond_the_limit_leave_first(alice):
    """A memory that was edited often still fits a record; the latest wordings stay."""
    versions = tuple(
        MemoryVersion(version=number, text="x" * 4000, status=MemoryStatus.ACTIVE, changed_at=START, reason="edit")
        for number in range(1, 101)
    )

    stored = memory_to_payload(memory_of(alice, history=versions))["history"]

    assert 5 < len(stored) < 20
    assert stored[-1]["version"] == 100


def test_records_of_a_plain_mem0_are_listed_found_and_changed(store, alice):
    """A record without our fields counts as a true first version: it is listed, found and can be replaced."""
    point_id = new_id()
    payload = {"data": "Likes tea", "user_id": alice, "created_at": "2026-01-01T12:00:00+00:00"}
    store.client.upsert(
        store.names.memories, points=[models.PointStruct(id=point_id, vector={"": vector(1)}, payload=payload)]
    )

    (memory,) = store.memories.page(alice, MemoryFilter(types=frozenset({MemoryType.FACT}))).items
    assert list(store.memories.legs(alice, query("tea"))[ScorePart.DENSE]) == [memory.id]
    assert store.memories.vectors(alice, [memory.id])[memory.id].ctx is None

    changed = memory.model_copy(update={"text": "Likes coffee", "version": 2})
    store.memories.replace(alice, changed, expected_version=1)
    assert store.memories.get(alice, [memory.id]) == [changed]
