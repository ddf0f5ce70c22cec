"""What was used: events that are appended and never changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from qdrant_client import QdrantClient

from optimus.models import UserId
from optimus.storage.filters import between, equals, owned_by
from optimus.storage.records import Event
from optimus.storage.table import Row, Table


class EventRepository:
    """The `events` collection."""

    def __init__(self, *, client: QdrantClient, collection: str, sync: Callable[[], None]) -> None:
        self._events = Table(client=client, collection=collection, kind="event", sync=sync)

    def append(self, event: Event) -> None:
        """Store an event; the same id twice keeps the first."""
        payload = event.model_dump(mode="json", exclude={"id", "kind"}) | {"type": event.kind}
        self._events.insert(event.id, payload)

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


def _event(row: Row) -> Event:
    return row._replace(payload={**row.payload, "kind": row.payload["type"]}).decode(Event)
