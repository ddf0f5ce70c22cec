"""What a message changes that refers to what was said before: with the real rules, over a store in memory."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from optimus.memory_manager.rules.derivation import derive
from optimus.models import ChangeKind, MemoryStatus, MemoryUse, Message, MessageRole
from tests.unit.memory.conftest import World


@pytest.fixture
def world(make_world):
    """One user without memories, whose messages are read by the real rules."""
    return make_world(derive=derive)


def tell(world: World, *texts: str) -> list[Message]:
    """Say one thing after the other; return the messages as a chat keeps them, with what they changed."""
    said: list[Message] = []
    for text in texts:
        message = world.message(text)
        changes = world.memory.remember(world.owner, message, before=said[-4:])
        said.append(message.model_copy(update={"saved": changes}))
    return said


def answer(world: World, *quoted: str, model: str = "offline:assistant") -> Message:
    """Return an answer that quotes memories by their text."""
    known = {memory.text: memory for memory in world.memory.list(world.owner).items}
    uses = tuple(
        MemoryUse(memory_id=known[t].id, text=t, type=known[t].type, recorded_at=known[t].recorded_at, score=1.0)
        for t in quoted
    )
    fields = {"role": MessageRole.ASSISTANT, "used": uses, "model": model}
    return world.message("You told me").model_copy(update=fields)


CORRECTIONS = [
    (["My sister Maria is a nurse", "My sister Maria is a doctor now"], ["My sister Maria is a doctor now"]),
    (["My friend Ana works at Siemens", "Actually Ana works at Bosch now"], ["My friend Ana works at Bosch now"]),
    (["My friend Ana works at Siemens", "Ana lives in Rome. Eva lives in Oslo."],
     ["My friend Ana lives in Rome", "My friend Ana works at Siemens"]),
    (["I live in Lisbon", "I don't live in Lisbon"], ["I don't live in Lisbon"]),
    (["I moved to Lisbon", "I no longer live in Lisbon"], ["I no longer live in Lisbon"]),
    (["I live in Lisbon", "I don't live in Porto"], ["I live in Lisbon"]),
    (["I don't live in Porto"], []),
    (["I live in Lisbon", "I used to live in Berlin"], ["I live in Lisbon", "I used to live in Berlin"]),
    (["My favourite colour is blue", "No, it's green"], ["My favourite colour is green"]),
    (["I was born in Braga", "Correction: Faro"], ["I was born in Faro"]),
    (["I was born in Braga", "thanks", "Correction: Faro"], ["I was born in Braga"]),
    (["I'm Ana and I live in Lisbon", "No, it's Porto"], ["I live in Lisbon", "I'm Ana"]),
    (["I have a dog called Rex", "Rex died"], ["My dog Rex died"]),
    (["My dog is called Rex", "My dog is called Bella", "my dog Rex died"], ["My dog Rex died", ("My dog is called "
                                                                                                "Bella")]),
    (["My dog is called Rex", "My dog is called Bella", "my dog died"],
     ["My dog died", "My dog is called Bella", "My dog is called Rex"]),
    (["I have a dog called Rex and a cat called Tom", "Rex died"],
     ["I have a dog called Rex and a cat called Tom", "My dog Rex died"]),
    (["My grandmother Rosa lives in Faro", "My grandmother Rosa was born in 1930", "Rosa passed away"],
     ["My grandmother Rosa passed away", "My grandmother Rosa was born in 1930"]),
    (["Rex died"], []),
    (["I work at Siemens", "I quit my job"], ["I quit my job"]),
    (["I work at Siemens", "I quit my job", "I work at Bosch now"], ["I work at Bosch now"]),
    (["I work at Siemens", "I'm retired"], ["I'm retired"]),
    (["My girlfriend is Ana", "My girlfriend Ana works at Bosch", "I broke up with Ana"], ["I broke up with Ana"]),
    (["My girlfriend is Clara", "I broke up with Ana"], ["I broke up with Ana", "My girlfriend is Clara"]),
    (["My girlfriend is Ana", "I broke up with Ana", "My girlfriend is Zoe"],
     ["I broke up with Ana", "My girlfriend is Zoe"]),
    (["My car is a VW Golf", "I sold my car"], ["I sold my car"]),
    (["My name is Clara", "I'm Ana"], ["My name is Clara"]),
    (["I'm Ana"], ["I'm Ana"]),
    (["My name is Clara", "Call me Annie"], ["Call me Annie"]),
]  # fmt: skip


@pytest.mark.parametrize(("said", "known"), CORRECTIONS, ids=" / ".join)
def test_what_is_true_after_a_correction(world, said, known):
    """A correction ends what it names and nothing else, and never leaves two answers to one question."""
    tell(world, *said)
    assert world.facts() == sorted(known)


def test_what_was_corrected_is_kept_as_history(world):
    """The old statement stays, replaced by the new one, and an undo brings it back."""
    first, second = tell(world, "My favourite colour is blue", "No, it's green")
    old = world.stored(first.saved[0].memory_id)
    assert (old.status, old.superseded_by) == (MemoryStatus.SUPERSEDED, second.saved[0].memory_id)
    world.memory.undo(world.owner, second.saved[0])
    assert world.facts() == ["My favourite colour is blue"]


def test_what_the_answer_quoted_can_be_corrected(world):
    """After a question, `no, it's green` corrects the one memory that the answer told."""
    tell(world, "My favourite colour is blue")
    before = [world.message("What's my favourite colour?"), answer(world, "My favourite colour is blue")]
    world.memory.remember(world.owner, world.message("No, it's green"), before=before)
    assert world.facts() == ["My favourite colour is green"]


def test_an_answer_of_a_language_model_does_not_tell_what_it_was_given(world):
    """A model is given memories that it may not have spoken of: a correction of its answer changes none of them."""
    tell(world, "My favourite colour is blue")
    model = answer(world, "My favourite colour is blue", model="openai:gpt")
    before: Sequence[Message] = [world.message("What colour is grass?"), model]
    assert world.memory.remember(world.owner, world.message("No, it's green"), before=before) == ()
    assert world.memory.remember(world.owner, world.message("forget that"), before=before) == ()
    assert world.facts() == ["My favourite colour is blue"]


@pytest.mark.parametrize(
    "request_", ["forget that", "Forget it.", "please forget what I just said", "don't remember that"]
)
def test_the_last_statement_is_forgotten_and_can_be_brought_back(world, request_):
    """A request to forget the last thing takes what the message before made, and its change can be undone."""
    *_, asked = tell(world, "I like jazz", "I live in Lisbon and I work at Bosch", request_)
    assert world.facts() == ["I like jazz"]
    assert [change.kind for change in asked.saved] == [ChangeKind.FORGET, ChangeKind.FORGET]
    assert world.recalled("Lisbon") == []
    for change in asked.saved:
        world.memory.undo(world.owner, change)
    assert world.facts() == ["I like jazz", "I live in Lisbon", "I work at Bosch"]


def test_a_message_without_facts_can_be_forgotten_too(world):
    """`Forget what I just said` hides the message itself where nothing was derived from it."""
    _, asked = tell(world, "The green suitcase stood on platform nine", "forget what I just said")
    assert world.recalled("green suitcase") == []
    world.memory.undo(world.owner, asked.saved[0])
    assert world.recalled("green suitcase") == ["The green suitcase stood on platform nine"]


@pytest.mark.parametrize("said", ["I like tea. Forget that.", "I live in Porto. Oh, please forget what I just said."])
def test_what_the_same_message_takes_back_is_never_kept(world, said):
    """It makes no memory, replaces none, and the message is not found."""
    *_, asked = tell(world, "I live in Lisbon", said)
    assert (asked.saved, world.facts()) == ((), ["I live in Lisbon"])
    assert world.recalled("tea") == world.recalled("Porto") == []


@pytest.mark.parametrize("said", ["forget it", "forget that", "forget what I just said"])
def test_without_anything_said_nothing_is_forgotten(world, said):
    """At the start of a chat a request to forget the last thing means nothing, whatever other chats said."""
    tell(world, "I live in Lisbon")
    tell(world, said)
    assert world.facts() == ["I live in Lisbon"]


def test_only_a_sole_quoted_memory_is_meant_by_that(world):
    """After an answer that told one memory `forget that` means it; after two, or as a mere `forget it`, nothing."""
    tell(world, "I live in Lisbon", "I like jazz")
    asked, both = world.message("What do you know?"), answer(world, "I live in Lisbon", "I like jazz")
    one = answer(world, "I live in Lisbon")
    assert world.memory.remember(world.owner, world.message("forget that"), before=[asked, both]) == ()
    assert world.memory.remember(world.owner, world.message("forget it"), before=[asked, one]) == ()
    (change,) = world.memory.remember(world.owner, world.message("forget that"), before=[asked, one])
    assert (change.kind, change.text) == (ChangeKind.FORGET, "I live in Lisbon")


def test_a_name_that_fits_two_people_stays_as_it_is(world):
    """With a friend and a boss of one name, a sentence by the name alone says nothing of either."""
    tell(world, "My friend Ana works at Siemens", "My boss Ana lives in Rome", "Ana works at Bosch now")
    assert world.facts() == ["My boss Ana lives in Rome", "My friend Ana works at Siemens"]


def test_somebody_elses_people_are_not_known(make_world):
    """A name is looked up among the writer's own memories only."""
    one, other = make_world(derive=derive), make_world(derive=derive)
    tell(one, "My friend Ana works at Siemens")
    tell(other, "Ana works at Bosch now")
    assert other.facts() == []


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (["My friend Lea is pregnant", "I'm pregnant", "I'm not pregnant"],
         ["I'm not pregnant", "My friend Lea is pregnant"]),
        (["My sister doesn't live in Rome any more", "I live in Rome", "I don't live in Rome"],
         ["I don't live in Rome", "My sister doesn't live in Rome any more"]),
        (["My husband Miguel is a chef", "My husband quit his job", "Miguel works at a hotel now", "No, at a bakery"],
         ["My husband Miguel works at a bakery"]),
        (["My girlfriend is Ana", "I broke up with Ana", "Ana works at Bosch"], ["I broke up with Ana"]),
        (["I work at Siemens", "My sister works at Siemens", "I don't work at Siemens"],
         ["I don't work at Siemens", "My sister works at Siemens"]),
        (["Our cat is called Mia. She's 7 years old.", "Mia died"], ["My cat Mia died"]),
    ],
    ids=str,
)  # fmt: skip
def test_one_persons_news_is_not_another_persons(world, said, known):
    """What ends for the writer goes on for others; who is known stays known, unless they are gone."""
    tell(world, *said)
    assert world.facts() == sorted(known)
