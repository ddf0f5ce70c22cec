"""A circuit breaker: after failures in a row, calls are refused at once until one trial has worked again.

Knows nothing of what it protects, neither the store nor a provider: its owner asks before a call and tells how it
went. Michael Nygard, "Release It!", chapter "Stability Patterns".
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from threading import Lock


class BreakerState(StrEnum):
    """Whether calls may go."""

    CLOSED = "closed"
    """All may."""
    OPEN = "open"
    """None may, until the rest is over."""
    HALF_OPEN = "half-open"
    """One trial is under way, and the others wait for how it ends."""


class Breaker:
    """Counts failures in a row. Safe from any thread; it never blocks and calls nobody while it is locked.

    A trial that never tells how it ended is given up after another rest, so that it cannot keep the others out.
    """

    def __init__(self, *, clock: Callable[[], float], failures: int = 5, rest_s: float = 1.0) -> None:
        """Take when to open and for how long.

        Args:
            clock: Seconds that only go forward, such as `time.monotonic`.
            failures: Failures in a row, without a success between them, that open it.
            rest_s: Seconds until a trial may go.
        """
        self._clock = clock
        self._limit = failures
        self._rest_s = rest_s
        self._lock = Lock()
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._since = 0.0

    @property
    def state(self) -> BreakerState:
        """The present state; one that is open stays so until somebody tries."""
        return self._state

    @property
    def is_closed(self) -> bool:
        """Whether calls go as usual."""
        return self._state is BreakerState.CLOSED

    def admit(self) -> bool:
        """Tell whether a call may go now; after the rest, one caller gets True and is the trial."""
        with self._lock:
            if self._state is BreakerState.CLOSED:
                return True
            if self._clock() - self._since < self._rest_s:
                return False
            self._state, self._since = BreakerState.HALF_OPEN, self._clock()
            return True

    def wait_s(self) -> float:
        """Return in how many seconds the next trial may go; 0 where calls may go now."""
        with self._lock:
            if self._state is BreakerState.CLOSED:
                return 0.0
            return max(0.0, self._rest_s - (self._clock() - self._since))

    def succeeded(self) -> None:
        """Note that a call worked: everything may go again."""
        with self._lock:
            self._state, self._failures = BreakerState.CLOSED, 0

    def failed(self, weight: int = 1) -> bool:
        """Note that a call failed; tell whether this opened the breaker, which was closed before.

        Args:
            weight: For how many failures it counts; one that took long may count for more.
        """
        with self._lock:
            self._failures += weight
            was_closed = self._state is BreakerState.CLOSED
            if was_closed and self._failures < self._limit:
                return False
            self._state, self._since = BreakerState.OPEN, self._clock()
            return was_closed
