"""The reading calls of the embedded backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qdrant_edge as edge
from qdrant_client.client_base import QdrantBase
from qdrant_client.conversions import common_types as types
from qdrant_client.http import models

from optimus.errors import StoreRejectedError
from optimus.storage.edge_convert import (
    existing_ids,
    from_id,
    from_record,
    from_scored,
    to_filter,
    to_payload_selection,
    to_vector_selection,
)
from optimus.storage.edge_query import to_order_by, to_query_request
from optimus.storage.edge_registry import EdgeRegistry
from optimus.storage.edge_shard import PAGE, engine_errors


class EdgeReads(QdrantBase):
    """Queries, pages, counts and look-ups.

    Every call holds the GIL for its whole length: filter on indexed fields and page by 256 or less. What a server
    needs to know beyond the call itself (`consistency`, `timeout`, `shard_key_selector`) means nothing here.
    """

    _registry: EdgeRegistry

    def query_points(  # noqa: PLR0917 - the signature is the client's
        self,
        collection_name: str,
        query: Any = None,
        using: str | None = None,
        prefetch: types.Prefetch | list[types.Prefetch] | None = None,
        query_filter: types.Filter | None = None,
        search_params: types.SearchParams | None = None,
        limit: int = 10,
        offset: int | None = None,
        with_payload: types.WithPayloadInterface = True,
        with_vectors: types.WithVector = False,
        score_threshold: float | None = None,
        lookup_from: types.LookupLocation | None = None,
        **_: Any,
    ) -> models.QueryResponse:
        """Find points: by vector, point id, fusion, formula, order or example.

        Raises:
            StoreError: no such collection, a contradictory query, a missing index.
        """
        collection = self._registry.get(collection_name)
        request = models.QueryRequest.model_construct(
            query=query,
            using=using,
            prefetch=prefetch,
            filter=query_filter,
            params=search_params,
            limit=limit,
            offset=offset,
            with_payload=with_payload,
            with_vector=with_vectors,
            score_threshold=score_threshold,
            lookup_from=lookup_from,
        )
        with engine_errors(collection_name):
            converted = to_query_request(collection, request)
        return _response(collection.read(lambda shard: shard.query(converted)))

    def query_batch_points(
        self, collection_name: str, requests: Sequence[types.QueryRequest], **_: Any
    ) -> list[models.QueryResponse]:
        """Run several queries as one; a request that does not say so returns no payload.

        Raises:
            StoreError: as for `query_points`.
        """
        collection = self._registry.get(collection_name)
        with engine_errors(collection_name):
            batch = edge.QueryBatchRequest([to_query_request(collection, request) for request in requests])
        return [_response(points) for points in collection.read(lambda shard: shard.query_batch(batch))]

    def scroll(
        self,
        collection_name: str,
        scroll_filter: types.Filter | None = None,
        limit: int = 10,
        order_by: types.OrderBy | None = None,
        offset: types.PointId | None = None,
        with_payload: types.WithPayloadInterface = True,
        with_vectors: types.WithVector = False,
        **_: Any,
    ) -> tuple[list[types.Record], types.PointId | None]:
        """Return a page of points by id or by a field, and where the next one starts.

        A long page by id is read in parts, each a call of its own.

        Raises:
            StoreError: no such collection; a field to order by without a range index.
        """
        if limit < 1:
            raise StoreRejectedError("a page's limit is at least 1")
        collection = self._registry.get(collection_name)
        with engine_errors(collection_name):
            following: Any = _offset(offset)
            order = to_order_by(order_by) if order_by else None
            told: dict[str, Any] = {"filter": to_filter(scroll_filter), "order_by": order}
            told |= {"with_payload": to_payload_selection(with_payload)}
            told |= {"with_vector": to_vector_selection(with_vectors)}
        found: list[edge.Record] = []
        while len(found) < limit:
            wanted = limit - len(found) if order else min(PAGE, limit - len(found))
            request = edge.ScrollRequest(offset=following, limit=wanted, **told)
            records, following = collection.read(lambda shard, page=request: shard.scroll(page))  # type: ignore[misc]
            found += records
            if following is None or order:
                break
        return [from_record(record) for record in found], None if following is None else from_id(following)

    def count(
        self, collection_name: str, count_filter: types.Filter | None = None, exact: bool = True, **_: Any
    ) -> types.CountResult:
        """Count the points that match.

        Raises:
            StoreError: no such collection.
        """
        collection = self._registry.get(collection_name)
        with engine_errors(collection_name):
            request = edge.CountRequest(exact=exact, filter=to_filter(count_filter))
        return models.CountResult(count=collection.read(lambda shard: shard.count(request)))

    def facet(
        self,
        collection_name: str,
        key: str,
        facet_filter: types.Filter | None = None,
        limit: int = 10,
        exact: bool = False,
        **_: Any,
    ) -> types.FacetResponse:
        """Count the points per value of an indexed field, most frequent first.

        Raises:
            StoreError: no such collection; the field has no index.
        """
        if limit < 1:
            raise StoreRejectedError("a facet's limit is at least 1")
        collection = self._registry.get(collection_name)
        with engine_errors(collection_name):
            request = edge.FacetRequest(key, limit=limit, exact=exact, filter=to_filter(facet_filter))
        hits = collection.read(lambda shard: shard.facet(request)).hits
        return models.FacetResponse(hits=[models.FacetValueHit(value=hit.value, count=hit.count) for hit in hits])

    def retrieve(
        self,
        collection_name: str,
        ids: Sequence[types.PointId],
        with_payload: types.WithPayloadInterface = True,
        with_vectors: types.WithVector = False,
        **_: Any,
    ) -> list[types.Record]:
        """Return the points with `ids` in that order, each once; missing and impossible ids are left out.

        Raises:
            StoreError: no such collection.
        """
        with engine_errors(collection_name):
            payload, vectors = to_payload_selection(with_payload), to_vector_selection(with_vectors)
        records = self._registry.get(collection_name).points(existing_ids(ids), payload, vectors)
        return [from_record(record) for record in records]


def _response(points: list[edge.ScoredPoint]) -> models.QueryResponse:
    return models.QueryResponse.model_construct(points=[from_scored(point) for point in points])


def _offset(offset: Any) -> int | str | None:
    if offset is None:
        return None
    found = existing_ids([offset])
    if not found:
        raise StoreRejectedError("a page starts at a point id")
    return found[0]
