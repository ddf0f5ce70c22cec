"""Pick, among the recalled memories, those that answer a question rather than merely resemble it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from optimus.llm_handler.offline.dated import coming, day_in
from optimus.llm_handler.offline.evidence import states_plainly, tells
from optimus.llm_handler.offline.fitting import ENOUGH, NEARLY_ALL, Asked, Scored, is_right_person, scored, understood
from optimus.llm_handler.offline.question import Form, Question, is_of_eating
from optimus.llm_handler.offline.topics import EATING_LIMITS
from optimus.llm_handler.offline.words import RELATIONS, content, is_about_others
from optimus.models import Memory, MemoryStatus, MemoryType, RecalledMemory

MAX_SHOWN = 5
MAX_NEARBY = 3

_ALL_BUT = 0.99
_FLOOR = 0.6
_LIST_FLOOR = 0.25
_ASKS_BEFORE = re.compile(
    r"\b(?:before|previously|in the past)$|\b(?:my|his|her) (?:old|former|previous|last) (?:job|employer|home|"
    r"address|company|"
    r"city|boss|phone|car|work)\b|\bused to\b|\bwhere did (?:i|we) (?:use to )?(?:live|work)\b",
    re.IGNORECASE,
)
_SAYS_BEFORE = re.compile(r"\b(?:used to|no longer|lived|worked|was|were|had|until|formerly|any ?more)\b")
_NEXT = re.compile(r"\b(?:next|upcoming)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What was found for a question."""

    memories: tuple[Memory, ...] = ()
    """Answers, best first."""
    nearby: tuple[Memory, ...] = ()
    """What is known of the same topic though not of the thing asked about."""
    missing: str | None = None
    """The thing asked about that nothing says anything of."""
    is_about_known: bool = False
    """The question names somebody whom a memory knows."""
    topic: str | None = None
    """What is asked about, where it is one of the topics."""


def answer_from(question: Question, recalled: tuple[RecalledMemory, ...], *, now: datetime) -> Match:
    """Return the memories that answer the question, derived ones before raw messages; perhaps none."""
    usable = [item for item in recalled if item.memory.status is MemoryStatus.ACTIVE]
    derived = [item for item in usable if item.memory.type is not MemoryType.CONVERSATION]
    asked = understood(question, [item.memory.text for item in derived], now)
    match = _match(asked, derived, now)
    if match.memories:
        return _as_of_then(match) if _ASKS_BEFORE.search(question.text) else match
    if question.form is Form.ADVICE:
        return match
    episodes = [item for item in usable if item.memory.type is MemoryType.CONVERSATION and tells(item.memory)]
    told = [item for item in scored(asked, episodes) if item.coverage >= NEARLY_ALL and asked.words]
    if question.wants_words:
        said = _best(told)[:2]
        near = match.nearby or tuple(item.memory for item in derived[:MAX_NEARBY])
        return replace(match, memories=tuple(item.memory for item in said), nearby=near, missing=_missing(asked))
    plain = [item for item in told if item.fits and states_plainly(item.memory.text, asked.words)]
    found = tuple(item.memory for item in _best(plain)[:2])
    is_answer = asked.topic is None and len(asked.words) > 1
    return replace(match, memories=found if is_answer else (), nearby=match.nearby or found)


def _as_of_then(match: Match) -> Match:
    """Return what is true now as merely near: the question is about an earlier time."""
    was = tuple(memory for memory in match.memories if _SAYS_BEFORE.search(memory.text))
    return replace(match, memories=was, nearby=match.memories if not was else ())


def related_to(question: Question, recalled: tuple[RecalledMemory, ...], *, now: datetime) -> tuple[Memory, ...]:
    """Return memories that may help with a question which they do not answer."""
    derived = [item for item in recalled if item.memory.type is not MemoryType.CONVERSATION]
    asked = understood(question, [item.memory.text for item in derived], now)
    if is_of_eating(question.text):
        return tuple(item.memory for item in derived if _limits_eating(item.memory))[:MAX_SHOWN]
    near = [item for item in scored(asked, derived) if item.coverage >= ENOUGH or (item.fits and asked.topic)]
    return tuple(item.memory for item in _best(near)[:MAX_NEARBY])


