"""The update phase: what becomes of a candidate, given what is already known. Pure rules for the clear cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optimus.memory_manager.rules.candidate import Candidate
from optimus.memory_manager.wording import Stems, contains, content, is_negative, normal_form
from optimus.models import ChangeKind, Memory

# Cosines of all-MiniLM-L6-v2 between short first-person sentences.
SAME_SUBJECT = 0.7
"""From here on a marked correction is taken to mean the memory that is nearest."""
NAMED_THING = 0.45
"""From here on "forget my address" is taken to mean the memory that is nearest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A memory that may have to do with a candidate."""

    memory: Memory
    closeness: float
    """Cosine of the two texts; 0 where it was not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One verdict: `targets` are merged with, replaced or forgotten; `text` is the wording to keep."""

    kind: ChangeKind
    text: str
    targets: tuple[Memory, ...] = ()


def decide(candidate: Candidate, known: Sequence[Known], *, stems: Stems) -> Decision:
    """Decide on a statement: ADD, MERGE with a memory that says the same, or SUPERSEDE what it ends.

    Args:
        candidate: What the user said.
        known: Active memories that are similar or answer the same question.
        stems: The content words of a text.
    """
    memories = [item.memory for item in known]
    same = [memory for memory in memories if normal_form(memory.text) == normal_form(candidate.text)]
    if same:
        return Decision(kind=ChangeKind.MERGE, text=same[0].text, targets=(same[0],))
    ended = _ended(candidate, known, stems)
    if ended:
        return Decision(kind=ChangeKind.SUPERSEDE, text=candidate.text, targets=ended)
    merged = next((memory for memory in memories if _is_copy(candidate, memory, stems)), None)
    if merged:
        text = _richer(merged.text, candidate.text, stems)
        return Decision(kind=ChangeKind.MERGE, text=text, targets=(merged,))
    return Decision(kind=ChangeKind.ADD, text=candidate.text)


def decide_forgetting(candidate: Candidate, known: Sequence[Known], *, stems: Stems) -> Decision:
    """Decide which memories the user wants forgotten: those that say it, else the one thing that it names."""
    says = tuple(item.memory for item in known if _is_meant(candidate, item.memory, stems))
    if not says:
        named = [item for item in known if item.closeness >= NAMED_THING]
        says = (max(named, key=lambda item: item.closeness).memory,) if named else ()
    kind = ChangeKind.FORGET if says else ChangeKind.SKIP
    return Decision(kind=kind, text=candidate.text, targets=says)


def _ended(candidate: Candidate, known: Sequence[Known], stems: Stems) -> tuple[Memory, ...]:
    """Return the memories that cannot be true beside the candidate."""
    ended = [item.memory for item in known if _contradicts(candidate, item.memory, stems)]
    if not ended and candidate.corrects and not candidate.slot:
        near = [item for item in known if item.closeness >= SAME_SUBJECT and item.memory.type is candidate.type]
        ended = [max(near, key=lambda item: item.closeness).memory] if near else []
    return tuple(ended)


def _contradicts(candidate: Candidate, memory: Memory, stems: Stems) -> bool:
    if candidate.negates and _overlaps(candidate.negates, memory.text, stems):
        return True
    if candidate.slot and candidate.slot == memory.slot:
        return candidate.corrects or not _overlaps(candidate.text, memory.text, stems)
    words = content(candidate.text, stems)
    is_denied = is_negative(candidate.text) != is_negative(memory.text)
    return is_denied and bool(words) and words == content(memory.text, stems)


def _is_copy(candidate: Candidate, memory: Memory, stems: Stems) -> bool:
    """Tell whether one of the two says all that the other says, of the same kind and about the same question."""
    if candidate.type is not memory.type or candidate.slot != memory.slot:
        return False
    return _overlaps(candidate.text, memory.text, stems)


def _overlaps(one: str, other: str, stems: Stems) -> bool:
    return contains(one, other, stems) or contains(other, one, stems)


def _is_meant(candidate: Candidate, memory: Memory, stems: Stems) -> bool:
    if candidate.slot and candidate.slot == memory.slot:
        return True
    return normal_form(candidate.text) == normal_form(memory.text) or contains(memory.text, candidate.text, stems)


def _richer(old: str, new: str, stems: Stems) -> str:
    """Return the wording that says more; the old one where they say the same."""
    return new if len(stems(new)) > len(stems(old)) else old
