"""Reading questions."""

from __future__ import annotations

import pytest

from optimus.llm_handler.offline.question import Form, read_question


@pytest.mark.parametrize(
    ("prompt", "form", "about_user"),
    [
        ("Where do I live?", Form.WHERE, True),
        ("where am i from", Form.WHERE, True),
        ("Am I vegan?", Form.YES_NO, True),
        ("Do you know my sister's name?", Form.WHO, True),
        ("Who is Maria?", Form.WHO, False),
        ("When is my flight?", Form.WHEN, True),
        ("How many cats do I have?", Form.HOW_MANY, True),
        ("What is the capital of France?", Form.WHAT, False),
        ("What should I eat?", Form.ADVICE, False),
        ("How do I sort a list?", Form.ADVICE, False),
        ("Tell me about my sister", Form.WHAT, True),
        ("I can't remember where my key is", Form.WHERE, True),
        ("I live in Rome. Where does Ana live?", Form.WHERE, False),
        ("I'm allergic to nuts, what do I like?", Form.WHAT, True),
        ("Wo wohne ich?", Form.WHERE, True),
    ],
)
def test_a_question_is_read(prompt, form, about_user):
    """The form of the answer wanted, and whether it is about the user's own things, are told from the words."""
    question = read_question(prompt)
    assert question is not None
    assert (question.form, question.about_user) == (form, about_user)


@pytest.mark.parametrize(
    "prompt",
    ["I live in Lisbon", "hello", "Remember that I'm vegan", "Don't forget the milk", "Have a nice day", "Thanks", ""],
)
def test_a_statement_is_no_question(prompt):
    """Statements, greetings and orders ask nothing."""
    assert read_question(prompt) is None


@pytest.mark.parametrize(
    "prompt",
    [
        "What do you know about me?",
        "what do you remember",
        "Tell me everything you know about me",
        "What have I told you so far?",
        "What have you learned about me?",
        "who am I?",
        "show me what you know about me",
    ],
)
def test_an_overview_is_asked_for(prompt):
    """Different ways to ask for everything are understood."""
    question = read_question(prompt)
    assert question is not None
    assert question.is_overview


@pytest.mark.parametrize(
    "prompt", ["What do you know about my sister?", "Do you know where I live?", "What do you know about Rome?"]
)
def test_a_narrow_question_is_no_overview(prompt):
    """A question about one thing is not answered with everything."""
    question = read_question(prompt)
    assert question is not None
    assert not question.is_overview
