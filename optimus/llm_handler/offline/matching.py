"""Pick, among the recalled memories, those that answer a question rather than merely resemble it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from optimus.llm_handler.offline.question import Form, Question, read_question
from optimus.llm_handler.offline.topics import NAME_OF, Topic, topic_of
from optimus.llm_handler.offline.words import (
    RELATIONS,
    aliases,
    content,
    is_about_others,
    mentions,
    overlap,
    people_asked,
)
from optimus.models import Memory, MemoryStatus, MemoryType, RecalledMemory

MAX_SHOWN = 5
MAX_NEARBY = 3

_WIDE = frozenset({"likes", "dislikes", "home", "employer", "pets"})
"""Topics whose question pattern spans the thing asked about."""
_ENOUGH = 0.5
_NEARLY_ALL = 0.75
_ALL_BUT = 0.99
_FLOOR = 0.6
_LIST_FLOOR = 0.25
_DATE = re.compile(r"\b\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|"
                   r"December)|\b(?:19|20)\d\d\b|\b(?:January|February|March|April|June|July|August|September|October|"
                   r"November|December|"
                   r"\w+day)s?\b|\d{1,2}:\d\d")  # fmt: skip
_DISLIKED = re.compile(
    r"\b(?:don't|doesn't|hates?|dislikes?|can't stand|no longer|mag kein\w*|n'aime pas|no me|não|non mi)\b",
    re.IGNORECASE,
)
_PLACE = re.compile(r"\b(?:in|at|under|near|on|behind|from|to|inside|next to) ")
_ABOUT_WORDS = re.compile(
    r"\b(?:day|date|time|place|city|country|person|people|number|live|work|name|old|born|call)\w*\b", re.IGNORECASE
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    question: Question
    topic: Topic | None
    people: frozenset[str]
    objects: frozenset[str]
    words: frozenset[str]
    names: dict[str, set[str]]
    days: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    memory: Memory
    rank: float
    fits: bool
    has_object: bool
    coverage: float


def answer_from(question: Question, recalled: tuple[RecalledMemory, ...], *, now: datetime) -> Match:
    """Return the memories that answer the question, derived ones before raw messages; perhaps none."""
    usable = [item for item in recalled if item.memory.status is MemoryStatus.ACTIVE]
    derived = [item for item in usable if item.memory.type is not MemoryType.CONVERSATION]
    asked = _asked(question, [item.memory.text for item in derived], now)
    match = _match(asked, derived)
    if match.memories:
        return match
    episodes = [item for item in usable if item.memory.type is MemoryType.CONVERSATION and _tells(item.memory)]
    told = [scored for scored in _scored(asked, episodes) if scored.coverage >= _NEARLY_ALL and asked.words]
    return Match(memories=tuple(item.memory for item in _best(told)[:2]), nearby=match.nearby, missing=match.missing)


def related_to(question: Question, recalled: tuple[RecalledMemory, ...], *, now: datetime) -> tuple[Memory, ...]:
    """Return memories that may help with a question which they do not answer."""
    derived = [item for item in recalled if item.memory.type is not MemoryType.CONVERSATION]
    asked = _asked(question, [item.memory.text for item in derived], now)
    near = [item for item in _scored(asked, derived) if item.coverage >= _ENOUGH or (item.fits and asked.topic)]
    return tuple(item.memory for item in _best(near)[:MAX_NEARBY])


def _asked(question: Question, texts: list[str], now: datetime) -> _Asked:
    names = aliases(texts)
    people = people_asked(question.text, names)
    is_of_name = question.form is Form.WHO and bool(people)
    topic = None if is_of_name else topic_of(question.text)
    words = content(question.text)
    about = _topic_words(topic, question.text)
    own = content(" ".join(match[0] for match in _ABOUT_WORDS.finditer(question.text)))
    objects = words - about - own - people
    if topic and topic.name in {"likes", "dislikes", "diet", "preference", "pets"}:
        objects -= content(
            "like love enjoy hate dislike prefer eat drink food into fan fond interested stand pet animal"
        )
    return _Asked(
        question=question,
        topic=topic,
        people=people,
        objects=objects,
        words=words,
        names=names,
        days=_days(question.text, now),
    )


def _topic_words(topic: Topic | None, question: str) -> frozenset[str]:
    """Return the words of a question that only name its topic."""
    if topic is None:
        return frozenset()
    found = topic.asked.search(question)
    span = found[0] if found and topic.name not in _WIDE else ""
    named = (word for word in re.findall(r"[\w'-]+", question) if topic.asked.search(word))
    return content(f"{span} {' '.join(named)}")


def _match(asked: _Asked, recalled: list[RecalledMemory]) -> Match:
    scored = [item for item in _scored(asked, recalled) if item.rank > 0]
    answers = [item for item in scored if item.fits]
    if asked.topic is None or not asked.topic.is_single:
        with_object = [item for item in answers if item.has_object]
        is_needed = asked.question.form is Form.YES_NO or (asked.topic is not None and asked.topic.needs_object)
        if asked.objects and not with_object and is_needed:
            nearby = answers if asked.topic and asked.topic.tells_nearby else []
            return Match(nearby=_memories(nearby), missing=_missing(asked))
        answers = with_object or answers
    exact = [item for item in answers if item.coverage > _ALL_BUT] if asked.question.form is Form.YES_NO else []
    best = _best(exact or answers, floor=_LIST_FLOOR if asked.topic and asked.topic.is_list else _FLOOR)
    if best and ((asked.topic and asked.topic.is_single) or (_wants_name(asked) and best[0].memory.slot)):
        best = _current(best) if asked.people else _current(best)[:1]
    return Match(memories=tuple(item.memory for item in best[:MAX_SHOWN]), is_about_known=_knows_person(asked))


def _scored(asked: _Asked, recalled: list[RecalledMemory]) -> list[_Scored]:
    return [_score(asked, item, order) for order, item in enumerate(recalled)]


def _score(asked: _Asked, item: RecalledMemory, order: int) -> _Scored:
    memory = item.memory
    said = content(f"{memory.text} {' '.join(memory.entities)}")
    matched = overlap(asked.words, said)
    coverage = len(matched) / len(asked.words) if asked.words else 0.0
    has_object = bool(overlap(asked.objects, said)) or _is_on(memory.text, asked.days)
    slot = _slot_fit(asked.topic, memory.slot)
    reads = _reads_as_answer(asked, memory.text)
    is_right_person = _is_right_person(asked, memory.text)
    if asked.topic is not None:
        fits = is_right_person and not _is_ruled_out(asked, memory.text)
        fits = fits and (slot > 0 or reads or _is_on(memory.text, asked.days))
    elif asked.people and asked.question.form is Form.WHO:
        fits = is_right_person and (reads or coverage >= _NEARLY_ALL)
    else:
        fits = is_right_person and (coverage >= _ENOUGH or _is_on(memory.text, asked.days))
    rank = 2.0 * slot + 1.0 * reads + 1.5 * coverage + 0.8 * has_object + _form_fit(asked.question.form, memory)
    rank += 0.3 * item.score - 0.001 * order + (0.2 if memory.pinned else 0.0)
    return _Scored(memory=memory, rank=rank if fits else 0.0, fits=fits, has_object=has_object, coverage=coverage)


def _is_right_person(asked: _Asked, text: str) -> bool:
    if asked.people:
        return any(mentions(text, person, asked.names) for person in asked.people)
    if asked.topic is not None and asked.topic.name in {"pets", "family", "marital", "plans"}:
        return True
    return not (is_about_others(text) and asked.question.about_user)


def _reads_as_answer(asked: _Asked, text: str) -> bool:
    if asked.topic is None:
        return asked.question.form is Form.WHO and bool(asked.people) and NAME_OF.search(text) is not None
    return asked.topic.answered.search(text) is not None


def _is_ruled_out(asked: _Asked, text: str) -> bool:
    """Tell whether a memory says the opposite of what is asked for: dislikes are no answer to `what do I like`."""
    topic = asked.topic
    if topic is None:
        return False
    if topic.unless is not None and topic.unless.search(text):
        return True
    is_choice = topic.name == "likes" and asked.question.form is not Form.YES_NO
    return is_choice and _DISLIKED.search(text) is not None


def _slot_fit(topic: Topic | None, slot: str | None) -> float:
    """Return 1 where the slot is the topic's first, less for later ones, 0 for none."""
    if topic is None or slot is None:
        return 0.0
    parts = slot.split(".")
    for index, wanted in enumerate(topic.slots):
        if slot.startswith(wanted) or (len(parts) > 1 and (parts[-1] == wanted or wanted in parts[1:])):
            return 1.0 - 0.15 * index
    return 0.0


