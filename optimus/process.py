"""The services of this process: being opened in the background, open, or failed.

Light on purpose: the web server listens, and the browser loads the interface, while the rest is still imported and
the store opens.
"""

from __future__ import annotations

import gc
import sys
from threading import Condition, Event
from typing import TYPE_CHECKING

from optimus.errors import OptimusError, StoreUnavailableError

if TYPE_CHECKING:
    from optimus.services import Services

OPEN_TIMEOUT_S = 120.0
"""How long a page or a route waits for the store before it says that Optimus is still starting."""

SHORT_TURN_S = 0.0005


class _Process:
    """One holder per process; a test may install its own services."""

    services: Services | None = None
    is_opening = False
    changed = Condition()
    first_page = Event()


def open_services() -> Services:
    """Import everything, read the settings and open the store; then let waiting pages go on.

    The garbage collector pauses meanwhile: nearly all that is made here stays, and looking through it again and
    again takes a tenth of the start. Threads take turns more often, so that the web server goes on serving the
    interface beside the imports.

    Raises:
        OptimusError: why Optimus cannot start, with the way out.
    """
    gc.disable()
    turn_s = sys.getswitchinterval()
    sys.setswitchinterval(SHORT_TURN_S)
    try:
        from optimus.services import build_services  # noqa: PLC0415 - these imports take most of the start
        from optimus.settings import load_settings  # noqa: PLC0415

        opened = build_services(load_settings())
        gc.freeze()
    finally:
        sys.setswitchinterval(turn_s)
        gc.enable()
    install(opened)
    return opened


def begin_opening() -> None:
    """Say that services will come, so that pages wait for them."""
    with _Process.changed:
        _Process.is_opening = True


def install(opened: Services | None) -> None:
    """Make `opened` the services of this process; None takes them away."""
    with _Process.changed:
        _Process.services, _Process.is_opening = opened, False
        _Process.changed.notify_all()


def current(timeout_s: float = OPEN_TIMEOUT_S) -> Services:
    """Return the services, waiting while they are being opened. Blocks: call it from a thread.

    Raises:
        StoreUnavailableError: Optimus is stopping, or does not get ready in time.
    """
    with _Process.changed:
        _Process.changed.wait_for(lambda: not _Process.is_opening, timeout_s)
        if _Process.services is None:
            sentence = "Optimus is starting. Please reload the page in a moment."
            raise StoreUnavailableError("no services", user_message=sentence)
        return _Process.services


def failure_sentence(error: BaseException) -> str | None:
    """Return why Optimus cannot start and what to do about it; None for what nobody foresaw."""
    if isinstance(error, OptimusError):
        return error.user_message
    if isinstance(error, ImportError):
        return _import_sentence(error)
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}: {error.filename or 'a file that it needs'}."
    return None


def _import_sentence(error: ImportError) -> str | None:
    package = (error.name or "").partition(".")[0]
    if package in ("", "optimus"):
        return None
    if package in sys.stdlib_module_names:
        return f"It needs Python 3.11, 3.12 or 3.13; this is {sys.version.partition(' ')[0]}."
    return (
        f"The package {package} is missing, or is another version than Optimus needs. In the folder of Optimus, run: "
        f"{sys.executable} -m pip install -r requirements.txt"
    )


def note_page_drawn() -> None:
    """Say that a page was drawn, so that heavy loading may begin without delaying the first one."""
    _Process.first_page.set()


def wait_for_first_page(timeout_s: float) -> None:
    """Return once a page was drawn, or when the time is up."""
    _Process.first_page.wait(timeout_s)
