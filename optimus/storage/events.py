"""What was used: events that are appended and never changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from qdrant_client import QdrantClient

from optimus.models import UserId
from optimus.storage.filters import between, equals, has_ids, owned_by
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

    def records(self, owner: UserId | None, kind: str, *, since: datetime | None = None) -> list[Row]:
        """Return the stored rows of one kind in no order, undecoded: a long history is read in half the time.

        Args:
            owner: Whose; None means everybody's (admin).
            kind: Of which kind.
            since: The earliest time.
        """
        mine = () if owner is None else (owned_by(owner),)
        when = () if since is None else (between("at", since, None),)
        return self._events.find(*mine, equals("type", kind), *when)

    def tally(self, since: datetime | None = None) -> dict[str, int]:
        """Return how many events of each kind there are, everybody's (admin)."""
        when = () if since is None else (between("at", since, None),)
        return self._events.tally("type", *when)

    def latest(self, kind: str, *, limit: int) -> list[Event]:
        """Return everybody's last events (admin) of one kind, the newest first."""
        return [_event(row) for row in self._events.newest("at", equals("type", kind), limit=limit)]

    def of(self, owner: UserId | None, since: datetime | None = None, until: datetime | None = None) -> list[Event]:
        """Return events with `since` <= time < `until`, the oldest first; owner None means everybody's (admin)."""
        mine = () if owner is None else (owned_by(owner),)
        when = () if since is None and until is None else (between("at", since, until),)
        rows = self._events.find(*mine, *when)
        return sorted((_event(row) for row in rows), key=lambda event: event.at)


def _payload(event: Event) -> dict[str, object]:
    return event.model_dump(mode="json", exclude={"id", "kind"}) | {"type": event.kind}


def _event(row: Row) -> Event:
    return row._replace(payload={**row.payload, "kind": row.payload["type"]}).decode(Event)
