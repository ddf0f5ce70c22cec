"""What can be done with one message: look at its other versions, say it otherwise, delete it, have it answered anew."""

from __future__ import annotations

import streamlit as st

from optimus.llm_handler.requests import ModelChoice
from optimus.models import MAX_MESSAGE_CHARS, Message, MessageId, MessageRole, MessageState
from optimus.ui.guard import PageContext, act, did, is_still
from optimus.ui.text import plain, viewer_zone


def draw_versions(
    context: PageContext, message: Message, choice: ModelChoice, versions: tuple[MessageId, ...], *, is_last: bool
) -> None:
    """Draw the row under a message; nothing where there is nothing to do."""
    is_own = message.role is MessageRole.USER
    can_repeat = is_last and not is_own and message.state is MessageState.COMPLETE
    if not (versions or is_own or can_repeat):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"row_{message.id}"):
        if versions:
            _draw_arrows(context, message, versions)
        if can_repeat:
            draw_again(context, message, choice)
        chosen = st.menu_button("More", list(_MENU), key=f"more_{message.id}", type="tertiary") if is_own else None
        if chosen:
            _MENU[chosen](context, message, choice)


def draw_again(context: PageContext, message: Message, choice: ModelChoice) -> None:
    """Draw the button that has an answer written again."""
    is_whole = message.state is MessageState.COMPLETE
    wanted = st.button(
        "Another answer" if is_whole else "Try again",
        icon=":material/refresh:",
        key=f"retry_{message.id}",
        type="tertiary" if is_whole else "secondary",
    )
    if wanted and did(context.services.chat.retry, context.principal.user_id, message.id, choice=choice):
        st.rerun()


def draw_tools(context: PageContext, message: Message) -> None:
    """Draw what a model looked up for an answer and what it was refused, and ask about what it wants to forget."""
    searches = [plain(call.text) for call in message.tools if call.name == "search_memory" and not call.refused]
    if searches:
        st.caption(f":material/search: Looked in your memories for: {'; '.join(searches)}")
    for call in message.tools:
        if call.refused:
            st.caption(f":material/block: {_WISHES[call.name]}, which was refused. It was told: {plain(call.refused)}")
    for call in message.tools:
        if call.asks and call.memory_id:
            key = f"{message.id}_{call.memory_id}"
            with st.container(border=True, key=f"asks_{message.id}_{call.memory_id}"):
                st.markdown(f"Forget this? {plain(call.text)}")
                with st.container(horizontal=True, gap="small"):
                    forget = st.button("Forget it", icon=":material/delete:", key=f"forget_{key}")
                    keep = st.button("Keep it", key=f"keep_{key}", type="tertiary")
            owner = context.principal.user_id
            if (forget or keep) and did(context.services.chat.decide, owner, message.id, call.memory_id, forget=forget):
                st.rerun()


def _draw_arrows(context: PageContext, message: Message, versions: tuple[MessageId, ...]) -> None:
    place = versions.index(message.id)
    before = st.button(
        "Earlier",
        icon=":material/chevron_left:",
        key=f"earlier_{message.id}",
        type="tertiary",
        disabled=place == 0,
    )
    st.caption(f"{place + 1}/{len(versions)}", width="content")
    after = st.button(
        "Later",
        icon=":material/chevron_right:",
        key=f"later_{message.id}",
        type="tertiary",
        disabled=place == len(versions) - 1,
    )
    if (before or after) and did(
        context.services.chat.show_branch, context.principal.user_id, versions[place + (1 if after else -1)]
    ):
        st.rerun()


@st.dialog("Say it otherwise", width="medium")
def _edit(context: PageContext, message: Message, choice: ModelChoice) -> None:
    with st.form("edit_message", border=False):
        text = st.text_area(
            "Message", value=message.text, max_chars=MAX_MESSAGE_CHARS, height=160, key=f"edit_text_{message.id}"
        )
        st.caption(
            "The chat goes on from here. What was said before stays as an earlier version; what was remembered only "
            "from the old words is forgotten."
        )
        if not st.form_submit_button("Send", type="primary") or not is_still(context):
            return
        turn = act(
            context.services.chat.edit,
            context.principal.user_id,
            message.id,
            text,
            choice=choice,
            zone=viewer_zone().key,
        )
        if turn is not None:
            context.state.notice = turn.notice
            st.rerun()


@st.dialog("Delete this message?")
def _delete(context: PageContext, message: Message, choice: ModelChoice) -> None:
    del choice
    st.write("The message and its answers will be gone for good. What was learned only from it is forgotten.")
    if not st.button("Delete", type="primary", key="delete_message_confirm") or not is_still(context):
        return
    if did(context.services.chat.delete_message, context.principal.user_id, message.id):
        st.rerun()


_WISHES = {
    "search_memory": "The model wanted to look in your memories",
    "save_memory": "The model wanted to save a memory",
    "correct_memory": "The model wanted to correct a memory",
    "forget_memory": "The model wanted to have a memory forgotten",
}
_MENU = {":material/edit: Edit": _edit, ":material/delete: Delete": _delete}
