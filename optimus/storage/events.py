"""What happened: usage and audit events, appended and never changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from qdrant_client import QdrantClient

from optimus.models import UserId
from optimus.storage.filters import between, owned_by
from optimus.storage.records import Event
from optimus.storage.table import Table


class EventRepository:
    """The `events` collection."""

    def __init__(self, *, client: QdrantClient, collection: str, sync: Callable[[], None]) -> None:
        self._events = Table(client=client, collection=collection, kind="event", sync=sync)

    def append(self, event: Event, *, critical: bool = False) -> None:
        """Store an event; the same id twice keeps the first. Audit events are `critical`: they wait for disk."""
        payload = event.model_dump(mode="json", exclude={"id", "kind"}) | {"type": event.kind}
        self._events.insert(event.id, payload, critical=critical)

    def of(self, owner: UserId | None, since: datetime | None = None, until: datetime | None = None) -> list[Event]:
        """Return events with `since` <= time < `until`, the oldest first; owner None means everybody's (admin)."""
        mine = () if owner is None else (owned_by(owner),)
        when = () if since is None and until is None else (between("at", since, until),)
        rows = self._events.find(*mine, *when)
        found = [row._replace(payload={**row.payload, "kind": row.payload["type"]}).decode(Event) for row in rows]
        return sorted(found, key=lambda event: event.at)
