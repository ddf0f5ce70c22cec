"""Dates in memories."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from optimus.memory_manager.rules.dates import resolve
from optimus.memory_manager.rules.derivation import derive

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
"""A Sunday."""


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("My flight is on 3 May", "My flight is on 3 May 2027"),
        ("I have a dentist appointment tomorrow", "I have a dentist appointment on 23 November 2026"),
        ("Tomorrow I have a dentist appointment", "I have a dentist appointment on 23 November 2026"),
        ("My exam is on Friday at 9 am", "My exam is on Friday 27 November 2026 at 9 am"),
        ("I'm flying to Oslo on 12 December", "I'm flying to Oslo on 12 December 2026"),
        ("We're flying to Rome in two weeks", "We're flying to Rome on 6 December 2026"),
        ("I'm getting married next May", "I'm getting married in May 2027"),
        ("I broke my leg last month", "I broke my leg in October 2026"),
        ("I need to call the bank tomorrow", "I need to call the bank on 23 November 2026"),
        ("remember to buy milk tomorrow", "I need to buy milk on 23 November 2026"),
        ("We moved to Braga last year", "We moved to Braga in 2025"),
        ("My sister is getting married in June", "My sister is getting married in June 2027"),
    ],
)
def test_plans_carry_their_date(message, text):
    """A relative date is written out, so that the memory is true on any later day."""
    assert [candidate.text for candidate in derive(message, now=NOW)] == [text]


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("the day after tomorrow", "on 24 November 2026"),
        ("yesterday", "on 21 November 2026"),
        ("tonight", "on the evening of 22 November 2026"),
        ("tomorrow morning", "on the morning of 23 November 2026"),
        ("next week", "in the week of 23 November 2026"),
        ("this weekend", "on the weekend of 21 November 2026"),
        ("I met Ana on Friday", "I met Ana on Friday 20 November 2026"),
        ("I graduated 3 years ago", "I graduated in 2023"),
        ("I bought it in June", "I bought it in June 2026"),
        ("until Friday", "until Friday 27 November 2026"),
        ("on May 3rd at 10:30", "on 3 May 2027 at 10:30"),
        ("on the 5th", "on 5 December 2026"),
        ("on 29 February", "on 29 February"),
        ("on 31 Feb", "on 31 Feb"),
        ("on 3 May 2028", "on 3 May 2028"),
        ("every Monday", "every Monday"),
        ("tomorrow's exam", "tomorrow's exam"),
        ("nothing here", "nothing here"),
    ],
)
def test_relative_dates_are_resolved(text, resolved):
    """Relative dates become dates; what repeats, is dated already or does not exist stays."""
    assert resolve(text, NOW) == resolved


def test_a_birthday_keeps_no_year():
    """A birthday comes every year."""
    assert [item.text for item in derive("My birthday is on 3 May", now=NOW)] == ["My birthday is on 3 May"]


def test_an_appointment_without_a_day_is_no_memory():
    """A plan that names no day is left to the episode."""
    assert derive("I have a meeting", now=NOW) == []
