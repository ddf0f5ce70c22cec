"""Settings: light or dark."""

from __future__ import annotations

import streamlit as st

from optimus.ui.guard import PageContext


def draw_appearance(_context: PageContext) -> None:
    """Say how to switch between light and dark; the choice is the browser's and stays in it."""
    st.write(
        "Optimus is light or dark as your device is. To choose yourself, open the menu :material/more_vert: at the "
        "top right and pick System, Light or Dark. The choice is kept in this browser."
    )
