"""What the embedded store remembers of itself, so that damage is noticed instead of served.

Beside each collection's files stand two small ones. `state` follows every write: how many records there are, and a
checksum over all of them that does not depend on their order. `sealed` is written when the store closes: the checksum
of every file. Together they tell at the next start whether anything is missing, altered or added.

    sealed is there and fits      nothing has changed since the last orderly end: open
    sealed is there, does not fit  a file was changed past us: look at the records before anybody sees them
    sealed is missing             the process was killed: look at the records, compare them with `state`
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

STATE, SEALED = "state", "sealed"
CHANGES_FILE = "changes.json"
"""How many points were changed since the collection was optimized, counted up at every flush."""
SEALED_BYTES = 256 * 1024**2
"""So much is read at a start, the smallest files first; of larger stores the rest is compared by size only."""
MAX_NAMED = 1_000
"""Records that one write in flight names; beyond that it only says that there is one."""
_SUM_BYTES = 16
_HEAD_BYTES = 40
_BLOCK = 4096
_CHUNK = 16 * _BLOCK
_ZEROS = bytes(_CHUNK)
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return what names this run of the machine; empty where the system does not tell."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Tally(NamedTuple):
    """How many records there are, and the exclusive-or of their checksums."""

    points: int = 0
    digest: int = 0

    def changed(self, before: Iterable[int], after: Iterable[int]) -> Tally:
        """Return the tally after records with the checksums `before` became those with `after`."""
        points, digest = self
        for value in before:
            points, digest = points - 1, digest ^ value
        for value in after:
            points, digest = points + 1, digest ^ value
        return Tally(points, digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a collection's `state` file says."""

    tally: Tally | None
    """None where it is not known."""
    in_flight: tuple[str, ...] | None = ()
    """The records that the last write was changing when it was noted; then `tally` counts the others only. None: more
    than could be named."""
    boot: str = ""
    """The run of the machine: after a power loss the last second may be missing here or in the store."""

    @property
    def is_of_this_boot(self) -> bool:
        """Whether the machine has run on since."""
        return self.boot == boot_id()


