"""Running Optimus: accounts, what counts for everybody, health, numbers, and the log of accounts.

Nothing here shows what anybody has written.
"""

from __future__ import annotations

import streamlit as st

from optimus.auth.permissions import Action
from optimus.ui.admin_health import draw_health
from optimus.ui.admin_log import draw_log
from optimus.ui.admin_numbers import draw_numbers
from optimus.ui.admin_system import draw_system
from optimus.ui.admin_users import draw_users
from optimus.ui.guard import PageContext, run_page
from optimus.ui.text import option

SECTIONS = {
    "Users": draw_users,
    "System": draw_system,
    "Health": draw_health,
    "Numbers": draw_numbers,
    "Log": draw_log,
}


def render(context: PageContext) -> None:
    """Draw the chosen section; the others cost nothing meanwhile."""
    st.title("Admin")
    st.caption("Accounts and the state of this Optimus. Chats and memories belong to their users and are never shown.")
    section = st.segmented_control(
        "Section",
        list(SECTIONS),
        default="Users",
        required=True,
        key="admin_section",
        label_visibility="collapsed",
        format_func=option,
    )
    SECTIONS[section or "Users"](context)


run_page(render, Action.USE_ADMIN)
