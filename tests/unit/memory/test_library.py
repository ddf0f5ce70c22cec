"""What the Memory page does with many memories: views, closer looks, deleting and bringing back in one act, export."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from optimus.assembly import open_library
from optimus.errors import ConflictError, NotFoundError
from optimus.memory_manager import bulk
from optimus.memory_manager.library import UNDO_FOR, MemoryLibrary
from optimus.memory_manager.shelf import Shelf
from optimus.memory_manager.views import MemoryView, Origin, Standing
from optimus.models import Memory, MemoryId, MemoryStatus, MemoryType, Provenance, SourceKind, UserId, new_id
from optimus.storage.bm25 import Bm25Encoder
from tests.unit.memory.conftest import World

DELETED = MemoryView(standing=Standing.DELETED)


@pytest.fixture
def library(world: World, monkeypatch) -> MemoryLibrary:
    """The library over the world's memories, with four to a batch."""
    monkeypatch.setattr(bulk, "BATCH", 4)
    shelf = Shelf(index=world.store.memories, embedder=world.embedder, encoder=Bm25Encoder())
    return open_library(world.store, shelf, world.memory, world.clock)[1]


@pytest.fixture
def write(world: World, library: MemoryLibrary) -> Callable[..., list[Memory]]:
    """Write memories at once, as they are."""

    def written(number: int, **fields: object) -> list[Memory]:
        at = world.clock()
        memories = [
            Memory.model_validate(
                {"id": new_id(), "user_id": world.owner, "text": f"Number {i}", "type": MemoryType.FACT}
                | {"recorded_at": at, "updated_at": at, "valid_from": at}
                | fields
            )
            for i in range(number)
        ]
        (vector,) = world.embedder.embed(["Number"])
        points = [library._shelf.point(memory, vector) for memory in memories]
        world.store.memories.put(world.owner, points)
        return memories

    return written


def texts(library: MemoryLibrary, owner: UserId, view: MemoryView) -> set[str]:
    """Return what a view shows."""
    return {memory.text for memory in library.views.page(owner, view, limit=50).items}


def test_views_narrow_down(world: World, library: MemoryLibrary, write):
    """Kind, origin, time, status and words each leave only what they name; numbers by kind know the other filters."""
    write(1, text="by hand")
    write(1, text="in a chat", type=MemoryType.PREFERENCE, provenance=Provenance(extractor="rules"))
    write(1, text="imported", provenance=Provenance(source=SourceKind.IMPORT))
    write(1, text="gone", status=MemoryStatus.DELETED)
    write(1, text="old", status=MemoryStatus.SUPERSEDED)
    begin = world.clock()
    write(1, text="late")
    owner = world.owner
    assert texts(library, owner, MemoryView()) == {"by hand", "in a chat", "imported", "late"}
    assert texts(library, owner, MemoryView(kind=MemoryType.PREFERENCE)) == {"in a chat"}
    assert texts(library, owner, MemoryView(origin=Origin.HAND, until=begin)) == {"by hand"}
    assert texts(library, owner, MemoryView(origin=Origin.CHAT)) == {"in a chat"}
    assert texts(library, owner, MemoryView(origin=Origin.IMPORT)) == {"imported"}
    assert texts(library, owner, MemoryView(since=begin)) == {"late"}
    assert texts(library, owner, DELETED) == {"gone"}
    assert texts(library, owner, MemoryView(standing=Standing.REPLACED)) == {"old"}
    assert texts(library, owner, MemoryView(query="hand")) == {"by hand"}
    assert library.views.tally(owner, MemoryView(until=begin)) == {MemoryType.FACT: 2, MemoryType.PREFERENCE: 1}
    assert len(library.views.ids(owner, MemoryView())) == 4
    assert library.views.tally(UserId(new_id()), MemoryView()) == {}


def test_many_are_deleted_and_brought_back_in_one_act(world: World, library: MemoryLibrary, write):
    """More than one write's worth goes in one act with progress; Undo finds all of it, once, and nothing else."""
    earlier, many = write(1, text="earlier"), write(9)
    library.forget(world.owner, [earlier[0].id])
    told: list[int] = []
    ids = [memory.id for memory in many]
    assert library.forget(world.owner, ids, progress=told.append) == 9
    assert told == [4, 8, 9]
    assert library.forget(world.owner, ids) == 0
    last = library.last_deletion(world.owner)
    assert last
    assert last.count == 9
    assert library.undo_deletion(world.owner, last.at) == 9
    assert library.undo_deletion(world.owner, last.at) == 0
    assert len(library.views.ids(world.owner, MemoryView())) == 9
    before = library.last_deletion(world.owner)
    assert before
    assert before.count == 1
    assert texts(library, world.owner, DELETED) == {"earlier"}


def test_undo_is_offered_for_a_while(world: World, library: MemoryLibrary, write):
    """After its time the offer is gone; what was deleted stays where it can be brought back."""
    (memory,) = write(1)
    library.forget(world.owner, [memory.id])
    world.clock.now += UNDO_FOR + timedelta(seconds=1)
    assert library.last_deletion(world.owner) is None
    assert library.restore(world.owner, [memory.id]) == 1
    assert world.stored(memory.id).status is MemoryStatus.ACTIVE


