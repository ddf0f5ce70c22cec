"""What `app.py` puts together: the routes, the middleware, and the services' life with the process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from streamlit import config
from streamlit.web.server import server_util

from optimus import process
from optimus.errors import OptimusError
from optimus.ui.boundary import report
from optimus.web.middleware import Document, SecurityHeaders, SessionBinding
from optimus.web.ops import ACCESS_FILE, OpsAddress, ops_routes
from optimus.web.routes import session_routes

if TYPE_CHECKING:
    from optimus.services import Services

WARM_AFTER_S = 15.0
"""What costs seconds is loaded after the first page, or after this time if nobody comes."""
DRAW_S = 2.0
"""How long a browser may take to show what it was sent."""
MAIN_SCRIPT = Path(__file__).parent.parent / "ui" / "main.py"
__all__ = ["MAIN_SCRIPT", "lifespan", "middleware", "report", "routes"]

_log = logging.getLogger(__name__)


def routes() -> list[BaseRoute]:
    """Return the routes beside Streamlit's own."""
    return [*session_routes(), *ops_routes()]


def middleware() -> list[Middleware]:
    """Return the middleware, outermost first."""
    return [
        Middleware(SecurityHeaders),
        Middleware(Document),
        Middleware(SessionBinding),
        Middleware(OpsAddress),
    ]


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncGenerator[None]:
    """Open the services in the background, so that the browser can load the interface meanwhile; close them at the end.

    A failure ends the process with a sentence on the terminal.
    """
    process.begin_opening()
    opening = asyncio.create_task(asyncio.to_thread(_open))
    try:
        yield
    finally:
        opened = await opening
        ACCESS_FILE.close()
        process.install(None)
        if opened:
            await asyncio.to_thread(opened.close)


def _open() -> Services | None:
    try:
        opened = process.open_services()
    except OptimusError as error:
        _log.info("start failed: %s: %s", type(error).__name__, error)
        print(f"Optimus cannot start. {error.user_message}", file=sys.stderr, flush=True)  # noqa: T201
        os.kill(os.getpid(), signal.SIGTERM)
        return None
    ACCESS_FILE.open(opened.settings.data_dir, _ops_address())
    _print_start_message(opened)
    Thread(target=_warm, args=(opened,), name="optimus-warm", daemon=True).start()
    return opened


def _warm(opened: Services) -> None:
    process.wait_for_first_page(WARM_AFTER_S)
    time.sleep(DRAW_S)
    try:
        opened.warm()
    except OptimusError:
        _log.exception("a part could not be loaded ahead of its first use")


def _print_start_message(opened: Services) -> None:
    address = _address()
    lines = ["", f"  Optimus is ready: {address or 'open the address that uvicorn shows'}"]
    if opened.auth.needs_setup():
        link = f"{address or ''}/?setup={opened.auth.setup_code()}"
        lines += [f"  Create the admin account here, once: {link}"]
    lines += [f"  Store: {opened.store.engine}. Stop with Ctrl+C.", ""]
    print("\n".join(lines), flush=True)  # noqa: T201 - the terminal is where the first start is read


def _ops_address() -> str | None:
    if config._server_mode == "asgi-server":  # noqa: SLF001 - there is no public way to ask
        return None
    return f"http://127.0.0.1:{config.get_option('server.port')}"


def _address() -> str | None:
    """Return the address people open, or None under another ASGI server, which prints its own."""
    if config._server_mode == "asgi-server":  # noqa: SLF001 - there is no public way to ask
        return None
    host = config.get_option("browser.serverAddress") if config.is_manually_set("browser.serverAddress") else None
    shown = host or server_util.get_display_address(config.get_option("server.address") or "localhost")
    return str(server_util.get_url(shown)).rstrip("/")
