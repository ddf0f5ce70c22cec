"""Looking for memories with a language model once the answer is there: a durable queue and its one worker.

A job belongs to one message. It survives restarts, runs once however many workers there are, and ends as done,
nothing, or failed with a reason; an answer of the model that cannot be read is tried again and never means nothing.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from threading import Event, Thread
from typing import Any

from optimus.connections import ConnectionService
from optimus.errors import LimitReachedError, NotFoundError, OptimusError, ProviderError, SealError
from optimus.extraction_reader import ExtractionReader, Outcome, may_remember
from optimus.llm_handler.requests import ModelChoice
from optimus.models import Clock, Message, MessageId, UserId
from optimus.preferences import PreferenceService
from optimus.storage.failpoints import reached
from optimus.storage.jobs import ExtractionJob, JobRepository, JobState, job_id

MAX_ATTEMPTS = 5
BATCH_MESSAGES = 8
POLL_S = 5.0
STOP_S = 8.0
FIRST_WAIT_S = 30.0
LONGEST_WAIT_S = 3600.0
_UNFORESEEN = "Something unexpected happened while this message was looked through."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How it stands with the look through one message."""

    message_id: MessageId
    status: JobState
    held: int
    """How many findings wait for review."""
    fault: str
    """A sentence on why it failed or has to be tried again; empty otherwise."""

    @property
    def is_under_way(self) -> bool:
        """Whether the model is about to look, or looking."""
        return self.status in {JobState.WAITING, JobState.RUNNING}

    @property
    def is_put_off(self) -> bool:
        """Whether it failed and will be tried again by itself."""
        return self.status is JobState.RETRY


