"""Settings: the browsers that are signed in."""

from __future__ import annotations

import streamlit as st

from optimus.auth.sessions import SessionInfo
from optimus.ui.guard import PageContext, act, did
from optimus.ui.text import count, minute, plain


def draw_sessions(context: PageContext) -> None:
    """Draw each session of the account; every other one can be ended."""
    sessions = context.services.auth.sessions(context.principal.user_id)
    st.caption("Browsers that are signed in with your account. If you don't know one, end it and change your password.")
    for session in sorted(sessions, key=lambda each: each.id != context.principal.session_id):
        _draw_session(context, session)
    if len(sessions) == 1:
        st.caption("You are signed in nowhere else.")
        return
    if st.button("End all other sessions", icon=":material/logout:", key="sessions_end_others"):
        ended = act(context.services.auth.end_other_sessions, context.principal)
        if ended is not None:
            context.state.done = f"{count(ended, 'session')} ended"
            st.rerun()


def _draw_session(context: PageContext, session: SessionInfo) -> None:
    is_this = session.id == context.principal.session_id
    with (
        st.container(border=True, key=f"session_{session.id}"),
        st.container(horizontal=True, vertical_alignment="center", wrap=False),
    ):
        with st.container(gap=None, width="stretch"):
            badge = " :blue-badge[This one]" if is_this else ""
            st.markdown(f"{plain(session.browser)}{badge}")
            st.caption(f"Started {minute(session.created_at)} · last seen {minute(session.seen_at)}")
        if not is_this and st.button("End", key=f"session_end_{session.id}", type="tertiary", icon=":material/logout:"):
            _end(context, session)


def _end(context: PageContext, session: SessionInfo) -> None:
    if did(context.services.auth.end_session, context.principal.user_id, session.id):
        context.state.done = "Session ended"
        st.rerun()
