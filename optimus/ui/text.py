"""Words and dates on screen."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import streamlit as st

from optimus.models import MemoryStatus, MemoryType, MemoryUse, Role, ScorePart
from optimus.ui.state import ui_state

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")

_CONTINENTS = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)

TYPE_NAMES = {
    MemoryType.CONVERSATION: "message",
    MemoryType.NOTE: "note",
    MemoryType.DOCUMENT: "document",
    MemoryType.PREFERENCE: "preference",
    MemoryType.FACT: "fact",
    MemoryType.RELATIONSHIP: "person",
}
STATUS_NAMES = {
    MemoryStatus.ACTIVE: "current",
    MemoryStatus.SUPERSEDED: "replaced",
    MemoryStatus.ARCHIVED: "hidden",
    MemoryStatus.QUARANTINED: "needs review",
    MemoryStatus.DELETED: "deleted",
}
_REASONS = {
    ScorePart.DENSE: "close in meaning",
    ScorePart.CONTEXT: "close in what was said around it",
    ScorePart.KEYWORD: "shares words",
    ScorePart.KEYWORD_CONTEXT: "shares words with what was said around it",
    ScorePart.RECENCY: "recent",
    ScorePart.IMPORTANCE: "important",
    ScorePart.ENTITY: "names what was asked about",
    ScorePart.SPEAKER: "said by whom the question is about",
    ScorePart.PIN: "pinned",
}
_REASONS_SHOWN = 3
ROLE_NAMES = {Role.USER: "User", Role.ADMIN: "Admin"}


def plain(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def why(use: MemoryUse) -> str:
    """Return how well a memory matched a question and, in a few words, why it was given to the answer."""
    if not use.score:
        return "given because little is known so far"
    strongest = sorted((part for part in use.parts if part in _REASONS), key=lambda part: -use.parts[part])
    told = [_REASONS[part] for part in strongest[:_REASONS_SHOWN]]
    return f"match {use.score:.0%}" + (f": {', '.join(told)}" if told else "")


def option(label: str) -> str:
    """Return the label of a choice that is read as well when it is chosen.

    Streamlit writes a chosen one in the primary colour. On a dark page no colour is dark enough for the white text
    of a button on it and light enough to be text itself (WCAG 2.2, 1.4.3).
    """
    return f":gray[{label}]"


def day(moment: datetime) -> str:
    """Return a date in the viewer's time zone: `22 Nov 2026`."""
    return f"{_local(moment).day} {_local(moment):%b %Y}"


def minute(moment: datetime) -> str:
    """Return a date with its time of day in the viewer's time zone: `22 Nov 2026, 09:05`."""
    return f"{day(moment)}, {_local(moment):%H:%M}"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 fact`, `1,200 facts`, `3 memories`."""
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeou" else f"{noun}s"
    return f"{number:,} {plural}"


def viewer_zone() -> ZoneInfo:
    """Return the time zone that the viewer chose, else the browser's; UTC where neither is known."""
    return _zone(ui_state().time_zone) or browser_zone()


def browser_zone() -> ZoneInfo:
    """Return the browser's time zone; UTC where it names none that is known."""
    return _zone(st.context.timezone or "") or ZoneInfo("UTC")


@cache
def zones() -> tuple[str, ...]:
    """Return the names of the time zones that people choose from, a place each, and UTC."""
    return ("UTC", *sorted(name for name in available_timezones() if name.startswith(_CONTINENTS)))


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _local(moment: datetime) -> datetime:
    return moment.astimezone(viewer_zone())


def dollars(amount: float) -> str:
    """Return an amount for Markdown, small ones with more places."""
    places = 2 if amount == 0 or amount >= 1 else 4
    return rf"\${amount:,.{places}f}"
