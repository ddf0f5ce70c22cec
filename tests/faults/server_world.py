"""A whole Optimus on a server that fails: how it is opened, acted in, and waited for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import enumerate as enumerate_threads
from time import monotonic, sleep
from typing import Any

import pytest

from optimus.errors import InvalidCredentialsError, OptimusError, StoreUnavailableError
from optimus.services import new_metrics, wire
from optimus.storage import link as link_module
from optimus.storage.store import open_store
from tests.fakes.embedding import HashEmbedder
from tests.fakes.qdrant_server import FakeQdrant
from tests.faults.operations import Operation
from tests.world import KEYS, PASSWORD, HandClock, World

PATIENT_S = 30
"""What one call may take. A call that a fault holds takes all of it on the link's clock, and none of ours."""
WORKERS = ("optimus-store-link", "optimus-endings", "optimus-import")
"""Threads that come and go: they look for a server that is away, and go on with what waited for its return."""
SOON_S = 60.0
"""So long anything may take on a machine that is busy; what takes longer hangs."""


@contextmanager
def world_on(server: FakeQdrant, folder: Path, *, wait_s: float = 0.08, **settings: Any) -> Iterator[World]:
    """Open a whole Optimus on a faulty server, with deadlines and pauses in the small."""
    patch = pytest.MonkeyPatch()
    patch.setattr(link_module, "FIRST_WAIT_S", wait_s)
    patch.setattr(link_module, "LONGEST_WAIT_S", 4 * wait_s)
    patch.setattr(link_module, "JITTER_S", 0.01)
    clock = HandClock()
    here = server.settings(data_dir=folder, qdrant_timeout_s=PATIENT_S, max_sessions=100, **settings)
    store = open_store(here, KEYS, clock=clock, metrics=new_metrics())
    services = wire(here, KEYS, store, clock=clock, password_cost=4, embedder=HashEmbedder())
    user = services.auth.create_admin(code=None, username="ada", password=PASSWORD)
    ticket = services.auth.sign_in(username="ada", password=PASSWORD, network="t", captcha=None, user_agent="t")
    principal = services.auth.principal(services.auth.open_session(ticket).token)
    assert principal
    assert store.link
    assert server.faults
    store.link.on_return(services.catch_up)
    services.chat._writer.endings._pause_s = 0.02
    server.faults.deadline_s = PATIENT_S
    store.link._clock = store.link.breaker._clock = server.faults.clock
    store.link.breaker._rest_s = 0.05
    yield World(services=services, clock=clock, owner=user.id, principal=principal)
    services.close()
    patch.undo()


def act(world: World, operation: Operation, mark: str, state: Any) -> bool:
    """Act once; tell whether it was done, now or before."""
    try:
        operation.act(world, mark, state)
    except operation.done_already:
        return True
    except InvalidCredentialsError:
        # Who erased the account and tries again is nobody any more.
        return operation.name == "erase"
    except OptimusError:
        return False
    return True


def wait_for_return(world: World) -> None:
    """Return once the server answers again, and all that waited for it has run, what that began included."""
    ends = monotonic() + SOON_S
    while True:
        working = [thread for thread in enumerate_threads() if thread.name in WORKERS]
        if not world.services.chat._writer.endings._kept:
            # It has nothing left to do and sleeps until its next look.
            working = [thread for thread in working if thread.name != "optimus-endings"]
        sleep(0.02 if working else 0)
        assert monotonic() < ends, "a server that was back was not found again"
        with suppress(StoreUnavailableError):
            world.services.store.client.get_collections()
            if not working:
                return
