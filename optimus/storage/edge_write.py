"""The writing calls of the embedded backend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from qdrant_client.client_base import QdrantBase
from qdrant_client.conversions import common_types as types
from qdrant_client.http import models

from optimus.storage import edge_update
from optimus.storage.edge_registry import EdgeRegistry
from optimus.storage.edge_shard import engine_errors
from optimus.storage.edge_update import CHUNK, Writer

_DONE = models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)


class EdgeWrites(QdrantBase):
    """Writes, each validated whole before the engine sees it and in the log when the call returns.

    A call that names missing points by id changes the others and then raises `NotFoundError`, as a server does; only
    `delete` is content with it. `wait`, `ordering`, `timeout` and `shard_key_selector` mean nothing here.
    """

    _registry: EdgeRegistry

    def upsert(
        self,
        collection_name: str,
        points: Any,
        update_filter: types.Filter | None = None,
        update_mode: types.UpdateMode | None = None,
        **_: Any,
    ) -> types.UpdateResult:
        """Write whole points; a vector that is not given is dropped.

        Up to 200 of them are written all or none, and any number under one token (`write_id`).

        `update_filter` guards existing points only: a new id is inserted unless `update_mode` forbids it.

        Raises:
            StoreRejectedError: a point breaks a limit; nothing was written.
            StoreError: no such collection, or it is broken.
        """
        return self._run(collection_name, edge_update.upsert(points, update_filter, update_mode))

    def upload_points(
        self,
        collection_name: str,
        points: Iterable[types.PointStruct],
        update_filter: types.Filter | None = None,
        update_mode: types.UpdateMode | None = None,
        **_: Any,
    ) -> None:
        """Upsert any number of points, part by part.

        Raises:
            StoreError: as for `upsert`; earlier parts stay written.
        """
        remaining = iter(points)
        while part := list(islice(remaining, CHUNK)):
            self.upsert(collection_name, part, update_filter, update_mode)

    def update_vectors(
        self,
        collection_name: str,
        points: Sequence[types.PointVectors],
        update_filter: types.Filter | None = None,
        **_: Any,
    ) -> types.UpdateResult:
        """Replace the given vectors of existing points and keep the others.

        Raises:
            StoreError: a vector breaks a limit, a point is missing.
        """
        return self._run(collection_name, edge_update.update_vectors(points, update_filter))

    def delete_vectors(
        self, collection_name: str, vectors: Sequence[str], points: types.PointsSelector, **_: Any
    ) -> types.UpdateResult:
        """Remove the named vectors of points.

        Raises:
            StoreError: an unknown vector name, a missing point.
        """
        return self._run(collection_name, edge_update.delete_vectors(vectors, points))

    def delete(self, collection_name: str, points_selector: types.PointsSelector, **_: Any) -> types.UpdateResult:
        """Delete points; missing ones are no error.

        Raises:
            StoreError: no such collection, or it is broken.
        """
        return self._run(collection_name, edge_update.delete(points_selector))

    def set_payload(
        self,
        collection_name: str,
        payload: types.Payload,
        points: types.PointsSelector,
        key: str | None = None,
        **_: Any,
    ) -> types.UpdateResult:
        """Set payload fields, at the top or under the path `key`, and keep the others.

        Raises:
            StoreError: the payload breaks a limit, a point is missing.
        """
        return self._run(collection_name, edge_update.set_payload(payload, points, key))

    def overwrite_payload(
        self, collection_name: str, payload: types.Payload, points: types.PointsSelector, **_: Any
    ) -> types.UpdateResult:
        """Replace the whole payload.

        Raises:
            StoreError: the payload breaks a limit, a point is missing.
        """
        return self._run(collection_name, edge_update.overwrite_payload(payload, points))

    def delete_payload(
        self, collection_name: str, keys: Sequence[str], points: types.PointsSelector, **_: Any
    ) -> types.UpdateResult:
        """Remove payload fields.

        Raises:
            StoreError: a malformed path, a missing point.
        """
        return self._run(collection_name, edge_update.delete_payload(keys, points))

    def clear_payload(
        self, collection_name: str, points_selector: types.PointsSelector, **_: Any
    ) -> types.UpdateResult:
        """Remove the whole payload.

        Raises:
            StoreError: a missing point.
        """
        return self._run(collection_name, edge_update.clear_payload(points_selector))

    def batch_update_points(
        self, collection_name: str, update_operations: Sequence[types.UpdateOperation], **_: Any
    ) -> list[types.UpdateResult]:
        """Run several updates in their order; not all or none, earlier ones stay.

        Raises:
            StoreError: as the single calls.
        """
        return [self._run(collection_name, edge_update.operation(operation)) for operation in update_operations]

    def _run(self, collection_name: str, write: Writer) -> types.UpdateResult:
        collection = self._registry.get(collection_name)
        with engine_errors(collection_name), collection.writing:
            write(collection)
        return _DONE
