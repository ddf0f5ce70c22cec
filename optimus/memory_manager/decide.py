"""The update phase: what becomes of a candidate, given what is already known. Pure rules for the clear cases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from optimus.memory_manager.rules.candidate import Candidate, Ending
from optimus.memory_manager.rules.lexicon import person_key
from optimus.memory_manager.rules.people import Person, people_in, subject_of
from optimus.memory_manager.wording import Stems, contains, content, is_negative, normal_form
from optimus.models import ChangeKind, Memory, MemoryType

# Cosines of all-MiniLM-L6-v2 between short first-person sentences.
SAME_SUBJECT = 0.7
"""From here on a marked correction is taken to mean the memory that is nearest."""
NAMED_THING = 0.45
"""From here on "forget my address" is taken to mean the memory that is nearest."""
_OWNER = re.compile(r"'s ")
_OVER = re.compile(
    r"\b(?:died|dead|passed away|put (?:down|to sleep)|broke up|split up|separated|divorced|no longer|any ?more|"
    r"used to|"
    r"don't|doesn't|left me)\b"
)


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
    """Decide on a statement: ADD, MERGE with a memory that says the same, SUPERSEDE what it ends, or SKIP.

    Args:
        candidate: What the user said.
        known: Active memories that are similar or answer the same question.
        stems: The content words of a text.
    """
    memories = [item.memory for item in known]
    same = [memory for memory in memories if normal_form(memory.text) == normal_form(candidate.text)]
    if same:
        return Decision(kind=ChangeKind.MERGE, text=same[0].text, targets=(same[0],))
    if candidate.only_fills and any(memory.slot == candidate.slot for memory in memories):
        return Decision(kind=ChangeKind.SKIP, text=candidate.text)
    ended = _ended(candidate, known, stems)
    if candidate.only_ends and not ended:
        return Decision(kind=ChangeKind.SKIP, text=candidate.text)
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
    memories = [item.memory for item in known]
    ended = [memory for memory in memories if _contradicts(candidate, memory, stems)]
    if candidate.ends:
        over = _over_with(candidate.ends, memories)
        ended += [memory for memory in over if memory not in ended and not is_over(memory.text)]
    if not ended and candidate.corrects and not candidate.slot:
        near = [item for item in known if item.closeness >= SAME_SUBJECT and item.memory.type is candidate.type]
        ended = [max(near, key=lambda item: item.closeness).memory] if near else []
    return tuple(ended)


def is_over(text: str) -> bool:
    """Tell whether a sentence speaks of an end: nothing ends it once more."""
    return _OVER.search(text) is not None


def _over_with(ending: Ending, memories: Sequence[Memory]) -> list[Memory]:
    """Return what an ending ends: what it names; where names are not told apart, what can only be meant."""
    found = [memory for memory in memories if _is_of(ending, memory)]
    if ending.name and not ending.relation and "partner" not in ending.slots:
        return [memory for memory in found if _names(memory.text, ending.name)]
    named = {person.name for memory in memories for person in _theirs(ending, memory.text) if person.name}
    if ending.name is None:
        return found if len(named) <= 1 else []
    is_only = named == {ending.name}
    return [memory for memory in found if _names(memory.text, ending.name) or (is_only and not _theirs_named(memory))]


def _is_of(ending: Ending, memory: Memory) -> bool:
    slot = memory.slot
    if slot and any(slot == start or slot.startswith(f"{start}.") for start in ending.slots):
        return not ending.parts or any(slot.endswith(f".{part}") for part in ending.parts)
    is_having = slot is None and not ending.parts and memory.type is MemoryType.RELATIONSHIP
    people = people_in(memory.text) if is_having else ()
    return len(people) == 1 and bool(_theirs(ending, memory.text))


def _theirs(ending: Ending, text: str) -> list[Person]:
    return [person for person in people_in(text) if person_key(person.relation, None) in ending.slots]


def _theirs_named(memory: Memory) -> bool:
    return any(person.name for person in people_in(memory.text))


def _names(text: str, name: str) -> bool:
    return f" {normal_form(name)} " in f" {_OWNER.sub(' ', normal_form(text))} "


def _contradicts(candidate: Candidate, memory: Memory, stems: Stems) -> bool:
    if candidate.negates and _overlaps(candidate.negates, memory.text, stems):
        return subject_of(candidate.negates) == subject_of(memory.text)
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