def test_messages_go_and_come_with_what_they_say(world: World, library: MemoryLibrary):
    """A deleted fact is not recalled from its message either, until everything the message says is back."""
    message = world.message("We have a boat and a dog")
    world.rules.fact(message.text, says="We have a boat")
    world.rules.fact(message.text, says="We have a dog")
    boat, dog = (change.memory_id for change in world.memory.remember(world.owner, message))
    library.forget(world.owner, [boat, dog])
    assert world.recalled("boat") == []
    assert world.episode(message.id).status is MemoryStatus.ARCHIVED
    library.restore(world.owner, [boat])
    assert world.recalled("boat") == ["We have a boat"]
    assert world.episode(message.id).status is MemoryStatus.ARCHIVED
    library.restore(world.owner, [dog])
    assert world.episode(message.id).status is MemoryStatus.ACTIVE


def test_replaced_memories_come_back_as_replaced(world: World, library: MemoryLibrary, write):
    """Bringing back what was deleted does not make it true again."""
    (old,) = write(1, status=MemoryStatus.SUPERSEDED)
    library.forget(world.owner, [old.id])
    library.restore(world.owner, [old.id])
    assert world.stored(old.id).status is MemoryStatus.SUPERSEDED


def test_nobody_reaches_the_memories_of_others(world: World, library: MemoryLibrary, write):
    """Every call with another owner finds, changes and exports nothing."""
    (memory,) = write(1)
    eve = UserId(new_id())
    assert library.forget(eve, [memory.id]) == 0
    assert list(library.export(eve, [memory.id])) == []
    for call in (
        lambda: library.details(eve, memory.id),
        lambda: library.pin(eve, memory.id, pinned=True),
        lambda: library.revert(eve, memory.id, 1, expected_version=1),
    ):
        with pytest.raises(NotFoundError):
            call()
    library.forget(world.owner, [memory.id])
    assert library.last_deletion(eve) is None
    assert library.restore(eve, [memory.id]) == 0
    assert world.stored(memory.id).status is MemoryStatus.DELETED


def test_versions_say_what_changed_and_an_earlier_one_comes_back(world: World, library: MemoryLibrary):
    """Each change has its reason and its words; an earlier wording becomes a new version, unless somebody was first."""
    memory = world.memory.add(world.owner, "Our boat is red")
    world.memory.edit(world.owner, memory.id, "Our old boat is blue", expected_version=1)
    (change,) = library.details(world.owner, memory.id).changes
    assert (change.reason, change.before, change.version) == ("edit", "Our boat is red", 2)
    assert [(piece.kind, piece.text) for piece in change.pieces] == [
        ("kept", "Our"),
        ("added", "old"),
        ("kept", "boat is"),
        ("removed", "red"),
        ("added", "blue"),
    ]
    with pytest.raises(ConflictError):
        library.revert(world.owner, memory.id, 1, expected_version=1)
    with pytest.raises(NotFoundError):
        library.revert(world.owner, memory.id, 7, expected_version=2)
    assert library.revert(world.owner, memory.id, 1, expected_version=2).text == "Our boat is red"
    assert [entry.reason for entry in library.details(world.owner, memory.id).changes] == ["revert", "edit"]
    assert [m.id for m in library.views.page(world.owner, MemoryView(query="red"), limit=9).items] == [memory.id]


def test_pinning_is_kept_and_doing_it_twice_is_once(world: World, library: MemoryLibrary, write):
    """Pinning and unpinning are versions with their reason; what is as wanted stays as it is."""
    (memory,) = write(1)
    library.pin(world.owner, memory.id, pinned=True)
    assert library.pin(world.owner, memory.id, pinned=True).version == 2
    library.pin(world.owner, memory.id, pinned=False)
    assert [change.reason for change in library.details(world.owner, memory.id).changes] == ["unpin", "pin"]


def test_export_keeps_the_order_and_passes_over_what_is_missing(world: World, library: MemoryLibrary, write):
    """Memories come in the order asked for, however many, each whole."""
    ids = [memory.id for memory in reversed(write(9))]
    assert [memory.id for memory in library.export(world.owner, [MemoryId(new_id()), *ids])] == ids


def test_a_view_shows_what_was_true_on_a_day(world: World, library: MemoryLibrary):
    """As of a moment, memories read as they did then; what was deleted since stays deleted, what came later is not."""
    owner = world.owner
    tea, gone = (world.memory.add(owner, text) for text in ("I like tea", "I like milk"))
    then = world.clock()
    world.memory.edit(owner, tea.id, "I like green tea", expected_version=tea.version)
    world.memory.forget(owner, gone.id)
    world.memory.add(owner, "I like wine")
    view = MemoryView(as_of=then)
    assert texts(library, owner, view) == {"I like tea"}
    assert library.views.ids(owner, view) == [tea.id]
    assert library.views.tally(owner, view) == {MemoryType.NOTE: 1}
    assert texts(library, owner, MemoryView(as_of=then, query="green")) == {"I like tea"}
    assert texts(library, owner, MemoryView(as_of=world.clock())) == {"I like green tea", "I like wine"}


def test_views_by_importance_and_by_name(world: World, library: MemoryLibrary, write):
    """Importance leaves out what is below it; a name leaves what names them, under any of their names."""
    write(1, text="My sister Maria lives in Porto", importance=0.9)
    write(1, text="My sister works at Siemens")
    write(1, text="I like tea", importance=0.1)
    assert texts(library, world.owner, MemoryView(min_importance=0.85)) == {"My sister Maria lives in Porto"}
    named = {"My sister Maria lives in Porto", "My sister works at Siemens"}
    assert texts(library, world.owner, MemoryView(about="maria")) == named
    assert texts(library, world.owner, MemoryView(about="maria", query="siemens")) == {"My sister works at Siemens"}
    assert library.views.tally(world.owner, MemoryView(about="maria", min_importance=0.85)) == {MemoryType.FACT: 1}
    assert texts(library, UserId(new_id()), MemoryView(about="maria")) == set()
