"""Replies that get lost after the server applied what it was asked: nothing is doubled, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.faults import Fault
from tests.fakes.qdrant_server import FakeQdrant
from tests.faults.operations import CLAIM, OPERATIONS, Operation
from tests.faults.server_world import act, wait_for_return, world_on
from tests.world import World

pytestmark = pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")

FIRST_SHARE, SHARE = 0.75, 0.4
"""Of all writes of a first try so many get no reply, so that it often fails as a whole; of later tries fewer."""
TRIES = 20
LONG = frozenset({"import", "erase"})
"""Acts of dozens of writes; with this share lost they are tried in the table of faults, one loss at a time."""
ACTS = [operation for operation in OPERATIONS if operation.name not in LONG]
NUMBERS = count()


def _do(world: World, server: FakeQdrant, operation: Operation) -> tuple[str, Any]:
    """Do something until it is said to be done; return what to look for."""
    assert server.faults
    mark = f"r{next(NUMBERS):05}x"
    server.faults.plan(None)
    state = operation.prepare(world, mark)
    for attempt in range(TRIES if operation.is_repeated else 1):
        world.clock.now += CLAIM
        share = SHARE if attempt else FIRST_SHARE
        server.faults.plan_often(Fault.RESET_AFTER, share, seed=next(NUMBERS))
        is_done = act(world, operation, mark, state)
        server.faults.settle()
        server.faults.plan(None)
        wait_for_return(world)
        if is_done:
            return mark, state
    assert not operation.is_repeated, operation.name
    return mark, state


def _lose_replies(folder: Path, operations: Iterable[Operation], *, by_grpc: bool) -> int:
    """Do many things while replies get lost, and return how many did. Each thing is there once."""
    with closing(FakeQdrant(is_faulty=True)) as server:
        assert server.faults
        with world_on(server, folder, wait_s=0.005, qdrant_prefer_grpc=by_grpc) as world:
            done = [(operation, *_do(world, server, operation)) for operation in operations]
            wrong = [
                (operation.name, found)
                for operation, mark, state in done
                if set((found := operation.look(world, mark, state)).values()) != {1}
            ]
        assert wrong == []
        return server.faults.lost


@pytest.mark.parametrize("by_grpc", [True, False], ids=["grpc", "rest"])
def test_lost_replies_double_and_lose_nothing(tmp_path: Path, by_grpc: bool):
    """Half of the acts by the one wire, half by the other, with many replies lost."""
    assert _lose_replies(tmp_path, ACTS[by_grpc::2], by_grpc=by_grpc) > 0


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("by_grpc", [True, False], ids=["grpc", "rest"])
def test_many_lost_replies_double_and_lose_nothing(tmp_path: Path, by_grpc: bool):
    """A thousand acts by each wire."""
    assert _lose_replies(tmp_path, islice(cycle(ACTS), 1_000), by_grpc=by_grpc) > 1_000
