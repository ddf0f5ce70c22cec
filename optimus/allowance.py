"""What a user may still send and use: counted in the store before an answer begins, corrected when it ends.

A day is one of UTC, so that nobody can begin a new one by moving a clock or a time zone. A minute is whichever last 60
seconds: in none of them gets more through than the limit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil

from optimus.costs import EXPECTED_ANSWER, Asked, expected_cost, price_of, reserved_tokens, taken
from optimus.errors import ConflictError, LimitReachedError, OptimusError
from optimus.haste import noted, room_in
from optimus.llm_handler.requests import AnswerBounds, GenerationResult, ModelRef, ModelTarget
from optimus.metrics import Metrics
from optimus.models import Clock, Usage, UserId
from optimus.storage.accounts import AccountRepository
from optimus.storage.events import EventRepository
from optimus.storage.records import DailyUse, Event, Spell
from optimus.system_settings import MOST_CALLS, SystemSettings

WARN_FROM = 0.8
"""The share of a day's limit from which on the user is told."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRIES = 50
_ANY_WRITES = 4_000
"""Tokens that any model can write: most servers refuse to be asked for more than their model can."""
_OFFLINE_ANSWERS = "The offline assistant still answers."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a user stands today, for the screen."""

    used: DailyUse
    warning: str = ""
    """What is used up, or nearly, and when it begins anew; empty where there is room."""
    unpriced: str = ""
    """That some calls are missing in the day's dollars; empty where none are, or where no dollars are limited."""


