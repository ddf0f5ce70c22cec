"""What was used: events that are appended and never changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from qdrant_client import QdrantClient, models

from optimus.models import UserId
from optimus.storage.filters import between, equals, has_ids, named, owned_by
from optimus.storage.records import Event
from optimus.storage.table import PAGE, Row, Table


class EventRepository:
    """The `events` collection."""

    def __init__(self, *, client: QdrantClient, collection: str, sync: Callable[[], None]) -> None:
        self._events = Table(client=client, collection=collection, kind="event", sync=sync)

    def append(self, event: Event) -> None:
        """Store an event; the same id twice keeps the first."""
        self._events.insert(event.id, _payload(event))

    def adopt(self, events: Iterable[Event]) -> None:
        """Store events that come from elsewhere in one write; those that are there already stay as they are."""
        self._events.insert_all({event.id: _payload(event) for event in events})

    def owned(self, owner: UserId, ids: Sequence[str]) -> set[str]:
        """Return those of the ids under which the owner has an event."""
        pages = (ids[start : start + PAGE] for start in range(0, len(ids), PAGE))
        return {row.id for page in pages for row in self._events.each(owned_by(owner), has_ids(*page))}

    def records(self, owner: UserId, kind: str, *, since: datetime | None = None) -> list[Row]:
        """Return the owner's stored rows of one kind from a time on, undecoded: a long history is read faster so."""
        return self._events.find(owned_by(owner), equals("type", kind), *_when(since))

    def records_of_all(self, kind: str, *, since: datetime | None = None) -> list[Row]:
        """Return everybody's stored rows (admin), as `records` does."""
        return self._events.find(equals("type", kind), *_when(since))

    def tally(self, since: datetime | None = None) -> dict[str, int]:
        """Return how many events of each kind there are, everybody's (admin)."""
        return self._events.tally("type", *_when(since))

    def latest(self, kind: str, *, limit: int) -> list[Event]:
        """Return everybody's last events (admin) of one kind, the newest first."""
        return [_event(row) for row in self._events.newest("at", equals("type", kind), limit=limit)]

    def of(self, owner: UserId, since: datetime | None = None, until: datetime | None = None) -> list[Event]:
        """Return the owner's events with `since` <= time < `until`, the oldest first."""
        rows = self._events.find(owned_by(owner), *_when(since, until))
        return sorted((_event(row) for row in rows), key=lambda event: event.at)


def _when(since: datetime | None, until: datetime | None = None) -> tuple[models.FieldCondition, ...]:
    return () if since is None and until is None else (between("at", since, until),)


def _payload(event: Event) -> dict[str, object]:
    named(event.user_id)
    return event.model_dump(mode="json", exclude={"id", "kind"}) | {"type": event.kind}


def _event(row: Row) -> Event:
    return row._replace(payload={**row.payload, "kind": row.payload["type"]}).decode(Event)
