"""The answers of a user, read once and then only what is new: a long history costs half a second to read whole."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta
from threading import Lock

from optimus.models import UserId
from optimus.storage.events import EventRepository
from optimus.usage import ANSWER, Answer, read_answer

MAX_ANSWERS = 100_000
"""Over all users; beyond it those who looked longest ago are read again."""
OVERLAP = timedelta(minutes=2)
"""How late an answer may be stored after the time that it carries."""


class AnswerLog:
    """Answers by owner, kept in memory; they are numbers and ids, as the events are. Safe from any thread."""

    def __init__(self, events: EventRepository, *, kind: str = ANSWER, max_answers: int = MAX_ANSWERS) -> None:
        self._events = events
        self._kind = kind
        self._max_answers = max_answers
        self._known: OrderedDict[UserId, tuple[Answer, ...]] = OrderedDict()
        self._lock = Lock()

    def of(self, owner: UserId) -> tuple[Answer, ...]:
        """Return all answers of the owner, the oldest first."""
        with self._lock:
            known = self._known.get(owner, ())
        since = known[-1].at - OVERLAP if known else None
        seen = {answer.id for answer in known if since and answer.at >= since}
        new = [read_answer(row) for row in self._events.records(owner, self._kind, since=since) if row.id not in seen]
        if new:
            known = tuple(sorted((*known, *new), key=lambda answer: answer.at))
        self._keep(owner, known)
        return known

    def forget(self, owner: UserId) -> None:
        """Drop what is kept of an owner, whose events were erased."""
        with self._lock:
            self._known.pop(owner, None)

    def _keep(self, owner: UserId, answers: tuple[Answer, ...]) -> None:
        with self._lock:
            self._known[owner] = answers
            self._known.move_to_end(owner)
            while len(self._known) > 1 and sum(map(len, self._known.values())) > self._max_answers:
                self._known.popitem(last=False)
