"""Files that go along with a message: made small enough for its record, and refused with a sentence where they cannot.

A picture is drawn anew, so that nothing else that was in its file is kept, such as where it was taken. A PDF is kept
with its text; of one that is too large for the record, the text alone. Nothing of a file is remembered.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

from optimus.drafts import without_controls
from optimus.errors import InvalidInputError
from optimus.models import Attachment
from optimus.pdf_text import PdfError, pages_of

MAX_FILES = 4
MAX_FILE_BYTES = 10 * 1024 * 1024
ROOM_BYTES = 100_000
"""For all files of a message together: sealed and encoded, beside the longest message, they fit its record."""
MAX_PIXELS = 40_000_000
TEXT_ENDINGS = ("txt", "md", "csv", "json", "log", "py", "js", "html", "xml", "yaml", "toml")
IMAGE_ENDINGS = ("png", "jpg", "jpeg", "webp", "gif")
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_SIZES = ((1280, 80), (1024, 72), (768, 65), (640, 55), (480, 45), (320, 40))
"""Longest side in pixels and quality, tried in this order until a picture fits."""


class Upload(NamedTuple):
    """A file as it was chosen."""

    name: str
    content: bytes


def attachments_of(files: Sequence[Upload]) -> tuple[Attachment, ...]:
    """Return files as they are kept with a message.

    Raises:
        InvalidInputError: there are too many, or one is too large, of another kind, or cannot be read.
    """
    if len(files) > MAX_FILES:
        raise InvalidInputError("too many files", user_message=f"At most {MAX_FILES} files go along with a message.")
    return tuple(_read(file, ROOM_BYTES // len(files)) for file in files)


def _read(file: Upload, room: int) -> Attachment:
    name = " ".join(without_controls(file.name).split())[-80:] or "file"
    ending = name.rpartition(".")[2].lower()
    if len(file.content) > MAX_FILE_BYTES:
        raise _refused(name, f"is larger than {MAX_FILE_BYTES // 1024 // 1024} MB")
    if ending in IMAGE_ENDINGS:
        return Attachment(name=name, kind="image", data=b64encode(_drawn_anew(name, file.content, room)).decode())
    if ending == "pdf":
        return _pdf(name, file.content, room)
    if ending in TEXT_ENDINGS:
        return _text(name, _decoded(name, file.content), room)
    raise _refused(name, "is of a kind that cannot be sent")


def _text(name: str, found: str, room: int) -> Attachment:
    text = without_controls(found).strip()
    if not text:
        raise _refused(name, "holds no text")
    if len(text.encode()) > room:
        raise _refused(name, f"is too long: at most {room // 1000:,},000 characters go along. Add it as a document")
    return Attachment(name=name, kind="text", data=text)


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _refused(name, "is not a text file") from exc


def _pdf(name: str, content: bytes, room: int) -> Attachment:
    """Return a PDF with its text where both have room, else its text; one of pictures alone has none."""
    try:
        pages = pages_of(content)
    except PdfError as exc:
        raise _refused(name, f"could not be read ({exc.problem.value})") from exc
    text = without_controls("\n\n".join(pages)).strip()
    file = b64encode(content).decode() if content.startswith(b"%PDF-") else ""
    if file and len(file) + len(text.encode()) <= room:
        return Attachment(name=name, kind="pdf", data=file, text=text, pages=len(pages))
    if file and not text:
        raise _refused(name, f"holds no text, and is larger than the {room * 3 // 4000} KB that go along as a file")
    return _text(name, text, room)


def _drawn_anew(name: str, content: bytes, room: int) -> bytes:
    """Return a picture as a JPEG that, in base64, fits `room` bytes."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - a tenth of a second, only where pictures are sent

    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise _refused(name, "has too many pixels")
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as exc:
        raise _refused(name, "is no picture that can be read") from exc
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture.getchannel("A"))
    for side, quality in _SIZES:
        flat.thumbnail((side, side))
        made = io.BytesIO()
        flat.save(made, "JPEG", quality=quality)
        if made.tell() * 4 // 3 + 4 <= room:
            return made.getvalue()
    raise _refused(name, "is too detailed to be sent")


def _refused(name: str, why: str) -> InvalidInputError:
    return InvalidInputError("file refused", user_message=f"{name} {why}. Nothing was sent.")
