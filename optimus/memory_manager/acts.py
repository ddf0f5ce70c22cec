"""What the audit log is told of a user's own memories: which act, on which memory, by which way; never a text."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from optimus.models import ChangeKind, MemoryChange, MemoryId, UserId
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction

_ACTIONS = {
    ChangeKind.ADD: AuditAction.MEMORY_CREATED,
    ChangeKind.SUPERSEDE: AuditAction.MEMORY_CREATED,
    ChangeKind.MERGE: AuditAction.MEMORY_CONFIRMED,
    ChangeKind.FORGET: AuditAction.MEMORY_FORGOTTEN,
}


class Way(StrEnum):
    """How somebody acts on a memory."""

    CHAT = "chat"
    """By what is said there, or by Undo under it."""
    HAND = "hand"
    """On the memory page."""
    ASSISTANT = "assistant"
    """By the model that wrote an answer, in the user's name."""
    FILE = "file"
    """With a file."""


class MemoryActs:
    """Tells the log of acts that are done; without a log it does nothing."""

    def __init__(self, log: AuditLog | None = None) -> None:
        self._log = log

    def changed(self, owner: UserId, changes: Iterable[MemoryChange], way: Way) -> None:
        """Tell of what a message or a note changed, once for each memory."""
        acts = {change.memory_id: _ACTIONS[change.kind] for change in changes if change.kind in _ACTIONS}
        acts |= {change.replaced_id: AuditAction.MEMORY_REPLACED for change in changes if change.replaced_id}
        for memory_id, action in acts.items():
            self.did(action, owner, memory_id, way)

    def did(
        self, action: AuditAction, owner: UserId, memory_id: MemoryId | None, way: Way, *, messages: int | None = None
    ) -> None:
        """Tell of one act; `messages` is how many messages it was about, where it was about messages."""
        if self._log is not None:
            count = {} if messages is None else {"messages": messages}
            self._log.note(action, actor=owner, subject=owner, item=memory_id, data={"way": way.value, **count})
