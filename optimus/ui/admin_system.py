"""What counts for everybody: registration, models, limits. The environment's own settings are shown, not changed."""

from __future__ import annotations

from typing import Any

import streamlit as st

from optimus.llm_handler.catalogue import CATALOGUE
from optimus.llm_handler.requests import OFFLINE_MODEL
from optimus.system_settings import (
    MOST_A_MINUTE,
    MOST_ANSWER,
    MOST_CALLS,
    MOST_MEMORIES,
    MOST_MESSAGES,
    MOST_TOKENS,
    MOST_USD,
    SystemSettings,
)
from optimus.ui.admin_models import draw_shared_providers
from optimus.ui.connect import choice_title
from optimus.ui.guard import PageContext, act

_LIMITS = (
    ("messages_per_minute", "Messages per user and minute", MOST_A_MINUTE, "Whoever sends more waits some seconds."),
    ("tokens_per_minute", "Tokens per user and minute", MOST_TOKENS, "The offline assistant takes none."),
    ("messages_per_day", "Messages per user and day", MOST_MESSAGES, "An answer written again counts, too."),
    ("tokens_per_day", "Tokens per user and day", MOST_TOKENS, "The offline assistant takes none and answers on."),
    (
        "tokens_per_answer",
        "Tokens per answer",
        MOST_ANSWER,
        "100 or more. What a model thinks and looks up counts, too.",
    ),
    (
        "calls_per_answer",
        "Calls of tools per answer",
        MOST_CALLS,
        "A model that made as many has to answer. 0 allows 50.",
    ),
    ("max_memories", "Memories per user", MOST_MEMORIES, "Messages are not counted. What is there stays."),
)


def draw_system(context: PageContext) -> None:
    """Draw the settings as they count now, and the button that saves what was changed."""
    current = act(context.services.system.current)
    if current is None:
        return
    st.caption("A change counts at once, for everybody, and is noted in the log.")
    with st.form("system", border=False):
        chosen = _draw_registration(context, current) | _draw_models(context, current) | _draw_limits(context, current)
        sent = st.form_submit_button("Save", type="primary", icon=":material/save:")
    draw_shared_providers(context)
    if not sent:
        return
    changes = {field: value for field, value in chosen.items() if value != getattr(current, field)}
    if act(context.services.system.change, context.principal, **changes) is not None:
        context.state.done = "Saved" if changes else "Nothing was changed"
        st.rerun()


def _draw_registration(context: PageContext, current: SystemSettings) -> dict[str, Any]:
    with st.container(border=True):
        st.markdown("**Registration**")
        is_open = st.toggle(
            "Let people create their own account on the sign-in page",
            value=current.is_registration_open,
            disabled=_is_fixed(context, "is_registration_open"),
        )
        st.caption("New accounts are users, never admins. While this is off, only admins add users.")
        _say_fixed(context, "is_registration_open")
    return {} if _is_fixed(context, "is_registration_open") else {"is_registration_open": is_open}


def _draw_models(context: PageContext, current: SystemSettings) -> dict[str, Any]:
    offered = {entry.key: entry.title for entry in CATALOGUE.offered()}
    shared = {str(choice.ref): choice_title(choice) for choice in context.services.models.choices()}
    if current.default_model:
        shared.setdefault(current.default_model, f"{current.default_model} (not on offer now)")
    options = [None, *shared]
    with st.container(border=True):
        st.markdown("**Models**")
        allowed = st.multiselect(
            "Allowed providers",
            list(offered),
            default=[key for key in offered if current.allowed_providers is None or key in current.allowed_providers],
            format_func=lambda key: offered[key],
            placeholder=f"Only the {CATALOGUE.get(OFFLINE_MODEL.provider).title.lower()}",
            disabled=_is_fixed(context, "allowed_providers"),
        )
        st.caption("All others cannot be picked, tested or asked any more. The offline assistant is always allowed.")
        _say_fixed(context, "allowed_providers")
        model = st.selectbox(
            "Default model of new chats",
            options,
            index=options.index(current.default_model),
            format_func=lambda ref: shared[ref] if ref else "The first one that is connected",
            disabled=_is_fixed(context, "default_model"),
            help="For everybody who has not chosen one. The models here are those of the server's settings.",
        )
        _say_fixed(context, "default_model")
    chosen = {
        "allowed_providers": None if len(allowed) == len(offered) else frozenset(allowed),
        "default_model": model,
    }
    return {field: value for field, value in chosen.items() if not _is_fixed(context, field)}


def _draw_limits(context: PageContext, current: SystemSettings) -> dict[str, Any]:
    chosen: dict[str, float] = {}
    with st.container(border=True):
        st.markdown("**Limits**")
        st.caption("A minute is the last 60 seconds, a day is one of UTC. 0 means no limit.")
        with st.container(horizontal=True):
            for field, label, most, explained in _LIMITS:
                with st.container(width=220, gap="small"):
                    chosen[field] = st.number_input(
                        label,
                        min_value=0,
                        max_value=most,
                        value=getattr(current, field) or 0,
                        step=1,
                        help=explained,
                        disabled=_is_fixed(context, field),
                    )
                    _say_fixed(context, field)
            with st.container(width=220, gap="small"):
                chosen["usd_per_day"] = _draw_dollars(context, current)
    return {field: value or None for field, value in chosen.items() if not _is_fixed(context, field)}


def _draw_dollars(context: PageContext, current: SystemSettings) -> float:
    dollars = st.number_input(
        "US dollars per user and day",
        min_value=0.0,
        max_value=MOST_USD,
        value=current.usd_per_day or 0.0,
        step=0.5,
        format="%.2f",
        help="By the providers' list prices. What costs nothing answers on. A call whose price is not known is not "
        "in the sum, which its user is told; it counts in the tokens.",
        disabled=_is_fixed(context, "usd_per_day"),
    )
    _say_fixed(context, "usd_per_day")
    return dollars


def _is_fixed(context: PageContext, field: str) -> bool:
    return field in context.services.system.fixed


def _say_fixed(context: PageContext, field: str) -> None:
    if _is_fixed(context, field):
        st.caption(f":material/lock: Fixed by `{context.services.system.fixed[field]}` in the server's settings.")
