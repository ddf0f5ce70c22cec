"""The last wall: what reaches it is logged under an incident number, and the page shows only the number.

A store that does not answer is no end: the page says so, keeps what was typed, and goes on by itself.
"""

from __future__ import annotations

import logging
import secrets
from time import monotonic

import streamlit as st

from optimus import process
from optimus.errors import OptimusError, StoreUnavailableError

LOOK_AGAIN_S = 2.0

_log = logging.getLogger(__name__)


def report(error: Exception) -> bool:
    """Show a sentence instead of a traceback; the log has the rest under the same incident number."""
    incident = secrets.token_hex(4)
    if isinstance(error, StoreUnavailableError):
        _log.info("a page waits for the store: %s", error)
        _wait(error)
        return True
    if isinstance(error, OptimusError):
        _log.warning("incident %s: %s: %s", incident, type(error).__name__, error)
        st.error(error.user_message)
        return True
    # Streamlit has logged the traceback already, right above this line.
    _log.error("incident %s: %s", incident, type(error).__name__)
    st.error(f"Something went wrong on our side. Nothing that was saved is lost. Incident {incident}.")
    return True


def _wait(error: StoreUnavailableError) -> None:
    if process.is_open():
        from optimus.ui.state import keep_typed  # noqa: PLC0415 - before that nothing was typed, and this takes time

        keep_typed()
    said = error.user_message.removesuffix(" Please try again.")
    more = "Nothing that was saved is lost, and nobody is signed out. This page goes on by itself."
    st.warning(f"**{said}** {more}", icon=":material/cloud_off:")
    _look_again(monotonic())


@st.fragment(run_every=LOOK_AGAIN_S)
def _look_again(since: float) -> None:
    """Draw the whole page again once the store may answer; never in the run that found it silent."""
    if monotonic() - since >= LOOK_AGAIN_S / 2 and process.is_reachable():
        st.rerun()
