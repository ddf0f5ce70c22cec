"""The way to a Qdrant server: tries again where that is harmless, stops asking while it is away, and finds it again.

A write whose answer was lost may have been applied. It is sent again only where that changes nothing, or after a read
has shown that it was not; where a read shows that it was, it counts as done.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential_jitter

from optimus.breaker import Breaker, BreakerState
from optimus.errors import StoreError, StoreUnavailableError

ATTEMPTS = 4
FIRST_WAIT_S, LONGEST_WAIT_S, JITTER_S = 0.1, 1.0, 0.1
FAILURES = 5
"""In a row: one call that is tried four times is not enough, the next one's first failure is."""
SLOW_WEIGHT = 3
"""What a call that used up its time counts: two of them are enough, else many pages would wait for the whole of it."""
SLOW_SHARE = 0.9
QUICK_S = 1
"""Seconds of a read's first try, and of asking whether a server is there: a person waits for no more than both."""
REST_S = 1.0
"""Between two trials of a server that is away; with what gRPC rests itself it is found within three seconds."""
AWAY = "the store is away, and is tried again in the background"

T = TypeVar("T")
_log = logging.getLogger(__name__)


class ServerLink:
    """Every call to the server goes through here; safe from any thread."""

    def __init__(
        self,
        *,
        reach: Callable[[], None],
        timeout_s: float,
        clock: Callable[[], float] = monotonic,
        wait: Callable[[float], None] = sleep,
        rest_s: float = REST_S,
    ) -> None:
        """Take how to reach the server.

        Args:
            reach: Asks the server for something small; raises `StoreUnavailableError` where it does not answer.
            timeout_s: Seconds that one call may take; when they are over, nothing is tried again.
            clock: Seconds that only go forward.
            wait: Waits so many seconds between two tries.
            rest_s: Seconds between two trials of a server that is away.
        """
        self.breaker = Breaker(clock=clock, failures=FAILURES, rest_s=rest_s)
        self._reach = reach
        self._timeout_s = timeout_s
        self._clock = clock
        self._wait = wait
        self._rest_s = rest_s
        self._closing = Event()
        self._finding = Lock()
        self._watchers: list[Callable[[], None]] = []

    @property
    def is_away(self) -> bool:
        """Whether calls fail at once at present."""
        return not self.breaker.is_closed

    def on_return(self, watcher: Callable[[], None]) -> None:
        """Call `watcher`, in a thread of its own, each time the server is back."""
        self._watchers.append(watcher)

    def once(self, action: Callable[[], T]) -> T:
        """Call the server once.

        Raises:
            StoreUnavailableError: it does not answer, or is known to be away.
            StoreError: it answers with a refusal.
        """
        self._refuse_while_away()
        started = self._clock()
        try:
            result = action()
        except StoreUnavailableError:
            is_slow = self._clock() - started >= SLOW_SHARE * self._timeout_s
            self._lose(SLOW_WEIGHT if is_slow else 1)
            raise
        except StoreError:
            self.breaker.succeeded()
            raise
        self.breaker.succeeded()
        return result

    def repeat(self, action: Callable[[], T]) -> T:
        """Call the server until it answers: for what changes nothing when it is done twice.

        Raises:
            StoreUnavailableError: it did not answer in several tries, or is known to be away.
            StoreError: it answers with a refusal.
        """
        tries = self._tries()
        result: T = tries(self.once, action)
        return result

    def read(self, quick: Callable[[], T], patient: Callable[[], T], is_there: Callable[[], None]) -> T:
        """Read with little time first; where that is not enough, ask whether the server is there at all.

        So a person soon learns that a server hangs, and one that is only slow is still waited for.

        Args:
            quick: Reads within about a second.
            patient: Reads within the whole time of a call.
            is_there: Asks the server for something small; raises `StoreError` where it does not answer soon.

        Raises:
            StoreUnavailableError: it does not answer, or is known to be away.
            StoreError: it answers with a refusal.
        """
        started = self._clock()
        try:
            return self.once(quick)
        except StoreUnavailableError:
            if self.is_away:
                raise
            if self._clock() - started >= SLOW_SHARE * QUICK_S and not self._is_there(is_there):
                self._lose(FAILURES)
                raise
        return self.repeat(patient)

    def prove(self, action: Callable[[], T], applied: Callable[[], T | None]) -> T:
        """Send a write that must not simply be repeated.

        Args:
            action: Sends it.
            applied: Reads whether it was applied; its result, or None where it was not and may be sent again.

        Raises:
            StoreUnavailableError: it is not known to be applied; it may still have been where nothing could be read.
            StoreError: the server refuses it.
        """
        is_doubtful = False

        def attempt() -> T:
            nonlocal is_doubtful
            if is_doubtful and (found := self.once(applied)) is not None:
                return found
            is_doubtful = True
            return self.once(action)

        tries = self._tries()
        try:
            return tries(attempt)
        except StoreUnavailableError:
            if not is_doubtful or self.is_away or (found := self.once(applied)) is None:
                raise
            return found

    def close(self) -> None:
        """End the search for a server that is away; from now on nothing is tried again."""
        self._closing.set()

    def _is_there(self, ask: Callable[[], None]) -> bool:
        try:
            ask()
        except StoreUnavailableError:
            return False
        return True

    def _lose(self, weight: int) -> None:
        """Note a failure; where it is one too many, stop asking and begin to look for the server."""
        if not self._closing.is_set() and self.breaker.failed(weight):
            self._find_again()

    def _refuse_while_away(self) -> None:
        if self._closing.is_set():
            raise StoreUnavailableError("the store is closed")
        if not self.breaker.is_closed:
            raise StoreUnavailableError(AWAY)

    def _tries(self) -> Retrying:
        """Return tries that end with the call's time, with the breaker, and with the store."""
        ends = self._clock() + self._timeout_s

        def may_go_on(error: BaseException) -> bool:
            is_open = self._closing.is_set() or not self.breaker.is_closed
            return isinstance(error, StoreUnavailableError) and not is_open

        def is_enough(state: RetryCallState) -> bool:
            return state.attempt_number >= ATTEMPTS or self._clock() >= ends

        return Retrying(
            stop=is_enough,
            wait=wait_exponential_jitter(initial=FIRST_WAIT_S, max=LONGEST_WAIT_S, jitter=JITTER_S),
            retry=retry_if_exception(may_go_on),
            sleep=self._wait,
            reraise=True,
        )

    def _find_again(self) -> None:
        _log.warning("the Qdrant server does not answer; it is tried again until it does")
        Thread(target=self._find, name="optimus-store-link", daemon=True).start()

    def _find(self) -> None:
        """Try the server until it answers; one thread at a time."""
        with self._finding:
            while not self._closing.is_set() and not self.breaker.is_closed:
                if self.breaker.admit():
                    self._try_once()
                else:
                    self._closing.wait(self.breaker.wait_s() + random.uniform(0, JITTER_S))  # noqa: S311 - no secret
        if self._closing.is_set() or self.breaker.state is BreakerState.OPEN:
            return
        _log.warning("the Qdrant server answers again")
        for watcher in self._watchers:
            try:
                watcher()
            except StoreError:
                _log.warning("what the store's return was waited for did not work", exc_info=True)

    def _try_once(self) -> None:
        try:
            self._reach()
        except StoreUnavailableError:
            self.breaker.failed()
        except StoreError:
            self.breaker.succeeded()
        else:
            self.breaker.succeeded()
