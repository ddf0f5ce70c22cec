"""From a message to the sentences that its writer says: bounded, without code, quotations and quoted lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_HEAD_CHARS = 3_000
MAX_TAIL_CHARS = 1_500
MAX_SENTENCE_CHARS = 400
"""Longer ones are left to the episode: rules see no sentence in them, only a pasted text."""
LONG_MESSAGE_CHARS = 1_500
"""From here on a message is probably a pasted document."""

_HELD = 0xE000
_MAX_QUOTATIONS = 1_000
_LABEL_WORDS = 3
_LABEL_CHARS = 40
_HELD_CHARS = re.compile("[\ue000-\uf8ff]")
_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_QUOTED_LINE = re.compile(r"^[ \t]*(?:>|\|).*$", re.MULTILINE)
_QUOTATION = re.compile(
    r"`[^`\n]{1,300}`|\"[^\"\n]{1,300}\"|“[^”\n]{1,300}”|„[^“”\n]{1,300}[“”]|«[^»\n]{1,300}»|»[^«\n]{1,300}«|"
    r"(?<!\w)'[^'\n]{1,200}'(?!\w)|(?<!\w)‘[^’\n]{1,200}’(?!\w)"
)
_END = re.compile(r"(?P<mark>[.!?…]+)(?=[\"')\]]?(?:\s|$))|\n+|;(?=\s)|(?<=\s)[•●](?=\s)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:dr|mr|mrs|ms|st|prof|vs|etc|no|approx|jr|sr|dept|inc|ltd|co|bros|mt|ft|e\.g|i\.e|a\.m|p\.m|u\.s|u\.k|"
    r"z\.b|bzw|ca|sra|sr|dra|mme|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec)|\b[A-Z]|\b(?P<day>\d{1,2}))\.$",
    re.IGNORECASE,
)
_MONTH = re.compile(r"(?:Jan|Feb|M[aä]r|Apr|Ma[iy]|Jun|Jul|Aug|Sep|O[kc]t|Nov|De[zc])[a-zä]*\b")
_BULLET = re.compile(r"^\s*(?:[-*•●+]|\d{1,2}[.)])\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence; quotations in it are held back as private-use characters."""

    text: str
    asks: bool
    """It ends with a question mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The sentences of a message, and the quotations that were held back."""

    sentences: tuple[Sentence, ...]
    quotations: tuple[str, ...]
    is_long: bool

    def restore(self, text: str) -> str:
        """Put the quotations back where they stood."""
        return _HELD_CHARS.sub(lambda m: self.quotations[ord(m[0]) - _HELD], text)


def has_quotation(text: str) -> bool:
    """Tell whether a quotation was taken out of this text."""
    return _HELD_CHARS.search(text) is not None


def read(message: str) -> Reading:
    """Split a message into sentences; of a long one only the head and the tail are looked at."""
    text = _HELD_CHARS.sub(" ", bounded(message).replace("\r\n", "\n"))
    text = _QUOTED_LINE.sub("\n", _CODE.sub("\n", text))
    quotations: list[str] = []

    def hold(match: re.Match[str]) -> str:
        inner = match[0][1:-1].strip()
        if _is_label(inner):
            return inner
        if len(quotations) >= _MAX_QUOTATIONS:
            return " "
        quotations.append(match[0])
        return chr(_HELD + len(quotations) - 1)

    text = _QUOTATION.sub(hold, text).replace("’", "'").replace("‘", "'")
    return Reading(
        sentences=tuple(_sentences(text)), quotations=tuple(quotations), is_long=len(message) > LONG_MESSAGE_CHARS
    )


def bounded(message: str) -> str:
    """Return the beginning and the end of a long message, so that the work does not grow with it."""
    if len(message) <= MAX_HEAD_CHARS + MAX_TAIL_CHARS:
        return message
    head, tail = message[:MAX_HEAD_CHARS], message[-MAX_TAIL_CHARS:]
    if "```" in message:
        return head
    return f"{head}…\n…{tail}"


def _is_label(inner: str) -> bool:
    """Tell whether quotation marks only set off a name or a title (`my dog is called "Rex"`)."""
    words = inner.split()
    return (
        len(words) <= _LABEL_WORDS
        and len(inner) <= _LABEL_CHARS
        and inner[:1].isupper()
        and words[0] not in {"I", "I'm", "My", "I’m"}
    )


def _sentences(text: str) -> Iterator[Sentence]:
    start = 0
    for match in _END.finditer(text):
        mark = match["mark"] or ""
        short = _ABBREVIATION.search(text[max(0, match.start() - 8) : match.end()]) if mark == "." else None
        if short and _goes_on(text, match.start(), match.end(), is_day=short["day"] is not None):
            continue
        yield from _one(text[start : match.end()], asks="?" in mark)
        start = match.end()
    yield from _one(text[start:], asks=False)


def _goes_on(text: str, start: int, end: int, *, is_day: bool) -> bool:
    """Tell whether a sentence goes on after an abbreviation; after a number, only where it is the day of a month."""
    following = text[end : end + 12].strip()
    if not following:
        return False
    if is_day:
        return not following[0].isupper() or _MONTH.match(following) is not None
    return not (following[0].isupper() and text[start - 2 : start].lower() == ".m")


def _one(text: str, *, asks: bool) -> Iterator[Sentence]:
    bare = _BULLET.sub("", re.sub(r"\s+", " ", text)).strip().rstrip(".!?…; ").strip()
    if 1 < len(bare) <= MAX_SENTENCE_CHARS:
        yield Sentence(text=bare, asks=asks)
