"""How an upsert is cut into writes of a size that a server takes, and what may not be cut."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from qdrant_client import models

from optimus.errors import StoreRejectedError
from optimus.storage.table import WRITE_ID

MAX_POINTS, MAX_BYTES = 256, 4 * 1024**2
"""Of one upsert on its way to a server, which refuses 32 MB and holds the others up long before that."""
MAX_WHOLE_BYTES = 30 * 1024**2
"""Of an upsert that must not go in parts: what a server refuses is not tried, else it would look like an outage."""
SURELY_SMALL = 12
"""So many points stay below the limit, whatever they hold: a payload has at most 256 KB."""
BYTES_PER_NUMBER = 12
"""Of a vector as JSON; gRPC takes a third."""


def token_of(point: models.PointStruct) -> str | None:
    """Return the token of the write that a point belongs to; None where its writer sets none."""
    token = (point.payload or {}).get(WRITE_ID)
    return token if isinstance(token, str) else None


def is_whole(points: Sequence[models.PointStruct], mode: models.UpdateMode | None) -> bool:
    """Tell whether the points of an upsert must be written together.

    One write is atomic, and several are not. So points under one token stay together, because their writer counts
    on it (a fact and the one that it replaces); what is only inserted is the same in parts.
    """
    tokens = {token_of(point) for point in points}
    return mode is not models.UpdateMode.INSERT_ONLY and len(tokens) == 1 and None not in tokens


def parts_of(points: list[models.PointStruct], mode: models.UpdateMode | None) -> Iterator[list[models.PointStruct]]:
    """Yield the points of an upsert in parts of at most 256 points and 4 MB, what must be whole in one.

    Raises:
        StoreRejectedError: what must be whole is more than a server takes; nothing of it may be sent.
    """
    if len(points) <= SURELY_SMALL:
        yield points
        return
    if is_whole(points, mode):
        if sum(map(_size_of, points)) > MAX_WHOLE_BYTES:
            raise StoreRejectedError(f"{len(points)} points that must be written together are more than a server takes")
        yield points
        return
    part: list[models.PointStruct] = []
    size = 0
    for point in points:
        bytes_ = _size_of(point)
        if part and (len(part) >= MAX_POINTS or size + bytes_ > MAX_BYTES):
            yield part
            part, size = [], 0
        part.append(point)
        size += bytes_
    yield part


def _size_of(point: models.PointStruct) -> int:
    """Return about how many bytes a point takes on the wire: JSON's for its payload, REST's for its vectors."""
    vectors = point.vector.values() if isinstance(point.vector, dict) else [point.vector]
    numbers = sum(
        2 * len(vector.indices) if isinstance(vector, models.SparseVector) else len(vector)
        for vector in vectors
        if isinstance(vector, list | models.SparseVector)
    )
    return len(json.dumps(point.payload or {}, ensure_ascii=False).encode()) + BYTES_PER_NUMBER * numbers
