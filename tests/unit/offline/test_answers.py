"""Answers to questions, from a list of recalled memories that is full of distractors."""

from __future__ import annotations

import pytest

from optimus.llm_handler.offline.replies import NO_MODEL, NOTHING_YET
from optimus.llm_handler.offline.respond import respond
from optimus.models import MemoryType, SourceKind
from tests.unit.offline.recalled import LIFE, context, episode, recalled

ONE = [
    ("Where do I live?", "You live in Lisbon.", 3),
    ("where am i living", "You live in Lisbon.", 3),
    ("What city do I live in?", "You live in Lisbon.", 3),
    ("Do I live in Porto?", "You live in Lisbon.", 3),
    ("Remind me where I live", "You live in Lisbon.", 3),
    ("Wo wohne ich?", "You live in Lisbon.", 3),
    ("Am I allergic to nuts?", "You're allergic to peanuts.", 4),
    ("What am I allergic to?", "You're allergic to peanuts.", 4),
    ("do you know my allergies?", "You're allergic to peanuts.", 4),
    ("What's my name?", "Your name is Ana Silva.", 7),
    ("Do you remember my name?", "Your name is Ana Silva.", 7),
    ("What does Maria do?", "Your sister Maria is a nurse.", 5),
    ("Is Maria a nurse?", "Your sister Maria is a nurse.", 5),
    ("Where does Maria live?", "Your sister Maria lives in Rome.", 6),
    ("where does my sister live?", "Your sister Maria lives in Rome.", 6),
    ("Where does my brother work?", "Your brother Tom works at Google.", 17),
    ("What's my brother's name?", "Your brother Tom works at Google.", 17),
    ("Where do I work?", "You work at Siemens.", 8),
    ("What's my dog's name?", "Your dog is called Rex.", 10),
    ("Do I have any pets?", "Your dog is called Rex.", 10),
    ("Do I have a dog?", "Your dog is called Rex.", 10),
    ("Do I like coffee?", "You like coffee.", 11),
    ("do I like tea?", "You don't like tea.", 12),
    ("What don't I like?", "You don't like tea.", 12),
    ("What's my favourite colour?", "Your favourite colour is green.", 13),
    ("what is my favorite color?", "Your favourite colour is green.", 13),
    ("What's my favourite food?", "Your favourite food is sushi.", 13),
    ("When is my flight?", "Your flight is on 3 May 2027.", 14),
    ("When is my dentist appointment?", "You have a dentist appointment on 23 November 2026.", 14),
    ("What do I have tomorrow?", "You have a dentist appointment on 23 November 2026.", 14),
    ("When is my birthday?", "Your birthday is on 12 June.", 15),
    ("How old am I?", "You're 34 years old.", 15),
    ("Can you tell me my age?", "You're 34 years old.", 15),
    ("Am I vegetarian?", "You're vegetarian.", 16),
    ("Who is my wife?", "Your wife is called Clara.", 16),
    ("Am I married?", "Your wife is called Clara.", 16),
    ("What languages do I speak?", "You speak German and English.", 17),
    ("Do I speak German?", "You speak German and English.", 17),
    ("When do I usually run?", "You usually run on Mondays.", 18),
    ("Which seat do I prefer?", "You prefer window seats.", 18),
    ("What is my locker code?", "Your locker code is 4711.", 19),
    ("Where is the spare key?", "The spare key is under the mat.", 19),
    ("What car do I drive?", "Your car is a VW Golf.", 19),
    ("What car do I have?", "Your car is a VW Golf.", 19),
    ("Who is my boss?", "Your boss is called Karin.", 20),
    ("Where was I born?", "You were born in Porto.", 20),
    ("How many kids do I have?", "You have two kids.", 20),
    ("What are my goals?", "You want to learn Spanish.", 21),
]


@pytest.mark.parametrize(("question", "sentence", "day"), ONE)
def test_the_memory_that_answers_is_told_with_its_date(question, sentence, day):
    """Out of everything recalled, the one memory that answers is told in the second person, with its day."""
    assert respond(question, context(*LIFE)) == f"{sentence} You told me on {day} November 2026."


@pytest.mark.parametrize(
    "question",
    [
        "What's my shoe size?",
        "What is my phone number?",
        "When is my wedding?",
        "What's my favourite film?",
        "Do I like olives?",
        "Does my sister like coffee?",
        "where do my parents live?",
        "Do I have a cat?",
        "What is my mother called?",
        "What's my favourite season?",
    ],
)
def test_what_nobody_told_is_not_invented(question):
    """When no memory answers, the assistant says so and offers to remember."""
    assert respond(question, context(*LIFE)) == NOTHING_YET


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of Portugal?",
        "Who won the world cup?",
        "How do I sort a list in Python?",
        "What is the weather?",
        "Which team does Tim support?",
        "Why is the sky blue?",
    ],
)
def test_questions_about_the_world_need_a_model(question):
    """A question of general knowledge gets an honest refusal, without memories that only resemble it."""
    assert respond(question, context(*LIFE)) == NO_MODEL


