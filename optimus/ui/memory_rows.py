"""One remembered thing in the list: read it, correct it, delete it."""

from __future__ import annotations

import streamlit as st

from optimus.models import MAX_MEMORY_CHARS, Memory, MemoryType
from optimus.ui.chat_sidebar import CHAT_PAGE
from optimus.ui.guard import PageContext, act
from optimus.ui.text import TYPE_NAMES, count, day


def draw_row(context: PageContext, memory: Memory) -> None:
    """Draw a memory with its date, where it comes from and its two actions; or its editor."""
    with st.container(border=True, key=f"memory_{memory.id}"):
        if context.state.editing == memory.id:
            _draw_editor(context, memory)
            return
        with st.container(horizontal=True, vertical_alignment="center", wrap=False):
            with st.container(gap=None, width="stretch"):
                st.text(memory.text)
                st.caption(_details(memory))
            _draw_actions(context, memory)


def _draw_actions(context: PageContext, memory: Memory) -> None:
    with st.container(horizontal=True, width="content", gap="small"):
        if memory.provenance.conversation_id and st.button(
            "", icon=":material/forum:", key=f"source_{memory.id}", type="tertiary", help="Open the chat it comes from"
        ):
            st.switch_page(CHAT_PAGE, query_params={"chat": memory.provenance.conversation_id})
        if memory.type is not MemoryType.CONVERSATION and st.button(
            "", icon=":material/edit:", key=f"edit_{memory.id}", type="tertiary", help="Edit"
        ):
            context.state.editing, context.state.editing_version = memory.id, memory.version
            st.rerun()
        if st.button("", icon=":material/delete:", key=f"delete_{memory.id}", type="tertiary", help="Delete"):
            _forget(context, memory)


def _forget(context: PageContext, memory: Memory) -> None:
    forgotten = act(context.services.memory.forget, context.principal.user_id, memory.id)
    if forgotten:
        context.state.forgotten.append(memory.id)
        st.rerun()


def _draw_editor(context: PageContext, memory: Memory) -> None:
    with st.form(f"editor_{memory.id}", border=False):
        text = st.text_area(
            "Edit this memory",
            value=memory.text,
            key=f"edited_{memory.id}_{context.state.editing_version}",
            max_chars=MAX_MEMORY_CHARS,
            height=100,
        )
        with st.container(horizontal=True):
            saved = st.form_submit_button("Save", type="primary")
            cancelled = st.form_submit_button("Cancel")
    if saved and not _save(context, memory, text):
        return
    if saved or cancelled:
        context.state.editing = None
        st.rerun()


def _save(context: PageContext, memory: Memory, text: str) -> bool:
    edit = context.services.memory.edit
    changed = act(edit, context.principal.user_id, memory.id, text, expected_version=context.state.editing_version)
    return changed is not None


def _details(memory: Memory) -> str:
    parts = [TYPE_NAMES[memory.type], day(memory.recorded_at)]
    if memory.confirmations > 1:
        parts.append(f"said {count(memory.confirmations, 'time')}")
    if memory.version > 1 and memory.updated_at.date() != memory.recorded_at.date():
        parts.append(f"changed {day(memory.updated_at)}")
    return " · ".join(parts)
