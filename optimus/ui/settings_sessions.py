"""Settings: the browsers that are signed in, and what was done with the account."""

from __future__ import annotations

import streamlit as st

from optimus.audit import ANOTHER, OWN_ENTRIES
from optimus.auth.sessions import SessionInfo
from optimus.ui.audit_words import details_of, title_of
from optimus.ui.guard import PageContext, act, did
from optimus.ui.tables import ROW_HEIGHT, table_height
from optimus.ui.text import count, minute, plain, viewer_zone


def draw_sessions(context: PageContext) -> None:
    """Draw each session of the account; every other one can be ended."""
    sessions = context.services.auth.sessions(context.principal.user_id)
    st.caption("Browsers that are signed in with your account. If you don't know one, end it and change your password.")
    for session in sorted(sessions, key=lambda each: each.id != context.principal.session_id):
        _draw_session(context, session)
    if len(sessions) == 1:
        st.caption("You are signed in nowhere else.")
    elif st.button("End all other sessions", icon=":material/logout:", key="sessions_end_others"):
        ended = act(context.services.auth.end_other_sessions, context.principal)
        if ended is not None:
            context.state.done = f"{count(ended, 'session')} ended"
            st.rerun()
    _draw_activity(context)


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


def _draw_activity(context: PageContext) -> None:
    """Draw what the audit log holds about the own account, the newest first."""
    st.subheader("Activity", anchor=False)
    st.caption(f"The last {OWN_ENTRIES} things that were done with your account, by you or by an admin.")
    entries = act(context.services.audit.own, context.principal)
    if not entries:
        st.info("Nothing has been recorded yet.", icon=":material/inbox:")
        return
    rows = [
        {
            "When": entry.at,
            "What": title_of(entry.action),
            "By": "An admin" if entry.actor == ANOTHER else "You" if entry.actor else "Not signed in",
            "Details": details_of(entry) or None,
        }
        for entry in entries
    ]
    times = st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm", timezone=viewer_zone().key)
    st.dataframe(
        rows,
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=table_height(len(rows)),
        placeholder="",
        column_config={"When": times, "Details": st.column_config.TextColumn(width=220)},
        alt="What was done with your account, the newest first",
    )


def _end(context: PageContext, session: SessionInfo) -> None:
    if did(context.services.auth.end_session, context.principal.user_id, session.id):
        context.state.done = "Session ended"
        st.rerun()
