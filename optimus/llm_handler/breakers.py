"""A circuit breaker for each provider and connection: who does not answer is left alone for a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

from optimus.breaker import Breaker
from optimus.errors import (
    ProviderBusyError,
    ProviderError,
    ProviderRateLimitError,
    ProviderResponseError,
    ProviderTimeoutError,
    ProviderUnreachableError,
)
from optimus.llm_handler.translate import in_words
from optimus.metrics import Metrics

FAILURES = 5
"""In a row; one message that is asked for three times makes three."""
REST_S = 15.0
_AILING = (
    ProviderBusyError,
    ProviderRateLimitError,
    ProviderResponseError,
    ProviderTimeoutError,
    ProviderUnreachableError,
)
"""What says that a provider is in trouble; any other error is an answer of a provider that works."""

Place = tuple[str, str | None]
"""A provider, and the user's own connection to it; None stands for the settings' one."""


class Resting(NamedTuple):
    """A provider that is left alone."""

    provider: str
    connection_id: str | None
    wait_s: float
    """Until it is tried again."""


class Breakers:
    """Keeps only the breakers that have failures to count. Safe from any thread."""

    def __init__(self, *, clock: Callable[[], float], metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._lock = Lock()
        self._found: dict[Place, Breaker] = {}

    def admit(self, place: Place) -> None:
        """Let a call go, which is counted then, or refuse it at once.

        Raises:
            ProviderBusyError: the provider failed too often in a row; the sentence says when it is tried again.
        """
        breaker = self._at(place)
        if breaker is None or breaker.admit():
            self._metrics.attempts.note_request(place[0])
            return
        wait_s = breaker.wait_s()
        when = f"in {in_words(wait_s)}" if wait_s else "in a moment"
        error = ProviderBusyError(
            "breaker open",
            user_message="The provider failed several times in a row, so it is left alone for a moment. "
            f"Try again {when}, or choose another model.",
        )
        error.retry_after_s = wait_s
        raise error

    def note(self, place: Place, error: ProviderError | None) -> None:
        """Note how a call went; None means that it was answered."""
        is_used_up = isinstance(error, ProviderRateLimitError) and not error.is_transient
        is_failure = isinstance(error, _AILING) and not is_used_up
        with self._lock:
            if not is_failure:
                self._found.pop(place, None)
            else:
                self._found.setdefault(place, self._new()).failed()
            count = sum(key[0] == place[0] and not each.is_closed for key, each in self._found.items())
        self._metrics.attempts.show_resting(place[0], count)

    @contextmanager
    def guarding(self, place: Place) -> Iterator[None]:
        """Let a call go or refuse it at once, count its error and note how it went; a wrong form is an answer, too.

        Raises:
            ProviderBusyError: the provider failed too often in a row.
        """
        self.admit(place)
        try:
            with self._metrics.provider_call(place[0]):
                yield
        except ProviderError as error:
            self.note(place, None if isinstance(error, ProviderResponseError) else error)
            raise
        self.note(place, None)

    def is_closed(self, place: Place) -> bool:
        """Tell whether calls go as usual."""
        breaker = self._at(place)
        return breaker is None or breaker.is_closed

    def resting(self) -> tuple[Resting, ...]:
        """Return who is left alone at present; whose rest is over may be tried."""
        with self._lock:
            found = list(self._found.items())
        waits = ((place, breaker.wait_s()) for place, breaker in found)
        return tuple(Resting(*place, wait_s) for place, wait_s in waits if wait_s)

    def _at(self, place: Place) -> Breaker | None:
        with self._lock:
            return self._found.get(place)

    def _new(self) -> Breaker:
        return Breaker(clock=self._clock, failures=FAILURES, rest_s=REST_S)
