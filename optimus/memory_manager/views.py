"""What the Memory page shows: which memories, in which order, as they are now or as they were on some day."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from optimus.memory_manager import bulk, versions
from optimus.memory_manager.graph import MemoryGraph
from optimus.memory_manager.recollection import MemoryReads
from optimus.memory_manager.shelf import DERIVED_TYPES, Shelf
from optimus.models import Memory, MemoryId, MemoryStatus, MemoryType, SourceKind, UserId
from optimus.storage.records import MemoryFilter, MemoryPage
from optimus.storage.survey import MemoryRow, MemorySurvey

MAX_FOUND = 1_000
"""More than a search finds."""


class Origin(StrEnum):
    """How a memory came to be."""

    CHAT = "chat"
    HAND = "hand"
    IMPORT = "import"


class Standing(StrEnum):
    """How a memory stands."""

    CURRENT = "current"
    REPLACED = "replaced"
    DELETED = "deleted"
    REVIEW = "review"


STATUSES = {
    Standing.CURRENT: frozenset({MemoryStatus.ACTIVE}),
    Standing.REPLACED: frozenset({MemoryStatus.SUPERSEDED, MemoryStatus.ARCHIVED}),
    Standing.DELETED: frozenset({MemoryStatus.DELETED}),
    Standing.REVIEW: frozenset({MemoryStatus.QUARANTINED}),
}
_ONCE_TRUE = frozenset({MemoryStatus.ACTIVE, MemoryStatus.SUPERSEDED})
_IMPORTED = frozenset({SourceKind.IMPORT, SourceKind.FILE})
_SOURCES = {
    Origin.CHAT: frozenset(SourceKind) - _IMPORTED,
    Origin.HAND: frozenset({SourceKind.USER}),
    Origin.IMPORT: _IMPORTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryView:
    """Which memories somebody looks at."""

    query: str = ""
    """Words or a meaning; what matches best comes first. Without it the newest does."""
    kind: MemoryType | None = None
    """None means everything that was derived or written; messages are looked at on their own."""
    origin: Origin | None = None
    standing: Standing = Standing.CURRENT
    since: datetime | None = None
    until: datetime | None = None
    min_importance: float | None = None
    about: str = ""
    """Only what names this person or thing, under any of their names."""
    as_of: datetime | None = None
    """What was remembered, and taken for true, at that moment, in the words of then, whatever `standing` says."""


class MemoryViews:
    """Pages, lists and numbers of a view, one owner's at a time. May raise `StoreError`."""

    def __init__(self, *, shelf: Shelf, memory: MemoryReads, survey: MemorySurvey, graph: MemoryGraph) -> None:
        self._shelf = shelf
        self._memory = memory
        self._survey = survey
        self._graph = graph

    def page(self, owner: UserId, view: MemoryView, *, limit: int, offset: int = 0) -> MemoryPage:
        """Return one page; may raise `EmbeddingError` where the view has a query."""
        if not _is_special(view):
            return self._memory.list(owner, where=filter_of(view), query=view.query, limit=limit, offset=offset)
        ids = self.ids(owner, view)
        found: list[Memory] = self._shelf.index.get(owner, ids[offset : offset + limit])
        items = tuple(then for memory in found if (then := _at(memory, view.as_of)))
        end = offset + limit
        return MemoryPage(items=items, next_offset=end if end < len(ids) else None, total=len(ids))

    def ids(self, owner: UserId, view: MemoryView) -> list[MemoryId]:
        """Return all memories of a view, the newest or best first."""
        if not _is_special(view):
            if view.query.strip():
                return [memory.id for memory in self.page(owner, view, limit=MAX_FOUND).items]
            outline = self._shelf.index.outline(owner, filter_of(view))
            return [entry.id for entry in sorted(outline, key=lambda each: (each.recorded_at, each.id), reverse=True)]
        rows = {row.id: row for row in self._rows(owner, view)}
        if not view.query.strip():
            return sorted(rows, key=lambda key: (rows[key].recorded_at, key), reverse=True)
        found = self._memory.list(owner, where=filter_of(view), query=view.query, limit=MAX_FOUND)
        return [memory.id for memory in found.items if memory.id in rows]

    def tally(self, owner: UserId, view: MemoryView) -> dict[MemoryType, int]:
        """Return how many memories there are of each kind, messages too, whatever kind and query the view has."""
        if not _is_special(view):
            return self._shelf.index.tally(owner, filter_of(view).model_copy(update={"types": None}))
        return dict(Counter(row.type for row in self._rows(owner, replace(view, kind=None), every_kind=True)))

    def _rows(self, owner: UserId, view: MemoryView, *, every_kind: bool = False) -> list[MemoryRow]:
        """Return the memories of a view that the store alone cannot choose."""
        where = filter_of(view)
        if every_kind:
            where = where.model_copy(update={"types": None})
        named = self._graph.memory_ids(owner, view.about) if view.about.strip() else None
        rows = list(self._survey.rows(owner, where, ids=named))
        if view.as_of is None:
            return rows
        return self._rows_then(owner, rows, view.as_of)

    def _rows_then(self, owner: UserId, rows: list[MemoryRow], moment: datetime) -> list[MemoryRow]:
        """Return what was true at a moment; only what was changed since is opened to see how it stood."""
        there = [row for row in rows if row.recorded_at <= moment]
        changed = [row.id for row in there if row.updated_at > moment]
        true_then = {
            memory.id
            for some in bulk.in_batches(changed)
            for memory in self._shelf.index.get(owner, some)
            if versions.as_of(memory, moment)
        }
        return [
            row
            for row in there
            if row.id in true_then or (row.updated_at <= moment and row.status is MemoryStatus.ACTIVE)
        ]


def filter_of(view: MemoryView) -> MemoryFilter:
    """Return a view as the store is asked for it."""
    everything = None if view.standing is Standing.REVIEW and view.as_of is None else DERIVED_TYPES
    return MemoryFilter(
        types=everything if view.kind is None else frozenset({view.kind}),
        statuses=STATUSES[view.standing] if view.as_of is None else _ONCE_TRUE,
        since=view.since,
        until=view.until,
        sources=_SOURCES.get(view.origin) if view.origin else None,
        by_hand=None if view.origin in (None, Origin.IMPORT) else view.origin is Origin.HAND,
        min_importance=view.min_importance,
    )


def origin_of(memory: Memory) -> Origin:
    """Return how a memory came to be."""
    if memory.provenance.source in _IMPORTED:
        return Origin.IMPORT
    return Origin.HAND if memory.provenance.extractor == "manual" else Origin.CHAT


def _is_special(view: MemoryView) -> bool:
    return view.as_of is not None or bool(view.about.strip())


def _at(memory: Memory, moment: datetime | None) -> Memory | None:
    return memory if moment is None else versions.as_of(memory, moment)
