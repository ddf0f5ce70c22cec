"""Whatever goes wrong on the way to a Qdrant server, nothing is lost, doubled, or reported as saved that is not."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from threading import enumerate as enumerate_threads
from time import monotonic
from typing import Any

import pytest

from optimus.errors import InvalidCredentialsError, OptimusError, StoreUnavailableError
from optimus.services import new_metrics, wire
from optimus.storage import link as link_module
from optimus.storage.store import open_store
from tests.fakes.embedding import HashEmbedder
from tests.fakes.faults import READS, Fault
from tests.fakes.qdrant_server import FakeQdrant
from tests.faults.operations import OPERATIONS, Operation
from tests.world import KEYS, PASSWORD, HandClock, World

PATIENT_S = 30
"""What one call may take. A call that a fault holds takes all of it on the link's clock, and none of ours."""
CLAIM = timedelta(minutes=3)
"""After so long, a right that somebody held while the store went away is free again."""
TRIES = 3
NUMBERS = count()
WORKERS = ("optimus-store-link", "optimus-endings", "optimus-import")
"""Threads that come and go: they look for a server that is away, and go on with what waited for its return."""
SOON_S = 60.0
"""So long anything may take on a machine that is busy; what takes longer hangs."""
SMALL = {
    "send message": (Fault.RESET_AFTER, Fault.OUTAGE),
    "save memory": (Fault.DROPPED,),
    "edit": (Fault.RESET_AFTER, Fault.DELAYED),
    "forget": (Fault.REFUSED,),
    "undo": (Fault.UNAVAILABLE,),
    "create user": (Fault.RESET_AFTER,),
    "session": (Fault.RESET_AFTER,),
    "audit record": (Fault.RESET_AFTER, Fault.DROPPED),
    "job": (Fault.RESET_BEFORE, Fault.DEADLINE),
    "import": (Fault.OUTAGE,),
    "erase": (Fault.RESET_AFTER, Fault.OUTAGE),
}
"""By default each operation meets those that are the hardest for it, at an early and a late write."""


@dataclass
class Table:
    """What was tried, and what was found wrong."""

    tried: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Acts that were honestly reported as not done, and done again."""
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    lied: list[str] = field(default_factory=list)

    @property
    def flaws(self) -> list[str]:
        """Everything that was found wrong."""
        return [*self.lost, *self.duplicated, *self.lied]

    def __str__(self) -> str:
        """Return the table for people: tries by operation and fault, those in brackets that were said to fail."""
        names = [operation.name for operation in OPERATIONS if (operation.name, Fault.REFUSED.value) in self.tried]
        lines = ["", f"{'':14}" + "".join(f"{fault:>15}" for fault in Fault)]
        for name in names:
            cells = [f"{self.tried[name, f]} ({self.failed[name, f]})" for f in Fault]
            lines.append(f"{name:14}" + "".join(f"{cell:>15}" for cell in cells))
        found = f"lost {len(self.lost)}, duplicated {len(self.duplicated)}, lied {len(self.lied)}"
        return "\n".join([*lines, f"{self.tried.total()} faults: {found}", *self.flaws])


@pytest.fixture(scope="module")
def server() -> Iterator[FakeQdrant]:
    """A server behind a proxy that breaks what it is told to."""
    fake = FakeQdrant(is_faulty=True)
    yield fake
    fake.close()


@pytest.fixture(scope="module")
def world(server: FakeQdrant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A whole Optimus on that server, with deadlines and pauses in the small."""
    patch = pytest.MonkeyPatch()
    patch.setattr(link_module, "FIRST_WAIT_S", 0.08)
    patch.setattr(link_module, "LONGEST_WAIT_S", 0.3)
    patch.setattr(link_module, "JITTER_S", 0.01)
    clock = HandClock()
    settings = server.settings(data_dir=tmp_path_factory.mktemp("data"), qdrant_timeout_s=PATIENT_S, max_sessions=100)
    store = open_store(settings, KEYS, clock=clock, metrics=new_metrics())
    services = wire(settings, KEYS, store, clock=clock, password_cost=4, embedder=HashEmbedder())
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


