"""The store seen from above, for those who run it: sizes of collections and counts over all accounts, no content."""

from __future__ import annotations

from qdrant_client import models

from optimus.breaker import BreakerState
from optimus.errors import StoreError
from optimus.models import MemoryStatus, MemoryType, UserId, UserStatus, Value
from optimus.storage.collections import CollectionSpec, collection_specs
from optimus.storage.filters import OWNER_FIELD, all_of, equals
from optimus.storage.store import Store
from optimus.storage.table import KIND
from optimus.storage.tenancy import across_tenants

EXACT_UP_TO = 100_000
"""Above so many records a count is the engine's estimate: counting them one by one would pause everybody."""


FLOAT_BITS = 32
MOST_USERS = 10_000
"""Of how many accounts the memories are counted in one call."""
_BINARY_BITS = {
    models.BinaryQuantizationEncoding.ONE_BIT: 1.0,
    models.BinaryQuantizationEncoding.ONE_AND_HALF_BITS: 1.5,
    models.BinaryQuantizationEncoding.TWO_BITS: 2.0,
}


class CollectionState(Value):
    """How large a collection is, how far its search index has come, and what its vectors take."""

    name: str
    points: int
    segments: int
    indexed_vectors: int
    has_vectors: bool
    """Whether it is searched by meaning at all; the others are read by id and field only."""
    disk_bytes: int | None
    """On this machine's disk; None where the engine is elsewhere and does not tell."""
    original_bytes: int
    """Of its dense vectors as 32-bit numbers, which searching without quantization holds in RAM."""
    quantized_bytes: int | None
    """Of the same vectors as the search holds them in RAM; None without quantization."""
    has_originals_in_ram: bool = False
    """Whether the settings keep the whole vectors in RAM beside the quantized ones."""
    quantization: str | None
    """In words, such as `binary, 2 bits`."""

    @property
    def ram_bytes(self) -> int:
        """What its dense vectors take of RAM once it is indexed."""
        if self.quantized_bytes is None:
            return self.original_bytes
        return self.quantized_bytes + (self.original_bytes if self.has_originals_in_ram else 0)

    @property
    def saving(self) -> float | None:
        """The share of RAM that quantization saves, 0-1; None where nothing is saved."""
        if self.quantized_bytes is None or self.has_originals_in_ram or not self.original_bytes:
            return None
        return 1 - self.quantized_bytes / self.original_bytes


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
    return tuple(_state(store, spec) for spec in collection_specs(store.names))


def _state(store: Store, spec: CollectionSpec) -> CollectionState:
    info = store.client.get_collection(spec.name)
    points = info.points_count or 0
    numbers = sum(vector.size for vector in _dense_vectors(info)) * points
    quantization = info.config.quantization_config if spec.dense else None
    bits = _bits(quantization)
    return CollectionState(
        name=spec.name.removeprefix(store.names.prefix),
        points=points,
        segments=info.segments_count,
        indexed_vectors=info.indexed_vectors_count or 0,
        has_vectors=bool(spec.dense),
        disk_bytes=store.disk_bytes(spec.name),
        original_bytes=numbers * FLOAT_BITS // 8,
        quantized_bytes=None if bits is None else round(numbers * bits / 8),
        has_originals_in_ram=not all(vector.on_disk for vector in _dense_vectors(info)),
        quantization=None if bits is None else f"{_method(quantization)}, {bits:g} {'bit' if bits == 1 else 'bits'}",
    )


def _dense_vectors(info: models.CollectionInfo) -> list[models.VectorParams]:
    vectors = info.config.params.vectors or {}
    return list(vectors.values()) if isinstance(vectors, dict) else [vectors]


def _bits(quantization: models.QuantizationConfig | None) -> float | None:
    """Return how many bits one number of a vector takes in RAM; None without quantization."""
    match quantization:
        case models.BinaryQuantization():
            return _BINARY_BITS[quantization.binary.encoding or models.BinaryQuantizationEncoding.ONE_BIT]
        case models.ScalarQuantization():
            return 8
        case models.ProductQuantization():
            return FLOAT_BITS / int(quantization.product.compression.value.removeprefix("x"))
        case models.TurboQuantization():
            size = quantization.turbo.bits or models.TurboQuantBitSize.BITS4
            return float(size.value.removeprefix("bits").replace("_", "."))
    return None


def _method(quantization: models.QuantizationConfig | None) -> str:
    return type(quantization).__name__.removesuffix("Quantization").lower()


def gauge(store: Store) -> None:
    """Set the gauges of the store's metrics to what it holds now; where it does not answer, say that."""
    metrics = store.metrics
    metrics.unsynced.set(store.commit.lag_s() if store.commit else 0.0)
    for state in BreakerState if store.link else ():
        metrics.breaker.labels(state).set(store.link.breaker.state is state if store.link else 0)
    try:
        for spec in collection_specs(store.names):
            points = store.client.get_collection(spec.name).points_count or 0
            metrics.points.labels(spec.name.removeprefix(store.names.prefix)).set(points)
        for status in UserStatus:
            metrics.users.labels(status).set(store.accounts.count_users(status))
        metrics.sessions.set(store.accounts.count_sessions())
        metrics.set_jobs((job.status, job.count) for job in store.work.job_states())
        metrics.store_up.set(1)
    except StoreError:
        metrics.store_up.set(0)


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


def memories_by_user(store: Store) -> dict[UserId, int]:
    """Count every account's true memories, messages not counted; accounts without any are left out.

    Raises:
        StoreError: the store does not answer.
    """
    names = store.names
    where = all_of(equals("status", MemoryStatus.ACTIVE.value))
    where = where.model_copy(update={"must_not": [equals("type", MemoryType.CONVERSATION.value)]})
    is_small = (store.client.get_collection(names.memories).points_count or 0) <= EXACT_UP_TO
    with across_tenants():
        found = store.client.facet(
            names.memories, key=OWNER_FIELD, facet_filter=where, limit=MOST_USERS, exact=is_small
        )
    return {UserId(str(hit.value)): hit.count for hit in found.hits}


def _count(store: Store, collection: str, where: models.Filter) -> int:
    is_small = (store.client.get_collection(collection).points_count or 0) <= EXACT_UP_TO
    with across_tenants():
        return store.client.count(collection, count_filter=where, exact=is_small).count
