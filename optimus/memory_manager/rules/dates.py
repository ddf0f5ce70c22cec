"""Dates in a clause: find them, and put the day where the user said `tomorrow`.

Days are those of `now`. A written date is `3 May 2027`; a month or a year alone stays one.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, timedelta

from optimus.memory_manager.rules.lexicon import MONTHS, WEEKDAYS

_WEEK = 7
_NUMBERS = {
    word: number
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
} | {"a": 1, "an": 1, "a couple of": 2}
_MONTH = "|".join(MONTHS)
_SHORT = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec"
_ANY_MONTH = rf"(?:{_MONTH}|(?:{_SHORT})\b\.?)"
_DAY = "|".join(WEEKDAYS)
_COUNT = r"\d{1,3}|a couple of|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_HELD = r"(?<!on )(?<!for )(?<!until )(?<!till )(?<!by )(?<!from )(?<!since )(?<!before )(?<!after )(?<!than )"
_PAST = re.compile(
    r"^(?:I|We)(?:'ve| have)?(?: (?:just|recently|finally|also|already))? (?:was|were|had|went|got|bought|did|saw|met|"
    r"ran|left|became|broke|won|began|flew|lost|(?!need\b|speed\b|feed\b)\w{2,}ed)\b|^(?:My|Our|The) .*\b(?:was|"
    r"were|went|moved|died|passed|"
    r"left|started|turned|graduated)\b",
    re.IGNORECASE,
)

_MENTION = re.compile(
    rf"\b(?:tomorrow|tonight|yesterday|today|(?:next|this|last|coming) (?:week|weekend|month|year|{_DAY}|{_MONTH}|"
    rf"spring|summer|autumn|fall|winter)|in (?:{_COUNT}) (?:days?|weeks?|months?|years?)|(?:{_COUNT}) (?:days?|weeks?|"
    rf"months?|years?) ago|(?:{_DAY})\b|in (?:{_MONTH})\b|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_ANY_MONTH}|"
    rf"{_ANY_MONTH} \d{{1,2}}|on the \d{{1,2}}(?:st|nd|rd|th)|"
    r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}|(?:in|since|until|by) (?:19|20)\d\d|this (?:morning|afternoon|"
    r"evening)|in (?:spring|summer|autumn|fall|winter)|(?:at|for|over) (?:Christmas|Easter))",
    re.IGNORECASE,
)
_TODAY = re.compile(r"\b(?:today|tonight|this (?:morning|afternoon|evening))\b", re.IGNORECASE)
_REPEATED = re.compile(r"\b(?:every|each|usually|always|often|most)\b", re.IGNORECASE)


def mentions_date(text: str) -> bool:
    """Tell whether the text names a day, week, month or year."""
    return _MENTION.search(text) is not None


def mentions_other_day(text: str) -> bool:
    """Tell whether the text names a date that is not merely today."""
    return mentions_date(_TODAY.sub(" ", text))


def resolve(text: str, now: datetime) -> str:
    """Put dates for relative words (`tomorrow` -> `on 23 November 2026`) and years on bare dates.

    A weekday or a date without a year is the next one, or the last one where the sentence is in the past tense.
    What repeats (`every Monday`) stays as it is.
    """
    if _REPEATED.search(text) or not mentions_date(text):
        return text
    today = now.date()
    is_past = _PAST.search(text) is not None
    for pattern, write in _WRITERS:
        text = pattern.sub(lambda m, write=write: write(m, today, is_past), text)  # type: ignore[misc]
    return text


def written(day: date) -> str:
    """Return `3 May 2027`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _on(days: int) -> Callable[[re.Match[str], date, bool], str]:
    return lambda _match, today, _past: f"on {written(today + timedelta(days=days))}"


def _part_of(days: int, part: str | None = None) -> Callable[[re.Match[str], date, bool], str]:
    def write(match: re.Match[str], today: date, _past: bool) -> str:
        return f"on the {part or match[1].lower()} of {written(today + timedelta(days=days))}"

    return write


def _weekday(match: re.Match[str], today: date, is_past: bool) -> str:
    which = (match["which"] or "").lower().removeprefix("on ").strip()
    target = next(index for index, name in enumerate(WEEKDAYS) if name.lower() == match["day"].lower())
    ahead = (target - today.weekday()) % _WEEK or _WEEK
    monday = today - timedelta(days=today.weekday())
    if which == "last" or (is_past and which not in {"next", "coming", "this"}):
        day = today + timedelta(days=ahead - _WEEK) if ahead != _WEEK else today - timedelta(days=_WEEK)
    elif which == "next":
        day = monday + timedelta(days=7 + target)
    else:
        day = today + timedelta(days=ahead)
    on = "" if match["held"] else "on "
    part = f" in the {match['part'].lower()}" if match["part"] else ""
    return f"{on}{WEEKDAYS[target]} {written(day)}{part}"


def _week(match: re.Match[str], today: date, _past: bool) -> str:
    shift = {"next": 7, "last": -7}.get(match[1].lower(), 0)
    monday = today - timedelta(days=today.weekday()) + timedelta(days=shift)
    if match[2].lower() == "weekend":
        return f"on the weekend of {written(monday + timedelta(days=5))}"
    return f"in the week of {written(monday)}"


