"""Queries of the REST models as requests of the embedded engine.

The engine knows no query by point id: the ids are resolved to their stored vectors here, and the points themselves are
left out of the answer, as a server does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
import qdrant_edge as edge
from qdrant_client.http import models

from optimus.errors import NotFoundError, StoreRejectedError
from optimus.storage.edge_convert import (
    edge_enum,
    existing_ids,
    moment,
    to_edge_vector,
    to_filter,
    to_payload_selection,
    to_vector_selection,
    without_ids,
)
from optimus.storage.edge_formula import to_formula
from optimus.storage.edge_shard import EdgeCollection
from optimus.storage.validation import query_vector

DEFAULT_LIMIT = 10
DEFAULT_RRF_K = 2
MAX_MMR_CANDIDATES = 16_384

_QUERIES = (
    models.NearestQuery,
    models.RecommendQuery,
    models.OrderByQuery,
    models.FusionQuery,
    models.RrfQuery,
    models.FormulaQuery,
    models.SampleQuery,
    models.TextQuery,
    models.DiscoverQuery,
    models.ContextQuery,
    models.RelevanceFeedbackQuery,
)


def to_query_request(collection: EdgeCollection, rest: models.QueryRequest) -> edge.QueryRequest:
    """Convert a query with its prefetches.

    Raises:
        StoreRejectedError: the query contradicts itself or the collection's vectors.
        NotFoundError: a point whose vector the query uses does not exist or has no such vector.
        NotImplementedError: the engine does not offer this kind of query.
    """
    limit = DEFAULT_LIMIT if rest.limit is None else rest.limit
    if limit < 1 or (rest.offset or 0) < 0:
        raise StoreRejectedError("a query's limit is at least 1 and its offset at least 0")
    query, named = _query(collection, rest, limit)
    return edge.QueryRequest(
        limit=limit,
        offset=rest.offset,
        query=query,
        prefetches=_prefetches(collection, rest.prefetch),
        with_vector=to_vector_selection(rest.with_vector),
        with_payload=to_payload_selection(rest.with_payload),
        filter=to_filter(without_ids(rest.filter, named)),
        score_threshold=rest.score_threshold,
        params=_params(rest.params),
    )


def to_order_by(rest: str | models.OrderBy) -> edge.OrderBy:
    """Convert an order; the key needs a range index."""
    if isinstance(rest, str):
        return edge.OrderBy(rest)
    direction = edge_enum(edge.Direction, rest.direction) if rest.direction else None
    start: Any = rest.start_from
    return edge.OrderBy(rest.key, direction, start if isinstance(start, int | float) else moment(start))


def _prefetches(collection: EdgeCollection, rest: Any) -> list[edge.Prefetch] | None:
    if not rest:
        return None
    return [_prefetch(collection, item) for item in (rest if isinstance(rest, Sequence) else [rest])]


def _prefetch(collection: EdgeCollection, rest: models.Prefetch) -> edge.Prefetch:
    limit = DEFAULT_LIMIT if rest.limit is None else rest.limit
    if limit < 1:
        raise StoreRejectedError("a prefetch's limit is at least 1")
    query, named = _query(collection, rest, limit)
    return edge.Prefetch(
        limit=limit,
        query=query,
        prefetches=_prefetches(collection, rest.prefetch),
        params=_params(rest.params),
        filter=to_filter(without_ids(rest.filter, named)),
        score_threshold=rest.score_threshold,
    )


def _query(
    collection: EdgeCollection, rest: models.QueryRequest | models.Prefetch, limit: int
) -> tuple[Any, list[int | str]]:
    """Return the converted query and the ids of the points that it names."""
    query: Any = rest.query
    if rest.lookup_from is not None:
        raise NotImplementedError("vectors of another collection cannot be used by the embedded store")
    if query is None:
        if rest.prefetch or rest.score_threshold is not None:
            raise StoreRejectedError("prefetches and a score threshold need a query")
        return None, []
    if not isinstance(query, _QUERIES):
        query = models.NearestQuery.model_construct(nearest=query, mmr=None)
    vectors = _Vectors(collection, rest.using or "")
    if isinstance(query, models.NearestQuery):
        return _nearest(vectors, query, limit), vectors.named_ids
    if isinstance(query, models.RecommendQuery):
        return _recommend(vectors, query.recommend), vectors.named_ids
    if isinstance(query, models.RrfQuery):
        return _rank_fusion(query.rrf, len(rest.prefetch) if isinstance(rest.prefetch, list) else 1), []
    return _without_vector(query, rest.using), []


class _Vectors:
    """Turns what a query gives as a vector into one, and remembers the points that it names."""

    def __init__(self, collection: EdgeCollection, using: str) -> None:
        self.using = using
        self.named_ids: list[int | str] = []
        self._collection = collection

    def of(self, value: Any) -> Any:
        if isinstance(value, int | str | UUID):
            value = self._stored(value)
        elif isinstance(value, np.ndarray):
            value = value.tolist()
        if isinstance(value, edge.SparseVector):
            return value
        return to_edge_vector(query_vector(value, self.using, self._collection.layout))

    def _stored(self, value: object) -> Any:
        ids = existing_ids([value])
        found = self._collection.points(ids, vectors=[self.using])
        vector: Any = found[0].vector if found else None
        if isinstance(vector, dict):
            vector = vector.get(self.using)
        if vector is None:
            raise NotFoundError(f"{self._collection.name}: no such point, or it has no vector {self.using!r}")
        self.named_ids.extend(ids)
        return vector


def _nearest(vectors: _Vectors, rest: models.NearestQuery, limit: int) -> Any:
    vector = vectors.of(rest.nearest)
    if rest.mmr is None:
        return edge.Query.Nearest(vector, vectors.using)
    candidates = limit if rest.mmr.candidates_limit is None else rest.mmr.candidates_limit
    if not 0 <= candidates <= MAX_MMR_CANDIDATES:
        raise StoreRejectedError(f"a diversified query has at most {MAX_MMR_CANDIDATES} candidates")
    diversity = 0.5 if rest.mmr.diversity is None else rest.mmr.diversity
    return edge.Mmr(vector, 1.0 - diversity, candidates, vectors.using)


def _recommend(vectors: _Vectors, rest: models.RecommendInput) -> Any:
    positive = [vectors.of(value) for value in rest.positive or []]
    negative = [vectors.of(value) for value in rest.negative or []]
    if rest.strategy is models.RecommendStrategy.BEST_SCORE:
        return edge.Query.RecommendBestScore(edge.RecommendQuery(positive, negative), vectors.using)
    if rest.strategy is models.RecommendStrategy.SUM_SCORES:
        return edge.Query.RecommendSumScores(edge.RecommendQuery(positive, negative), vectors.using)
    if not positive:
        raise StoreRejectedError("a recommendation by the average vector needs a positive example")
    if isinstance(positive[0], edge.SparseVector):
        raise NotImplementedError("the embedded store averages dense vectors only; choose the best_score strategy")
    target = np.mean(np.asarray(positive), axis=0)
    if negative:
        target = 2 * target - np.mean(np.asarray(negative), axis=0)
    return edge.Query.Nearest(target.tolist(), vectors.using)


def _without_vector(rest: Any, using: str | None) -> Any:
    if isinstance(rest, models.FormulaQuery):
        return to_formula(rest)
    if isinstance(rest, models.FusionQuery):
        return edge.Fusion.Dbsf() if rest.fusion is models.Fusion.DBSF else edge.Fusion.Rrf(k=DEFAULT_RRF_K)
    if isinstance(rest, models.OrderByQuery):
        return to_order_by(rest.order_by)
    if isinstance(rest, models.SampleQuery):
        return edge.Sample.Random
    if isinstance(rest, models.TextQuery) and using:
        return _text(rest.text, using)
    raise NotImplementedError(f"the embedded store does not offer {type(rest).__name__}")


def _rank_fusion(rest: models.Rrf, legs: int) -> edge.Fusion.Rrf:
    k = DEFAULT_RRF_K if rest.k is None else rest.k
    if k < 1 or (rest.weights is not None and len(rest.weights) != legs):
        raise StoreRejectedError("a rank fusion wants k of at least 1, and a weight for each prefetch or none")
    return edge.Fusion.Rrf(k=k, weights=rest.weights)


def _text(rest: str | models.TextQueryInput, field: str) -> edge.TextQuery:
    if isinstance(rest, str):
        return edge.TextQuery(field, rest)
    scoring = edge.Bm25Params(k=rest.scoring.bm25.k, b=rest.scoring.bm25.b) if rest.scoring else None
    return edge.TextQuery(field, rest.query, scoring)


def _params(rest: models.SearchParams | None) -> edge.SearchParams | None:
    if rest is None:
        return None
    quantization, acorn, idf = rest.quantization, rest.acorn, rest.idf
    return edge.SearchParams(
        hnsw_ef=rest.hnsw_ef,
        exact=bool(rest.exact),
        quantization=edge.QuantizationSearchParams(
            ignore=bool(quantization.ignore), rescore=quantization.rescore, oversampling=quantization.oversampling
        )
        if quantization
        else None,
        indexed_only=bool(rest.indexed_only),
        acorn=edge.AcornSearchParams(enable=bool(acorn.enable), max_selectivity=acorn.max_selectivity)
        if acorn
        else None,
        idf=edge.IdfParams(corpus=to_filter(idf.corpus)) if isinstance(idf, models.IdfCorpusParams) else None,
    )
