"""How well each recalled memory fits a question: its slot, its wording, whom it is about, and the words it shares."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from optimus.llm_handler.offline.question import Form, Question
from optimus.llm_handler.offline.topics import NAME_OF, Topic, topic_of
from optimus.llm_handler.offline.words import aliases, content, is_about_others, mentions, overlap, people_asked
from optimus.models import Memory, MemoryType, RecalledMemory

_WIDE = frozenset({"likes", "dislikes", "home", "employer", "pets"})
"""Topics whose question pattern spans the thing asked about."""
ENOUGH = 0.5
NEARLY_ALL = 0.75
_DATE = re.compile(r"\b\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|"
                   r"December)|\b(?:19|20)\d\d\b|\b(?:January|February|March|April|June|July|August|September|October|"
                   r"November|December|"
                   r"\w+day)s?\b|\d{1,2}:\d\d")  # fmt: skip
_DISLIKED = re.compile(
    r"\b(?:don't|doesn't|hates?|dislikes?|can't stand|no longer|mag kein\w*|n'aime pas|no me|não|non mi)\b",
    re.IGNORECASE,
)
_GONE = re.compile(r"\b(?:died|passed away|put (?:down|to sleep)|broke up|split up|left me)\b")
_PLACE = re.compile(r"\b(?:in|at|under|near|on|behind|from|to|inside|next to) ")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ABOUT_WORDS = re.compile(
    r"\b(?:day|date|time|place|city|country|person|people|number|live|work|name|old|born|call)\w*\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question taken apart: its topic, the people in it, the things it asks about."""

    question: Question
    topic: Topic | None
    people: frozenset[str]
    objects: frozenset[str]
    words: frozenset[str]
    names: dict[str, set[str]]
    days: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """How well one memory fits; `fits` says whether it can be an answer at all."""

    memory: Memory
    rank: float
    fits: bool
    has_object: bool
    coverage: float


def understood(question: Question, texts: list[str], now: datetime) -> Asked:
    """Take a question apart in the light of what is known; `texts` tell whom a name stands for."""
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
    return Asked(
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


def scored(asked: Asked, recalled: list[RecalledMemory]) -> list[Scored]:
    """Return every memory with how well it fits, in the order in which they came."""
    return [_score(asked, item, order) for order, item in enumerate(recalled)]


def _score(asked: Asked, item: RecalledMemory, order: int) -> Scored:
    memory = item.memory
    said = content(f"{memory.text} {' '.join(memory.entities)}")
    matched = overlap(asked.words, said)
    coverage = len(matched) / len(asked.words) if asked.words else 0.0
    has_object = bool(overlap(asked.objects, said)) or _is_on(memory.text, asked.days)
    slot = _slot_fit(asked.topic, memory.slot)
    reads = _reads_as_answer(asked, memory.text)
    is_theirs = is_right_person(asked, memory.text)
    if asked.topic is not None:
        fits = is_theirs and not _is_ruled_out(asked, memory.text)
        fits = fits and (slot > 0 or reads or _is_on(memory.text, asked.days))
    elif asked.people and asked.question.form is Form.WHO:
        fits = is_theirs and (reads or coverage >= NEARLY_ALL)
    else:
        fits = is_theirs and (coverage >= ENOUGH or _is_on(memory.text, asked.days))
    rank = 2.0 * slot + 1.0 * reads + 1.5 * coverage + 0.8 * has_object + _form_fit(asked.question.form, memory)
    rank += 0.3 * item.score - 0.001 * order + (0.2 if memory.pinned else 0.0)
    return Scored(memory=memory, rank=rank if fits else 0.0, fits=fits, has_object=has_object, coverage=coverage)


def is_right_person(asked: Asked, text: str) -> bool:
    """Tell whether a memory is about somebody whom the question asks after; else about the user."""
    if asked.people:
        return any(mentions(text, person, asked.names) for person in asked.people)
    if asked.topic is not None and asked.topic.name in {"pets", "family", "marital", "plans"}:
        return True
    is_of_anybody = asked.question.wants_words and asked.topic is None
    return is_of_anybody or not (is_about_others(text) and asked.question.about_user)


def _reads_as_answer(asked: Asked, text: str) -> bool:
    if asked.topic is None:
        is_of_people = asked.question.form is Form.WHO and bool(asked.people)
        return is_of_people and NAME_OF.search(text) is not None and _GONE.search(text) is None
    return asked.topic.answered.search(text) is not None


def _is_ruled_out(asked: Asked, text: str) -> bool:
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


def _days(text: str, now: datetime) -> tuple[str, ...]:
    ahead = {
        "today": (0,),
        "tonight": (0,),
        "tomorrow": (1,),
        "yesterday": (-1,),
        "this week": tuple(range(7)),
        "next week": tuple(range(1, 14)),
    }
    weekday = next((name for name in _WEEKDAYS if re.search(rf"\b{name}\b", text, re.IGNORECASE)), None)
    if weekday is not None:
        ahead[weekday] = ((_WEEKDAYS.index(weekday) - now.weekday()) % 7,)
    days = next((shifts for word, shifts in ahead.items() if re.search(rf"\b{word}\b", text, re.IGNORECASE)), ())
    return tuple(f"{day.day} {day:%B} {day.year}" for day in (now + timedelta(days=shift) for shift in days))


def _is_on(text: str, days: tuple[str, ...]) -> bool:
    return any(re.search(rf"(?<!\d){re.escape(day)}", text) for day in days)
