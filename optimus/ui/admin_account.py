"""What can be done with one account: role, lock, sessions, a new code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from optimus.auth.accounts import AccountDesk, AccountInfo
from optimus.auth.first_password import OneTimeCode
from optimus.models import Role, UserStatus
from optimus.ui.guard import PageContext, act, did, is_still
from optimus.ui.text import ROLE_NAMES, count, minute, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A button, the question that it asks, and what a yes does."""

    key: str
    label: str
    icon: str
    question: str
    perform: Callable[[PageContext, AccountInfo], object]


_PROMOTE = _Change(
    key="promote",
    label="Make admin",
    icon=":material/shield_person:",
    question="As an admin, {name} can add, lock and change every account, yours too. "
    "Nobody's chats and memories can be read.",
    perform=lambda context, info: _people(context).change_role(context.principal, info.user.id, Role.ADMIN),
)
_DEMOTE = _Change(
    key="demote",
    label="Make user",
    icon=":material/person:",
    question="{name} keeps everything of their own, but can no longer open this page. It counts at once.",
    perform=lambda context, info: _people(context).change_role(context.principal, info.user.id, Role.USER),
)
_LOCK = _Change(
    key="lock",
    label="Lock",
    icon=":material/lock:",
    question="{name} is signed out everywhere and cannot sign in until you unlock the account. Nothing is deleted.",
    perform=lambda context, info: _people(context).lock(context.principal, info.user.id),
)
_UNLOCK = _Change(
    key="unlock",
    label="Unlock",
    icon=":material/lock_open:",
    question="{name} can sign in again, with the same password as before.",
    perform=lambda context, info: _people(context).unlock(context.principal, info.user.id),
)
_END_SESSIONS = _Change(
    key="end_sessions",
    label="Sign out everywhere",
    icon=":material/logout:",
    question="{name} is signed out in every browser, and can sign in again at once.",
    perform=lambda context, info: _people(context).end_sessions(context.principal, info.user.id),
)


def draw_account(context: PageContext, info: AccountInfo) -> None:
    """Draw the actions on the selected account; every one asks first."""
    own = info.user.id == context.principal.user_id
    changes = [
        _DEMOTE if info.user.role is Role.ADMIN else _PROMOTE,
        _LOCK if info.user.status is UserStatus.ACTIVE else _UNLOCK,
        _END_SESSIONS,
    ]
    with st.container(border=True, key="account"):
        you = " · you" if own else ""
        st.markdown(f"**{plain(info.user.username)}** :gray[{ROLE_NAMES[info.user.role]}{you}]")
        with st.container(horizontal=True, gap="small"):
            for change in changes:
                _draw_button(context, info, change, own=own)
            if st.button(
                "New sign-in code",
                icon=":material/key:",
                key=f"reset_{info.user.id}",
                disabled=own,
                help="You change your own password in the settings." if own else None,
            ):
                _reset(context, info)


def draw_code(code: OneTimeCode) -> None:
    """Show a one-time code, this once."""
    name = plain(code.user.username)
    st.write(f"Give **{name}** this code. It takes the place of the password at the first sign-in.")
    st.code(code.code, language=None)
    st.caption(
        f"It works once, until {minute(code.expires_at)}. Then {name} chooses a password that you never see. "
        "The code is shown only here: close this when you have passed it on."
    )


def _draw_button(context: PageContext, info: AccountInfo, change: _Change, *, own: bool) -> None:
    is_barred = (change is _LOCK and own) or (change is _END_SESSIONS and not info.sessions)
    reason = "You cannot lock your own account." if change is _LOCK else "Nobody is signed in."
    key = f"{change.key}_{info.user.id}"
    if st.button(change.label, icon=change.icon, key=key, disabled=is_barred, help=reason if is_barred else None):
        _confirm(context, info, change)


@st.dialog("Are you sure?")
def _confirm(context: PageContext, info: AccountInfo, change: _Change) -> None:
    name = plain(info.user.username)
    st.write(change.question.format(name=f"**{name}**"))
    if change is _END_SESSIONS:
        st.caption(count(info.sessions, "session"))
    if not st.button(change.label, icon=change.icon, type="primary", key="confirm") or not is_still(context):
        return
    if did(change.perform, context, info):
        context.state.done = f"Done: {change.label.lower()}, {info.user.username}"
        st.rerun()


@st.dialog("New sign-in code", on_dismiss="rerun")
def _reset(context: PageContext, info: AccountInfo) -> None:
    place = st.empty()
    with place.container():
        st.write(
            f"**{plain(info.user.username)}** is signed out everywhere, and the present password stops working. "
            "You get a one-time code to hand over instead."
        )
        wanted = st.button("Make the code", icon=":material/key:", type="primary", key="confirm_reset")
    if not wanted or not is_still(context):
        return
    code = act(_people(context).reset_password, context.principal, info.user.id)
    if code:
        with place.container():
            draw_code(code)


def _people(context: PageContext) -> AccountDesk:
    return context.services.auth.people
