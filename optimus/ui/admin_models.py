"""Admin, System: the providers that the server's settings set up for everybody, each with a test."""

from __future__ import annotations

import streamlit as st

from optimus.llm_handler.catalogue import ProviderEntry
from optimus.ui.guard import PageContext, act
from optimus.ui.text import plain


def draw_shared_providers(context: PageContext) -> None:
    """Draw a line for each provider of the settings; nothing where there is none."""
    shared = act(context.services.shared_keys.providers, context.principal)
    if not shared:
        return
    with st.container(border=True, key="shared_providers"):
        st.markdown("**Keys of the server's settings**")
        st.caption("A test lists the models and asks the cheapest for a few tokens.")
        for entry in shared:
            _draw_provider(context, entry)


def _draw_provider(context: PageContext, entry: ProviderEntry) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.text(entry.title, width="content")
        wanted = st.button(f"Test {entry.title}", icon=":material/refresh:", key=f"shared_test_{entry.key}")
    if not wanted:
        return
    with st.spinner("Asking the provider…"):
        result = act(context.services.shared_keys.test, context.principal, entry.key)
    if result:
        (st.success if result.ok else st.error)(plain(result.message))
