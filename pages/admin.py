"""Running Optimus: accounts, what counts for everybody, health, numbers, and the log of accounts.

Nothing here shows what anybody has written.
"""

from __future__ import annotations

import streamlit as st

from optimus.auth.permissions import Action
from optimus.ui.admin_health import draw_damage, draw_health
from optimus.ui.admin_log import draw_log
from optimus.ui.admin_numbers import draw_numbers
from optimus.ui.admin_system import draw_system
from optimus.ui.admin_users import draw_users
from optimus.ui.guard import PageContext, run_page
from optimus.ui.navigation import draw_sections

SECTIONS = {
    "Users": draw_users,
    "System": draw_system,
    "Health": draw_health,
    "Numbers": draw_numbers,
    "Log": draw_log,
}


def render(context: PageContext) -> None:
    """Draw the open section; the address names it."""
    st.title("Admin")
    st.caption("Accounts and the state of this Optimus. Chats and memories belong to their users and are never shown.")
    draw_damage(context)
    draw_sections(context, SECTIONS)


run_page(render, Action.USE_ADMIN)
