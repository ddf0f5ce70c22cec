"""The set-up page of the first start: the one-time code, then the admin's account."""

from __future__ import annotations

import streamlit as st

from optimus import process
from optimus.errors import OptimusError
from optimus.ui import bridge
from optimus.ui.new_password import draw_new_password
from optimus.ui.sign_in import client_network, draw_connection_problem
from optimus.ui.state import UiState, ui_state


def setup_page() -> None:
    """Draw the form that makes the admin; its success signs in."""
    st.title("Welcome to Optimus")
    st.write("Create the admin account. It can do everything here, so choose a password that only you know.")
    if not draw_connection_problem():
        return
    bridge.draw_problem()
    state = ui_state()
    if "setup" in st.query_params:
        state.setup_code = st.query_params["setup"][:200]
        del st.query_params["setup"]
    code = st.text_input("Setup code", value=state.setup_code, autocomplete="one-time-code")
    if not code:
        st.caption("The terminal that Optimus was started in shows the code.")
    username = st.text_input("Username", key="setup_username", autocomplete="username", max_chars=200)
    password = draw_new_password(username, key="setup_password")
    if st.button("Create account", type="primary", width="stretch"):
        _create(state, code, username, password)


def _create(state: UiState, code: str, username: str, password: str) -> None:
    auth = process.current().auth
    try:
        auth.create_admin(code=code, username=username, password=password, network=client_network())
        state.username = username
        ticket = auth.sign_in(
            username=username,
            password=password,
            network=client_network(),
            captcha=None,
            user_agent=st.context.headers.get("User-Agent", "")[:200],
        )
    except OptimusError as error:
        st.error(error.user_message)
        return
    bridge.open_session(state, ticket, unkept=bridge.ACCOUNT_MADE)
