"""Reading the search files into the system's cache after a start.

A first search touches some hundred pages of whole vectors and texts, and each that is not in the cache waits for the
disk. The cache is the system's own: it takes the room back when a program needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

_CHUNK = 1024**2
_SHARE = 0.5
"""So much of the memory that is available at the start may be filled; the disk may hold more than the memory."""
_FIRST = ("vector_storage", "payload_storage")
"""What a search reads at random comes first."""


class ReadAhead:
    """Reads the files of a store in the background, as far as the memory holds them; `stop` ends it early."""

    def __init__(self, folder: Path) -> None:
        self.bytes_read = 0
        self._folder = folder
        self._buffer = bytearray(_CHUNK)
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="optimus-read-ahead", daemon=True)
        self._thread.start()

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to end."""
        return self._stopping.is_set()

    def wait(self) -> None:
        """Return once everything is in the cache, or does not fit."""
        self._thread.join()

    def stop(self) -> None:
        """End it, within one chunk."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        room = _available_bytes() * _SHARE
        with suppress(OSError):
            for path in _files(self._folder):
                with suppress(OSError):
                    room -= path.stat().st_size
                    if room < 0 or self.is_stopping:
                        return
                    self._read(path)

    def _read(self, path: Path) -> None:
        with path.open("rb", buffering=0) as file:
            while not self.is_stopping and (count := file.readinto(self._buffer)):
                self.bytes_read += count


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of all segments, those first that a search reads at random."""
    paths = sorted(path for path in folder.glob("*/shard/segments/**/*") if path.is_file())
    yield from sorted(paths, key=lambda path: not any(part.startswith(_FIRST) for part in path.parts))


def _available_bytes() -> int:
    """Return the memory that programs could still have, cache included; 0 where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
