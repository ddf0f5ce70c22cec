"""Mem0 as the CRUD engine of the `memories` collection, without its holes.

`mem0.Memory` runs here on our client, so tenancy and sealing hold for it as well. It keeps no SQLite file, calls no
model by itself, sends no telemetry and logs nothing (its log lines hold memory text); what it writes goes through
`MemoryIndex`, so that no context vector is lost; what it deletes stays recoverable. Importing this module imports
Mem0, which takes seconds: it is imported on first use only.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NoReturn

from qdrant_client import QdrantClient

from optimus.errors import ConfigurationError, NotFoundError
from optimus.memory_manager import versions
from optimus.memory_manager.shelf import Shelf
from optimus.models import Clock, Memory, MemoryStatus, UserId
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.memory_payload import memory_to_payload, payload_to_memory
from optimus.storage.tenancy import acting_as

# At import Mem0 reads these two and writes a file with a random id; the folder goes away with the block.
with tempfile.TemporaryDirectory(prefix="optimus-mem0-") as _folder:
    os.environ["MEM0_TELEMETRY"] = "False"
    os.environ["MEM0_DIR"] = _folder
    from mem0 import Memory as Mem0Memory
    from mem0.configs.base import MemoryConfig
    from mem0.exceptions import LLMError
    from mem0.memory.utils import extract_json, remove_code_blocks
    from mem0.vector_stores.qdrant import Qdrant

__all__ = [
    "EngineMemory",
    "EngineVectors",
    "LLMError",
    "Mem0Crud",
    "Mem0Memory",
    "MemoryConfig",
    "extract_json",
    "remove_code_blocks",
]
logging.getLogger("mem0").setLevel(logging.CRITICAL + 1)

_ID = "id"
_OWN_FIELDS = frozenset({"data", "hash", "text_lemmatized", "user_id"})
"""What Mem0 fills in by itself."""


class EngineVectors(Qdrant):  # type: ignore[misc]
    """Mem0's vector store; writes are made whole (context vectors, keyword weights, version) by our index."""

    def __init__(
        self, *, client: QdrantClient, collection: str, shelf: Shelf, encoder: Bm25Encoder, clock: Clock, dims: int
    ) -> None:
        super().__init__(collection_name=collection, embedding_model_dims=dims, client=client)
        self._bm25_encoder = encoder
        self._shelf = shelf
        self._clock = clock

    def insert(
        self, vectors: list[Any], payloads: list[dict[str, Any]] | None = None, ids: list[str] | None = None
    ) -> None:
        """Store new memories; an id of ours in the payload wins over Mem0's random one, so repeating writes one."""
        for vector, payload, point_id in zip(vectors, payloads or [], ids or [], strict=True):
            memory = payload_to_memory(payload.get(_ID, point_id), payload)
            self._shelf.index.put(memory.user_id, [self._shelf.point(memory, vector)])

    def update(self, vector_id: str, vector: list[float] | None = None, payload: dict[str, Any] | None = None) -> None:
        """Store the next version of a memory over the one before.

        Raises:
            ConflictError: it was changed in between.
            NotFoundError: it is missing, or not the acting owner's.
        """
        stored = self._stored(vector_id)
        following = payload_to_memory(vector_id, memory_to_payload(stored) | (payload or {}))
        if following.version == stored.version:
            following = versions.changed(stored, now=self._clock(), reason="edit", text=following.text)
        elif following.history:
            following = following.model_copy(update={"updated_at": following.history[-1].changed_at})
        dense = vector or self._shelf.embed([following.text])[0]
        point = self._shelf.point(following, dense)
        self._shelf.index.put(following.user_id, [point], expected_version=following.version - 1)

    def delete(self, vector_id: str) -> None:
        """Take a memory out of use; it stays recoverable.

        Raises:
            ConflictError: it was changed in between.
            NotFoundError: it is missing, or not the acting owner's.
        """
        stored = self._stored(vector_id)
        if stored.status is not MemoryStatus.DELETED:
            gone = versions.forgotten(stored, now=self._clock())
            self._shelf.index.replace(stored.user_id, gone, stored.version)

    def search(
        self, query: str, vectors: list[float], top_k: int = 5, filters: dict[str, Any] | None = None
    ) -> list[Any]:
        """Search what is true now."""
        found: list[Any] = super().search(query, vectors, top_k=top_k, filters=_current(filters))
        return found

    def keyword_search(self, query: str, top_k: int = 5, filters: dict[str, Any] | None = None) -> Any:
        """Search what is true now by its words; None where they cannot be encoded.

        Mem0's own says None for any error, too, and its answer then silently lacks what only words find.

        Raises:
            StoreError: the store does not answer, or refuses.
        """
        weights = self._encode_bm25(query)
        if weights is None:
            return None
        wanted = {"query_filter": self._create_filter(_current(filters)), "limit": top_k}
        return self.client.query_points(self.collection_name, query=weights, using="bm25", **wanted).points

    def list(self, filters: dict[str, Any] | None = None, top_k: int = 100) -> Any:
        """List what is true now."""
        return super().list(filters=_current(filters), top_k=top_k)

    def delete_col(self) -> NoReturn:
        """Refuse: a collection holds the memories of all users.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError("Mem0 must not delete a collection of Optimus")

    reset = delete_col

    def _stored(self, memory_id: str) -> Memory:
        record = self.get(memory_id)
        if record is None:
            raise NotFoundError("memory")
        return payload_to_memory(memory_id, record.payload)


class EngineMemory(Mem0Memory):  # type: ignore[misc]
    """`mem0.Memory` over the store of Optimus: no factory is called, nothing is kept outside the store."""

    def __init__(
        self, *, client: QdrantClient, collection: str, shelf: Shelf, encoder: Bm25Encoder, clock: Clock
    ) -> None:
        dims = shelf.dimensions
        settings = {"collection_name": collection, "embedding_model_dims": dims, "client": client}
        self.config = MemoryConfig(vector_store={"provider": "qdrant", "config": settings})
        self.vector_store = EngineVectors(
            client=client, collection=collection, shelf=shelf, encoder=encoder, clock=clock, dims=dims
        )
        self.embedding_model = _Embedding(shelf)
        self.llm = _NoModel()
        self.db = _DerivedHistory(self.vector_store)
        self.collection_name = collection
        self.api_version = self.config.version
        self.custom_instructions = None
        self.reranker = None
        self._entity_store = None
        # Built now: Mem0 cleans up entities only where this property was read in the same process.
        self.entity_store._bm25_encoder = encoder  # noqa: SLF001 - else Mem0 would look for one to download

    def reset(self) -> NoReturn:
        """Refuse: it would delete everybody's memories.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError("Mem0 must not reset the store of Optimus")