class Allowance:
    """Counts messages, tokens and dollars by user, minute and day; refuses what goes beyond the system's limits."""

    def __init__(self, *, accounts: AccountRepository, limits: Callable[[], SystemSettings], clock: Clock) -> None:
        self._accounts = accounts
        self._limits = limits
        self._clock = clock

    def take(self, owner: UserId, given: Asked) -> Asked:
        """Count a message, and what its model is expected to take, before anything of it is stored.

        Returns what was counted, for `settle`.

        Of any number of parallel calls no more get through than the limits allow. The offline assistant takes no
        tokens, so it answers on when they are used up. A model whose price is not known is refused only once the
        day's dollars are used up: what it costs cannot be told.

        Raises:
            LimitReachedError: a limit of the day or the minute is used up; the message says until when.
            StoreError: the store does not answer.
        """
        given = replace(given, at=self._moment())
        self._count(owner, Spell(given.at, 1, reserved_tokens(given)), expected_cost(given))
        return given

    def top_up(self, owner: UserId, taken: Asked, measured: Asked) -> Asked:
        """Count what goes along with a stored message beyond what was counted: its memories and tools.

        Returns what is counted now, for `settle`.

        Raises:
            LimitReachedError: there is no room for it; what was counted before still is.
            StoreError: the store does not answer.
        """
        tokens = reserved_tokens(measured) - reserved_tokens(taken)
        if tokens <= 0:
            return taken
        before, after = expected_cost(taken), expected_cost(measured)
        cost = None if before is None or after is None else max(0.0, after - before)
        self._count(owner, Spell(taken.at, 0, tokens), cost)
        return replace(measured, at=taken.at)

    def _count(self, owner: UserId, spell: Spell, cost: float | None) -> None:
        """Count a call, unless it goes beyond a limit.

        Raises:
            LimitReachedError: it does.
            StoreError: the store does not answer.
        """
        limits, tokens = self._limits(), spell.tokens

        def counted(use: DailyUse) -> DailyUse:
            most = limits.messages_per_day
            if spell.messages and most is not None and use.messages >= most:
                raise self._refusal("messages", self._used_up(_number(most, "message")))
            if tokens and limits.tokens_per_day is not None and use.tokens + tokens > limits.tokens_per_day:
                raise self._refusal("tokens", self._used_up(_number(limits.tokens_per_day, "token")), _OFFLINE_ANSWERS)
            if limits.usd_per_day is not None and _exceeds(use.cost_usd, cost, limits.usd_per_day):
                raise self._refusal("dollars", self._used_up(f"${limits.usd_per_day:,.2f}"), _OFFLINE_ANSWERS)
            self._refuse_haste(limits, use.recent, spell)
            return _more(use, spell, cost)

        self._change(owner, counted)

    def settle(self, owner: UserId, given: Asked, result: GenerationResult) -> None:
        """Replace what was expected of an answer by what it took; a failure of the store leaves the expectation.

        A minute gets back what was counted for this answer while that is in it, and what was taken beyond it when the
        answer ends.
        """
        tokens, cost = reserved_tokens(given), expected_cost(given)
        took, price = taken(given, result)
        if not tokens:
            return
        more_cost = 0.0 if price is None else price - (cost or 0.0)
        unpriced = int(price is None and cost is None)
        try:
            at = given.at if took < tokens else self._moment()
            self._change(owner, lambda use: _more(use, Spell(at, 0, took - tokens), more_cost, unpriced=unpriced))
        except OptimusError:
            _log.exception("what an answer took could not be counted")

    def affords(self, owner: UserId, taken: Asked, other: ModelTarget) -> bool:
        """Tell whether the day's dollars have room for another model in the place of the one that was counted.

        Raises:
            StoreError: the store does not answer.
        """
        limit = self._limits().usd_per_day
        spent = self.used(owner).cost_usd - (expected_cost(taken) or 0.0)
        return limit is None or not _exceeds(spent, price_of(taken, EXPECTED_ANSWER, by=other), limit)

    def require(self, owner: UserId) -> None:
        """Refuse what takes tokens beside the answers, once those of the day or minute, or the dollars, are used up.

        Raises:
            LimitReachedError: they are; `until` is when there is room again.
            StoreError: the store does not answer.
        """
        limits, use = self._limits(), self.used(owner)
        if limits.tokens_per_day is not None and use.tokens >= limits.tokens_per_day:
            raise self._refusal("tokens", self._used_up(_number(limits.tokens_per_day, "token")))
        if limits.usd_per_day is not None and use.cost_usd >= limits.usd_per_day:
            raise self._refusal("dollars", self._used_up(f"${limits.usd_per_day:,.2f}"))
        self._refuse_haste(limits, use.recent, Spell(self._moment(), 0, 1))

    def add(self, owner: UserId, tokens: int, cost: float | None) -> None:
        """Count what was taken beside the answers; `cost` None: the price is not known.

        Raises:
            StoreError: the store does not answer.
        """
        spell = Spell(self._moment(), 0, tokens)
        self._change(owner, lambda use: _more(use, spell, cost, unpriced=int(cost is None)))

    def of_one_answer(self, owner: UserId) -> AnswerBounds:
        """Return how much an answer that is counted may take: no more than its day has room for, or `StoreError`."""
        limits = self._limits()
        most = limits.tokens_per_answer
        if limits.tokens_per_day is not None:
            room = EXPECTED_ANSWER + max(0, limits.tokens_per_day - self.used(owner).tokens)
            most = min(most or _ANY_WRITES, room) if room < _ANY_WRITES else most
        return AnswerBounds(tokens=most, calls=limits.calls_per_answer or MOST_CALLS)

    def used(self, owner: UserId) -> DailyUse:
        """Return what a user has used today."""
        return self._accounts.daily_use(owner, self._clock().astimezone(UTC).date())

    def standing(self, owner: UserId) -> Standing:
        """Return how a user stands today.

        Raises:
            StoreError: the store does not answer.
        """
        limits, use = self._limits(), self.used(owner)
        counts = (
            (use.cost_usd, limits.usd_per_day, f"${limits.usd_per_day or 0:,.2f}"),
            (use.tokens, limits.tokens_per_day, _number(limits.tokens_per_day or 0, "token")),
            (use.messages, limits.messages_per_day, _number(limits.messages_per_day or 0, "message")),
        )
        shares = [(used / most, words) for used, most, words in counts if most]
        share, words = max(shares, default=(0.0, ""), key=lambda each: each[0])
        unpriced = ""
        if limits.usd_per_day and use.unpriced:
            calls = "1 call" if use.unpriced == 1 else f"{use.unpriced} calls"
            unpriced = f"The price of {calls} today is not known, so the day's dollars do not include it."
        warning = "" if share < WARN_FROM else self._used_up(words) if share >= 1 else self._nearly(share, words)
        return Standing(used=use, warning=warning, unpriced=unpriced)

    def _change(self, owner: UserId, change: Callable[[DailyUse], DailyUse]) -> None:
        for _ in range(_TRIES):
            if self._accounts.save_daily_use(change(self.used(owner))):
                return
        raise ConflictError("a count of use changes too fast")

    def _refuse_haste(self, limits: SystemSettings, recent: Sequence[Spell], wanted: Spell) -> None:
        """Refuse what the minute before it has no room for, and say in how many seconds there is.

        Raises:
            LimitReachedError: there is none; `until` is None where there never will be.
        """
        waits = [(0, "")]
        for noun, limit, need, used in (
            ("message", limits.messages_per_minute, wanted.messages, [(spell.at, spell.messages) for spell in recent]),
            ("token", limits.tokens_per_minute, wanted.tokens, [(spell.at, spell.tokens) for spell in recent]),
        ):
            if limit is None or not need:
                continue
            reached = f"The limit of {_number(limit, noun)} a minute"
            if need > limit:
                sentence = f"{reached} is less than this takes, about {need:,}. Shorten it, or begin a new chat."
                raise LimitReachedError(noun, user_message=sentence)
            waits.append((room_in(used, limit - need, wanted.at), reached))
        wait, reached = max(waits)
        if wait > 0:
            seconds = ceil(wait / 1_000_000)
            sentence = f"{reached} is reached. Try again in {_number(seconds, 'second')}."
            error = LimitReachedError("a minute's", user_message=sentence)
            error.until = _EPOCH + timedelta(microseconds=wanted.at, seconds=seconds)
            raise error

    def _moment(self) -> int:
        return (self._clock() - _EPOCH) // timedelta(microseconds=1)

    def _refusal(self, what: str, *sentences: str) -> LimitReachedError:
        error = LimitReachedError(what, user_message=" ".join(sentences))
        error.until = self._midnight()
        return error

    def _nearly(self, share: float, words: str) -> str:
        return f"{share:.0%} of today's limit of {words} is used. It begins anew {self._in()}, at midnight UTC."

    def _used_up(self, words: str) -> str:
        return f"Today's limit of {words} is used up. It begins anew {self._in()}, at midnight UTC."

    def _in(self) -> str:
        return _in(self._midnight() - self._clock())

    def _midnight(self) -> datetime:
        now = self._clock().astimezone(UTC)
        return datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionLedger:
    """Where it is written down what the looking for memories took: it counts like answers do."""

    events: EventRepository
    metrics: Metrics
    allowance: Allowance

    def record(self, owner: UserId, event: Event, model: ModelRef, usage: Usage, cost_usd: float | None) -> None:
        """Record a call that ended; `cost_usd` None: the price is not known.

        Raises:
            StoreError: the store does not answer.
        """
        taken = Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
        self.metrics.note_call(model.provider, model.name, state=None, usage=taken, cost_usd=cost_usd)
        self.allowance.add(owner, taken.input_tokens + taken.output_tokens, cost_usd)
        self.events.append(event)


def _more(use: DailyUse, spell: Spell, cost: float | None, *, unpriced: int = 0) -> DailyUse:
    return use.model_copy(
        update={
            "recent": noted(use.recent, spell),
            "messages": use.messages + spell.messages,
            "tokens": max(0, use.tokens + spell.tokens),
            "cost_usd": max(0.0, use.cost_usd + (cost or 0.0)),
            "unpriced": use.unpriced + unpriced,
        }
    )


def _exceeds(used: float, cost: float | None, limit: float) -> bool:
    """Tell whether a call may not be made; one that costs nothing always may."""
    return used >= limit if cost is None else cost > 0 and used + cost > limit


def _number(limit: int, noun: str) -> str:
    return f"{limit:,} {noun}" if limit == 1 else f"{limit:,} {noun}s"


def _in(time: timedelta) -> str:
    minutes = max(1, round(time.total_seconds() / 60))
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"in {minutes} {'minute' if minutes == 1 else 'minutes'}"
    hours = round(minutes / 60)
    return f"in about {hours} {'hour' if hours == 1 else 'hours'}"
