"""The log of accounts: who signed in, who failed, and what admins did."""

from __future__ import annotations

import streamlit as st

from optimus.models import UserId
from optimus.overview import LOGGED, LogEntry
from optimus.ui.guard import PageContext, act
from optimus.ui.tables import ROW_HEIGHT, table_height
from optimus.ui.text import count, viewer_zone

KINDS = {
    "admin.password_reset": "New sign-in code made",
    "admin.role_changed": "Role changed",
    "admin.sessions_ended": "Signed out everywhere",
    "admin.user_created": "User added",
    "admin.user_locked": "Account locked",
    "admin.user_unlocked": "Account unlocked",
    "auth.admin_created": "Admin account made",
    "auth.password_change_failed": "Password change failed",
    "auth.password_changed": "Password changed",
    "auth.password_chosen": "Password chosen after a code",
    "auth.session_ended": "Session ended",
    "auth.sign_in_failed": "Sign-in failed",
    "auth.signed_in": "Signed in",
    "auth.signed_out": "Signed out",
}
PATHS = {"set-up": "in the set-up", "terminal": "at the terminal"}
ANY_KIND, ANYBODY = "Everything", "Everybody"
_SOURCE_CHARS = 6


def draw_log(context: PageContext) -> None:
    """Draw the newest entries, of one kind or about one user where that is chosen."""
    overview, principal = context.services.overview, context.principal
    kinds = act(overview.kinds, principal) or []
    accounts = act(context.services.auth.people.all, principal) or []
    names = {info.user.id: info.user.username for info in accounts}
    with st.container(horizontal=True):
        kind = st.selectbox(
            "What", [None, *kinds], format_func=lambda key: ANY_KIND if key is None else title_of(key), key="log_kind"
        )
        about: UserId | None = st.selectbox(
            "Who", [None, *names], format_func=lambda key: names[key] if key else ANYBODY, key="log_user"
        )
    entries = act(overview.log, principal, kind=kind, about=about)
    if entries is None:
        return
    if not entries:
        st.info("Nothing of this kind has happened. Choose something else above.", icon=":material/inbox:")
        return
    _draw_entries(entries)
    shown = f"The newest {LOGGED}." if len(entries) == LOGGED else "All that there is."
    st.caption(f"{shown} Passwords and addresses are not recorded; the mark of a network only tells two apart.")


def title_of(kind: str) -> str:
    """Return a kind of entry in words; one that is not known by name is spelled out."""
    return KINDS.get(kind) or kind.partition(".")[2].replace("_", " ").capitalize()


def _detail(key: str, value: object) -> str:
    if key == "source":
        return f"network {str(value)[:_SOURCE_CHARS]}"
    if key == "path":
        return PATHS.get(str(value), str(value))
    if key in {"count", "sessions_ended"} and isinstance(value, int):
        return count(value, "session")
    return f"{key.replace('_', ' ')} {value}"


def _draw_entries(entries: list[LogEntry]) -> None:
    rows = [
        {
            "When": entry.at,
            "What": title_of(entry.kind),
            "User": "unknown name" if entry.username is None else entry.username or "deleted account",
            "By": None if entry.by is None else entry.by or "deleted account",
            "Details": ", ".join(_detail(key, value) for key, value in entry.data.items()) or None,
        }
        for entry in entries
    ]
    st.dataframe(
        rows,
        hide_index=True,
        row_height=ROW_HEIGHT,
        height=table_height(len(rows)),
        placeholder="",
        column_config={
            "When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm:ss", timezone=viewer_zone().key)
        },
        alt="The log of accounts, the newest entry first",
    )
