"""What the Analytics page asks for. Everybody sees their own; admins also see sums by user, never content."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from optimus.analytics.log import AnswerLog
from optimus.analytics.report import Growth, Period, Report, Tally, growth, report_on, tally, unused
from optimus.auth.permissions import Action, authorize
from optimus.models import Clock, Memory, MemoryType, Principal, UserId
from optimus.storage.accounts import AccountRepository
from optimus.storage.events import EventRepository
from optimus.storage.memory_index import MemoryIndex
from optimus.storage.records import MemoryFilter, MemoryOutline
from optimus.usage import ANSWER, EXTRACTION, SUMMARY, Answer, read_answer

LISTED = 10
"""How many memories a list names."""
MAX_AGE = timedelta(seconds=30)
"""How long an outline of memories, or the sums of all users, may be shown again."""
_DERIVED = MemoryFilter(types=frozenset(MemoryType) - {MemoryType.CONVERSATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedMemory:
    """A memory with how often it went into an answer, and when last."""

    memory: Memory
    answers: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryReport:
    """What the owner's present memories did in a period; messages are not counted as memories here."""

    growth: tuple[Growth, ...]
    most_used: tuple[UsedMemory, ...]
    unused: tuple[Memory, ...]
    """The oldest of those that went into no answer."""
    unused_count: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUsage:
    """One account's sums."""

    username: str
    """Empty where the account is gone."""
    total: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outline:
    read_at: datetime
    memories: list[MemoryOutline]


class AnalyticsService:
    """Reads answers and memories and sums them up; every call names the owner, or proves an admin."""

    def __init__(
        self, *, events: EventRepository, memories: MemoryIndex, accounts: AccountRepository, clock: Clock
    ) -> None:
        self._events = events
        self._memories = memories
        self._accounts = accounts
        self._clock = clock
        self._log = AnswerLog(events)
        self._looks = AnswerLog(events, kind=EXTRACTION)
        self._summaries = AnswerLog(events, kind=SUMMARY)
        self._outlines: dict[tuple[UserId, int], _Outline] = {}
        self._by_user: dict[tuple[int | None, str], tuple[datetime, list[UserUsage]]] = {}

    def report(self, owner: UserId, *, days: int | None, zone: tzinfo) -> Report:
        """Return the figures of the owner's last `days` days in a time zone; None means all days."""
        return report_on(self._log.of(owner), self._period(days, zone))

    def looking(self, owner: UserId, period: Period) -> Tally:
        """Return what models took in a period to look for the owner's memories, and to summarize long chats."""
        taken = (*self._looks.of(owner), *self._summaries.of(owner))
        return tally([each for each in taken if period.has(each.at)])

    def memories(self, owner: UserId, report: Report) -> MemoryReport:
        """Return what the owner's memories did in the period of a report of theirs."""
        outline = self._outline(owner)
        present = {memory.id for memory in outline}
        used = [use for use in report.used if use.memory_id in present]
        idle = unused(outline, used)
        top = {use.memory_id: use for use in used[:LISTED]}
        return MemoryReport(
            growth=growth(outline, report.period),
            most_used=tuple(
                UsedMemory(memory=memory, answers=top[memory.id].answers, last_at=top[memory.id].last_at)
                for memory in self._memories.get(owner, list(top))
            ),
            unused=tuple(self._memories.get(owner, [memory.id for memory in idle[:LISTED]])),
            unused_count=len(idle),
            count=len(outline),
        )

    def by_user(self, principal: Principal, *, days: int | None, zone: tzinfo) -> list[UserUsage]:
        """Return the sums of every account, the one with the most answers first.

        Raises:
            PermissionDeniedError: the principal may not see them.
        """
        authorize(principal, Action.SEE_USAGE_OF_ALL)
        key, now = (days, str(zone)), self._clock()
        known = self._by_user.get(key)
        if known is None or now - known[0] > MAX_AGE:
            known = self._by_user[key] = (now, self._sum_up(self._period(days, zone)))
        return known[1]

    def forget(self, owner: UserId) -> None:
        """Drop what is kept in memory about an owner, whose data were erased."""
        self._log.forget(owner)
        self._looks.forget(owner)
        self._summaries.forget(owner)
        self._by_user.clear()
        for key in [key for key in list(self._outlines) if key[0] == owner]:
            self._outlines.pop(key, None)

    def _sum_up(self, period: Period) -> list[UserUsage]:
        names = {user.id: user.username for user in self._accounts.users()}
        answers: dict[UserId, list[Answer]] = defaultdict(list)
        for row in self._events.records_of_all(ANSWER, since=period.begins):
            answer = read_answer(row)
            answers[answer.owner].append(answer)
        found = [
            UserUsage(username=names.get(owner, ""), total=tally(answers.get(owner, [])))
            for owner in {*names, *answers}
        ]
        return sorted(found, key=lambda usage: (-usage.total.answers, usage.username))

    def _period(self, days: int | None, zone: tzinfo) -> Period:
        return Period.of(days, now=self._clock(), zone=zone)

    def _outline(self, owner: UserId) -> list[MemoryOutline]:
        """Return kind and time of the owner's memories; a change in their number is seen at once."""
        key, now = (owner, self._memories.count(owner, _DERIVED)), self._clock()
        known = self._outlines.get(key)
        if known is None or now - known.read_at > MAX_AGE:
            for old in [old for old, value in list(self._outlines.items()) if now - value.read_at > MAX_AGE]:
                self._outlines.pop(old, None)
            known = self._outlines[key] = _Outline(read_at=now, memories=self._memories.outline(owner, _DERIVED))
        return known.memories
