"""The own password once more: an open browser alone is not enough for the gravest acts."""

from __future__ import annotations

import streamlit as st

from optimus.ui.guard import PageContext, act, did
from optimus.ui.sign_in import client_network


def ask_password(context: PageContext, key: str = "proof") -> str | None:
    """Draw the field for the own password; None where it was given in the last five minutes."""
    if act(context.services.auth.proof.is_fresh, context.principal):
        return None
    st.caption("To be sure that it is you, enter your own password once more. It counts for five minutes.")
    return st.text_input("Your own password", type="password", autocomplete="current-password", key=key)


def is_proven(context: PageContext, password: str | None) -> bool:
    """Take what `ask_password` returned; where it is wrong, say so."""
    give = context.services.auth.proof.give
    return password is None or did(give, context.principal, password=password, network=client_network())
