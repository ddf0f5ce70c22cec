"""Show what the user wrote inside an answer without letting it become Markdown, HTML or a link."""

from __future__ import annotations

import re

MAX_SHOWN_CHARS = 600

_LINKISH = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,20}://|www\.|mailto:|data:|javascript:)[^\s<>\[\]`\"]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    re.IGNORECASE,
)
_MARKS = re.compile(r"([\\*_\[\]~|$`])")
_LINE_START = re.compile(r"^(\s*)([#+=>-]|\d{1,9}[.)])")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def shown(text: str) -> str:
    """Return text that renders as itself: one line, marks escaped, addresses as code, at most 600 characters.

    Addresses become code spans, since renderers turn bare ones into links after escapes are resolved.
    """
    text = re.sub(r"\s+", " ", _CONTROLS.sub(" ", text)).strip()
    if len(text) > MAX_SHOWN_CHARS:
        text = text[: MAX_SHOWN_CHARS - 1].rstrip() + "…"
    pieces: list[str] = []
    end = 0
    for match in _LINKISH.finditer(text):
        pieces += [_escaped(text[end : match.start()]), _as_code(match[0])]
        end = match.end()
    pieces.append(_escaped(text[end:]))
    return _LINE_START.sub(_held, "".join(pieces))


def _escaped(text: str) -> str:
    text = _MARKS.sub(r"\\\1", _ENTITY.sub("&amp;", text))
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _as_code(address: str) -> str:
    return f"`{address}`"


def _held(match: re.Match[str]) -> str:
    mark = match[2]
    return f"{match[1]}{mark[:-1]}\\{mark[-1]}"
