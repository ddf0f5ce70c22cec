"""Looking through all memories of an owner for what is wrong with them, without a model; it only proposes.

Plain fields are read in pages and neighbours by vector search in small batches, so that time grows with the number of
memories and no faster, and nobody waits for long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache

from optimus.memory_manager.decide import Known, decide, is_over
from optimus.memory_manager.handwritten import understood
from optimus.memory_manager.remembering import Derive
from optimus.memory_manager.rules.candidate import Candidate
from optimus.memory_manager.shelf import DERIVED_TYPES, Shelf, is_active
from optimus.memory_manager.wording import Stems, is_negative, normal_form
from optimus.models import ChangeKind, Memory, MemoryId, MemoryStatus, MemoryType, SourceKind, UserId, stable_id
from optimus.storage.checkups import MAX_REPAIRS, MAX_TARGETS, Checkup, Problem, Repair, RepairKind
from optimus.storage.records import MemoryFilter
from optimus.storage.survey import NEAR_BATCH, MemoryRow, MemorySurvey

NEAR = 0.7
"""Cosine from which on two memories are compared word by word."""
SAME = 0.95
"""Cosine from which on two memories say the same, if names, numbers and yes or no are the same in both."""
NEIGHBOURS = 6
STALE_AFTER = timedelta(days=365)
UNUSED_AFTER = timedelta(days=90)
OVER_AFTER = timedelta(days=30)
"""How long a plan is kept after its day."""
LEAST_CONFIDENCE = 0.5
IMPORTANT = 0.7
"""Important memories may rest for long: an allergy is not stale."""
LOOPS = 2
"""So often deleted and true again: it keeps coming back by itself."""
_LOOKED_AT = DERIVED_TYPES - {MemoryType.DOCUMENT}
_TRUE = MemoryFilter(types=_LOOKED_AT)
_EVER = MemoryFilter(types=_LOOKED_AT, statuses=None)
_DELETED = MemoryFilter(types=_LOOKED_AT, statuses=frozenset({MemoryStatus.DELETED}))
_ORDER = tuple(Problem)
_SAID_BY_MACHINES = frozenset({SourceKind.ASSISTANT, SourceKind.TOOL})
_NAME_OR_NUMBER = re.compile(r"(?<!^)\b(?:[A-ZÀ-ÖØ-Þ][\w-]*|\d[\d.,:/-]*)")
_TASTE = re.compile(
    r"\b(?:likes?|loves?|enjoys?|adores?|prefers?|hates?|dislikes?|detests?|loathes?|avoids?|can(?:'t|not) stand|"
    r"really|not|don't|doesn't|do|does)\b"
)
_AVERSE = re.compile(r"\b(?:hates?|dislikes?|detests?|loathes?|avoids?|can(?:'t|not) stand)\b", re.IGNORECASE)
_HELD = 2_000
_EACH = MAX_REPAIRS // len(Problem)
_DAY = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")

Progress = Callable[[int, int], None]
"""Told how many memories are done, and of how many; may raise to end the look."""


class Examination:
    """One look through an owner's memories."""

    def __init__(
        self, *, shelf: Shelf, survey: MemorySurvey, derive: Derive, owner: UserId, now: datetime, progress: Progress
    ) -> None:
        self._shelf = shelf
        self._survey = survey
        self._derive = derive
        self._owner = owner
        self._now = now
        self._progress = progress
        self._stems: Stems = shelf.stems()
        self._understood = lru_cache(_HELD)(self._read)

    def run(self) -> Checkup:
        """Return what is wrong, with a proposal for each problem, the worst problems first.

        A memory has one proposal at most; the numbers count it under each problem that it has.
        """
        rows = {row.id: row for row in self._survey.rows(self._owner, _TRUE)}
        found = _Found(self._compared(rows))
        for problem, kind, ids in (
            (Problem.LOOPED, RepairKind.DELETE, self._looped(rows)),
            (Problem.UNSURE, RepairKind.DELETE, (row.id for row in rows.values() if is_unsure(row))),
            (Problem.STALE, RepairKind.ARCHIVE, self._stale(rows)),
            (Problem.UNUSED, RepairKind.ARCHIVE, (row.id for row in rows.values() if is_unused(row, self._now))),
        ):
            found.add(_repair(problem, kind, [memory_id]) for memory_id in ids)
        return Checkup(
            user_id=self._owner,
            at=self._now,
            memories=len(rows),
            counts={problem: len(found.having[problem]) for problem in Problem},
            repairs=found.repairs(),
        )

    def _compared(self, rows: dict[MemoryId, MemoryRow]) -> Iterator[Repair]:
        """Yield what to do about those that say the same, or cannot be true together."""
        ids, slots = sorted(rows), _by_slot(rows.values())
        settled: set[MemoryId] = set()
        for start in range(0, len(ids), NEAR_BATCH):
            self._progress(start, len(ids))
            some = ids[start : start + NEAR_BATCH]
            near = self._survey.near(self._owner, some, _TRUE, limit=NEIGHBOURS, least=NEAR)
            others = {key: {k: s for k, s in near.get(key, []) if k in rows} for key in some}
            for key in some:
                others[key] |= {k: 0.0 for k in slots.get(rows[key].slot_key, ()) if k not in {key, *others[key]}}
            wanted = {key for key in some if others[key]} | {k for each in others.values() for k in each}
            known = {memory.id: memory for memory in self._shelf.index.get(self._owner, sorted(wanted))}
            for key in some:
                if key in known and key not in settled:
                    yield from self._settle(known[key], others[key], known, settled)
        self._progress(len(ids), len(ids))

    def _settle(
        self, memory: Memory, others: dict[MemoryId, float], known: dict[MemoryId, Memory], settled: set[MemoryId]
    ) -> Iterator[Repair]:
        left = [
            Known(memory=known[key], closeness=score)
            for key, score in others.items()
            if key in known and key not in settled and is_active(known[key])
        ]
        same = [item.memory for item in left if self._is_same(memory, item)]
        if same:
            keep, *targets = sorted([memory, *same], key=_worth, reverse=True)
            settled.update(item.id for item in (keep, *targets))
            yield _repair(Problem.DUPLICATE, RepairKind.MERGE, [each.id for each in targets], keep=keep.id)
            return
        for item in left:
            older, newer = sorted((memory, item.memory), key=lambda each: (each.valid_from, each.recorded_at, each.id))
            if self._contradicts(newer, older) and not settled & {older.id, newer.id}:
                settled.update((older.id, newer.id))
                yield _repair(Problem.CONTRADICTION, RepairKind.SUPERSEDE, [older.id], keep=newer.id)

    def _is_same(self, memory: Memory, other: Known) -> bool:
        if _marks(memory.text) != _marks(other.memory.text) or _leaning(memory.text) != _leaning(other.memory.text):
            return False
        return other.closeness >= SAME or self._decided(memory, other.memory) is ChangeKind.MERGE

    def _contradicts(self, newer: Memory, older: Memory) -> bool:
        if _leaning(newer.text) != _leaning(older.text):
            about = self._stems(_TASTE.sub(" ", newer.text.casefold()))
            if about and about == self._stems(_TASTE.sub(" ", older.text.casefold())):
                return True
        return self._decided(newer, older) is ChangeKind.SUPERSEDE

    def _decided(self, newer: Memory, older: Memory) -> ChangeKind:
        """Return what would have become of the newer one, had the older one been known when it was said."""
        words, others = self._stems(newer.text), self._stems(older.text)
        may_end = is_negative(newer.text) or is_over(newer.text)
        if not (may_end or (newer.slot and newer.slot == older.slot) or words <= others or others <= words):
            return ChangeKind.ADD
        candidate = replace(self._understood(newer.text, newer.valid_from), slot=newer.slot, type=newer.type)
        return decide(candidate, [Known(memory=older, closeness=0.0)], stems=self._stems).kind

    def _read(self, text: str, said_at: datetime) -> Candidate:
        return understood(text, MemoryType.NOTE, self._derive(text, now=said_at))

    def _looped(self, rows: dict[MemoryId, MemoryRow]) -> list[MemoryId]:
        """Return what came from an answer and only repeats what is known, and what came back though deleted twice."""
        gone = {row.id for row in self._survey.rows(self._owner, _DELETED)}
        records: dict[str, list[MemoryId]] = {}
        for text in self._shelf.index.texts(self._owner, _EVER):
            records.setdefault(normal_form(text.text), []).append(text.id)
        looped: list[MemoryId] = []
        for ids in records.values():
            came_back = len(gone.intersection(ids)) >= LOOPS
            true_now = [rows[key] for key in ids if key in rows and not rows[key].pinned] if len(ids) > 1 else []
            looped += [row.id for row in true_now if came_back or row.source in _SAID_BY_MACHINES]
        return looped

    def _stale(self, rows: dict[MemoryId, MemoryRow]) -> Iterator[MemoryId]:
        rested = {row.id for row in rows.values() if is_stale(row, self._now)}
        yield from sorted(rested)
        for text in self._shelf.index.texts(self._owner, _TRUE):
            row = rows.get(text.id)
            if row and row.id not in rested and not row.pinned and is_past(text.text, row.recorded_at, self._now):
                yield row.id


