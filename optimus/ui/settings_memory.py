"""Settings: what a chat remembers and what answers are made from; and the note about it in the chat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from optimus.models import MemoryType
from optimus.ui.guard import PageContext, did
from optimus.ui.text import count, option

KINDS = {
    MemoryType.FACT: "Facts and plans",
    MemoryType.PREFERENCE: "Preferences",
    MemoryType.RELATIONSHIP: "People",
    MemoryType.NOTE: "Notes",
    MemoryType.CONVERSATION: "Whole messages",
}
BIN_DAYS: Mapping[int | None, str] = {7: "7 days", 30: "30 days", 90: "90 days", 365: "1 year", None: "always"}
CHECKUP_DAYS: Mapping[int | None, str] = {1: "every day", 7: "every week", 30: "every month", None: "only when I ask"}
SETTINGS_PAGE = str(Path(__file__).parent.parent.parent / "pages" / "settings.py")
"""The settings for links; Streamlit knows a page by its path."""


def draw_memory(context: PageContext) -> None:
    """Draw the choices; nothing changes before they are saved."""
    _draw_use(context)
    _draw_upkeep(context)


def _draw_use(context: PageContext) -> None:
    preferences = context.services.preferences
    chosen = preferences.of(context.principal.user_id)
    with st.form(f"memory_{chosen.version}", border=True):
        with st.container(gap="xxsmall"):
            remembers = st.toggle("Remember what I say", value=chosen.remembers)
            st.caption("Off: chats keep nothing and forget nothing. What is remembered already stays.")
        with st.container(gap="xxsmall"):
            recalls = st.toggle("Use memories in answers", value=chosen.recalls)
            st.caption("Off: an answer is made from its own chat only.")
        with st.container(gap="xxsmall"):
            tools = st.toggle("Let models search and change memories", value=chosen.uses_tools)
            st.caption("What a model did is shown under its answer, with Undo. It never forgets anything unasked.")
        at_most = st.number_input(
            "How many memories an answer may use", 0, preferences.max_memories, chosen.max_memories, step=1
        )
        never = st.pills(
            "Never remember",
            list(KINDS),
            selection_mode="multi",
            default=[kind for kind in KINDS if kind in chosen.never_store],
            format_func=lambda kind: option(KINDS[kind]),
        )
        st.caption(
            "Kinds are told by how a sentence is worded. A sentence that was not recognised may stay as part of its "
            "message; choose “Whole messages” to keep none. What you add on the Memory page is always kept."
        )
        saved = st.form_submit_button("Save", type="primary")
    if saved and did(
        preferences.choose_memory,
        context.principal.user_id,
        remembers=remembers,
        recalls=recalls,
        max_memories=at_most,
        never_store=never,
        uses_tools=tools,
    ):
        context.state.done = "Saved"
        st.rerun()


def _draw_upkeep(context: PageContext) -> None:
    preferences = context.services.preferences
    chosen = preferences.of(context.principal.user_id)
    kept = _with_own(BIN_DAYS, chosen.bin_days)
    looks = _with_own(CHECKUP_DAYS, chosen.checkup_days)
    with st.form(f"upkeep_{chosen.version}", border=True):
        bin_days = st.selectbox(
            "Keep deleted memories for", list(kept), list(kept).index(chosen.bin_days), format_func=kept.__getitem__
        )
        st.caption("After that they are deleted for good, once a day. Until then they can be brought back.")
        checkup_days = st.selectbox(
            "Look through my memories",
            list(looks),
            list(looks).index(chosen.checkup_days),
            format_func=looks.__getitem__,
        )
        st.caption("What is found stands on the Memory page, under Health. Nothing is changed by itself.")
        saved = st.form_submit_button("Apply", type="primary")
    if saved and did(
        preferences.choose_upkeep, context.principal.user_id, bin_days=bin_days, checkup_days=checkup_days
    ):
        context.state.done = "Saved"
        st.rerun()


def _with_own(offered: Mapping[int | None, str], own: int | None) -> dict[int | None, str]:
    """Return what is offered, and what was chosen elsewhere."""
    return dict(offered) | ({} if own in offered else {own: count(own or 0, "day")})


def draw_memory_note(context: PageContext) -> None:
    """Say under a chat's input what of memory is switched off; nothing where all of it is on."""
    chosen = context.services.preferences.of(context.principal.user_id)
    parts = [] if chosen.remembers else ["nothing that you say is remembered"]
    parts += [] if chosen.recalls and chosen.max_memories else ["answers use no memories"]
    if not parts:
        return
    with st.bottom, st.container(horizontal=True, vertical_alignment="center", gap="small", key="memory_note"):
        st.caption(f":material/bedtime: Memory is off: {' and '.join(parts)}.", width="content")
        st.page_link(SETTINGS_PAGE, label="Change", query_params={"section": "Memory"}, width="content")
