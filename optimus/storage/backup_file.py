"""The file of a backup: a ZIP of parts of at most 256 records, and a manifest that is written last.

Records are kept, not an engine's files, so that a backup of one engine restores into another. Sealed fields stay the
ciphertext that they are in the store, and no key is in the file but those that the master key wraps.

    <collection>/<number>.jsonl  one record a line: id, payload, dense vectors (float32, Base64), sparse ones
    manifest.json                versions, counts, the model, checksums of the parts, and a proof under the master key

The file is written under a passing name, synced and renamed: under its own name it is whole or not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import Field, ValidationError
from qdrant_client import models

from optimus.errors import BackupError
from optimus.models import Value
from optimus.storage.backup_lines import from_line, to_line

FORMAT = 1
PAGE = 256
"""Records of one part at most."""
PASSING = ".part"
"""How a file ends that is still being written."""
Progress = Callable[[int, int], None]
"""Told how many records are done, and of how many; it may raise in order to stop."""
_MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 256 * 1024**2
_CHUNK = 1024**2
_DAMAGED = "The backup {path} is damaged: {reason}. Take another one."


class Part(Value):
    """A part of the file."""

    name: str
    collection: str
    """The collection's own name, without any prefix."""
    records: int = Field(ge=0, le=PAGE)
    sha256: str


class Contents(Value):
    """What a backup holds, and what it needs in order to be restored."""

    schema_version: int
    """How the records are laid out: the store's own format."""
    made_at: datetime
    engine: str
    """Where it was made; it restores into any."""
    embedding: str
    """Which model made the vectors."""
    vector_size: int
    audit_seq: int
    """The last record of the audit log that is in the backup."""
    audit_hash: str
    key_check: str
    """By which the master key is known; it tells nothing of it."""


class Manifest(Contents):
    """The whole manifest."""

    format: int
    counts: dict[str, int]
    """Records by collection, without any prefix."""
    parts: tuple[Part, ...]
    mac: str
    """Proves under the master key that nobody changed the manifest, and with it the parts."""

    @property
    def records(self) -> int:
        """How many records there are."""
        return sum(self.counts.values())


