"""Everything of one owner over all collections: how much it is, and its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from qdrant_client import QdrantClient, models

from optimus.models import UserId
from optimus.storage.collections import CollectionNames, collection_specs
from optimus.storage.filters import OWNER_FIELD, all_of, equals, has_ids, owned_by
from optimus.storage.table import KIND
from optimus.storage.tenancy import acting_as

BATCH = 200
"""Records deleted in one call: the engine pauses everybody for as long as a call takes."""


class PersonalRecords:
    """Counts and deletes by owner, whatever kind the records are of."""

    def __init__(self, *, client: QdrantClient, names: CollectionNames, sync: Callable[[], None]) -> None:
        self._client = client
        self._names = names
        self._sync = sync

    def counts(self, owner: UserId) -> dict[str, int]:
        """Return how many records of the owner each collection holds, exactly, by the collection's own name."""
        where = all_of(owned_by(owner))
        with acting_as(owner):
            return {
                name.removeprefix(self._names.prefix): self._client.count(name, count_filter=where, exact=True).count
                for name in self._collections()
            }

    def erase(self, owner: UserId) -> None:
        """Delete every record of the owner in every collection; returns after a sync to disk.

        Records of the audit log stay, because it is a chain: `AuditLog.forget` takes the owner out of them.
        """
        for name in self._collections():
            self._erase(owner, name)
        self._sync()

    def _collections(self) -> Iterator[str]:
        return (spec.name for spec in collection_specs(self._names))

    def _erase(self, owner: UserId, name: str) -> None:
        kept = equals(KIND, "audit") if name == self._names.events else None
        mine = models.Filter(must=[owned_by(owner)], must_not=kept)
        with acting_as(owner):
            while True:
                records, _ = self._client.scroll(name, scroll_filter=mine, limit=BATCH, with_payload=[OWNER_FIELD])
                if not records:
                    return
                batch = all_of(owned_by(owner), has_ids(*(str(record.id) for record in records)))
                self._client.delete(name, points_selector=models.FilterSelector(filter=batch))
