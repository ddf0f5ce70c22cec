"""Whatever goes wrong on the way to a Qdrant server, nothing is lost, doubled, or reported as saved that is not."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest

from tests.fakes.faults import READS, Fault
from tests.fakes.qdrant_server import FakeQdrant
from tests.faults.operations import CLAIM, OPERATIONS, Operation
from tests.faults.server_world import act, wait_for_return, world_on
from tests.world import World

TRIES = 3
NUMBERS = count()
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
    with world_on(server, tmp_path_factory.mktemp("data")) as opened:
        yield opened


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
    is_done = act(world, operation, mark, state)
    server.faults.settle()
    server.faults.plan(None)
    wait_for_return(world)
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
        is_done = act(world, operation, mark, state)
    found = operation.look(world, mark, state)
    is_lost = is_done or operation.is_repeated
    table.lost += [f"{name}: {key} {n}" for key, n in found.items() if n < 1 and is_lost]
    table.duplicated += [f"{name}: {key} {n}" for key, n in found.items() if n > 1]


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
