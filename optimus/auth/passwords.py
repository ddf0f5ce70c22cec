"""Which new passwords are taken, and how strong one is.

Length and commonness decide, not kinds of characters (OWASP ASVS 6.2). Commonness comes from `zxcvbn`
(https://www.usenix.org/conference/usenixsecurity16/technical-sessions/presentation/wheeler): lists of common
passwords, words and names, keyboard runs, sequences, repetitions and dates.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

from optimus.auth.hashing import MAX_PASSWORD_CHARS
from optimus.auth.names import username_key
from optimus.errors import PasswordRejectedError
from optimus.models import Value

MIN_PASSWORD_CHARS = 15
MIN_GUESSES_LOG10 = 10.0
"""Fewer guesses than 10^10 count as common."""

_PRODUCT = "optimus"
_JUDGED_CHARS = 100
_MAX_SYMBOLS = 10
_MIN_OWN_CHARS = 8
_STRONGER_FROM = (6.0, MIN_GUESSES_LOG10, 14.0, 18.0)
_LABELS = ("Very easy to guess", "Easy to guess", "Fair", "Strong", "Very strong")
_KNOWN_PHRASES = frozenset({"correcthorsebatterystaple", "tobeornottobethatisthequestion", "maytheforcebewithyou"})
_LEET_SYMBOLS = frozenset("4@8({[<369&#!1/|0$5+7%2")
_REASONS = {
    "dictionary": "It is made of very common words or a well-known password.",
    "spatial": "It follows keys that lie side by side on the keyboard.",
    "repeat": "It repeats the same part.",
    "sequence": "It is a run like abc or 123.",
    "regex": "Years and dates are easy to guess.",
    "date": "Years and dates are easy to guess.",
}
_WAY_OUT = " Add a few unrelated words, or use “Suggest a passphrase”."

_zxcvbn_lock = threading.Lock()


class PasswordStrength(Value):
    """How hard a password is to guess; from `score` 2 on it is taken."""

    score: int
    """0 (very easy) to 4 (very strong)."""
    label: str
    hint: str
    """What would make it better; empty when nothing is needed."""


class _Judgement(NamedTuple):
    guesses_log10: float
    reason: str


def check_password(password: str, *, username: str) -> None:
    """Take `password` as a new one for `username`, or say why not.

    Raises:
        PasswordRejectedError: its sentence names the reason and never the password.
    """
    reason = next(_broken_rules(password, username), "")
    if not reason:
        judgement = _judge(password, username)
        reason = judgement.reason + _WAY_OUT if judgement.guesses_log10 < MIN_GUESSES_LOG10 else ""
    if reason:
        raise PasswordRejectedError("password refused", user_message=reason)


def strength(password: str, username: str = "") -> PasswordStrength:
    """Rate `password` for the meter beside the field; its first 100 characters are judged."""
    if not password:
        return PasswordStrength(score=0, label="", hint=f"At least {MIN_PASSWORD_CHARS} characters.")
    reason = next(_broken_rules(password, username), "")
    if reason:
        label = "Too short" if _length(password) < MIN_PASSWORD_CHARS else "Not allowed"
        return PasswordStrength(score=0, label=label, hint=reason)
    judgement = _judge(password, username)
    score = sum(judgement.guesses_log10 >= bound for bound in _STRONGER_FROM)
    hint = judgement.reason + _WAY_OUT if judgement.guesses_log10 < MIN_GUESSES_LOG10 else ""
    return PasswordStrength(score=score, label=_LABELS[score], hint=hint)


def _broken_rules(password: str, username: str) -> Iterator[str]:
    """Yield the sentence of each exact rule that `password` breaks, the plainest first."""
    if len(password) > MAX_PASSWORD_CHARS:
        yield f"A password has at most {MAX_PASSWORD_CHARS:,} characters."
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        yield "The password contains characters that cannot be typed, such as a line break or a tab."
    length = _length(password)
    if length < MIN_PASSWORD_CHARS:
        yield f"A password has at least {MIN_PASSWORD_CHARS} characters; this one has {length}."
    plain = _letters_and_digits(password)
    if plain in _KNOWN_PHRASES:
        yield "This is a well-known phrase." + _WAY_OUT
    for word, name in ((_PRODUCT, "the product's name"), (_letters_and_digits(username_key(username)), "the username")):
        if word and word in plain and len(plain.replace(word, "")) < _MIN_OWN_CHARS:
            yield f"It is little more than {name}." + _WAY_OUT
    if _period(password) < MIN_PASSWORD_CHARS:
        yield _REASONS["repeat"] + _WAY_OUT


def _judge(password: str, username: str) -> _Judgement:
    """Estimate the guesses that `password` stands, as written and without what stands between its letters."""
    texts = {_judged_part(password), _judged_part(_letters_and_digits(password))} - {""}
    return min(_estimate(text, username) for text in texts) if texts else _Judgement(0.0, _REASONS["repeat"])


def _estimate(text: str, username: str) -> _Judgement:
    from zxcvbn import zxcvbn  # noqa: PLC0415 - 800 KB of word lists, needed only while a password is chosen

    # zxcvbn keeps the words of the present call in a module-level table.
    with _zxcvbn_lock:
        result: dict[str, Any] = zxcvbn(text, user_inputs=[username, _PRODUCT], max_length=_JUDGED_CHARS)
    longest = max(result["sequence"], key=lambda match: (match["pattern"] != "bruteforce", len(match["token"])))
    reason = _REASONS.get(longest["pattern"], _REASONS["dictionary"])
    return _Judgement(float(result["guesses_log10"]), reason)


def _judged_part(text: str) -> str:
    """Return the start of `text` that zxcvbn judges in bounded time.

    It tries each combination of letters that digits and symbols may stand for: with all 20 of them, 4 s for 100
    characters.
    """
    seen: set[str] = set()
    for end, character in enumerate(text[:_JUDGED_CHARS]):
        seen.update({character} & _LEET_SYMBOLS)
        if len(seen) > _MAX_SYMBOLS:
            return text[:end]
    return text[:_JUDGED_CHARS]


def _length(password: str) -> int:
    return len(unicodedata.normalize("NFC", password))


def _letters_and_digits(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _period(text: str) -> int:
    """Return the length of the shortest part whose repetition, perhaps cut off at the end, is `text`."""
    borders = [0] * len(text)
    for end in range(1, len(text)):
        border = borders[end - 1]
        while border and text[border] != text[end]:
            border = borders[border - 1]
        borders[end] = border + (text[border] == text[end])
    return len(text) - borders[-1]
