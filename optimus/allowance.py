"""What a user may still send and use today: counted in the store before an answer begins, corrected when it ends.

A day is one of UTC, so that nobody can begin a new one by moving a clock or a time zone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from optimus.errors import ConflictError, LimitReachedError, OptimusError
from optimus.llm_handler.requests import OFFLINE_MODEL, GenerationResult, ModelRef
from optimus.metrics import Metrics
from optimus.models import Clock, Usage, UserId
from optimus.storage.accounts import AccountRepository
from optimus.storage.events import EventRepository
from optimus.storage.records import DailyUse, Event
from optimus.system_settings import SystemSettings
from optimus.usage import Asked

_TRIES = 50
_log = logging.getLogger(__name__)


class Allowance:
    """Counts messages and tokens by user and day, and refuses what goes beyond the system's limits."""

    def __init__(self, *, accounts: AccountRepository, limits: Callable[[], SystemSettings], clock: Clock) -> None:
        self._accounts = accounts
        self._limits = limits
        self._clock = clock

    def take(self, owner: UserId, given: Asked) -> None:
        """Count a message, and the tokens that its model is given, before anything of it is stored.

        Of any number of parallel calls no more get through than the limits allow. The offline assistant takes no
        tokens, so it answers on when they are used up.

        Raises:
            LimitReachedError: a limit of the day is used up; the message says until when.
            StoreError: the store does not answer.
        """
        limits, tokens = self._limits(), _estimate(given)

        def counted(use: DailyUse) -> DailyUse:
            if limits.messages_per_day is not None and use.messages >= limits.messages_per_day:
                raise LimitReachedError("messages", user_message=self._used_up(limits.messages_per_day, "message"))
            if tokens and limits.tokens_per_day is not None and use.tokens + tokens > limits.tokens_per_day:
                sentence = self._used_up(limits.tokens_per_day, "token")
                raise LimitReachedError("tokens", user_message=f"{sentence} The offline assistant still answers.")
            return use.model_copy(update={"messages": use.messages + 1, "tokens": use.tokens + tokens})

        self._change(owner, counted)

    def settle(self, owner: UserId, given: Asked, result: GenerationResult) -> None:
        """Replace the estimate of an answer by what it took; a failure of the store leaves the estimate."""
        estimate = _estimate(given)
        if not estimate:
            return
        more = result.tokens - estimate
        try:
            self._change(owner, lambda use: use.model_copy(update={"tokens": max(0, use.tokens + more)}))
        except OptimusError:
            _log.exception("the tokens of an answer could not be counted")

    def require(self, owner: UserId) -> None:
        """Refuse what takes tokens beside the answers, once those of the day are used up.

        Raises:
            LimitReachedError: they are; `until` is when the next day begins.
            StoreError: the store does not answer.
        """
        limit = self._limits().tokens_per_day
        if limit is not None and self.used(owner).tokens >= limit:
            error = LimitReachedError("tokens", user_message=self._used_up(limit, "token"))
            error.until = self._midnight()
            raise error

    def add(self, owner: UserId, tokens: int) -> None:
        """Count tokens that were taken beside the answers.

        Raises:
            StoreError: the store does not answer.
        """
        self._change(owner, lambda use: use.model_copy(update={"tokens": use.tokens + tokens}))

    def used(self, owner: UserId) -> DailyUse:
        """Return what a user has used today."""
        return self._accounts.daily_use(owner, self._clock().astimezone(UTC).date())

    def _change(self, owner: UserId, change: Callable[[DailyUse], DailyUse]) -> None:
        for _ in range(_TRIES):
            if self._accounts.save_daily_use(change(self.used(owner))):
                return
        raise ConflictError("a count of use changes too fast")

    def _used_up(self, limit: int, noun: str) -> str:
        number = f"{limit:,} {noun}" if limit == 1 else f"{limit:,} {noun}s"
        left = self._midnight() - self._clock()
        return f"Today's limit of {number} is used up. It begins anew {_in(left)}, at midnight UTC."

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
        self.allowance.add(owner, taken.input_tokens + taken.output_tokens)
        self.events.append(event)


def _estimate(given: Asked) -> int:
    is_free = given.choice.ref == OFFLINE_MODEL
    return 0 if is_free else given.prompt_tokens + given.memory_tokens + given.history_tokens


def _in(time: timedelta) -> str:
    minutes = max(1, round(time.total_seconds() / 60))
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"in {minutes} {'minute' if minutes == 1 else 'minutes'}"
    hours = round(minutes / 60)
    return f"in about {hours} {'hour' if hours == 1 else 'hours'}"
