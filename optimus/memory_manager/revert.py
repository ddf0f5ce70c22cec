"""Take changes back: undo, forget, restore, and the withdrawal of what a deleted message made.

Each step looks at what is stored and does only what is missing, so that repeating it, or going on after a crash,
ends in the same state.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from optimus.memory_manager import versions
from optimus.memory_manager.episodes import hide, show
from optimus.memory_manager.shelf import Shelf, episode_id
from optimus.memory_manager.wording import Stems
from optimus.models import ChangeKind, Memory, MemoryChange, MemoryId, MemoryStatus, MessageId, UserId
from optimus.storage.records import MemoryFilter

_BATCH = 200


class Reverter:
    """Takes changes of one owner's memories back, as of one moment."""

    def __init__(self, *, shelf: Shelf, owner: UserId, now: datetime, stems: Stems) -> None:
        self._shelf = shelf
        self._owner = owner
        self._now = now
        self._stems = stems

    def undo(self, change: MemoryChange) -> None:
        """Make a change as if it had not been; a second time does nothing.

        Raises:
            NotFoundError: the memory is missing or somebody else's.
        """
        memory = self._shelf.get(self._owner, change.memory_id)
        if change.kind in (ChangeKind.ADD, ChangeKind.SUPERSEDE):
            for replaced in self._replaced_by(memory, change.replaced_id):
                self._bring_back(replaced.id, instead_of=memory)
            self._drop(memory, reason="undo", undoes=change.version)
        elif change.kind is ChangeKind.MERGE:
            self._shelf.change(self._owner, memory.id, lambda stored: self._unmerged(stored, change.version))
        elif change.kind is ChangeKind.FORGET:
            self.restore(memory.id, undoes=change.version)

    def forget(self, memory_id: MemoryId, *, reason: str = "forget") -> Memory:
        """Take a memory, and the messages that say it, out of use; it can be restored.

        Raises:
            NotFoundError: it is missing or somebody else's.
        """
        return self._drop(self._shelf.get(self._owner, memory_id), reason=reason)

    def restore(self, memory_id: MemoryId, *, undoes: int | None = None) -> Memory:
        """Bring a forgotten memory back, with the messages that say it.

        Raises:
            NotFoundError: it is missing or somebody else's.
        """
        memory = self._shelf.change(
            self._owner,
            memory_id,
            lambda stored: (
                versions.restored(stored, now=self._now, undoes=undoes) if _may_come_back(stored, undoes) else None
            ),
        )
        if memory.status is not MemoryStatus.DELETED:
            show(self._shelf, self._owner, memory, instead_of=None, now=self._now)
        return memory

    def withdraw(self, message_ids: Sequence[MessageId], *, derived: bool) -> None:
        """Purge the episodes of deleted messages and, with `derived`, forget what came only from them."""
        gone = frozenset(message_ids)
        for start in range(0, len(message_ids), _BATCH):
            ids = [episode_id(message_id) for message_id in message_ids[start : start + _BATCH]]
            episodes = self._shelf.index.get(self._owner, ids)
            if derived:
                keys = dict.fromkeys(key for episode in episodes for key in episode.derived)
                for key in keys:
                    self._withdraw_one(key, gone)
            self._shelf.index.delete(self._owner, ids)

    def _withdraw_one(self, memory_id: MemoryId, gone: frozenset[MessageId]) -> None:
        memory = self._shelf.find(self._owner, memory_id)
        if memory is None or not gone & set(memory.sources):
            return
        left = tuple(source for source in memory.sources if source not in gone)
        if left:
            self._shelf.change(self._owner, memory_id, lambda stored: self._without(stored, left))
            return
        for replaced in self._replaced_by(memory):
            self._bring_back(replaced.id, instead_of=memory)
        self._drop(memory, reason="withdraw")

    def _without(self, memory: Memory, sources: tuple[MessageId, ...]) -> Memory | None:
        fewer = len(memory.sources) - len(sources)
        if fewer <= 0:
            return None
        confirmations = max(1, memory.confirmations - fewer)
        fields: dict[str, Any] = {"sources": sources, "confirmations": confirmations}
        text = versions.wording_left(memory, sources)
        if text != memory.text:
            named = tuple(name for name in memory.entities if name.casefold() in text.casefold())
            fields |= {"text": text, "entities": named}
        return versions.changed(memory, now=self._now, reason="withdraw", **fields)

    def _replaced_by(self, memory: Memory, named: MemoryId | None = None) -> list[Memory]:
        """Return what a memory replaced: what it and the change name, and what else was replaced of late."""
        if memory.supersedes is None:
            return []
        where = MemoryFilter(statuses=frozenset({MemoryStatus.SUPERSEDED}))
        found = {item.id: item for item in self._shelf.index.page(self._owner, where, limit=_BATCH).items}
        ids = [key for key in (memory.supersedes, named) if key]
        found |= {item.id: item for item in self._shelf.index.get(self._owner, ids)}
        return [item for item in found.values() if item.superseded_by == memory.id]

    def _drop(self, memory: Memory, *, reason: str, undoes: int | None = None) -> Memory:
        """Forget a memory once: not again where it is forgotten, or where this change was taken back before."""

        def dropped(stored: Memory) -> Memory | None:
            is_done = stored.status is MemoryStatus.DELETED or (undoes and versions.is_undone(stored, undoes))
            return None if is_done else versions.forgotten(stored, now=self._now, reason=reason, undoes=undoes)

        memory = self._shelf.change(self._owner, memory.id, dropped)
        if memory.status is MemoryStatus.DELETED:
            hide(self._shelf, self._owner, memory, by=None, now=self._now, stems=self._stems)
        return memory

    def _bring_back(self, memory_id: MemoryId, *, instead_of: Memory) -> None:
        """Make a replaced memory true again; where its successor was replaced in turn, link it to that one."""
        heir = instead_of.superseded_by

        def back(stored: Memory) -> Memory | None:
            if stored.superseded_by != instead_of.id:
                return None
            if heir and instead_of.status is MemoryStatus.SUPERSEDED:
                return versions.changed(stored, now=self._now, reason="undo", superseded_by=heir)
            if stored.status is not MemoryStatus.SUPERSEDED:
                return versions.changed(stored, now=self._now, reason="undo", superseded_by=None, valid_to=None)
            return versions.reinstated(stored, now=self._now)

        memory = self._shelf.change(self._owner, memory_id, back)
        if heir and memory.superseded_by == heir:
            self._shelf.change(self._owner, heir, lambda stored: self._inheriting(stored, memory, instead_of))
        if memory.status is MemoryStatus.ACTIVE:
            show(self._shelf, self._owner, memory, instead_of=instead_of.id, now=self._now)

    def _inheriting(self, heir: Memory, memory: Memory, skipped: Memory) -> Memory | None:
        if heir.supersedes != skipped.id:
            return None
        return versions.changed(heir, now=self._now, reason="undo", supersedes=memory.id)

    def _unmerged(self, memory: Memory, version: int) -> Memory | None:
        """Take a confirmation back, and its wording where nobody changed it since."""
        if versions.is_undone(memory, version):
            return None
        before, after = versions.text_at(memory, version - 1), versions.text_at(memory, version)
        fields: dict[str, Any] = {"confirmations": max(1, memory.confirmations - 1)}
        if before and memory.text == after:
            fields |= {"text": before, "provenance": versions.origin_at(memory, version - 1)}
        return versions.changed(memory, now=self._now, reason="undo", undoes=version, **fields)


def _may_come_back(memory: Memory, undoes: int | None) -> bool:
    return memory.status is MemoryStatus.DELETED and not (undoes and versions.is_undone(memory, undoes))