@pytest.mark.parametrize(
    ("question", "items"),
    [
        ("What is my job?", ["You're a software engineer (9 November 2026)", "You work at Siemens (8 November 2026)"]),
        (
            "What do I do for a living?",
            ["You're a software engineer (9 November 2026)", "You work at Siemens (8 November 2026)"],
        ),
        (
            "Tell me about my sister",
            ["Your sister Maria lives in Rome (6 November 2026)", "Your sister Maria is a nurse (5 November 2026)"],
        ),
        (
            "Who is Maria?",
            ["Your sister Maria lives in Rome (6 November 2026)", "Your sister Maria is a nurse (5 November 2026)"],
        ),
        (
            "Do I have any health conditions?",
            ["You're allergic to peanuts (4 November 2026)", "You have asthma (21 November 2026)"],
        ),
    ],
)
def test_several_answers_become_a_short_list(question, items):
    """Where more than one memory answers, all of them are listed with their days."""
    lines = respond(question, context(*LIFE)).splitlines()
    assert lines[0] == "Here is what you told me:"
    assert sorted(lines[2:]) == sorted(f"- {item}" for item in items)


@pytest.mark.parametrize(
    ("question", "thing", "known"),
    [
        ("am I allergic to cats?", "cats", "You're allergic to peanuts"),
        ("Do I speak French?", "French", "You speak German and English"),
        ("Do I work at Google?", "Google", "You work at Siemens"),
    ],
)
def test_what_is_known_nearby_is_said(question, thing, known):
    """An unknown allergy, language or employer is not denied; what is known of the kind is told."""
    answer = respond(question, context(*LIFE))
    assert answer.startswith(f"I don't have anything about {thing} yet. What I know:")
    assert known in answer


@pytest.mark.parametrize("question", ["Can I eat peanut butter?", "What should I eat for dinner?"])
def test_advice_is_left_to_the_user_with_what_may_help(question):
    """Advice takes a model; memories that matter for it are still shown."""
    answer = respond(question, context(*LIFE))
    assert answer.startswith("I can't work that out without a language model.")
    assert "You're allergic to peanuts" in answer


def test_a_thing_of_the_world_is_not_explained_by_a_memory():
    """That somebody works at Siemens does not say what Siemens is."""
    answer = respond("What is Siemens?", context(*LIFE))
    assert answer.startswith(NO_MODEL)
    assert "You work at Siemens" in answer


def test_an_overview_lists_what_was_recalled():
    """A question for everything lists the derived memories, not the raw messages."""
    answer = respond("What do you know about me?", context(*LIFE))
    assert answer.startswith("Here is what I know about you:\n\n- You live in Lisbon (3 November 2026)")
    assert "blue tent" not in answer
    assert answer.count("\n- ") == 20


def test_an_empty_overview_says_so():
    """A new user is told that nothing is known yet."""
    assert respond("What do you know about me?", context()).startswith("I don't have anything about you yet.")


def test_a_message_answers_when_no_fact_does():
    """Where only a raw message says it, the message is quoted with its day."""
    answer = respond("What did I say about the tent?", context(*LIFE))
    assert answer == "On 2 November 2026 you wrote: “I bought a blue tent for the festival”"


def test_a_fact_is_preferred_to_the_message_it_came_from():
    """The message behind a fact is not told beside it."""
    memories = (episode("I live in Lisbon, by the way", day=9), recalled("I live in Lisbon", slot="home", day=9))
    assert respond("Where do I live?", context(*memories)) == "You live in Lisbon. You told me on 9 November 2026."


def test_an_earlier_question_is_no_answer():
    """A question that was asked before resembles the new one most and answers nothing."""
    assert respond("Where do I live?", context(episode("Where do I live?"))) == NOTHING_YET


def test_the_newer_of_two_homes_is_told():
    """A question with one answer at a time gets the newest."""
    memories = (recalled("I live in Lisbon", slot="home", day=2), recalled("I moved to Porto", slot="home", day=8))
    assert respond("Where do I live?", context(*memories)) == "You moved to Porto. You told me on 8 November 2026."


def test_two_dogs_are_both_named():
    """One name of a pet does not rule out another."""
    memories = [
        recalled(f"My dog is called {name}", MemoryType.RELATIONSHIP, entities=(name,)) for name in ("Rex", "Bella")
    ]
    answer = respond("What is my dog called?", context(*memories))
    assert "Rex" in answer
    assert "Bella" in answer


def test_memories_without_slots_answer_too():
    """What the user typed on the Memory page has no slot and is found by how it reads."""
    memories = (recalled("My brother lives in Oslo", MemoryType.RELATIONSHIP), recalled("I live near the river", day=6))
    assert respond("Where do I live?", context(*memories)) == "You live near the river. You told me on 6 November 2026."


def test_other_languages_are_quoted():
    """A memory in another language is quoted as it was said."""
    answer = respond("Wo wohne ich?", context(recalled("Ich wohne in Berlin", slot="home", day=5, language="de")))
    assert answer == "You told me on 5 November 2026: “Ich wohne in Berlin”"


def test_what_a_file_says_is_not_put_in_the_users_mouth():
    """A memory from an import is quoted with where it came from."""
    answer = respond(
        "Where do I live?", context(recalled("I live in Lisbon", slot="home", day=5, source=SourceKind.IMPORT))
    )
    assert answer == "“I live in Lisbon” (from an import, 5 November 2026)"


@pytest.mark.parametrize("question", ["What car do I have?", "Which car do I drive?", "What do I drive?"])
def test_driving_answers_what_car_somebody_has(question):
    """A memory that names no car but says what is driven answers the question."""
    driven = recalled("I drive a Toyota Corolla")
    assert respond(question, context(driven)).startswith("You drive a Toyota Corolla.")
