"""Acknowledgements, small talk, and the note that no model is connected."""

from __future__ import annotations

import pytest

from optimus.llm_handler.offline import replies
from optimus.llm_handler.offline.respond import respond
from optimus.models import ChangeKind
from tests.unit.offline.recalled import LIFE, change, context, recalled


def test_what_was_saved_is_said_in_the_second_person():
    """Everything saved is named, as one sentence to the user."""
    changes = (change(ChangeKind.ADD, "I'm allergic to peanuts"), change(ChangeKind.ADD, "I live in Lisbon"))
    answer = respond("I'm allergic to peanuts and live in Lisbon", context(changes=changes))
    assert answer.endswith(": you're allergic to peanuts and you live in Lisbon.")


def test_three_things_are_joined_with_commas():
    """Several saved things read as a list in a sentence."""
    changes = tuple(
        change(ChangeKind.ADD, text) for text in ("I'm Ana", "My dog is called Rex", "Our cat is called Tom")
    )
    assert respond("...", context(changes=changes)).endswith(
        ": you're Ana, your dog is called Rex and your cat is called Tom."
    )


def test_the_wording_varies_but_is_the_same_each_time():
    """The opening depends on what was said only: no chance, no clock."""
    said = [f"I like fruit{number}" for number in range(20)]
    answers = [respond("x", context(changes=(change(ChangeKind.ADD, text),))) for text in said]
    again = [respond("x", context(changes=(change(ChangeKind.ADD, text),))) for text in said]
    assert answers == again
    assert len({answer.split(":")[0] for answer in answers}) > 1


def test_a_replacement_names_the_old_wording():
    """What was replaced is quoted, so that a mistake can be seen."""
    changes = (change(ChangeKind.SUPERSEDE, "I now live in Porto", "I live in Lisbon"),)
    answer = respond("I now live in Porto", context(changes=changes))
    assert answer == "You now live in Porto. I replaced “I live in Lisbon”."


def test_something_forgotten_is_named():
    """A forget request is confirmed with what is gone."""
    changes = (change(ChangeKind.FORGET, "I live in Lisbon"),)
    assert respond("forget that I live in Lisbon", context(changes=changes)) == "I've forgotten “I live in Lisbon”."


def test_forgotten_questions_are_not_named():
    """Earlier questions that are forgotten with a fact are left out of the confirmation."""
    changes = tuple(change(ChangeKind.FORGET, text) for text in ("I like coffee", "do I like coffee?", "I like tea"))
    answer = respond("forget that I like coffee", context(changes=changes))
    assert answer == "I've forgotten “I like coffee” and “I like tea”."
    assert respond("forget it", context(changes=changes[1:2])) == "I've forgotten that."


@pytest.mark.parametrize("kind", [ChangeKind.MERGE, ChangeKind.SKIP])
def test_a_repetition_is_known_already(kind):
    """What was known is not claimed as new."""
    answer = respond("I live in Lisbon", context(changes=(change(kind, "I live in Lisbon"),)))
    assert answer == "I already knew that you live in Lisbon."


def test_what_was_undone_is_not_acknowledged():
    """An answer written again after an undo does not claim the memory."""
    undone = change(ChangeKind.ADD, "I live in Lisbon").model_copy(update={"undone": True})
    assert "Lisbon" not in respond("I live in Lisbon", context(changes=(undone,)))


def test_a_statement_with_a_question_gets_both():
    """What was said is acknowledged and what was asked is answered from the other memories."""
    saved = recalled("I'm allergic to nuts")
    changes = (change(ChangeKind.ADD, "I'm allergic to nuts"),)
    answer = respond("I'm allergic to nuts. Where do I live?", context(saved, *LIFE, changes=changes))
    assert "you're allergic to nuts" in answer
    assert "You live in Lisbon." in answer


def test_instructions_and_names_read_as_wishes():
    """`Call me Ana` is acknowledged as a wish."""
    assert respond("call me Ana", context(changes=(change(ChangeKind.ADD, "Call me Ana"),))).endswith(
        ": you want me to call you Ana."
    )


def test_other_languages_are_acknowledged_as_said():
    """A statement in another language is quoted back."""
    changes = (change(ChangeKind.ADD, "Ich wohne in Berlin"),)
    assert respond("Ich wohne in Berlin", context(changes=changes)).endswith(": “Ich wohne in Berlin”.")


@pytest.mark.parametrize(
    ("prompt", "reply"),
    [
        ("hello", "Hello!"),
        ("Hi there!", "Hello!"),
        ("good morning", "Hello!"),
        ("thanks a lot", "You're welcome."),
        ("Thank you so much!", "You're welcome."),
        ("bye", "Goodbye."),
        ("ok", "All right."),
        ("what can you do?", "I'm Optimus."),
        ("are you ChatGPT?", "I'm Optimus."),
        ("What's today's date?", "Today is Sunday, 22 November 2026 (UTC)."),
        ("what time is it", "It is 19:05 (UTC)."),
        ("Write a poem about the sea", replies.CANNOT_DO),
        ("Translate this to French: good day", replies.CANNOT_DO),
        ("I'm tired", replies.NOTHING_SAID),
        ("forget my hobby", replies.NOTHING_TO_FORGET),
        ("forget everything", replies.FORGET_ALL),
        ("", replies.NOTHING_SAID),
    ],
)
def test_small_talk_and_tasks_get_a_plain_reply(prompt, reply):
    """A greeting, thanks, the date or a task gets one plain answer, whatever was recalled."""
    assert respond(prompt, context(*LIFE)).startswith(reply)


def test_the_missing_model_is_named_once():
    """The first answer of a conversation says quietly that no model is connected; later ones do not."""
    first, later = respond("hello", context(first=True)), respond("hello", context())
    assert first == f"{later}\n\n{replies.NOT_CONNECTED}"
    assert "Connect a model" in replies.NOT_CONNECTED
