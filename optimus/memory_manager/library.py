"""What the Memory page does with many memories: narrow down, look closer, delete, bring back, export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from optimus.errors import NotFoundError
from optimus.memory_manager import bulk, versions
from optimus.memory_manager.acts import Way
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.shelf import DERIVED_TYPES, Shelf
from optimus.memory_manager.versions import VersionChange
from optimus.memory_manager.views import STATUSES, MemoryViews, Standing
from optimus.models import (
    Clock,
    Conversation,
    ConversationId,
    Memory,
    MemoryId,
    MemoryStatus,
    UserId,
)
from optimus.storage.audit_records import AuditAction
from optimus.storage.conversations import ConversationRepository
from optimus.storage.records import MemoryFilter

UNDO_FOR = timedelta(hours=1)
"""How long the last deletion is offered to be taken back; the deleted ones themselves stay."""
_LOOKED_AT = 20

Progress = Callable[[int], None]


DELETED = MemoryFilter(statuses=STATUSES[Standing.DELETED])


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryDetails:
    """A memory with what it is connected to, as far as that still exists."""

    memory: Memory
    said_in: Conversation | None
    used_in: Conversation | None
    answer: str
    """The answer that it was last given to; empty where that is gone."""
    successor: Memory | None
    changes: list[VersionChange]
    """The newest first."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted in one act."""

    at: datetime
    count: int


class MemoryLibrary:
    """One owner's memories at a time; a foreign id and a missing one look the same. May raise `StoreError`."""

    def __init__(
        self,
        *,
        shelf: Shelf,
        memory: MemoryManager,
        views: MemoryViews,
        conversations: ConversationRepository,
        clock: Clock,
    ) -> None:
        self._shelf = shelf
        self.views = views
        self._memory = memory
        self._conversations = conversations
        self._clock = clock

    def details(self, owner: UserId, memory_id: MemoryId) -> MemoryDetails:
        """Return a memory with where it was said and used.

        Raises:
            NotFoundError: it is missing or not the owner's.
        """
        memory = self._memory.get(owner, memory_id)
        used_in = self._conversation(owner, memory.last_used_chat)
        return MemoryDetails(
            memory=memory,
            said_in=self._conversation(owner, memory.provenance.conversation_id),
            used_in=used_in,
            answer=self._answer(owner, memory) if used_in else "",
            successor=self._shelf.find(owner, memory.superseded_by) if memory.superseded_by else None,
            changes=versions.changes(memory),
        )

    def forget(self, owner: UserId, ids: Sequence[MemoryId], *, progress: Progress | None = None) -> int:
        """Take memories out of use in one act, a batch at a time; return how many were not out of use before.

        Args:
            owner: Whose memories.
            ids: Which ones; those that are missing or deleted already are passed over.
            progress: Is told after each batch how many of `ids` are done.
        """
        return self._each(AuditAction.MEMORY_FORGOTTEN, owner, ids, progress)

    def restore(self, owner: UserId, ids: Sequence[MemoryId], *, progress: Progress | None = None) -> int:
        """Bring deleted memories back, with the messages that say them; return how many; see `forget`."""
        return self._each(AuditAction.MEMORY_RESTORED, owner, ids, progress)

    def undo_deletion(self, owner: UserId, at: datetime, *, progress: Progress | None = None) -> int:
        """Bring back everything that one act deleted, and return how many; a second time does nothing."""
        same = DELETED.model_copy(update={"changed_at": at})
        return self.restore(owner, [entry.id for entry in self._shelf.index.outline(owner, same)], progress=progress)

    def last_deletion(self, owner: UserId) -> Deletion | None:
        """Return what the owner deleted last, as long as it is offered to be taken back."""
        since = self._clock() - UNDO_FOR
        for memory in self._shelf.index.changed_last(owner, DELETED, _LOOKED_AT):
            if memory.updated_at >= since and memory.history and memory.history[-1].reason == "forget":
                same = DELETED.model_copy(update={"changed_at": memory.updated_at})
                return Deletion(memory.updated_at, self._shelf.index.count(owner, same))
        return None

    def pin(self, owner: UserId, memory_id: MemoryId, *, pinned: bool) -> Memory:
        """Prefer a memory in answers, or no longer.

        Raises:
            NotFoundError: it is missing or not the owner's.
        """

        def following(stored: Memory) -> Memory | None:
            reason = "pin" if pinned else "unpin"
            is_done = stored.pinned is pinned
            return None if is_done else versions.changed(stored, now=self._clock(), reason=reason, pinned=pinned)

        with self._memory.changing(owner):
            return self._shelf.change(owner, memory_id, following)

    def approve(self, owner: UserId, memory_id: MemoryId) -> Memory:
        """Make a memory current that waits for review or was put away; any other stays as it is.

        Raises:
            NotFoundError: it is missing or not the owner's.
        """

        def approved(stored: Memory) -> Memory | None:
            is_away = stored.status is MemoryStatus.ARCHIVED and stored.type in DERIVED_TYPES
            if stored.status is not MemoryStatus.QUARANTINED and not is_away:
                return None
            return versions.changed(stored, now=self._clock(), reason="approve", status=MemoryStatus.ACTIVE)

        with self._memory.changing(owner):
            return self._shelf.change(owner, memory_id, approved)

    def revert(self, owner: UserId, memory_id: MemoryId, version: int, *, expected_version: int) -> Memory:
        """Give a memory the text of an earlier version; the one it has stays in its history.

        Raises:
            ConflictError: it was changed since the version that the user saw.
            NotFoundError: it is missing or not the owner's, or the earlier version is no longer kept.
        """
        text = versions.text_at(self._memory.get(owner, memory_id), version)
        if text is None:
            raise NotFoundError("version of a memory")
        return self._memory.edit(owner, memory_id, text, expected_version=expected_version, reason="revert")

    def export(self, owner: UserId, ids: Sequence[MemoryId]) -> Iterator[Memory]:
        """Yield those of the memories that are the owner's, in the order asked for, reading some at a time."""
        for some in bulk.in_batches(ids):
            yield from self._shelf.index.get(owner, some)

    def _each(self, action: AuditAction, owner: UserId, ids: Sequence[MemoryId], progress: Progress | None) -> int:
        act = bulk.forget_all if action is AuditAction.MEMORY_FORGOTTEN else bulk.restore_all
        now, changed = self._clock(), 0
        for number, some in enumerate(bulk.in_batches(list(dict.fromkeys(ids))), 1):
            with self._memory.changing(owner):
                written = act(self._shelf, owner, some, now=now)
            for memory_id in written:
                self._memory.acts.did(action, owner, memory_id, Way.HAND)
            changed += len(written)
            if progress:
                progress(min(number * bulk.BATCH, len(ids)))
        return changed

    def _conversation(self, owner: UserId, conversation_id: ConversationId | None) -> Conversation | None:
        if conversation_id is None:
            return None
        try:
            return self._conversations.get(owner, conversation_id)
        except NotFoundError:
            return None

    def _answer(self, owner: UserId, memory: Memory) -> str:
        if memory.last_used_in is None:
            return ""
        try:
            return self._conversations.message(owner, memory.last_used_in).text
        except NotFoundError:
            return ""
