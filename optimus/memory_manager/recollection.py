"""Bringing back: what bears on a message, what a search finds, what is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from optimus.memory_manager import ranking, versions
from optimus.memory_manager.episodes import clean
from optimus.memory_manager.searching import WordSearch
from optimus.memory_manager.shelf import DERIVED_TYPES, Shelf
from optimus.memory_manager.wording import asks_for_everything, is_small_talk, normal_form
from optimus.metrics import MemoryStage, Metrics, timed
from optimus.models import Clock, Memory, MemoryId, MemoryStatus, MemoryType, MessageId, RecalledMemory, UserId
from optimus.storage.records import MemoryFilter, MemoryPage

TRUE_NOW = MemoryFilter()
DERIVED = MemoryFilter(types=DERIVED_TYPES)
"""What is true now and was derived or written, without messages."""
_OVERVIEW_LIMIT = 256
_ONCE_TRUE = frozenset({MemoryStatus.ACTIVE, MemoryStatus.SUPERSEDED})
_FEW = 0.25
"""The share of what comes first that may have another status before the store is asked for the right one."""


class MemoryReads:
    """The half of the engine that changes nothing."""

    def __init__(self, *, shelf: Shelf, clock: Clock, metrics: Metrics) -> None:
        self._shelf = shelf
        self._clock = clock
        self._metrics = metrics
        self._search = WordSearch(shelf)

    @timed(MemoryStage.RECALL)
    def recall(
        self,
        owner: UserId,
        query: str,
        *,
        limit: int = 20,
        exclude_message: MessageId | None = None,
        where: MemoryFilter = TRUE_NOW,
        about: str | None = None,
        as_of: datetime | None = None,
    ) -> list[RecalledMemory]:
        """Return what is known and bears on the query, best first; none where nothing does.

        What is true comes before what was replaced, where `where` asks for that at all.

        Args:
            owner: Whose memories.
            query: A question or message.
            limit: How many at most.
            exclude_message: What this message alone says is left out: it needs no recalling.
            where: Which ones; by default what is true now.
            about: Only what names this person or thing among its entities.
            as_of: Answer from what was remembered, and taken for true, at that moment, in the words of then; what
                was forgotten since stays forgotten.
        """
        wanted = ranking.Query(text=clean(query), now=as_of or self._clock(), limit=limit)
        choice = _Choice(where=where, exclude=exclude_message, about=about, as_of=as_of)
        return _recollect(self._shelf, owner, wanted, choice, metrics=self._metrics)

    def all_within(
        self, owner: UserId, chars: int, *, exclude_message: MessageId | None = None
    ) -> tuple[Memory, ...] | None:
        """Return all that is true now, what was said before what was derived from it; None where more was said.

        Args:
            owner: Whose memories.
            chars: How much the messages, and the memories written by hand, may have together.
            exclude_message: What this message alone says does not count.
        """
        if self._shelf.index.count(owner) > _OVERVIEW_LIMIT:
            return None
        known = self._shelf.index.page(owner, TRUE_NOW, limit=_OVERVIEW_LIMIT).items
        others = [memory for memory in known if memory.sources != (exclude_message,)]
        said = [memory for memory in others if memory.type is MemoryType.CONVERSATION or not memory.sources]
        if sum(len(memory.text) for memory in said) > chars:
            return None
        return (*said, *(memory for memory in others if memory not in said))

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """Which memories a recall may bring.

    The condition on the status is a third of a search's cost, and few of what is found fail it: the store is asked for
    it only where `is_exact` says so, or what is true now is not asked for; else it is looked at in what was read.
    """

    where: MemoryFilter
    exclude: MessageId | None
    about: str | None
    as_of: datetime | None
    is_exact: bool = False

    @property
    def stored(self) -> MemoryFilter:
        """What to ask the store for: what was true then may have been replaced since."""
        if self.as_of is None:
            return self.where
        return self.where.model_copy(update={"statuses": _ONCE_TRUE})

    @property
    def searched(self) -> MemoryFilter:
        """What to search among."""
        if self.is_exact or MemoryStatus.ACTIVE not in (self.stored.statuses or ()):
            return self.stored
        return self.where.model_copy(update={"statuses": None})

    def admits(self, memory: Memory) -> bool:
        """Tell whether a memory has a status that is asked for."""
        statuses = self.stored.statuses
        return statuses is None or memory.status in statuses

    def pick(self, memory: Memory) -> Memory | None:
        """Return a memory as it is wanted, or None where it is not."""
        if not self.admits(memory) or memory.sources == (self.exclude,):
            return None
        if self.about and normal_form(self.about) not in map(normal_form, memory.entities):
            return None
        return memory if self.as_of is None else versions.as_of(memory, self.as_of)

    def reach(self, wanted: ranking.Query) -> int:
        """Return for how many the first reading is to be enough: much is passed over where not any will do."""
        return wanted.limit if self.about is None and self.as_of is None else ranking.LEG_LIMIT


def _recollect(
    shelf: Shelf, owner: UserId, wanted: ranking.Query, choice: _Choice, *, metrics: Metrics
) -> list[RecalledMemory]:
    """Return what bears on a query, best first; none where nothing does."""
    if is_small_talk(wanted.text):
        return []
    if asks_for_everything(wanted.text):
        where = choice.stored.model_copy(update={"types": DERIVED_TYPES & (choice.stored.types or DERIVED_TYPES)})
        known = shelf.index.page(owner, where, limit=_OVERVIEW_LIMIT).items
        return ranking.by_weight([picked for memory in known if (picked := choice.pick(memory))], wanted)
    return _ranked(shelf, owner, wanted, choice, metrics)


def _ranked(
    shelf: Shelf, owner: UserId, wanted: ranking.Query, choice: _Choice, metrics: Metrics
) -> list[RecalledMemory]:
    """Search four ways, read what comes first, and rank it."""
    legs = shelf.search(owner, wanted.text, choice.searched, limit=ranking.LEG_LIMIT)
    ranked: list[RecalledMemory] = []
    read: dict[MemoryId, Memory] = {}
    for keys in ranking.foremost(legs, choice.reach(wanted)):
        if len(ranked) == wanted.limit or not keys:
            break
        read |= {memory.id: memory for memory in shelf.index.get(owner, keys)}
        if sum(not choice.admits(memory) for memory in read.values()) > _FEW * len(read):
            return _ranked(shelf, owner, wanted, replace(choice, is_exact=True), metrics)
        memories = {key: picked for key, memory in read.items() if (picked := choice.pick(memory))}
        others = ranking.setting_back(legs, read.keys() - memories.keys())
        with metrics.memory_stage(MemoryStage.RANK):
            ranked = ranking.rank(others, memories, wanted, stems=shelf.stems())
    return ranked
