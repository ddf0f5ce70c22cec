"""What is shown while the search index is built before the store opens; whoever looks at it can do nothing here."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import streamlit as st

from optimus import process

_ASSETS = Path(__file__).parent.parent.parent / "assets"
_LOOK_S = 2.0


def preparing_page() -> None:
    """Draw how far the search index has come, and go on by itself once everything is open."""
    st.set_page_config(page_title="Optimus is getting ready", page_icon=str(_ASSETS / "icon.png"))
    st.image(str(_ASSETS / "logo.svg"), width=160)
    st.header("Optimus is getting ready", anchor=False)
    _progress()


@st.fragment(run_every=_LOOK_S)
def _progress() -> None:
    building = process.building()
    if building is None:
        st.rerun()
    st.progress(building.share, text="Building the search index")
    st.write(
        "Much has changed since the last start. With a new index, searching stays fast. Everything you have saved is "
        "kept, and this page opens Optimus by itself."
    )
    st.caption(f"Running for {_duration(monotonic() - building.started)}. A very large store takes some minutes.")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
