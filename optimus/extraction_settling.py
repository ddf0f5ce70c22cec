"""The last step of a look: a model compares what is new with what is known, so that neither repeats nor lies stay."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from optimus.errors import LimitReachedError, ProviderError
from optimus.extraction_calls import ExtractionCalls, Spent
from optimus.llm_handler.settling import Settler, SettlingRequest, Statement, Verdict
from optimus.llm_handler.structured import Target
from optimus.memory_manager.settling import Entry, Ruling, Settlement
from optimus.models import Usage
from optimus.storage.jobs import ExtractionJob
from optimus.withholding import Receiver, Withholding

Told = Callable[[Usage], None]
_log = logging.getLogger(__name__)


class SettlingStep:
    """Settles what came from the messages of jobs."""

    def __init__(
        self, *, calls: ExtractionCalls, settler: Settler, settlement: Settlement, withholding: Withholding
    ) -> None:
        self._calls = calls
        self._settler = settler
        self._settlement = settlement
        self._withholding = withholding

    def take(self, jobs: Sequence[ExtractionJob], receiver: Receiver, spent: Spent) -> None:
        """Have the model of jobs of one owner compare what came from their messages with what is known.

        Memories that the model may not get are left out. Where it gives no whole answer, or the day's tokens are used
        up, all memories stay as they are: they are compared again with what comes next.

        Raises:
            CancelledError: the work is to end.
            StoreError: the store does not answer; taking the step again does what is missing.
        """
        owner = jobs[0].user_id
        entries = self._settlement.entries(owner, [job.message_id for job in jobs])
        unsent = self._withholding.unsent(owner, [entry.memory for entry in entries], [receiver])
        entries = [entry for entry in entries if entry.memory.id not in unsent]
        if len(entries) < 2 or not any(entry.is_new for entry in entries):  # noqa: PLR2004 - a pair
            return
        try:
            verdicts = self._calls.make(jobs, lambda target, told: self._begin(entries, target, told), spent)
        except (ProviderError, LimitReachedError) as error:
            _log.info("new memories could not be compared: %s", type(error).__name__)
            return
        rulings = [Ruling(keep=each.keep, same=each.same, outdated=each.outdated) for each in verdicts]
        self._settlement.settle(owner, entries, rulings, by=jobs[0].model)

    def _begin(self, entries: Sequence[Entry], target: Target, told: Told) -> Future[tuple[Verdict, ...]]:
        statements = tuple(Statement(text=entry.memory.text, is_new=entry.is_new) for entry in entries)
        return self._settler.ask(SettlingRequest(**dict(target), statements=statements), told)
