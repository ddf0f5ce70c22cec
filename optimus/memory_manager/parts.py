"""A file as the parts that are remembered: each with its page, or the headings that it stands under."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from optimus.errors import InvalidInputError
from optimus.memory_manager.masking import mask
from optimus.pdf_text import PdfError, PdfProblem, pages_of

MEGABYTE = 1024 * 1024
MAX_FILE_BYTES = 20 * MEGABYTE
MAX_PARTS = 2_000
PART_CHARS = 1_000
"""A part is found by one vector: much more text than this would blur it."""
SUFFIXES = ("txt", "md", "pdf")
_MARKDOWN = frozenset({".md", ".markdown"})
_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*\s*$")
_FENCE = re.compile(r"\s*(```|~~~)")
_BLANK = re.compile(r"\n\s*\n")
_SENTENCE_END = re.compile(r"(?<=[.!?…。])\s+|\n+")
_PDF_SENTENCES = {
    PdfProblem.LOCKED: "This PDF is protected with a password. Save it without one, and add it again.",
    PdfProblem.BROKEN: "This PDF cannot be read. It may be damaged.",
    PdfProblem.TOO_LONG: "This PDF is too long. Split it, and add the parts.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of a file that is remembered as one."""

    text: str
    heading: str = ""
    """The headings above it, the outermost first, joined by ` › `."""
    page: int | None = None
    """From 1; None where the file has no pages."""


def parts_of(name: str, content: bytes) -> list[Part]:
    """Cut a file into parts of at most `PART_CHARS` characters; none spans a heading or a page.

    Secrets are masked before that: half of a private key is not known for one.

    Args:
        name: The file's name; its ending says what it is.
        content: The file.

    Raises:
        InvalidInputError: it is too large, of another kind, damaged, or holds no text; the sentence says which.
    """
    if len(content) > MAX_FILE_BYTES:
        raise InvalidInputError(user_message=f"That file is larger than {MAX_FILE_BYTES // MEGABYTE} MB.")
    suffix = PurePath(name).suffix.lower()
    if suffix == ".pdf":
        found = list(_pdf_parts(content))
    elif suffix in _MARKDOWN:
        found = list(_markdown_parts(mask(_decoded(content))))
    elif suffix == ".txt":
        found = [Part(text=text) for text in _pieces(mask(_decoded(content)))]
    else:
        raise InvalidInputError(user_message="Only text, Markdown and PDF files can be added.")
    if not found:
        hint = " If it holds scanned pages, recognise their text first." if suffix == ".pdf" else ""
        raise InvalidInputError(user_message=f"There is no text in this file.{hint}")
    if len(found) > MAX_PARTS:
        raise InvalidInputError(user_message="This file is too long. Split it, and add the parts.")
    return found


def _pdf_parts(content: bytes) -> Iterator[Part]:
    try:
        pages = pages_of(content)
    except PdfError as error:
        raise InvalidInputError(user_message=_PDF_SENTENCES[error.problem]) from error
    for number, page in enumerate(pages, 1):
        yield from (Part(text=text, page=number) for text in _pieces(mask(page)))


def _markdown_parts(text: str) -> Iterator[Part]:
    above: list[tuple[int, str]] = []
    lines: list[str] = []
    is_code = False
    for line in text.splitlines():
        is_code ^= _FENCE.match(line) is not None
        heading = None if is_code else _HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        yield from _under(above, lines)
        above = [each for each in above if each[0] < len(heading[1])] + [(len(heading[1]), heading[2])]
        lines = []
    yield from _under(above, lines)


def _under(above: Iterable[tuple[int, str]], lines: Iterable[str]) -> Iterator[Part]:
    heading = " › ".join(title for _, title in above)
    yield from (Part(text=text, heading=heading) for text in _pieces("\n".join(lines)))


def _pieces(text: str) -> Iterator[str]:
    """Yield the text in pieces of whole paragraphs, or of whole sentences where a paragraph is too long."""
    piece = ""
    for paragraph in _BLANK.split(text):
        for bit in _bits(paragraph.strip()):
            if piece and len(piece) + len(bit) + 2 > PART_CHARS:
                yield piece
                piece = ""
            piece = f"{piece}\n\n{bit}" if piece else bit
    if piece:
        yield piece


def _bits(paragraph: str) -> Iterator[str]:
    if len(paragraph) <= PART_CHARS:
        yield from [paragraph] if paragraph else []
        return
    bit = ""
    for sentence in _SENTENCE_END.split(paragraph):
        for start in range(0, len(sentence), PART_CHARS):
            cut = sentence[start : start + PART_CHARS]
            if bit and len(bit) + len(cut) + 1 > PART_CHARS:
                yield bit
                bit = ""
            bit = f"{bit} {cut}" if bit else cut
    if bit:
        yield bit


def _decoded(content: bytes) -> str:
    """Return the text of a file in UTF-8, or UTF-16 with its mark, with plain line ends.

    Raises:
        InvalidInputError: it is neither.
    """
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InvalidInputError(user_message="This is not a text file in UTF-8. Save it as UTF-8, and add it again.")
    return text.replace("\r\n", "\n").replace("\r", "\n")
