"""Answers that ended while the store was away: kept, and tried again until they are stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

from optimus.errors import OptimusError, StoreUnavailableError

MAX_KEPT = 1_000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0

Result = TypeVar("Result")


class Endings(Generic[Result]):
    """Stores results through a function of the caller's, now or later; safe from any thread.

    What is kept dies with the process: its answers then stand as stopped at the next start.
    """

    def __init__(self, *, pause_s: float = FIRST_PAUSE_S) -> None:
        self._pause_s = pause_s
        self._kept: deque[Callable[[], None]] = deque(maxlen=MAX_KEPT)
        self._catching_up = Lock()
        self._starting = Lock()
        self._closing = Event()
        self._thread: Thread | None = None

    def store(self, write: Callable[[Result], None], result: Result) -> None:
        """Store a result; where the store is away, keep it. Storing it twice must be storing it once.

        Raises:
            StoreUnavailableError: it is kept only.
        """
        try:
            write(result)
        except StoreUnavailableError:
            self._kept.append(lambda: write(result))
            self._start()
            raise

    def catch_up(self) -> int:
        """Store what was kept, the oldest first; return how many.

        What cannot be stored whatever is done, because its conversation is gone, is let go.

        Raises:
            StoreUnavailableError: the store is away again; what is left stays kept.
        """
        done = 0
        with self._catching_up:
            while self._kept:
                try:
                    self._kept[0]()
                except StoreUnavailableError:
                    raise
                except OptimusError:
                    done -= 1
                self._kept.popleft()
                done += 1
        return done

    def close(self) -> None:
        """End the tries."""
        self._closing.set()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._work, name="optimus-endings", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        pause_s = self._pause_s
        while self._kept and not self._closing.wait(pause_s):
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            try:
                self.catch_up()
            except StoreUnavailableError:
                continue
