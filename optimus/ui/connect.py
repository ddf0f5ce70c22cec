"""The model picker, and the card that connects a model: a local server, or a provider's key."""

from __future__ import annotations

import streamlit as st

from optimus.auth.permissions import Action, is_allowed
from optimus.connections import COMPATIBLE
from optimus.llm_handler.catalogue import CATALOGUE, ProviderEntry
from optimus.llm_handler.connections import LOCAL_PORTS
from optimus.llm_handler.requests import CHEAPEST, OFFLINE_MODEL, LocalServer, ModelChoice
from optimus.models import Message
from optimus.ui.guard import PageContext, act, did, is_still
from optimus.ui.state import ui_state
from optimus.ui.text import count, plain

_PICKER = "model_picker"


def draw_model_picker(context: PageContext, last: Message | None) -> ModelChoice:
    """Draw the picker at the head of the chat and return the chosen model.

    Until one is picked in this tab, it is what was picked for the `last` answer here, or the one of new chats.
    """
    choices = {
        choice_key(choice): choice for choice in context.services.connections.pickable(context.principal.user_id)
    }
    state = context.state
    if state.model not in choices:
        usual = context.services.connections.preferred(context.principal.user_id)
        before = last and (str(CHEAPEST) if last.routed else last.model)
        state.model = choice_key(next((c for c in choices.values() if str(c.ref) == before), usual))
    st.session_state[_PICKER] = state.model
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right", width="content"):
        st.selectbox(
            "Model",
            list(choices),
            format_func=lambda key: _picked_title(context, choices[key]),
            key=_PICKER,
            on_change=_pick,
            label_visibility="collapsed",
            width=280,
        )
        if st.button(
            "Connect", icon=":material/add_link:", key="connect_open", help="Connect a model", type="tertiary"
        ):
            connect_dialog(context)
    return choices[state.model]


def _picked_title(context: PageContext, choice: ModelChoice) -> str:
    is_resting = context.services.connections.is_resting(choice.ref.provider, choice.connection_id)
    return f"{choice.name} · does not answer at present" if is_resting else choice.name


def _pick() -> None:
    ui_state().model = st.session_state[_PICKER]


def choice_key(choice: ModelChoice) -> str:
    """Return what tells a choice from every other one, also between two connections with one model."""
    return f"{choice.connection_id or ''}|{choice.ref}"


def draw_connect_card(context: PageContext, choice: ModelChoice) -> None:
    """Draw the card under an empty chat, until a model is connected."""
    if choice.ref != OFFLINE_MODEL:
        return
    with st.expander("Connect a model", icon=":material/power:", key="connect_card"):
        st.caption(
            "Without one, the offline assistant remembers and finds what you tell it. "
            "A language model can talk about everything else, too."
        )
        _draw_ways(context, place="card")


@st.dialog("Connect a model", width="medium")
def connect_dialog(context: PageContext) -> None:
    """Open the dialog with every way to connect a model."""
    if is_still(context):
        _draw_ways(context, place="dialog")


def _draw_ways(context: PageContext, *, place: str) -> None:
    if is_allowed(context.principal.role, Action.CONNECT_ENDPOINT):
        _draw_local(context, place)
    _draw_provider(context, place)
    _draw_connected(context, place)


def _draw_local(context: PageContext, place: str) -> None:
    state = context.state
    if state.local_servers is None:
        state.local_servers = act(context.services.connections.local_servers) or []
    for server in state.local_servers:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{plain(server.name)}** runs on this machine: {count(len(server.models), 'model')}")
            if st.button("Use it", key=f"use_{place}_{server.base_url}", icon=":material/bolt:"):
                _connect(context, COMPATIBLE, _address(server), "")
    if not state.local_servers:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            usual = ", ".join(LOCAL_PORTS.values())
            st.caption(f"No model server runs on this machine ({usual}).", width="content")
            if st.button("Look again", key=f"look_{place}", type="tertiary", icon=":material/refresh:"):
                state.local_servers = None
                st.rerun()


def _address(server: LocalServer) -> str:
    return server.base_url


def _draw_provider(context: PageContext, place: str) -> None:
    offered = {entry.key: entry for entry in context.services.connections.offered(context.principal)}
    missing = ", ".join(entry.title for entry in CATALOGUE.not_installed())
    if missing:
        st.caption(f"Not to be used, because their libraries are not installed on this server: {missing}.")
    if not offered:
        st.info("Only the offline assistant is allowed here. Ask an admin to allow more.", icon=":material/lock:")
        return
    ordered = sorted(offered.values(), key=lambda entry: not entry.has_free_tier)
    key = st.selectbox(
        "Provider", [entry.key for entry in ordered], format_func=lambda k: _offer(offered[k]), key=f"provider_{place}"
    )
    entry = offered[key]
    address = ""
    if entry.key == COMPATIBLE:
        address = st.text_input("Address", placeholder="http://127.0.0.1:11434/v1", key=f"address_{place}")
    label = "API key" if entry.needs_key else "API key, if the server wants one"
    secret = st.text_input(label, type="password", key=f"key_{place}_{entry.key}", autocomplete="off")
    if entry.key_url:
        st.caption(f"Get a key at {entry.key_url}. It is stored encrypted and only ever sent to {entry.title}.")
    if st.button("Test and connect", key=f"test_{place}", type="primary", icon=":material/power:"):
        _connect(context, entry.key, address, secret)


def _connect(context: PageContext, provider: str, address: str, secret: str) -> None:
    with st.spinner("Asking the provider…"):
        result = act(
            context.services.connections.connect,
            context.principal,
            provider=provider,
            base_url=address,
            key=secret,
        )
    if result is None:
        return
    if not result.ok:
        st.error(result.message)
        return
    connected = context.services.connections.newest(context.principal.user_id, provider)
    context.state.model = choice_key(connected) if connected else None
    context.state.done = result.message
    st.rerun()


def _draw_connected(context: PageContext, place: str) -> None:
    for info in context.services.connections.connected(context.principal.user_id):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            where = f" · {info.credentials.base_url}" if info.credentials.base_url else ""
            st.text(f"Connected: {CATALOGUE.get(info.provider).title}{where}", width="content")
            wanted = st.button("Disconnect", key=f"disconnect_{place}_{info.id}", type="tertiary")
            if wanted and did(context.services.connections.disconnect, context.principal.user_id, info.id):
                st.rerun()


def choice_title(choice: ModelChoice) -> str:
    """Return a model's name with who offers it."""
    return choice.name


def _offer(entry: ProviderEntry) -> str:
    return f"{entry.title} · free tier" if entry.has_free_tier else entry.title
