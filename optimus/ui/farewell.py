"""What stands in the place of the sign-in form after an account was deleted: its receipt."""

from __future__ import annotations

import json

import streamlit as st

from optimus.ui import bridge
from optimus.ui.text import count


def farewell_page(receipt: str) -> None:
    """Draw what was deleted, and the receipt to keep; the way on lets the browser forget the session, too."""
    st.title("Your account is deleted")
    records = sum(json.loads(receipt)["records"].values())
    st.write(
        f"{count(records, 'record')} of yours are gone, with the key that could have opened any copy of them. "
        "This receipt proves it. It does not name you, and it is shown only here."
    )
    with st.container(horizontal=True):
        st.download_button(
            "Save the receipt",
            receipt,
            file_name="optimus-receipt.json",
            mime="application/json",
            on_click="ignore",
            icon=":material/download:",
            type="primary",
        )
        done = st.button("Done", key="farewell_done")
    with st.expander("Show the receipt"):
        st.code(receipt, language="json", wrap_lines=True)
    st.caption("Whoever runs this Optimus can check it with `python -m optimus verify-receipt optimus-receipt.json`.")
    if done:
        bridge.close_session()
