"""What a measured process tells about itself: the RAM that is its own, and the pauses that its threads suffer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

_TICK_S = 0.001
_COUNTED = ("RssAnon", "VmLck")


def own_ram_bytes() -> int:
    """Return this process's anonymous and locked memory: what the system cannot drop and read again from a file."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    sizes = {name: value.split()[0] for name, _, value in (line.partition(":") for line in lines) if name in _COUNTED}
    return 1024 * sum(int(size) for size in sizes.values())


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
