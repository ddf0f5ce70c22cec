"""How one message of a chat is drawn: its text, what it saved, what it was answered from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import streamlit as st

from optimus.conversations import SHOWN_MESSAGES, Thread
from optimus.extraction import Look
from optimus.llm_handler.generations import Generation
from optimus.llm_handler.prices import cost_usd
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelChoice, ModelRef
from optimus.models import (
    Attachment,
    ChangeKind,
    MemoryChange,
    Message,
    MessageId,
    MessageRole,
    MessageState,
    PromptParts,
    Withheld,
)
from optimus.ui.chat_sidebar import MEMORY_PAGE
from optimus.ui.chat_versions import draw_again, draw_tools, draw_versions
from optimus.ui.guard import PageContext, did, is_still
from optimus.ui.text import TYPE_NAMES, count, day, dollars, plain, why

FOLLOW_EVERY_S = 0.5
FOLLOW_S = 0.35
LOOK_EVERY_S = 1.0
_AVATARS = {MessageRole.USER: ":material/person:", MessageRole.ASSISTANT: ":material/neurology:"}


def draw_messages(context: PageContext, thread: Thread, choice: ModelChoice) -> None:
    """Draw a conversation, but for the answer that is being written."""
    messages = thread.messages
    said = [message.id for message in messages if message.role is MessageRole.USER]
    looks = context.services.extraction.looks(context.principal.user_id, said)
    if thread.has_older:
        _draw_older(context)
    for message in messages:
        if message.state is not MessageState.WRITING:
            others = thread.versions.get(message.id, ())
            _draw_message(context, message, choice, is_last=message is messages[-1], versions=others)
            _draw_look(context, looks.get(message.id))
    if pending := [key for key, look in looks.items() if look.is_under_way]:
        _draw_looking(context, pending)


def _draw_message(
    context: PageContext, message: Message, choice: ModelChoice, *, is_last: bool, versions: tuple[MessageId, ...] = ()
) -> None:
    """Draw a message that is complete, stopped or failed."""
    with st.chat_message(message.role.value, avatar=_AVATARS[message.role]):
        _draw_thinking(message.thinking, "What the model thought")
        if message.role is MessageRole.USER:
            st.text(message.text)
            draw_files(message.attachments)
        elif message.text:
            st.markdown(message.text)
        if message.instead:
            st.caption(plain(message.instead))
        _draw_ending(context, message, choice, is_last=is_last)
        if message.routed and message.state is not MessageState.FAILED:
            st.caption(f":material/route: {plain(message.routed)}")
        if message.withheld:
            st.caption(f":material/visibility_off: {plain(withheld_text(message.withheld))}")
        _draw_used(message)
        for place, change in enumerate(message.saved):
            _draw_saved(context, message, change, place)
        draw_tools(context, message)
        draw_versions(context, message, choice, versions, is_last=is_last)


def _draw_older(context: PageContext) -> None:
    """Offer the messages that come before those on the page."""
    with st.container(horizontal_alignment="center"):
        if st.button("Show older messages", icon=":material/expand_less:", key="older", type="tertiary"):
            context.state.shown_messages += SHOWN_MESSAGES
            st.rerun()


@st.fragment(run_every=FOLLOW_EVERY_S)
def draw_running(context: PageContext, generation: Generation) -> None:
    """Follow an answer that is being written, a moment at each run, until it ends; the last thing on a page.

    In moments, because each proves the session again, and because Streamlit shows a Stop of its own, which stops
    only the page, beside every run of more than half a second.
    """
    if not is_still(context):
        return
    with st.chat_message("assistant", avatar=_AVATARS[MessageRole.ASSISTANT]):
        if generation.waits_for:
            st.caption(generation.waits_for)
        _draw_thinking(generation.thoughts, ":shimmer[Thinking]" if not generation.text else "What the model thought")
        st.write_stream(_moment(generation), cursor=" ▌")
    st.rerun()


def _draw_look(context: PageContext, look: Look | None) -> None:
    """Draw what a model's look through a message left to be said: why it waits or failed, or what needs review."""
    if look is None or not (look.held or look.fault):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"look_{look.message_id}"):
        if look.held:
            st.page_link(
                MEMORY_PAGE,
                label=f"{count(look.held, 'sentence')} in this message: needs review",
                help="It reads like an instruction, so it is not used before you have looked at it.",
                icon=":material/policy:",
                query_params={"status": "Needs review"},
            )
            return
        if look.is_put_off:
            st.caption(f"Not looked through for more to remember yet; it is tried again. {plain(look.fault)}")
            return
        st.caption(f"Not looked through for more to remember. {plain(look.fault)}")
        wanted = st.button("Try again", icon=":material/refresh:", key=f"look_again_{look.message_id}", type="tertiary")
        if wanted and did(context.services.extraction.retry, context.principal.user_id, look.message_id):
            st.rerun()


