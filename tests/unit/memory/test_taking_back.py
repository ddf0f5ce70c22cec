import random
from typing import Any

import pytest

from optimus.memory_manager.shelf import episode_id
from optimus.models import ChangeKind, MemoryStatus
from tests.unit.memory.conftest import World


def state(world: World) -> list[tuple[Any, ...]]:
    """What is true now, with what a user can see of it."""
    return sorted(
        (memory.text, memory.confirmations, memory.valid_to, memory.superseded_by)
        for memory in world.memory.list(world.owner, limit=200).items
    )


def test_an_undone_fact_is_not_recalled(world):
    """After Undo neither the fact nor the message that said it comes back; a second Undo does nothing."""
    change = world.tell("I live in Lisbon")
    assert world.recalled("where do I live") == ["I live in Lisbon"]
    world.memory.undo(world.owner, change)
    once = world.stored(change.memory_id)
    world.memory.undo(world.owner, change)
    assert world.stored(change.memory_id) == once
    assert (once.status, once.text) == (MemoryStatus.DELETED, "I live in Lisbon")
    assert world.recalled("where do I live") == []


def test_an_undone_replacement_brings_the_old_fact_back(world):
    """After Undo the old fact is current again, the new one is gone, and a second Undo does nothing."""
    world.tell("I live in Lisbon", slot="home")
    before = state(world)
    change = world.tell("I live in Porto", slot="home")
    assert (change.kind, change.replaced_text) == (ChangeKind.SUPERSEDE, "I live in Lisbon")
    assert world.recalled("where do I live") == ["I live in Porto"]
    for _ in range(2):
        world.memory.undo(world.owner, change)
        assert state(world) == before
        assert world.recalled("where do I live") == ["I live in Lisbon"]


def test_a_replaced_fact_keeps_its_time(world):
    """What was true is kept with the moment at which it ended and what followed it."""
    old = world.tell("I live in Lisbon", slot="home")
    change = world.tell("I live in Porto", slot="home")
    lisbon, porto = world.stored(old.memory_id), world.stored(change.memory_id)
    assert (lisbon.status, lisbon.superseded_by) == (MemoryStatus.SUPERSEDED, porto.id)
    assert lisbon.valid_to == porto.valid_from
    assert porto.supersedes == lisbon.id


def test_undo_in_the_middle_of_a_chain_changes_no_truth(world):
    """Taking back a fact that was replaced since leaves the newest true and links it to the oldest."""
    first = world.tell("I live in Lisbon", slot="home")
    second = world.tell("I live in Porto", slot="home")
    third = world.tell("I live in Faro", slot="home")
    world.memory.undo(world.owner, second)
    assert world.facts() == ["I live in Faro"]
    assert world.stored(first.memory_id).superseded_by == third.memory_id
    world.memory.undo(world.owner, third)
    assert world.facts() == ["I live in Lisbon"]


def test_one_undo_brings_back_all_that_was_replaced(world):
    """A statement that ended two memories gives both back."""
    world.tell("I eat meat", slot="diet.a")
    world.tell("I love steak", slot="diet.b")
    world.rules.fact("I'm vegan", negates="I eat meat", slot="diet.b", corrects=True)
    changes = world.say("I'm vegan")
    assert world.facts() == ["I'm vegan"]
    assert [change.replaced_text for change in changes] == ["I love steak", "I eat meat"]
    world.memory.undo(world.owner, changes[0])
    assert world.facts() == ["I eat meat", "I love steak"]


def test_an_undone_merge_gives_the_old_wording_back(world):
    """The confirmation is taken back once, with the richer wording that it brought."""
    told = world.tell("I live in Lisbon", slot="home")
    change = world.tell("I live in Lisbon near the castle", slot="home")
    assert (change.kind, change.memory_id, change.replaced_text) == (
        ChangeKind.MERGE,
        told.memory_id,
        "I live in Lisbon",
    )
    assert (world.facts(), world.stored(told.memory_id).confirmations) == (["I live in Lisbon near the castle"], 2)
    for _ in range(2):
        world.memory.undo(world.owner, change)
        assert (world.facts(), world.stored(told.memory_id).confirmations) == (["I live in Lisbon"], 1)


def test_an_undone_merge_keeps_a_later_edit(world):
    """A wording that the user wrote by hand since stays."""
    told = world.tell("I live in Lisbon", slot="home")
    change = world.tell("I live in Lisbon near the castle", slot="home")
    version = world.stored(told.memory_id).version
    world.memory.edit(world.owner, told.memory_id, "I live in Lisbon, in Alfama", expected_version=version)
    world.memory.undo(world.owner, change)
    assert world.facts() == ["I live in Lisbon, in Alfama"]


def test_a_forgotten_fact_comes_back_by_undo(world):
    """Asked to forget, the fact is gone with its message; Undo brings both back, once."""
    told = world.tell("I live in Lisbon")
    world.rules.forget("forget where I live", says="I live in Lisbon")
    (change,) = world.say("forget where I live")
    assert (change.kind, change.memory_id) == (ChangeKind.FORGET, told.memory_id)
    assert world.recalled("where do I live in Lisbon") == []
    for _ in range(2):
        world.memory.undo(world.owner, change)
        assert world.facts() == ["I live in Lisbon"]


def test_forgetting_hides_messages_without_facts(world):
    """What no rule understood is forgotten as a message, and can be brought back."""
    world.say("The gate code of the summer house is blue giraffe")
    world.rules.forget("forget the giraffe", says="gate code blue giraffe")
    (change,) = world.say("forget the giraffe")
    assert world.recalled("what is the gate code") == []
    world.memory.undo(world.owner, change)
    assert world.recalled("what is the gate code") == ["The gate code of the summer house is blue giraffe"]


