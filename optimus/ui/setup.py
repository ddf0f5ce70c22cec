"""The set-up page of the first start: the one-time code, then the admin's account."""

from __future__ import annotations

import streamlit as st

from optimus import process
from optimus.auth.passphrase import suggest_passphrase
from optimus.auth.passwords import MIN_PASSWORD_CHARS, strength
from optimus.errors import OptimusError
from optimus.ui import bridge
from optimus.ui.sign_in import client_network, draw_connection_problem
from optimus.ui.state import ui_state

_PASSWORD = "setup_password"  # noqa: S105 - the key of a widget
_SUGGESTED = "setup_suggested"
_BAR_STEPS = 4


def setup_page() -> None:
    """Draw the form that makes the admin; its success signs in."""
    st.title("Welcome to Optimus")
    st.write("Create the admin account. It can do everything here, so choose a password that only you know.")
    if not draw_connection_problem():
        return
    if problem := bridge.take_problem():
        st.warning(problem)
    state = ui_state()
    if "setup" in st.query_params:
        state.setup_code = st.query_params["setup"][:200]
        del st.query_params["setup"]
    code = st.text_input("Setup code", value=state.setup_code, autocomplete="one-time-code")
    if not code:
        st.caption("The terminal that Optimus was started in shows the code.")
    username = st.text_input("Username", key="setup_username", autocomplete="username", max_chars=200)
    st.caption(f"At least {MIN_PASSWORD_CHARS} characters. Several words are easy to remember and hard to guess.")
    password = st.text_input("Password", key=_PASSWORD, type="password", autocomplete="new-password", live=True)
    _draw_strength(password, username)
    st.button("Suggest a passphrase", icon=":material/casino:", on_click=_suggest)
    if suggested := st.session_state.get(_SUGGESTED):
        st.info("It is in the password field now. Keep it in a safe place; it is shown only here.")
        st.code(suggested, language=None)
    if st.button("Create account", type="primary", width="stretch"):
        _create(code, username, password)


def _draw_strength(password: str, username: str) -> None:
    """Draw the meter, always as high as when it says something, so that no button moves under a click."""
    if not password:
        st.progress(0.0, text="Strength: nothing typed yet")
        return
    rated = strength(password, username)
    hint = f" · {rated.hint}" if rated.hint else ""
    st.progress(max(rated.score, 0.4) / _BAR_STEPS, text=f"Strength: {rated.label}{hint}")


def _suggest() -> None:
    phrase = suggest_passphrase()
    st.session_state[_PASSWORD] = phrase
    st.session_state[_SUGGESTED] = phrase


def _create(code: str, username: str, password: str) -> None:
    auth = process.current().auth
    try:
        auth.create_admin(code=code, username=username, password=password, network=client_network())
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
    bridge.open_session(ticket)
