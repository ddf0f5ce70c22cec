"""Pure aggregation: answers and memories in, the figures of the Analytics page out."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import accumulate
from statistics import median
from typing import TypeVar

from optimus.models import MemoryId, MemoryType
from optimus.storage.records import MemoryOutline
from optimus.usage import Answer

PROMPT_MS = 2000
"""An answer within this time does not feel waited for."""
WINDOW_TOKENS = 128_000
"""What common models read at once: nobody could be spared sending more."""
TIME_BOUNDS_MS = (500, 1000, PROMPT_MS, 5000, 10_000)
"""Upper bounds of the classes in which times are counted; the last class is open."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Whole days in the viewer's time zone, today the last one; `first` None means from the beginning."""

    first: date | None
    last: date
    zone: tzinfo

    @classmethod
    def of(cls, days: int | None, *, now: datetime, zone: tzinfo) -> Period:
        """Return the last `days` days, today among them; None means all."""
        today = now.astimezone(zone).date()
        return cls(first=None if days is None else today - timedelta(days=days - 1), last=today, zone=zone)

    @property
    def begins(self) -> datetime | None:
        """The moment at which the first day begins."""
        if self.first is None:
            return None
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=self.zone)

    def day(self, moment: datetime) -> date:
        """Return the day of a moment."""
        return moment.astimezone(self.zone).date()

    def has(self, moment: datetime) -> bool:
        """Tell whether a moment is in the period."""
        begins = self.begins
        return begins is None or moment >= begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over some answers."""

    messages: int
    """Messages that were sent; one that was answered twice counts once."""
    answers: int
    """Answers that did not fail, those that were stopped among them."""
    failed: int
    input_tokens: int
    output_tokens: int
    cost: float
    """US dollars of the answers whose price is known."""
    unpriced: int
    """Answers whose price is not known."""

    @property
    def cost_is_unknown(self) -> bool:
        """Whether no answer has a known price."""
        return 0 < self.answers <= self.unpriced


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """Estimated tokens of what models were given, against everything that had been said before.

    Everything means all earlier messages and answers in all chats, up to `WINDOW_TOKENS`: what a model would have to
    be sent each time to know what memory brings back.
    """

    given: int
    everything: int

    @property
    def share(self) -> float | None:
        """The saved part, 0-1; None where nothing was saved."""
        return 1 - self.given / self.everything if self.everything > self.given else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long something took, over all answers that were measured."""

    classes: tuple[int, ...]
    """How many answers fall into each class of `TIME_BOUNDS_MS`."""
    median_ms: float
    prompt_share: float
    """The part within `PROMPT_MS`, 0-1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUseCount:
    """How many answers a memory went into, and when last."""

    memory_id: MemoryId
    answers: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How many of the present memories of a kind there were at the end of each day."""

    type: MemoryType
    days: tuple[date, ...]
    totals: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything about one user's answers in a period."""

    period: Period
    answers: tuple[Answer, ...]
    has_earlier: bool
    """Whether there are answers from before the period."""
    total: Tally
    saving: Saving
    days: dict[tuple[date, str], Tally]
    """By day and model, the earliest day first."""
    models: dict[str, Tally]
    """By model, the one with the most answers first."""
    first_token: Times | None
    duration: Times | None
    used: tuple[MemoryUseCount, ...]
    """The most used first."""


def report_on(answers: Sequence[Answer], period: Period) -> Report:
    """Aggregate answers; `answers` are all of one user, the oldest first, since savings count what came before."""
    inside = tuple(answer for answer in answers if period.has(answer.at))
    days = _tallies(inside, lambda answer: (period.day(answer.at), answer.model))
    models = _tallies(inside, lambda answer: answer.model)
    return Report(
        period=period,
        answers=inside,
        has_earlier=len(inside) < len(answers),
        total=tally(inside),
        saving=_saving(answers, period),
        days=dict(sorted(days.items())),
        models=dict(sorted(models.items(), key=lambda item: (-item[1].answers, item[0]))),
        first_token=_times(answer.first_token_ms for answer in inside),
        duration=_times(answer.duration_ms for answer in inside if not answer.failed),
        used=_used(answer for answer in inside if not answer.failed),
    )


