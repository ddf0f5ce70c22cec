"""First person to second person."""

from __future__ import annotations

import pytest

from optimus.llm_handler.offline.second_person import is_english, second_person, within_sentence

TURNED = [
    ("I live in Lisbon", "You live in Lisbon"),
    ("I'm allergic to peanuts", "You're allergic to peanuts"),
    ("I’m 34", "You're 34"),
    ("I am vegan", "You are vegan"),
    ("I was born in Porto", "You were born in Porto"),
    ("I wasn't born in Porto", "You weren't born in Porto"),
    ("I usually am late", "You usually are late"),
    ("I've moved to Porto", "You've moved to Porto"),
    ("I'd like to be called Annie", "You'd like to be called Annie"),
    ("I'll fly on 3 May 2027", "You'll fly on 3 May 2027"),
    ("My sister Maria is a nurse", "Your sister Maria is a nurse"),
    ("My wife and I live in Braga", "Your wife and you live in Braga"),
    ("We live in Rome with our dog", "You live in Rome with your dog"),
    ("We're flying to Rome", "You're flying to Rome"),
    ("That bike is mine", "That bike is yours"),
    ("I work in a coal mine", "You work in a coal mine"),
    ("I taught myself German", "You taught yourself German"),
    ("Ana gave me a book", "Ana gave you a book"),
    ("I moved to the US with my son", "You moved to the US with your son"),
    ("I lived in the us", "You lived in the us"),
    ("She drove us home", "She drove you home"),
    ("I read about World War I", "You read about World War I"),
    ("I have type I diabetes", "You have type I diabetes"),
    ("So am I", "So are you"),
    ("I run at 10 am", "You run at 10 am"),
    ("I have ME", "You have ME"),
    ('My motto is "I do what I can"', 'Your motto is "I do what I can"'),
    ("I want you to answer in German", "You want me to answer in German"),
    ("Call me Ana", "You want me to call you Ana"),
    ("Answer in short sentences", "You want me to answer in short sentences"),
    ("Always answer in French", "You want me to always answer in French"),
    ("Don't use emojis", "You want me to never use emojis"),
    ("I think you are nice", "You think I am nice"),
    ("I like your name", "You like my name"),
    ("The spare key is under the mat", "The spare key is under the mat"),
    ("my-sql is my database", "My-sql is your database"),
    ("I live in Lisbon.", "You live in Lisbon"),
    ("Minea is my town", "Minea is your town"),
]


@pytest.mark.parametrize(("first", "second"), TURNED)
def test_the_user_is_addressed(first, second):
    """What the user said of themselves is said to them, and nothing else changes."""
    assert second_person(first) == second


@pytest.mark.parametrize(
    ("sentence", "inside"),
    [
        ("You're Ana", "you're Ana"),
        ("Your dog", "your dog"),
        ("Rex is your dog", "Rex is your dog"),
        ("The key", "the key"),
    ],
)
def test_a_sentence_goes_on_after_a_colon(sentence, inside):
    """Only words that are no names lose their capital."""
    assert within_sentence(sentence) == inside


@pytest.mark.parametrize(
    "text",
    [
        "Ich wohne in Berlin",
        "J'habite à Lyon",
        "Vivo en Madrid",
        "Me he mudado a Sevilla",
        "Moro em Lisboa",
        "Abito a Roma",
    ],
)
def test_other_languages_are_known_as_such(text):
    """Only English is turned round."""
    assert not is_english(text)


@pytest.mark.parametrize(
    "text", ["I live in Berlin", "My ma lives here", "Maria is my sister", "The key is here", "Mine is red"]
)
def test_english_is_known_as_such(text):
    """English sentences are turned round."""
    assert is_english(text)
