"""Navigation: the pages that a role has and their sections, the sign-in or set-up form for everybody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st

from optimus import process
from optimus.auth.permissions import Action, is_allowed
from optimus.errors import OptimusError
from optimus.models import Principal, Role
from optimus.ui import bridge
from optimus.ui.boundary import report
from optimus.ui.farewell import farewell_page
from optimus.ui.first_password import first_password_page
from optimus.ui.guard import PageContext, act, current_principal, watch
from optimus.ui.setup import setup_page
from optimus.ui.sign_in import sign_in_page
from optimus.ui.state import put_back_typed, ui_state

ROOT = Path(__file__).parent.parent.parent
ICON = ROOT / "assets" / "icon.png"
LOGO = ROOT / "assets" / "logo.svg"
ABOUT = "**Optimus** remembers what you tell it. The memory belongs to you."
"""With this entry the menu at the top right is there, and with it the switch between light and dark."""

_PAGES = (
    ("chat.py", "Chat", ":material/chat_bubble:", None, Action.USE_CHAT),
    ("memory.py", "Memory", ":material/neurology:", "memory", Action.USE_MEMORY),
    ("analytics.py", "Analytics", ":material/monitoring:", "analytics", Action.USE_ANALYTICS),
    ("settings.py", "Settings", ":material/settings:", "settings", Action.USE_SETTINGS),
    ("admin.py", "Admin", ":material/shield_person:", "admin", Action.USE_ADMIN),
)
_WIDE = frozenset({"analytics", "admin"})
"""Pages of tables and charts. It is said once a run, so that no page changes its width while it is drawn."""


def run() -> None:
    """Draw one run: navigation first, then the page, or the form in its place."""
    st.set_page_config(
        page_title="Optimus",
        page_icon=str(ICON),
        initial_sidebar_state="auto",
        menu_items={"About": ABOUT},
    )
    try:
        principal = current_principal()
        first_start = principal is None and process.current().auth.needs_setup()
    except OptimusError as error:
        report(error)
        return
    put_back_typed()
    may_enter = principal is not None and not principal.must_change_password
    # Before anybody has entered, every page is known and none is run: an address is judged only afterwards.
    pages = _pages(principal.role if principal and may_enter else Role.ADMIN)
    page = st.navigation(pages, position="sidebar" if may_enter else "hidden")
    st.set_page_config(layout="wide" if may_enter and page.url_path in _WIDE else "centered")
    process.note_page_drawn()
    bridge.resume_exchange()
    if principal is None:
        if receipt := ui_state().receipt:
            farewell_page(receipt)
        else:
            setup_page() if first_start else sign_in_page()
        return
    _account(principal)
    bridge.draw_problem()
    first_password_page(principal) if principal.must_change_password else page.run()


def draw_sections(context: PageContext, sections: Mapping[str, Callable[[PageContext], None]]) -> None:
    """Draw the sections of a page as tabs; only the open one is run, and the address names it."""
    for name, tab in zip(sections, st.tabs(list(sections), key="section", bind="query-params"), strict=True):
        if tab.open:
            with tab:
                sections[name](context)


def _pages(role: Role) -> list[st.Page]:
    return [
        st.Page(ROOT / "pages" / file, title=title, icon=icon, url_path=path, default=path is None)
        for file, title, icon, path, action in _PAGES
        if is_allowed(role, action)
    ]


def _account(principal: Principal) -> None:
    """Draw who is signed in, and the way out; before the page, which may be busy following an answer."""
    with st.sidebar:
        st.space("small")
        st.caption(f"Signed in as **{principal.username}**")
        if st.button("Sign out", icon=":material/logout:", width="stretch", key="sign_out"):
            act(process.current().auth.sign_out, principal.session_id)
            bridge.close_session()
        watch(principal)
