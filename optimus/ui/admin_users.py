"""The table of accounts with its search, a new account, and the actions on the selected ones."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from optimus.auth.accounts import AccountInfo
from optimus.models import Role, UserStatus
from optimus.overview import Person
from optimus.ui.admin_account import draw_accounts, draw_code
from optimus.ui.guard import PageContext, act, is_still
from optimus.ui.proof import ask_password, is_proven
from optimus.ui.tables import ROW_HEIGHT, table_height
from optimus.ui.text import ROLE_NAMES, count, viewer_zone

_DATE_WIDTH = 150


def draw_users(context: PageContext) -> None:
    """Draw every account that is searched for; the selected ones can be changed below the table."""
    with st.container(horizontal=True, vertical_alignment="center"):
        named = st.text_input(
            "Search users",
            key="users_search",
            placeholder="Search by name",
            icon=":material/search:",
            label_visibility="collapsed",
            live=True,
            max_chars=200,
            width=260,
        )
        if st.button("Add a user", icon=":material/person_add:", key="user_add"):
            _add(context)
    people = act(context.services.overview.people, context.principal, named=named)
    if people is None:
        return
    if not people:
        st.info("Nobody has such a name. Search for a part of it, or clear the search.", icon=":material/search_off:")
        return
    chosen = _draw_table(people, context.services.clock())
    if chosen:
        draw_accounts(context, chosen)
    elif len(people) == 1 and not named:
        st.info(
            "You are the only user. Add others: each gets a one-time code from you and chooses an own password.",
            icon=":material/group_add:",
        )
    else:
        st.caption(f"{count(len(people), 'user')}. Select one or several, at the left of a row, to change them.")


def _draw_table(people: list[Person], now: datetime) -> list[AccountInfo]:
    """Draw the rows; return the selected accounts.

    The grid tells a selection by its place, so other rows are another table, in which nothing is selected.
    """
    zone = viewer_zone().key
    times = "D MMM YYYY, HH:mm"
    event = st.dataframe(
        [_row(person, now) for person in people],
        key=f"users_table_{hash(tuple(person.account.user.id for person in people))}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        row_height=ROW_HEIGHT,
        height=table_height(len(people)),
        column_config={
            "Sessions": st.column_config.NumberColumn(width="small", help="Browsers that are signed in"),
            "Memories": st.column_config.NumberColumn(width="small", help="How many, messages not counted"),
            "Last seen": st.column_config.DatetimeColumn(format=times, timezone=zone, width=_DATE_WIDTH),
            "Created": st.column_config.DatetimeColumn(format=times, timezone=zone, width=_DATE_WIDTH),
        },
        placeholder="never",
        alt="Users with role, status, sessions, memories and last use",
    )
    return [people[row].account for row in event["selection"]["rows"] if row < len(people)]


def _row(person: Person, now: datetime) -> dict[str, str | int | datetime | None]:
    info = person.account
    return {
        "Name": info.user.username,
        "Role": ROLE_NAMES[info.user.role],
        "Status": status_of(info, now),
        "Sessions": info.sessions,
        "Memories": person.memories,
        "Last seen": info.seen_at,
        "Created": info.user.created_at,
    }


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
    with place.container():
        username = st.text_input("Username", max_chars=200, autocomplete="off")
        role = st.selectbox("Role", [Role.USER, Role.ADMIN], format_func=lambda role: ROLE_NAMES[role])
        password = ask_password(context) if role is Role.ADMIN else None
        st.caption("You get a one-time code to hand over. With it the user signs in and chooses an own password.")
        wanted = st.button("Add", type="primary", key="user_add_confirm")
    if not wanted or not is_still(context) or not is_proven(context, password):
        return
    made = act(context.services.auth.people.create, context.principal, username=username, role=role)
    if made:
        with place.container():
            draw_code(made)
