"""A process that writes to an embedded store and says what is written, until it is killed.

Started as `python -m tests.unit.storage.edge_writer FOLDER START`. Each line that it prints is a group of points, or a
deleted one, that the store has acknowledged.
"""

import sys
from pathlib import Path

from qdrant_client import models as m

from optimus.storage.edge import EdgeBackend

GROUP = 5
NAME = "things"


def main(root: Path, start: int) -> None:
    """Write groups without end: each one whole, and of every other group one point deleted again."""
    backend = EdgeBackend(root)
    if not backend.collection_exists(NAME):
        backend.create_collection(NAME, m.VectorParams(size=2, distance=m.Distance.DOT))
        backend.create_payload_index(NAME, "group", "integer")
    group = start
    while True:
        first = group * GROUP
        ids = range(first, first + GROUP)
        backend.upsert(NAME, [m.PointStruct(id=n, vector=[1.0, 2.0], payload={"group": group}) for n in ids])
        sys.stdout.write(f"wrote {group}\n")
        if group % 2:
            backend.delete(NAME, [first])
            sys.stdout.write(f"deleted {first}\n")
        sys.stdout.flush()
        group += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
