"""The engine of the fake Qdrant server: qdrant-client's own in memory, with what it lacks of a server.

A server knows its payload indexes, wants one for an order or a facet, and wants limits above 0; the engine in memory
does not care.
"""

from __future__ import annotations

from threading import RLock
from typing import Any

from qdrant_client.http import models

from optimus.errors import AlreadyExistsError, NotFoundError, StoreRejectedError
from optimus.storage.client import memory_backend
from optimus.storage.guard import MemoryGuard

_ORDERED = frozenset({"integer", "float", "datetime", "uuid"})


class Engine:
    """The engine, called with REST models."""

    def __init__(self) -> None:
        self._raw: Any = memory_backend()
        self._guard = MemoryGuard(self._raw)
        self._lock = RLock()
        self.indexes: dict[str, dict[str, models.PayloadIndexInfo]] = {}

    def call(self, name: str, collection: str, **arguments: Any) -> Any:
        """Call the engine as it is."""
        return getattr(self._guard, name)(collection, **arguments)

    def names(self) -> list[str]:
        """Return the names of the collections."""
        return [collection.name for collection in self._guard.get_collections().collections]

    def create(self, collection: str, vectors: Any, sparse: Any) -> None:
        """Make a collection; its name must be free."""
        if collection in self.names():
            raise AlreadyExistsError(f"Collection `{collection}` already exists!")
        self.call("create_collection", collection, vectors_config=vectors or {}, sparse_vectors_config=sparse)

    def delete(self, collection: str) -> bool:
        """Delete a collection; tell whether there was one."""
        self.indexes.pop(collection, None)
        return bool(self.call("delete_collection", collection))

    def describe(self, collection: str) -> models.CollectionInfo:
        """Describe a collection with its indexes."""
        info: models.CollectionInfo = self.call("get_collection", collection)
        return info.model_copy(update={"payload_schema": dict(self.indexes.get(collection, {}))})

    def update_batch(self, collection: str, operations: list[Any]) -> list[models.UpdateResult]:
        """Apply operations one after the other."""
        with self._lock:
            done: list[models.UpdateResult] = self._raw.batch_update_points(collection, operations)
        return done

    def create_index(self, collection: str, field: str, schema: Any) -> None:
        """Note an index as it is asked for now: a bare request forgets the parameters of the one before."""
        self._existing(collection)
        is_bare = isinstance(schema, models.PayloadSchemaType)
        kind = schema if is_bare else models.PayloadSchemaType(schema.type.value)
        info = models.PayloadIndexInfo(data_type=kind, params=None if is_bare else schema, points=0)
        self.indexes.setdefault(collection, {})[field] = info

    def delete_index(self, collection: str, field: str) -> None:
        """Forget an index."""
        self._existing(collection)
        self.indexes.get(collection, {}).pop(field, None)

    def query(self, collection: str, request: models.QueryRequest) -> list[models.ScoredPoint]:
        """Search."""
        if isinstance(request.query, models.OrderByQuery):
            self._need_index(collection, _key(request.query.order_by), _ORDERED)
        found = self.call(
            "query_points",
            collection,
            query=request.query,
            using=request.using,
            prefetch=request.prefetch,
            query_filter=request.filter,
            search_params=request.params,
            limit=_positive(request.limit),
            offset=request.offset,
            score_threshold=request.score_threshold,
            with_payload=request.with_payload or False,
            with_vectors=request.with_vector or False,
        )
        points: list[models.ScoredPoint] = found.points
        return points

    def scroll(self, collection: str, request: models.ScrollRequest) -> tuple[list[models.Record], Any]:
        """Return one page and where the next one starts."""
        if request.order_by is not None:
            self._need_index(collection, _key(request.order_by), _ORDERED)
        page: tuple[list[models.Record], Any] = self.call(
            "scroll",
            collection,
            scroll_filter=request.filter,
            offset=request.offset,
            limit=_positive(request.limit),
            order_by=request.order_by,
            with_payload=request.with_payload or False,
            with_vectors=request.with_vector or False,
        )
        return page

    def retrieve(self, collection: str, request: models.PointRequest) -> list[models.Record]:
        """Return points by id."""
        wanted = {"with_payload": request.with_payload or False, "with_vectors": request.with_vector or False}
        records: list[models.Record] = self.call("retrieve", collection, ids=request.ids, **wanted)
        return records

    def count(self, collection: str, request: models.CountRequest) -> models.CountResult:
        """Count points."""
        counted: models.CountResult = self.call(
            "count", collection, count_filter=request.filter, exact=request.exact is not False
        )
        return counted

    def facet(self, collection: str, request: models.FacetRequest) -> models.FacetResponse:
        """Count the points of each value."""
        self._need_index(collection, request.key)
        facets: models.FacetResponse = self.call(
            "facet",
            collection,
            key=request.key,
            facet_filter=request.filter,
            limit=_positive(request.limit),
            exact=bool(request.exact),
        )
        return facets

    def close(self) -> None:
        """Close the engine."""
        self._guard.close()

    def _need_index(self, collection: str, field: str, types: frozenset[str] | None = None) -> None:
        info = self.indexes.get(collection, {}).get(field)
        if info is None or (types is not None and info.data_type.value not in types):
            raise StoreRejectedError(f"Bad request: Index required but not found for {field!r}")

    def _existing(self, collection: str) -> None:
        if collection not in self.names():
            raise NotFoundError(f"Collection `{collection}` doesn't exist!")


def _key(order: models.OrderByInterface) -> str:
    return order if isinstance(order, str) else order.key


def _positive(limit: int | None) -> int:
    if limit is None:
        return 10
    if limit < 1:
        raise StoreRejectedError("Validation error in body: [limit: value 0 invalid, must be 1 or larger]")
    return limit
