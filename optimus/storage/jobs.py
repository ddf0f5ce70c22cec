"""Jobs that look for memories in a message: kept until they ended, without a word of what was said."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field
from qdrant_client import QdrantClient

from optimus.models import ConversationId, MessageId, UserId, Value, stable_id
from optimus.storage.filters import between, equals, has_ids, named, one_of, owned_by
from optimus.storage.table import PAGE, VERSION, Table

CLOCKS_APART = timedelta(minutes=1)
"""How far the clocks of two machines that share a store may be apart."""


class JobState(StrEnum):
    """Where a job stands; the last three need nothing more, unless somebody asks again."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRY = "retry"
    DONE = "done"
    NOTHING = "nothing"
    FAILED = "failed"


class ExtractionJob(Value):
    """The search for memories in one message; there is one per message, however often it is asked for."""

    id: str
    user_id: UserId
    message_id: MessageId
    conversation_id: ConversationId
    model: str
    """`provider:model` that is asked."""
    connection_id: str | None = None
    """The owner's own connection that offers it; None where the settings do."""
    status: JobState = JobState.WAITING
    attempts: int = 0
    at: datetime
    """When it is due; of one that ended, when it ended."""
    updated_at: datetime
    reason: str = ""
    """A sentence on why it waits, failed or found nothing."""
    held: int = 0
    """How many of its findings wait for the user's review."""
    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    cost_usd: float | None = None
    version: int = 1


class JobRepository:
    """Jobs in the `work` collection. Only `due`, `counts`, `failures` and `reset_running` see all owners."""

    def __init__(self, *, client: QdrantClient, collection: str, sync: Callable[[], None]) -> None:
        self._jobs = Table(client=client, collection=collection, kind="job", sync=sync)

    def add(self, job: ExtractionJob) -> bool:
        """Store a job unless its message has one; tell whether this call stored it.

        Raises:
            TenancyError: its owner is no UUID.
        """
        named(job.user_id)
        return self._jobs.insert(job.id, job.model_dump(mode="json", exclude={"id"}))

    def save(self, job: ExtractionJob) -> ExtractionJob | None:
        """Store a job over the version that was read; None where it was changed or deleted in between."""
        following = job.model_copy(update={"version": job.version + 1})
        payload = following.model_dump(mode="json", exclude={"id"})
        written = self._jobs.replace(job.id, payload, owned_by(job.user_id), equals(VERSION, job.version))
        return following if written else None

    def of(self, owner: UserId, messages: Collection[MessageId]) -> dict[MessageId, ExtractionJob]:
        """Return the owner's jobs by message; messages without one, and other people's, are left out."""
        if not messages:
            return {}
        rows = self._jobs.find(owned_by(owner), has_ids(*map(job_id, messages)))
        return {job.message_id: job for job in (row.decode(ExtractionJob) for row in rows)}

    def due(self, now: datetime) -> list[ExtractionJob]:
        """Return jobs that may run now, the longest due first.

        Those that were written at a time to come are due as well: since then the clock was set back.
        """
        pending = one_of("status", (JobState.WAITING, JobState.RETRY))
        whens = between("at", None, now), between("updated_at", now + CLOCKS_APART, None)
        rows = {row.id: row for when in whens for row in self._jobs.find(pending, when, limit=PAGE)}
        return sorted((row.decode(ExtractionJob) for row in rows.values()), key=lambda job: (job.at, job.id))

    def reset_running(self) -> None:
        """Let jobs wait again that a dead process was running; called once at start."""
        for row in self._jobs.find(equals("status", JobState.RUNNING)):
            self.save(row.decode(ExtractionJob).model_copy(update={"status": JobState.WAITING}))

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state; states without any are left out."""
        return {JobState(status): number for status, number in self._jobs.tally("status").items()}

    def failures(self, limit: int) -> list[ExtractionJob]:
        """Return jobs that failed, the last ones first."""
        rows = self._jobs.newest("at", equals("status", JobState.FAILED), limit=limit)
        return [row.decode(ExtractionJob) for row in rows]

    def drop(self, owner: UserId, messages: Collection[MessageId]) -> None:
        """Delete the jobs of messages; those without one are passed over."""
        if messages:
            self._jobs.delete(owned_by(owner), has_ids(*map(job_id, messages)))

    def forget(self, owner: UserId) -> None:
        """Delete all jobs of an owner; returns after a sync to disk."""
        self._jobs.delete(owned_by(owner), critical=True)


def job_id(message_id: MessageId) -> str:
    """Return the id of the job of a message."""
    return stable_id("extract", message_id)
