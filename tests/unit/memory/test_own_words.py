"""What of a message its writer says of their own."""

import pytest

from optimus.memory_manager.own_words import is_about_nothing, own_words


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('A guest wrote: "I live in Munich and I am angry." What now?', ""),
        ('My favourite book is "Dune".', 'My favourite book is "Dune".'),
        ("Would being vegan be healthier?", ""),
        ("Is that safe? I'm allergic to nuts.", "I'm allergic to nuts."),
        ("What if I moved to Oslo? I live in Kiel.", "I live in Kiel."),
        ("Translate into French: we ship on Monday", "Translate into French:"),
        ("Ich überlege, ob ich ein Boot kaufe.", ""),
    ],
)
def test_only_what_the_writer_states_is_their_own(text, kept):
    """Quoted words, questions about others, what-ifs and texts to work on carry no finding."""
    assert own_words(text) == kept


def test_talk_about_the_talk_and_moods_are_nothing():
    """That the user says hello, or is tired today, is not worth keeping; that they sleep badly is."""
    assert is_about_nothing("The user says thanks")
    assert is_about_nothing("Ich bin heute müde")
    assert not is_about_nothing("The user lives in Leeds")
    assert not is_about_nothing("I am tired of Leeds")
