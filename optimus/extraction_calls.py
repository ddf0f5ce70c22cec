"""The calls of models that looking for memories takes: found, made, cancelled and recorded in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from threading import Event
from typing import Any, TypeVar

from optimus.allowance import ExtractionLedger
from optimus.connections import ConnectionService
from optimus.errors import ProviderUnreachableError
from optimus.llm_handler.prices import cost_usd
from optimus.llm_handler.requests import ModelChoice
from optimus.llm_handler.structured import Target
from optimus.models import Clock, Usage
from optimus.storage.jobs import ExtractionJob
from optimus.usage import extraction_event

_GONE = "The model that looks for memories is not connected at present. Connect it, or choose another."
AnswerT = TypeVar("AnswerT")
Begin = Callable[[Target, Callable[[Usage], None]], "Future[AnswerT]"]
"""Begins a call of a model; the second argument is told what the call took."""


@dataclass(slots=True)
class Spent:
    """What calls took so far."""

    usage: Usage = field(default_factory=Usage)
    cost: float | None = 0.0
    """US dollars; None where a price is unknown."""

    def add(self, usage: Usage, cost: float | None) -> None:
        """Count one more call."""
        self.usage = self.usage.plus(usage)
        self.cost = None if cost is None or self.cost is None else self.cost + cost


class ExtractionCalls:
    """Makes the calls of one worker, one at a time; `cancel` ends the one under way, and lets none begin."""

    def __init__(self, *, ledger: ExtractionLedger, connections: ConnectionService, clock: Clock) -> None:
        self._ledger = ledger
        self._connections = connections
        self._clock = clock
        self._cancelled = Event()
        self._call: Future[Any] | None = None

    def choice(self, job: ExtractionJob) -> ModelChoice:
        """Return a job's model.

        Raises:
            ProviderUnreachableError: it is not on offer at present.
        """
        for choice in self._connections.choices(job.user_id):
            if str(choice.ref) == job.model and choice.connection_id == job.connection_id:
                return choice
        raise ProviderUnreachableError("not on offer", user_message=_GONE)

    def make(self, jobs: Sequence[ExtractionJob], begin: Begin[AnswerT], spent: Spent) -> AnswerT:
        """Have the model of jobs answer, and record what that took; `spent` counts it, too.

        Raises:
            LimitReachedError: the owner's tokens of the day are used up; the model was not asked.
            ProviderError: there was no whole answer.
            CancelledError: `cancel` was called.
        """
        choice = self.choice(jobs[0])
        self._ledger.allowance.require(jobs[0].user_id)
        credentials = self._connections.credentials(jobs[0].user_id, choice)
        target = Target(model=choice.ref, credentials=credentials, connection_id=choice.connection_id)
        taken: list[Usage] = []
        is_whole = False
        try:
            answer = self._follow(begin, target, taken)
            is_whole = True
        finally:
            self._call = None
            usage = taken[-1] if taken else Usage()
            cost = cost_usd(choice.ref, usage, is_local=choice.is_local)
            spent.add(usage, cost)
            self._record(jobs, choice, usage, cost, is_whole=is_whole)
        return answer

    def cancel(self) -> None:
        """End the call that is under way, and let none begin."""
        self._cancelled.set()
        call = self._call
        if call is not None:
            call.cancel()

    def _follow(self, begin: Begin[AnswerT], target: Target, taken: list[Usage]) -> AnswerT:
        if self._cancelled.is_set():
            raise CancelledError
        self._call = call = begin(target, taken.append)
        if self._cancelled.is_set():
            call.cancel()
        return call.result()

    def _record(
        self, jobs: Sequence[ExtractionJob], choice: ModelChoice, usage: Usage, cost: float | None, *, is_whole: bool
    ) -> None:
        """Record what a call took; one that failed before a model read anything took nothing."""
        if is_whole or usage.input_tokens or usage.output_tokens:
            event = extraction_event(
                jobs[0].user_id,
                model=jobs[0].model,
                messages=[job.message_id for job in jobs],
                usage=usage,
                cost=cost,
                failed=not is_whole,
                at=self._clock(),
            )
            self._ledger.record(jobs[0].user_id, event, choice.ref, usage, cost)
