"""What a model found in a message becomes memory: checked, decided on, and stored as what the rules find is.

What reads like an instruction waits for the user's review, and changes nothing that is known.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from optimus.memory_manager.acts import Way
from optimus.memory_manager.decide import Decision, Known
from optimus.memory_manager.episodes import clean, hide
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.proposals import Checks, Kept, Proposal
from optimus.memory_manager.remembering import Derive, earlier_changes, points_of
from optimus.memory_manager.shelf import DERIVED_TYPES, Shelf, episode_id, is_active
from optimus.memory_manager.update import Plan
from optimus.memory_manager.wording import Stems, contains
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
    Provenance,
    UserId,
)
from optimus.storage.failpoints import reached
from optimus.storage.records import MemoryFilter

KNOWN_LIMIT = 20
"""The most memories that a model is shown to decide against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What became of a message's findings."""

    changes: tuple[MemoryChange, ...] = ()
    """All that the message ever changed in memory, by rules or model, without what is held."""
    held: int = 0
    """How many findings of the message wait for review."""


class Derivation:
    """Puts findings into one owner's memory. Every method may raise `StoreError` and `EmbeddingError`."""

    def __init__(self, *, shelf: Shelf, memory: MemoryManager, derive: Derive, clock: Clock) -> None:
        self._shelf = shelf
        self._memory = memory
        self._derive = derive
        self._clock = clock

    def known(self, owner: UserId, texts: Sequence[str]) -> list[Memory]:
        """Return what is remembered already and may have to do with the texts, nearest first."""
        found: dict[MemoryId, Known] = {}
        for text in map(clean, texts):
            for item in self._shelf.similar(owner, text) if text else ():
                before = found.get(item.memory.id)
                if before is None or item.closeness > before.closeness:
                    found[item.memory.id] = item
        nearest = sorted(found.values(), key=lambda item: (-item.closeness, item.memory.id))
        return [item.memory for item in nearest[:KNOWN_LIMIT]]

    def held(self, owner: UserId, message_id: MessageId) -> int:
        """Return how many findings of a message wait for review, with the message itself where it does."""
        waiting = frozenset({MemoryStatus.QUARANTINED})
        return self._shelf.index.count(owner, MemoryFilter(statuses=waiting, message_id=message_id))

    def told(self, message: Message) -> Derived:
        """Return what became of a message's findings, without those that only repeated what was known."""
        episode = self._shelf.find(message.user_id, episode_id(message.id))
        if episode is None:
            return Derived()
        memories = self._shelf.index.get(message.user_id, episode.derived)
        held = {memory.id for memory in memories if memory.status is MemoryStatus.QUARANTINED}
        unseen = held | {memory.id for memory in memories if _was_held(memory) or _is_repeat(memory)}
        changes = earlier_changes(self._shelf, episode)
        return Derived(changes=tuple(c for c in changes if c.memory_id not in unseen), held=len(held))

    def derive_from(
        self,
        message: Message,
        proposals: Sequence[Proposal],
        *,
        around: Sequence[str] = (),
        extractor: str,
        never: Collection[MemoryType] = (),
    ) -> None:
        """Store what a model found in a message of its writer's; repeating the call changes nothing.

        A message that is in memory no more, or whose content was forgotten since, gives nothing.

        Args:
            message: Who wrote what.
            proposals: What the model found in it.
            around: What the user wrote before it, to which words of the findings may go back.
            extractor: Name of the model.
            never: Kinds of which nothing is kept.

        Raises:
            LimitReachedError: the owner would have more memories than allowed; nothing is stored.
        """
        owner = message.user_id
        with self._memory.changing(owner):
            episode = self._shelf.find(owner, episode_id(message.id))
            if episode is None or _is_forgotten(episode, never):
                return
            draft = Checks(shelf=self._shelf, derive=self._derive, message=message, around=around, never=never)
            kept = [each for proposal in proposals if (each := draft.check(proposal))]
            plan = self._plan(message, kept, extractor, draft.stems)
            self._store(episode, plan)
            self._memory.acts.changed(owner, plan.changes, Way.CHAT)

    def _plan(self, message: Message, kept: Sequence[Kept], extractor: str, stems: Stems) -> Plan:
        provenance = Provenance(conversation_id=message.conversation_id, message_id=message.id, extractor=extractor)
        now = self._clock()
        plan = Plan(
            shelf=self._shelf,
            owner=message.user_id,
            provenance=provenance,
            said_at=message.created_at,
            now=now,
            stems=stems,
        )
        for each in kept:
            before = set(plan.added)
            if each.proposal.instructs:
                plan.hold(each.candidate)
            else:
                plan.take(each.candidate, advised=self._advice(message, each, stems))
                _date(plan, plan.added - before, each.proposal.event_at, message.created_at)
        self._shelf.refuse_beyond_limit(message.user_id, plan.growth)
        for ended, successor in plan.ended:
            hide(self._shelf, message.user_id, ended, by=successor, now=now, stems=stems)
        return plan

    def _advice(self, message: Message, each: Kept, stems: Stems) -> Decision:
        """Return the model's decision as far as it still holds: on what is true, and was not said later."""
        candidate, proposal = each.candidate, each.proposal
        add = Decision(kind=ChangeKind.ADD, text=candidate.text)
        target = self._shelf.find(message.user_id, proposal.target) if proposal.target else None
        if proposal.decision is ChangeKind.SKIP or each.is_said:
            return replace(add, kind=ChangeKind.SKIP)
        if target is None or not is_active(target) or target.type not in DERIVED_TYPES:
            return add
        if message.id in target.sources:
            return replace(add, kind=ChangeKind.SKIP)
        if proposal.decision is ChangeKind.MERGE:
            is_richer = contains(candidate.text, target.text, stems)
            return Decision(kind=ChangeKind.MERGE, text=candidate.text if is_richer else target.text, targets=(target,))
        if proposal.decision is ChangeKind.SUPERSEDE:
            is_older = target.valid_from > message.created_at
            return replace(add, kind=ChangeKind.SKIP if is_older else ChangeKind.SUPERSEDE, targets=(target,))
        return add

    def _store(self, episode: Memory, plan: Plan) -> None:
        """Link the message to what it made, then store that: a crash in between leaves links to nothing."""
        owner = episode.user_id
        made = [key for key in plan.memories if key in plan.added or key in {c.memory_id for c in plan.changes}]
        if not made:
            return
        linked = tuple(dict.fromkeys((*episode.derived, *made)))
        self._shelf.change(owner, episode.id, lambda stored: _linked(stored, linked))
        reached("extract.linked")
        vectors = self._shelf.index.vectors(owner, [episode.id])
        around = [vectors[episode.id].dense] if episode.id in vectors else []
        self._shelf.index.put(owner, points_of(self._shelf, owner, plan, around=around, surroundings=episode.text))
        reached("extract.stored")


def _is_forgotten(episode: Memory, never: Collection[MemoryType]) -> bool:
    """Tell whether a message was hidden because its content was forgotten, or because it asks to forget something."""
    if episode.status is not MemoryStatus.ARCHIVED:
        return episode.status is MemoryStatus.DELETED
    return bool(episode.history) or MemoryType.CONVERSATION not in never


def _date(plan: Plan, added: Collection[MemoryId], event_at: datetime | None, said_at: datetime) -> None:
    """Let new memories be true from the day on which the thing began, where that is past."""
    if event_at is None or event_at > said_at:
        return
    for key in added:
        plan.memories[key] = plan.memories[key].model_copy(update={"valid_from": event_at.astimezone(UTC)})


def _linked(episode: Memory, derived: tuple[MemoryId, ...]) -> Memory | None:
    if episode.derived == derived:
        return None
    return episode.model_copy(update={"derived": derived, "version": episode.version + 1})


def _was_held(memory: Memory) -> bool:
    return any(entry.status is MemoryStatus.QUARANTINED for entry in memory.history)


def _is_repeat(memory: Memory) -> bool:
    """Tell whether a memory was replaced as it came: something that was known says it."""
    return memory.status is MemoryStatus.SUPERSEDED
