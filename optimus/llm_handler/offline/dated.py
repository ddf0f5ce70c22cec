"""Answers that follow from a date in a memory and from today: an age, what comes next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime

from optimus.models import Memory

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_MONTH = "|".join(_MONTHS)
_DAY = re.compile(
    rf"\b(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH}),? (?P<year>\d{{4}})|(?P<month2>{_MONTH}) "
    rf"(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year2>\d{{4}})|(?P<iso>\d{{4}}-\d{{2}}-\d{{2}}))\b",
    re.IGNORECASE,
)
_BORN = re.compile(r"\bborn\b|\bbirth", re.IGNORECASE)
_BIRTH_YEAR = re.compile(r"\bborn (?:and raised )?in (?P<year>(?:19|20)\d\d)\b", re.IGNORECASE)
_A_YEAR = 365


def day_in(text: str) -> date | None:
    """Return the first whole date in a text (`5 April 2026`, `April 5, 2026`, `2026-04-05`)."""
    for match in _DAY.finditer(text):
        try:
            if match["iso"]:
                return date.fromisoformat(match["iso"])
            month = (match["month"] or match["month2"]).capitalize()
            return date(
                int(match["year"] or match["year2"]), _MONTHS.index(month) + 1, int(match["day"] or match["day2"])
            )
        except ValueError:
            continue
    return None


def age_by(memory: Memory, now: datetime) -> str | None:
    """Return how old somebody is by a memory of their birth (`35`, `35 or 36`); None where it does not say."""
    born = day_in(memory.text) if _BORN.search(memory.text) else None
    if born is not None:
        had_birthday = (now.month, now.day) >= (born.month, born.day)
        return str(now.year - born.year - (0 if had_birthday else 1))
    year = _BIRTH_YEAR.search(memory.text)
    return f"{now.year - int(year['year']) - 1} or {now.year - int(year['year'])}" if year else None


def is_old(memory: Memory, now: datetime) -> bool:
    """Tell whether a memory is too old for what it says of an age."""
    return (now - memory.recorded_at).days >= _A_YEAR


def coming(memories: Sequence[Memory], now: datetime) -> tuple[Memory, ...]:
    """Return those with a date from today on, the next first."""
    dated = [(day_in(memory.text), memory) for memory in memories]
    ahead = [(day, memory) for day, memory in dated if day is not None and day >= now.date()]
    return tuple(memory for _, memory in sorted(ahead, key=lambda pair: (pair[0], pair[1].id)))
