"""How a text reads once what hides it is taken away: invisible signs, encodings, spacing, look-alike letters."""

from __future__ import annotations

import base64
import codecs
import html
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

_MAX_ENCODED = 40
"""So many encoded pieces of a text are opened."""
_HIDDEN = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_OVERRIDE = re.compile("[\u202d\u202e]([^\u202c\n]*)")
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_FLAG = "\U0001f3f4"
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
"""Variation selectors in a row: each stands for a byte."""
_LAST_PLAIN = 0xFE0F
_INVISIBLE_BITS = re.compile("[\u200b\u200c]{32,}")
_LOOK_ALIKES = str.maketrans("аеорсухіјѕһԁАВЕКМНОРСТХІЈЅαοενΑΒΕΗΙΚΜΝΟΡΤΧ", "aeopcyxijshdABEKMHOPCTXIJSaoevABEHIKMNOPTX")
_DIGITS = str.maketrans("013457", "oieast")
"""Digits that are written for letters."""
_MIXED = re.compile(r"\b(?=\w{0,20}[a-z])(?=\w{0,20}[013457])\w{3,20}\b", re.IGNORECASE)
_LEAST_MIXED = 4
"""So many words with digits among their letters make a text one that hides."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX = re.compile(r"\b(?:0x)?(?:[0-9a-fA-F]{2}){12,}\b")
_ESCAPES = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
_ENTITY = re.compile(r"&(?:#x?[0-9a-fA-F]{1,6}|[a-z]{2,8});")
_SPACED = re.compile(r"(?:\w[.,'’]? ){6,}\w")
_SHORT = 11
"""A word whose letters stand apart may have so few signs that it cannot be told from others."""
_ROT13 = re.compile(r"\brot-?13\b", re.IGNORECASE)


def readings(text: str) -> Iterator[str]:
    """Yield a text as it reads, and what is hidden in it. Takes time that grows with its length and no faster."""
    plain = text
    if not text.isascii():
        yield from _signalled(text)
        plain = unicodedata.normalize("NFKC", _HIDDEN.sub("", text))
        yield plain.translate(_LOOK_ALIKES)
    yield plain
    if _ROT13.search(plain):
        yield codecs.decode(plain, "rot13")
    if len(_MIXED.findall(plain)) >= _LEAST_MIXED:
        yield plain.translate(_DIGITS)
    if _SPACED.search(plain):
        yield _closed_up(plain)
    yield from _unescaped(plain)
    yield from _decoded(plain)


def _signalled(text: str) -> Iterator[str]:
    """Yield what invisible signs spell, each a letter, a byte or a bit, and what is written backwards."""
    for found in _TAGS.finditer(text):
        if not text[: found.start()].endswith(_FLAG):
            yield "".join(chr(ord(sign) - 0xE0000) for sign in found[0])
    for found in _OVERRIDE.finditer(text):
        yield found[1][::-1]
    for found in _SELECTORS.finditer(text):
        codes = [ord(sign) for sign in found[0]]
        for first in (16, 0):
            spelt = (code - 0xFE00 if code <= _LAST_PLAIN else code - 0xE0100 + first for code in codes)
            yield bytes(octet % 256 for octet in spelt).decode(errors="replace")
    for found in _INVISIBLE_BITS.finditer(text):
        for zero in "\u200b\u200c":
            bits = "".join("0" if sign == zero else "1" for sign in found[0])
            octets = bytes(int(bits[place : place + 8], 2) for place in range(0, len(bits) - 7, 8))
            yield octets.decode(errors="replace")


def _unescaped(text: str) -> Iterator[str]:
    """Yield a text without the escapes of web pages, addresses and program code."""
    if _ENTITY.search(text):
        yield html.unescape(text)
    if _PERCENT.search(text):
        yield unquote(text, errors="replace")
    if _ESCAPES.search(text):
        yield _ESCAPES.sub(lambda found: chr(int(found[1] or found[2], 16)), text)


def _closed_up(text: str) -> str:
    """Return a text whose letters stand apart with its words closed up; wider gaps part the words."""
    words = re.split(r" {2,}|\n| / ", text)
    return " ".join(word.replace(" ", "") if _SPACED.search(word) or len(word) <= _SHORT else word for word in words)


def _decoded(text: str) -> Iterator[str]:
    """Yield what stands in base64 and hexadecimal pieces, where that is text."""
    pieces = [found[0] for found in (*_BASE64.finditer(text), *_HEX.finditer(text))]
    for piece in pieces[:_MAX_ENCODED]:
        for decode in (_from_base64, bytes.fromhex):
            with suppress(ValueError):
                yield decode(piece.removeprefix("0x")).decode()


def _from_base64(piece: str) -> bytes:
    digits = piece.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
