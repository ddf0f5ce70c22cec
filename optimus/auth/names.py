"""Usernames: what they may look like, and when two of them are the same."""

from __future__ import annotations

import unicodedata

from optimus.errors import InvalidInputError

MIN_USERNAME_CHARS = 3
MAX_USERNAME_CHARS = 32

_MARKS = "._-"
_LOOKALIKE_ALPHABETS = frozenset({"LATIN", "CYRILLIC", "GREEK"})


def check_username(name: str) -> str:
    """Return the form of `name` that is shown: compatibility characters unified (NFKC), outer spaces removed.

    Letters and digits of any script are allowed. Latin, Cyrillic and Greek letters may not be mixed in one name,
    because that makes two different names look alike.

    Raises:
        InvalidInputError: the sentence says which rule the name breaks.
    """
    if len(name) > 4 * MAX_USERNAME_CHARS:
        raise _refusal(f"A username has at most {MAX_USERNAME_CHARS} characters.")
    shown = unicodedata.normalize("NFKC", name).strip()
    if not shown:
        raise _refusal("Please enter a username.")
    if len(shown) < MIN_USERNAME_CHARS:
        raise _refusal(f"A username has at least {MIN_USERNAME_CHARS} characters.")
    if len(shown) > MAX_USERNAME_CHARS:
        raise _refusal(f"A username has at most {MAX_USERNAME_CHARS} characters.")
    if not all(_is_word_character(character) or character in _MARKS for character in shown):
        raise _refusal("A username has only letters, digits, dots, hyphens and underscores.")
    if not (shown[0].isalnum() and _is_word_character(shown[-1])):
        raise _refusal("A username starts and ends with a letter or a digit.")
    if len(_alphabets(shown)) > 1:
        raise _refusal("A username cannot mix letters of different alphabets that look alike.")
    return shown


def username_key(name: str) -> str:
    """Return the form by which names are compared: `Ann`, `ANN` and full-width `Ａｎｎ` are one name."""
    folded = unicodedata.normalize("NFKC", name).strip().casefold()
    return unicodedata.normalize("NFKC", folded)


def _is_word_character(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM" or unicodedata.category(character) == "Nd"


def _alphabets(name: str) -> set[str]:
    first_words = {unicodedata.name(character, "").partition(" ")[0] for character in name}
    return first_words & _LOOKALIKE_ALPHABETS


def _refusal(sentence: str) -> InvalidInputError:
    return InvalidInputError("username refused", user_message=sentence)
