"""From a message to candidates: read, refuse, split, match, settle.

Only what the writer states about their own life becomes a candidate. Everything else (questions, suppositions,
requests, quotations, passing moods, other people's words) has no rule that matches it, or is taken out before the rules
look.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

from optimus.memory_manager.rules import clauses, commands, other_languages, wording
from optimus.memory_manager.rules.candidate import Candidate, CandidateKind
from optimus.memory_manager.rules.english import state
from optimus.memory_manager.rules.people import Person
from optimus.memory_manager.rules.revision import read_revision
from optimus.memory_manager.rules.sentences import Reading, Sentence, bounded, has_quotation, read
from optimus.models import MemoryType

MAX_CANDIDATES = 12
MAX_CANDIDATES_OF_LONG = 6
_SURE_ENOUGH_IN_LONG = 0.85
_SAYS_SOMETHING = 3
"""Words that a sentence needs for `forget that` after it to mean it."""
_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)

_ASKING = re.compile(
    r"^(?:(?:in|at|for|with|to|from|on|since|by|of) (?:what|which|whom|whose|when)|"
    r"what|who|whom|whose|where|when|why|how|which|do|does|did|am|is|are|was|were|can|could|will|would|shall|"
    r"should|may|might|have (?:i|you|we)|has|had (?:i|you|we)|isn't|aren't|don't (?:i|you|we)|any (?:idea|tips|ideas|"
    r"suggestions))(?:'s|'re|'d|'ll)?\b(?! i (?:like|love|hate|enjoy) (?:is|are)\b)",
    re.IGNORECASE,
)
_SUPPOSING = re.compile(
    r"^(?:if|unless|had i|were i|should i|when i(?:'m| am|'ve)|whenever|once i|until i)\b", re.IGNORECASE
)
_REQUESTING = re.compile(
    r"^(?:please )?(?:tell|show|write|give|find|help|explain|list|suggest|recommend|make|create|generate|compose|draft|"
    r"describe|compare|calculate|search|look up|plan|book|order|play|open|set|send|draw|design|build|solve|define)\b",
    re.IGNORECASE,
)


def derive(text: str, *, now: datetime) -> list[Candidate]:
    """Derive what a message says about its writer.

    Args:
        text: the message as the user wrote it; of a long one only the beginning and the end are looked at.
        now: when it was written; `tomorrow` is resolved against it.

    Returns:
        At most twelve candidates in the order in which they were said, no two alike; of a message that looks like a
        pasted document at most six, and only such as the rules are sure of. A message that tries to command the
        assistant, or asks not to be kept, gives none.
    """
    if commands.is_hijack(bounded(text)):
        return []
    if commands.is_off_the_record(bounded(text)):
        last = commands.read_forget_last(text.replace("’", "'").strip(" .!"))
        return [_forget_last(last)] if last else []
    reading = read(text)
    found: list[Candidate] = []
    person: Person | None = None
    before_last = 0
    is_announced = is_fix = False
    for index, sentence in enumerate(reading.sentences):
        if commands.opens_fiction(sentence.text) or commands.announces_text(sentence.text):
            break
        if commands.is_about_material(sentence.text) and not commands.is_order(sentence.text):
            return [candidate for candidate in found if candidate.explicit]
        if commands.announces(sentence.text):
            is_announced = True
            continue
        if wording.only_corrects(sentence.text):
            is_fix = True
            continue
        if commands.takes_back(sentence.text):
            found = found[:before_last]
            continue
        last = commands.read_forget_last(wording.open_plainly(sentence.text)[0])
        if last:
            is_own = any(len(earlier.text.split()) >= _SAYS_SOMETHING for earlier in reading.sentences[:index])
            found = [_forget_last("" if is_own else last)]
            continue
        candidates, person = _from_sentence(sentence, reading, now=now, person=person, explicit=is_announced)
        before_last = len(found)
        found.extend(candidates or _revision(sentence, is_fix=is_fix))
        is_announced = is_fix = False
    return _settled(found, is_long=reading.is_long)


def _forget_last(what: str) -> Candidate:
    return Candidate(text=what, type=MemoryType.NOTE, kind=CandidateKind.FORGET_LAST, explicit=True)


def _revision(sentence: Sentence, *, is_fix: bool) -> list[Candidate]:
    """Return what a sentence that states nothing by itself puts in the place of something said before."""
    if sentence.asks or has_quotation(sentence.text):
        return []
    text, corrects = wording.open_plainly(wording.mend(sentence.text))
    revision = read_revision(wording.close_plainly(text), is_marked=corrects or is_fix)
    return [revision] if revision else []


def _from_sentence(
    sentence: Sentence, reading: Reading, *, now: datetime, person: Person | None, explicit: bool
) -> tuple[list[Candidate], Person | None]:
    if other_languages.language_of(sentence.text):
        held = has_quotation(sentence.text)
        return ([] if held else other_languages.state(sentence.text, asks=sentence.asks)), None
    if commands.is_ironic(sentence.text):
        return [], None
    text, corrects = wording.open_plainly(wording.mend(sentence.text))
    text = wording.close_plainly(text)
    asked = _asked_of_memory(text, sentence, reading, now=now, explicit=explicit)
    if asked is not None:
        return asked, person
    if _is_not_stated(text, asks=sentence.asks):
        return [], person
    return _stated(text, asks=sentence.asks, now=now, person=person, corrects=corrects)


def _asked_of_memory(
    text: str, sentence: Sentence, reading: Reading, *, now: datetime, explicit: bool
) -> list[Candidate] | None:
    """Return what a request to remember, to forget or to answer in some way gives; None where it is no request."""
    forget = commands.read_forget(text)
    if forget is not None:
        return _forgotten(reading.restore(forget.rest), now)
    remember = commands.read_remember(text, asks=sentence.asks)
    if remember is not None:
        return _remembered(remember, reading, now)
    if commands.is_order(text):
        return []
    if explicit:
        return _remembered(commands.Request(rest=text), reading, now)
    slot = None if sentence.asks else commands.style_slot(text)
    return [_instruction(text, slot)] if slot else None


def _is_not_stated(text: str, *, asks: bool) -> bool:
    return bool(_ASKING.match(text) or _SUPPOSING.match(text) or (not asks and _REQUESTING.match(text)))


def _stated(
    text: str, *, asks: bool, now: datetime, person: Person | None, corrects: bool
) -> tuple[list[Candidate], Person | None]:
    split = clauses.split(text, asks=asks, person=person)
    found: list[Candidate] = []
    for clause in split.said:
        opened, fixes = wording.open_plainly(clause)
        if has_quotation(opened):
            continue
        found.extend(
            replace(candidate, corrects=corrects or fixes) for candidate in state(wording.time_last(opened), now=now)
        )
    return found, split.person


def _remembered(request: commands.Request, reading: Reading, now: datetime) -> list[Candidate]:
    """Return what the rest of `remember that ...` states; where no rule knows it, it is kept as a note."""
    rest = wording.tidy(request.rest)
    slot = commands.style_slot(rest)
    if slot:
        return [_instruction(rest, slot)]
    if request.is_task:
        note = state(f"I need to {rest[:1].lower()}{rest[1:]}", now=now, is_note=True)
        return [replace(item, explicit=True) for item in note]
    opened, corrects = wording.open_plainly(rest)
    split = clauses.split(opened, asks=False)
    each = [state(wording.time_last(clause), now=now) for clause in split.said if not has_quotation(clause)]
    if each and all(each) and len(each) == len(split.said):
        found = [candidate for candidates in each for candidate in candidates]
    else:
        found = state(reading.restore(opened), now=now, is_note=True)
    return [
        replace(candidate, explicit=True, corrects=corrects, confidence=0.98, importance=max(candidate.importance, 0.7))
        for candidate in found
    ]


def _forgotten(rest: str, now: datetime) -> list[Candidate]:
    text = wording.tidy(rest)
    known = state(text, now=now)
    if known:
        return [replace(candidate, kind=CandidateKind.FORGET, explicit=True) for candidate in known]
    return [
        Candidate(
            text=text[:1].lower() + text[1:] if text.startswith(("My ", "The ", "Our ")) else text,
            type=MemoryType.NOTE,
            kind=CandidateKind.FORGET,
            slot=commands.named_slot(text),
            explicit=True,
            entities=wording.entities(text),
        )
    ]


def _instruction(text: str, slot: str) -> Candidate:
    return Candidate(
        text=wording.tidy(text), type=MemoryType.PREFERENCE, slot=slot, importance=0.8, confidence=0.85, explicit=True
    )


def _settled(found: list[Candidate], *, is_long: bool) -> list[Candidate]:
    """Return each thing once: the last answer to a question, and of a denial and a statement the statement."""
    kept: list[Candidate] = []
    for candidate in found:
        if is_long and not candidate.explicit and candidate.confidence < _SURE_ENOUGH_IN_LONG:
            continue
        if any(_says_same(candidate, other) for other in kept):
            continue
        earlier = next((other for other in kept if _answers_same(candidate, other)), None)
        if earlier is not None:
            kept.remove(earlier)
        kept.append(candidate)
    kept = _without_answered_denials(kept)
    return kept[: MAX_CANDIDATES_OF_LONG if is_long else MAX_CANDIDATES]


def _without_answered_denials(found: list[Candidate]) -> list[Candidate]:
    """Leave out denials whose question is answered beside them (`not in Lisbon any more, in Porto`)."""
    kept = list(found)
    for denial in found:
        if denial.negates is None or denial.slot is not None or " used to " in denial.text:
            continue
        slots = {item.slot for item in state(denial.negates, now=_ANY_DAY) if item.slot}
        answer = next((item for item in kept if item.slot in slots and item is not denial), None)
        if answer is not None:
            kept.remove(denial)
            kept[kept.index(answer)] = replace(answer, negates=answer.negates or denial.negates)
    return kept


def _says_same(one: Candidate, other: Candidate) -> bool:
    return one.kind is other.kind and one.text.casefold() == other.text.casefold()


def _answers_same(one: Candidate, other: Candidate) -> bool:
    return one.slot is not None and one.slot == other.slot and one.kind is other.kind
