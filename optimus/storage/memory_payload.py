"""Memories as Qdrant payloads, under Mem0's names, so that a plain `mem0.Memory` lists and searches the same ones."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from optimus.errors import StoreRejectedError
from optimus.models import Memory, MemoryId, MemoryType, MemoryVersion, Provenance, UserId, stable_id

_TEXT = "data"
SLOT_KEY = "slot_key"
"""A slot may name a person (`relative.sister.maria.job`), so it is sealed, and looked up by this hash."""
_PROVENANCE = tuple(Provenance.model_fields)
_MAX_HISTORY_BYTES = 64 * 1024
"""Old wordings beyond this leave the record, the oldest first: a record has an upper size."""


def memory_to_payload(memory: Memory) -> dict[str, Any]:
    """Return a memory as a flat payload: Mem0's fields first, then ours, without what is empty."""
    fields = memory.model_dump(mode="json", exclude={"id", "text", "provenance", "history"})
    payload = {
        _TEXT: memory.text,
        "hash": hashlib.md5(memory.text.encode(), usedforsecurity=False).hexdigest(),
        "created_at": memory.recorded_at.isoformat(),
        **fields,
        SLOT_KEY: slot_key(memory.user_id, memory.slot) if memory.slot else None,
        **memory.provenance.model_dump(mode="json"),
        "history": _bounded(memory.history),
    }
    return {name: value for name, value in payload.items() if value not in (None, [])}


def slot_key(owner: UserId, slot: str) -> str:
    """Return what a slot is found by: the same for the same owner and slot, and of no other use."""
    return stable_id("slot", owner, slot)


def payload_to_memory(point_id: str, payload: dict[str, Any]) -> Memory:
    """Return the memory of a payload; what a plain Mem0 left out gets defaults.

    Raises:
        StoreRejectedError: there is no text or no owner, or a field is not what Optimus wrote.
    """
    try:
        recorded = recorded_at(payload)
        known = {name: payload[name] for name in Memory.model_fields if payload.get(name) is not None}
        provenance = {name: payload[name] for name in _PROVENANCE if payload.get(name) is not None}
        defaults = {
            "type": MemoryType.FACT,
            "recorded_at": recorded,
            "updated_at": recorded,
            "valid_from": recorded,
        }
        return Memory.model_validate(
            {**defaults, **known, "id": MemoryId(point_id), "text": payload[_TEXT], "provenance": provenance}
        )
    except (KeyError, ValueError) as exc:
        raise StoreRejectedError(f"a stored memory cannot be read: {type(exc).__name__}") from None


def recorded_at(payload: dict[str, Any]) -> datetime:
    """Return when a memory was recorded, aware also where a plain Mem0 wrote a naive time."""
    moment = datetime.fromisoformat(payload["created_at"])
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bounded(history: tuple[MemoryVersion, ...]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    size = 0
    for version in reversed(history):
        dumped = version.model_dump(mode="json")
        size += len(json.dumps(dumped, ensure_ascii=False).encode())
        if size > _MAX_HISTORY_BYTES:
            break
        kept.insert(0, dumped)
    return kept
