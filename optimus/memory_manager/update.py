"""The update phase for one message: every candidate becomes an addition, a merge, a replacement or a forgetting.

Nothing is written here. The plan holds all points of the message, so that they are stored in one atomic write.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from optimus.memory_manager import versions
from optimus.memory_manager.decide import Decision, Known, decide, decide_forgetting
from optimus.memory_manager.rules.candidate import Candidate, CandidateKind
from optimus.memory_manager.shelf import DERIVED_TYPES, Shelf, is_active
from optimus.memory_manager.wording import Stems, normal_form
from optimus.models import (
    ChangeKind,
    Memory,
    MemoryChange,
    MemoryId,
    MemoryStatus,
    MemoryType,
    MessageId,
    Provenance,
    UserId,
    stable_id,
)

_LONG_ENOUGH = 2
"""Content words that a statement needs before the messages that repeat it are forgotten with it."""
_ENDING_LIMIT = 50
_SAME_MESSAGE = 0.6
"""Cosine from which on a message is taken to be about the thing that is to be forgotten."""


class Plan:
    """What a message changes: the memories as they will read, and the changes to show."""

    def __init__(
        self, *, shelf: Shelf, owner: UserId, provenance: Provenance, said_at: datetime, now: datetime, stems: Stems
    ) -> None:
        self._shelf = shelf
        self._owner = owner
        self._provenance = provenance
        self._said_at = said_at
        self._now = now
        self._stems = stems
        self.memories: dict[MemoryId, Memory] = {}
        """The new and changed memories; later candidates see them."""
        self.added: set[MemoryId] = set()
        self.changes: list[MemoryChange] = []
        self.ended: list[tuple[Memory, MemoryId | None]] = []
        """What stopped being true, with its successor; None where it was forgotten."""
        self.forgets = False

    @property
    def _sources(self) -> tuple[MessageId, ...]:
        return (self._provenance.message_id,) if self._provenance.message_id else ()

    @property
    def growth(self) -> int:
        """How many memories there will be more than before."""
        return len(self.added) - sum(memory.type in DERIVED_TYPES for memory, _ in self.ended)

    def take(self, candidate: Candidate, *, advised: Decision | None = None) -> None:
        """Decide on a candidate and note what follows; `advised` is followed where the rules see nothing known."""
        if candidate.kind is CandidateKind.FORGET_LAST:
            self.forgets = True
            meant = tuple(filter(is_active, self._shelf.index.get(self._owner, candidate.targets)))
            self._forget(Decision(kind=ChangeKind.FORGET, text=candidate.text, targets=meant))
            return
        if candidate.kind is CandidateKind.FORGET:
            self.forgets = True
            self._forget(decide_forgetting(candidate, self._known(candidate), stems=self._stems))
            self._forget(self._repeating(candidate))
            return
        decision = decide(candidate, self._known(candidate), stems=self._stems)
        if advised and decision.kind is ChangeKind.ADD:
            decision = advised
        if decision.kind is ChangeKind.MERGE:
            self._merge(decision, candidate)
        elif decision.kind is not ChangeKind.SKIP:
            self._add(candidate, decision)

    def hold(self, candidate: Candidate) -> None:
        """Note a candidate that waits for the user's review; nothing that is known changes for it."""
        memory_id = self._free_id(candidate.text)
        if memory_id is not None:
            held = self._new(memory_id, candidate, ()).model_copy(update={"status": MemoryStatus.QUARANTINED})
            self.memories[memory_id] = held
            self.added.add(memory_id)

    def _known(self, candidate: Candidate) -> list[Known]:
        """Return the active memories that matter, as they stand after the candidates before."""
        known = {item.memory.id: item for item in self._shelf.similar(self._owner, candidate.text)}
        if candidate.negates:
            for item in self._shelf.similar(self._owner, candidate.negates):
                known.setdefault(item.memory.id, Known(memory=item.memory, closeness=0.0))
        for text in _endings(candidate):
            for item in self._shelf.similar(self._owner, text, limit=_ENDING_LIMIT):
                known.setdefault(item.memory.id, Known(memory=item.memory, closeness=0.0))
        slots = (*([candidate.slot] if candidate.slot else []), *(candidate.ends.slots if candidate.ends else ()))
        in_slot = [memory for slot in dict.fromkeys(slots) for memory in self._shelf.in_slot(self._owner, slot)]
        for memory in (*in_slot, *self.memories.values()):
            known.setdefault(memory.id, Known(memory=memory, closeness=0.0))
        current = [
            Known(memory=self.memories.get(key, item.memory), closeness=item.closeness) for key, item in known.items()
        ]
        return [item for item in current if is_active(item.memory) and item.memory.type in DERIVED_TYPES]

    def _repeating(self, candidate: Candidate) -> Decision:
        """Find the messages that say what is to be forgotten, where nothing was derived from them."""
        words = self._stems(candidate.text)
        found = [
            item.memory
            for item in self._shelf.similar(self._owner, candidate.text, types={MemoryType.CONVERSATION})
            if item.closeness >= _SAME_MESSAGE
            or (len(words) >= _LONG_ENOUGH and words <= self._stems(item.memory.text))
        ]
        told = {source for memory, _ in self.ended for source in memory.sources}
        targets = tuple(memory for memory in found if memory.provenance.message_id not in told)
        return Decision(kind=ChangeKind.FORGET, text=candidate.text, targets=targets)

    def _forget(self, decision: Decision) -> None:
        for target in decision.targets:
            memory = versions.forgotten(target, now=self._now)
            self._note(memory, MemoryChange(kind=ChangeKind.FORGET, memory_id=memory.id, text=memory.text))
            self.ended.append((target, None))

    def _merge(self, decision: Decision, candidate: Candidate) -> None:
        target = decision.targets[0]
        if self._sources and self._sources[0] in target.sources:
            return
        richer: dict[str, Any] = {}
        if decision.text != target.text:
            entities = tuple(dict.fromkeys((*target.entities, *candidate.entities)))
            richer = {"text": decision.text, "entities": entities, "relations": candidate.relations}
        source = self._provenance.message_id
        memory = versions.confirmed(target, source=source, said=candidate.text, now=self._now, **richer)
        replaced = target.text if target.text != memory.text else None
        change = MemoryChange(kind=ChangeKind.MERGE, memory_id=memory.id, text=memory.text, replaced_text=replaced)
        self._note(memory, change)

    def _add(self, candidate: Candidate, decision: Decision) -> None:
        memory_id = self._free_id(candidate.text)
        if memory_id is None:
            return
        ended = decision.targets
        memory = self._new(memory_id, candidate, ended)
        self.added.add(memory_id)
        if not ended:
            self._note(memory, MemoryChange(kind=ChangeKind.ADD, memory_id=memory_id, text=memory.text))
        for target in ended:
            old = versions.superseded(target, by=memory_id, at=self._said_at, now=self._now)
            self.memories[old.id] = old
            self.ended.append((target, memory_id))
            change = MemoryChange(
                kind=ChangeKind.SUPERSEDE,
                memory_id=memory_id,
                text=memory.text,
                replaced_id=old.id,
                replaced_text=old.text,
            )
            self._note(memory, change)

    def _note(self, memory: Memory, change: MemoryChange) -> None:
        self.memories[memory.id] = memory
        self.changes.append(change.model_copy(update={"version": memory.version}))

    def _free_id(self, text: str) -> MemoryId | None:
        """Return the id for a new statement of `text`; None where this message already made it once.

        The id follows from the text, so that two who add the same thing at once write one record. A record of an
        earlier time (replaced or forgotten) keeps its id; the new statement gets one that follows from its message.
        """
        plain = stable_id("memory", self._owner, normal_form(text))
        ids = [MemoryId(plain), MemoryId(stable_id(plain, *self._sources, *self._moment))]
        for memory_id in ids:
            stored = self.memories.get(memory_id) or self._shelf.find(self._owner, memory_id)
            if stored is None:
                return memory_id
            if set(self._sources) & set(stored.sources):
                return None
        return None

    @property
    def _moment(self) -> tuple[str, ...]:
        return () if self._sources else (self._now.isoformat(),)

    def _new(self, memory_id: MemoryId, candidate: Candidate, ended: Iterable[Memory]) -> Memory:
        return Memory(
            id=memory_id,
            user_id=self._owner,
            text=candidate.text,
            type=candidate.type,
            slot=candidate.slot,
            importance=candidate.importance,
            confidence=candidate.confidence,
            entities=candidate.entities,
            relations=candidate.relations,
            language=candidate.language,
            provenance=self._provenance,
            recorded_at=self._now,
            updated_at=self._now,
            valid_from=self._said_at,
            supersedes=next((memory.id for memory in ended), None),
            sources=self._sources,
        )


def _endings(candidate: Candidate) -> list[str]:
    """Return what to look for in order to find what a candidate ends: whom it is about, and what they are."""
    if candidate.ends is None:
        return []
    about = (candidate.ends.relation, candidate.ends.name, "my partner" if "partner" in candidate.ends.slots else None)
    return [text for text in about if text]