def _month_or_year(match: re.Match[str], today: date, _past: bool) -> str:
    shift = {"next": 1, "last": -1}.get(match[1].lower(), 0)
    if match[2].lower() == "year":
        return f"in {today.year + shift}"
    return _month_written(_plus_months(today, shift))


def _distance(match: re.Match[str], today: date, _past: bool) -> str:
    ahead, ago = match["ahead"], match["ago"]
    count_text = (ahead or ago).lower()
    count = _NUMBERS.get(count_text) or int(count_text)
    count = count if ahead else -count
    unit = (match["unit"] or match["unit2"]).lower().rstrip("s")
    if unit == "year":
        return f"in {today.year + count}"
    if unit == "month":
        return _month_written(_plus_months(today, count))
    return f"on {written(today + timedelta(days=count * (7 if unit == 'week' else 1)))}"


def _bare_date(match: re.Match[str], today: date, is_past: bool) -> str:
    month = _month_number(match["month"] or match["month2"])
    number = int(match["number"] or match["number2"])
    for year in (today.year, today.year + 1) if not is_past else (today.year, today.year - 1):
        if not 1 <= number <= monthrange(year, month)[1]:
            continue
        day = date(year, month, number)
        if (day <= today) if is_past else (day >= today):
            return written(day)
    return match[0]


def _ordinal(match: re.Match[str], today: date, _past: bool) -> str:
    number = int(match[1])
    for ahead in range(3):
        month = _plus_months(today, ahead)
        if number <= monthrange(month.year, month.month)[1] and (ahead or number >= today.day):
            return f"on {written(month.replace(day=number))}" if number else match[0]
    return match[0]


def _bare_month(match: re.Match[str], today: date, is_past: bool) -> str:
    month = _month_number(match["month"])
    which = match["which"].lower()
    year = today.year
    if which == "last" or (is_past and which == "in"):
        year -= month > today.month or (which == "last" and month == today.month)
    elif month < today.month or (which == "next" and month == today.month):
        year += 1
    return f"in {MONTHS[month - 1]} {year}"


def _month_written(day: date) -> str:
    return f"in {MONTHS[day.month - 1]} {day.year}"


def _plus_months(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _month_number(name: str) -> int:
    return next(index for index, month in enumerate(MONTHS, 1) if month.lower().startswith(name[:3].lower()))


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_PARTS = "morning|afternoon|evening|night"
_WRITERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date, bool], str]], ...] = (
    (_pattern(r"\b(?:on )?the day after tomorrow\b"), _on(2)),
    (_pattern(r"\b(?:on )?the day before yesterday\b"), _on(-2)),
    (_pattern(rf"\btomorrow ({_PARTS})\b"), _part_of(1)),
    (_pattern(rf"\byesterday ({_PARTS})\b"), _part_of(-1)),
    (_pattern(r"\blast night\b"), _part_of(-1, "night")),
    (_pattern(r"\bthis (morning|afternoon|evening)\b"), _part_of(0)),
    (_pattern(r"\btonight\b(?!')"), _part_of(0, "evening")),
    (_pattern(r"(?<!for )(?<!until )(?<!till )(?<!by )(?<!from )(?<!before )\btomorrow\b(?!')"), _on(1)),
    (_pattern(r"\btomorrow\b(?!')"), lambda _m, today, _p: written(today + timedelta(days=1))),
    (_pattern(r"\byesterday\b(?!')"), _on(-1)),
    (_pattern(r"(?<!as of )\btoday\b(?!')"), _on(0)),
    (_pattern(r"\b(next|this|last) (week|weekend)\b(?!')"), _week),
    (_pattern(r"\b(next|this|last) (month|year)\b(?!')"), _month_or_year),
    (
        _pattern(
            rf"\b(?:in (?P<ahead>{_COUNT}) (?P<unit>days?|weeks?|months?|years?)(?:' time)?|"
            rf"(?P<ago>{_COUNT}) (?P<unit2>days?|weeks?|months?|years?) ago)\b"
        ),
        _distance,
    ),
    (
        _pattern(
            rf"(?P<held>(?:until|till|by|from|since|before|after|for) )?\b(?P<which>on |next |this |coming |"
            rf"last )?(?P<day>{_DAY})\b(?! \d)(?!')(?: (?P<part>{_PARTS}))?"
        ),
        lambda m, today, past: (m["held"] or "") + _weekday(m, today, past),
    ),
    (
        _pattern(
            rf"\b(?:(?P<number>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_ANY_MONTH})|"
            rf"(?P<month2>{_ANY_MONTH}) (?P<number2>\d{{1,2}})(?:st|nd|rd|th)?)\b(?!,? \d{{4}})(?!\d)(?!:)"
        ),
        _bare_date,
    ),
    (_pattern(r"\bon the (\d{1,2})(?:st|nd|rd|th)\b(?! of)"), _ordinal),
    (_pattern(rf"\b(?P<which>in|next|last|this) (?P<month>{_MONTH})\b(?! \d)"), _bare_month),
)
