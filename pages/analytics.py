"""What the user's chats took, and what memory did for them; admins also see sums by user."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import streamlit as st

from optimus.analytics.report import Report
from optimus.analytics.service import MemoryReport
from optimus.auth.permissions import Action, is_allowed
from optimus.ui.analytics_charts import draw_answers, draw_cost, draw_growth, draw_times, draw_tokens
from optimus.ui.analytics_tables import (
    draw_days,
    draw_download,
    draw_looking,
    draw_memory_use,
    draw_models,
    draw_users,
)
from optimus.ui.analytics_text import money, seconds, share
from optimus.ui.chat_sidebar import CHAT_PAGE
from optimus.ui.guard import PageContext, act, run_page
from optimus.ui.text import count, option, viewer_zone

RANGES = {"7 days": 7, "30 days": 30, "90 days": 90, "All": None}
SAVING_HELP = (
    "An estimate at four characters a token. It compares the memories and earlier messages that models were given "
    "with everything said before in all your chats, which a model without memory would have to be sent each time. "
    "With little said there is nothing to save."
)


def render(context: PageContext) -> None:
    """Draw the figures of the chosen time."""
    st.title("Analytics")
    zone = viewer_zone()
    st.caption(f"What your chats took and what memory did for them. Days are those of your time zone, {zone.key}.")
    chosen = st.segmented_control(
        "Time",
        list(RANGES),
        default="30 days",
        required=True,
        key="analytics_range",
        label_visibility="collapsed",
        format_func=option,
    )
    days = RANGES[chosen or "30 days"]
    owner = context.principal.user_id
    report = context.services.analytics.report(owner, days=days, zone=zone)
    memories = context.services.analytics.memories(owner, report)
    _draw_own(report, memories)
    draw_looking(context.services.analytics.looking(owner, report.period))
    if is_allowed(context.principal.role, Action.SEE_USAGE_OF_ALL):
        _draw_everyone(context, days, zone)


def _draw_own(report: Report, memories: MemoryReport) -> None:
    if not report.answers:
        _draw_empty(report)
    else:
        _draw_totals(report)
        _draw_charts(report, memories)
        draw_days(report)
        draw_models(report)
    if not report.answers and memories.count:
        draw_growth(memories.growth)
    if memories.count:
        draw_memory_use(memories)
    if report.answers:
        draw_download(report)


def _draw_empty(report: Report) -> None:
    if report.has_earlier:
        st.info("No answers in this time. Choose a longer one, or ask something.", icon=":material/monitoring:")
    else:
        st.info("There is nothing to show yet. Ask something, and it is counted here.", icon=":material/monitoring:")
    st.page_link(CHAT_PAGE, label="Start a chat", icon=":material/chat_bubble:")


def _draw_totals(report: Report) -> None:
    total, saved = report.total, report.saving.share
    unknown = f"{total.unpriced:,} unknown" if total.unpriced else None
    with st.grid(4, min_column_width=150, key="analytics_totals"):
        _metric("Messages", f"{total.messages:,}")
        _metric("Answers", f"{total.answers:,}", note=f"{total.failed:,} failed" if total.failed else None)
        _metric("Tokens in", total.input_tokens)
        _metric("Tokens out", total.output_tokens)
        _metric(
            "Cost",
            "unknown" if total.cost_is_unknown else money(total.cost),
            note=unknown,
            explained=_cost_help(total.unpriced),
        )
        _metric("Saved by memory", "–" if saved is None else share(saved), explained=SAVING_HELP)
        if report.first_token:
            times = report.first_token
            _metric("First words within 2 s", share(times.prompt_share), note=f"median {seconds(times.median_ms)}")
        if report.duration:
            times = report.duration
            _metric("Answers within 2 s", share(times.prompt_share), note=f"median {seconds(times.median_ms)}")


def _cost_help(unpriced: int) -> str:
    unknown = f" The price of {count(unpriced, 'answer')} is unknown." if unpriced else ""
    return f"By the list prices that come with Optimus; models on this machine cost nothing.{unknown}"


def _metric(label: str, value: str | int, *, note: str | None = None, explained: str | None = None) -> None:
    st.metric(
        label,
        value,
        note,
        delta_color="off",
        delta_arrow="off",
        format="compact" if isinstance(value, int) else None,
        help=explained,
        border=True,
        height="stretch",
    )


def _draw_charts(report: Report, memories: MemoryReport) -> None:
    for draw_left, draw_right in ((draw_answers, draw_cost), (draw_tokens, draw_times)):
        left, right = st.columns(2, gap="medium")
        with left:
            draw_left(report)
        with right:
            draw_right(report)
    draw_growth(memories.growth)


def _draw_everyone(context: PageContext, days: int | None, zone: ZoneInfo) -> None:
    st.divider()
    if not st.toggle(
        "Show the totals of every user", key="analytics_everyone", help="Sums only, nothing that was said"
    ):
        return
    with st.spinner("Adding up…"):
        users = act(context.services.analytics.by_user, context.principal, days=days, zone=zone)
    if users is not None:
        draw_users(users)


run_page(render, Action.USE_ANALYTICS)
