"""What figures are made of: rows of events and outlines of memories, on every engine and by owner."""

from datetime import timedelta

from optimus.errors import SealError
from optimus.models import MemoryType, UserId, new_id
from optimus.storage.records import Event, MemoryFilter
from optimus.storage.sealing import _Opener
from tests.unit.storage.conftest import START
from tests.unit.storage.test_memory_index import memory_of, point


def test_an_outline_has_kind_and_time_of_every_memory(store, alice, bob):
    """All pages are read, filters count, and what is another's is absent."""
    memories = [memory_of(alice, minutes=minute, type=MemoryType.NOTE) for minute in range(300)]
    other = memory_of(alice, type=MemoryType.CONVERSATION)
    for start in range(0, 300, 100):
        store.memories.put(alice, [point(memory) for memory in memories[start : start + 100]])
    store.memories.put(alice, [point(other)])
    store.memories.put(bob, [point(memory_of(bob))])
    notes = store.memories.outline(alice, MemoryFilter(types=frozenset({MemoryType.NOTE})))
    assert {(note.id, note.type, note.recorded_at) for note in notes} == {
        (memory.id, memory.type, memory.recorded_at) for memory in memories
    }
    assert len(store.memories.outline(alice)) == 301


def test_an_outline_opens_nothing_that_is_sealed(store, alice, monkeypatch):
    """Reading an outline never decrypts, so a large memory costs little."""
    store.memories.put(alice, [point(memory_of(alice))])

    def refuse(*_args):
        raise SealError

    monkeypatch.setattr(_Opener, "_open_value", refuse)
    assert len(store.memories.outline(alice)) == 1


def test_records_are_those_of_one_kind_owner_and_time(store, alice):
    """Rows of other kinds, owners and earlier times stay out; without an owner everybody's are read."""
    eve = UserId(new_id())
    kept = [
        Event(id=new_id(), user_id=owner, kind=kind, at=START + timedelta(hours=hour), data={"tokens": hour})
        for owner, kind, hour in ((alice, "answer", 0), (alice, "answer", 2), (alice, "auth", 2), (eve, "answer", 2))
    ]
    for event in kept:
        store.events.append(event)
    since = START + timedelta(hours=1)
    assert {row.id for row in store.events.records(alice, "answer")} == {kept[0].id, kept[1].id}
    (row,) = store.events.records(alice, "answer", since=since)
    assert (row.id, row.payload["data"]) == (kept[1].id, {"tokens": 2})
    assert {row.id for row in store.events.records_of_all("answer", since=since)} == {kept[1].id, kept[3].id}
