"""How much there is, and how busy it is: counts only."""

from __future__ import annotations

import streamlit as st

from optimus.overview import Recent
from optimus.ui.guard import PageContext, act
from optimus.ui.text import count

_WIDTH = 160


def draw_numbers(context: PageContext) -> None:
    """Draw the counters."""
    counters = act(context.services.overview.counters, context.principal)
    if counters is None:
        return
    st.subheader("Now")
    with st.container(horizontal=True):
        _metric("Users", counters.users, f"{counters.locked:,} locked")
        _metric("Active sessions", counters.sessions, "signed-in browsers")
        _metric("Conversations", counters.conversations, "of all users")
        _metric("Memories", counters.memories, "messages not counted")
    st.subheader("Lately")
    with st.container(horizontal=True):
        _draw_recent("Answers", counters.answers)
        _draw_recent("Failed sign-ins", counters.failed_sign_ins)
    if counters.failed_sign_ins.day:
        tries = count(counters.failed_sign_ins.day, "failed sign-in")
        st.caption(f"{tries} in the last 24 hours: the log tells when, and for which accounts.")


def _draw_recent(label: str, recent: Recent) -> None:
    _metric(label, recent.day, "in 24 hours")
    _metric(label, recent.week, "in 7 days")


def _metric(label: str, value: int, unit: str) -> None:
    with st.container(border=True, width=_WIDTH, gap=None):
        st.metric(label, f"{value:,}")
        st.caption(unit)
