"""Words and dates on screen."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from optimus.models import MemoryType

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")

TYPE_NAMES = {
    MemoryType.CONVERSATION: "message",
    MemoryType.NOTE: "note",
    MemoryType.DOCUMENT: "document",
    MemoryType.PREFERENCE: "preference",
    MemoryType.FACT: "fact",
    MemoryType.RELATIONSHIP: "person",
}


def plain(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def day(moment: datetime) -> str:
    """Return a date in the viewer's time zone: `22 Nov 2026`."""
    return f"{_local(moment).day} {_local(moment):%b %Y}"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 fact`, `1,200 facts`, `3 memories`."""
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {plural}"


def _local(moment: datetime) -> datetime:
    try:
        zone = ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return moment.astimezone(UTC)
    return moment.astimezone(zone)
