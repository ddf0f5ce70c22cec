"""From one English clause to candidates: lists taken apart, rules matched, denials and dates worked out."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from optimus.memory_manager.rules import english_people, english_plans, english_self, english_tastes, lexicon, wording
from optimus.memory_manager.rules.candidate import Candidate, Ending
from optimus.memory_manager.rules.dates import resolve
from optimus.memory_manager.rules.negation import Denial, read_denial
from optimus.memory_manager.rules.rule import Finding, find
from optimus.models import MemoryType

MAX_CLAUSE_CHARS = 220
"""Longer ones are no plain statement."""

_MAX_ITEM_WORDS = 4
_PAIR = 2
_RULES = (*english_self.RULES, *english_people.RULES, *english_tastes.RULES, *english_plans.RULES)

_HEDGED = re.compile(
    r"\b(?:would(?! like to be called)|could|might|maybe|perhaps|probably|possibly|wish|whether|suppose|supposedly|"
    r"apparently|pretend|imagine|hypothetically|what if|as if|like i'm|i think|i guess|i suppose|i believe|i feel like|"
    r"i assume)\b|\bI'd(?! like to be called)\b|(?<!\d )\bmay (?!\d)",
)
_IF = re.compile(r"\bif\b", re.IGNORECASE)
_FIRST_PERSON = re.compile(r"\b(?:I|I'm|I've|I'll|my|me|we|our|We're|We've|my)\b", re.IGNORECASE)
_COUPLE = re.compile(r"^(?:my|our) [\w' -]{2,40} and i (?P<rest>.+)$", re.IGNORECASE)
_NOT_BUT = re.compile(r"^(?P<said>.+?),? (?:and )?not (?P<denied>(?:in |at |a |an )?[\w' ]{2,30})$")
_LIST = re.compile(
    r"^(?P<verb>(?:I'm|I am|We're) (?:\w+ ){0,2}?allergic to|(?:I|We) (?:\w+ ){0,2}?(?:don't (?:really )?like|"
    r"don't eat|can't eat|can't stand|like|love|enjoy|hate|dislike|adore)) (?:both )?(?P<items>.+)$",
    re.IGNORECASE,
)
_ITEM = re.compile(r"\s*,\s*(?:and |or )?|\s+(?:and|or)\s+", re.IGNORECASE)
_INSEPARABLE = re.compile(
    r"\b(?:black and white|rock and roll|fish and chips|mac and cheese|bread and butter|salt and pepper|"
    r"salt and vinegar|rhythm and blues|drum and bass|r and b|dungeons and dragons|peace and quiet|arts and crafts|"
    r"gin and tonic|milk and (?:honey|sugar|cookies)|cookies and cream|ham and cheese|mum and dad|mom and dad|"
    r"up and down|gravy and|country and western|tom and jerry|wait and see|now and then)\b",
    re.IGNORECASE,
)
_JOB_AT = re.compile(
    r"^(?P<job>(?:I'm|I am) (?:now |currently )?an? (?P<noun>[\w -]{3,40}?)|I (?:now |"
    r"currently )?work as an? [\w -]{3,40}?) (?P<at>at|for) (?P<org>(?:the )?[A-Z].{1,60})$"
)

_NAME_FROM = re.compile(r"^(?:I'm|I am) (?P<name>[A-Z][\w-]+(?: [A-Z][\w-]+)?),? from (?P<place>[A-Z].*)$")


def state(clause: str, *, now: datetime, is_note: bool = False) -> list[Candidate]:
    """Return what a whole clause says; with `is_note`, what no rule knows is kept as a note."""
    clause = wording.tidy(clause)
    found = [candidate for part in _atoms(clause) for candidate in _one(part, now)]
    if found or not is_note:
        return found
    text = resolve(clause, now)
    return [Candidate(text=text, type=MemoryType.NOTE, importance=0.7, entities=wording.entities(text))]


def _one(clause: str, now: datetime) -> list[Candidate]:
    if len(clause) > MAX_CLAUSE_CHARS or not _FIRST_PERSON.search(clause):
        return []
    if _HEDGED.search(clause) or _IF.search(clause):
        return []
    clause, replaced = _without_replaced(clause)
    if replaced is not None:
        found = find(clause, _RULES)
        return [_candidate(clause, found, now, negates=replaced)] if found else []
    couple = _COUPLE.match(clause)
    denial = read_denial(clause)
    if denial is not None:
        candidate = _denied(clause, denial, now)
        if candidate is not None:
            return [candidate]
    found = find(f"We {couple['rest']}" if couple else clause, _RULES)
    return [_candidate(clause, found, now)] if found else []


def _denied(clause: str, denial: Denial, now: datetime) -> Candidate | None:
    """Return a denial as a candidate; its slot is that of the one thing that it denies, if there is one.

    `I don't live in Lisbon any more` leaves open where I live, so it has no slot and ends only what it names.
    """
    found = find(denial.denied, _RULES) or find(denial.denied.replace("have ", "have a ", 1), _RULES)
    if found is None:
        return None
    slot = found.slot if found.rule.slot and "#" in found.rule.slot else None
    is_news = denial.ended or found.rule.deniable
    name = _last_name(denial.denied)
    ends = Ending(slots=(found.slot,), name=name) if found.slot and name and not slot else None
    candidate = _candidate(clause, Finding(rule=found.rule, slot=slot, ends=ends), now, negates=denial.denied)
    return replace(candidate, only_ends=not is_news, only_fills=False)


def _last_name(text: str) -> str | None:
    """Return the proper name that a sentence ends with: what it says of its subject (`Lisbon`)."""
    names = wording.entities(text)
    return names[-1] if names and text.endswith(names[-1]) else None


def _without_replaced(clause: str) -> tuple[str, str | None]:
    """Split `I live in Porto, not Lisbon` into what is said and the sentence that it replaces."""
    match = _NOT_BUT.match(clause)
    if match is None or not _FIRST_PERSON.match(clause):
        return clause, None
    said, denied = match["said"].rstrip(" ,"), match["denied"].strip()
    head = re.match(r"^(.*\b(?:in|at|for|is|called|am|I'm|me|prefer|like|have|from|to|as)) \S", said)
    if head is None or re.search(r"\b(?:is|are|am|I'm|do|does|have|was|were|can|will|would|I|but)$", said):
        return clause, None
    return said, f"{head[1]} {denied.removeprefix('in ').removeprefix('at ')}"


def _candidate(clause: str, found: Finding, now: datetime, *, negates: str | None = None) -> Candidate:
    rule = found.rule
    text = wording.tidy(resolve(clause, now) if rule.dated else clause)
    return Candidate(
        text=text,
        type=rule.type,
        slot=found.slot,
        negates=wording.tidy(negates) if negates else None,
        ends=found.ends,
        only_fills=rule.only_fills,
        importance=rule.importance,
        confidence=rule.confidence,
        entities=wording.entities(text),
    )


def _atoms(clause: str) -> list[str]:
    """Take apart what lists several things: allergens, likes, and a job with its employer."""
    work = _JOB_AT.match(clause)
    if work is not None and (work["noun"] is None or _works(work["noun"])):
        return [work["job"], f"I work {work['at']} {work['org']}"]
    introduced = _NAME_FROM.match(clause)
    if introduced is not None and lexicon.is_own_name(introduced["name"]):
        return [f"I'm {introduced['name']}", f"I'm from {introduced['place']}"]
    match = _LIST.match(clause)
    if match is None or _INSEPARABLE.search(clause):
        return [clause]
    named = [item.strip() for item in _ITEM.split(match["items"]) if item.strip()]
    items = [item for item in named if "allergic" not in item.split()]
    is_said_again = 0 < len(items) < len(named)
    if not is_said_again and (len(named) == 1 or not _is_plain_list(named, is_allergy="allergic" in match["verb"])):
        return [clause]
    return [f"{match['verb']} {item}" for item in items]


def _works(noun: str) -> bool:
    return lexicon.is_profession(noun) and "student" not in noun.lower()


def _is_plain_list(items: list[str], *, is_allergy: bool) -> bool:
    """Tell whether the items stand alone: short, and not one name (`Simon and Garfunkel`)."""
    words = [item.split() for item in items]
    if any(
        item[0] in {"my", "your", "the", "not", "but", "so", "because", "I", "i", "it", "when", "to"} for item in words
    ):
        return False
    if is_allergy:
        return all(len(item) <= _MAX_ITEM_WORDS for item in words)
    if len(items) == _PAIR and all(item[0][0].isupper() for item in words):
        return False
    is_gerund = all(item[0].endswith("ing") and len(item) <= _MAX_ITEM_WORDS for item in words)
    return is_gerund or all(len(item) == 1 for item in words)
