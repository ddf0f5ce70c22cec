"""What can be done with the selected accounts: role, lock, sessions, a new code. Every act asks first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from optimus.auth.accounts import AccountDesk, AccountInfo
from optimus.auth.first_password import OneTimeCode
from optimus.models import Role, UserStatus
from optimus.ui.guard import PageContext, act, did, is_still
from optimus.ui.proof import ask_password, is_proven
from optimus.ui.text import ROLE_NAMES, count, minute, plain

_NAMED = 3
"""So many of the selected accounts are named in a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A button, the question that it asks, which accounts it fits, and what a yes does with each."""

    key: str
    label: str
    icon: str
    question: str
    fits: Callable[[AccountInfo], bool]
    perform: Callable[[PageContext, AccountInfo], object]
    is_grave: bool = False
    """The own password is asked for unless it was given lately."""


_CHANGES = (
    _Change(
        key="promote",
        label="Make admin",
        icon=":material/shield_person:",
        question="As an admin, {name} can add, lock and change every account, yours too. Nobody's chats and memories "
        "can be read. Open sessions end, and the new right begins with the next sign-in.",
        fits=lambda info: info.user.role is Role.USER,
        perform=lambda context, info: _people(context).change_role(context.principal, info.user.id, Role.ADMIN),
        is_grave=True,
    ),
    _Change(
        key="demote",
        label="Make user",
        icon=":material/person:",
        question="{name} can no longer open this page, but keeps all chats and memories. It counts at once.",
        fits=lambda info: info.user.role is Role.ADMIN,
        perform=lambda context, info: _people(context).change_role(context.principal, info.user.id, Role.USER),
    ),
    _Change(
        key="lock",
        label="Lock",
        icon=":material/lock:",
        question="{name}: signed out everywhere, and no sign-in until you unlock it. Nothing is deleted.",
        fits=lambda info: info.user.status is UserStatus.ACTIVE,
        perform=lambda context, info: _people(context).lock(context.principal, info.user.id),
    ),
    _Change(
        key="unlock",
        label="Unlock",
        icon=":material/lock_open:",
        question="{name} can sign in again, with the same password as before.",
        fits=lambda info: info.user.status is UserStatus.LOCKED,
        perform=lambda context, info: _people(context).unlock(context.principal, info.user.id),
    ),
    _Change(
        key="end_sessions",
        label="Sign out everywhere",
        icon=":material/logout:",
        question="{name}: signed out in every browser, and able to sign in again at once.",
        fits=lambda info: info.sessions > 0,
        perform=lambda context, info: _people(context).end_sessions(context.principal, info.user.id),
    ),
)


def draw_accounts(context: PageContext, chosen: list[AccountInfo]) -> None:
    """Draw the actions that fit the selected accounts, one or several."""
    with st.container(border=True, key="account"):
        st.markdown(_heading(context, chosen))
        with st.container(horizontal=True, gap="small"):
            for change in _CHANGES:
                _draw_button(context, change, chosen)
            if len(chosen) == 1:
                _draw_reset(context, chosen[0])
                _draw_erase(context, chosen[0])


def draw_code(code: OneTimeCode) -> None:
    """Show a one-time code, this once."""
    name = plain(code.user.username)
    st.write(f"Give **{name}** this code. It takes the place of the password at the first sign-in.")
    st.code(code.code, language=None)
    st.caption(
        f"It works once, until {minute(code.expires_at)}. Then {name} chooses a password that you never see. "
        "The code is shown only here: close this when you have passed it on."
    )


def _heading(context: PageContext, chosen: list[AccountInfo]) -> str:
    if len(chosen) > 1:
        return f"**{count(len(chosen), 'user')}** :gray[{_names(chosen)}]"
    info = chosen[0]
    you = " · you" if info.user.id == context.principal.user_id else ""
    return f"**{plain(info.user.username)}** :gray[{ROLE_NAMES[info.user.role]}{you}]"


def _names(chosen: list[AccountInfo]) -> str:
    named = ", ".join(plain(info.user.username) for info in chosen[:_NAMED])
    return f"{named} and {len(chosen) - _NAMED:,} more" if len(chosen) > _NAMED else named


def _draw_button(context: PageContext, change: _Change, chosen: list[AccountInfo]) -> None:
    """Draw a button for those whom it fits; one that fits a lone account but is barred says why."""
    fitting = [info for info in chosen if change.fits(info)]
    targets = [info for info in fitting if change.key != "lock" or info.user.id != context.principal.user_id]
    reason = None
    if not targets:
        if len(chosen) > 1 or not (fitting or change.key == "end_sessions"):
            return
        reason = "You cannot lock your own account." if fitting else "Nobody is signed in."
    few = f" ({len(targets)})" if 0 < len(targets) < len(chosen) else ""
    key = f"{change.key}_{chosen[0].user.id if len(chosen) == 1 else 'many'}"
    if st.button(change.label + few, icon=change.icon, key=key, disabled=reason is not None, help=reason):
        _confirm(context, change, targets)


@st.dialog("Are you sure?")
def _confirm(context: PageContext, change: _Change, targets: list[AccountInfo]) -> None:
    st.write(change.question.format(name=f"**{_names(targets)}**"))
    password = ask_password(context) if change.is_grave else None
    if not st.button(change.label, icon=change.icon, type="primary", key="confirm") or not is_still(context):
        return
    if not is_proven(context, password):
        return
    done = [info for info in targets if did(change.perform, context, info)]
    if len(done) == len(targets):
        who = targets[0].user.username if len(targets) == 1 else count(len(targets), "user")
        context.state.done = f"Done: {change.label.lower()}, {who}"
        st.rerun()


def _draw_reset(context: PageContext, info: AccountInfo) -> None:
    own = info.user.id == context.principal.user_id
    reason = "You change your own password in the settings." if own else None
    if st.button("New sign-in code", icon=":material/key:", key=f"reset_{info.user.id}", disabled=own, help=reason):
        _reset(context, info)


@st.dialog("New sign-in code", on_dismiss="rerun")
def _reset(context: PageContext, info: AccountInfo) -> None:
    place = st.empty()
    with place.container():
        st.write(
            f"**{plain(info.user.username)}** is signed out everywhere, and the present password stops working. "
            "You get a one-time code to hand over instead."
        )
        password = ask_password(context)
        wanted = st.button("Make the code", icon=":material/key:", type="primary", key="confirm_reset")
    if not wanted or not is_still(context) or not is_proven(context, password):
        return
    code = act(_people(context).reset_password, context.principal, info.user.id)
    if code:
        with place.container():
            draw_code(code)


def _draw_erase(context: PageContext, info: AccountInfo) -> None:
    own = info.user.id == context.principal.user_id
    reason = "You delete your own account in the settings." if own else None
    if st.button("Erase", icon=":material/delete_forever:", key=f"erase_{info.user.id}", disabled=own, help=reason):
        _erase(context, info)


@st.dialog("Erase this account?", on_dismiss="rerun")
def _erase(context: PageContext, info: AccountInfo) -> None:
    place = st.empty()
    with place.container():
        name = info.user.username
        st.write(
            f"Everything that Optimus holds of **{plain(name)}** is deleted for good: account, chats, memories, "
            "usage. It cannot be undone. You get a receipt that names nobody."
        )
        typed = st.text_input("To confirm, type the username", autocomplete="off", key="erase_name")
        password = ask_password(context)
        wanted = st.button("Erase everything", icon=":material/delete_forever:", type="primary", key="confirm_erase")
    if not wanted or not is_still(context):
        return
    if typed.strip() != name:
        st.error("Type the username exactly as it stands above.")
        return
    if not is_proven(context, password):
        return
    receipt = act(context.services.privacy.erase_user, context.principal, info.user.id)
    if receipt:
        with place.container():
            st.success("The account is erased.", icon=":material/check:")
            st.caption("The receipt, shown only here. `python -m optimus verify-receipt` checks it.")
            st.code(receipt.to_json(), language="json", wrap_lines=True)


def _people(context: PageContext) -> AccountDesk:
    return context.services.auth.people
