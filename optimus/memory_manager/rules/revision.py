"""Corrections that say only what is different: `no, it's green` puts `green` in the place of what was said last."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from optimus.memory_manager.rules import wording
from optimus.memory_manager.rules.candidate import Candidate, CandidateKind
from optimus.memory_manager.rules.english import state
from optimus.models import MemoryType

_MAX_WORDS = 6
_POINTER = re.compile(
    r"^(?:(?:(?:it|that|he|she|they|this|there)(?:'s|'re| is| are| was| were| should be| must be)|(?:it|that) should "
    r"(?:say|read)|(?:his|her|its|their) (?P<part>name|age|job|birthday)(?:'s| is)|(?:i|i'd) (?:meant?|should have "
    r"said)|"
    r"make (?:that|it)|rather|more like|in fact|actually|now)[ ,:]+)+",
    re.IGNORECASE,
)
_INSTEAD = re.compile(
    r"^(?:(?P<new>[^,]{1,50}?),? (?:and )?not (?P<old>[^,]{1,50})|not (?P<gone>[^,]{1,50}?)(?:,| but|, but) "
    r"(?P<put>[^,]{1,50}))$",
    re.IGNORECASE,
)
_NO_VALUE = re.compile(
    r"^(?:(?:all |really |so |very |quite |just |still |too |also |never |always |not |only |perfectly |totally |"
    r"pretty )*"
    r"(?:fine|ok|okay|good|great|nice|cool|right|wrong|true|false|correct|enough|over|done|late|early|bad|worse|better|"
    r"hard|easy|funny|sad|weird|strange|ridiculous|stupid|crazy|important|possible|impossible|me|you|him|her|them|us|it|"
    r"that|this|there|here|nothing|something|everything|anything|up to you|a lie|a joke|a mistake|the same|the best|"
    r"the worst|different|better now|sure|likely|interesting|boring|amazing|awful|terrible|perfect|lovely|beautiful|"
    r"cold|hot|raining|dead|gone|fun|because|about|like|when|what|why|how|who|where|if|whether|i|we|my|your|our|thanks|"
    r"thank|no|yes|please|never|mind|wait|stop|need|problem|worries|way|idea|one|more|less|much|a bit|my fault|"
    r"your)\b)",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(r"^(?P<word>in|at|on|for|with|from|to|as|near|by|until|since) ", re.IGNORECASE)
_ARTICLE = re.compile(r"(?<= )(?:an?|the) $", re.IGNORECASE)
_OWN_ARTICLE = re.compile(r"(?:an?|the|my|our) ", re.IGNORECASE)
_JOINTS = re.compile(
    r"\b(?:is|are|was|am|I'm|called|named|in|at|on|for|with|from|to|as|near|by|me|prefer|like|love|hate|play|speak|drive|"
    r"support|have|has|until|since|works?|lives?)(?: (?:an?|the))? |'s ",
)


def read_revision(text: str, *, is_marked: bool) -> Candidate | None:
    """Return what a sentence puts in the place of something else; None where it says no such thing.

    Args:
        text: a sentence without the words that mark a correction.
        is_marked: it was marked as one (`no`, `correction`); else it has to name what it replaces (`green, not blue`).
    """
    pointer = _POINTER.match(text)
    bare = wording.tidy(text[pointer.end() :] if pointer else text)
    bare = text[len(text) - len(bare) :] if text.lower().endswith(bare.lower()) else bare
    instead = _INSTEAD.match(bare)
    new = (instead["new"] or instead["put"]).strip() if instead else bare
    old = (instead["old"] or instead["gone"]).strip() if instead else None
    if not (is_marked or (instead and pointer)) or not 0 < len(new.split()) <= _MAX_WORDS or _NO_VALUE.match(new):
        return None
    part = pointer["part"].lower() if pointer and pointer["part"] else None
    return Candidate(text=new, type=MemoryType.NOTE, kind=CandidateKind.REVISE, slot=part, negates=old, corrects=True)


def revised(revision: Candidate, said: str, slot: str | None, *, now: datetime) -> Candidate | None:
    """Return a statement with the revision in the place of what it fits; None where it fits nowhere.

    The new statement has to answer the same question and to be of the same kind: a number for a number, a name for a
    name.

    Args:
        revision: what `read_revision` returned.
        said: the statement as it is remembered.
        slot: the question that the statement answers.
        now: when the revision was said.
    """
    if revision.slot and not (slot or "").endswith(f".{revision.slot}"):
        return None
    preposition = _PREPOSITION.match(revision.text)
    for joint in reversed(list(_JOINTS.finditer(said))):
        if preposition and joint[0].split()[0].lower() != preposition["word"].lower():
            continue
        old = said[joint.end() :]
        value = revision.text[preposition.end() :] if preposition else revision.text
        if _kind(old) != _kind(value) or (revision.negates and revision.negates.casefold() not in old.casefold()):
            continue
        if old.casefold() == value.casefold():
            return None
        before = said[: joint.end()]
        found = state(f"{_ARTICLE.sub('', before) if _OWN_ARTICLE.match(value) else before}{value}", now=now)
        if len(found) == 1 and _asks_same(found[0].slot, slot) and (slot or preposition or revision.negates):
            return replace(found[0], negates=said, corrects=True, only_fills=False)
    return None


def _asks_same(new: str | None, old: str | None) -> bool:
    """Tell whether two slots are one, or differ only in the thing (`like.1f2e3d4c5b`)."""
    if new is None or old is None:
        return new is old
    return new == old or ("." in new and new.rpartition(".")[0] == old.rpartition(".")[0] == new.partition(".")[0])


def _kind(value: str) -> str:
    first = value.split(maxsplit=1)[0] if value.split() else ""
    if any(character.isdigit() for character in value):
        return "number"
    return "name" if first[:1].isupper() else "word"
