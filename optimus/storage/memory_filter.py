"""How memories are found: the conditions, and the four searches. What a plain Mem0 left out counts as its default."""

from __future__ import annotations

from datetime import datetime

from qdrant_client import models

from optimus.models import MemoryStatus, MemoryType, ScorePart, SourceKind, UserId
from optimus.storage.bm25 import SparseWeights
from optimus.storage.collections import BM25, BM25_CTX, CTX, DENSE
from optimus.storage.filters import all_of, equals, one_of, owned_by
from optimus.storage.memory_payload import SLOT_KEY, slot_key
from optimus.storage.records import MemoryFilter, QueryVectors
from optimus.storage.table import VERSION

RECORDED = "created_at"
"""Mem0's name for the time that both sort and filter by."""
CHANGED = "updated_at"
_BY_HAND = "manual"
WANTED = models.PayloadSelectorExclude(exclude=["hash", "text_lemmatized"])
"""A memory's payload without what only Mem0 reads: opening sealed fields is most of a search's cost."""
LEGS = {
    ScorePart.DENSE: DENSE,
    ScorePart.CONTEXT: CTX,
    ScorePart.KEYWORD: BM25,
    ScorePart.KEYWORD_CONTEXT: BM25_CTX,
}


def memory_conditions(owner: UserId, where: MemoryFilter) -> list[models.Condition]:
    """Return the conditions of a filter, the owner first."""
    conditions: list[models.Condition] = [owned_by(owner)]
    if where.types is not None:
        conditions.append(_or_empty(one_of("type", where.types), default=MemoryType.FACT in where.types))
    if where.statuses is not None:
        conditions.append(_or_empty(one_of("status", where.statuses), default=MemoryStatus.ACTIVE in where.statuses))
    for key in ("conversation_id", "message_id", "document_id"):
        value = getattr(where, key)
        if value is not None:
            conditions.append(equals(key, value))
    if where.slot is not None:
        conditions.append(equals(SLOT_KEY, slot_key(owner, where.slot)))
    if where.changed_at is not None:
        exactly = models.DatetimeRange(gte=where.changed_at, lte=where.changed_at)
        conditions.append(models.FieldCondition(key=CHANGED, range=exactly))
    if where.since is not None:
        conditions.append(moment(since=where.since))
    if where.until is not None:
        conditions.append(models.FieldCondition(key=RECORDED, range=models.DatetimeRange(lt=where.until)))
    if where.min_importance is not None:
        least = models.Range(gte=where.min_importance)
        conditions.append(models.FieldCondition(key="importance", range=least))
    return conditions + _origin(where)


def moment(
    *, since: datetime | None = None, until: datetime | None = None, after: datetime | None = None
) -> models.FieldCondition:
    """Return the condition on the time of recording: `since` <= time <= `until`, or `after` < time."""
    return models.FieldCondition(key=RECORDED, range=models.DatetimeRange(gte=since, lte=until, gt=after))


def at_version(version: int) -> models.Condition:
    """Return the condition that a memory is at `version`; one without any is at its first."""
    return _or_empty(equals(VERSION, version), default=version == 1)


def _origin(where: MemoryFilter) -> list[models.Condition]:
    conditions: list[models.Condition] = []
    if where.sources is not None:
        conditions.append(_or_empty(one_of("source", where.sources), default=SourceKind.USER in where.sources))
    if where.by_hand is not None:
        by_hand = _or_empty(equals("extractor", _BY_HAND), default=True)
        conditions.append(by_hand if where.by_hand else models.Filter(must_not=[by_hand]))
    return conditions


def _or_empty(condition: models.FieldCondition, *, default: bool) -> models.Condition:
    if not default:
        return condition
    empty = models.IsEmptyCondition(is_empty=models.PayloadField(key=condition.key))
    return models.Filter(should=[condition, empty])


def search_requests(
    owner: UserId, query: QueryVectors, conditions: models.Filter, limit: int, dense: models.SearchParams
) -> dict[ScorePart, models.QueryRequest]:
    """Return the four searches of a query, without the keyword legs where it has no words."""
    own_words = models.SearchParams(idf=models.IdfCorpusParams(corpus=all_of(owned_by(owner))))
    requests = {}
    for part, using in LEGS.items():
        is_dense = using in (DENSE, CTX)
        if not is_dense and not query.sparse.indices:
            continue
        requests[part] = models.QueryRequest(
            query=models.NearestQuery(nearest=query.dense if is_dense else sparse_vector(query.sparse)),
            using=using,
            filter=conditions,
            params=dense if is_dense else own_words,
            limit=limit,
            with_payload=False,
        )
    return requests


def sparse_vector(weights: SparseWeights) -> models.SparseVector:
    """Return keyword weights as the client wants them."""
    return models.SparseVector(indices=list(weights.indices), values=list(weights.values))
