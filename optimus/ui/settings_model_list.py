"""Settings: what each model that can be chosen reads at once, and what it costs."""

from __future__ import annotations

import streamlit as st

from optimus.llm_handler.prices import context_tokens, list_prices
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelChoice
from optimus.ui.guard import PageContext


def draw_model_list(context: PageContext) -> None:
    """Draw, once it is opened, the table of the models that can be chosen."""
    choices = [each for each in context.services.connections.choices(context.principal.user_id) if _is_model(each)]
    if not choices:
        return
    box = st.expander("Context and prices", icon=":material/list:", key="model_list", on_change="rerun")
    if not box.open:
        return
    with box:
        st.dataframe(
            [_row(choice) for choice in choices],
            hide_index=True,
            placeholder="",
            column_config={
                "Context": st.column_config.NumberColumn(format="localized", help="Tokens that it reads at once"),
                "Input": st.column_config.NumberColumn(format="$%.3f", help="US dollars for a million tokens"),
                "Output": st.column_config.NumberColumn(format="$%.3f", help="US dollars for a million tokens"),
            },
        )
        st.caption(
            "List prices in US dollars for a million tokens; some models cost more with a very long prompt. Where "
            "nothing stands, nothing is known."
        )


def _is_model(choice: ModelChoice) -> bool:
    return choice.ref != OFFLINE_MODEL


def _row(choice: ModelChoice) -> dict[str, object]:
    read, written = list_prices(choice.ref, is_local=choice.is_local)
    return {
        "Model": choice.title,
        "Provider": choice.provider_title,
        "Context": context_tokens(choice.ref),
        "Input": read,
        "Output": written,
        "Free": "this machine" if choice.is_local else "free tier" if choice.free else "",
    }
