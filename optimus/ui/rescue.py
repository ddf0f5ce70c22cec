"""The page of the rescue mode: what is damaged, what each way to go on costs, and the code that proves who decides."""

from __future__ import annotations

import streamlit as st

from optimus import process
from optimus.rescue import RescueDesk
from optimus.rescue_words import DamagedPart, Offer
from optimus.ui.guard import did
from optimus.ui.sign_in import client_network
from optimus.ui.state import UiState, ui_state
from optimus.ui.text import minute, plain

_START_S = 2.0
"""For so long a page waits for the start after the last repair before it looks again."""


def rescue_page(desk: RescueDesk) -> None:
    """Draw what is damaged, and for whoever knows the code the ways to go on.

    After the last repair Optimus starts by itself, in this process.
    """
    st.set_page_config(page_title="Optimus", layout="centered")
    if desk.is_mended:
        process.wait_for_rescue_end(_START_S)
        st.rerun()
    process.note_page_drawn()
    parts, state = desk.parts(), ui_state()
    st.title("Part of the store is damaged")
    named = " and ".join(filter(None, [", ".join(part.holds for part in parts[:-1]), parts[-1].holds])) if parts else ""
    st.error(f"Damaged: **{named}**. Optimus has not started, so that nothing wrong is shown and nothing gets worse.")
    st.markdown(
        "**What works:** this page, and `python -m optimus rescue` in the server's terminal. "
        "**What does not:** signing in, chats, memories. The other parts of the store are whole, and nothing is "
        "deleted: whatever is chosen here, the damaged files are kept."
    )
    st.caption("Do you only use this Optimus? Then tell its admin. Nothing is needed from you.")
    if not state.rescue_code:
        _ask_code(desk, state)
        return
    st.write("Choose a way to go on for each damaged part. After the last one Optimus starts again by itself.")
    for part in parts:
        _draw(desk, part, state.rescue_code)


def _ask_code(desk: RescueDesk, state: UiState) -> None:
    with st.form("rescue", border=True):
        code = st.text_input("Rescue code", autocomplete="one-time-code", key="rescue_code", max_chars=100)
        st.caption("The server's terminal shows it; so does the file `rescue.code` in the data folder.")
        sent = st.form_submit_button("Show the ways to go on", type="primary", width="stretch")
    if sent and did(desk.check, code, client_network()):
        state.rescue_code = code
        st.rerun()


def _draw(desk: RescueDesk, part: DamagedPart, code: str) -> None:
    st.subheader(part.holds[0].upper() + part.holds[1:], anchor=False)
    st.write(plain(part.state) + (f" Last whole: {minute(part.since)}." if part.since else ""))
    for number, offer in enumerate(part.offers):
        _draw_offer(desk, part, offer, code, is_first=number == 0)
    if not part.can_be_restored:
        st.caption("There is no backup that could be restored instead.")
    with st.expander("Technical details"):
        st.code(f"{part.collection}: {part.detail}", language=None, wrap_lines=True)


def _draw_offer(desk: RescueDesk, part: DamagedPart, offer: Offer, code: str, *, is_first: bool) -> None:
    with st.container(border=True):
        st.markdown(f"**{plain(offer.title)}**")
        st.markdown(f":material/check: **Keeps:** {plain(offer.keeps)}")
        st.markdown(f":material/remove: **Loses:** {plain(offer.loses)}")
        key = f"{part.collection}-{offer.repair}"
        is_sure = st.checkbox("I understand what is lost", key=f"sure-{key}")
        pressed = st.button(
            offer.title,
            key=f"do-{key}",
            type="primary" if is_first else "secondary",
            disabled=not is_sure,
            width="stretch",
        )
        if pressed and _repair(desk, part, offer, code):
            st.rerun()


def _repair(desk: RescueDesk, part: DamagedPart, offer: Offer, code: str) -> bool:
    with st.spinner("Working on it. Afterwards Optimus starts by itself."):
        return did(desk.repair_with, code, client_network(), part.collection, offer.repair)
