"""The chat: conversations in the sidebar, the open one in the middle."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from optimus.auth.permissions import Action
from optimus.conversations import SHOWN_MESSAGES, Thread
from optimus.llm_handler.requests import ModelChoice
from optimus.models import Conversation, ConversationId, MessageState, is_uuid, new_id
from optimus.ui.chat_messages import draw_messages, draw_running
from optimus.ui.chat_options import Draft, draw_allowance_note, draw_kept_files, draw_message_box, draw_options
from optimus.ui.chat_sidebar import draw_conversations, open_conversation
from optimus.ui.connect import draw_connect_card, draw_model_picker
from optimus.ui.guard import PageContext, act, act_and_note, did, run_page
from optimus.ui.settings_memory import draw_memory_note
from optimus.ui.text import plain, viewer_zone

SUGGESTIONS = (
    "I'm allergic to peanuts and live in Lisbon",
    "My sister Maria is a nurse",
    "What do you know about me?",
)
_DRAFT = "draft"


def render(context: PageContext) -> None:
    """Draw the open conversation, or a new one, and take the next message."""
    conversation = _open(context)
    draw_conversations(context, conversation)
    owner = context.principal.user_id
    chat = context.services.chat
    running = chat.generation(owner, conversation.id) if conversation else None
    thread = chat.thread(owner, conversation.id, most=_most(context, conversation)) if conversation else Thread()
    messages = thread.messages
    if messages and messages[-1].state is not MessageState.WRITING:
        running = None
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right", gap="small"):
        choice = draw_model_picker(context, messages[-1] if messages else None)
        if begun := draw_options(context, conversation, choice):
            open_conversation(begun)
    body = _body(context, conversation)
    with body:
        suggested = None if messages else _draw_empty(context, choice)
        draw_messages(context, thread, choice)
    draft = _draw_input(context, choice, running=running is not None) or (suggested and Draft(suggested))
    if draft:
        _send(context, conversation, draft, choice)
    if running:
        with body:
            draw_running(context, running)


def _most(context: PageContext, conversation: Conversation) -> int:
    """Return how many messages to read: in another chat than before, no more than at first."""
    if context.state.shown_chat != conversation.id:
        context.state.shown_messages = SHOWN_MESSAGES
    return context.state.shown_messages


def _body(context: PageContext, conversation: Conversation | None) -> DeltaGenerator:
    """Return the place to draw the chat in, emptied if another one stood there.

    Otherwise its end would stay on the page, below an answer that is being written, until that answer is whole.
    """
    shown = conversation.id if conversation else None
    is_same = context.state.shown_chat == shown
    context.state.shown_chat = shown
    return st.container() if is_same else st.empty().container()


def _open(context: PageContext) -> Conversation | None:
    """Return the conversation that the address names, if it is the user's own."""
    wanted = st.query_params.get("chat", "")
    if not wanted:
        return None
    if is_uuid(wanted):
        found = act(context.services.chat.conversation, context.principal.user_id, ConversationId(wanted))
        if found:
            return found
    else:
        st.error("That chat was not found. It may have been deleted.")
    del st.query_params["chat"]
    return None


def _draw_empty(context: PageContext, choice: ModelChoice) -> str | None:
    """Draw what a new chat shows; return the suggestion that was chosen."""
    st.title(f"Hello, {plain(context.state.display_name) or context.principal.username}")
    st.write("Tell me something worth remembering, or ask about what you told me before. For example:")
    chosen = None
    for index, suggestion in enumerate(SUGGESTIONS):
        if st.button(suggestion, key=f"suggestion_{index}", icon=":material/north_east:", width="stretch"):
            chosen = suggestion
    draw_connect_card(context, choice)
    return chosen


def _draw_input(context: PageContext, choice: ModelChoice, *, running: bool) -> Draft | None:
    state = context.state
    if state.failed_draft:
        st.session_state[_DRAFT], state.failed_draft = state.failed_draft, ""
    with st.bottom:
        if state.notice:
            st.warning(state.notice)
            state.notice = None
        if running and st.button("Stop", icon=":material/stop_circle:", key="stop", shortcut="Esc"):
            _stop(context)
    draw_kept_files(context)
    draft = draw_message_box(context, choice, key=_DRAFT, disabled=running)
    draw_memory_note(context)
    draw_allowance_note(context)
    return draft


def _stop(context: PageContext) -> None:
    if did(context.services.chat.stop, context.principal.user_id, ConversationId(st.query_params["chat"])):
        st.rerun()


def _send(context: PageContext, conversation: Conversation | None, draft: Draft, choice: ModelChoice) -> None:
    context.state.attempt = context.state.attempt or new_id()
    files = (*context.state.failed_files, *draft.files)
    turn = act_and_note(
        context.state,
        context.services.chat.send,
        context.principal.user_id,
        draft.text,
        files=files,
        conversation_id=conversation.id if conversation else None,
        choice=choice,
        zone=viewer_zone().key,
        attempt=context.state.attempt,
    )
    if turn is None:
        context.state.failed_draft, context.state.failed_files = draft.text, files
        st.rerun()
    context.state.notice, context.state.attempt, context.state.failed_files = turn.notice, "", ()
    open_conversation(turn.conversation.id)


run_page(render, Action.USE_CHAT)
