from concurrent.futures import ThreadPoolExecutor

import pytest

from optimus.errors import ConflictError, InvalidInputError, NotFoundError
from optimus.memory_manager.versions import MAX_VERSIONS
from optimus.models import MAX_MEMORY_CHARS, MemoryId, MemoryStatus, MemoryType, new_id
from optimus.storage.records import MemoryFilter


def test_a_note_is_kept_as_written(world):
    """What no rule understands is a note, written by hand, at full confidence."""
    memory = world.memory.add(world.owner, "  The spare key is under the blue pot ")
    assert (memory.text, memory.type) == ("The spare key is under the blue pot", MemoryType.NOTE)
    assert (memory.provenance.extractor, memory.confidence, memory.sources) == ("manual", 1.0, ())
    assert world.facts() == ["The spare key is under the blue pot"]


def test_a_note_that_the_rules_understand_replaces_what_it_ends(world):
    """A hand-written answer to a question that has one answer replaces the old answer."""
    world.tell("I live in Lisbon", slot="home")
    world.rules.fact("I live in Porto", slot="home")
    memory = world.memory.add(world.owner, "I live in Porto")
    assert (memory.type, memory.slot) == (MemoryType.FACT, "home")
    assert world.facts() == ["I live in Porto"]
    assert world.recalled("where do I live") == ["I live in Porto"]


def test_the_same_note_twice_is_one(world):
    """Adding what is known confirms it, also from many threads at once."""
    with ThreadPoolExecutor(8) as pool:
        memories = list(pool.map(lambda _: world.memory.add(world.owner, "I own a boat"), range(16)))
    assert len({memory.id for memory in memories}) == 1
    assert world.facts() == ["I own a boat"]


def test_a_note_can_be_added_again_after_it_was_forgotten(world):
    """Forgetting does not forbid writing the same later."""
    first = world.memory.add(world.owner, "I own a boat")
    world.memory.forget(world.owner, first.id)
    assert world.memory.add(world.owner, "I own a boat").id != first.id
    assert world.facts() == ["I own a boat"]


@pytest.mark.parametrize(
    "text",
    ["", " \n", "a\x00b", "x" * (MAX_MEMORY_CHARS + 1), "my password is hunter2", "key sk-proj-abcdefghijkl1234"],
)
def test_bad_text_is_refused(world, text):
    """Empty, oversized, unprintable or secret text is refused with a sentence, and nothing changes."""
    kept = world.memory.add(world.owner, "I own a boat")
    with pytest.raises(InvalidInputError) as refused:
        world.memory.add(world.owner, text)
    assert refused.value.user_message.endswith(".")
    with pytest.raises(InvalidInputError):
        world.memory.edit(world.owner, kept.id, text, expected_version=1)
    assert world.facts() == ["I own a boat"]


def test_an_edit_keeps_the_old_text_as_a_version(world):
    """The new text is found, the old one is in the history, and the message that said it no longer comes up."""
    change = world.tell("I live in Lisbon", slot="home")
    edited = world.memory.edit(world.owner, change.memory_id, "I live in Porto", expected_version=1)
    assert (edited.version, edited.history[0].text, edited.history[0].reason) == (2, "I live in Lisbon", "edit")
    assert world.stored(change.memory_id) == edited
    assert world.recalled("where do I live") == ["I live in Porto"]


def test_an_edit_of_an_old_version_is_a_conflict(world):
    """Two people with the same version on screen: the second is told, and loses nothing of the first."""
    memory = world.memory.add(world.owner, "I own a boat")
    world.memory.edit(world.owner, memory.id, "I own two boats", expected_version=1)
    with pytest.raises(ConflictError):
        world.memory.edit(world.owner, memory.id, "I own no boat", expected_version=1)
    assert world.facts() == ["I own two boats"]


def test_of_many_edits_at_once_exactly_one_wins(world):
    """Threads that edit the same version: one succeeds, the others get the conflict."""
    memory = world.memory.add(world.owner, "I own a boat")

    def edit(number: int) -> bool:
        try:
            world.memory.edit(world.owner, memory.id, f"I own {number} boats", expected_version=1)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(edit, range(16))) == 1
    assert len(world.stored(memory.id).history) == 1


