"""What Optimus remembers: find, look closer, correct, delete, bring back, export."""

from __future__ import annotations

import streamlit as st

from optimus.auth.permissions import Action
from optimus.memory_manager.views import MemoryView
from optimus.models import MAX_MEMORY_CHARS, MemoryId, is_uuid
from optimus.ui.chat_sidebar import CHAT_PAGE
from optimus.ui.guard import PageContext, act, run_page
from optimus.ui.memory_details import draw_details
from optimus.ui.memory_documents import draw_documents
from optimus.ui.memory_graph import draw_people
from optimus.ui.memory_health import draw_health
from optimus.ui.memory_table import draw_actions, draw_table, draw_undo
from optimus.ui.memory_view import draw_clear, draw_view
from optimus.ui.text import count, plain

PAGE_SIZE = 50
_ASKED = "memory"
"""The name in the address of one memory to look at."""


def render(context: PageContext) -> None:
    """Draw the table with its search, and act on what is selected."""
    st.title("Memory")
    st.caption("Everything Optimus remembers about you, in your own words. You can correct or delete any of it.")
    draw_undo(context)
    asked = st.query_params.get(_ASKED)
    if asked is not None:
        _draw_asked(context, asked)
        return
    _draw_found(context, draw_view(context))
    _draw_add(context)
    draw_people(context)
    draw_documents(context)
    draw_health(context)


def _draw_found(context: PageContext, view: MemoryView) -> None:
    state = context.state
    if state.memory_view != view:
        state.memory_view, state.memory_page, state.memory_all = view, 1, None
    library, offset = context.services.library, (state.memory_page - 1) * PAGE_SIZE
    found = act(library.views.page, context.principal.user_id, view, limit=PAGE_SIZE, offset=offset)
    if found is None:
        return
    if not found.items and found.total and state.memory_page > 1:
        state.memory_page = -(-found.total // PAGE_SIZE)
        st.rerun()
    if not found.items:
        _draw_empty(view)
        return
    st.caption(_where(offset, len(found.items), found.total))
    chosen = draw_table(found.items)
    if chosen:
        draw_actions(context, view, chosen, page=len(found.items), total=found.total)
    if len(chosen) == 1:
        draw_details(context, chosen[0])
    if not chosen:
        st.caption("Select a memory, at the left of its row, to look closer; or several, to delete or export them.")
    pages = -(-found.total // PAGE_SIZE)
    if pages > 1:
        _draw_pages(context, pages)


def _where(offset: int, shown: int, total: int) -> str:
    if shown == total:
        return count(total, "memory")
    return f"{offset + 1:,} to {offset + shown:,} of {count(total, 'memory')}"


def _draw_asked(context: PageContext, asked: str) -> None:
    """Draw the one memory that the address names."""
    if is_uuid(asked):
        draw_details(context, MemoryId(asked))
    else:
        st.error("That memory was not found.")
    if st.button("All memories", icon=":material/arrow_back:", key="memory_all"):
        del st.query_params[_ASKED]
        st.rerun()


def _draw_pages(context: PageContext, pages: int) -> None:
    page = st.pagination(pages, default=min(context.state.memory_page, pages), key=f"memory_pages_{pages}")
    if page != context.state.memory_page:
        context.state.memory_page, context.state.memory_all = page, None
        st.rerun()


def _draw_empty(view: MemoryView) -> None:
    if view.query:
        st.info(
            f"Nothing found for “{plain(view.query)}”. Try other words, or clear the search.",
            icon=":material/search_off:",
        )
        draw_clear()
    elif view != MemoryView():
        st.info("Nothing of this kind yet.", icon=":material/inbox:")
        draw_clear()
    else:
        st.info(
            "Nothing is remembered yet. Tell Optimus something in a chat, such as “I'm allergic to peanuts”, "
            "or add a memory below.",
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


run_page(render, Action.USE_MEMORY)
