"""What Optimus remembers: find, add, correct and forget it."""

from __future__ import annotations

import streamlit as st

from optimus.auth.permissions import Action
from optimus.models import MAX_MEMORY_CHARS, MemoryId, MemoryType
from optimus.ui.chat_sidebar import CHAT_PAGE
from optimus.ui.guard import PageContext, act, run_page
from optimus.ui.memory_rows import draw_row
from optimus.ui.text import count, option

PAGE_SIZE = 20
KINDS = {
    "All": (),
    "Facts": (MemoryType.FACT,),
    "Preferences": (MemoryType.PREFERENCE,),
    "People": (MemoryType.RELATIONSHIP,),
    "Notes": (MemoryType.NOTE,),
    "Messages": (MemoryType.CONVERSATION,),
}


def render(context: PageContext) -> None:
    """Draw the list with its search, and act on one memory at a time."""
    st.title("Memory")
    st.caption("Everything Optimus remembers about you, in your own words. You can correct or delete any of it.")
    _draw_add(context)
    _draw_undo(context)
    query = st.text_input(
        "Search", key="memory_query", placeholder="Search what is remembered", icon=":material/search:", max_chars=500
    )
    kind = st.pills(
        "Kind",
        list(KINDS),
        default="All",
        required=True,
        key="memory_kind",
        label_visibility="collapsed",
        format_func=option,
    )
    _draw_list(context, query.strip(), kind or "All")


def _draw_list(context: PageContext, query: str, kind: str) -> None:
    state = context.state
    if state.memory_view != (query, kind):
        state.memory_view, state.memory_page = (query, kind), 1
    offset = (state.memory_page - 1) * PAGE_SIZE
    found = context.services.memory.list(
        context.principal.user_id, types=KINDS[kind], query=query, limit=PAGE_SIZE, offset=offset
    )
    if not found.items and found.total and state.memory_page > 1:
        state.memory_page = -(-found.total // PAGE_SIZE)
        st.rerun()
    if not found.items:
        _draw_empty(query, kind)
        return
    st.caption(count(found.total, "memory"))
    for memory in found.items:
        draw_row(context, memory)
    pages = -(-found.total // PAGE_SIZE)
    if pages > 1:
        _draw_pages(context, pages)


def _draw_pages(context: PageContext, pages: int) -> None:
    page = st.pagination(pages, default=min(context.state.memory_page, pages), key=f"memory_pages_{pages}")
    if page != context.state.memory_page:
        context.state.memory_page = page
        st.rerun()


def _draw_empty(query: str, kind: str) -> None:
    if query:
        st.info(f"Nothing found for “{query}”. Try other words, or clear the search.", icon=":material/search_off:")
    elif kind != "All":
        st.info("Nothing of this kind yet.", icon=":material/inbox:")
    else:
        st.info(
            "Nothing is remembered yet. Tell Optimus something in a chat, such as “I'm allergic to peanuts”, "
            "or add a memory above.",
            icon=":material/lightbulb:",
        )
        st.page_link(CHAT_PAGE, label="Start a chat", icon=":material/chat_bubble:")


def _draw_add(context: PageContext) -> None:
    with st.form("add_memory", clear_on_submit=False, border=True):
        text = st.text_area(
            "Add a memory",
            key=f"memory_new_{context.state.added}",
            placeholder="I prefer short answers",
            max_chars=MAX_MEMORY_CHARS,
            height=80,
        )
        sent = st.form_submit_button("Add", icon=":material/add:")
    if not sent:
        return
    added = act(context.services.memory.add, context.principal.user_id, text)
    if added:
        context.state.added += 1
        context.state.done = "Saved"
        st.rerun()


def _draw_undo(context: PageContext) -> None:
    if not context.state.forgotten:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"{count(len(context.state.forgotten), 'memory')} deleted.", width="content")
        if st.button("Undo", icon=":material/undo:", key="undo_forget", type="tertiary"):
            _restore(context, context.state.forgotten[-1])


def _restore(context: PageContext, memory_id: MemoryId) -> None:
    if act(context.services.memory.restore, context.principal.user_id, memory_id):
        context.state.forgotten.remove(memory_id)
        st.rerun()


run_page(render, Action.USE_MEMORY)
