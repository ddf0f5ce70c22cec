"""Whether a text commands an assistant: such a text never becomes a trusted memory by itself.

A memory stands in later prompts, so an order in it would act long after it was read (memory poisoning). The patterns
name what published attacks have in common: setting rules aside, obligations of an assistant, orders for a later
occasion, forged roles, rights, secrecy before the user, data sent away, also where they are hidden or encoded. Each
takes time that grows with the length of the text and no faster.
"""

from __future__ import annotations

import base64
import codecs
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress

from optimus.memory_manager.order_patterns import COMMANDS
from optimus.models import MAX_MESSAGE_CHARS

MAX_CHARS = MAX_MESSAGE_CHARS
"""So much of a text is read: all of a message, and more than any other memory holds."""
_BEFORE = 40
"""So many characters before an order tell whether somebody only speaks of it."""
_MAX_ENCODED = 40
"""So many encoded pieces of a text are opened."""
_HIDDEN = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_OVERRIDE = re.compile("[\u202d\u202e]([^\u202c\n]*)")
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_FLAG = "\U0001f3f4"
_LOOK_ALIKES = str.maketrans("аеорсухіјѕһԁАВЕКМНОРСТХІЈЅαοενΑΒΕΗΙΚΜΝΟΡΤΧ", "aeopcyxijshdABEKMHOPCTXIJSaoevABEHIKMNOPTX")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX = re.compile(r"\b(?:[0-9a-fA-F]{2}){12,}\b")
_ROT13 = re.compile(r"\brot-?13\b", re.IGNORECASE)

_TELLING = re.compile(
    r"(?:\b(?:i|we|he|she|they|who|kids|children|people|everybody|nobody|sister|brother|teacher|boss|friend|"
    r"neighbour|father|mother|guide|"
    r"says|said|that)|[’']s)(?: (?:\w+ )?| )$",
    re.IGNORECASE,
)
"""Before a match: somebody tells of it."""


def instructs(text: str) -> bool:
    """Tell whether a text commands an assistant, openly, hidden or encoded."""
    shown = text[:MAX_CHARS]
    return any(_commands(reading) for reading in _readings(shown))


def _commands(text: str) -> bool:
    plain = "\n".join(" ".join(words) for line in text.splitlines() if (words := line.split()))
    return any(
        not _TELLING.search(plain[max(0, found.start() - 40) : found.start()]) for found in COMMANDS.finditer(plain)
    )


def _readings(text: str) -> Iterator[str]:
    """Yield a text as it reads, and what is hidden in it."""
    for found in _TAGS.finditer(text):
        if not text[: found.start()].endswith(_FLAG):
            yield "".join(chr(ord(sign) - 0xE0000) for sign in found[0])
    for found in _OVERRIDE.finditer(text):
        yield found[1][::-1]
    plain = unicodedata.normalize("NFKC", _HIDDEN.sub("", text))
    yield plain
    if not plain.isascii():
        yield plain.translate(_LOOK_ALIKES)
    if _ROT13.search(plain):
        yield codecs.decode(plain, "rot13")
    yield from _decoded(plain)


def _decoded(text: str) -> Iterator[str]:
    """Yield what stands in base64 and hexadecimal pieces, where that is text."""
    pieces = [found[0] for found in (*_BASE64.finditer(text), *_HEX.finditer(text))]
    for piece in pieces[:_MAX_ENCODED]:
        for decode in (_from_base64, bytes.fromhex):
            with suppress(ValueError):
                yield decode(piece).decode()


def _from_base64(piece: str) -> bytes:
    digits = piece.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
