"""The conversations in the sidebar: new, open, rename, delete."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from optimus.models import MAX_TITLE_CHARS, Conversation, ConversationId
from optimus.ui.guard import PageContext, act, did, is_still
from optimus.ui.text import plain

VISIBLE = 50
_PAGES = Path(__file__).parent.parent.parent / "pages"
CHAT_PAGE = str(_PAGES / "chat.py")
MEMORY_PAGE = str(_PAGES / "memory.py")
"""The chat for links; Streamlit knows a page by its path."""


def draw_conversations(context: PageContext, current: Conversation | None) -> None:
    """Draw the list, newest first; the open one has a menu."""
    conversations = context.services.chat.conversations(context.principal.user_id, limit=VISIBLE)
    with st.sidebar:
        if st.button("New chat", icon=":material/add:", type="primary", width="stretch", key="new_chat"):
            open_conversation(None)
        if not conversations:
            st.caption("Your chats will be listed here.")
        for conversation in conversations:
            _draw_row(context, conversation, is_open=current is not None and conversation.id == current.id)


def open_conversation(conversation_id: ConversationId | None) -> None:
    """Open a conversation, or a new one, and draw the page again."""
    if conversation_id:
        st.query_params["chat"] = conversation_id
    elif "chat" in st.query_params:
        del st.query_params["chat"]
    st.rerun()


def _draw_row(context: PageContext, conversation: Conversation, *, is_open: bool) -> None:
    if not is_open:
        if st.button(
            plain(conversation.title), key=f"open_{conversation.id}", type="tertiary", width="stretch", wrap=False
        ):
            open_conversation(conversation.id)
        return
    chosen = st.menu_button(
        plain(conversation.title), list(_MENU), key=f"menu_{conversation.id}", width="stretch", wrap=False
    )
    if chosen:
        _MENU[chosen](context, conversation)


@st.dialog("Rename this chat")
def _rename(context: PageContext, conversation: Conversation) -> None:
    with st.form("rename", border=False):
        title = st.text_input("Name", value=conversation.title, max_chars=MAX_TITLE_CHARS)
        if not st.form_submit_button("Save", type="primary") or not is_still(context):
            return
        if act(context.services.chat.rename, context.principal.user_id, conversation.id, title):
            st.rerun()


@st.dialog("Delete this chat?")
def _delete(context: PageContext, conversation: Conversation) -> None:
    st.write(f"“{plain(conversation.title)}” and its messages will be gone for good.")
    forget = st.checkbox("Also forget what was learned only from this chat")
    if not st.button("Delete", type="primary", key="delete_chat_confirm") or not is_still(context):
        return
    if did(context.services.chat.delete, context.principal.user_id, conversation.id, forget=forget):
        open_conversation(None)


_MENU = {":material/edit: Rename": _rename, ":material/delete: Delete": _delete}
