"""Phase by phase for one message: derive, decide, and store the episode with all that follows from it at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

from optimus.memory_manager.antecedents import resolved, with_relations
from optimus.memory_manager.episodes import clean, episode_of, gained, hide, neighbours
from optimus.memory_manager.instructions import instructs
from optimus.memory_manager.masking import MASK
from optimus.memory_manager.rules.candidate import Candidate, CandidateKind
from optimus.memory_manager.rules.commands import style_slot
from optimus.memory_manager.shelf import DERIVED_TYPES, Shelf, episode_id, is_active
from optimus.memory_manager.update import Plan
from optimus.memory_manager.wording import Stems
from optimus.models import (
    ChangeKind,
    Memory,
    MemoryChange,
    MemoryId,
    MemoryStatus,
    MemoryType,
    Message,
    Provenance,
    UserId,
)
from optimus.storage.records import MemoryPoint

Derive = Callable[..., list[Candidate]]
"""`derive(text, *, now)`: what a message says about its writer."""
_SENTENCE_END = re.compile(r"(?<=[.!?]) |\n")
_PART_BYTES = 2 * 1024**2
"""Of the memories in one write; with vectors it stays below the 4 MB that a server takes at once without harm."""
_GROWTH = 8
"""What a memory grows to at most: its text is stored for Mem0 as well, both are sealed, and its words weighed twice."""
_FORGETTING = frozenset({CandidateKind.FORGET, CandidateKind.FORGET_LAST})


class Draft:
    """A message prepared for memory: its clean text, what it says, and all vectors, before the store is asked.

    Of a message that says something of a kind that is never kept, the text is what may be kept, and nothing else. The
    messages around it are then no context: they may say such things as well.
    """

    def __init__(
        self,
        *,
        shelf: Shelf,
        message: Message,
        before: Sequence[Message],
        derive: Derive,
        never: Collection[MemoryType] = (),
    ) -> None:
        self.message = message
        self.text = clean(message.text)
        self.around = [] if never else neighbours(before)
        self.gained = [] if never else gained(before, message)
        self.is_hidden = MemoryType.CONVERSATION in never
        found = self._said(shelf, derive, before) if self.text else []
        kept = [each for each in found if each.kind in _FORGETTING or each.type not in never]
        if self.is_hidden or len(kept) < len(found):
            self.text = ". ".join(candidate.text for candidate in kept if candidate.text)
        self.candidates = [candidate for candidate in kept if MASK not in candidate.text]
        self.is_order = instructs(_without_wishes(message.text))
        if self.text:
            texts = (candidate.text for candidate in self.candidates if candidate.text)
            shelf.embed([self.text, *self.around, *texts])

    def _said(self, shelf: Shelf, derive: Derive, before: Sequence[Message]) -> list[Candidate]:
        """Return what the message says, with what it refers back to."""
        owner, now = self.message.user_id, self.message.created_at
        found = derive(with_relations(shelf, owner, self.text), now=now)
        return resolved(shelf, owner, found, before, now=now)


def remember(shelf: Shelf, draft: Draft, *, now: datetime, stems: Stems) -> tuple[MemoryChange, ...]:
    """Store the episode and what is derived from it; the message's changes, also where it was stored before.

    The messages that repeat something ended are hidden first: a crash before the one write leaves the fact itself
    findable, and the repetition of the call goes on.

    Raises:
        LimitReachedError: its writer would have more memories than allowed; nothing is stored.
    """
    owner, message = draft.message.user_id, draft.message
    stored = shelf.find(owner, episode_id(message.id))
    if stored is not None:
        return earlier_changes(shelf, stored)
    provenance = Provenance(conversation_id=message.conversation_id, message_id=message.id, extractor="rules")
    plan = Plan(shelf=shelf, owner=owner, provenance=provenance, said_at=message.created_at, now=now, stems=stems)
    for candidate in draft.candidates:
        if draft.is_order:
            plan.hold(candidate)
        else:
            plan.take(candidate)
    shelf.refuse_beyond_limit(owner, plan.growth)
    for ended, successor in plan.ended:
        hide(shelf, owner, ended, by=successor, now=now, stems=stems)
    derived = dict.fromkeys((*(change.memory_id for change in plan.changes), *plan.added))
    episode = episode_of(message, draft.text, now=now, derived=derived, status=_status(plan, draft))
    own, *around = shelf.embed([draft.text, *draft.around])
    point = shelf.point(episode, own, around, "\n".join(draft.around))
    made = points_of(shelf, owner, plan, around=[own], surroundings=draft.text)
    shelf.index.put(owner, [point, *made, *_with_what_followed(shelf, owner, draft)])
    return tuple(plan.changes)


def _status(plan: Plan, draft: Draft) -> MemoryStatus:
    """Return how a message is kept: one that asks to forget is not searched, one that orders waits for review."""
    if plan.forgets or draft.is_hidden:
        return MemoryStatus.ARCHIVED
    return MemoryStatus.QUARANTINED if draft.is_order else MemoryStatus.ACTIVE


def _without_wishes(text: str) -> str:
    """Return a message without the sentences that only say how answers shall be, which the rules know as harmless."""
    sentences = _SENTENCE_END.split(text)
    return "\n".join(each for each in sentences if style_slot(each.strip(" \t.!")) is None)


def _with_what_followed(shelf: Shelf, owner: UserId, draft: Draft) -> list[MemoryPoint]:
    """Return the episodes just before the message, found by what was said after them as well."""
    around = {episode_id(earlier.id): texts for earlier, texts in draft.gained}
    points = []
    for episode in shelf.index.get(owner, list(around)):
        own, *vectors = shelf.embed([episode.text, *around[episode.id]])
        points.append(shelf.point(episode, own, vectors, "\n".join(around[episode.id])))
    return points


def points_of(
    shelf: Shelf, owner: UserId, plan: Plan, *, around: Sequence[Sequence[float]] = (), surroundings: str = ""
) -> list[MemoryPoint]:
    """Return a plan's memories ready to be stored: new ones in the context of their message, changed ones in theirs."""
    changed = [memory for key, memory in plan.memories.items() if key not in plan.added]
    vectors = shelf.index.vectors(owner, [memory.id for memory in changed]) if changed else {}
    points = []
    for memory in plan.memories.values():
        kept = vectors.get(memory.id)
        if kept is None or memory.history[-1].text != memory.text:
            points.append(shelf.point(memory, shelf.embed([memory.text])[0], around, surroundings))
        else:
            point = shelf.point(memory, kept.dense)
            points.append(point.model_copy(update={"ctx": kept.ctx or kept.dense}))
    return points


