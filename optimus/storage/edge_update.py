"""The updates of one collection: validate, convert, and write in parts that do not pause the process.

Each function returns a `Writer`, which `EdgeWrites` runs under the collection's write lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import qdrant_edge as edge
from qdrant_client.http import models

from optimus.errors import NotFoundError, StoreRejectedError
from optimus.storage.batches import is_whole
from optimus.storage.edge_convert import Selection, edge_enum, from_id, to_edge_vectors, to_filter, to_selection
from optimus.storage.edge_shard import EdgeCollection
from optimus.storage.validation import (
    known_vector_names,
    validate_path,
    validate_payload,
    validate_points,
    validate_vectors,
)

CHUNK = 200
"""Points that one engine call writes, since a call pauses the process for its whole length. Up to so many points are
written all or none, and any number that its writer put under one token."""

Writer = Callable[[EdgeCollection], None]

_Update = edge.UpdateOperation
_Build = Callable[[list[Any]], edge.UpdateOperation]


def operation(rest: Any) -> Writer:
    """Return the writer of one update of a batch.

    Raises:
        StoreRejectedError: it is no update, or breaks a limit.
    """
    convert = _OPERATIONS.get(type(rest))
    if convert is None:
        raise StoreRejectedError(f"an update of type {type(rest).__name__} is not understood")
    return convert(rest)


def upsert(points: Any, guard: models.Filter | None, mode: models.UpdateMode | None) -> Writer:
    """Write whole points, in parts unless they must be written together; `guard` protects existing ones only."""

    def write(collection: EdgeCollection) -> None:
        checked = validate_points(points, collection.layout)
        edge_points = [edge.Point(point.id, to_edge_vectors(point.vector), point.payload) for point in checked]  # type: ignore[arg-type]
        edge_mode = edge_enum(edge.UpdateMode, mode) if mode else None
        collection.count_changes(len(edge_points))
        length = len(edge_points) if is_whole(checked, mode) else CHUNK
        for start in range(0, len(edge_points), length):
            part = edge_points[start : start + length]
            ids: list[Any] = [point.id for point in checked[start : start + length]]
            collection.write_to(ids, _Update.upsert_points(part, to_filter(guard), edge_mode))

    return write


def update_vectors(points: Sequence[models.PointVectors], guard: models.Filter | None) -> Writer:
    """Replace the given vectors of existing points."""

    def write(collection: EdgeCollection) -> None:
        checked = validate_vectors(points, collection.layout)
        vectors = {point.id: to_edge_vectors(point.vector) for point in checked}  # type: ignore[arg-type]
        condition = to_filter(guard)
        collection.count_changes(len(checked))

        def build(ids: list[Any]) -> edge.UpdateOperation:
            return _Update.update_vectors([edge.PointVectors(value, vectors[value]) for value in ids], condition)

        named: list[Any] = list(vectors)
        _write_selected(collection, (named, None), build)

    return write


def delete_vectors(names: Sequence[str], points: object) -> Writer:
    """Remove the named vectors."""

    def write(collection: EdgeCollection) -> None:
        known = known_vector_names(names, collection.layout)
        _write_selected(collection, to_selection(points), lambda ids: _Update.delete_vectors(ids, known))

    return write


def delete(points: object) -> Writer:
    """Delete points, missing ones or not; up to 200 of them all or none."""

    def write(collection: EdgeCollection) -> None:
        ids, found = to_selection(points)
        listed: list[Any] = list(_matching(collection, found) if found is not None else ids or [])
        collection.count_changes(len(listed))
        _write_parts(collection, listed, _Update.delete_points)

    return write


def _matching(collection: EdgeCollection, found: edge.Filter) -> Iterator[Any]:
    """Yield the ids of the points that match, page by page: a call for all of them would pause the process."""
    offset: Any = None
    while True:
        request = edge.ScrollRequest(offset=offset, limit=CHUNK, filter=found, with_payload=False, with_vector=False)
        records, offset = collection.read(lambda shard, page=request: shard.scroll(page))  # type: ignore[misc]
        yield from (from_id(record.id) for record in records)
        if offset is None:
            return


def set_payload(payload: Any, points: object, key: str | None) -> Writer:
    """Set payload fields and keep the others."""
    plain = validate_payload(payload, path=key)
    return lambda collection: _write_selected(
        collection, to_selection(points), lambda ids: _Update.set_payload(ids, plain, key)
    )


def overwrite_payload(payload: Any, points: object) -> Writer:
    """Replace the whole payload."""
    plain = validate_payload(payload)
    return lambda collection: _write_selected(
        collection, to_selection(points), lambda ids: _Update.overwrite_payload(ids, plain)
    )


def delete_payload(keys: Sequence[str], points: object) -> Writer:
    """Remove payload fields."""
    paths = [".".join(validate_path(key)) for key in keys]
    return lambda collection: _write_selected(
        collection, to_selection(points), lambda ids: _Update.delete_payload(ids, paths)
    )


def clear_payload(points: object) -> Writer:
    """Remove the whole payload."""
    return lambda collection: _write_selected(collection, to_selection(points), _Update.clear_payload)


def _write_selected(collection: EdgeCollection, selection: Selection, build: _Build) -> None:
    """Write to the selected points; what a filter selects is found first, since one call for all would take too long.

    Of points that are named by id, those that do not exist are told of once the others are written: the engine would
    log and half apply the whole.
    """
    ids, found = selection
    if found is not None:
        _write_parts(collection, list(_matching(collection, found)), build)
        return
    wanted = ids or []
    existing = {from_id(record.id) for record in collection.points(wanted)}
    present = [value for value in wanted if value in existing]
    _write_parts(collection, present, build)
    if len(present) < len(wanted):
        raise NotFoundError(f"{collection.name}: {len(wanted) - len(present)} of {len(wanted)} points do not exist")


def _write_parts(collection: EdgeCollection, ids: Sequence[Any], build: _Build) -> None:
    for start in range(0, len(ids), CHUNK):
        part: list[Any] = list(ids[start : start + CHUNK])
        collection.write_to(part, build(part))


def _batch_upsert(rest: models.UpsertOperation) -> Writer:
    change = rest.upsert
    points = change.batch if isinstance(change, models.PointsBatch) else change.points
    return upsert(points, change.update_filter, change.update_mode)


def _batch_delete_vectors(rest: models.DeleteVectorsOperation) -> Writer:
    return delete_vectors(rest.delete_vectors.vector, _named(rest.delete_vectors))


def _batch_update_vectors(rest: models.UpdateVectorsOperation) -> Writer:
    return update_vectors(rest.update_vectors.points, rest.update_vectors.update_filter)


def _batch_set_payload(rest: models.SetPayloadOperation) -> Writer:
    return set_payload(rest.set_payload.payload, _named(rest.set_payload), rest.set_payload.key)


def _batch_overwrite_payload(rest: models.OverwritePayloadOperation) -> Writer:
    return overwrite_payload(rest.overwrite_payload.payload, _named(rest.overwrite_payload))


def _batch_delete_payload(rest: models.DeletePayloadOperation) -> Writer:
    return delete_payload(rest.delete_payload.keys, _named(rest.delete_payload))


def _named(rest: Any) -> Any:
    return rest.filter if rest.filter is not None else rest.points


_OPERATIONS: dict[type[Any], Callable[[Any], Writer]] = {
    models.UpsertOperation: _batch_upsert,
    models.UpdateVectorsOperation: _batch_update_vectors,
    models.DeleteVectorsOperation: _batch_delete_vectors,
    models.DeleteOperation: lambda rest: delete(rest.delete),
    models.SetPayloadOperation: _batch_set_payload,
    models.OverwritePayloadOperation: _batch_overwrite_payload,
    models.DeletePayloadOperation: _batch_delete_payload,
    models.ClearPayloadOperation: lambda rest: clear_payload(rest.clear_payload),
}
