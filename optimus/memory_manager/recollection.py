"""Bringing back: what is known and bears on a message."""

from __future__ import annotations

from optimus.memory_manager import ranking
from optimus.memory_manager.shelf import DERIVED_TYPES, Shelf
from optimus.memory_manager.wording import asks_for_everything, is_small_talk
from optimus.metrics import MemoryStage, Metrics
from optimus.models import MessageId, RecalledMemory, UserId
from optimus.storage.records import MemoryFilter

DERIVED = MemoryFilter(types=DERIVED_TYPES)
"""What is true now and was derived or written, without messages."""
_OVERVIEW_LIMIT = 256


def recollect(
    shelf: Shelf, owner: UserId, wanted: ranking.Query, *, exclude_message: MessageId | None, metrics: Metrics
) -> list[RecalledMemory]:
    """Return what bears on a query, best first; none where nothing does. See `MemoryManager.recall`."""
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
