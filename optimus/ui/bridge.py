"""The step between a script, which cannot set cookies, and the routes that can.

A constant script posts a one-time ticket to a route, which answers with the HttpOnly cookie, and reloads the page.
The token itself never reaches the page. Where it fails, nothing is reloaded: the page gets a code, says its sentence,
and keeps what was typed.
"""

from __future__ import annotations

import secrets
import time

import streamlit as st

from optimus.auth.sessions import TICKET_LIFETIME
from optimus.ui.state import Exchange, UiState, ui_state

_KEY = "optimus_bridge"
_EXCHANGE_S = TICKET_LIFETIME.total_seconds()

_SCRIPT = """
export default async function ({ data, setTriggerValue }) {
  if (!data || !data.path || window.__optimusNonce === data.nonce) return;
  window.__optimusNonce = data.nonce;
  const refuse = (problem) => setTriggerValue("problem", problem);
  const options = { method: "POST", body: data.ticket || "", credentials: "same-origin", cache: "no-store" };
  try {
    const answer = await fetch(data.path, options);
    if (!answer.ok) { refuse((await answer.json()).problem || "ticket"); return; }
    if (data.check) {
      const kept = await fetch(data.check, { credentials: "same-origin", cache: "no-store" });
      if (!kept.ok) { refuse(kept.status === 503 ? "away" : "cookie"); return; }
    }
  } catch (error) { refuse("network"); return; }
  const url = new URL(data.next || window.location.href, window.location.origin);
  if (data.done) url.searchParams.set("done", data.done);
  if (url.href === window.location.href) window.location.reload(); else window.location.replace(url.href);
}
"""

ACCOUNT_MADE = (
    "Your account is made, but your browser did not keep the sign-in cookie. "
    "Allow cookies for this address, then sign in with the username and password that you just chose."
)
PROBLEMS = {
    "cookie": "You gave the right password, but your browser did not keep the sign-in cookie. "
    "Allow cookies for this address, then sign in again.",
    "http": "This address uses plain http, so signing in is refused. Use https, or open Optimus on its own machine.",
    "origin": "The sign-in did not come from this page's own address. Open Optimus by its usual address and try again.",
    "ticket": "The sign-in took too long to finish. Please sign in again.",
    "away": "You could not be signed in, because the memory store does not answer. Please sign in again in a moment.",
    "store": "You could not be signed out, because the store does not answer. Please try again.",
    "network": "The connection to Optimus was lost. Please try again.",
}

_DOWNLOAD = """
export default function ({ data }) {
  if (!data || !data.path || window.__optimusDownload === data.path) return;
  window.__optimusDownload = data.path;
  const link = document.createElement("a");
  link.href = data.path;
  link.download = "";
  document.body.appendChild(link);
  link.click();
  link.remove();
}
"""
DONE = {
    "password": "Your password is changed. You are signed out everywhere else.",
    "registered": "Welcome. Your account is made.",
}

_component = st.components.v2.component("optimus_session", js=_SCRIPT)
_download = st.components.v2.component("optimus_download", js=_DOWNLOAD)


def open_session(state: UiState, ticket: str, *, done: str = "", unkept: str = PROBLEMS["cookie"]) -> None:
    """Exchange a ticket for the cookie, then load the same page again. Ends the run.

    Args:
        state: This tab's state, taken before the ticket was made: asking Streamlit for it here could end the run.
        ticket: The one-time ticket.
        done: Names the sentence in `DONE` that the page says then.
        unkept: The sentence for a browser that keeps no cookie.
    """
    data = {"path": "/session/open", "check": "/session/check", "ticket": ticket, "done": done}
    state.exchange = Exchange({**data, "nonce": secrets.token_hex(8)}, unkept, time.monotonic())
    _draw(state.exchange.data)


def close_session() -> None:
    """Let the browser forget the cookie, then load the start page. Ends the run."""
    _draw({"path": "/session/close", "next": "/", "nonce": secrets.token_hex(8)})


def resume_exchange() -> None:
    """Go on with an exchange whose run was ended by a second press before the browser heard of it. Ends the run.

    Without it, pressing twice would lose the ticket, and the second press would find its work done already.
    """
    state = ui_state()
    if state.exchange and time.monotonic() - state.exchange.begun < _EXCHANGE_S:
        _draw(state.exchange.data)
    state.exchange = None


def download(path: str) -> None:
    """Let the browser fetch a file that `Services.downloads` offered; the page stays as it is.

    Call it in the run in which the file was offered: the address is good once. Drawing it again does nothing.
    """
    with st.container(height=1, border=False):
        _download(data={"path": path}, key="optimus_download")


def draw_problem() -> None:
    """Say once what the last exchange failed with, if it did; the place for it is always there, so no form moves."""
    place, state = st.empty(), ui_state()
    if state.exchange_problem:
        place.warning(state.exchange_problem)
        state.exchange_problem = None


def take_done() -> str:
    """Return the sentence for what was done before the page was loaded again, and clear it from the address."""
    if "done" not in st.query_params:
        return ""
    code = st.query_params["done"]
    del st.query_params["done"]
    return DONE.get(code, "")


def _draw(data: dict[str, str]) -> None:
    with st.container(height=1, border=False):
        _component(data=data, key=_KEY, on_problem_change=_note_problem)
    st.stop()


def _note_problem() -> None:
    code, state = st.session_state[_KEY].problem, ui_state()
    unkept = state.exchange.unkept if state.exchange else PROBLEMS["cookie"]
    state.exchange = None
    state.exchange_problem = unkept if code == "cookie" else PROBLEMS.get(str(code), PROBLEMS["network"])