def _match(asked: Asked, recalled: list[RecalledMemory], now: datetime) -> Match:
    answers = [item for item in scored(asked, recalled) if item.rank > 0 and item.fits]
    if asked.topic is None or not asked.topic.is_single:
        with_object = [item for item in answers if item.has_object]
        is_needed = asked.question.form is Form.YES_NO or (asked.topic is not None and asked.topic.needs_object)
        if asked.objects and not with_object and is_needed:
            nearby = answers if asked.topic and asked.topic.tells_nearby else []
            return Match(nearby=_memories(nearby), missing=_missing(asked))
        answers = with_object or answers
    exact = [item for item in answers if item.coverage > _ALL_BUT] if asked.question.form is Form.YES_NO else []
    answers = _next(asked, answers, now)
    best = _best(exact or answers, floor=_LIST_FLOOR if asked.topic and asked.topic.is_list else _FLOOR)
    if best and ((asked.topic and asked.topic.is_single) or (_wants_name(asked) and best[0].memory.slot)):
        named = [item for item in best if _wants_name(asked) and (item.memory.slot or "").endswith(".name")]
        best = _current(named or best) if asked.people else _current(best)[:1]
    return Match(
        memories=tuple(item.memory for item in best[:MAX_SHOWN]),
        nearby=() if best else _outdated(asked, recalled),
        is_about_known=_knows_person(asked),
        topic=asked.topic.name if asked.topic else None,
    )


def _next(asked: Asked, answers: list[Scored], now: datetime) -> list[Scored]:
    """Return the next one alone where the question asks for it, and only what lies ahead where it asks for plans."""
    is_plan = asked.topic is not None and asked.topic.name == "plans"
    is_next = _NEXT.search(asked.question.text) is not None
    dated = [item for item in answers if day_in(item.memory.text) is not None]
    if not dated or not (is_plan or is_next):
        return answers
    ahead = coming([item.memory for item in dated], now)
    if is_next:
        return [item for item in dated if ahead and item.memory.id == ahead[0].id]
    return [item for item in answers if item not in dated or item.memory in ahead]


def _outdated(asked: Asked, recalled: list[RecalledMemory]) -> tuple[Memory, ...]:
    """Return what was true once, or is denied, of what is asked: near, but no answer."""
    if asked.topic is None or asked.topic.unless is None:
        return ()
    return tuple(
        item.memory
        for item in recalled
        if asked.topic.unless.search(item.memory.text)
        and asked.topic.answered.search(item.memory.text)
        and is_right_person(asked, item.memory.text)
    )[:MAX_NEARBY]


def _current(best: list[Scored]) -> list[Scored]:
    """Return the newest answer to each question, in the order of the best; of those without a slot the best one."""
    newest: dict[str | None, Scored] = {}
    for item in best:
        slot = item.memory.slot
        known = newest.get(slot)
        if known is None or (slot is not None and item.memory.recorded_at > known.memory.recorded_at):
            newest[slot] = item
    return list(newest.values())


def _knows_person(asked: Asked) -> bool:
    return any(person in asked.names or person in RELATIONS for person in asked.people)


def _wants_name(asked: Asked) -> bool:
    return bool(asked.people) and re.search(r"\b(?:name|called)\b", asked.question.text, re.IGNORECASE) is not None


def _best(items: list[Scored], *, floor: float = _FLOOR) -> list[Scored]:
    """Return the best first, without those that are far behind, newest first among equals."""
    ordered = sorted(items, key=lambda item: (round(item.rank, 2), item.memory.recorded_at), reverse=True)
    if not ordered:
        return []
    return [item for item in ordered if item.rank >= ordered[0].rank * floor]


def _memories(items: list[Scored]) -> tuple[Memory, ...]:
    return tuple(item.memory for item in _best(items)[:MAX_NEARBY])


def _missing(asked: Asked) -> str | None:
    """Return the thing asked about as the question wrote it, where it is one plain word."""
    for word in re.findall(r"[^\W\d_][\w-]+", asked.question.text):
        if content(word) & asked.objects and len(asked.objects) == 1:
            return str(word)
    return None


def _limits_eating(memory: Memory) -> bool:
    is_slot = (memory.slot or "").startswith(("allergy.", "diet", "consume."))
    return is_slot or (EATING_LIMITS.search(memory.text) is not None and not is_about_others(memory.text))