def adopt(shelf: Shelf, owner: UserId, memories: Sequence[Memory], around: Mapping[MemoryId, Sequence[str]]) -> None:
    """Store memories from elsewhere, with everything that makes them searchable; orders wait for review.

    Args:
        shelf: Where they go.
        owner: Whose they become.
        memories: At most 200, under ids that are the owner's or free.
        around: The texts that a memory stood among, where they are known.

    Raises:
        LimitReachedError: the owner would have more than the limit; none is stored.
        TenancyError: one of them says that it is somebody else's.
    """
    memories = [_reviewed(memory) for memory in memories]
    shelf.refuse_beyond_limit(owner, sum(is_active(memory) and memory.type in DERIVED_TYPES for memory in memories))
    texts = {memory.id: [clean(text) for text in around.get(memory.id, ())] for memory in memories}
    wanted = list(dict.fromkeys(text for memory in memories for text in (memory.text, *texts[memory.id])))
    vectors = dict(zip(wanted, shelf.embed(wanted), strict=True))
    points = [
        shelf.point(
            memory,
            vectors[memory.text],
            [vectors[text] for text in texts[memory.id]],
            "\n".join(texts[memory.id]),
        )
        for memory in memories
    ]
    for part in _parts(points):
        shelf.index.put(owner, part)


def _parts(points: Sequence[MemoryPoint]) -> Iterator[list[MemoryPoint]]:
    """Yield points in parts that are each sent as one write: what comes from elsewhere may hold very long texts."""
    part: list[MemoryPoint] = []
    size = 0
    for point in points:
        bytes_ = _GROWTH * len(point.memory.model_dump_json().encode())
        if part and size + bytes_ > _PART_BYTES:
            yield part
            part, size = [], 0
        part.append(point)
        size += bytes_
    if part:
        yield part


def _reviewed(memory: Memory) -> Memory:
    """Return a memory from elsewhere; what commands the assistant waits for the owner's review.

    The names that stand with it in a prompt are read as well, and the wordings that it may be given back.
    """
    origin = memory.provenance
    texts = (memory.text, origin.title or "", origin.heading or "", *(version.text for version in memory.history))
    if memory.status is MemoryStatus.DELETED or not any(map(instructs, dict.fromkeys(filter(None, texts)))):
        return memory
    return memory.model_copy(update={"status": MemoryStatus.QUARANTINED})


def earlier_changes(shelf: Shelf, episode: Memory) -> tuple[MemoryChange, ...]:
    """Tell again what a message changed when it was stored the first time."""
    memories = shelf.index.get(episode.user_id, episode.derived)
    seen = (memory for memory in memories if memory.status is not MemoryStatus.QUARANTINED)
    return tuple(_earlier_change(shelf, memory, episode) for memory in seen)


def _earlier_change(shelf: Shelf, memory: Memory, episode: Memory) -> MemoryChange:
    is_own = memory.sources[:1] == episode.sources
    reason = "merge" if episode.sources[0] in memory.sources else "forget"
    version = 1
    if not is_own:
        made = [entry.version + 1 for entry in memory.history if entry.reason == reason]
        version = made[-1] if made else memory.version
    replaced = shelf.find(memory.user_id, memory.supersedes) if is_own and memory.supersedes else None
    kinds = {"merge": ChangeKind.MERGE, "forget": ChangeKind.FORGET}
    own_kind = ChangeKind.SUPERSEDE if replaced else ChangeKind.ADD
    gone = memory.status is MemoryStatus.DELETED
    return MemoryChange(
        kind=own_kind if is_own else kinds[reason],
        memory_id=memory.id,
        text=memory.text,
        replaced_id=replaced.id if replaced else None,
        replaced_text=replaced.text if replaced else None,
        version=version,
        undone=gone if is_own else any(entry.undoes == version for entry in memory.history),
    )