class ExtractionService:
    """Queues messages, works the queue off, and tells how it stands. Safe from any thread."""

    def __init__(
        self,
        *,
        jobs: JobRepository,
        reader: ExtractionReader,
        connections: ConnectionService,
        preferences: PreferenceService,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._jobs = jobs
        self._reader = reader
        self._connections = connections
        self._preferences = preferences
        self._clock = clock
        self._chance = chance
        self._wake = Event()
        self._stopping = Event()
        self._worker: Thread | None = None

    def enqueue(self, message: Message, chat: ModelChoice) -> None:
        """Queue a message that `chat` answered, unless its writer wants no model to look; again is once.

        It raises nothing of ours: an answer is not lost for it.
        """
        try:
            if not may_remember(self._preferences.of(message.user_id), message):
                return
            choice = self._connections.extraction_choice(message.user_id, chat)
            if choice is not None and self._jobs.add(self._new(message, choice)):
                self._wake.set()
        except OptimusError:
            _log.exception("a message could not be queued to be looked through")

    def retry(self, owner: UserId, message_id: MessageId) -> None:
        """Look again through a message that failed; any other job stays as it is.

        Raises:
            NotFoundError: the message has no job, or is not the owner's.
        """
        job = self._jobs.of(owner, [message_id]).get(message_id)
        if job is None:
            raise NotFoundError("extraction job")
        if job.status is JobState.FAILED:
            self._move(job, JobState.WAITING, attempts=0, reason="")
            self._wake.set()

    def looks(self, owner: UserId, messages: Collection[MessageId]) -> dict[MessageId, Look]:
        """Return how it stands with the owner's messages; those that were never queued are left out."""
        return {
            key: Look(
                message_id=key,
                status=job.status,
                held=self._reader.held(job) if job.held else 0,
                fault=job.reason if job.status in {JobState.FAILED, JobState.RETRY} else "",
            )
            for key, job in self._jobs.of(owner, messages).items()
        }

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs of all accounts are in each state."""
        return self._jobs.counts()

    def failures(self, limit: int = 20) -> list[ExtractionJob]:
        """Return the jobs of all accounts that failed last; they hold no content."""
        return self._jobs.failures(limit)

    def drop(self, owner: UserId, messages: Collection[MessageId]) -> None:
        """Forget the jobs of messages that are deleted."""
        self._jobs.drop(owner, messages)

    def forget(self, owner: UserId) -> None:
        """Forget all jobs of an owner, whose data are erased."""
        self._jobs.forget(owner)

    def start(self) -> None:
        """Begin to work in the background, first on what a dead process left; after `stop` it does nothing."""
        if self._worker is None and not self._stopping.is_set():
            self._worker = Thread(target=self._work, name="optimus-extraction", daemon=True)
            self._worker.start()

    def recover(self) -> None:
        """Let jobs wait again that a dead process was running; only before a worker begins."""
        self._jobs.reset_running()

    def stop(self) -> None:
        """End the work within ten seconds; a call under way is cancelled, and its jobs wait for the next start."""
        self._stopping.set()
        self._wake.set()
        self._reader.cancel()
        if self._worker is not None:
            self._worker.join(STOP_S)

    def run_due(self) -> int:
        """Work off what is due now; return how many messages were taken up. One worker does this all the time."""
        taken = 0
        for batch in _batches(self._jobs.due(self._clock())):
            claimed = [] if self._stopping.is_set() else [job for each in batch if (job := self._claim(each))]
            if claimed:
                reached("extract.claimed")
                self._run(claimed)
            taken += len(claimed)
        return taken

    def _work(self) -> None:
        """Work until the end; what a failure of the store left as running waits again before anything else."""
        is_recovered = False
        while not self._stopping.is_set():
            try:
                if not is_recovered:
                    self.recover()
                taken, is_recovered = self.run_due(), True
            except Exception as exc:  # noqa: BLE001 - the one worker lives on, and the text may be personal
                _log.error("looking for memories stopped short: %s", type(exc).__name__)
                taken, is_recovered = 0, False
            if not taken:
                self._wake.wait(POLL_S)
                self._wake.clear()

    def _claim(self, job: ExtractionJob) -> ExtractionJob | None:
        """Take a job; None where another worker has it, it was deleted, or it ended a process too often."""
        if job.attempts >= MAX_ATTEMPTS:
            self._move(job, JobState.FAILED, reason=_UNFORESEEN)
            return None
        return self._move(job, JobState.RUNNING, attempts=job.attempts + 1)

    def _run(self, jobs: Sequence[ExtractionJob]) -> None:
        try:
            outcomes = self._reader.look(jobs)
        except CancelledError:
            self._give_back(jobs)
        except (NotFoundError, SealError):
            self._end(jobs, {})
        except LimitReachedError as error:
            self._give_back(jobs, error)
        except OptimusError as error:
            self._put_off(jobs, error)
        except Exception as exc:  # noqa: BLE001 - whatever it was, no job may stay as running
            _log.error("a message could not be looked through: %s", type(exc).__name__)
            self._put_off(jobs, ProviderError(user_message=_UNFORESEEN))
        else:
            self._end(jobs, outcomes)

    def _end(self, jobs: Sequence[ExtractionJob], outcomes: dict[str, Outcome]) -> None:
        """Store how jobs ended; those without an outcome have no message any more and go, too."""
        for job in jobs:
            reached("extract.looked")
            outcome = outcomes.get(job.id)
            if outcome is None:
                self._jobs.drop(job.user_id, [job.message_id])
                continue
            self._move(
                job,
                outcome.state,
                reason=outcome.reason,
                held=outcome.held,
                input_tokens=job.input_tokens + outcome.input_tokens,
                output_tokens=job.output_tokens + outcome.output_tokens,
                cost_usd=outcome.cost_usd,
            )

    def _give_back(self, jobs: Sequence[ExtractionJob], limit: LimitReachedError | None = None) -> None:
        """Let jobs wait that were not tried: for the next worker, or until a limit ends."""
        for job in jobs:
            if limit is None:
                self._move(job, JobState.WAITING, attempts=job.attempts - 1)
            else:
                due = limit.until or self._clock() + timedelta(seconds=LONGEST_WAIT_S)
                self._move(job, JobState.RETRY, attempts=job.attempts - 1, at=due, reason=limit.user_message)

    def _put_off(self, jobs: Sequence[ExtractionJob], error: OptimusError) -> None:
        """Let jobs wait before the next try, longer each time and not all at once, or fail where that is no use."""
        is_final = isinstance(error, ProviderError) and not error.retryable
        asked_s = getattr(error, "retry_after_s", None) or 0.0
        for job in jobs:
            if is_final or job.attempts >= MAX_ATTEMPTS:
                self._move(job, JobState.FAILED, reason=error.user_message)
                continue
            wait_s = FIRST_WAIT_S * 2 ** (job.attempts - 1) * (0.75 + self._chance() / 2)
            due = self._clock() + timedelta(seconds=min(LONGEST_WAIT_S, max(wait_s, asked_s)))
            self._move(job, JobState.RETRY, at=due, reason=error.user_message)

    def _new(self, message: Message, choice: ModelChoice) -> ExtractionJob:
        now = self._clock()
        return ExtractionJob(
            id=job_id(message.id),
            user_id=message.user_id,
            message_id=message.id,
            conversation_id=message.conversation_id,
            model=str(choice.ref),
            connection_id=choice.connection_id,
            at=now,
            updated_at=now,
        )

    def _move(self, job: ExtractionJob, status: JobState, **changes: Any) -> ExtractionJob | None:
        now = self._clock()
        return self._jobs.save(job.model_copy(update={"status": status, "at": now, "updated_at": now, **changes}))


def _batches(jobs: Sequence[ExtractionJob]) -> Iterator[list[ExtractionJob]]:
    """Yield jobs that go into one call: of one conversation and model. One that failed before goes alone.

    So a message that no model can read does not take others with it.
    """

    def same(job: ExtractionJob) -> tuple[str, ...]:
        alone = job.id if job.attempts else ""
        return (job.user_id, job.conversation_id, job.model, job.connection_id or "", alone)

    for _, group in groupby(sorted(jobs, key=lambda job: (same(job), job.at)), same):
        waiting = list(group)
        for start in range(0, len(waiting), BATCH_MESSAGES):
            yield waiting[start : start + BATCH_MESSAGES]
