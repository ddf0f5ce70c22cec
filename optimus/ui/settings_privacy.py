"""What is never sent to which model: by kind in the settings, for one memory on the memory itself."""

from __future__ import annotations

import streamlit as st

from optimus.models import Memory, MemoryType
from optimus.ui.guard import PageContext, did
from optimus.ui.settings_memory import KINDS

_KINDS = {**KINDS, MemoryType.DOCUMENT: "Documents"}
_KEPT_ANYWHERE = "Sent to every model that you use"


def draw_privacy(context: PageContext) -> None:
    """Draw for each kind of memory who never gets it; nothing changes before it is saved."""
    service, owner = context.services.withholding, context.principal.user_id
    names, rules = service.receivers(), service.rules(owner)
    version = context.services.preferences.of(owner).version
    st.markdown("**Never send to**")
    st.caption(
        "What you choose here is left out of what a model is given, whether for an answer, for a search that it makes "
        "or to look for memories. The answer says how much was left out. The offline assistant knows everything."
    )
    with st.form(f"privacy_{version}", border=True):
        chosen = {
            kind: st.multiselect(
                label,
                list(names),
                default=[to for to in names if (kind, to) in rules],
                format_func=names.__getitem__,
                key=f"never_send_{kind.value}_{version}",
                placeholder=_KEPT_ANYWHERE,
            )
            for kind, label in _KINDS.items()
        }
        st.caption(
            "Whoever never gets one kind never gets whole messages either, nor what was said earlier in a chat to "
            "another model: they may hold it. What you type is always sent to the model that you chose."
        )
        saved = st.form_submit_button("Save", type="primary")
    wanted = [(kind, to) for kind, receivers in chosen.items() for to in receivers]
    if saved and did(service.choose_kinds, owner, wanted):
        context.state.done = "Saved"
        st.rerun()


def draw_never_send(context: PageContext, memory: Memory) -> None:
    """Draw the button that opens who never gets one memory."""
    service, owner = context.services.withholding, context.principal.user_id
    names = service.receivers()
    label = ":primary[Never send to]" if memory.never_send else "Never send to"
    with (
        st.popover(label, icon=":material/visibility_off:", key=f"never_send_open_{memory.id}"),
        st.form(f"never_send_form_{memory.id}_{memory.version}", border=False),
    ):
        to = st.multiselect(
            "Never send this memory to",
            list(names),
            default=[each for each in names if each in memory.never_send],
            format_func=names.__getitem__,
            key=f"never_send_{memory.id}_{memory.version}",
            placeholder=_KEPT_ANYWHERE,
            help="Messages that say it, and what replaces it, are not sent there either.",
        )
        saved = st.form_submit_button("Save", type="primary")
    if saved and did(service.choose, owner, memory.id, to):
        context.state.done = "Saved"
        st.rerun()
