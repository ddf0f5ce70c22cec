"""What a message refers back to: what was said or answered before it, and people whom it calls by name alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from optimus.memory_manager.decide import is_over
from optimus.memory_manager.rules.candidate import Candidate, CandidateKind
from optimus.memory_manager.rules.lexicon import is_own_name
from optimus.memory_manager.rules.people import Person, people_in
from optimus.memory_manager.rules.revision import revised
from optimus.memory_manager.shelf import DERIVED_TYPES, SIMILAR_LIMIT, Shelf, episode_id, is_active
from optimus.models import Memory, MemoryId, MemoryStatus, Message, MessageRole, UserId
from optimus.storage.records import MemoryFilter

QUOTING = "offline:"
"""The offline assistant says every memory that it used; a language model is given more than it says."""
_MAX_NAMES = 3
_EVER_TRUE = frozenset({MemoryStatus.ACTIVE, MemoryStatus.SUPERSEDED})
_LEAD = (
    r"(?:^|[.!?\n]\s+)(?:(?:actually|no|nope|sorry|correction|wait|and|but|also|so|well|oh|by the way|btw|now|today|"
    r"sadly|unfortunately|yesterday)[ ,:]+)*"
)
_BY_NAME = re.compile(
    rf"(?P<lead>{_LEAD})(?P<name>(?-i:[A-ZÀ-ÖØ-Þ])[\w-]+)(?=(?:'s)? (?:(?:now|also|just|still|has|have|is|was|recently|"
    r"really|no longer|never|doesn't|isn't) ){0,2}(?:is|was|has|works?|working|lives?|living|moved|moving|died|passed|"
    r"got|gets|turned|turns|likes?|loves?|hates?|speaks?|studies|studying|plays|prefers|quit|left|became|becomes|goes|"
    r"allergic|vegetarian|vegan|pregnant|retired|married|divorced|an?|the|from|called|birthday|job|dead|\d+)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_NEVER_A_PERSON = frozenset(
    [
        "I",
        "It",
        "He",
        "She",
        "They",
        "We",
        "You",
        "This",
        "That",
        "These",
        "Those",
        "There",
        "Here",
        "My",
        "Our",
        "Your",
        "His",
        "Her",
        "Their",
        "Its",
        "The",
        "A",
        "An",
        "What",
        "Who",
        "Where",
        "When",
        "Why",
        "How",
        "Which",
        "If",
        "Is",
        "Are",
        "Was",
        "Were",
        "Do",
        "Does",
        "Did",
        "Everyone",
        "Everybody",
        "Someone",
        "Nobody",
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ]
)
_OTHER_MESSAGE = re.compile(r"\b(?:said|told|wrote|mentioned|typed|message|statement|sentence)\b")


def with_relations(shelf: Shelf, owner: UserId, text: str) -> str:
    """Return a message in which known people who are called by their name alone are called what they are as well.

    `Ana works at Bosch now` says something about the writer's life only because they spoke of `my friend Ana` before.
    Where a name fits two people, or nobody who is known, it stays as it is.
    """
    names = [match["name"] for match in _BY_NAME.finditer(text)]
    wanted = [name for name in dict.fromkeys(names) if name not in _NEVER_A_PERSON and is_own_name(name)]
    known = {name: _known_as(shelf, owner, name) for name in wanted[:_MAX_NAMES]}

    def written(match: re.Match[str]) -> str:
        person = known.get(match["name"])
        return match["lead"] + (person.subject if person else match["name"])

    return _BY_NAME.sub(written, text) if any(known.values()) else text


def resolved(
    shelf: Shelf, owner: UserId, found: Sequence[Candidate], before: Sequence[Message], *, now: datetime
) -> list[Candidate]:
    """Return the candidates with what they refer back to; corrections that fit nothing said before are left out.

    Args:
        shelf: where the memories are.
        owner: whose they are.
        found: what the rules derived from the message.
        before: the messages before it, oldest first.
        now: when the message was written.
    """
    kept: list[Candidate] = []
    for candidate in found:
        if candidate.kind is CandidateKind.REVISE:
            kept += _revised(candidate, _spoken_of(shelf, owner, before), now)
        elif candidate.kind is CandidateKind.FORGET_LAST and candidate.text:
            kept.append(replace(candidate, targets=_meant(shelf, owner, candidate.text, before)))
        else:
            kept.append(candidate)
    return kept


def _revised(revision: Candidate, memories: Sequence[Memory], now: datetime) -> list[Candidate]:
    """Return the one statement that the revision makes of what was said; none where it would fit more than one."""
    made = [revised(revision, memory.text, memory.slot, now=now) for memory in memories]
    fitting = [candidate for candidate in made if candidate is not None]
    return fitting if len(fitting) == 1 else []


def _meant(shelf: Shelf, owner: UserId, what: str, before: Sequence[Message]) -> tuple[MemoryId, ...]:
    """Return what `forget that` means: what the last message made, or else the one memory that the answer told."""
    said = _last(before, MessageRole.USER)
    if said is None:
        return ()
    made = [memory.id for memory in _made_by(shelf, owner, said)]
    if not made and _OTHER_MESSAGE.search(what):
        return (episode_id(said.id),)
    quoted = [memory.id for memory in _quoted(shelf, owner, before)]
    return tuple(made or (quoted if len(quoted) == 1 and what != "it" else ()))


def _spoken_of(shelf: Shelf, owner: UserId, before: Sequence[Message]) -> list[Memory]:
    """Return what the last message said, or else what the answer to it told."""
    said = _last(before, MessageRole.USER)
    made = _made_by(shelf, owner, said) if said else []
    return made or _quoted(shelf, owner, before)


def _made_by(shelf: Shelf, owner: UserId, message: Message) -> list[Memory]:
    ids = [change.memory_id for change in message.saved if not change.undone]
    return [memory for memory in shelf.index.get(owner, list(dict.fromkeys(ids))) if is_active(memory)]


def _quoted(shelf: Shelf, owner: UserId, before: Sequence[Message]) -> list[Memory]:
    last = before[-1] if before else None
    if last is None or last.role is not MessageRole.ASSISTANT or not (last.model or "").startswith(QUOTING):
        return []
    return [memory for memory in shelf.index.get(owner, [use.memory_id for use in last.used]) if is_active(memory)]


def _last(before: Sequence[Message], role: MessageRole) -> Message | None:
    return next((message for message in reversed(before) if message.role is role), None)


def _known_as(shelf: Shelf, owner: UserId, name: str) -> Person | None:
    """Return who is known by a name; None where nobody is, or more than one."""
    people: dict[str, Person] = {}
    legs = shelf.search(owner, name, MemoryFilter(types=DERIVED_TYPES, statuses=_EVER_TRUE), limit=SIMILAR_LIMIT)
    for memory in shelf.read(owner, legs):
        if not is_active(memory) and _is_over_with(shelf, owner, memory):
            continue
        for person in people_in(memory.text):
            if person.name and name in {person.name, person.name.split()[0]}:
                people[person.head] = person
    return next(iter(people.values())) if len(people) == 1 else None


def _is_over_with(shelf: Shelf, owner: UserId, replaced: Memory) -> bool:
    """Tell whether what replaced a memory says that somebody is gone: a parted partner is no partner any more."""
    successor = shelf.find(owner, replaced.superseded_by) if replaced.superseded_by else None
    return successor is None or is_over(successor.text)
