"""What looking through an owner's memories found: numbers, and repairs that can be made and taken back. No texts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from pydantic import Field
from qdrant_client import QdrantClient

from optimus.models import MemoryId, MemoryStatus, MessageId, UserId, Value, stable_id
from optimus.storage.filters import equals, owned_by
from optimus.storage.table import VERSION, Table

KIND = "checkup"
MAX_REPAIRS = 100
"""Of one checkup, the worst first: the next one finds the others."""
MAX_TARGETS = 8


class Problem(StrEnum):
    """What can be wrong with memories."""

    DUPLICATE = "duplicate"
    CONTRADICTION = "contradiction"
    LOOPED = "looped"
    UNSURE = "unsure"
    STALE = "stale"
    UNUSED = "unused"


class RepairKind(StrEnum):
    """What a repair does with its targets."""

    MERGE = "merge"
    """The kept memory takes over who said them and how often; they count as replaced by it."""
    SUPERSEDE = "supersede"
    """They count as replaced by the kept one, which is newer."""
    ARCHIVE = "archive"
    """They are put away: kept, but not used in answers."""
    DELETE = "delete"
    """They go to the bin."""


class Before(Value):
    """How a memory stood before a repair, as far as the repair changed it."""

    id: MemoryId
    status: MemoryStatus
    superseded_by: MemoryId | None = None
    valid_to: datetime | None = None
    sources: tuple[MessageId, ...] = ()
    confirmations: int = 1


class Repair(Value):
    """One proposal; what it would change stays as it is until somebody makes it."""

    id: str
    problem: Problem
    kind: RepairKind
    keep: MemoryId | None = None
    """The memory that stays, of those that say the same or contradict each other."""
    targets: tuple[MemoryId, ...] = Field(min_length=1, max_length=MAX_TARGETS)
    made_at: datetime | None = None
    before: tuple[Before, ...] = ()
    """Of a repair that was made: what taking it back restores."""
    by: str = ""
    """The model that found it after a chat, and had it made at once; empty where the owner did."""


class Checkup(Value):
    """What one look through all memories found."""

    user_id: UserId
    at: datetime | None = None
    """None where nobody looked yet, and there are only repairs that a model had made."""
    memories: int = 0
    """True ones that were looked at; messages are not."""
    counts: dict[Problem, int] = Field(default={})
    """How many of them have each problem."""
    repairs: tuple[Repair, ...] = Field(default=(), max_length=MAX_REPAIRS)
    ignored: tuple[str, ...] = ()
    """Proposals that the owner does not want to see again."""
    version: int = 1

    def rate(self, problem: Problem) -> float:
        """Return which share of the memories that were looked at has a problem, 0 to 1; 0 where there were none."""
        return self.counts.get(problem, 0) / self.memories if self.memories else 0.0


class CheckupRepository:
    """The last checkup of each owner, in the `work` collection."""

    def __init__(self, *, client: QdrantClient, collection: str, sync: Callable[[], None]) -> None:
        self._checkups = Table(client=client, collection=collection, kind=KIND, sync=sync)

    def of(self, owner: UserId) -> Checkup | None:
        """Return the owner's last checkup; None where there was none."""
        row = self._checkups.get(stable_id(KIND, owner), owned_by(owner))
        return row.decode(Checkup) if row else None

    def put(self, checkup: Checkup) -> None:
        """Store a new checkup over the one before."""
        self._checkups.put(stable_id(KIND, checkup.user_id), checkup.model_dump(mode="json"))

    def save(self, checkup: Checkup) -> Checkup | None:
        """Store a changed checkup over the version that was read; None where there is another meanwhile."""
        following = checkup.model_copy(update={"version": checkup.version + 1})
        payload, point_id = following.model_dump(mode="json"), stable_id(KIND, checkup.user_id)
        written = self._checkups.replace(point_id, payload, owned_by(checkup.user_id), equals(VERSION, checkup.version))
        return following if written else None
