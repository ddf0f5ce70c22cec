"""What a model is asked to compare once new memories are there, and the repairs that follow from its verdicts.

Every verdict becomes a repair of the kind that a look for problems proposes, so it is kept with those, and can be
taken back by itself or together with others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from optimus.memory_manager.health import MemoryHealth
from optimus.memory_manager.shelf import DERIVED_TYPES, Shelf, episode_id, is_active
from optimus.models import Memory, MemoryId, MemoryType, MessageId, UserId, stable_id
from optimus.storage.checkups import MAX_TARGETS, Problem, Repair, RepairKind
from optimus.storage.records import MemoryFilter

KNOWN_CHARS = 6_000
"""So much of what is known is compared with new memories, about 1,500 tokens; the nearest come first."""
NEAR = 0.35
"""Cosine from which on two memories in one language may be about the same."""
_ENTRY_CHARS = 20
"""What an entry takes beside its text."""
_ALL_LIMIT = 200
_TYPES = DERIVED_TYPES - {MemoryType.DOCUMENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A memory that is compared."""

    memory: Memory
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What is to become of some entries: places among them."""

    keep: int
    same: Sequence[int]
    """They say nothing that the kept one does not say."""
    outdated: Sequence[int]
    """They are true no longer because the kept one is."""


class Settlement:
    """Finds what to compare, and carries rulings out. Every method may raise `StoreError` and `EmbeddingError`."""

    def __init__(self, *, shelf: Shelf, health: MemoryHealth) -> None:
        self._shelf = shelf
        self._health = health

    def entries(self, owner: UserId, messages: Sequence[MessageId]) -> list[Entry]:
        """Return what came from messages with what it may repeat or end, the oldest first.

        Where all memories are in one language, those near in meaning or with words in common; vectors do not tell
        which memories in two languages say the same, so otherwise whatever fits into `KNOWN_CHARS`. Empty where
        nothing is new, or nothing is to be compared with it.
        """
        new = self._new(owner, messages)
        if not new:
            return []
        near = self._near(owner, list(new.values()))
        others = {key: memory for key, memory in self._others(owner, new, near).items() if key not in new}
        newest = sorted(others.values(), key=lambda memory: memory.recorded_at, reverse=True)
        chosen = sorted(newest, key=lambda memory: -near.get(memory.id, 0.0))
        entries = [Entry(memory=memory, is_new=True) for memory in new.values()]
        left = KNOWN_CHARS
        for memory in chosen:
            left -= len(memory.text) + _ENTRY_CHARS
            if left < 0:
                break
            entries.append(Entry(memory=memory, is_new=False))
        if len(entries) == len(new) and not near.keys() & new.keys():
            return []
        return sorted(entries, key=lambda entry: (entry.memory.valid_from, entry.memory.recorded_at, entry.memory.id))

    def settle(self, owner: UserId, entries: Sequence[Entry], rulings: Sequence[Ruling], *, by: str) -> int:
        """Carry out what a model found; return how many repairs were made.

        What was pinned or written by hand is never replaced, nothing newer is replaced by what is older, and of
        every pair one has to be new. What is no longer as it was compared is passed over.

        Args:
            owner: Whose memories they are.
            entries: What was compared.
            rulings: What the model made of it.
            by: Name of the model.
        """
        return self._health.tidy(owner, list(_repairs(entries, rulings, by)))

    def _new(self, owner: UserId, messages: Sequence[MessageId]) -> dict[MemoryId, Memory]:
        episodes = self._shelf.index.get(owner, [episode_id(message_id) for message_id in messages])
        ids = dict.fromkeys(key for episode in episodes for key in episode.derived)
        found = self._shelf.index.get(owner, list(ids))
        return {m.id: m for m in found if is_active(m) and m.type in _TYPES and set(m.sources[:1]) & set(messages)}

    def _near(self, owner: UserId, new: Sequence[Memory]) -> dict[MemoryId, float]:
        """Return how near those are to one of the new ones that are near, in meaning or by their words."""
        near: dict[MemoryId, float] = {}
        stems = self._shelf.stems()
        for each in new:
            for item in self._shelf.similar(owner, each.text, types=_TYPES):
                other = item.memory
                is_near = item.closeness >= NEAR or bool(stems(each.text) & stems(other.text))
                if other.id != each.id and is_near:
                    near[other.id] = max(item.closeness, near.get(other.id, 0.0))
            for other in self._shelf.in_slot(owner, each.slot) if each.slot else ():
                if other.id != each.id:
                    near[other.id] = 1.0
        return near

    def _others(self, owner: UserId, new: dict[MemoryId, Memory], near: Collection[MemoryId]) -> dict[MemoryId, Memory]:
        everything = self._shelf.index.page(owner, MemoryFilter(types=_TYPES), limit=_ALL_LIMIT).items
        found = {memory.id: memory for memory in (*self._shelf.index.get(owner, list(near)), *everything)}
        if len({memory.language for memory in (*found.values(), *new.values())}) > 1:
            return found
        return {key: memory for key, memory in found.items() if key in near}


def _repairs(entries: Sequence[Entry], rulings: Sequence[Ruling], by: str) -> Iterator[Repair]:
    for ruling in rulings:
        keep = entries[ruling.keep]
        same = [each for place in ruling.same if _may_go(each := entries[place], keep)]
        over = [each for place in ruling.outdated if _may_go(each := entries[place], keep)]
        over = [each for each in over if each.memory.valid_from <= keep.memory.valid_from]
        for problem, found in ((Problem.DUPLICATE, same), (Problem.CONTRADICTION, over)):
            targets = tuple(each.memory.id for each in found[:MAX_TARGETS])
            if targets:
                # What a new message said again in richer words must come back when that message is deleted.
                is_merged = problem is Problem.DUPLICATE and not keep.is_new
                yield Repair(
                    id=stable_id("settled", problem, keep.memory.id, *targets),
                    problem=problem,
                    kind=RepairKind.MERGE if is_merged else RepairKind.SUPERSEDE,
                    keep=keep.memory.id,
                    targets=targets,
                    by=by,
                )


def _may_go(entry: Entry, keep: Entry) -> bool:
    """Tell whether an entry may be replaced by the kept one: one of them is new, and nobody put it there by hand."""
    memory = entry.memory
    is_own_hand = memory.provenance.extractor == "manual" or any(each.reason == "edit" for each in memory.history)
    return (entry.is_new or keep.is_new) and not memory.pinned and not is_own_hand
