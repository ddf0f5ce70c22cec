"""The form with which people make their own account, where an admin has opened it."""

from __future__ import annotations

import streamlit as st

from optimus import process
from optimus.auth.captcha import CaptchaAnswer
from optimus.errors import OptimusError
from optimus.ui import bridge
from optimus.ui.new_password import draw_new_password
from optimus.ui.state import UiState, ui_state


def draw_register(network: str) -> bool:
    """Draw the form below the sign-in form; tell whether there is one. Its success signs in.

    Args:
        network: The network that the connection comes from, as tries are counted.
    """
    if not process.current().auth.registration.is_open():
        return False
    state = ui_state()
    with st.expander("Create account", icon=":material/person_add:", expanded=state.registering):
        _draw_notice(state)
        challenge = process.current().auth.registration.ask(network)
        username = st.text_input(
            "Name for the account", key="register_username", autocomplete="username", max_chars=200
        )
        password = draw_new_password(username, key="register_password", label="New password")
        answer = st.text_input(
            f"Check question: {challenge.question}", key=f"register_{challenge.id}", autocomplete="off", max_chars=20
        )
        st.caption("Questions are not for you? An admin can make the account and give you a one-time code.")
        if st.button("Create account", type="primary", key="register_send"):
            _register(state, network, CaptchaAnswer(id=challenge.id, answer=answer), (username, password))
    return True


def _draw_notice(state: UiState) -> None:
    if state.register_notice:
        st.error(state.register_notice)
        state.register_notice = ""


def _register(state: UiState, network: str, captcha: CaptchaAnswer, typed: tuple[str, str]) -> None:
    username, password = typed
    try:
        ticket = process.current().auth.register(
            username=username,
            password=password,
            network=network,
            captcha=captcha,
            user_agent=st.context.headers.get("User-Agent", "")[:200],
        )
    except OptimusError as error:
        state.registering = True
        if process.current().auth.registration.ask(network).id == captcha.id:
            st.error(error.user_message)
            return
        state.register_notice = error.user_message
        st.rerun()
    state.username = username
    bridge.open_session(ticket, done="registered", unkept=bridge.ACCOUNT_MADE)
