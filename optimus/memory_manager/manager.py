"""The memory engine as the product calls it: remember, recall, list, correct, forget, take back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from threading import RLock
from typing import Any

from optimus.embedding import Embedder
from optimus.errors import ConflictError, InvalidInputError, TenancyError
from optimus.memory_manager import versions
from optimus.memory_manager.acts import MemoryActs, Way
from optimus.memory_manager.crud import DirectCrud, MemoryCrud
from optimus.memory_manager.episodes import hide
from optimus.memory_manager.handwritten import checked, origin_after_edit, understood
from optimus.memory_manager.recollection import MemoryReads
from optimus.memory_manager.remembering import Derive, Draft, adopt, points_of, remember
from optimus.memory_manager.revert import Reverter
from optimus.memory_manager.rules.candidate import Candidate
from optimus.memory_manager.shelf import Shelf, episode_id
from optimus.memory_manager.update import Plan
from optimus.metrics import MemoryStage, Metrics, timed
from optimus.models import (
    ChangeKind,
    Clock,
    Memory,
    MemoryChange,
    MemoryId,
    MemoryStatus,
    MemoryType,
    Message,
    MessageId,
    MessageRole,
    Provenance,
    UserId,
)
from optimus.storage.audit_records import AuditAction
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.memory_index import MemoryIndex
from optimus.storage.records import LastUse

_LOCKS = 64


class MemoryManager(MemoryReads):
    """One user's memories at a time. A foreign id and a missing one give the same `NotFoundError`.

    Every method may raise `StoreError`, and those that compare texts `EmbeddingError`.
    """

    def __init__(
        self,
        *,
        index: MemoryIndex,
        embedder: Embedder,
        encoder: Bm25Encoder,
        derive: Derive,
        clock: Clock,
        crud: MemoryCrud | None = None,
        limit: Callable[[], int | None] = lambda: None,
        acts: MemoryActs | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Take what is needed; `limit` tells how many memories an owner may have, messages not counted."""
        shelf = Shelf(index=index, embedder=embedder, encoder=encoder, limit=limit)
        super().__init__(shelf=shelf, clock=clock, metrics=metrics or Metrics())
        self._derive = self._metrics.timing(MemoryStage.DERIVE, derive)
        self.acts = acts or MemoryActs()
        self._crud = crud or DirectCrud(shelf=self._shelf, clock=clock)
        self._locks = [RLock() for _ in range(_LOCKS)]

    def warm(self) -> None:
        """Load what is slow to load, so that the first use does not wait for it."""
        self._crud.warm()

    @timed(MemoryStage.REMEMBER)
    def remember(
        self,
        owner: UserId,
        message: Message,
        *,
        before: Sequence[Message] = (),
        never: Collection[MemoryType] = (),
    ) -> tuple[MemoryChange, ...]:
        """Store what a user's message says: the message as an episode, and what the rules derive from it.

        Repeating the call for the same message changes nothing and returns the same changes. Messages of others than
        the user are not remembered.

        Args:
            owner: Who wrote it.
            message: What they wrote.
            before: The messages before it, oldest first; the last two are its context.
            never: Kinds of which nothing is kept, neither as a memory nor in the words of the message.

        Raises:
            TenancyError: somebody else wrote it.
        """
        if message.user_id != owner:
            raise TenancyError("a message is remembered for its writer only")
        if message.role is not MessageRole.USER:
            return ()
        draft = Draft(shelf=self._shelf, message=message, before=before, derive=self._derive, never=never)
        if not draft.text:
            return ()
        with self.changing(owner):
            is_new = self._shelf.find(owner, episode_id(message.id)) is None
            changes = remember(self._shelf, draft, now=self._clock(), stems=self._shelf.stems())
        if is_new:
            self.acts.changed(owner, changes, Way.CHAT)
        return changes

    @timed(MemoryStage.ADD)
    def add(
        self,
        owner: UserId,
        text: str,
        type: MemoryType = MemoryType.NOTE,  # noqa: A002 - the field's name
        *,
        way: Way = Way.HAND,
        provenance: Provenance = Provenance(),  # noqa: B008 - frozen
    ) -> Memory:
        """Store a memory written by hand, or by an assistant.

        A note that the rules understand takes their kind and replaces what it ends.

        Returns the memory that holds it: an older one where it says the same.

        Raises:
            InvalidInputError: the text is empty, too long, or holds a secret; nothing is stored.
            LimitReachedError: the owner would have more memories than allowed; nothing is stored.
        """
        candidate = self._understood(checked(text), type)
        with self.changing(owner):
            now = self._clock()
            stems = self._shelf.stems()
            plan = Plan(shelf=self._shelf, owner=owner, provenance=provenance, said_at=now, now=now, stems=stems)
            plan.take(candidate)
            self._shelf.refuse_beyond_limit(owner, plan.growth)
            memory = plan.memories[plan.changes[0].memory_id]
            if len(plan.memories) == 1 and plan.added:
                self._crud.add(owner, memory)
                self._search.touch(owner, [memory.id])
            else:
                self._shelf.index.put(owner, points_of(self._shelf, owner, plan))
            for ended, successor in plan.ended:
                hide(self._shelf, owner, ended, by=successor, now=now, stems=stems)
        self.acts.changed(owner, plan.changes, way)
        return memory

    @timed(MemoryStage.EDIT)
    def edit(
        self,
        owner: UserId,
        memory_id: MemoryId,
        text: str,
        *,
        expected_version: int,
        reason: str = "edit",
        way: Way = Way.HAND,
    ) -> Memory:
        """Give a memory another text; the old one stays in its history, with the reason.

        Raises:
            ConflictError: it was changed since the version that the user saw.
            InvalidInputError: the text is empty, too long, or holds a secret; or the memory is a message.
            NotFoundError: it is missing or not the owner's.
        """
        wanted = checked(text)
        with self.changing(owner):
            stored = self._shelf.get(owner, memory_id)
            if stored.type is MemoryType.CONVERSATION:
                raise InvalidInputError(user_message="A message cannot be edited here, only deleted.")
            if stored.version != expected_version:
                raise ConflictError("the memory was changed since it was shown")
            if stored.text == wanted:
                return stored
            candidate = self._understood(wanted, stored.type)
            fields: dict[str, Any] = {"slot": candidate.slot, "entities": candidate.entities}
            fields["provenance"] = origin_after_edit(stored.provenance, way)
            edited = versions.changed(stored, now=self._clock(), reason=reason, text=wanted, **fields)
            self._crud.update(owner, edited, expected_version=expected_version)
            self._search.touch(owner, [memory_id])
            hide(self._shelf, owner, stored, by=stored.id, now=edited.updated_at, stems=self._shelf.stems())
        self.acts.did(AuditAction.MEMORY_EDITED, owner, memory_id, way)
        return edited

    @timed(MemoryStage.FORGET)
    def forget(self, owner: UserId, memory_id: MemoryId) -> Memory:
        """Take a memory, and the messages that say it, out of use; `restore` brings them back.

        Raises:
            NotFoundError: it is missing or not the owner's.
        """
        with self.changing(owner):
            stored = self._shelf.get(owner, memory_id)
            is_new = stored.status is not MemoryStatus.DELETED
            if is_new:
                self._crud.delete(owner, stored)
                self._search.touch(owner, [memory_id])
            forgotten = self._reverter(owner).forget(memory_id)
        if is_new:
            self.acts.did(AuditAction.MEMORY_FORGOTTEN, owner, memory_id, Way.HAND)
        return forgotten

    @timed(MemoryStage.RESTORE)
    def restore(self, owner: UserId, memory_id: MemoryId) -> Memory:
        """Bring a forgotten memory back.

        Raises:
            NotFoundError: it is missing or not the owner's.
            LimitReachedError: the owner has as many memories as allowed.
        """
        with self.changing(owner):
            found = self._shelf.get(owner, memory_id)
            self._shelf.refuse_beyond_limit(owner, int(found.status is not MemoryStatus.ACTIVE))
            restored = self._reverter(owner).restore(memory_id)
        if restored.version != found.version:
            self.acts.did(AuditAction.MEMORY_RESTORED, owner, memory_id, Way.HAND)
        return restored

    @timed(MemoryStage.UNDO)
    def undo(self, owner: UserId, change: MemoryChange) -> None:
        """Take one change back as if it had not been; a second time does nothing.

        Raises:
            NotFoundError: its memory is missing or not the owner's.
            LimitReachedError: it would bring a memory back, and the owner has as many as allowed.
        """
        with self.changing(owner):
            self._shelf.refuse_beyond_limit(owner, int(change.kind is ChangeKind.FORGET))
            before = self._shelf.get(owner, change.memory_id).version
            self._reverter(owner).undo(change)
            is_new = self._shelf.get(owner, change.memory_id).version != before
        if is_new:
            self.acts.did(AuditAction.MEMORY_UNDONE, owner, change.memory_id, Way.CHAT)

    def note_use(self, answer: Message, *, at: datetime) -> None:
        """Count that memories were given to an answer; a change that is made meanwhile is not lost."""
        if answer.used:
            use = LastUse(last_used_at=at, last_used_in=answer.id, last_used_chat=answer.conversation_id)
            with self.changing(answer.user_id):
                self._shelf.index.note_use(answer.user_id, [used.memory_id for used in answer.used], use)

    @timed(MemoryStage.WITHDRAW)
    def withdraw(self, owner: UserId, message_ids: Sequence[MessageId], *, derived: bool = True) -> None:
        """Follow the deletion of messages: purge their episodes, and forget what came only from them.

        Args:
            owner: Whose messages.
            message_ids: Which ones.
            derived: Whether to forget what was derived, too; else it stays.
        """
        with self.changing(owner):
            self._reverter(owner).withdraw(message_ids, derived=derived)
        self.acts.did(AuditAction.MEMORY_WITHDRAWN, owner, None, Way.CHAT, messages=len(message_ids))

    def adopt(self, owner: UserId, memories: Sequence[Memory], around: Mapping[MemoryId, Sequence[str]]) -> None:
        """Store memories that come from elsewhere as they are; see `remembering.adopt`.

        Raises:
            LimitReachedError: the owner would have more memories than the limit; none of these is stored.
        """
        with self.changing(owner):
            adopt(self._shelf, owner, memories, around)

    def never_send(self, owner: UserId, memory_id: MemoryId, to: Sequence[str]) -> Memory:
        """Choose to whom a memory is never sent; `optimus.withholding` knows whom there is.

        Raises:
            NotFoundError: it is missing or not the owner's.
        """
        wanted = tuple(dict.fromkeys(to))

        def following(stored: Memory) -> Memory | None:
            if stored.never_send == wanted:
                return None
            return versions.changed(stored, now=self._clock(), reason="withhold", never_send=wanted)

        with self.changing(owner):
            changed = self._shelf.change(owner, memory_id, following)
        self.acts.did(AuditAction.MEMORY_WITHHELD, owner, memory_id, Way.HAND)
        return changed

    def some(self, owner: UserId, ids: Sequence[MemoryId]) -> list[Memory]:
        """Return those of the memories that exist and are the owner's, whatever their status."""
        return self._shelf.index.get(owner, ids)

    def changing(self, owner: UserId) -> RLock:
        """Return what to hold while an owner's memories are read and changed."""
        return self._locks[hash(owner) % _LOCKS]

    def _reverter(self, owner: UserId) -> Reverter:
        return Reverter(shelf=self._shelf, owner=owner, now=self._clock(), stems=self._shelf.stems())

    def _understood(self, text: str, kind: MemoryType) -> Candidate:
        return understood(text, kind, self._derive(text, now=self._clock()))
