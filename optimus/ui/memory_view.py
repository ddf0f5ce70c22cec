"""Which memories to look at: search as one types, kinds with their numbers, and filters that stand in the address."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import streamlit as st

from optimus.memory_manager.views import MemoryView, Origin, Standing
from optimus.models import MemoryType
from optimus.ui.guard import PageContext
from optimus.ui.settings_memory import SETTINGS_PAGE
from optimus.ui.text import count, day, option, plain, viewer_zone

QUERY_KEY = "memory_query"
KINDS = {
    "All": None,
    "Facts": MemoryType.FACT,
    "Preferences": MemoryType.PREFERENCE,
    "People": MemoryType.RELATIONSHIP,
    "Notes": MemoryType.NOTE,
    "Documents": MemoryType.DOCUMENT,
    "Messages": MemoryType.CONVERSATION,
}
ORIGINS = {"Any": None, "Chat": Origin.CHAT, "You wrote it": Origin.HAND, "Imported": Origin.IMPORT}
STANDINGS = {
    "Current": Standing.CURRENT,
    "Replaced": Standing.REPLACED,
    "Deleted": Standing.DELETED,
    "Needs review": Standing.REVIEW,
}
IMPORTANCES = {"Any": None, "At least medium": 0.5, "High": 0.7, "Highest": 0.85}
_KIND = "kind"
_FILTERS = ("source", "status", "importance", "said", "on")
"""Names in the address. What is searched for does not stand there: it may be personal, and addresses are kept."""
_ABOUT = "memory_about"


def draw_view(context: PageContext) -> MemoryView:
    """Draw search and filters and return what they say; an address that makes no sense is as if it said nothing."""
    with st.container(horizontal=True, vertical_alignment="bottom", wrap=False):
        query = st.text_input(
            "Search",
            key=QUERY_KEY,
            type="search",
            live=True,
            placeholder="Search what is remembered",
            icon=":material/search:",
            max_chars=500,
        )
        with st.popover("Filters", icon=":material/tune:", width="content"):
            view = _draw_filters(query or "")
    view = replace(view, kind=_draw_kinds(context, view))
    _draw_active(context, view)
    return view


def draw_clear() -> None:
    """Draw the button that shows everything current again."""
    st.button("Clear search and filters", icon=":material/filter_alt_off:", key="memory_clear", on_click=_clear)


def _draw_filters(query: str) -> MemoryView:
    origin = st.selectbox("Source", list(ORIGINS), key="source", bind="query-params")
    standing = st.selectbox("Status", list(STANDINGS), key="status", bind="query-params")
    importance = st.selectbox("Importance", list(IMPORTANCES), key="importance", bind="query-params")
    about = st.text_input("About a person or thing", key=_ABOUT, max_chars=100, placeholder="Maria")
    said = st.date_input("Said between", value=[], key="said", bind="query-params", format="YYYY-MM-DD")
    since, until = _moments(said)
    then = st.date_input(
        "As it was on",
        value=None,
        key="on",
        bind="query-params",
        format="YYYY-MM-DD",
        help="What was remembered at the end of that day, in the words of then. Status does not count then.",
    )
    return MemoryView(
        query=query.strip(),
        origin=ORIGINS[origin],
        standing=STANDINGS[standing],
        since=since,
        until=until,
        min_importance=IMPORTANCES[importance],
        about=(about or "").strip(),
        as_of=_end_of(then),
    )


def _draw_kinds(context: PageContext, view: MemoryView) -> MemoryType | None:
    numbers = context.services.library.views.tally(context.principal.user_id, view)
    messages = numbers.get(MemoryType.CONVERSATION, 0)
    totals = {"All": sum(numbers.values()) - messages} | {
        name: numbers.get(kind, 0) for name, kind in KINDS.items() if kind
    }
    asked = next((name for name, kind in KINDS.items() if kind and kind.value == st.query_params.get(_KIND)), "All")
    shown = [name for name in KINDS if name != "Documents" or totals[name] or name == asked]
    chosen = st.pills(
        "Kind",
        shown,
        default=asked,
        required=True,
        format_func=lambda name: option(f"{name} {totals[name]:,}"),
        key=f"memory_kind_{asked}_{'_'.join(str(totals[name]) for name in shown)}",
        label_visibility="collapsed",
    )
    kind = KINDS[chosen or "All"]
    if chosen != asked:
        if kind:
            st.query_params[_KIND] = kind.value
        else:
            st.query_params.pop(_KIND, None)
        st.rerun()
    return kind


def _draw_active(context: PageContext, view: MemoryView) -> None:
    if view.about:
        st.caption(f"Only what names “{plain(view.about)}”.")
    if view.as_of:
        st.caption(
            f":material/history: What was remembered at the end of {day(view.as_of - timedelta(days=1))}, as it read "
            "then. What was deleted since is not shown."
        )
    elif view.standing is Standing.DELETED:
        days = context.services.preferences.of(context.principal.user_id).bin_days
        kept = f"for {count(days, 'day')} after they were deleted" if days else "as long as your account"
        st.caption(f"Deleted memories are not used in answers. They stay here {kept}, and you can bring them back.")
        st.page_link(SETTINGS_PAGE, label="Change how long", query_params={"section": "Memory"}, width="content")
    elif view.standing is Standing.REPLACED:
        st.caption("What was true before, and messages that are no longer looked up. None of it is used as true now.")
    elif view.kind is MemoryType.CONVERSATION:
        st.caption("Everything you said in chats, as you said it. Memories are made from it.")


def _moments(said: object) -> tuple[datetime | None, datetime | None]:
    """Return the beginning and the end of a range of days in the viewer's time zone."""
    days = [each for each in said if isinstance(each, date)] if isinstance(said, tuple) else []
    starts = [datetime.combine(each, time(), tzinfo=viewer_zone()) for each in days]
    since = starts[0] if starts else None
    until = starts[1] + timedelta(days=1) if len(starts) > 1 else None
    return since, until


def _end_of(chosen: object) -> datetime | None:
    """Return the end of a day in the viewer's time zone."""
    if not isinstance(chosen, date):
        return None
    return datetime.combine(chosen, time(), tzinfo=viewer_zone()) + timedelta(days=1)


def _clear() -> None:
    for key in (QUERY_KEY, _ABOUT, *_FILTERS):
        st.session_state.pop(key, None)
    st.query_params.clear()