def test_an_edit_that_changes_nothing_makes_no_version(world):
    """Saving the same text leaves the memory as it is."""
    memory = world.memory.add(world.owner, "I own a boat")
    assert world.memory.edit(world.owner, memory.id, "I own a boat", expected_version=1) == memory


def test_a_message_cannot_be_edited(world):
    """An episode is what was said; it can only be forgotten."""
    message = world.message("I own a boat")
    world.memory.remember(world.owner, message)
    with pytest.raises(InvalidInputError):
        world.memory.edit(world.owner, world.episode(message.id).id, "else", expected_version=1)
    world.memory.forget(world.owner, world.episode(message.id).id)
    assert world.recalled("do I own a boat") == []


def test_forgetting_and_restoring_by_hand(world):
    """A deleted memory is gone from lists and recall with the messages that say it, and comes back whole."""
    change = world.tell("I live in Lisbon", slot="home")
    forgotten = world.memory.forget(world.owner, change.memory_id)
    assert (forgotten.status, forgotten.text) == (MemoryStatus.DELETED, "I live in Lisbon")
    assert world.memory.forget(world.owner, change.memory_id).version == forgotten.version
    assert (world.facts(), world.recalled("where do I live")) == ([], [])
    restored = world.memory.restore(world.owner, change.memory_id)
    assert restored.status is MemoryStatus.ACTIVE
    assert (world.facts(), world.recalled("where do I live")) == (["I live in Lisbon"], ["I live in Lisbon"])


def test_a_message_stays_hidden_while_another_fact_of_it_is_forgotten(world):
    """Restoring one of two forgotten facts does not bring the other one back through the message."""
    for fact in ("I live in Lisbon", "I own a boat"):
        world.rules.fact("I live in Lisbon on a boat", says=fact)
    changes = world.say("I live in Lisbon on a boat")
    for change in changes:
        world.memory.forget(world.owner, change.memory_id)
    world.memory.restore(world.owner, changes[0].memory_id)
    assert world.recalled("where do I live on a boat") == ["I live in Lisbon"]


def test_the_history_is_bounded_and_keeps_the_first_version(world):
    """After many edits the first text and the newest ones are there."""
    memory = world.memory.add(world.owner, "Version 0")
    for number in range(1, MAX_VERSIONS + 10):
        memory = world.memory.edit(world.owner, memory.id, f"Version {number}", expected_version=number)
    stored = world.stored(memory.id)
    assert len(stored.history) == MAX_VERSIONS
    assert (stored.history[0].text, stored.history[-1].text) == ("Version 0", f"Version {MAX_VERSIONS + 8}")


def test_what_is_missing_is_not_found(world):
    """An unknown id and a malformed one give the same error."""
    for memory_id in (MemoryId(new_id()), MemoryId("../etc/passwd")):
        with pytest.raises(NotFoundError):
            world.memory.get(world.owner, memory_id)


def test_the_list_shows_what_is_true_page_by_page(world):
    """Newest first, messages behind their own filter, each page once."""
    for number in range(5):
        world.memory.add(world.owner, f"Note {number}")
    world.say("just chatting along")
    first = world.memory.list(world.owner, limit=2)
    assert ([memory.text for memory in first.items], first.total) == (["Note 4", "Note 3"], 5)
    rest = world.memory.list(world.owner, limit=9, offset=first.next_offset)
    assert ([memory.text for memory in rest.items], rest.next_offset) == (["Note 2", "Note 1", "Note 0"], None)
    messages = world.memory.list(world.owner, where=MemoryFilter(types=frozenset({MemoryType.CONVERSATION})))
    assert [memory.text for memory in messages.items] == ["just chatting along"]


def test_the_list_can_be_searched(world):
    """A search gives the best match first, part of a word is enough, and what does not match is left out."""
    for text in ("I own a sailing boat", "I drink tea", "My dog is Rex"):
        world.memory.add(world.owner, text)
    for query in ("boat", "sail", "ling bo"):
        found = world.memory.list(world.owner, query=query)
        assert [memory.text for memory in found.items] == ["I own a sailing boat"]
    assert world.memory.list(world.owner, query="submarine").total == 0
    page = world.memory.list(world.owner, query="boat drink dog", limit=2)
    assert (len(page.items), page.next_offset, page.total) == (2, 2, 3)
