"""Memories as points of the `memories` collection, and back."""

from __future__ import annotations

from typing import Any

from qdrant_client import models

from optimus.models import Memory, MemoryId, MemoryType
from optimus.storage.collections import BM25, BM25_CTX, CTX, DENSE
from optimus.storage.memory_filter import sparse_vector
from optimus.storage.memory_payload import memory_to_payload, payload_to_memory, recorded_at
from optimus.storage.records import MemoryOutline, MemoryPoint, StoredVectors
from optimus.storage.table import WRITE_ID


def point_of(point: MemoryPoint, token: str) -> models.PointStruct:
    """Return a memory ready to be written; `token` tells this write from others."""
    vectors: dict[str, Any] = {DENSE: point.dense, CTX: point.ctx}
    for name, weights in ((BM25, point.bm25), (BM25_CTX, point.bm25_ctx)):
        if weights.indices:
            vectors[name] = sparse_vector(weights)
    payload = memory_to_payload(point.memory) | {WRITE_ID: token}
    # Every backend checks points as a whole before it writes; a second look by Pydantic would take a tenth of a write.
    return models.PointStruct.model_construct(id=point.memory.id, vector=vectors, payload=payload)


def vectors_of(stored: Any) -> StoredVectors | None:
    """Return the dense vectors of a record; None where it has none that can be compared."""
    named = stored if isinstance(stored, dict) else {DENSE: stored}
    return StoredVectors(dense=named[DENSE], ctx=named.get(CTX)) if named.get(DENSE) else None


def memory_of(record: Any) -> Memory:
    """Return the memory of a record."""
    return payload_to_memory(str(record.id), record.payload or {})


def outline_of(record: Any) -> MemoryOutline:
    """Return a memory without its text."""
    payload = record.payload or {}
    kind = MemoryType(payload.get("type") or MemoryType.FACT)
    return MemoryOutline(id=MemoryId(str(record.id)), type=kind, recorded_at=recorded_at(payload))