def is_unsure(row: MemoryRow) -> bool:
    """Tell whether a memory is a guess: confidence under 0.5, said once, and not pinned."""
    return row.confidence < LEAST_CONFIDENCE and row.confirmations <= 1 and not row.pinned


def is_stale(row: MemoryRow, now: datetime) -> bool:
    """Tell whether a memory rests: unimportant, not pinned, and for a year neither said, changed nor used."""
    last = max(filter(None, (row.recorded_at, row.updated_at, row.last_used_at)))
    return not row.pinned and row.importance < IMPORTANT and now - last >= STALE_AFTER


def is_unused(row: MemoryRow, now: datetime) -> bool:
    """Tell whether a memory was never given to an answer in its 90 days or more, is unimportant and not pinned."""
    return not row.pinned and not row.uses and row.importance < IMPORTANT and now - row.recorded_at >= UNUSED_AFTER


def is_past(text: str, recorded_at: datetime, now: datetime) -> bool:
    """Tell whether a text was about days to come when it was recorded, and the last of them is 30 days past."""
    days = [day for match in _DAY.finditer(text) if (day := _day(match))]
    return bool(days) and max(days) > recorded_at.date() and now.date() - max(days) >= OVER_AFTER


@dataclass(slots=True)
class _Found:
    """Repairs so far, at most one for each memory, and who has which problem."""

    having: dict[Problem, set[MemoryId]]
    _repairs: list[Repair]
    _treated: set[MemoryId]

    def __init__(self, repairs: Iterable[Repair]) -> None:
        self.having = {problem: set() for problem in Problem}
        self._repairs, self._treated = [], set()
        self.add(repairs)

    def add(self, repairs: Iterable[Repair]) -> None:
        for repair in repairs:
            self.having[repair.problem].update(repair.targets)
            touched = {*repair.targets, *([repair.keep] if repair.keep else [])}
            if self._treated.isdisjoint(touched):
                self._treated |= touched
                self._repairs.append(repair)

    def repairs(self) -> tuple[Repair, ...]:
        """Return some of each problem, and then as many as fit of the worst."""
        each_some = {problem: [each for each in self._repairs if each.problem is problem] for problem in Problem}
        first = [each for found in each_some.values() for each in found[:_EACH]]
        rest = [each for found in each_some.values() for each in found[_EACH:]]
        chosen = [*first, *rest][:MAX_REPAIRS]
        return tuple(sorted(chosen, key=lambda each: _ORDER.index(each.problem)))


