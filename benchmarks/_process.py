"""What a measured process uses, and the pauses that its threads suffer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

_TICK_S = 0.001
_OWN = ("RssAnon", "VmLck")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process uses at a moment: bytes, and numbers of open files and threads."""

    own_ram: int
    """Anonymous and locked memory: what the system cannot drop and read again from a file."""
    resident: int
    """All memory in RAM, files that are mapped into it included."""
    files: int
    threads: int


def usage(pid: int | str = "self") -> Usage:
    """Return what a process uses now."""
    folder = Path("/proc", str(pid))
    lines = (folder / "status").read_text(encoding="utf-8").splitlines()
    found = {name: value.split()[0] for name, _, value in (line.partition(":") for line in lines) if value.split()}
    return Usage(
        own_ram=1024 * sum(int(found[name]) for name in _OWN),
        resident=1024 * int(found["VmRSS"]),
        files=len(list((folder / "fd").iterdir())),
        threads=int(found["Threads"]),
    )


class Ticker:
    """A thread that sleeps a millisecond again and again, and notes its longest oversleeping."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._stop = Event()
        self._thread = Thread(target=self._tick, daemon=True)

    def _tick(self) -> None:
        while not self._stop.is_set():
            before = time.perf_counter()
            time.sleep(_TICK_S)
            self.longest_ms = max(self.longest_ms, (time.perf_counter() - before - _TICK_S) * 1000)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Tick while the block runs."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()
