"""The settings: account and password, sessions, models, memory, looks."""

from __future__ import annotations

import streamlit as st

from optimus.auth.permissions import Action
from optimus.ui.guard import PageContext, run_page
from optimus.ui.navigation import draw_sections
from optimus.ui.settings_account import draw_account
from optimus.ui.settings_appearance import draw_appearance
from optimus.ui.settings_data import draw_data
from optimus.ui.settings_memory import draw_memory
from optimus.ui.settings_models import draw_models
from optimus.ui.settings_privacy import draw_privacy
from optimus.ui.settings_sessions import draw_sessions

SECTIONS = {
    "Account": draw_account,
    "Sessions": draw_sessions,
    "Models": draw_models,
    "Memory": draw_memory,
    "Privacy": draw_privacy,
    "Appearance": draw_appearance,
    "Your data": draw_data,
}


def render(context: PageContext) -> None:
    """Draw the open section; the address names it, so that other pages can link to it."""
    st.title("Settings")
    draw_sections(context, SECTIONS)


run_page(render, Action.USE_SETTINGS)
