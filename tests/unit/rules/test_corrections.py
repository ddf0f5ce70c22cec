"""Statements that end or replace something, requests to forget, and what `he` and `she` mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from optimus.memory_manager.rules.candidate import Candidate, CandidateKind
from optimus.memory_manager.rules.derivation import derive
from optimus.memory_manager.rules.revision import revised
from optimus.memory_manager.rules.rule import hashed

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)


def texts(message: str) -> list[str]:
    """Return what a message states."""
    return [
        each.text for each in derive(message, now=NOW) if each.kind is CandidateKind.REMEMBER and not each.only_ends
    ]


@pytest.mark.parametrize(
    ("message", "slots"),
    [
        ("My dog Rex died", ("pet.dog",)),
        ("our cat passed away last week", ("pet.cat",)),
        ("My grandmother Rosa has died", ("relative.grandmother",)),
        ("I broke up with Ana", ("partner", "marital")),
        ("My girlfriend and I split up", ("partner", "marital")),
        ("I got divorced from my husband Tom", ("partner", "marital")),
        ("My boyfriend left me", ("partner", "marital")),
        ("I'm single again", ("partner",)),
        ("I sold my car", ("possession.car",)),
        ("I'm retired now", ("employer",)),
    ],
)
def test_some_statements_end_more_than_they_answer(message, slots):
    """A death, a parting, a sale or a retirement names the slots that nothing answers any more."""
    (candidate,) = derive(message, now=NOW)
    assert candidate.ends is not None
    assert candidate.ends.slots == slots


@pytest.mark.parametrize(
    "message",
    ["I quit my job", "I lost my job last week", "I was laid off", "I got fired", "I resigned", "I'm between jobs"],
)
def test_losing_work_answers_where_somebody_works(message):
    """To be without work answers the question for the employer: it replaces one, and the next replaces it."""
    (candidate,) = derive(message, now=NOW)
    assert candidate.slot == "employer"


@pytest.mark.parametrize(
    "message",
    ["I don't live in Lisbon", "I don't work at Google", "I'm not a nurse", "We don't live in Braga", ("I'm not from "
                                                                                                      "Rome"),
     "My sister isn't a nurse"],
)  # fmt: skip
def test_a_plain_denial_only_ends(message):
    """That something is not so is no news by itself; it counts where it ends what was known."""
    (candidate,) = derive(message, now=NOW)
    assert candidate.only_ends
    assert candidate.negates


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("No, it's green", "green"),
        ("Correction: Faro", "Faro"),
        ("Sorry, it's 555 4321", "555 4321"),
        ("no, 35", "35"),
        ("Actually that's Bosch", "Bosch"),
        ("That's wrong. It's green.", "green"),
        ("I meant Faro", "Faro"),
        ("It's green, not blue", "green"),
        ("no, on 6 April", "on 6 April"),
    ],
)
def test_a_bare_correction_says_what_to_put_instead(message, text):
    """A marked correction without a subject of its own is kept as what it puts in the place of something."""
    (candidate,) = derive(message, now=NOW)
    assert (candidate.kind, candidate.text) == (CandidateKind.REVISE, text)


@pytest.mark.parametrize(
    "message",
    ["No thanks", "No, it's fine", "no problem", "Actually, never mind", "Sorry, that was me", "It's green", "No",
     "Wait, what?", "no, it's up to you", "Sorry, it's late", "No, is it green?"],
)  # fmt: skip
def test_what_only_sounds_like_a_correction_is_none(message):
    """Politeness, feelings and unmarked remarks put nothing in the place of anything."""
    assert derive(message, now=NOW) == []


def revision(text: str, *, of: str | None = None, part: str | None = None) -> Candidate:
    """Return a revision as the rules make it."""
    (made,) = derive(f"No, {f'their {part} is ' if part else ''}{text}{f', not {of}' if of else ''}", now=NOW)
    return made


@pytest.mark.parametrize(
    ("said", "slot", "new", "text"),
    [
        ("My favourite colour is blue", "favourite.colour", "green", "My favourite colour is green"),
        ("I live in Lisbon, Portugal", "home", "Faro", "I live in Faro"),
        ("I'm 34", "age", "35", "I'm 35"),
        ("My boss is called Karin", "person.boss.name", "Petra", "My boss is called Petra"),
        ("I was born in Braga", "birthplace", "Faro", "I was born in Faro"),
        ("My flight is on 3 May 2027", f"event.{hashed('flight')}", "on 4 May 2027", "My flight is on 4 May 2027"),
        ("I like coffee", f"like.{hashed('coffee')}", "tea", "I like tea"),
        ("I have a dentist appointment on 5 April 2027", None, "on 6 April 2027",
         "I have a dentist appointment on 6 April 2027"),
        ("My favourite colour is blue", "favourite.colour", "Bosch", None),
        ("I live in Lisbon", "home", "35", None),
        ("I'm 34", "age", "green", None),
        ("I like coffee", None, "tea", None),
        ("I live in Faro", "home", "Faro", None),
    ],
)  # fmt: skip
def test_a_correction_takes_the_place_of_what_it_fits(said, slot, new, text):
    """The new value stands where one of its kind stood and answers the same question; else nothing is made of it."""
    made = revised(revision(new), said, slot, now=NOW)
    assert (made.text if made else None) == text
    assert made is None or made.negates == said


def test_a_named_part_is_corrected_only_there():
    """`His name is Peter` corrects a name and nothing else."""
    named = revision("Peter", part="name")
    assert revised(named, "My boss is called Karin", "person.boss.name", now=NOW) is not None
    assert revised(named, "I live in Lisbon", "home", now=NOW) is None


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("forget that", "that"),
        ("Forget it!", "it"),
        ("please forget what I just said", "what i just said"),
        ("Can you forget the last thing I said?", "the last thing i said"),
        ("don't remember that", "that"),
        ("delete that last message", "that last message"),
        ("Oh dear. Forget that.", "that"),
        ("I like tea. Forget that.", ""),
    ],
)
def test_a_request_to_forget_what_was_said_last(message, what):
    """It names nothing: in a message of its own it means the one before, else what the same message said."""
    (candidate,) = derive(message, now=NOW)
    assert (candidate.kind, candidate.text) == (CandidateKind.FORGET_LAST, what)


@pytest.mark.parametrize(
    "message",
    ["I forgot that", "delete it", "remove that", "don't forget that", "did you forget that?", ("forget everything "
                                                                                               "about my "
     "ex"), "delete all about my job", "Don't save this"],
)  # fmt: skip
def test_what_is_no_request_to_forget_the_last_thing(message):
    """Orders that may mean a text, wholesale requests and remarks on forgetting forget nothing."""
    assert derive(message, now=NOW) == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("I love mondays... not!", []),
        ("Yeah right, I love mondays", []),
        ("Oh great, I love getting up at 5", []),
        ("I live on Mars. Just kidding!", []),
        ("I live in Lisbon. I work as a spy. Just kidding.", ["I live in Lisbon"]),
        ("I love mondays /s", []),
        ("I love mondays 🙄", []),
        ("I live in Lisbon, or do I?", []),
        ("The song goes: I live in America", []),
        ("My sister was a nurse. I work at Acme", ["My sister was a nurse", "I work at Acme"]),
        ("I really love jazz!", ["I really love jazz"]),
    ],
)
def test_irony_and_quotation_are_not_taken_at_their_word(message, expected):
    """What is marked as not meant, taken back, asked or somebody else's line is no fact."""
    assert texts(message) == expected