def test_forgetting_what_is_unknown_changes_nothing(world):
    """A request that meets nothing makes no change."""
    world.tell("I live in Lisbon")
    world.rules.forget("forget my boat", says="my boat")
    assert world.say("forget my boat") == ()
    assert world.facts() == ["I live in Lisbon"]


def test_a_forgotten_fact_does_not_come_back_from_its_message(world):
    """Remembering the old message again leaves the fact forgotten; saying it anew makes a new memory."""
    world.rules.fact("I live in Lisbon")
    message = world.message("I live in Lisbon")
    (change,) = world.memory.remember(world.owner, message)
    world.memory.forget(world.owner, change.memory_id)
    world.store.memories.delete(world.owner, [episode_id(message.id)])
    assert world.memory.remember(world.owner, message) == ()
    assert world.facts() == []
    again = world.tell("I live in Lisbon")
    assert again.memory_id != change.memory_id
    assert world.facts() == ["I live in Lisbon"]


def test_a_fact_said_again_after_a_change_is_a_new_one(world):
    """Moving away and back leaves three memories, each with its own time."""
    first = world.tell("I live in Lisbon", slot="home")
    world.tell("I live in Porto", slot="home")
    third = world.tell("I live in Lisbon", slot="home")
    assert third.memory_id != first.memory_id
    assert world.stored(first.memory_id).status is MemoryStatus.SUPERSEDED
    assert world.facts() == ["I live in Lisbon"]


def test_a_deleted_message_takes_what_came_only_from_it(world):
    """Its episode is purged and its facts are forgotten; what another message says too stays, said once less."""
    message = world.message("both")
    for fact in ("I live in Lisbon", "I paint"):
        world.rules.fact("both", says=fact)
    changes = world.memory.remember(world.owner, message)
    world.tell("I paint")
    world.memory.withdraw(world.owner, [message.id])
    assert world.facts() == ["I paint"]
    assert world.stored(changes[1].memory_id).confirmations == 1
    assert world.store.memories.get(world.owner, [episode_id(message.id)]) == []
    world.memory.withdraw(world.owner, [message.id])
    assert world.facts() == ["I paint"]


@pytest.mark.parametrize(
    ("first", "second", "gone", "left"),
    [
        ("I live in Lisbon", "I live in Lisbon with Tom", 1, "I live in Lisbon"),
        ("I live in Lisbon with Tom", "I live in Lisbon", 0, "I live in Lisbon"),
        ("I live in Lisbon", "I live in Lisbon with Tom", 0, "I live in Lisbon with Tom"),
        ("I live in Lisbon with Tom", "I live in Lisbon", 1, "I live in Lisbon with Tom"),
    ],
)
def test_what_only_a_deleted_message_said_of_a_fact_is_gone(world, first, second, gone, left):
    """A fact that two messages say reads as the one that is left says it; a wording by hand stays."""
    messages = [world.message(text) for text in (first, second)]
    for text, message in zip((first, second), messages, strict=True):
        world.rules.fact(text, entities=("Lisbon", "Tom") if "Tom" in text else ("Lisbon",))
        world.memory.remember(world.owner, message)
    (fact,) = world.facts()
    assert fact == "I live in Lisbon with Tom"
    world.memory.withdraw(world.owner, [messages[gone].id])
    assert world.facts() == [left]
    (memory,) = world.memory.list(world.owner).items
    assert ("Tom" in memory.entities) is ("Tom" in left)


def test_a_wording_by_hand_outlives_the_messages_that_said_it_otherwise(world):
    """Neither message takes away what was written by hand."""
    first, second = (world.message(text) for text in ("I live in Lisbon", "I live in Lisbon with Tom"))
    for text, message in (("I live in Lisbon", first), ("I live in Lisbon with Tom", second)):
        world.rules.fact(text)
        world.memory.remember(world.owner, message)
    (memory,) = world.memory.list(world.owner).items
    world.memory.edit(world.owner, memory.id, "I live in Lisbon, with Tom and a cat", expected_version=memory.version)
    world.memory.withdraw(world.owner, [second.id])
    assert world.facts() == ["I live in Lisbon, with Tom and a cat"]


def test_a_deleted_correction_brings_the_old_fact_back(world):
    """A fact that only the deleted message replaced is true again."""
    world.tell("I live in Lisbon", slot="home")
    world.rules.fact("I live in Porto", slot="home")
    message = world.message("I live in Porto")
    world.memory.remember(world.owner, message)
    world.memory.withdraw(world.owner, [message.id])
    assert world.facts() == ["I live in Lisbon"]


def test_facts_stay_when_only_the_chat_is_deleted(world):
    """Without `derived` the message is gone and the fact stays."""
    world.rules.fact("I live in Lisbon")
    message = world.message("I live in Lisbon")
    world.memory.remember(world.owner, message)
    world.memory.withdraw(world.owner, [message.id], derived=False)
    assert world.facts() == ["I live in Lisbon"]


@pytest.mark.parametrize("seed", range(6))
def test_undoing_everything_backwards_leaves_nothing(world, seed):
    """Whatever was said, undoing all changes from the last to the first goes through the same states back."""
    choose = random.Random(seed)
    states, done = [state(world)], []
    for _ in range(8):
        place, name = choose.choice(["Lisbon", "Porto", "Faro"]), choose.choice(["Rex", "Bo"])
        text, slot = choose.choice(
            [(f"I live in {place}", "home"), (f"I live in {place} today", "home"), (f"My dog is {name}", "dog")]
        )
        world.rules.script.clear()
        world.rules.fact(text, slot=slot)
        done.append(world.say(text))
        states.append(state(world))
    for changes in reversed(done):
        assert state(world) == states.pop()
        for change in reversed(changes):
            world.memory.undo(world.owner, change)
    assert state(world) == []
