"""The last wall: what reaches it is logged under an incident number, and the page shows only the number."""

from __future__ import annotations

import logging
import secrets

import streamlit as st

from optimus.errors import OptimusError

_log = logging.getLogger(__name__)


def report(error: Exception) -> bool:
    """Show a sentence instead of a traceback; the log has the rest under the same incident number."""
    incident = secrets.token_hex(4)
    if isinstance(error, OptimusError):
        _log.warning("incident %s: %s: %s", incident, type(error).__name__, error)
        st.error(error.user_message)
        return True
    # Streamlit has logged the traceback already, right above this line.
    _log.error("incident %s: %s", incident, type(error).__name__)
    st.error(f"Something went wrong on our side. Nothing that was saved is lost. Incident {incident}.")
    return True
