"""Read and write one owner's memories with everything that makes them searchable."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence

from optimus.embedding import Embedder
from optimus.errors import ConflictError, LimitReachedError, NotFoundError
from optimus.memory_manager.decide import Known
from optimus.memory_manager.ranking import Legs
from optimus.models import Memory, MemoryId, MemoryStatus, MemoryType, MessageId, ScorePart, UserId, stable_id
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.memory_index import MemoryIndex
from optimus.storage.records import MemoryFilter, MemoryPoint, QueryVectors

DERIVED_TYPES = frozenset(MemoryType) - {MemoryType.CONVERSATION}
CONTEXT_WEIGHT = 0.6
"""What a neighbour counts in a context vector, beside 1 for the text itself; chosen on LoCoMo."""
SIMILAR_LIMIT = 10
_TRIES = 4


class Shelf:
    """The memories in the store, with the vectors and keyword weights made on the way in."""

    def __init__(
        self,
        *,
        index: MemoryIndex,
        embedder: Embedder,
        encoder: Bm25Encoder,
        limit: Callable[[], int | None] = lambda: None,
    ) -> None:
        """Take what is needed; `limit` tells how many memories an owner may have, messages not counted."""
        self.index = index
        self._limit = limit
        self._embedder = embedder
        self._encoder = encoder

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        return self._embedder.dimensions

    def refuse_beyond_limit(self, owner: UserId, more: int) -> None:
        """Refuse to keep `more` memories than there are now; keeping no more is always possible.

        Raises:
            LimitReachedError: the owner would have more than the limit.
        """
        limit = self._limit() if more > 0 else None
        if limit is not None and self.index.count(owner, MemoryFilter(types=DERIVED_TYPES)) + more > limit:
            sentence = f"You may keep {limit:,} memories, and you have as many. Delete some to make room."
            raise LimitReachedError("memories", user_message=sentence)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector per text.

        Raises:
            EmbeddingError: the model cannot be used.
        """
        return self._embedder.embed(texts)

    def stems(self) -> Callable[[str], frozenset[int]]:
        """Return a function that gives a text's content words, and remembers them while it lives."""
        known: dict[str, frozenset[int]] = {}

        def of(text: str) -> frozenset[int]:
            if text not in known:
                known[text] = frozenset(self._encoder.encode_document(text).indices)
            return known[text]

        return of

    def find(self, owner: UserId, memory_id: MemoryId) -> Memory | None:
        """Return a memory, or None where it is missing or somebody else's."""
        return next(iter(self.index.get(owner, [memory_id])), None)

    def get(self, owner: UserId, memory_id: MemoryId) -> Memory:
        """Return a memory.

        Raises:
            NotFoundError: it is missing or somebody else's.
        """
        memory = self.find(owner, memory_id)
        if memory is None:
            raise NotFoundError("memory")
        return memory

    def search(self, owner: UserId, text: str, where: MemoryFilter, *, limit: int) -> Legs:
        """Run the four searches for a text: ids and scores.

        Raises:
            EmbeddingError: the model cannot be used.
        """
        query = QueryVectors(dense=self.embed([text])[0], sparse=self._encoder.encode_query(text))
        return self.index.legs(owner, query, where, limit)

    def read(self, owner: UserId, legs: Legs) -> list[Memory]:
        """Return all that the four searches found, each memory once."""
        return self.index.get(owner, [key for found in legs.values() for key in found])

    def similar(
        self,
        owner: UserId,
        text: str,
        *,
        types: Collection[MemoryType] = DERIVED_TYPES,
        limit: int = SIMILAR_LIMIT,
    ) -> list[Known]:
        """Return the active memories that are nearest in meaning or share words, nearest first."""
        legs = self.search(owner, text, MemoryFilter(types=frozenset(types)), limit=limit)
        closeness = legs[ScorePart.DENSE]
        known = [Known(memory=each, closeness=closeness.get(each.id, 0.0)) for each in self.read(owner, legs)]
        return sorted(known, key=lambda item: (-item.closeness, item.memory.id))

    def in_slot(self, owner: UserId, slot: str) -> tuple[Memory, ...]:
        """Return the active memories that answer the same question."""
        return self.index.page(owner, MemoryFilter(slot=slot), limit=SIMILAR_LIMIT).items

    def point(
        self, memory: Memory, dense: Sequence[float], around: Iterable[Sequence[float]] = (), surroundings: str = ""
    ) -> MemoryPoint:
        """Return a memory ready to be stored, in the context of its neighbours' vectors and text."""
        return MemoryPoint(
            memory=memory,
            dense=list(dense),
            ctx=in_context(dense, around),
            bm25=self._encoder.encode_document(memory.text),
            bm25_ctx=self._encoder.encode_document(f"{memory.text}\n{surroundings}"),
        )

    def write(self, owner: UserId, memory: Memory, *, expected_version: int | None = None) -> Memory:
        """Store a memory whose text is new, without surroundings.

        Raises:
            ConflictError: it is not at the expected version.
        """
        point = self.point(memory, self.embed([memory.text])[0])
        self.index.put(owner, [point], expected_version=expected_version)
        return memory

    def change(self, owner: UserId, memory_id: MemoryId, change: Callable[[Memory], Memory | None]) -> Memory:
        """Change a memory over whatever version is stored, so that no other change is lost.

        Args:
            owner: Whose it is.
            memory_id: Which one.
            change: Makes the next version; None leaves it as it is. It may run more than once.

        Raises:
            ConflictError: others kept changing it.
            NotFoundError: it is missing or somebody else's.
        """
        for _ in range(_TRIES):
            memory = self.get(owner, memory_id)
            following = change(memory)
            if following is None:
                return memory
            try:
                if following.text != memory.text:
                    return self.write(owner, following, expected_version=memory.version)
                self.index.replace(owner, following, memory.version)
            except ConflictError:
                continue
            return following
        raise ConflictError("the memory is changed all the time")


def in_context(own: Sequence[float], around: Iterable[Sequence[float]]) -> list[float]:
    """Return the text's vector pulled towards its neighbours', at unit length."""
    neighbours = list(around)
    if not neighbours:
        return list(own)
    total = [value + CONTEXT_WEIGHT * sum(column) for value, *column in zip(own, *neighbours, strict=True)]
    length = math.sqrt(sum(value * value for value in total)) or 1.0
    return [value / length for value in total]


def episode_id(message_id: MessageId) -> MemoryId:
    """Return the id of the episode of a message: writing it again writes the same one."""
    return MemoryId(stable_id("episode", message_id))


def is_active(memory: Memory) -> bool:
    """Tell whether the memory counts as true now."""
    return memory.status is MemoryStatus.ACTIVE
