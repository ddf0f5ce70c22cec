"""The table of accounts, a new account, and the actions on the selected one."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from optimus.auth.accounts import AccountInfo
from optimus.auth.first_password import OneTimeCode
from optimus.models import Role, UserStatus
from optimus.ui.admin_account import draw_account, draw_code
from optimus.ui.guard import PageContext, act, is_still
from optimus.ui.tables import ROW_HEIGHT, table_height
from optimus.ui.text import ROLE_NAMES, count, viewer_zone

_DATE_WIDTH = 150


def draw_users(context: PageContext) -> None:
    """Draw every account; a selected one can be changed below the table."""
    accounts = act(context.services.auth.people.all, context.principal)
    if accounts is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        if st.button("Add a user", icon=":material/person_add:", key="user_add"):
            _add(context)
        st.caption(count(len(accounts), "user"), width="content")
    chosen = _draw_table(accounts, context.services.clock())
    if chosen is not None:
        draw_account(context, chosen)
    elif len(accounts) == 1:
        st.info(
            "You are the only user. Add others: each gets a one-time code from you and chooses an own password.",
            icon=":material/group_add:",
        )
    else:
        st.caption("Select a user, at the left of a row, to change the account.")


def _draw_table(accounts: list[AccountInfo], now: datetime) -> AccountInfo | None:
    zone = viewer_zone().key
    times = "D MMM YYYY, HH:mm"
    rows = [
        {
            "Name": info.user.username,
            "Role": ROLE_NAMES[info.user.role],
            "Status": status_of(info, now),
            "Sessions": info.sessions,
            "Last seen": info.seen_at,
            "Created": info.user.created_at,
        }
        for info in accounts
    ]
    event = st.dataframe(
        rows,
        key="users_table",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        row_height=ROW_HEIGHT,
        height=table_height(len(rows)),
        column_config={
            "Sessions": st.column_config.NumberColumn(width="small", help="Browsers that are signed in"),
            "Last seen": st.column_config.DatetimeColumn(format=times, timezone=zone, width=_DATE_WIDTH),
            "Created": st.column_config.DatetimeColumn(format=times, timezone=zone, width=_DATE_WIDTH),
        },
        placeholder="never",
        alt="All users with role, status, sessions and last use",
    )
    chosen = event["selection"]["rows"]
    return accounts[chosen[0]] if chosen and chosen[0] < len(accounts) else None


def status_of(info: AccountInfo, now: datetime) -> str:
    """Return how an account stands, in words."""
    if info.user.status is UserStatus.LOCKED:
        return "Locked"
    if info.code_expires_at is None:
        return "Active"
    if now >= info.code_expires_at:
        return "Code expired"
    return "Choosing a password" if info.code_used else "Code not used yet"


@st.dialog("Add a user", on_dismiss="rerun")
def _add(context: PageContext) -> None:
    place = st.empty()
    with place.container(), st.form("add_user", border=False):
        username = st.text_input("Username", max_chars=200, autocomplete="off")
        role = st.selectbox("Role", [Role.USER, Role.ADMIN], format_func=lambda role: ROLE_NAMES[role])
        st.caption("You get a one-time code to hand over. With it the user signs in and chooses an own password.")
        sent = st.form_submit_button("Add", type="primary")
    if sent and is_still(context):
        made = _create(context, username, role)
        if made:
            with place.container():
                draw_code(made)


def _create(context: PageContext, username: str, role: Role) -> OneTimeCode | None:
    return act(context.services.auth.people.create, context.principal, username=username, role=role)
