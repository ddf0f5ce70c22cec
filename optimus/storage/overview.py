"""The store seen from above, for those who run it: sizes of collections and counts over all accounts, no content."""

from __future__ import annotations

from qdrant_client import models

from optimus.models import MemoryStatus, MemoryType, Value
from optimus.storage.collections import collection_specs
from optimus.storage.filters import all_of, equals
from optimus.storage.store import Store
from optimus.storage.table import KIND
from optimus.storage.tenancy import across_tenants

EXACT_UP_TO = 100_000
"""Above so many records a count is the engine's estimate: counting them one by one would pause everybody."""


class CollectionState(Value):
    """How large a collection is, and how far its search index has come."""

    name: str
    points: int
    segments: int
    indexed_vectors: int
    has_vectors: bool
    """Whether it is searched by meaning at all; the others are read by id and field only."""


class Totals(Value):
    """What all accounts hold together."""

    conversations: int
    memories: int
    """True ones, messages not counted."""


def collection_states(store: Store) -> tuple[CollectionState, ...]:
    """Return every collection.

    Raises:
        StoreError: the store does not answer.
    """
    states = []
    for spec in collection_specs(store.names):
        info = store.client.get_collection(spec.name)
        states.append(
            CollectionState(
                name=spec.name.removeprefix(store.names.prefix),
                points=info.points_count or 0,
                segments=info.segments_count,
                indexed_vectors=info.indexed_vectors_count or 0,
                has_vectors=bool(spec.dense),
            )
        )
    return tuple(states)


def totals(store: Store) -> Totals:
    """Count over all accounts.

    Raises:
        StoreError: the store does not answer.
    """
    names = store.names
    true = all_of(equals("status", MemoryStatus.ACTIVE.value))
    said = [equals("type", MemoryType.CONVERSATION.value)]
    return Totals(
        conversations=_count(store, names.conversations, all_of(equals(KIND, "conversation"))),
        memories=_count(store, names.memories, true.model_copy(update={"must_not": said})),
    )


def _count(store: Store, collection: str, where: models.Filter) -> int:
    is_small = (store.client.get_collection(collection).points_count or 0) <= EXACT_UP_TO
    with across_tenants():
        return store.client.count(collection, count_filter=where, exact=is_small).count