def _repair(problem: Problem, kind: RepairKind, targets: Sequence[MemoryId], keep: MemoryId | None = None) -> Repair:
    some = tuple(targets[:MAX_TARGETS])
    return Repair(
        id=stable_id("repair", problem, keep or "", *some), problem=problem, kind=kind, keep=keep, targets=some
    )


def _by_slot(rows: Iterable[MemoryRow]) -> dict[str | None, list[MemoryId]]:
    """Return which memories answer the same question, the first few of each."""
    slots: dict[str | None, list[MemoryId]] = {}
    for row in rows:
        if row.slot_key:
            slots.setdefault(row.slot_key, []).append(row.id)
    return {key: ids[:NEIGHBOURS] for key, ids in slots.items() if len(ids) > 1}


def _worth(memory: Memory) -> tuple[bool, int, int, datetime, str]:
    """Return what makes one of several that say the same the one to keep: pinned, said most, says most, newest."""
    return (memory.pinned, memory.confirmations, len(memory.text), memory.recorded_at, memory.id)


def _marks(text: str) -> frozenset[str]:
    """Return the names and numbers of a text: what differs in them is not the same."""
    return frozenset(mark.rstrip(".,:") for mark in _NAME_OR_NUMBER.findall(text))


def _leaning(text: str) -> bool:
    """Tell whether a text denies, or speaks against something; doing both is doing neither."""
    return is_negative(_AVERSE.sub(" ", text)) != (_AVERSE.search(text) is not None)


def _day(match: re.Match[str]) -> date | None:
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
