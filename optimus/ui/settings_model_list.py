"""Settings: what each model that can be chosen reads at once, and what it costs."""

from __future__ import annotations

import streamlit as st

from optimus.llm_handler.prices import context_tokens, cost_usd
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelChoice
from optimus.models import Usage
from optimus.ui.guard import PageContext

_MILLION = 1_000_000


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
            column_config={
                "Context": st.column_config.NumberColumn(format="localized", help="Tokens that it reads at once"),
                "Input": st.column_config.NumberColumn(format="$%.2f", help="US dollars for a million tokens"),
                "Output": st.column_config.NumberColumn(format="$%.2f", help="US dollars for a million tokens"),
            },
        )
        st.caption("List prices in US dollars for a million tokens. Where nothing stands, nothing is known.")


def _is_model(choice: ModelChoice) -> bool:
    return choice.ref != OFFLINE_MODEL


def _row(choice: ModelChoice) -> dict[str, object]:
    def price(usage: Usage) -> float | None:
        return cost_usd(choice.ref, usage, is_local=choice.is_local)

    return {
        "Model": choice.title,
        "Provider": choice.provider_title,
        "Context": context_tokens(choice.ref),
        "Input": price(Usage(input_tokens=_MILLION)),
        "Output": price(Usage(output_tokens=_MILLION)),
        "Free": "this machine" if choice.is_local else "free tier" if choice.free else "",
    }
