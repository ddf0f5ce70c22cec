"""What belongs to one chat beside its messages: what a next message takes, and how much of the day is left."""

from __future__ import annotations

from typing import NamedTuple, get_args

import streamlit as st

from optimus.attachments import IMAGE_ENDINGS, TEXT_ENDINGS, Upload
from optimus.costs import EXPECTED_ANSWER, expected_cost, expected_tokens
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelChoice
from optimus.models import MAX_INSTRUCTIONS_CHARS, Conversation, ConversationId, Effort
from optimus.ui.guard import PageContext, act
from optimus.ui.text import dollars, plain


class Draft(NamedTuple):
    """What somebody wants to send."""

    text: str
    files: tuple[Upload, ...] = ()


def draw_options(context: PageContext, conversation: Conversation | None, choice: ModelChoice) -> ConversationId | None:
    """Draw the button that opens everything of this chat; return the chat whose instructions were saved just now."""
    chosen = (conversation.instructions, conversation.effort, conversation.temperature) if conversation else ()
    label = ":primary[This chat]" if any(each not in {"", None} for each in chosen) else "This chat"
    with st.popover(label, icon=":material/tune:", type="tertiary", key="chat_options", help="Options and costs"):
        saved = _draw_guide(context, conversation)
        _draw_estimate(context, conversation, choice)
        _draw_today(context)
    return saved


def _draw_guide(context: PageContext, conversation: Conversation | None) -> ConversationId | None:
    own, freedom = (conversation.instructions, conversation.temperature) if conversation else ("", None)
    thinks = conversation.effort if conversation else None
    with st.form(f"guide_{conversation.id if conversation else 'new'}", border=False):
        instructions = st.text_area(
            "Instructions for this chat",
            value=own,
            max_chars=MAX_INSTRUCTIONS_CHARS,
            placeholder="Answer in Portuguese. I am preparing for an exam.",
            help="They go along with each message here. They are not remembered elsewhere.",
        )
        temperature = st.select_slider(
            "How freely answers are worded",
            [None, *(step / 10 for step in range(11))],
            value=freedom,
            format_func=lambda step: "As the model likes" if step is None else f"{step:.1f}",
            help="The model's temperature. 0 is the most predictable; some models take no notice of it.",
        )
        effort = st.select_slider(
            "How long models think first",
            [None, *get_args(Effort)],
            value=thinks,
            format_func=lambda each: each.capitalize() if each else "As the model likes",
            help="For models that can think. It takes more time and tokens; what they let see of it stands above "
            "the answer.",
        )
        if not st.form_submit_button("Save", icon=":material/save:"):
            return None
    saved = act(
        context.services.chat.guide,
        context.principal.user_id,
        conversation.id if conversation else None,
        instructions=instructions,
        temperature=temperature,
        effort=effort,
    )
    if saved is not None:
        context.state.done = "Saved"
    return saved


def draw_message_box(context: PageContext, choice: ModelChoice, *, key: str, disabled: bool) -> Draft | None:
    """Draw the input with the files that the chosen model takes, which stands there; return what was sent."""
    if choice.ref == OFFLINE_MODEL:
        text = st.chat_input("Message Optimus", key=key, disabled=disabled)
        return Draft(text) if text else None
    sees = context.services.router.sees(context.principal.user_id, choice)
    sent = st.chat_input(
        "Message Optimus",
        key=key,
        disabled=disabled,
        accept_file="multiple",
        file_type=[*(IMAGE_ENDINGS if sees else ()), "pdf", *TEXT_ENDINGS],
    )
    if not sees:
        with st.bottom:
            st.caption(f"{plain(choice.name)} takes no pictures, only text and PDF files.")
    return Draft(sent.text, tuple(Upload(file.name, file.getvalue()) for file in sent.files)) if sent else None


def draw_kept_files(context: PageContext) -> None:
    """Say over the input which files of a message that was not sent go along with the next one; nothing without."""
    kept = context.state.failed_files
    if not kept:
        return
    names = ", ".join(plain(file.name) for file in kept)
    with st.bottom, st.container(horizontal=True, vertical_alignment="center", gap="small", key="kept_files"):
        st.caption(f":material/attach_file: Kept for your next message: {names}", width="content")
        if st.button("Leave them out", key="drop_files", icon=":material/close:", type="tertiary"):
            context.state.failed_files = ()
            st.rerun()


def draw_allowance_note(context: PageContext) -> None:
    """Say under the input what of the day's limits is nearly used up; nothing where there is room."""
    standing = act(context.services.allowance.standing, context.principal.user_id)
    if standing is not None and standing.warning:
        with st.bottom:
            st.caption(f":material/data_usage: {plain(standing.warning)}")


def _draw_estimate(context: PageContext, conversation: Conversation | None, choice: ModelChoice) -> None:
    place = conversation.id if conversation else None
    given = act(context.services.chat.estimate, context.principal.user_id, place, choice=choice)
    if given is None:
        return
    st.markdown("**Your next message**")
    if given.choice.why:
        st.caption(plain(given.choice.why))
    if given.choice.ref == OFFLINE_MODEL:
        st.caption("The offline assistant takes no tokens and costs nothing.")
        return
    st.caption(
        f"About {expected_tokens(given):,} tokens go along with it: {given.instruction_tokens:,} of instructions and "
        f"tools, {given.history_tokens:,} of earlier messages. Its own text and the memories that match it come on top."
    )
    cost = expected_cost(given)
    if cost is None:
        st.caption("The price of this model is not known, so what an answer costs cannot be told.")
    else:
        st.caption(f"About {dollars(cost)} with an answer of {EXPECTED_ANSWER} tokens, by list prices.")


def _draw_today(context: PageContext) -> None:
    standing = act(context.services.allowance.standing, context.principal.user_id)
    if standing is None:
        return
    used = standing.used
    st.markdown("**Today**")
    st.caption(f"{used.messages:,} messages, {used.tokens:,} tokens, {dollars(used.cost_usd)}")
    for sentence in (standing.unpriced, standing.warning):
        if sentence:
            st.caption(plain(sentence))
