"""A look over all memories of an owner without opening what is sealed, and who lies near whom among them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from qdrant_client import QdrantClient, models

from optimus.models import MemoryId, MemoryStatus, MemoryType, SourceKind, UserId
from optimus.storage.client import behind
from optimus.storage.collections import DENSE
from optimus.storage.filters import OWNER_FIELD, all_of, has_ids
from optimus.storage.index_choice import DEFAULTS, IndexChoice
from optimus.storage.memory_filter import CHANGED, RECORDED, memory_conditions
from optimus.storage.memory_payload import SLOT_KEY, recorded_at
from optimus.storage.records import MemoryFilter
from optimus.storage.table import PAGE, VERSION
from optimus.storage.tenancy import acting_as

NEAR_BATCH = 32
"""Searches in one call: the engine pauses everybody for as long as a call takes."""
_PLAIN = [
    OWNER_FIELD, VERSION, "type", "status", RECORDED, CHANGED, "importance", "confidence", "confirmations", "pinned",
    "uses", "last_used_at", "source", SLOT_KEY,
]  # fmt: skip


class MemoryRow(NamedTuple):
    """A memory without anything sealed."""

    id: MemoryId
    version: int
    type: MemoryType
    status: MemoryStatus
    recorded_at: datetime
    updated_at: datetime
    importance: float
    confidence: float
    confirmations: int
    pinned: bool
    uses: int
    last_used_at: datetime | None
    source: SourceKind
    slot_key: str | None


class MemorySurvey:
    """Reads the `memories` collection as a whole; every method takes the owner."""

    def __init__(self, *, client: QdrantClient, collection: str, choice: IndexChoice = DEFAULTS) -> None:
        self._client = client
        self._backend = behind(client)
        self._collection = collection
        self._searched = choice.search_params()

    def rows(
        self, owner: UserId, where: MemoryFilter, *, ids: Collection[MemoryId] | None = None
    ) -> Iterator[MemoryRow]:
        """Yield all memories that match, or those of `ids` that do, in no order, reading 256 at a time."""
        only = [] if ids is None else [has_ids(*ids)]
        conditions, offset = all_of(*memory_conditions(owner, where), *only), None
        while True:
            with acting_as(owner):
                records, offset = self._client.scroll(
                    self._collection, scroll_filter=conditions, limit=PAGE, offset=offset, with_payload=_PLAIN
                )
            yield from map(_row, records)
            if offset is None:
                return

    def near(
        self, owner: UserId, ids: Sequence[MemoryId], where: MemoryFilter, *, limit: int, least: float
    ) -> dict[MemoryId, list[tuple[MemoryId, float]]]:
        """Return, for at most `NEAR_BATCH` memories, which others lie nearest in meaning, with their cosines.

        Args:
            owner: Whose memories.
            ids: Whose neighbours are wanted; those that are missing or somebody else's are passed over.
            where: Which memories count as neighbours.
            limit: How many neighbours at most.
            least: The cosine from which on one counts.
        """
        conditions = all_of(*memory_conditions(owner, where))
        with acting_as(owner):
            records = self._client.retrieve(
                self._collection, ids=list(ids), with_payload=[OWNER_FIELD], with_vectors=[DENSE]
            )
            records = [record for record in records if _meaning(record.vector)]
            if not records:
                return {}
            requests = [self._request(record.vector, conditions, limit + 1, least) for record in records]
            answers = self._backend.query_batch_points(self._collection, requests=requests)
        return {
            MemoryId(str(record.id)): _others(answer.points, record.id, limit)
            for record, answer in zip(records, answers, strict=True)
        }

    def _request(self, vector: Any, where: models.Filter, limit: int, least: float) -> models.QueryRequest:
        return models.QueryRequest(
            query=models.NearestQuery(nearest=_meaning(vector)),
            using=DENSE,
            filter=where,
            params=self._searched,
            limit=limit,
            score_threshold=least,
            with_payload=[OWNER_FIELD],
        )


def _meaning(vector: Any) -> Any:
    """Return a record's vector; None where it has none that can be compared."""
    return vector.get(DENSE) if isinstance(vector, dict) else vector


def _others(points: Collection[Any], own: Any, limit: int) -> list[tuple[MemoryId, float]]:
    return [(MemoryId(str(point.id)), point.score) for point in points if point.id != own][:limit]


def _row(record: Any) -> MemoryRow:
    payload = record.payload or {}
    recorded, used = recorded_at(payload), payload.get("last_used_at")
    return MemoryRow(
        id=MemoryId(str(record.id)),
        version=payload.get(VERSION) or 1,
        type=MemoryType(payload.get("type") or MemoryType.FACT),
        status=MemoryStatus(payload.get("status") or MemoryStatus.ACTIVE),
        recorded_at=recorded,
        updated_at=datetime.fromisoformat(payload[CHANGED]) if payload.get(CHANGED) else recorded,
        importance=payload.get("importance", 0.5),
        confidence=payload.get("confidence", 1.0),
        confirmations=payload.get("confirmations") or 1,
        pinned=bool(payload.get("pinned")),
        uses=payload.get("uses") or 0,
        last_used_at=datetime.fromisoformat(used) if used else None,
        source=SourceKind(payload.get("source") or SourceKind.USER),
        slot_key=payload.get(SLOT_KEY),
    )