def _form_fit(form: Form, memory: Memory) -> float:
    if form is Form.WHEN:
        return 0.6 if _DATE.search(memory.text) else -0.2
    if form is Form.WHERE:
        return 0.3 if _PLACE.search(memory.text) else 0.0
    if form is Form.WHO:
        return 0.3 if memory.type is MemoryType.RELATIONSHIP or memory.entities else 0.0
    if form is Form.HOW_MANY:
        return 0.3 if re.search(r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten)\b", memory.text) else 0.0
    return 0.0


def _current(best: list[_Scored]) -> list[_Scored]:
    """Return the newest answer to each question, in the order of the best; of those without a slot the best one."""
    newest: dict[str | None, _Scored] = {}
    for item in best:
        slot = item.memory.slot
        known = newest.get(slot)
        if known is None or (slot is not None and item.memory.recorded_at > known.memory.recorded_at):
            newest[slot] = item
    return list(newest.values())


def _knows_person(asked: _Asked) -> bool:
    return any(person in asked.names or person in RELATIONS for person in asked.people)


def _wants_name(asked: _Asked) -> bool:
    return bool(asked.people) and re.search(r"\b(?:name|called)\b", asked.question.text, re.IGNORECASE) is not None


def _best(scored: list[_Scored], *, floor: float = _FLOOR) -> list[_Scored]:
    """Return the best first, without those that are far behind, newest first among equals."""
    ordered = sorted(scored, key=lambda item: (round(item.rank, 2), item.memory.recorded_at), reverse=True)
    if not ordered:
        return []
    return [item for item in ordered if item.rank >= ordered[0].rank * floor]


