"""The search of the Memory page: words and their beginnings, whatever the case, and nothing for nonsense."""

from __future__ import annotations

import pytest

from optimus.embedding import MiniLmEmbedder
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.rules.derivation import derive
from optimus.models import MemoryStatus, MemoryType, UserId, new_id
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.records import MemoryFilter
from optimus.storage.store import open_memory_store
from tests.unit.memory.conftest import KEYS, ScriptedRules, SteppingClock, World

TEXTS = (
    "I'm allergic to peanuts",
    "I like peanut butter",
    "My café is called Zoë",
    "I live in Lisbon",
    "My dog is called Rex",
    "I work as a software engineer",
)


@pytest.fixture(scope="module")
def world():
    """A user who wrote six things, with the real model."""
    clock, embedder = SteppingClock(), MiniLmEmbedder()
    store = open_memory_store(KEYS, clock=clock)
    memory = MemoryManager(index=store.memories, embedder=embedder, encoder=Bm25Encoder(), derive=derive, clock=clock)
    world = World(
        store=store, memory=memory, rules=ScriptedRules(), clock=clock, embedder=embedder, owner=UserId(new_id())
    )
    for text in TEXTS:
        memory.add(world.owner, text)
    yield world
    store.close()


def found(world: World, query: str) -> list[str]:
    """Return what a search shows; its count is what it shows."""
    page = world.memory.list(world.owner, query=query)
    assert page.total == len(page.items)
    return [memory.text for memory in page.items]


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("pean", [TEXTS[1], TEXTS[0]]),
        ("PEANUTS", [TEXTS[0]]),
        ("peanut", [TEXTS[1], TEXTS[0]]),
        ("cafe", [TEXTS[2]]),
        ("CAFÉ zoe", [TEXTS[2]]),
        ("lis", [TEXTS[3]]),
        ("dog rex", [TEXTS[4]]),
        ("called r", [TEXTS[4]]),
        ("I'm allergic", [TEXTS[0]]),
    ],
)
def test_words_and_their_beginnings_are_found(world, query, texts):
    """Every memory with the words, or words that begin so, is found, and nothing besides; whole words come first."""
    assert found(world, query) == texts


@pytest.mark.parametrize("query", ["xqzwv", "asdf qwer", "blurgh", "zzzzzz", "qqq 999", "flibbertigibbet", "!!!"])
def test_nonsense_finds_nothing(world, query):
    """A query that nothing has to do with has no weak matches."""
    assert found(world, query) == []


@pytest.mark.parametrize(
    ("query", "text"), [("pet", TEXTS[4]), ("what is my job?", TEXTS[5]), ("nut allergy", TEXTS[0])]
)
def test_a_meaning_is_found_where_no_word_is(world, query, text):
    """Where no memory has the words, the nearest in meaning come."""
    assert text in found(world, query)


def test_what_changes_is_found_as_it_stands(make_world):
    """What was added, reworded, forgotten or restored since the last search is found as it is now."""
    world = make_world()
    memory = world.memory.add(world.owner, "I own a kayak")
    assert found(world, "kaya") == ["I own a kayak"]
    edited = world.memory.edit(world.owner, memory.id, "I own a canoe", expected_version=memory.version)
    assert (found(world, "kaya"), found(world, "cano")) == ([], ["I own a canoe"])
    world.memory.forget(world.owner, edited.id)
    assert found(world, "cano") == []
    world.memory.restore(world.owner, edited.id)
    world.tell("I own a tandem")
    assert (found(world, "cano"), found(world, "tand")) == (["I own a canoe"], ["I own a tandem"])


def test_what_another_process_wrote_is_found(make_world):
    """A second engine on the same store, with its own words in memory, finds what the first one added."""
    one, other = make_world(), make_world()
    other.owner = one.owner
    one.memory.add(one.owner, "I own a kayak")
    assert found(other, "kaya") == ["I own a kayak"]
    one.memory.add(one.owner, "I own a canoe")
    assert found(other, "cano") == ["I own a canoe"]


def test_all_matches_are_counted(make_world):
    """The count is that of all matches, more than any search of the store brings, and pages go through them."""
    world = make_world()
    for number in range(130):
        world.memory.add(world.owner, f"Peanut number {number}")
    first = world.memory.list(world.owner, query="pean", limit=100)
    assert (len(first.items), first.total, first.next_offset) == (100, 130, 100)
    rest = world.memory.list(world.owner, query="pean", limit=100, offset=first.next_offset)
    assert (len(rest.items), rest.next_offset) == (30, None)


def test_kinds_and_owners_are_kept_apart(make_world):
    """A search looks at the kinds that are asked for, and at nobody else's memories."""
    world, stranger = make_world(), make_world()
    world.memory.add(world.owner, "I own a kayak", MemoryType.FACT)
    stranger.memory.add(stranger.owner, "I own a kayak, too")
    assert found(world, "kaya") == ["I own a kayak"]
    assert (
        world.memory.list(world.owner, query="kaya", where=MemoryFilter(types=frozenset({MemoryType.PREFERENCE}))).total
        == 0
    )
    gone = world.memory.list(world.owner, query="kaya", where=MemoryFilter(statuses=frozenset({MemoryStatus.DELETED})))
    assert gone.total == 0