def tally(answers: Sequence[Answer]) -> Tally:
    """Sum up answers."""
    failed = sum(answer.failed for answer in answers)
    return Tally(
        messages=len({answer.question_id for answer in answers}),
        answers=len(answers) - failed,
        failed=failed,
        input_tokens=sum(answer.input_tokens for answer in answers),
        output_tokens=sum(answer.output_tokens for answer in answers),
        cost=sum(answer.cost for answer in answers if answer.cost is not None),
        unpriced=sum(answer.cost is None for answer in answers),
    )


def growth(memories: Iterable[MemoryOutline], period: Period) -> tuple[Growth, ...]:
    """Count up memories by kind, day by day; a period from the beginning begins with the first memory."""
    added: dict[MemoryType, Counter[date]] = defaultdict(Counter)
    for memory in memories:
        added[memory.type][period.day(memory.recorded_at)] += 1
    first = period.first or min((day for days in added.values() for day in days), default=period.last)
    days = tuple(first + timedelta(days=number) for number in range((period.last - first).days + 1))
    return tuple(_curve(kind, added[kind], days) for kind in MemoryType if kind in added)


def unused(memories: Iterable[MemoryOutline], used: Iterable[MemoryUseCount]) -> list[MemoryOutline]:
    """Return the memories that went into no answer, the oldest first."""
    ids = {use.memory_id for use in used}
    return sorted((memory for memory in memories if memory.id not in ids), key=lambda memory: memory.recorded_at)


def _tallies(answers: Iterable[Answer], key: Callable[[Answer], Key]) -> dict[Key, Tally]:
    groups: dict[Key, list[Answer]] = defaultdict(list)
    for answer in answers:
        groups[key(answer)].append(answer)
    return {name: tally(group) for name, group in groups.items()}


def _saving(answers: Iterable[Answer], period: Period) -> Saving:
    """Walk through all answers with the size of everything said so far; one written again replaces its first try."""
    said: dict[str, int] = {}
    before = given = everything = 0
    for answer in answers:
        earlier = before - said.get(answer.question_id, 0)
        if period.has(answer.at) and not answer.failed:
            given += answer.context_tokens
            everything += min(earlier, WINDOW_TOKENS)
        said[answer.question_id] = answer.said_tokens
        before = earlier + answer.said_tokens
    return Saving(given=given, everything=everything)


def _times(measured: Iterable[float | None]) -> Times | None:
    times = [time for time in measured if time is not None]
    if not times:
        return None
    classes = [0] * (len(TIME_BOUNDS_MS) + 1)
    for time in times:
        classes[bisect_left(TIME_BOUNDS_MS, time)] += 1
    prompt = sum(classes[: TIME_BOUNDS_MS.index(PROMPT_MS) + 1])
    return Times(classes=tuple(classes), median_ms=median(times), prompt_share=prompt / len(times))


def _used(answers: Iterable[Answer]) -> tuple[MemoryUseCount, ...]:
    counts: Counter[MemoryId] = Counter()
    last: dict[MemoryId, datetime] = {}
    for answer in answers:
        counts.update(answer.memory_ids)
        last.update(dict.fromkeys(answer.memory_ids, answer.at))
    return tuple(
        MemoryUseCount(memory_id=memory_id, answers=count, last_at=last[memory_id])
        for memory_id, count in counts.most_common()
    )


def _curve(kind: MemoryType, added: Counter[date], days: tuple[date, ...]) -> Growth:
    before = sum(count for day, count in added.items() if day < days[0])
    return Growth(
        type=kind,
        days=days,
        totals=tuple(accumulate((added[day] for day in days[1:]), initial=before + added[days[0]])),
    )
