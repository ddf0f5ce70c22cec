"""One at a time per key, within this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from optimus.errors import SignInBusyError

MAX_WAITING = 32


@dataclass(slots=True)
class _Turn:
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0


class Turns:
    """Locks by key, each alive only while somebody holds or awaits it."""

    def __init__(self, *, max_waiting: int = MAX_WAITING) -> None:
        self._guard = threading.Lock()
        self._turns: dict[str, _Turn] = {}
        self._max_waiting = max_waiting

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Hold the only turn of `key`.

        Raises:
            SignInBusyError: too many wait for this key already.
        """
        with self._guard:
            turn = self._turns.setdefault(key, _Turn())
            if turn.users > self._max_waiting:
                raise SignInBusyError("too many wait for the same turn")
            turn.users += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._guard:
                turn.users -= 1
                if not turn.users:
                    del self._turns[key]
