"""Which documents an owner's memories are parts of."""

from __future__ import annotations

from qdrant_client.client_base import QdrantBase

from optimus.models import MemoryStatus, MemoryType, UserId
from optimus.storage.filters import all_of
from optimus.storage.memory_filter import memory_conditions
from optimus.storage.records import MemoryFilter
from optimus.storage.tenancy import acting_as

MAX_DOCUMENTS = 1_000
"""More than are listed."""
KEPT_STATUSES = frozenset({MemoryStatus.ACTIVE, MemoryStatus.QUARANTINED})
"""A part that waits for review is kept, too."""
_PARTS = MemoryFilter(types=frozenset({MemoryType.DOCUMENT}), statuses=KEPT_STATUSES)


class DocumentIndex:
    """The documents in the `memories` collection, by their parts; it talks to the tenancy wall."""

    def __init__(self, *, backend: QdrantBase, collection: str) -> None:
        self._backend = backend
        self._collection = collection

    def counts(self, owner: UserId) -> dict[str, int]:
        """Return of how many parts each of the owner's documents is remembered now, by its id."""
        with acting_as(owner):
            found = self._backend.facet(
                self._collection,
                key="document_id",
                facet_filter=all_of(*memory_conditions(owner, _PARTS)),
                limit=MAX_DOCUMENTS,
                exact=True,
            )
        return {str(hit.value): hit.count for hit in found.hits}
