"""How often somebody may fail.

Two counts are kept in the store. The pair of account and network is narrow and strict: its count goes up before the
password is looked at, so parallel tries cannot slip through. The account alone is wide and slow: it only starts to
slow down after many failures from many networks, and a network from which the account has signed in before does not
notice it. A try that is refused counts nowhere, so nobody can prolong somebody else's wait. Unknown usernames are
counted in the same way.

The keys are keyed hashes: the store learns neither names nor addresses.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from optimus.auth.turns import Turns
from optimus.errors import ConflictError, TooManyAttemptsError
from optimus.models import Clock
from optimus.storage.accounts import AccountRepository

WINDOW = timedelta(minutes=15)
MAX_FAILURES = 5
CHECK_FROM = 3
"""Failures after which a try needs the check question."""
CHECK_PAUSE = timedelta(seconds=60)
"""After this time without a failure a try needs no check question."""

ACCOUNT_WINDOW = timedelta(hours=1)
ACCOUNT_FAILURES = 50
ACCOUNT_FIRST_WAIT = timedelta(minutes=1)
ACCOUNT_LONGEST_WAIT = timedelta(minutes=15)
ACCOUNT_STEP = 5
"""The wait doubles after this many further failures."""
KNOWN_FOR = timedelta(days=180)
"""How long a network counts as known after a sign-in from it."""

_MAX_KEPT = 100
_MAX_TRIES = 50

Times = tuple[datetime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who tries, as hashed keys: the pair of account and network, the account, and the mark of a known network."""

    pair: str
    account: str
    known: str

    @property
    def mark(self) -> str:
        """What tells one account's networks apart without naming them."""
        return self.pair[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A failure that was counted in advance and may be taken back."""

    subject: Subject
    at: datetime


class AttemptLimiter:
    """Counts failures in the store and refuses when there were too many."""

    def __init__(self, *, accounts: AccountRepository, key: bytes, clock: Clock) -> None:
        self._accounts = accounts
        self._key = key
        self._clock = clock
        self._turns = Turns()

    def subject(self, account: str, network: str, *, purpose: str = "sign-in") -> Subject:
        """Return the keys of whoever tries to be `account` from `network`; both may be any text."""
        return Subject(
            pair=self._hash("pair", purpose, account, network),
            account=self._hash("account", purpose, account),
            known=self._hash("known", purpose, account, network),
        )

    @contextmanager
    def turn(self, subject: Subject) -> Iterator[None]:
        """Hold the only turn of this pair in this process, so that its tries are judged one after the other.

        Raises:
            SignInBusyError: too many tries of the same pair wait already.
        """
        with self._turns.hold(subject.pair):
            yield

    def wait_s(self, subject: Subject) -> int:
        """Return how many seconds the next try has to wait; 0 if it may be made now."""
        now = self._clock()
        waits = [_pair_wait(self._failures(subject.pair), now)]
        account_wait = _account_wait(self._failures(subject.account), now)
        if account_wait > timedelta() and not self._is_known(subject):
            waits.append(account_wait)
        return ceil(max(*waits, timedelta()).total_seconds())

    def needs_check(self, subject: Subject) -> bool:
        """Tell whether the next try needs the check question."""
        now = self._clock()
        recent = _within(self._failures(subject.pair), now, WINDOW)
        return len(recent) >= CHECK_FROM and now < recent[-1] + CHECK_PAUSE

    def refuse_while_waiting(self, subject: Subject) -> None:
        """Refuse a try that comes too early; it counts nowhere.

        Raises:
            TooManyAttemptsError: the pair or the account has to wait.
        """
        wait = self.wait_s(subject)
        if wait:
            raise TooManyAttemptsError("the limiter refuses", retry_after_s=wait)

    def reserve(self, subject: Subject) -> Reservation:
        """Count a failure of the pair before the try is judged; `clear` or `refund` takes it back.

        Raises:
            TooManyAttemptsError: the pair has to wait; nothing was counted.
        """
        now = self._clock()

        def add(times: Times) -> Times:
            left = _pair_wait(times, now)
            if left > timedelta():
                raise TooManyAttemptsError("the limiter refuses", retry_after_s=ceil(left.total_seconds()))
            return (*_within(times, now, WINDOW), now)

        self._change(subject, subject.pair, add)
        return Reservation(subject=subject, at=now)

    def refund(self, reservation: Reservation) -> None:
        """Take back a try that was never judged."""
        subject = reservation.subject
        self._change(subject, subject.pair, lambda times: _without(times, reservation.at))

    def confirm(self, subject: Subject) -> None:
        """Count the reserved try, which has failed, against the account as well."""
        now = self._clock()
        self._change(subject, subject.account, lambda times: (*_within(times, now, ACCOUNT_WINDOW), now)[-_MAX_KEPT:])

    def clear(self, subject: Subject) -> None:
        """Forget the pair's failures after a success, and know its network from now on."""
        self._change(subject, subject.pair, lambda _: ())
        now = self._clock()
        if max(self._failures(subject.known), default=now) < now + KNOWN_FOR - timedelta(days=1):
            self._change(subject, subject.known, lambda _: (now + KNOWN_FOR,))

    def _is_known(self, subject: Subject) -> bool:
        """The mark holds one time: until when the network is known."""
        return max(self._failures(subject.known), default=self._clock()) > self._clock()

    def _failures(self, key: str) -> Times:
        return self._accounts.limit(key).failures

    def _change(self, subject: Subject, key: str, change: Callable[[Times], Times]) -> None:
        """Write what `change` makes of the times under `key`, again if somebody else was faster."""
        for _ in range(_MAX_TRIES):
            record = self._accounts.limit(key)
            times = change(record.failures)
            if times == record.failures:
                return
            changed = record.model_copy(update={"account": subject.account, "failures": times})
            if self._accounts.save_limit(changed):
                return
        raise ConflictError("a failure count changes too fast")

    def _hash(self, *parts: str) -> str:
        text = "\x1f".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, "sha256").hex()


def _within(times: Times, now: datetime, window: timedelta) -> Times:
    return tuple(sorted(time for time in times if abs(now - time) < window))


def _without(times: Times, at: datetime) -> Times:
    index = times.index(at) if at in times else len(times)
    return times[:index] + times[index + 1 :]


def _pair_wait(times: Times, now: datetime) -> timedelta:
    recent = _within(times, now, WINDOW)
    return recent[-MAX_FAILURES] + WINDOW - now if len(recent) >= MAX_FAILURES else timedelta()


def _account_wait(times: Times, now: datetime) -> timedelta:
    recent = _within(times, now, ACCOUNT_WINDOW)
    if len(recent) < ACCOUNT_FAILURES:
        return timedelta()
    doublings = (len(recent) - ACCOUNT_FAILURES) // ACCOUNT_STEP
    return recent[-1] + min(ACCOUNT_FIRST_WAIT * (1 << doublings), ACCOUNT_LONGEST_WAIT) - now
