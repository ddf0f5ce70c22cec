"""How much there is, and how busy it is: counts only, of all together and by user."""

from __future__ import annotations

import streamlit as st

from optimus.analytics.service import UserUsage
from optimus.overview import Recent
from optimus.ui.analytics_tables import draw_users
from optimus.ui.analytics_text import money
from optimus.ui.guard import PageContext, act
from optimus.ui.text import count, viewer_zone

_WIDTH = 160
_LISTED = 50


def draw_numbers(context: PageContext) -> None:
    """Draw the counters, today's use, and its sums by user."""
    counters = act(context.services.overview.counters, context.principal)
    today = act(context.services.analytics.by_user, context.principal, days=1, zone=viewer_zone())
    if counters is None or today is None:
        return
    st.subheader("Now", anchor=False)
    with st.container(horizontal=True):
        _metric("Users", counters.users, f"{counters.locked:,} locked")
        _metric("Active sessions", counters.sessions, "signed-in browsers")
        _metric("Conversations", counters.conversations, "of all users")
        _metric("Memories", counters.memories, "messages not counted")
    st.subheader("Today", anchor=False)
    _draw_today(today)
    st.subheader("Lately", anchor=False)
    with st.container(horizontal=True):
        _draw_recent("Answers", counters.answers)
        _draw_recent("Failed sign-ins", counters.failed_sign_ins)
    if counters.failed_sign_ins.day:
        tries = count(counters.failed_sign_ins.day, "failed sign-in")
        st.caption(f"{tries} in the last 24 hours: the log tells when, and for which accounts.")
    st.subheader("Today by user", anchor=False)
    busy = [usage for usage in today if usage.total.messages or usage.total.failed]
    if busy:
        draw_users(busy[:_LISTED])
        if len(busy) > _LISTED:
            st.caption(f"The {_LISTED} with the most answers, of {count(len(busy), 'user')}. Analytics has them all.")
    else:
        st.caption("Nobody has asked anything today.")


def _draw_today(today: list[UserUsage]) -> None:
    totals = [usage.total for usage in today]
    unpriced = sum(total.unpriced for total in totals)
    with st.container(horizontal=True):
        _metric("Messages", sum(total.messages for total in totals), "of all users")
        _metric("Tokens in", sum(total.input_tokens for total in totals), "given to models")
        _metric("Tokens out", sum(total.output_tokens for total in totals), "written by models")
        unknown = f"{count(unpriced, 'answer')} without a price" if unpriced else "at list prices"
        _metric("Cost", money(sum(total.cost for total in totals)), unknown)


def _draw_recent(label: str, recent: Recent) -> None:
    _metric(label, recent.day, "in 24 hours")
    _metric(label, recent.week, "in 7 days")


def _metric(label: str, value: int | str, unit: str) -> None:
    with st.container(border=True, width=_WIDTH, gap=None):
        st.metric(label, f"{value:,}" if isinstance(value, int) else value)
        st.caption(unit)
