"""Bringing back: what bears on a message, what a search finds, what is there."""

from __future__ import annotations

from optimus.memory_manager import ranking
from optimus.memory_manager.episodes import clean
from optimus.memory_manager.searching import WordSearch
from optimus.memory_manager.shelf import DERIVED_TYPES, Shelf
from optimus.memory_manager.wording import asks_for_everything, is_small_talk
from optimus.metrics import MemoryStage, Metrics, timed
from optimus.models import Clock, Memory, MemoryId, MessageId, RecalledMemory, UserId
from optimus.storage.records import MemoryFilter, MemoryPage

DERIVED = MemoryFilter(types=DERIVED_TYPES)
"""What is true now and was derived or written, without messages."""
_OVERVIEW_LIMIT = 256


class MemoryReads:
    """The half of the engine that changes nothing."""

    def __init__(self, *, shelf: Shelf, clock: Clock, metrics: Metrics) -> None:
        self._shelf = shelf
        self._clock = clock
        self._metrics = metrics
        self._search = WordSearch(shelf)

    @timed(MemoryStage.RECALL)
    def recall(
        self, owner: UserId, query: str, *, limit: int = 20, exclude_message: MessageId | None = None
    ) -> list[RecalledMemory]:
        """Return what is known and bears on the query, best first; none where nothing does.

        Args:
            owner: Whose memories.
            query: A question or message.
            limit: How many at most.
            exclude_message: What this message alone says is left out: it needs no recalling.
        """
        wanted = ranking.Query(text=clean(query), now=self._clock(), limit=limit)
        return _recollect(self._shelf, owner, wanted, exclude_message=exclude_message, metrics=self._metrics)

    @timed(MemoryStage.LIST)
    def list(
        self,
        owner: UserId,
        *,
        where: MemoryFilter = DERIVED,
        query: str = "",
        limit: int = 50,
        offset: int | None = None,
    ) -> MemoryPage:
        """Return one page of memories: newest first, or all that matches `query`, best first.

        Args:
            owner: Whose memories.
            where: Which ones; by default the derived ones that are true now, without messages.
            query: Words, beginnings of words, or where nothing has them a meaning to search for.
            limit: How many a page has.
            offset: Where the page begins, from the page before.
        """
        text, start = clean(query), offset or 0
        if not text:
            return self._shelf.index.page(owner, where, limit=limit, offset=start)
        return self._search.page(owner, text, where, limit=limit, offset=start)

    def get(self, owner: UserId, memory_id: MemoryId) -> Memory:
        """Return one memory, whatever its status.

        Raises:
            NotFoundError: it is missing or not the owner's.
        """
        return self._shelf.get(owner, memory_id)

    def let_go(self, owner: UserId) -> None:
        """Drop what is held of an owner outside the store: their words, kept for searching."""
        self._search.forget(owner)


def _recollect(
    shelf: Shelf, owner: UserId, wanted: ranking.Query, *, exclude_message: MessageId | None, metrics: Metrics
) -> list[RecalledMemory]:
    """Return what bears on a query, best first; none where nothing does."""
    if is_small_talk(wanted.text):
        return []
    if asks_for_everything(wanted.text):
        known = shelf.index.page(owner, DERIVED, limit=_OVERVIEW_LIMIT).items
        return ranking.by_weight([memory for memory in known if memory.sources != (exclude_message,)], wanted)
    legs = shelf.search(owner, wanted.text, MemoryFilter(), limit=ranking.LEG_LIMIT)
    others = {
        part: [(memory, score) for memory, score in found if memory.sources != (exclude_message,)]
        for part, found in legs.items()
    }
    with metrics.memory_stage(MemoryStage.RANK):
        return ranking.rank(others, wanted, stems=shelf.stems())
