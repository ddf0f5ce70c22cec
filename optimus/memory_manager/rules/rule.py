"""A rule: a pattern of one whole clause, and what a clause of that form says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from optimus.memory_manager.rules import lexicon
from optimus.memory_manager.rules.candidate import Ending
from optimus.models import MemoryType

Check = Callable[[re.Match[str]], bool]

_MACROS = {
    "IM": r"(?:I'm|I am|I've become|I became|I have become|I've gone|I've turned|I turned)",
    "IAM": r"(?:I'm|I am)",
    "WE": r"(?:I|We)",
    "ADV": (
        r"(?:(?:now|also|currently|really|still|actually|just|only|very|quite|absolutely|mostly|mainly|recently|"
        r"originally|generally|personally|presently|so|totally|truly|severely|highly|slightly|deathly|extremely|always|"
        r"usually|especially|particularly|secretly|kind of|a bit|mildly|finally|officially|then) ){0,3}"
    ),
    "PARTNER": lexicon.PARTNER,
    "PEOPLE": f"(?:{lexicon.PEOPLE})",
    "QUALITY": f"(?:{lexicon.PERSON_QUALITY})",
    "PET": f"(?:{lexicon.PETS})",
    "CONDITION": f"(?:{lexicon.CONDITIONS})",
    "STATE": f"(?:{lexicon.STATES})",
    "DIET": f"(?:{lexicon.DIETS})",
    "MARITAL": f"(?:{lexicon.MARITAL})",
    "RELIGION": lexicon.RELIGIONS,
    "LANGUAGE": f"(?:{lexicon.LANGUAGES})",
    "NATION": f"(?:{lexicon.NATIONALITIES})",
    "EVENT": f"(?:{lexicon.EVENTS})",
    "MONTH": f"(?:{'|'.join(lexicon.MONTHS)})",
    "NUMBER": r"(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten)",
    "NOW": rf"(?: (?:{lexicon.TIME_ONLY}))?",
    "PNAME": (
        r"(?!(?:is|are|was|were|has|have|had|works?|lives?|and|also|now|still|just|never|always|in|at|on|of|to|who|"
        r"really|loves?|likes?|hates?|speaks?|prefers?|enjoys?|studies|moved|turned|turns|died|said|says|thinks|told|"
        r"currently|usually|recently|got|went|does|doesn't|isn't|can|can't|will|passed|owns?|drives?|plays?|goes|with|"
        r"from|called|named|'s|wants?|needs?|keeps?|comes?|runs?|eats?|asked|made|came|wants|lost|left|as|"
        r"for)\b)[^\W\d_][\w-]*(?: (?-i:[A-ZÀ-ÖØ-Þ])[\w-]+)?"
    ),
}
_MACROS["PERSON"] = (
    rf"(?:My|Our) (?P<rel>(?:{_MACROS['QUALITY']} ){{0,2}}{_MACROS['PEOPLE']})(?: (?P<name>{_MACROS['PNAME']}))?"
)
_SLOT_FIELD = re.compile(r"\{(#?)(\w+)\}")
_ARTICLE = re.compile(r"^(?:(?:a|an|the|my|our|some|any|all|all kinds of|to) )+", re.IGNORECASE)
_TRAILER = re.compile(
    r"(?: (?:very much|a lot|so much|too|as well|now|anymore|any more|any longer|at all|these days|the most|best))+$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a clause says when `pattern` matches all of it and `accept` agrees."""

    pattern: str
    """See `compiled`: that takes long, so it waits until a first clause is read."""
    type: MemoryType
    slot: str | None = None
    """`{group}` puts in what the group caught, `{#group}` its hash, `{who}` the person of the clause."""
    importance: float = 0.5
    confidence: float = 0.9
    accept: Check | None = None
    deniable: bool = False
    """A plain denial of it (`I don't ...`) is worth keeping; an end (`... any more`) always is."""
    dated: bool = True
    """Dates in the clause mean one day, so relative ones are resolved."""
    ends: str = ""
    """What else it ends: slots between spaces, filled in like `slot`; after `|`, with which ends only."""
    only_fills: bool = False
    """It answers its slot only while nothing else does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that matched, with the slot filled in."""

    rule: Rule
    slot: str | None
    ends: Ending | None = None


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a clause pattern, in which `@NAME` stands for a macro; letter case does not matter."""
    return re.compile(re.sub(r"@([A-Z]+)", lambda m: _MACROS[m[1]], pattern), re.IGNORECASE)


def rule(  # the table reads as columns
    pattern: str,
    kind: MemoryType,
    slot: str | None = None,
    importance: float = 0.5,
    *,
    confidence: float = 0.9,
    accept: Check | None = None,
    deniable: bool = False,
    dated: bool = True,
    ends: str = "",
    only_fills: bool = False,
) -> Rule:
    """Make one line of a table."""
    return Rule(
        pattern=pattern,
        type=kind,
        slot=slot,
        importance=importance,
        confidence=confidence,
        accept=accept,
        deniable=deniable,
        dated=dated,
        ends=ends,
        only_fills=only_fills,
    )


def find(clause: str, rules: Sequence[Rule]) -> Finding | None:
    """Return the first rule that the whole clause matches."""
    for candidate in rules:
        match = compiled(candidate.pattern).fullmatch(clause)
        if match is not None and (candidate.accept is None or candidate.accept(match)):
            return Finding(rule=candidate, slot=_fill(candidate.slot, match), ends=_ending(candidate.ends, match))
    return None


def thing_key(text: str) -> str:
    """Return a thing's name as it is compared: lower case, without articles and trailers."""
    bare = _TRAILER.sub("", _ARTICLE.sub("", text.strip().lower()))
    return re.sub(r"\s+", " ", bare).replace("color", "colour").replace("favorite", "favourite")


def hashed(text: str) -> str:
    """Return a short stable hash of a thing, for slots that must not show it."""
    return sha256(thing_key(text).encode()).hexdigest()[:10]


def _fill(template: str | None, match: re.Match[str]) -> str | None:
    if template is None:
        return None
    groups = match.groupdict()
    if "{who}" in template:
        who = lexicon.person_key(groups["rel"], groups.get("name"))
        if who is None:
            return None
        template = template.replace("{who}", who)
    return _SLOT_FIELD.sub(lambda m: _value(groups.get(m[2]) or "", is_hidden=bool(m[1])), template)


def _ending(template: str, match: re.Match[str]) -> Ending | None:
    if not template:
        return None
    groups = match.groupdict()
    slots, _, parts = template.partition("|")
    relation = (groups.get("rel") or "").lower() or None
    if relation:
        them = lexicon.person_key(relation, None) or lexicon.person_key(relation, groups.get("name")) or relation
        slots = slots.replace("{them}", them)
    filled = (_fill(slot, match) for slot in slots.split())
    return Ending(
        slots=tuple(slot for slot in filled if slot),
        parts=tuple(parts.split()),
        name=groups.get("name"),
        relation=relation.split()[-1] if relation else None,
    )


def _value(text: str, *, is_hidden: bool) -> str:
    return hashed(text) if is_hidden else thing_key(text)