@pytest.mark.parametrize(
    "message", ["I'm Batman", "I'm Dead", "I'm Done", "I'm Tired", "I'm Groot", "I am Legion", "I'm God"]
)
def test_a_joke_is_no_name(message):
    """Heroes and states introduce nobody."""
    assert texts(message) == []


@pytest.mark.parametrize(("message", "is_weak"), [("I'm Ana", True), ("My name is Ana", False), ("Call me Ana", False)])
def test_only_a_name_that_is_called_one_replaces_another(message, is_weak):
    """`I'm Ana` fills an empty slot; naming oneself replaces what was there."""
    (candidate,) = derive(message, now=NOW)
    assert (candidate.slot, candidate.only_fills) == ("name", is_weak)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("My wife is Joana. Her birthday is on 12 June.", ["My wife is Joana", ("My wife Joana's birthday is on 12 "
                                                                               "June")]),
        ("I have a sister. She lives in Rome. Her name is Maria.",
         ["I have a sister", "My sister lives in Rome", "My sister's name is Maria"]),
        ("My dog is called Rex. He is 5 years old.", ["My dog is called Rex", "My dog Rex is 5 years old"]),
        ("My parents live in Faro. They are retired.", ["My parents live in Faro", "My parents are retired"]),
        ("I'm married to João. He is an engineer.", ["I'm married to João", "My partner João is an engineer"]),
        ("My boss is Karin and she lives in Rome", ["My boss is Karin", "My boss Karin lives in Rome"]),
        ("My sister Maria is a nurse. He lives in Rome.", ["My sister Maria is a nurse"]),
        ("My brother Tom works with Max. He lives in Rome.", ["My brother Tom works with Max"]),
        ("My brother Tom and my cousin Max are coming. He lives in Rome.", []),
        ("My sister Maria's husband is Tom. He is a pilot.", []),
        ("My brother is Tom. Somebody called. He is a doctor.", ["My brother is Tom"]),
        ("My mother lives in Braga. It is a city. She is a nurse.", ["My mother lives in Braga"]),
        ("She lives in Rome", []),
    ],
)  # fmt: skip
def test_a_pronoun_means_the_only_one_just_spoken_of(message, expected):
    """`She` and `her` are written out where one person fits; where another could be meant, nothing is derived."""
    assert texts(message) == expected


def test_a_number_ends_a_sentence():
    """`5.` before a capital is no abbreviation, unless a month follows."""
    assert texts("I'm 34. I live in Lisbon.") == ["I'm 34", "I live in Lisbon"]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("my mums birthday is 4 june", "My mum's birthday is 4 june"),
        ("ive got a girlfriend called Sarah", "I've got a girlfriend called Sarah"),
        ("i support leeds united", "I support leeds united"),
        ("I moved from Rome to Milan", "I moved from Rome to Milan"),
        ("I need to call the dentist on Friday", "I need to call the dentist on Friday 27 November 2026"),
        ("My husband quit his job", "My husband quit his job"),
    ],
)
def test_everyday_wordings_are_understood(message, text):
    """Left-out apostrophes, spoken forms and needs are read as what they mean."""
    assert texts(message) == [text]
