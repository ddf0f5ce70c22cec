"""What is just accepted comes back: after a kill the store opens, and every payload at the limits is as it was sent."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from optimus.errors import StoreRejectedError
from optimus.storage.edge import EdgeBackend
from optimus.storage.validation import MAX_PAYLOAD_DEPTH, MAX_PAYLOAD_KEYS, validate_payload
from tests.faults.limit_writer import NAME, ROOM, drawn, fixed, nested

ROOT = Path(__file__).parents[2]


def kill_and_reload(root: Path, seed: int) -> int:
    """Let a process write and die; return how many payloads it wrote, all of which are whole after the next start."""
    command = [sys.executable, "-m", "tests.faults.limit_writer", str(root), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    written = [int(line) for line in done.stdout.split()]
    assert written, done.stderr
    sent = [*fixed(), *drawn(seed, 20)]
    with closing(EdgeBackend(root)) as backend:
        for number in written:
            found = backend.retrieve(NAME, [number, 1_000 + number], with_payload=True)
            assert [same(point.payload) for point in found] == [same(validate_payload(sent[number]))] * 2
        points, _ = backend.scroll(NAME, limit=10_000)
        assert len(points) >= 2 * len(written)
    return len(written)


def same(payload: object) -> str:
    """Return a payload as text, for a comparison that tells 1 from True and 0.0 from -0.0."""
    return json.dumps(payload, sort_keys=True)


def test_payloads_at_the_limits_survive_a_kill(tmp_path: Path):
    """Every one of them, written whole and written over another."""
    assert kill_and_reload(tmp_path / "store", 0) == len(fixed()) + 20


@pytest.mark.deep
@pytest.mark.timeout(1800)
def test_payloads_at_the_limits_survive_many_kills(tmp_path: Path):
    """The same for a hundred kills, each after another write, in one store."""
    for seed in range(1, 101):
        assert kill_and_reload(tmp_path / "store", seed) >= len(fixed())


@pytest.mark.parametrize(
    "payload",
    [
        nested(MAX_PAYLOAD_DEPTH + 1),
        {f"key_{number}": number for number in range(MAX_PAYLOAD_KEYS + 1)},
        {"a": "x" * (ROOM + 1)},
        {"a": "é" * (ROOM // 2 + 1)},
    ],
    ids=["deeper", "wider", "longer", "longer in bytes"],
)
def test_the_next_one_is_refused(payload: dict[str, object]):
    """One level, key or byte more is too much, so that the payloads above are at the limits."""
    with pytest.raises(StoreRejectedError):
        validate_payload(payload)
