"""What the system remembers about itself, such as the embedding model that made the vectors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from qdrant_client import QdrantClient, models

from optimus.models import Value, stable_id
from optimus.storage.filters import all_of, equals, has_ids
from optimus.storage.table import KIND, MAX_VALUES, PAGE, VERSION, Table

FAILED, WAITING = "failed", "waiting"
_FINISHED = frozenset({"done", "nothing"})
_NO_JOBS = frozenset({"setting", "probe", "audit_head", "checkup"})


class JobState(Value):
    """How many jobs of one kind have one status."""

    kind: str
    status: str
    count: int


class FailedJob(Value):
    """A job that failed: of which kind, and when."""

    kind: str
    at: datetime | None


class WorkRepository:
    """The `work` collection: named settings, and intents of what must be finished even after a crash."""

    def __init__(self, *, client: QdrantClient, collection: str, sync: Callable[[], None]) -> None:
        self._client = client
        self._collection = collection
        self._settings = Table(client=client, collection=collection, kind="setting", sync=sync)
        self._intents = Table(client=client, collection=collection, kind="intent", sync=sync)

    def setting(self, name: str) -> dict[str, Any] | None:
        """Return a setting, or None where it was never set."""
        row = self._settings.get(stable_id("setting", name))
        return dict(row.payload["value"]) if row else None

    def set_setting(self, name: str, value: dict[str, Any]) -> None:
        """Store a setting over the one before; returns after a sync to disk."""
        self._settings.put(stable_id("setting", name), {"name": name, "value": value}, critical=True)

    def drop_setting(self, name: str) -> None:
        """Forget a setting; one that was never set is no error. Returns after a sync to disk."""
        self._settings.delete(has_ids(stable_id("setting", name)), critical=True)

    def change_setting(self, name: str, value: dict[str, Any], *, version: int) -> bool:
        """Store the version after `version` of a setting; False where somebody was faster, and nothing is stored.

        Its first version is 1; the value holds its own version as `version`.
        """
        point_id = stable_id("setting", name)
        payload = {"name": name, "value": value | {VERSION: version + 1}, VERSION: version + 1}
        if version == 0:
            return self._settings.insert(point_id, payload, critical=True)
        return self._settings.replace(point_id, payload, equals(VERSION, version), critical=True)

    def job_states(self) -> tuple[JobState, ...]:
        """Return how many jobs of each kind are not finished, by status; what names no status is waiting."""
        return tuple(
            JobState(kind=kind, status=status, count=count)
            for kind, total in sorted(self._tally(KIND).items())
            if kind not in _NO_JOBS
            for status, count in self._by_status(kind, total)
            if count and status not in _FINISHED
        )

    def failed_jobs(self, *, limit: int) -> list[FailedJob]:
        """Return jobs that failed, the last ones first."""
        where = all_of(equals("status", FAILED))
        records, _ = self._client.scroll(self._collection, scroll_filter=where, limit=PAGE)
        found = [_failed(record.payload or {}) for record in records]
        return sorted(found, key=lambda job: job.at or datetime.min.replace(tzinfo=UTC), reverse=True)[:limit]

    def intend(self, purpose: str, intent_id: str, value: dict[str, Any]) -> None:
        """Store what has to be finished; storing it again keeps the first. Returns after a sync to disk."""
        self._intents.insert(intent_id, {"purpose": purpose, "value": value}, critical=True)

    def intended(self, purpose: str) -> list[dict[str, Any]]:
        """Return what was begun for a purpose and not finished."""
        rows = self._intents.find()
        return [dict(row.payload["value"]) for row in rows if row.payload["purpose"] == purpose]

    def finish(self, intent_id: str) -> None:
        """Forget an intent that was carried out."""
        self._intents.delete(has_ids(intent_id), critical=True)

    def _by_status(self, kind: str, total: int) -> list[tuple[str, int]]:
        known = self._tally("status", equals(KIND, kind))
        return [*sorted(known.items()), (WAITING, total - sum(known.values()))]

    def _tally(self, key: str, *conditions: models.Condition) -> dict[str, int]:
        where = all_of(*conditions) if conditions else None
        found = self._client.facet(self._collection, key=key, facet_filter=where, limit=MAX_VALUES, exact=True)
        return {str(hit.value): hit.count for hit in found.hits}


def _failed(payload: dict[str, Any]) -> FailedJob:
    at = payload.get("updated_at") or payload.get("created_at")
    return FailedJob(kind=str(payload.get(KIND)), at=datetime.fromisoformat(at) if at else None)
