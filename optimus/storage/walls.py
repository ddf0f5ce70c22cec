"""What the tenancy wall, the sealing wall and the engine's guard have in common, and the wall that measures them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import Context
from itertools import islice
from typing import Any

from qdrant_client import models
from qdrant_client.client_base import QdrantBase

from optimus.errors import ForeignRecordError, TenancyError
from optimus.metrics import OTHER, Metrics

POINT_READS = ("query_points", "query_batch_points", "scroll", "count", "facet", "retrieve")
POINT_WRITES = (
    "upsert",
    "delete",
    "set_payload",
    "overwrite_payload",
    "delete_payload",
    "clear_payload",
    "update_vectors",
    "delete_vectors",
)
COLLECTION_READS = ("get_collection", "collection_exists")
COLLECTION_WRITES = (
    "create_collection",
    "delete_collection",
    "create_payload_index",
    "delete_payload_index",
    "create_vector_name",
    "delete_vector_name",
)
CHUNK = 200
"""Points of one write: a longer one would hold the embedded engine, and with it every session, too long."""


class Wall(QdrantBase):
    """A backend in front of another: every call on a collection goes through `_pass`.

    What is not listed above stays refused, as `QdrantBase` refuses it: a call that nobody has thought about cannot
    reach the engine.
    """

    def __init__(self, inner: QdrantBase) -> None:
        super().__init__()
        self._inner = inner

    def _pass(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        return getattr(self._inner, call)(collection_name=collection_name, **arguments)

    def get_collections(self, **kwargs: Any) -> Any:
        """List the collections."""
        return self._inner.get_collections(**kwargs)

    def get_aliases(self, **kwargs: Any) -> Any:
        """List the aliases."""
        return self._inner.get_aliases(**kwargs)

    def upload_points(self, collection_name: str, points: Iterable[models.PointStruct], **kwargs: Any) -> None:
        """Upsert any number of points in short writes."""
        allowed: dict[str, Any] = {name: kwargs[name] for name in ("update_filter", "update_mode") if name in kwargs}
        waiting = iter(points)
        while chunk := list(islice(waiting, CHUNK)):
            self._pass("upsert", collection_name, {"points": chunk, **allowed})

    def close(self, **kwargs: Any) -> None:
        """Close the engine behind the wall."""
        self._inner.close(**kwargs)


def _forwarded(call: str) -> Callable[..., Any]:
    def method(self: Wall, collection_name: str, **arguments: Any) -> Any:
        return self._pass(call, collection_name, arguments)

    method.__name__ = call
    method.__doc__ = f"Pass `{call}` through the wall."
    return method


for _call in (*POINT_READS, *POINT_WRITES, *COLLECTION_READS, *COLLECTION_WRITES):
    setattr(Wall, _call, _forwarded(_call))


class MeasuringWall(Wall):
    """The outermost wall: measures every call, with all that the walls behind it do.

    `labels` names the collections that are told apart; others, which Mem0 may make, count together. `on_foreign` is
    told whose records were asked for where the engine gave out another's; nobody acts there.
    """

    def __init__(self, inner: QdrantBase, *, metrics: Metrics, labels: Mapping[str, str]) -> None:
        super().__init__(inner)
        self._metrics = metrics
        self._labels = labels
        self.on_foreign: Callable[[str], None] = lambda _wanted: None

    def _pass(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        try:
            with self._metrics.store_operation(call, self._labels.get(collection_name, OTHER)):
                return super()._pass(call, collection_name, arguments)
        except ForeignRecordError as error:
            Context().run(self.on_foreign, error.wanted)
            raise


FILTER_ARGUMENTS = {
    "query_points": "query_filter",
    "scroll": "scroll_filter",
    "count": "count_filter",
    "facet": "facet_filter",
}
SELECTOR_ARGUMENTS = {
    "delete": "points_selector",
    "clear_payload": "points_selector",
    "set_payload": "points",
    "overwrite_payload": "points",
    "delete_payload": "points",
    "delete_vectors": "points",
}


def filters_of(call: str, arguments: dict[str, Any]) -> Iterator[models.Filter | None]:
    """Yield every filter of a read, however deep: None stands for one that is missing."""
    if call == "query_batch_points":
        for request in arguments["requests"]:
            yield from _query_filters(request.filter, request.params, request.prefetch)
    elif call == "query_points":
        yield from _query_filters(
            arguments.get("query_filter"), arguments.get("search_params"), arguments.get("prefetch")
        )
    elif call in FILTER_ARGUMENTS:
        yield arguments.get(FILTER_ARGUMENTS[call])


def _query_filters(where: Any, params: Any, prefetch: Any) -> Iterator[models.Filter | None]:
    yield where
    corpus = _idf_corpus(params)
    if corpus is not None:
        yield corpus
    for inner in prefetches(prefetch):
        yield from _query_filters(inner.filter, inner.params, inner.prefetch)


def prefetches(prefetch: Any) -> list[models.Prefetch]:
    """Return the prefetches of one level as a list.

    Raises:
        TenancyError: one is given in a form that cannot be checked.
    """
    listed = prefetch if isinstance(prefetch, list) else [] if prefetch is None else [prefetch]
    if not all(isinstance(inner, models.Prefetch) for inner in listed):
        raise TenancyError("a prefetch in a form that cannot be checked")
    return listed


def _idf_corpus(params: Any) -> models.Filter | None:
    if params is None:
        return None
    if not isinstance(params, models.SearchParams):
        raise TenancyError("search parameters in a form that cannot be checked")
    if params.idf is None or isinstance(params.idf, models.IdfScope):
        return None
    return params.idf.corpus


def selected(selector: Any) -> tuple[list[Any] | None, models.Filter | None]:
    """Return what a points selector names: ids, or a filter.

    Raises:
        TenancyError: it is given in a form that cannot be checked.
    """
    if isinstance(selector, models.FilterSelector):
        return None, selector.filter
    if isinstance(selector, models.Filter):
        return None, selector
    if isinstance(selector, models.PointIdsList):
        return list(selector.points), None
    if isinstance(selector, list):
        return list(selector), None
    raise TenancyError("a points selector in a form that cannot be checked")


def as_points(points: Any) -> list[models.PointStruct]:
    """Return the points of an upsert as a list.

    Raises:
        TenancyError: they are given in a form that cannot be checked.
    """
    if isinstance(points, models.Batch):
        points = points_of_batch(points)
    listed = list(points)
    if not all(isinstance(point, models.PointStruct) for point in listed):
        raise TenancyError("points in a form that cannot be checked")
    return listed


def with_field(selector: Any, field: str) -> tuple[Any, Callable[[dict[str, Any]], dict[str, Any] | None]]:
    """Widen a payload selector so that `field` comes too; also return how to cut a payload back to what was asked.

    Raises:
        TenancyError: the selector is given in a form that cannot be checked.
    """
    if selector is True:
        return True, lambda payload: payload
    if selector is None or selector is False:
        return [field], lambda _payload: None
    if isinstance(selector, models.PayloadSelectorExclude):
        kept = [key for key in selector.exclude if key.split(".")[0] != field]
        hidden = len(kept) < len(selector.exclude)
        return models.PayloadSelectorExclude(exclude=kept) if kept else True, _without(field, cut=hidden)
    asked = selector.include if isinstance(selector, models.PayloadSelectorInclude) else selector
    if not isinstance(asked, list | tuple):
        raise TenancyError("a payload selector in a form that cannot be checked")
    return [*asked, field], _without(field, cut=field not in asked)


def _without(field: str, *, cut: bool) -> Callable[[dict[str, Any]], dict[str, Any]]:
    if not cut:
        return lambda payload: payload
    return lambda payload: {key: value for key, value in payload.items() if key != field}


def points_of_batch(batch: models.Batch) -> list[models.PointStruct]:
    """Turn the columns of a batch into points.

    Raises:
        TenancyError: the columns differ in length.
    """
    vectors: Any = batch.vectors
    by_name: dict[str, Any] = vectors if isinstance(vectors, dict) else {"": vectors}
    payloads: list[Any] = batch.payloads if batch.payloads is not None else [None] * len(batch.ids)
    if {len(payloads), *(len(column) for column in by_name.values())} != {len(batch.ids)}:
        raise TenancyError("the columns of a batch differ in length")
    return [
        models.PointStruct(
            id=batch.ids[row], vector={name: column[row] for name, column in by_name.items()}, payload=payloads[row]
        )
        for row in range(len(batch.ids))
    ]
