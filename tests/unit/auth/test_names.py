import pytest

from optimus.auth.names import check_username, username_key
from optimus.errors import InvalidInputError


@pytest.mark.parametrize("name", ["ann", "Ann-Marie.2", "日本語", "Ольга", "josé_9", "हिन्दी", "a" * 32])
def test_names_of_any_script_are_taken(name):
    """Letters and digits of any script, with dots, hyphens and underscores between them, make a username."""
    assert check_username(name) == name


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("", "enter a username"),
        ("   ", "enter a username"),
        ("ab", "at least 3"),
        ("a" * 33, "at most 32"),
        ("a" * 1_000_000, "at most 32"),
        ("ann lee", "only letters"),
        ("ann@home", "only letters"),
        ("ann\x00", "only letters"),
        ("ann\nlee", "only letters"),
        ("ann\ud800", "only letters"),
        ("ann\u200bx", "only letters"),
        ("<b>ann</b>", "only letters"),
        (".ann", "starts and ends"),
        ("ann-", "starts and ends"),
        ("\u0301ann", "starts and ends"),
        ("\u0430nn", "alphabets"),
    ],
)
def test_a_refused_name_gets_a_sentence_that_names_the_rule(name, word):
    """Each rule has its own sentence."""
    with pytest.raises(InvalidInputError) as caught:
        check_username(name)
    assert word in caught.value.user_message


def test_compatibility_characters_are_unified_and_spaces_removed():
    """What is shown is NFKC: full-width letters and ligatures cannot make a second name that looks the same."""
    assert check_username("  Ａｎｎ ") == "Ann"
    assert check_username("ﬁona") == "fiona"


@pytest.mark.parametrize(
    "names", [("Ann", "ANN", " ann "), ("Ａｎｎ", "ann"), ("straße", "STRASSE"), ("jose\u0301", "JOSÉ")]
)
def test_names_that_read_the_same_have_one_key(names):
    """Uniqueness ignores case and compatibility forms."""
    assert len({username_key(name) for name in names}) == 1


def test_the_shown_form_has_the_key_of_what_was_typed():
    """Registering and signing in find each other whatever form was typed."""
    for typed in ("  Ａｎｎ ", "STRASSE", "ﬁona"):
        assert username_key(check_username(typed)) == username_key(typed)
