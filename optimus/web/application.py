"""What `app.py` puts together: the routes, the middleware, and the services' life with the process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from streamlit import config
from streamlit.web.server import server_util

from optimus import process
from optimus.errors import OptimusError
from optimus.ui.boundary import report
from optimus.web import rescue_mode
from optimus.web.listening import Listening, find_listening
from optimus.web.middleware import ClosedPaths, Document, SecurityHeaders, SessionBinding
from optimus.web.monitoring import monitoring_routes
from optimus.web.ops import ACCESS_FILE, ops_routes
from optimus.web.routes import session_routes

if TYPE_CHECKING:
    from optimus.services import Services

WARM_AFTER_S = 15.0
"""What costs seconds is loaded after the first page, or after this time if nobody comes."""
GRACE_S = 4
"""How long the web server waits for open connections at its end; an answer that is being written is stored after."""
DRAW_S = 2.0
"""How long a browser may take to show what it was sent."""
MAIN_SCRIPT = Path(__file__).parent.parent / "ui" / "main.py"
__all__ = ["MAIN_SCRIPT", "lifespan", "middleware", "report", "routes"]

_log = logging.getLogger(__name__)


def routes() -> list[BaseRoute]:
    """Return the routes beside Streamlit's own."""
    return [*session_routes(), *monitoring_routes(), *ops_routes()]


def middleware() -> list[Middleware]:
    """Return the middleware, outermost first."""
    return [
        Middleware(SecurityHeaders),
        Middleware(ClosedPaths),
        Middleware(Document),
        Middleware(SessionBinding),
    ]


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncGenerator[None]:
    """Open the services in the background, so that the browser can load the interface meanwhile; close them at the end.

    A failure ends the process with a sentence on the terminal, unless it is a Qdrant server that does not answer yet.
    """
    process.begin_opening()
    _bound_stop()
    stopping = Event()
    opening = asyncio.create_task(asyncio.to_thread(_open, stopping))
    opening.add_done_callback(_end_if_failed)
    try:
        yield
    finally:
        stopping.set()
        opened = await opening
        ACCESS_FILE.close()
        process.install(None)
        if opened is not None:
            await asyncio.to_thread(opened.close)


def _bound_stop() -> None:
    """Let the web server wait for its connections no longer than `GRACE_S` once it is asked to end.

    It waits for ever by default, and one browser that does not answer would keep the store from being closed. Uvicorn
    is only to be reached by the signal handler that it has set; what its own option says counts.
    """
    chosen = getattr(getattr(signal.getsignal(signal.SIGTERM), "__self__", None), "config", None)
    if chosen is not None and getattr(chosen, "timeout_graceful_shutdown", GRACE_S) is None:
        chosen.timeout_graceful_shutdown = GRACE_S


def _open(stopping: Event) -> Services | None:
    """Open the services; while the store is damaged, wait until it is repaired. None: stopped before that."""
    with ExitStack() as undo:
        opened = rescue_mode.open_services(stopping)
        if opened is None:
            return None
        undo.callback(opened.close)
        listening = find_listening(stopping)
        ACCESS_FILE.open(opened.settings.data_dir, listening.url if listening.is_loopback else None)
        undo.pop_all()
    if not stopping.is_set():
        Thread(target=_warm, args=(opened,), name="optimus-warm", daemon=True).start()
        _print_start_message(opened, listening)
    return opened


def _end_if_failed(opening: asyncio.Task[Services | None]) -> None:
    """End the process with 1 where the services could not be opened: nothing is open that would have to be closed.

    A signal to ourselves would end it with the signal's number, and the ASGI server cannot be asked for another.
    """
    error = None if opening.cancelled() else opening.exception()
    if error is None:
        return
    sentence = process.failure_sentence(error)
    if sentence is None:
        _log.error("the start failed", exc_info=error)
        sentence = f"{type(error).__name__} was not expected; the lines above say where it came from."
    print(f"Optimus cannot start. {sentence}", file=sys.stderr, flush=True)  # noqa: T201
    sys.stdout.flush()
    os._exit(1)


def _warm(opened: Services) -> None:
    process.wait_for_first_page(WARM_AFTER_S)
    time.sleep(DRAW_S)
    try:
        opened.warm()
    except OptimusError:
        _log.exception("a part could not be loaded ahead of its first use")
    opened.extraction.start()
    opened.backups.start()
    opened.upkeep.start()
    opened.reembedding.start()


def _print_start_message(opened: Services, listening: Listening) -> None:
    address = _address(listening)
    place = address or (f"at the Unix socket {listening.unix_socket}" if listening.unix_socket else "")
    lines = ["", f"  Optimus is ready: {place or 'open the address that the server shows'}"]
    if opened.auth.needs_setup():
        link = f"/?setup={opened.auth.setup_code()}"
        lines += [f"  Create the admin account here, once: {address}{link}" if address else _without_address(link)]
    lines += [f"  Store: {opened.store.engine}. Stop with Ctrl+C.", ""]
    print("\n".join(lines), flush=True)  # noqa: T201 - the terminal is where the first start is read
    fault = opened.models.default_fault()
    if fault:
        print(f"  {fault.detail}. {fault.fix}\n", file=sys.stderr, flush=True)  # noqa: T201


def _without_address(link: str) -> str:
    return f"  Create the admin account once: open Optimus with {link} after its address."


def _address(listening: Listening) -> str | None:
    """Return the address that people open: the public one where it is configured, else where this process listens."""
    is_own_server = config._server_mode != "asgi-server"  # noqa: SLF001 - there is no public way to ask
    knows_port = is_own_server or config.is_manually_set("browser.serverPort")
    if config.is_manually_set("browser.serverAddress") and knows_port:
        public = server_util.get_url(server_util.get_display_address(config.get_option("browser.serverAddress")))
        return str(public).rstrip("/")
    base = str(config.get_option("server.baseUrlPath")).strip("/")
    return f"{listening.url}/{base}".rstrip("/") if listening.url else None
