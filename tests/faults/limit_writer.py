"""A process that writes payloads at the limits of what is accepted, and kills itself after one of them.

Started as `python -m tests.faults.limit_writer FOLDER SEED`. Each line that it prints is a payload, by its number, that
the store has acknowledged.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from qdrant_client import models as m

from optimus.storage.edge import EdgeBackend
from optimus.storage.validation import MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH, MAX_PAYLOAD_KEYS, MAX_POINT_INTEGER

NAME = "things"
FRAME = len('{"a": ""}')
ROOM = MAX_PAYLOAD_BYTES - FRAME
SIGNS = 'aZ é\u00df\u4e2d\u05d0\u202e\u0000\u2028\U0001f9ed"\\\n'
LEAVES: list[Any] = [
    None,
    True,
    0,
    -(2**63),
    MAX_POINT_INTEGER,
    1e308,
    5e-324,
    -0.0,
    "",
    "2026-01-01T00:00:00Z",
    [],
    {},
]


def fixed() -> list[dict[str, Any]]:
    """Return payloads that are each at one limit, or at all of them."""
    wide = {f"key_{number}": number for number in range(MAX_PAYLOAD_KEYS)}
    each = ROOM // MAX_PAYLOAD_KEYS - 40
    return [
        nested(MAX_PAYLOAD_DEPTH, in_lists=False),
        nested(MAX_PAYLOAD_DEPTH, in_lists=True),
        wide,
        dict.fromkeys(wide, wide),
        {"a": "x" * ROOM},
        {"a": "é" * (ROOM // 2)},
        {"a": SIGNS * 100},
        {f"leaf_{number}": leaf for number, leaf in enumerate(LEAVES)},
        {f"key_{number}": nested(MAX_PAYLOAD_DEPTH - 1, leaf="x" * (each - 200)) for number in range(MAX_PAYLOAD_KEYS)},
        {},
    ]


def drawn(seed: int, count: int) -> list[dict[str, Any]]:
    """Return payloads of any form within the limits."""
    chance = random.Random(seed)
    return [
        {f"key_{n}": _value(chance, MAX_PAYLOAD_DEPTH - 1) for n in range(chance.randint(1, 12))} for _ in range(count)
    ]


def nested(depth: int, *, in_lists: bool = False, leaf: Any = 1) -> dict[str, Any]:
    """Return so many containers, one in the other."""
    value = leaf
    for level in range(depth):
        value = [value] if in_lists and level < depth - 1 else {"a": value}
    return value  # type: ignore[no-any-return]


def _value(chance: random.Random, depth: int) -> Any:
    kind = chance.random()
    if depth and kind < 0.35:
        return {f"{chance.choice('abc')}{n}": _value(chance, depth - 1) for n in range(chance.randint(1, 3))}
    if depth and kind < 0.5:
        return [_value(chance, depth - 1) for _ in range(chance.randint(1, 3))]
    return (
        chance.choice(LEAVES if depth else LEAVES[:-2])
        if kind < 0.8
        else "".join(chance.choices(SIGNS, k=chance.randint(1, 50)))
    )


def main(root: Path, seed: int) -> None:
    """Write, and die after the last payload, or after any of them where the seed is not 0."""
    backend = EdgeBackend(root)
    payloads = [*fixed(), *drawn(seed, 20)]
    last = random.Random(seed).randrange(len(payloads)) if seed else len(payloads) - 1
    if not backend.collection_exists(NAME):
        backend.create_collection(NAME, m.VectorParams(size=2, distance=m.Distance.DOT))
    for number, payload in enumerate(payloads):
        backend.upsert(NAME, [m.PointStruct(id=number, vector=[1.0, 2.0], payload=payload)])
        backend.upsert(NAME, [m.PointStruct(id=1_000 + number, vector=[1.0, 2.0], payload={"old": number})])
        backend.overwrite_payload(NAME, payload, points=[1_000 + number])
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