@dataclass(slots=True)
class Ledger:
    """Follows the writes of one collection; each is two small writes into a file that survives the process."""

    path: Path
    tally: Tally | None
    boot: str = field(default_factory=boot_id)
    _handle: int = -1

    def begin(self, before: Mapping[Any, int]) -> None:
        """Note that the named records are about to change, or some of many."""
        if self.tally is None:
            return
        if len(before) > MAX_NAMED:
            self._write(None, None)
            return
        self._write(self.tally.changed([value for value in before.values() if value], ()), list(before))

    def end(self, before: Mapping[Any, int], after: Mapping[Any, int]) -> None:
        """Note what the records were and have become; 0 stands for a record that is not there."""
        if self.tally is None:
            return
        self.tally = self.tally.changed(filter(None, before.values()), filter(None, after.values()))
        self._write(self.tally, [])

    def lose(self) -> None:
        """Stop following: it is not known what a write has left."""
        self.tally = None
        self._write(None, [])

    def save(self) -> None:
        """Note the tally as it is."""
        self._write(self.tally, [])

    def close(self) -> None:
        """Let go of the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _write(self, tally: Tally | None, ids: list[Any] | None) -> None:
        body = json.dumps({"tally": _shown(tally), "in_flight": ids, "boot": self.boot}).encode()
        if self._handle < 0:
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        os.pwrite(self._handle, _framed(body), 0)


def read_state(folder: Path) -> State:
    """Return what is known of a collection; nothing where the file is missing or damaged."""
    stored = read_framed(folder / STATE)
    if stored is None:
        return State(tally=None)
    ids = stored.get("in_flight")
    return State(
        tally=_tally(stored.get("tally")),
        in_flight=None if ids is None else tuple(str(value) for value in ids),
        boot=str(stored.get("boot")),
    )


def write_state(folder: Path, tally: Tally | None) -> None:
    """Replace what is known of a collection."""
    ledger = Ledger(folder / STATE, tally)
    ledger.save()
    ledger.close()


def record_sum(point_id: Any, payload: Mapping[str, Any] | None) -> int:
    """Return the checksum of a record: never 0, which stands for a record that is not there."""
    text = json.dumps([str(point_id), payload or {}], sort_keys=True, ensure_ascii=False)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_SUM_BYTES).digest()
    return int.from_bytes(digest, "big") or 1


@dataclass(slots=True)
class Changes:
    """Counts the points of a collection that are changed; the search index does not know them yet."""

    folder: Path
    count: int = 0
    """Those that the file does not have yet."""

    def save(self) -> None:
        """Add them to those on the disk; a count that cannot be kept is no reason to refuse a write."""
        if counted := self.count:
            with suppress(OSError):
                write_framed(self.folder / CHANGES_FILE, {"changed": changes_of(self.folder) + counted})
                self.count -= counted


def changes_of(folder: Path) -> int:
    """Return how many points of a collection were changed since it was optimized, as of its last flush."""
    return int((read_framed(folder / CHANGES_FILE) or {}).get("changed", 0))


def seal(folder: Path, tally: Tally | None) -> None:
    """Write down what every file of a closed collection holds."""
    files: dict[str, Any] = {}
    left = SEALED_BYTES
    for path in sorted(_files(folder), key=_allocated):
        left -= _allocated(path)
        files[path.relative_to(folder).as_posix()] = [path.stat().st_size, _digest(path) if left >= 0 else None]
    write_framed(folder / SEALED, {"tally": _shown(tally), "files": files})


def unseal(folder: Path) -> None:
    """Say that the collection is about to change."""
    (folder / SEALED).unlink(missing_ok=True)


def is_small(folder: Path) -> bool:
    """Tell whether all of a collection is covered by its seal."""
    return sum(map(_allocated, _files(folder))) <= SEALED_BYTES


class Seal(NamedTuple):
    """What the seal of a collection says: its tally, and the files that are not as they were."""

    tally: Tally | None
    changed: tuple[str, ...]


def check_seal(folder: Path) -> Seal | None:
    """Compare a closed collection with its seal; None where there is none that can be read."""
    stored = read_framed(folder / SEALED)
    if stored is None:
        return None
    listed: dict[str, Any] = stored["files"]
    found = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    changed = set(listed) ^ set(found)
    for name in set(listed) & set(found):
        size, digest = listed[name]
        try:
            is_same = found[name].stat().st_size == size and digest in (None, _digest(found[name]))
        except OSError:
            is_same = False
        if not is_same:
            changed.add(name)
    return Seal(_tally(stored.get("tally")), tuple(sorted(changed)))


def _files(folder: Path) -> Iterator[Path]:
    own = {folder / name for name in (STATE, SEALED, f"{SEALED}.new")}
    yield from (path for path in folder.rglob("*") if path.is_file() and path not in own)


def _allocated(path: Path) -> int:
    status = path.stat()
    return min(status.st_size, status.st_blocks * 512)


def _digest(path: Path) -> str:
    """Return the checksum of a file's blocks that are not all zeros, each with its place: holes cost nothing."""
    found = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        for offset, chunk in data_of(file.fileno()):
            if chunk == _ZEROS[: len(chunk)]:
                continue
            for start in range(0, len(chunk), _BLOCK):
                block = chunk[start : start + _BLOCK]
                if block != _ZEROS[: len(block)]:
                    found.update((offset + start).to_bytes(8, "big") + block)
    return found.hexdigest()


def data_of(handle: int) -> Iterator[tuple[int, bytes]]:
    """Yield the written parts of an open file with their places, in whole blocks of ours, holes left out."""
    size, offset = os.fstat(handle).st_size, 0
    while offset < size:
        with suppress(OSError):
            offset = os.lseek(handle, offset, os.SEEK_DATA) // _BLOCK * _BLOCK
            end = min(size, -(-os.lseek(handle, offset, os.SEEK_HOLE) // _BLOCK) * _BLOCK)
            while offset < end and (chunk := os.pread(handle, min(_CHUNK, end - offset), offset)):
                yield offset, chunk
                offset += len(chunk)
            continue
        return


def write_framed(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a small file whole, with its own checksum; it is on the disk when this returns."""
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(_framed(json.dumps(content).encode()))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _framed(body: bytes) -> bytes:
    return f"{len(body):08d}".encode() + hashlib.blake2b(body, digest_size=_SUM_BYTES).hexdigest().encode() + body


def read_framed(path: Path) -> dict[str, Any] | None:
    """Return what `write_framed` has written; None where it is missing or damaged."""
    try:
        content = path.read_bytes()
        body = content[_HEAD_BYTES : _HEAD_BYTES + int(content[:8])]
        stored = json.loads(body) if content[: len(_framed(body))] == _framed(body) else None
    except (OSError, ValueError):
        return None
    return stored if isinstance(stored, dict) else None


def _shown(tally: Tally | None) -> list[Any] | None:
    return None if tally is None else [tally.points, f"{tally.digest:032x}"]


def _tally(stored: Any) -> Tally | None:
    return None if stored is None else Tally(int(stored[0]), int(str(stored[1]), 16))