@st.fragment(run_every=LOOK_EVERY_S)
def _draw_looking(context: PageContext, pending: Collection[MessageId]) -> None:
    """Say that a model looks through messages, and draw the page again once it has ended with one of them."""
    if not is_still(context):
        return
    looks = context.services.extraction.looks(context.principal.user_id, pending)
    if not all(key in looks and looks[key].is_under_way for key in pending):
        st.rerun()
    st.caption("Looking for more to remember…")


def _moment(generation: Generation) -> Iterator[str]:
    """Yield what there is and what arrives in a moment; if more is to come, end the run with the text as it stands."""
    yield from generation.follow(FOLLOW_S)
    if generation.result is None:
        st.stop()


def draw_files(files: Sequence[Attachment]) -> None:
    """Draw the files of a message: pictures small, of others the name."""
    for file in files:
        if file.kind == "image":
            st.image(file.content, width=240, alt=file.name)
        else:
            st.caption(f":material/attach_file: {plain(file.name)}")


def _draw_thinking(thoughts: str, label: str) -> None:
    """Draw what a model let see of its thinking, folded; nothing where it let see nothing."""
    if thoughts:
        with st.expander(label, type="compact"):
            st.text(thoughts)


def _draw_ending(context: PageContext, message: Message, choice: ModelChoice, *, is_last: bool) -> None:
    if message.state is MessageState.STOPPED:
        st.caption("Stopped. This is what was written until then.")
    elif message.state is MessageState.FAILED:
        st.error(message.error or "The answer could not be written.")
    else:
        return
    if is_last:
        draw_again(context, message, choice)


def _draw_used(message: Message) -> None:
    if not (message.used or message.parts):
        return
    used = f" {count(len(message.used), 'memory')} used" if message.used else ""
    label = f"Why this answer?{used}" if message.text else "What was prepared for this answer"
    with st.expander(label, type="compact"):
        for use in message.used:
            origin = plain(use.citation) or TYPE_NAMES[use.type]
            facts = f"{origin} · {day(use.recorded_at)} · {why(use)}"
            st.markdown(f"{plain(use.text)}  \n:small[:gray[{facts}]]")
        if message.text and message.model and message.model != str(OFFLINE_MODEL):
            st.caption(f"Answered by {plain(message.model)}")
        if message.parts:
            st.caption(f"{_parts_text(message.parts)}{_taken_text(message)}")


def withheld_text(withheld: Withheld) -> str:
    """Say what a model was not given."""
    kept = [count(withheld.memories, "memory")] if withheld.memories else []
    kept += [count(withheld.messages, "earlier message")] if withheld.messages else []
    verb = "was" if withheld.memories + withheld.messages == 1 else "were"
    return f"{' and '.join(kept)} {verb} not sent to {withheld.to}."


def _parts_text(parts: PromptParts) -> str:
    """Say what the model was given."""
    given = (
        (parts.instructions, "instructions and tools"),
        (parts.memories, "memories"),
        (parts.history, "earlier messages"),
        (parts.summary, "a summary of what was said before them"),
        (parts.message, "your message"),
    )
    left_out = f" {count(parts.left_out, 'earlier message')} did not fit." if parts.left_out else ""
    return f"About {', '.join(f'{tokens:,} tokens of {what}' for tokens, what in given if tokens)}.{left_out}"


def _taken_text(message: Message) -> str:
    """Say what the provider counted, and what that costs or that nobody knows."""
    usage = message.usage
    if not usage or not message.model or not usage.input_tokens + usage.output_tokens:
        return ""
    cost = cost_usd(ModelRef.parse(message.model), usage, is_local=False)
    price = "; no list price of it is known" if cost is None else f", {dollars(cost)} by list prices" if cost else ""
    return f" The model read {usage.input_tokens:,} tokens and wrote {usage.output_tokens:,}{price}."


def _draw_saved(context: PageContext, message: Message, change: MemoryChange, place: int) -> None:
    """Draw one change; questions that were forgotten along with their answer are not worth a line."""
    is_question = change.text.endswith("?")
    if change.kind is ChangeKind.SKIP or (change.kind is ChangeKind.FORGET and is_question):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"saved_{message.id}_{place}"):
        st.markdown(_saved_text(change), width="content")
        wanted = not change.undone and st.button(
            "Undo", key=f"undo_{message.id}_{place}", icon=":material/undo:", type="tertiary", help="Take this back"
        )
        if wanted and did(context.services.chat.undo, context.principal.user_id, message.id, change.memory_id):
            st.rerun()


def _saved_text(change: MemoryChange) -> str:
    text = plain(change.text)
    if change.undone:
        return f":gray[Undone: {text}]"
    if change.kind is ChangeKind.FORGET:
        return f":orange[Forgotten:] {text}"
    if change.kind is ChangeKind.MERGE:
        return f":green[Saved] before: {text}"
    replaced = f"  \n:gray[Replaces: {plain(change.replaced_text)}]" if change.replaced_text else ""
    return f":green[Saved:] {text}{replaced}"
