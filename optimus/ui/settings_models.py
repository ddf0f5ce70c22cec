"""Settings: the models that the user connected, and the one that new chats begin with."""

from __future__ import annotations

import streamlit as st

from optimus.llm_handler.catalogue import CATALOGUE
from optimus.llm_handler.requests import OFFLINE_MODEL, OwnConnection
from optimus.ui.connect import choice_key, choice_title, connect_dialog
from optimus.ui.guard import PageContext, act, did
from optimus.ui.settings_model_list import draw_model_list
from optimus.ui.text import count, day, plain

_AUTOMATIC = ""
_RULES = "rules"


def draw_models(context: PageContext) -> None:
    """Draw the default model and every own connection."""
    _draw_default(context)
    _draw_fallbacks(context)
    _draw_extraction(context)
    _draw_image_models(context)
    draw_model_list(context)
    st.subheader("Your connections", anchor=False)
    connections = context.services.connections.own(context.principal.user_id)
    if not connections:
        st.info(
            "You have not connected a model yet. The offline assistant remembers and finds what you tell it; "
            "a language model can talk about everything else, too.",
            icon=":material/power:",
        )
    for connection in connections:
        _draw_connection(context, connection)
    if st.button("Connect a model", icon=":material/add_link:", key="settings_connect"):
        connect_dialog(context)


def _draw_default(context: PageContext) -> None:
    service, owner = context.services.connections, context.principal.user_id
    choices = {choice_key(choice): choice for choice in service.pickable(owner)}
    chosen = service.default(owner)
    stored = choice_key(chosen) if chosen else _AUTOMATIC
    version = context.services.preferences.of(owner).version
    options = [_AUTOMATIC, *choices]
    picked = st.selectbox(
        "Model of new chats",
        options,
        index=options.index(stored),
        format_func=lambda key: choice_title(choices[key]) if key else "The first one that is connected",
        key=f"default_model_{version}_{stored}",
    )
    if picked == stored:
        return
    if did(service.prefer, owner, choices.get(picked)):
        context.state.model = None
        context.state.done = "Saved"
        st.rerun()


def _draw_fallbacks(context: PageContext) -> None:
    service, owner = context.services.connections, context.principal.user_id
    choices = {choice_key(choice): choice for choice in service.choices(owner) if choice.ref != OFFLINE_MODEL}
    if not choices:
        return
    stored = [choice_key(choice) for choice in service.fallbacks(owner)]
    version = context.services.preferences.of(owner).version
    picked = st.multiselect(
        "If a model does not answer, ask",
        list(choices),
        default=stored,
        format_func=lambda key: choice_title(choices[key]),
        key=f"fallbacks_{version}_{len(choices)}",
        placeholder="Nobody: say what is wrong",
        max_selections=context.services.preferences.max_fallbacks,
        help="In this order, when the chosen model does not begin to answer. What you write goes to them then, and "
        "the answer says who wrote it.",
    )
    if picked == stored:
        return
    if did(service.prefer_fallbacks, owner, [choices[key] for key in picked]):
        context.state.done = "Saved"
        st.rerun()


def _draw_extraction(context: PageContext) -> None:
    service, owner = context.services.connections, context.principal.user_id
    choices = {choice_key(choice): choice for choice in service.choices(owner) if choice.ref != OFFLINE_MODEL}
    version = context.services.preferences.of(owner).version
    chosen = service.chosen_extraction(owner)
    stored = _RULES if service.is_rules_only(owner) else choice_key(chosen) if chosen else _AUTOMATIC
    words = {_AUTOMATIC: "Cheapest of the chat's provider (default)", _RULES: "None: rules only"}
    options = [_AUTOMATIC, _RULES, *choices]
    picked = st.selectbox(
        "Model that looks for memories",
        options,
        index=options.index(stored),
        format_func=lambda key: words.get(key) or choice_title(choices[key]),
        key=f"extraction_model_{version}_{stored}",
        help="After each answer it reads your message, secrets taken out, for more worth remembering than the rules "
        "find. A model that you choose here reads what you write to any other model, too. Chats with the offline "
        "assistant are read by none.",
    )
    if picked == stored:
        return
    if did(service.prefer_extraction, owner, choices.get(picked), never=picked == _RULES):
        context.state.done = "Saved"
        st.rerun()


def _draw_image_models(context: PageContext) -> None:
    services, owner = context.services, context.principal.user_id
    chosen = services.preferences.of(owner)
    refs = {str(choice.ref): choice for choice in services.connections.choices(owner) if choice.ref != OFFLINE_MODEL}
    open_to_doubt = [name for name, choice in refs.items() if not CATALOGUE.sees(choice.ref.provider, choice.ref.name)]
    if not open_to_doubt:
        return
    picked = st.multiselect(
        "Models that take pictures",
        open_to_doubt,
        default=[name for name in chosen.image_models if name in open_to_doubt],
        format_func=lambda name: choice_title(refs[name]),
        key=f"image_models_{chosen.version}_{len(open_to_doubt)}",
        placeholder="Only those whose names tell",
        max_selections=services.preferences.max_image_models,
        help="Optimus knows of most models by their names. Choose others here that you know to take pictures.",
    )
    if set(picked) == set(chosen.image_models) & set(open_to_doubt):
        return
    kept = [name for name in chosen.image_models if name not in open_to_doubt]
    if did(services.preferences.choose_image_models, owner, [*kept, *picked]):
        context.state.done = "Saved"
        st.rerun()


def _draw_connection(context: PageContext, connection: OwnConnection) -> None:
    with st.container(border=True, key=f"connection_{connection.id}"):
        with st.container(gap=None):
            st.markdown(f"**{plain(_title(connection.provider))}**")
            st.caption(_details(connection))
            if context.services.connections.is_resting(connection.provider, connection.id):
                st.caption(":orange[Does not answer at present. It is tried again within seconds, or test it now.]")
        with st.container(horizontal=True):
            wanted = st.button("Test again", icon=":material/refresh:", key=f"connection_test_{connection.id}")
            with st.popover("Disconnect", icon=":material/power_off:"):
                st.write("The key is deleted here. To use these models again, connect them again.")
                gone = st.button("Disconnect now", type="primary", key=f"connection_end_{connection.id}")
        if wanted:
            _test(context, connection)
    if gone and did(context.services.connections.disconnect, context.principal.user_id, connection.id):
        context.state.done = "Disconnected"
        st.rerun()


def _test(context: PageContext, connection: OwnConnection) -> None:
    with st.spinner("Asking the provider…"):
        result = act(context.services.connections.test_again, context.principal.user_id, connection.id)
    if result:
        (st.success if result.ok else st.error)(result.message)


def _title(provider: str) -> str:
    return CATALOGUE.get(provider).title if provider in CATALOGUE else provider


def _details(connection: OwnConnection) -> str:
    key = f"key ends in {plain(connection.key_ending)}" if connection.key_ending else "key not shown"
    parts = [
        plain(connection.base_url) if connection.base_url else "the provider's own address",
        key if connection.has_key else "no key",
        count(connection.models, "model"),
        f"connected on {day(connection.connected_at)}",
    ]
    return " · ".join(parts)
