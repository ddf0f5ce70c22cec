"""Who is looking: proven on every run from the connection's cookie and the stored session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ParamSpec, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from optimus import process
from optimus.audit import AuditAction
from optimus.auth.permissions import Action, authorize
from optimus.errors import OptimusError, PermissionDeniedError, SessionEndedError, StoreError
from optimus.models import Principal
from optimus.services import Services
from optimus.ui import bridge
from optimus.ui.boundary import report
from optimus.ui.browser_sessions import BROWSER_SESSIONS
from optimus.ui.cookie import read_token
from optimus.ui.state import UiState, bind_state

P = ParamSpec("P")
T = TypeVar("T")
SESSION_CHECK = timedelta(seconds=30)
"""How often a page that nobody touches looks whether its session has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """What a page acts with: the services, the proven principal, this tab's state."""

    services: Services
    principal: Principal
    state: UiState


def connection_token() -> str | None:
    """Return the token that this connection's handshake carried."""
    return read_token(st.context.cookies)


def current_principal(*, is_use: bool = True) -> Principal | None:
    """Return who this run acts for, or None if nobody is signed in; binds the tab's state to the answer.

    Args:
        is_use: Whether somebody does something. A page that only looks after itself does not keep a session alive.

    Raises:
        StoreError: the session cannot be checked; the caller shows nothing of anybody.
    """
    token = connection_token()
    context = get_script_run_ctx()
    if context is not None:
        BROWSER_SESSIONS.bind(context.session_id, token)
    principal = process.current().auth.principal(token, is_use=is_use)
    bind_state(principal.session_id if principal else None)
    return principal


def run_page(render: Callable[[PageContext], None], action: Action) -> None:
    """Draw a page for whoever may see it; every page file ends with this call.

    The check is made here again, whatever navigation found, because a page must guard itself.
    """
    try:
        principal = current_principal()
        if principal is None:
            raise SessionEndedError
        _authorized(principal, action)
        state = bind_state(principal.session_id)
        state.done = state.done or _done_before(principal)
        chosen = process.current().preferences.of(principal.user_id)
        state.display_name, state.time_zone = chosen.display_name, chosen.time_zone or ""
        if state.done:
            st.toast(state.done, icon=":material/check:")
            state.done = ""
        render(PageContext(services=process.current(), principal=principal, state=state))
    except OptimusError as error:
        report(error)


def _done_before(principal: Principal) -> str:
    """Return what the address says was done before the reload; only a session that has just begun is believed."""
    done = bridge.take_done()
    return done if done and process.current().auth.proof.is_fresh(principal) else ""


def _authorized(principal: Principal, action: Action) -> None:
    """Refuse whoever may not see a page; the menu never leads there, so the audit log tells of it.

    Raises:
        PermissionDeniedError: the role does not allow it.
    """
    try:
        authorize(principal, action)
    except PermissionDeniedError:
        told = {"page": action.value}
        process.current().audit.note(AuditAction.DENIED, actor=principal.user_id, subject=principal.user_id, data=told)
        raise


def is_still(context: PageContext) -> bool:
    """Check the session again before a dialog acts, since a dialog runs without the page around it.

    Where it has ended, the whole page is drawn again, which shows the sign-in form.
    """
    if current_principal() != context.principal:
        st.rerun()
    return True


@st.fragment(run_every=SESSION_CHECK)
def watch(principal: Principal) -> None:
    """Check the session of a page that nobody touches; once it has ended, draw the whole page again.

    Draws nothing, so what is being typed stays. A store that does not answer is asked again the next time: until
    then nothing new can be seen or done.
    """
    try:
        is_current = current_principal(is_use=False) == principal
    except StoreError:
        return
    if not is_current:
        st.rerun()


def act(action: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Call one service method; on an error of ours show its sentence here and return None.

    What was typed stays, because nothing is cleared unless the call succeeded.
    """
    try:
        return action(*args, **kwargs)
    except OptimusError as error:
        st.error(error.user_message)
        return None


def did(action: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> bool:
    """Call one service method and tell whether it worked, for those that return nothing; see `act`."""
    return act(lambda: (action(*args, **kwargs),)) is not None


def act_and_note(state: UiState, action: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Call one service method; keep an error's sentence for the next run, for actions that end in one."""
    try:
        return action(*args, **kwargs)
    except OptimusError as error:
        state.notice = error.user_message
        return None
