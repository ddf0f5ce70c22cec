"""The services of this process: being opened in the background, open, or failed.

Light on purpose: the web server listens, and the browser loads the interface, while the rest is still imported and
the store opens.
"""

from __future__ import annotations

import gc
import logging
import sys
from dataclasses import dataclass, field, replace
from threading import Condition, Event
from time import monotonic
from typing import TYPE_CHECKING

from optimus.errors import OptimusError, StoreUnavailableError

if TYPE_CHECKING:
    from optimus.rescue import RescueDesk
    from optimus.services import Services
    from optimus.settings import Settings

_log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 120.0
"""How long a page or a route waits for the store before it says that Optimus is still starting."""
RETRY_S = 2.0
"""Between two tries to open a Qdrant server that does not answer at the start."""
DAMAGED = "Part of the store is damaged. Optimus waits for its admin to decide how to go on."
STARTING = "Optimus is starting. Please reload the page in a moment."
WAITING = "Optimus is starting and waits for its memory store, which does not answer at the moment."

_BUILDING = "Optimus is building its search index."
SHORT_TURN_S = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Building:
    """The search index that is being built before the store opens: how far it has come, and since when."""

    share: float = 0.0
    """0-1, by collections and steps; building one large collection is one long step."""
    started: float = field(default_factory=monotonic)
    """By the monotonic clock."""


class _Process:
    """One holder per process; a test may install its own services."""

    services: Services | None = None
    rescue: RescueDesk | None = None
    is_opening = False
    is_waiting = False
    """The store does not answer; it is tried again."""
    doing = ""
    """What takes time before Optimus can be used, in a sentence."""
    changed = Condition()
    first_page = Event()
    building: Building | None = None


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

        settings = load_settings()
        _build_index(settings)
        opened = build_services(settings, report=note_opening)
        gc.freeze()
    finally:
        sys.setswitchinterval(turn_s)
        gc.enable()
    install(opened)
    return opened


def open_patiently(stopping: Event) -> Services | None:
    """Open the services; where a Qdrant server does not answer, say so and try again until it does.

    Return None where Optimus is stopped before that.

    Raises:
        OptimusError: why Optimus cannot start, with the way out; waiting would not help.
    """
    while not stopping.is_set():
        try:
            return open_services()
        except StoreUnavailableError as error:
            if not _is_on_a_server():
                raise
            _note_waiting(error)
        stopping.wait(RETRY_S)
    return None


def _build_index(settings: Settings) -> None:
    """Let a child process build the search index where it is due; the store works without it as well, only slower.

    Raises:
        StoreLockedError: another process has the store open.
    """
    from optimus.storage.optimizing import Step, due_order, optimize_in_child  # noqa: PLC0415 - it brings the engine

    order = due_order(settings)
    if order is None:
        return
    begun = Building()

    def follow(step: Step) -> None:
        _note_building(replace(begun, share=step.share))

    _note_building(begun)
    try:
        optimize_in_child(order, follow)
    except StoreUnavailableError as error:
        _log.warning("%s", error.user_message)
    finally:
        _note_building(None)


def _note_building(building: Building | None) -> None:
    with _Process.changed:
        _Process.building = building
        _Process.doing = _BUILDING if building else ""
        _Process.changed.notify_all()


def building(timeout_s: float = 0.0) -> Building | None:
    """Return the search index that is being built now; waits until it is known whether any is."""
    with _Process.changed:
        _Process.changed.wait_for(lambda: _Process.doing or _Process.is_waiting or not _Process.is_opening, timeout_s)
        return _Process.building


def begin_opening() -> None:
    """Say that services will come, so that pages wait for them."""
    with _Process.changed:
        _Process.is_opening, _Process.is_waiting, _Process.rescue = True, False, None
        _Process.changed.notify_all()


def enter_rescue(desk: RescueDesk) -> None:
    """Say that the store is damaged, so that pages show how to go on instead of waiting."""
    with _Process.changed:
        _Process.is_opening, _Process.rescue = False, desk
        _Process.changed.notify_all()


def wait_for_rescue_end(timeout_s: float) -> None:
    """Wait until Optimus opens again, after the last repair."""
    with _Process.changed:
        _Process.changed.wait_for(lambda: _Process.rescue is None, timeout_s)


def rescue() -> RescueDesk | None:
    """Return the desk of the rescue mode while that lasts."""
    return _Process.rescue


def _is_on_a_server() -> bool:
    from optimus.settings import load_settings  # noqa: PLC0415 - part of what is imported while pages load

    return load_settings().qdrant_url is not None


def _note_waiting(error: StoreUnavailableError) -> None:
    if not _Process.is_waiting:
        print(f"\n  Optimus waits for its store. {error.user_message}\n", file=sys.stderr, flush=True)  # noqa: T201
    with _Process.changed:
        _Process.is_waiting = True
        _Process.changed.notify_all()


def note_opening(doing: str) -> None:
    """Say what takes time before Optimus can be used; pages then show it at once instead of waiting."""
    with _Process.changed:
        _Process.doing = doing
        _Process.changed.notify_all()


def install(opened: Services | None) -> None:
    """Make `opened` the services of this process; None takes them away."""
    with _Process.changed:
        _Process.services, _Process.is_opening, _Process.is_waiting = opened, False, False
        _Process.rescue, _Process.doing = None, ""
        _Process.changed.notify_all()


def _why_closed() -> str:
    """Return the sentence for whoever comes while there are no services."""
    if _Process.rescue:
        return DAMAGED
    if _Process.is_waiting:
        return WAITING
    return f"{_Process.doing} Please reload the page in a moment." if _Process.doing else STARTING


def current(timeout_s: float = OPEN_TIMEOUT_S) -> Services:
    """Return the services, waiting while they are being opened. Blocks: call it from a thread.

    Raises:
        StoreUnavailableError: Optimus is stopping, does not get ready in time, or waits for its store.
    """
    with _Process.changed:
        _Process.changed.wait_for(lambda: _Process.is_waiting or _Process.doing or not _Process.is_opening, timeout_s)
        if _Process.services is None:
            raise StoreUnavailableError("no services", user_message=_why_closed())
        return _Process.services


def is_open() -> bool:
    """Tell whether the services are there."""
    return _Process.services is not None


def is_reachable() -> bool:
    """Tell whether the services are there and their store is not known to be away; asks nobody."""
    services = _Process.services
    return services is not None and (services.store.link is None or not services.store.link.is_away)


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