def _places(world: World, server: FakeQdrant, operation: Operation, *, all_writes: bool) -> list[int]:
    """Return the calls of an operation that a fault is tried at: all its writes and some of its reads, or two writes.

    Of the two, one is early, and one late enough that much has been written before it.
    """
    assert server.faults
    world.clock.now += CLAIM
    mark = f"dry{OPERATIONS.index(operation):02}x"
    state = operation.prepare(world, mark)
    server.faults.plan(None)
    operation.act(world, mark, state)
    server.faults.settle()
    calls = list(server.faults.calls)
    writes = [place for place, name in enumerate(calls) if name not in READS]
    reads = [place for place, name in enumerate(calls) if name in READS]
    assert set(operation.look(world, mark, state).values()) == {1}, operation.name
    if all_writes:
        return sorted([*writes, *reads[:: max(1, len(reads) // 4)]])
    return sorted({writes[len(writes) // 4], writes[len(writes) * 2 // 3]})


def _try(world: World, server: FakeQdrant, operation: Operation, fault: Fault, place: int, table: Table) -> None:
    """Let one call of an act go wrong, do the act again if it was said to fail, and count what is there."""
    assert server.faults
    cell = (operation.name, fault.value)
    mark = f"m{next(NUMBERS):05}x"
    name = f"{operation.name}, {fault} at call {place}"
    world.clock.now += CLAIM
    state = operation.prepare(world, mark)
    table.tried[cell] += 1
    server.faults.plan(fault, place)
    is_done = _act(world, operation, mark, state)
    server.faults.settle()
    server.faults.plan(None)
    _wait_for_return(world)
    if is_done:
        wrong = {key: n for key, n in operation.look(world, mark, state).items() if n < 1}
        if wrong:
            table.lied.append(f"{name}: {wrong}")
    else:
        table.failed[cell] += 1
    for _ in range(TRIES):
        if is_done or not operation.is_repeated:
            break
        world.clock.now += CLAIM
        is_done = _act(world, operation, mark, state)
    found = operation.look(world, mark, state)
    is_lost = is_done or operation.is_repeated
    table.lost += [f"{name}: {key} {n}" for key, n in found.items() if n < 1 and is_lost]
    table.duplicated += [f"{name}: {key} {n}" for key, n in found.items() if n > 1]


def _act(world: World, operation: Operation, mark: str, state: Any) -> bool:
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


def _wait_for_return(world: World) -> None:
    """Return once the server answers again, and all that waited for it has run, what that began included."""
    ends = monotonic() + SOON_S
    while True:
        working = [thread for thread in enumerate_threads() if thread.name in WORKERS]
        for thread in working:
            thread.join(SOON_S)
        assert monotonic() < ends, "a server that was back was not found again"
        with suppress(StoreUnavailableError):
            world.services.store.client.get_collections()
            if not working:
                return


def test_a_fault_here_and_there_loses_doubles_and_misreports_nothing(world: World, server: FakeQdrant):
    """Each operation meets the faults that are hardest for it, at two of its writes."""
    table = Table()
    for operation in OPERATIONS:
        places = _places(world, server, operation, all_writes=False)
        for fault in SMALL[operation.name]:
            for place in places:
                _try(world, server, operation, fault, place, table)
    assert table.flaws == [], str(table)


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name.replace(" ", "-"))
def test_every_fault_at_every_write(world: World, server: FakeQdrant, operation: Operation, capsys):
    """The whole row of an operation: every fault, at each of its writes and some of its reads."""
    table = Table()
    for place in _places(world, server, operation, all_writes=True):
        for fault in Fault:
            _try(world, server, operation, fault, place, table)
    with capsys.disabled():
        sys.stdout.write(f"{table}\n")
    assert table.flaws == []
