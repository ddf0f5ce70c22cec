"""Opens a ZIP file that somebody uploads, and trusts nothing in it.

What the directory of the archive says is judged before anything is unpacked, and what is unpacked is cut off where it
goes on longer than it said. Nothing is ever written to disk, and an archive inside the archive is not opened.
"""

from __future__ import annotations

import hashlib
import io
import re
import stat
import struct
import zlib
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from pydantic import ValidationError

from optimus.errors import InvalidInputError
from optimus.privacy.data import DATA_FILE, FORMAT, MANIFEST_FILE, VERSION, Manifest

MEGABYTE = 1024 * 1024
MAX_FILE_BYTES = 50 * MEGABYTE
MAX_TOTAL_BYTES = 200 * MEGABYTE
"""Of everything unpacked."""
MAX_ENTRIES = 1_000
MAX_RATIO = 100
_RATIO_FROM = 10 * MEGABYTE
"""A short text that repeats itself may well be packed a thousandfold."""
_MAX_MANIFEST_BYTES = MEGABYTE
_MAX_NAME_CHARS = 100
_NAME = re.compile(r"(?:conversations/)?[A-Za-z0-9_-]+\.(?:json|csv|md|txt)", re.ASCII)
_DIRECTORY_END = b"PK\x05\x06"
_LONG_DIRECTORY = b"PK\x06\x07"
_END_BYTES, _MOST_COMMENT, _ENTRY_BYTES = 22, 65_535, 46
_ENCRYPTED = 0x1
_CHUNK = MEGABYTE

NO_EXPORT = "This is not an export of Optimus. Choose the ZIP file that “Download my data” gave you."
CHANGED = "This file was changed or damaged after it was exported. Choose the file as it was downloaded."
TOO_LARGE = f"This file is too large: at most {MAX_FILE_BYTES // MEGABYTE} MB can be imported."
TOO_MUCH = "This file holds more than an import takes. It was not unpacked."
NEWER = "This export was made by a newer Optimus. Update this one first, then import it."


def open_export(file: bytes) -> bytes:
    """Return `optimus.json` of an export, once every file in it is what the manifest says.

    Raises:
        InvalidInputError: it is no export, too large, damaged, changed, or of a newer version; the sentence says which.
    """
    if len(file) > MAX_FILE_BYTES:
        raise InvalidInputError("too large", user_message=TOO_LARGE)
    _check_directory(file)
    try:
        with ZipFile(io.BytesIO(file)) as archive:
            entries = _checked(archive.infolist(), len(file))
            return _verified(archive, entries)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, struct.error, OSError) as exc:
        raise InvalidInputError(f"unreadable archive: {type(exc).__name__}", user_message=CHANGED) from None


def _check_directory(file: bytes) -> None:
    """Judge the size of the archive's directory before it is read: a million entries alone take seconds."""
    end = file.rfind(_DIRECTORY_END, max(0, len(file) - _END_BYTES - _MOST_COMMENT))
    if not file.startswith(b"PK\x03\x04") or end < 0 or end + _END_BYTES > len(file):
        raise InvalidInputError("no archive", user_message=NO_EXPORT)
    (size,) = struct.unpack_from("<L", file, end + 12)
    is_long = _LONG_DIRECTORY in file[max(0, end - 20) : end]
    if is_long or size > MAX_ENTRIES * (_ENTRY_BYTES + _MAX_NAME_CHARS):
        raise InvalidInputError("directory too large", user_message=TOO_MUCH)


def _checked(infos: list[ZipInfo], packed: int) -> dict[str, ZipInfo]:
    total = sum(info.file_size for info in infos)
    if len(infos) > MAX_ENTRIES or total > MAX_TOTAL_BYTES:
        raise InvalidInputError("too much inside", user_message=TOO_MUCH)
    if total > _RATIO_FROM and total > MAX_RATIO * packed:
        raise InvalidInputError("packed too well", user_message=TOO_MUCH)
    if sum(info.compress_size for info in infos) > packed:
        raise InvalidInputError("entries overlap", user_message=CHANGED)
    entries = {info.filename: info for info in infos if _is_plain(info)}
    if len(entries) < len(infos):
        raise InvalidInputError("unexpected entries", user_message=CHANGED)
    if MANIFEST_FILE not in entries or DATA_FILE not in entries:
        raise InvalidInputError("no manifest", user_message=NO_EXPORT)
    return entries


def _is_plain(info: ZipInfo) -> bool:
    """Tell whether an entry is an ordinary file under a name that an export uses: no path upwards, no link."""
    mode = info.external_attr >> 16
    return (
        len(info.orig_filename) <= _MAX_NAME_CHARS
        and _NAME.fullmatch(info.orig_filename) is not None
        and (not mode or not stat.S_IFMT(mode) or stat.S_ISREG(mode))
        and not info.flag_bits & _ENCRYPTED
        and info.compress_type in (ZIP_STORED, ZIP_DEFLATED)
    )


def _verified(archive: ZipFile, entries: dict[str, ZipInfo]) -> bytes:
    manifest = _manifest(archive, entries.pop(MANIFEST_FILE))
    if set(manifest.files) != set(entries):
        raise InvalidInputError("files and manifest differ", user_message=CHANGED)
    data = b""
    for name, info in entries.items():
        kept = bytearray() if name == DATA_FILE else None
        digest, size = _read(archive, info, kept)
        if (digest, size) != (manifest.files[name].sha256, manifest.files[name].size):
            raise InvalidInputError("checksum", user_message=CHANGED)
        data = bytes(kept) if kept is not None else data
    return data


def _manifest(archive: ZipFile, info: ZipInfo) -> Manifest:
    if info.file_size > _MAX_MANIFEST_BYTES:
        raise InvalidInputError("manifest too large", user_message=TOO_MUCH)
    text = bytearray()
    _read(archive, info, text)
    try:
        manifest = Manifest.model_validate_json(bytes(text))
    except ValidationError:
        raise InvalidInputError("unreadable manifest", user_message=NO_EXPORT) from None
    check_format(manifest.format, manifest.version)
    return manifest


def check_format(name: object, version: object) -> None:
    """Let only exports of a known version through.

    Raises:
        InvalidInputError: it is none, or a newer one.
    """
    if name != FORMAT or not isinstance(version, int) or version < 1:
        raise InvalidInputError("another format", user_message=NO_EXPORT)
    if version > VERSION:
        raise InvalidInputError("newer version", user_message=NEWER)


def _read(archive: ZipFile, info: ZipInfo, kept: bytearray | None) -> tuple[str, int]:
    """Return the SHA-256 and size of an entry, unpacked part by part; its bytes go to `kept` where they are wanted."""
    digest, size = hashlib.sha256(), 0
    with archive.open(info) as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            if size > info.file_size:
                raise InvalidInputError("longer than it said", user_message=CHANGED)
            digest.update(chunk)
            if kept is not None:
                kept += chunk
    return digest.hexdigest(), size