class BackupWriter:
    """Writes one file. Leaving the `with` block without `finish` removes what was written."""

    def __init__(self, path: Path) -> None:
        """Begin.

        Raises:
            BackupError: there is a file of that name, or none can be written there.
        """
        self._path = path
        self._passing = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PASSING}")
        self._parts: list[Part] = []
        if path.exists():
            raise BackupError(f"{path} exists already: choose another name, or remove it first.")
        try:
            handle = os.open(self._passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as exc:
            raise _unwritable(path, exc) from exc
        self._file = os.fdopen(handle, "wb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._zip.close()
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._passing.unlink(missing_ok=True)

    def add(self, collection: str, records: Sequence[Any]) -> None:
        """Write a page of records as the engine returned them, vectors included.

        Raises:
            BackupError: the disk refuses.
        """
        text = "".join(json.dumps(to_line(record), separators=(",", ":")) + "\n" for record in records).encode()
        name = f"{collection}/{len(self._parts):08}.jsonl"
        part = Part(name=name, collection=collection, records=len(records), sha256=hashlib.sha256(text).hexdigest())
        self._write(name, text)
        self._parts.append(part)

    def finish(self, contents: Contents, master: bytes) -> Manifest:
        """Write the manifest and give the file its name; it is on disk then.

        Raises:
            BackupError: the disk refuses; there is no file of that name.
        """
        counts: dict[str, int] = {}
        for part in self._parts:
            counts[part.collection] = counts.get(part.collection, 0) + part.records
        bare = Manifest(**dict(contents), format=FORMAT, counts=counts, parts=tuple(self._parts), mac="")
        manifest = bare.model_copy(update={"mac": _mac(bare, master)})
        self._write(_MANIFEST, manifest.model_dump_json(indent=1).encode())
        try:
            self._zip.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._passing.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError as exc:
            raise _unwritable(self._path, exc) from exc
        return manifest

    def _write(self, name: str, text: bytes) -> None:
        try:
            self._zip.writestr(name, text)
        except OSError as exc:
            raise _unwritable(self._path, exc) from exc


class BackupReader:
    """Reads one file; nothing in it is believed before `verify`."""

    def __init__(self, path: Path) -> None:
        """Open the file and read its manifest.

        Raises:
            BackupError: it is no backup, a half or damaged one, or of another version.
        """
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError as exc:
            raise BackupError(f"The backup {path} cannot be read: {exc.strerror or type(exc).__name__}.") from exc
        except (zipfile.BadZipFile, ValueError) as exc:
            raise BackupError(f"{path} is no whole backup: it was cut off, or never was one. Take another.") from exc
        try:
            self.manifest = self._read_manifest()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def verify(self, progress: Progress | None = None) -> None:
        """Read every part and compare it with the manifest.

        Raises:
            BackupError: something is missing, changed or too much.
        """
        names = self._zip.namelist()
        if sorted(names) != sorted([_MANIFEST, *(part.name for part in self.manifest.parts)]):
            raise self._damaged("its parts are not those that its manifest lists")
        done = 0
        for part in self.manifest.parts:
            text = self._part(part)
            if text.count(b"\n") != part.records:
                raise self._damaged(f"{part.name} holds another number of records")
            done += part.records
            if progress is not None:
                progress(done, self.manifest.records)

    def prove(self, masters: Sequence[bytes]) -> None:
        """Make sure that the backup was made with one of these master keys, and its manifest is as it was written.

        Raises:
            BackupError: none of them is it, or the manifest was changed.
        """
        kept = self.manifest.key_check.encode()
        master = next((each for each in masters if hmac.compare_digest(kept, key_check(each).encode())), None)
        if master is None:
            sealed = f"The master key is not the one that sealed the backup {self._path}: "
            raise BackupError(f"{sealed}put that one back, and restore again. Nothing was written.")
        if not hmac.compare_digest(self.manifest.mac.encode(), _mac(self.manifest, master).encode()):
            raise self._damaged("its manifest was changed")

    def points(self) -> Iterator[tuple[str, list[models.PointStruct]]]:
        """Yield the records page by page, each with the collection's own name.

        Raises:
            BackupError: a part is not as it was written.
        """
        for part in self.manifest.parts:
            try:
                points = [from_line(json.loads(line)) for line in self._part(part).splitlines()]
            except (ValueError, TypeError, KeyError, AttributeError) as exc:
                raise self._damaged(f"{part.name} cannot be read") from exc
            yield part.collection, points

    def _read_manifest(self) -> Manifest:
        try:
            with self._zip.open(_MANIFEST) as file:
                text = file.read(_MAX_MANIFEST_BYTES + 1)
            found = json.loads(text)
            version = found["format"]
        except (KeyError, TypeError, ValueError, OSError, RuntimeError, zipfile.BadZipFile) as exc:
            raise BackupError(f"{self._path} is no backup of Optimus, or its manifest is damaged.") from exc
        if version != FORMAT:
            raise BackupError(
                f"The backup {self._path} has the format {str(version)[:20]}; this Optimus reads {FORMAT}. Use the "
                "version that made it."
            )
        try:
            return Manifest.model_validate(found)
        except ValidationError as exc:
            raise self._damaged("its manifest cannot be read") from exc

    def _part(self, part: Part) -> bytes:
        try:
            with self._zip.open(part.name) as file:
                text = b"".join(iter(lambda: file.read(_CHUNK), b""))
        except Exception as exc:  # zipfile and zlib raise many kinds for a damaged file
            raise self._damaged(f"{part.name} cannot be read") from exc
        if not hmac.compare_digest(hashlib.sha256(text).hexdigest(), part.sha256):
            raise self._damaged(f"the checksum of {part.name} is wrong")
        return text

    def _damaged(self, reason: str) -> BackupError:
        return BackupError(_DAMAGED.format(path=self._path, reason=reason))


def key_check(master: bytes) -> str:
    """Return the mark by which a master key is known again; it tells nothing of the key."""
    return hmac.digest(master, b"optimus backup: which key", "sha256").hex()


def _mac(manifest: Manifest, master: bytes) -> str:
    key = hmac.digest(master, b"optimus backup: proof", "sha256")
    text = json.dumps(manifest.model_dump(mode="json", exclude={"mac"}), sort_keys=True, separators=(",", ":"))
    return hmac.digest(key, text.encode(), "sha256").hex()


def _unwritable(path: Path, exc: OSError) -> BackupError:
    reason = exc.strerror or type(exc).__name__
    return BackupError(
        f"The backup {path} cannot be written: {reason}. Choose a folder that Optimus may write, with room."
    )


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