def _memories(scored: list[_Scored]) -> tuple[Memory, ...]:
    return tuple(item.memory for item in _best(scored)[:MAX_NEARBY])


def _missing(asked: _Asked) -> str | None:
    """Return the thing asked about as the question wrote it, where it is one plain word."""
    for word in re.findall(r"[^\W\d_][\w-]+", asked.question.text):
        if content(word) & asked.objects and len(asked.objects) == 1:
            return str(word)
    return None


def _tells(memory: Memory) -> bool:
    """Tell whether a raw message says something; a question asked earlier is no answer."""
    return read_question(memory.text) is None and bool(content(memory.text))


def _days(text: str, now: datetime) -> tuple[str, ...]:
    ahead = {
        "today": (0,),
        "tonight": (0,),
        "tomorrow": (1,),
        "yesterday": (-1,),
        "this week": tuple(range(7)),
        "next week": tuple(range(1, 14)),
    }
    days = next((shifts for word, shifts in ahead.items() if re.search(rf"\b{word}\b", text, re.IGNORECASE)), ())
    return tuple(f"{day.day} {day:%B} {day.year}" for day in (now + timedelta(days=shift) for shift in days))


def _is_on(text: str, days: tuple[str, ...]) -> bool:
    return any(re.search(rf"(?<!\d){re.escape(day)}", text) for day in days)
