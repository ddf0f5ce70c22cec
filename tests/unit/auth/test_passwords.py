import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from optimus.auth.passphrase import WORDS, suggest_passphrase
from optimus.auth.passwords import MIN_PASSWORD_CHARS, check_password, strength
from optimus.errors import PasswordRejectedError

GOOD = "violin-harbour-94-mossy kettle"


def _reason(password: str, username: str = "ann") -> str:
    with pytest.raises(PasswordRejectedError) as caught:
        check_password(password, username=username)
    return caught.value.user_message


@pytest.mark.parametrize("length", [1, 7, 8, 14])
@pytest.mark.parametrize("alphabet", ["kz7q-Wm2xY!tRb5", "🐘🦜🎻🪁🧵🌋🛶🧭🪵🫐🥁🪶🎏🧊🪨"])
def test_less_than_fifteen_characters_is_refused_with_the_count(length, alphabet):
    """The shortest password has 15 code points, whatever they are, and the sentence says how many were typed."""
    assert f"at least 15 characters; this one has {length}." in _reason(alphabet[:length])


@pytest.mark.parametrize("length", [15, 64, 128, 1_024])
@pytest.mark.parametrize("step", [7, 4_001])
def test_long_passwords_of_any_characters_are_taken(length, step):
    """From 15 to 1,024 code points everything uncommon is taken; no kinds of characters are demanded."""
    pool = [chr(code) for code in range(0x4E00, 0x9FA5)]
    check_password("".join(pool[(i * i * step + i) % len(pool)] for i in range(length)), username="ann")


def test_combining_marks_count_in_their_composed_form():
    """Length is counted after NFC: fifteen keystrokes that make eight letters are eight."""
    assert "this one has 8." in _reason("e\u0301" * 7 + "x")


def test_more_than_1024_characters_is_refused():
    """A bound on length keeps hashing cheap."""
    assert "at most 1,024" in _reason("kZ7q" * 257)


@pytest.mark.parametrize("character", ["\x00", "\n", "\t", "\x7f", "\x85", "\ud800"])
def test_characters_that_cannot_be_typed_are_refused(character):
    """Control characters and lone surrogates never enter a stored password."""
    assert "cannot be typed" in _reason(GOOD + character)


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("passwordpassword", "repeats"),
        ("aaaaaaaaaaaaaaaaaaaa", "repeats"),
        ("abcabcabcabcabcabc", "repeats"),
        ("abcdefghijklmnopqrst", "run like abc"),
        ("0123456789abcdefgh", "run like abc"),
        ("qwertyuiop[]asdfgh", "common"),
        ("p a s s w o r d 1 2 3 4", "common"),
        ("ThisIsMyPassword123", "common"),
        ("administrator123", "common"),
        ("12/05/1990 12/05/1991", "dates"),
        ("correct horse battery staple", "well-known phrase"),
        ("Optimus-Optimus-24", "product's name"),
        ("marie.curie-2024!", "username"),
    ],
)
def test_common_passwords_are_refused_and_the_sentence_names_the_reason(password, word):
    """Lists, keyboard runs, sequences, repetitions, dates and the words of the context are too easy to guess."""
    sentence = _reason(password, username="Marie.Curie")
    assert word in sentence
    assert password not in sentence


def test_three_thousand_common_passwords_of_allowed_length_are_refused():
    """Every known common password of 15 characters, and short ones doubled or prolonged to that length, are refused."""
    common = FREQUENCY_LISTS["passwords"]
    long_enough = [word for word in common if len(word) >= MIN_PASSWORD_CHARS]
    doubled = (word * (-(-MIN_PASSWORD_CHARS // len(word))) for word in common)
    prolonged = (word + "12345678901234567890"[: max(0, MIN_PASSWORD_CHARS - len(word))] for word in common)
    candidates = [*long_enough, *islice(doubled, 1_500), *islice(prolonged, 1_500)]
    assert len(candidates) >= 3_000
    taken = [word for word in candidates if not _is_refused(word)]
    assert taken == []


def _is_refused(password: str) -> bool:
    try:
        check_password(password, username="somebody")
    except PasswordRejectedError:
        return True
    return False


def test_the_meter_agrees_with_the_rule():
    """From score 2 on a password is taken, below it is not, and a refused one says what to do."""
    for password in ("", "short", "passwordpassword", "this is my password", "my dog is called Rex", GOOD):
        rated = strength(password, "ann")
        assert (rated.score >= 2) == (not _is_refused(password))
        assert bool(rated.hint) == (rated.score < 2)


def test_the_meter_climbs_with_the_work_of_guessing():
    """A longer choice of unrelated words rates at least as high."""
    scores = [strength(password).score for password in ("this is my password", "my dog is called Rex", GOOD)]
    assert scores == sorted(scores)
    assert scores[-1] == 4
    assert strength("kZ7q").label == "Too short"


def test_the_username_counts_as_a_word_that_everybody_knows():
    """The same password is weaker for the account whose name it holds."""
    password = "zbigniewbrzezinski-2024"
    assert strength(password, "zbigniewbrzezinski").score < strength(password, "ann").score


def test_parallel_meters_do_not_mix_their_context_words():
    """The rating keeps context words in a global table; one user's name must not weaken another's password."""
    password = "zbigniewbrzezinski9"
    alone = {name: strength(password, name) for name in ("zbigniew", "somebody")}
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda name: (name, strength(password, name)), ["zbigniew", "somebody"] * 20))
    assert all(rated == alone[name] for name, rated in results)


@pytest.mark.parametrize("password", ["4@8({[<369&#!1/|0$5+7%2" * 40, "19" * 500, "4@" * 500, "a1!" * 300])
def test_rating_hostile_input_takes_bounded_time(password):
    """Symbols that stand for letters and endless repetitions cannot make the meter hang."""
    started = time.process_time()
    strength(password)
    assert time.process_time() - started < 2


def test_a_suggested_passphrase_passes_its_own_rules():
    """Every suggestion has six words of the list, is new, and rates as very strong."""
    suggestions = [suggest_passphrase() for _ in range(30)]
    assert len(set(suggestions)) == 30
    for suggestion in suggestions:
        assert len(suggestion.split("-")) == WORDS
        check_password(suggestion, username="ann")
        assert strength(suggestion, "ann").score == 4
