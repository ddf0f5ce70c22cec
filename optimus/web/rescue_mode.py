"""Open the services, and where the store is damaged wait in rescue mode until somebody has repaired it."""

from __future__ import annotations

import sys
from threading import Event
from typing import TYPE_CHECKING

from optimus import process
from optimus.web.listening import find_listening
from optimus.web.ops import ACCESS_FILE

if TYPE_CHECKING:
    from optimus.rescue import RescueDesk
    from optimus.services import Services
    from optimus.settings import Settings

_LOOK_S = 0.5


def open_services(stopping: Event) -> Services | None:
    """Return the open services; None where the process is stopped before the store is repaired.

    Raises:
        OptimusError: why Optimus cannot start, with the way out.
    """
    desk: RescueDesk | None = None
    while not stopping.is_set():
        try:
            return _opened(desk, stopping)
        except Exception as error:
            from optimus.storage.inspection import StoreDamagedError  # noqa: PLC0415 - imported when opening began

            if not isinstance(error, StoreDamagedError):
                raise
            desk = _wait(desk, error, stopping)
    return None


def _opened(desk: RescueDesk | None, stopping: Event) -> Services | None:
    services = process.open_patiently(stopping)
    if desk is not None and services is not None:
        desk.end()
        print("  The store is repaired. Optimus goes on.", flush=True)  # noqa: T201 - for the terminal
    return services


def _wait(desk: RescueDesk | None, error: Exception, stopping: Event) -> RescueDesk:
    from optimus.restoring import open_desk  # noqa: PLC0415 - hardly ever needed
    from optimus.settings import load_settings  # noqa: PLC0415 - imported when opening began

    settings = load_settings()
    desk = desk or open_desk(settings)
    desk.begin(getattr(error, "damages", ()))
    process.enter_rescue(desk)
    _print_message(desk, settings, stopping)
    while not stopping.is_set() and not desk.wait_until_mended(_LOOK_S):
        pass
    if stopping.is_set():
        desk.end()
    else:
        process.begin_opening()
    return desk


def _print_message(desk: RescueDesk, settings: Settings, stopping: Event) -> None:
    listening = find_listening(stopping)
    ACCESS_FILE.open(settings.data_dir, listening.url if listening.is_loopback else None)
    damaged = ", ".join(part.holds for part in desk.parts())
    lines = [
        "",
        f"  Optimus is in RESCUE MODE: part of its store is damaged ({damaged}). Nothing is changed.",
        f"  See how to go on: {listening.url or 'open the address that the server shows'}",
        f"  Rescue code: {desk.code}   Or, in the terminal: python -m optimus rescue",
        "",
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201 - the terminal is where the start is read
