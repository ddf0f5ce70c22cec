"""Settings: who is signed in, and their password."""

from __future__ import annotations

import streamlit as st

from optimus.ui import bridge
from optimus.ui.guard import PageContext, act, did
from optimus.ui.new_password import draw_new_password
from optimus.ui.sign_in import client_network
from optimus.ui.text import ROLE_NAMES, browser_zone, day, plain, zones


def draw_account(context: PageContext) -> None:
    """Draw the account and the form that changes its password."""
    user = context.services.auth.account(context.principal)
    with st.container(gap=None):
        st.subheader(plain(user.username), anchor=False)
        st.caption(f"{ROLE_NAMES[user.role]} · member since {day(user.created_at)}")
    _draw_profile(context)
    _draw_password(context)


def _draw_profile(context: PageContext) -> None:
    preferences, owner = context.services.preferences, context.principal.user_id
    chosen = preferences.of(owner)
    names = [None, *dict.fromkeys([*zones(), *([chosen.time_zone] if chosen.time_zone else [])])]
    with st.form(f"profile_{chosen.version}", border=True):
        name = st.text_input("What to call you", chosen.display_name, placeholder=context.principal.username)
        zone = st.selectbox(
            "Time zone of dates",
            names,
            index=names.index(chosen.time_zone),
            format_func=lambda key: key.replace("_", " ") if key else f"The browser's ({browser_zone().key})",
        )
        saved = st.form_submit_button("Save", type="primary")
    if saved and did(preferences.choose_profile, owner, display_name=name, time_zone=zone):
        context.state.done = "Saved"
        st.rerun()


def _draw_password(context: PageContext) -> None:
    with st.container(border=True):
        st.markdown("**Change password**")
        current = st.text_input(
            "Current password", key="password_current", type="password", autocomplete="current-password"
        )
        new = draw_new_password(context.principal.username, key="password_new", label="New password")
        st.caption("Changing it signs you out everywhere else. Here you stay signed in.")
        if st.button("Change password", type="primary", key="password_change", disabled=not (current and new)):
            _change(context, current, new)


def _change(context: PageContext, current: str, new: str) -> None:
    change = context.services.auth.change_password
    browser = st.context.headers.get("User-Agent", "")[:200]
    ticket = act(change, context.principal, current=current, new=new, network=client_network(), user_agent=browser)
    if ticket:
        bridge.open_session(context.state, ticket, done="password")