class Mem0Crud:
    """`MemoryCrud` by `EngineMemory`, one owner at a time."""

    def __init__(self, engine: EngineMemory) -> None:
        self._engine = engine

    def add(self, owner: UserId, memory: Memory) -> None:
        """Store a new memory."""
        with acting_as(owner):
            self._engine.add(memory.text, user_id=owner, infer=False, metadata=_metadata(memory))

    def update(self, owner: UserId, memory: Memory, *, expected_version: int) -> None:
        """Store the next version of a memory, with another text.

        Raises:
            ConflictError: the stored one is not at the expected version.
            ValueError: the memory does not follow the expected version.
        """
        if memory.version != expected_version + 1:
            raise ValueError(memory.version)
        with acting_as(owner):
            self._engine.update(memory.id, text=memory.text, metadata=_metadata(memory))

    def delete(self, owner: UserId, memory: Memory) -> None:
        """Take a memory out of use; it stays recoverable.

        Raises:
            ConflictError: the memory was changed in between.
        """
        with acting_as(owner):
            self._engine.delete(memory.id)

    def warm(self) -> None:
        """Nothing is left to load: the module is imported."""


class _Embedding:
    """The embedder as Mem0 calls it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.config = SimpleNamespace(embedding_dims=shelf.dimensions)

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        del memory_action
        return self._shelf.embed([text])[0]

    def embed_batch(self, texts: Sequence[str], memory_action: str | None = None) -> list[list[float]]:
        del memory_action
        return self._shelf.embed(texts)


class _NoModel:
    """Mem0's own extraction needs a language model, and none is given to it."""

    def generate_response(self, **_: Any) -> NoReturn:
        raise ConfigurationError("Mem0's own extraction is not configured: add with infer=False")


class _DerivedHistory:
    """Mem0's history, read from the versions that a memory carries; nothing is written beside them."""

    def __init__(self, vectors: EngineVectors) -> None:
        self._vectors = vectors

    def get_history(self, memory_id: str) -> list[dict[str, Any]]:
        record = self._vectors.get(memory_id)
        if record is None:
            return []
        memory = payload_to_memory(memory_id, record.payload)
        texts = [*(entry.text for entry in memory.history), memory.text]
        return [
            {
                "memory_id": memory_id,
                "old_memory": entry.text,
                "new_memory": texts[number + 1],
                "event": entry.reason.upper(),
                "created_at": memory.recorded_at.isoformat(),
                "updated_at": entry.changed_at.isoformat(),
            }
            for number, entry in enumerate(memory.history)
        ]

    def get_last_messages(self, session_scope: str, limit: int = 10) -> list[dict[str, Any]]:
        del session_scope, limit
        return []

    def add_history(self, *_: Any, **__: Any) -> None:
        """The version of the memory says it already."""

    batch_add_history = save_messages = add_history

    def close(self) -> None:
        """There is nothing to close."""

    def reset(self) -> NoReturn:
        raise ConfigurationError("Mem0 must not reset the store of Optimus")


def _metadata(memory: Memory) -> dict[str, Any]:
    """Return our fields as Mem0's metadata; its own it fills in by itself."""
    payload = {key: value for key, value in memory_to_payload(memory).items() if key not in _OWN_FIELDS}
    return payload | {_ID: memory.id}


def _current(filters: dict[str, Any] | None) -> dict[str, Any]:
    """Leave out what was replaced, forgotten or put away; what Mem0 alone wrote has no status and is true."""
    others = [status.value for status in MemoryStatus if status is not MemoryStatus.ACTIVE]
    return {**(filters or {}), "NOT": [*(filters or {}).get("NOT", []), {"status": {"in": others}}]}
