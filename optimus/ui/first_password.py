"""The form that stands before everything else after signing in with a one-time code."""

from __future__ import annotations

import streamlit as st

from optimus import process
from optimus.models import Principal
from optimus.ui import bridge
from optimus.ui.guard import act
from optimus.ui.new_password import draw_new_password
from optimus.ui.state import ui_state
from optimus.ui.text import plain


def first_password_page(principal: Principal) -> None:
    """Draw the form; its success begins a new session at the same address."""
    st.title("Choose your password")
    st.write(
        f"Welcome, {plain(principal.username)}. Your one-time code is used up. "
        "From now on you sign in with a password that only you know."
    )
    state = ui_state()
    password = draw_new_password(principal.username, key="first_password")
    if st.button("Save and continue", type="primary", width="stretch"):
        ticket = act(
            process.current().auth.choose_password,
            principal,
            password,
            user_agent=st.context.headers.get("User-Agent", "")[:200],
        )
        if ticket:
            bridge.open_session(state, ticket)
