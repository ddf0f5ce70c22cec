"""One memory close up: where it comes from, where it was used, how it changed; correct it, or delete it."""

from __future__ import annotations

import streamlit as st

from optimus.memory_manager.library import MemoryDetails
from optimus.memory_manager.versions import VersionChange
from optimus.models import MAX_MEMORY_CHARS, Conversation, Memory, MemoryId, MemoryStatus, MemoryType
from optimus.ui.chat_sidebar import CHAT_PAGE
from optimus.ui.guard import PageContext, act
from optimus.ui.memory_graph import draw_related
from optimus.ui.memory_table import forget, restore
from optimus.ui.settings_privacy import draw_never_send
from optimus.ui.text import STATUS_NAMES, TYPE_NAMES, count, day, minute, plain

_QUOTED = 200
"""Characters of the answer that a memory was last given to."""
_MARKS = {"kept": "{}", "removed": ":red[~~{}~~]", "added": ":green[**{}**]"}
REASONS = {
    "edit": "You changed it",
    "correct": "The assistant corrected it",
    "merge": "You said it again",
    "supersede": "Replaced by something newer",
    "forget": "Deleted",
    "restore": "Brought back",
    "withdraw": "Its message was deleted",
    "undo": "Undone",
    "revert": "Earlier wording brought back",
    "pin": "Pinned",
    "unpin": "No longer pinned",
    "approve": "You reviewed it and kept it",
    "tidy": "Tidied up",
    "withhold": "You changed who never gets it",
}


def draw_details(context: PageContext, memory_id: MemoryId) -> None:
    """Draw a memory with everything that is known about it."""
    details = act(context.services.library.details, context.principal.user_id, memory_id)
    if details is None:
        return
    memory = details.memory
    with st.container(border=True, key=f"memory_{memory.id}"):
        if context.state.editing == memory.id:
            _draw_editor(context, memory)
            return
        st.text(memory.text)
        st.caption(_facts(memory))
        if details.successor:
            st.caption(f"Replaced by: {plain(details.successor.text)}")
        _draw_said(details.said_in, memory)
        _draw_used(details)
        _draw_buttons(context, memory)
        draw_related(context, memory)
        if details.changes:
            _draw_versions(context, memory, details.changes)


def _draw_said(said_in: Conversation | None, memory: Memory) -> None:
    if cited := memory.provenance.citation:
        st.caption(f"From {plain(cited)}")
    if said_in:
        _link_to(said_in, "Said in")
    elif memory.provenance.conversation_id:
        st.caption("The chat it comes from was deleted.")


def _draw_used(details: MemoryDetails) -> None:
    memory = details.memory
    if memory.last_used_at is None:
        st.caption("Not used in an answer yet.")
        return
    st.caption(f"Last used {minute(memory.last_used_at)}, in {count(memory.uses, 'answer')} so far.")
    if details.answer:
        quoted = plain(details.answer)
        st.caption(f"“{quoted[:_QUOTED]}…”" if len(quoted) > _QUOTED else f"“{quoted}”")
    if details.used_in:
        _link_to(details.used_in, "Used in")


def _link_to(conversation: Conversation, label: str) -> None:
    st.page_link(
        CHAT_PAGE,
        label=f"{label} “{plain(conversation.title)}”",
        icon=":material/forum:",
        query_params={"chat": conversation.id},
    )


def _draw_buttons(context: PageContext, memory: Memory) -> None:
    with st.container(horizontal=True, gap="small"):
        if memory.status is MemoryStatus.DELETED:
            if st.button("Restore", icon=":material/restore_from_trash:", key=f"restore_{memory.id}"):
                restore(context, [memory.id])
            return
        if label := _approving(memory):
            if st.button(label, icon=":material/check:", key=f"approve_{memory.id}", help="Use it in answers"):
                _approve(context, memory)
        elif memory.type is not MemoryType.CONVERSATION:
            if st.button("Edit", icon=":material/edit:", key=f"edit_{memory.id}"):
                context.state.editing, context.state.editing_version = memory.id, memory.version
                st.rerun()
            label = "Unpin" if memory.pinned else "Pin"
            if st.button(label, icon=":material/keep:", key=f"pin_{memory.id}", help="Prefer it in answers"):
                _pin(context, memory)
        draw_never_send(context, memory)
        if st.button("Delete", icon=":material/delete:", key=f"delete_{memory.id}"):
            forget(context, [memory.id])


def _approving(memory: Memory) -> str:
    """Return what the button says that lets answers use a memory; empty where they do, or never may."""
    if memory.status is MemoryStatus.QUARANTINED:
        return "Keep it"
    is_away = memory.status is MemoryStatus.ARCHIVED and memory.type is not MemoryType.CONVERSATION
    return "Use it again" if is_away else ""


def _approve(context: PageContext, memory: Memory) -> None:
    if act(context.services.library.approve, context.principal.user_id, memory.id):
        context.state.done = "Kept"
        st.rerun()


def _pin(context: PageContext, memory: Memory) -> None:
    library, owner = context.services.library, context.principal.user_id
    if act(library.pin, owner, memory.id, pinned=not memory.pinned):
        st.rerun()


def _draw_versions(context: PageContext, memory: Memory, changes: list[VersionChange]) -> None:
    may_revert = memory.status is MemoryStatus.ACTIVE and memory.type is not MemoryType.CONVERSATION
    with st.expander(f"Versions ({len(changes) + 1})", icon=":material/history:"):
        for change in changes:
            st.caption(f"{minute(change.changed_at)} · {REASONS.get(change.reason, 'Changed')}")
            if change.before == change.after:
                continue
            st.markdown(_difference(change))
            key = f"revert_{memory.id}_{change.version}"
            if may_revert and change.before != memory.text and st.button("Use the wording before", key=key):
                _revert(context, memory, change.version - 1)
        st.caption(f"{minute(memory.recorded_at)} · First kept")


def _difference(change: VersionChange) -> str:
    """Return a change as Markdown: what went is struck out, what came is bold; both in colour, too."""
    return " ".join(_MARKS[piece.kind].format(plain(piece.text)) for piece in change.pieces)


def _revert(context: PageContext, memory: Memory, version: int) -> None:
    library, owner = context.services.library, context.principal.user_id
    if act(library.revert, owner, memory.id, version, expected_version=memory.version):
        context.state.done = "Earlier wording brought back"
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


def _facts(memory: Memory) -> str:
    parts = [TYPE_NAMES[memory.type], f"said {day(memory.recorded_at)}"]
    if memory.status is not MemoryStatus.ACTIVE:
        parts.insert(1, STATUS_NAMES[memory.status])
    if memory.pinned:
        parts.append("pinned")
    if memory.never_send:
        parts.append("not sent everywhere")
    if memory.confirmations > 1:
        parts.append(f"said {count(memory.confirmations, 'time')}")
    return " · ".join(parts)
