"""The sign-in form, with its check question after failed tries."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import streamlit as st

from optimus import process
from optimus.auth.captcha import CaptchaAnswer
from optimus.errors import CaptchaError, InvalidCredentialsError, OptimusError
from optimus.ui import bridge
from optimus.ui.cookie import cookie_policy
from optimus.ui.register import register_page, show_form
from optimus.ui.state import UiState, ui_state

IPV6_NETWORK_BITS = 64
"""One customer's line usually has a /64; counting single addresses would count nothing."""


def sign_in_page() -> None:
    """Draw the form, or the one for an own account; a right answer ends in the cookie exchange and a reload."""
    state = ui_state()
    can_register = process.current().auth.registration.is_open()
    if can_register and state.registering:
        register_page(state, client_network())
        return
    st.title("Sign in to Optimus")
    if not draw_connection_problem():
        return
    bridge.draw_problem()
    challenge = process.current().auth.captcha_for(state.username, client_network()) if state.username else None
    with st.form("sign_in", border=True):
        username = st.text_input(
            "Username", value=state.username, key="sign_in_username", autocomplete="username", max_chars=200
        )
        password = st.text_input("Password", key="sign_in_password", type="password", autocomplete="current-password")
        answer = ""
        if challenge:
            answer = st.text_input(
                f"Check question: {challenge.question}",
                key=f"captcha_{challenge.id}",
                autocomplete="off",
            )
            st.caption("Asked after several failed tries. Or leave it empty, wait a minute, and sign in without it.")
        sent = st.form_submit_button("Sign in", type="primary", width="stretch")
    if sent:
        captcha = CaptchaAnswer(id=challenge.id, answer=answer) if challenge and answer.strip() else None
        _sign_in(state, username, password, captcha)
    elif state.notice:
        st.error(state.notice)
        state.notice = None
    if can_register:
        st.button(
            "Create account", icon=":material/person_add:", width="stretch", on_click=show_form, args=(state, True)
        )
    asks = "A forgotten password?" if can_register else "No account, or a forgotten password?"
    st.caption(f"{asks} Ask an admin for a one-time code, and enter it as the password.")


def _sign_in(state: UiState, username: str, password: str, captcha: CaptchaAnswer | None) -> None:
    auth = process.current().auth
    try:
        ticket = auth.sign_in(
            username=username,
            password=password,
            network=client_network(),
            captcha=captcha,
            user_agent=st.context.headers.get("User-Agent", "")[:200],
        )
    except (InvalidCredentialsError, CaptchaError) as error:
        state.username = username
        state.notice = error.user_message
        st.rerun()
    except OptimusError as error:
        st.error(error.user_message)
        return
    bridge.open_session(state, ticket)


def draw_connection_problem() -> bool:
    """Say why nobody can sign in over this connection, if so; return whether signing in is possible."""
    address = urlsplit(st.context.url or "http://localhost")
    try:
        cookie_policy(
            scheme=address.scheme, host=address.hostname or "", allow_http=process.current().settings.allow_http
        )
    except OptimusError as error:
        st.error(error.user_message)
        return False
    return True


def client_network() -> str:
    """Return the network that the connection comes from, as failed tries are counted: a /32 or a /64."""
    address = st.context.ip_address
    if address is None:
        return "loopback"
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 4:  # noqa: PLR2004 - the version of the Internet Protocol
        return str(parsed)
    return str(ip_network(f"{parsed}/{IPV6_NETWORK_BITS}", strict=False))
