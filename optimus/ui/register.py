"""The page on which people make their own account, where an admin has opened it.

It stands in the place of the sign-in form and not in an expander, which moves for half a second and takes the button
away from under a click.
"""

from __future__ import annotations

import streamlit as st

from optimus import process
from optimus.auth.captcha import CaptchaAnswer
from optimus.errors import OptimusError
from optimus.ui import bridge
from optimus.ui.new_password import draw_new_password
from optimus.ui.state import UiState


def register_page(state: UiState, network: str) -> None:
    """Draw the form, and the way back; its success signs in.

    Args:
        state: This tab's state.
        network: The network that the connection comes from, as tries are counted.
    """
    st.title("Create your account")
    if state.register_notice:
        st.error(state.register_notice)
        state.register_notice = ""
    challenge = process.current().auth.registration.ask(network)
    username = st.text_input("Name for the account", key="register_username", autocomplete="username", max_chars=200)
    password = draw_new_password(username, key="register_password", label="New password")
    answer = st.text_input(
        f"Check question: {challenge.question}", key=f"register_{challenge.id}", autocomplete="off", max_chars=20
    )
    if st.button("Create account", type="primary", width="stretch", key="register_send"):
        _register(state, network, CaptchaAnswer(id=challenge.id, answer=answer), (username, password))
    st.button(
        "Back to signing in", icon=":material/arrow_back:", type="tertiary", on_click=show_form, args=(state, False)
    )
    st.caption("Questions are not for you? An admin can make the account and give you a one-time code.")


def show_form(state: UiState, registering: bool) -> None:
    """Show the form for an own account at the next run, or the sign-in form again."""
    state.registering = registering


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
        if process.current().auth.registration.ask(network).id == captcha.id:
            st.error(error.user_message)
            return
        state.register_notice = error.user_message
        st.rerun()
    state.username, state.registering = username, False
    bridge.open_session(state, ticket, done="registered", unkept=bridge.ACCOUNT_MADE)
