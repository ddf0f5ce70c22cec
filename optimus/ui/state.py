"""The one typed object in Streamlit's session state.

It holds no clients, no other users' data, and no secret but a ticket that is good once and for half a minute.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from optimus.attachments import Upload
from optimus.conversations import SHOWN_MESSAGES
from optimus.llm_handler.requests import LocalServer
from optimus.memory_manager.views import MemoryView
from optimus.models import ConversationId, MemoryId, SessionId

_KEY = "optimus"
_TYPED = ("draft", "memory_new_", "edited_", "setup_username", "register_username")
"""How the keys of fields begin whose text is worth keeping; never a password's, nor a field with choices."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A ticket that the browser is to exchange for its cookie."""

    data: dict[str, str] = field(repr=False)
    """For the script in the page: the routes, the ticket, and a name that lets it run once only."""
    unkept: str
    """The sentence for a browser that keeps no cookie."""
    begun: float
    """When it began, in seconds of `time.monotonic`."""


@dataclass(slots=True)
class UiState:
    """What one browser tab remembers between runs."""

    session_id: SessionId | None = None
    """The session that this state belongs to; another one gets a new state."""
    display_name: str = ""
    """What the user wants to be called; empty where the username will do."""
    time_zone: str = ""
    """The time zone that the user chose for dates; empty takes the browser's."""
    setup_code: str = ""
    rescue_code: str = ""
    """The code of the rescue mode, once it was right; it is checked again with every repair."""
    username: str = ""
    """The name of the last failed sign-in, for its check question; or of the account that was just made."""
    exchange: Exchange | None = None
    """What the browser is to exchange for its cookie; it outlives the session that it replaces."""
    exchange_problem: str | None = None
    """Why the browser got or gave up no cookie: one of our own sentences, so it outlives the session."""
    model: str | None = None
    """The chosen model, as the picker's key."""
    failed_draft: str = ""
    """A message that could not be sent, to be put back into the box."""
    failed_files: tuple[Upload, ...] = ()
    """Its files, which the box cannot take back: they go along with the next one."""
    attempt: str = ""
    """Names what is being sent until it is sent, so that trying again cannot send it twice."""
    typed: dict[str, str] = field(default_factory=dict)
    """Texts of fields that could not be drawn because the store was away, by the fields' keys."""
    notice: str | None = None
    shown_chat: ConversationId | None = None
    """The conversation that the chat page drew last."""
    shown_messages: int = SHOWN_MESSAGES
    """How many of its newest messages are read."""
    editing: MemoryId | None = None
    editing_version: int = 1
    """The version that the editor was opened on; somebody else's change since then is not written over."""
    memory_page: int = 1
    memory_view: MemoryView | None = None
    """The search and filters that `memory_page` counts in."""
    memory_all: MemoryView | None = None
    """The search and filters of which everything is selected, on all pages."""
    added: int = 0
    """How many memories were added here; a new number empties the form."""
    registering: bool = False
    """The form for an own account is shown in place of the sign-in form."""
    register_notice: str = ""
    """What was wrong with it, where the check question is a new one since."""
    imports: int = 0
    """How many imports were begun here; a new number empties the field of the file."""
    receipt: str = ""
    """The receipt of the account that was deleted here, for as long as nobody signs in."""
    done: str = ""
    """What was just done, to be said once at the next run."""
    local_servers: list[LocalServer] | None = None


def ui_state() -> UiState:
    """Return this tab's state, made on first use."""
    if not isinstance(st.session_state.get(_KEY), UiState):
        st.session_state[_KEY] = UiState()
    state: UiState = st.session_state[_KEY]
    return state


def bind_state(session_id: SessionId | None) -> UiState:
    """Return the state if it belongs to `session_id`; otherwise drop everything and begin a new one.

    Widget values go too, so nothing that one account typed is ever shown to the next.
    """
    state = ui_state()
    if state.session_id == session_id:
        return state
    problem, exchange = state.exchange_problem, None if session_id else state.exchange
    st.session_state.clear()
    state = ui_state()
    state.session_id, state.exchange_problem, state.exchange = session_id, problem, exchange
    return state


def keep_typed() -> None:
    """Keep what stands in the fields for longer texts and names, for a run that ends before it draws them.

    Streamlit drops the value of a field that a run leaves out, and with it a message that was being sent.
    """
    for key, value in st.session_state.items():
        if str(key).startswith(_TYPED) and isinstance(value, str) and value:
            ui_state().typed[str(key)] = value


def put_back_typed() -> None:
    """Put what was kept back into its fields, before they are drawn; a field with a text of its own keeps that."""
    state = ui_state()
    for key, text in state.typed.items():
        if not st.session_state.get(key):
            st.session_state[key] = text
    state.typed = {}


def leave(receipt: str) -> None:
    """Drop everything of the account that was deleted in this tab, but its receipt."""
    st.session_state.clear()
    ui_state().receipt = receipt
