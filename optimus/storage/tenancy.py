"""The tenancy wall: whatever reaches a collection with owned records names its owner, or is refused.

It stands in the client's backend, so that Mem0 passes it as well as our own repositories. A call by filter must want
`user_id` = UUID at the top level of every filter that it carries; a call by id needs an acting owner and is turned
into a call by filter, or checked on the way back. What nobody has thought about is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from qdrant_client import models
from qdrant_client.client_base import QdrantBase

from optimus.errors import ForeignRecordError, TenancyError
from optimus.models import UserId, is_uuid
from optimus.storage.filters import OWNER_FIELD, all_of, owned_by
from optimus.storage.walls import (
    POINT_READS,
    SELECTOR_ARGUMENTS,
    Wall,
    as_points,
    filters_of,
    prefetches,
    selected,
    with_field,
)

_ACTING: ContextVar[UserId | None] = ContextVar("acting_owner", default=None)
_ACROSS: ContextVar[bool] = ContextVar("across_tenants", default=False)
_OPEN_CALLS = frozenset(
    {"get_collection", "collection_exists", "create_collection", "create_payload_index", "create_vector_name"}
)
_PLAIN_QUERIES = (models.FusionQuery, models.RrfQuery, models.FormulaQuery, models.OrderByQuery, models.SampleQuery)


@contextmanager
def acting_as(owner: UserId) -> Iterator[None]:
    """Let the calls inside reach `owner`'s records, and nobody else's.

    Raises:
        TenancyError: `owner` is no UUID, or somebody else acts already.
    """
    if not is_uuid(owner):
        raise TenancyError("an owner is a UUID")
    if _ACTING.get() not in (None, owner):
        raise TenancyError("another owner acts already")
    token = _ACTING.set(owner)
    try:
        yield
    finally:
        _ACTING.reset(token)


@contextmanager
def across_tenants() -> Iterator[None]:
    """Let the calls inside pass the wall: for the scan at the start and for the care of collections only."""
    token = _ACROSS.set(True)
    try:
        yield
    finally:
        _ACROSS.reset(token)


class TenancyWall(Wall):
    """Refuse calls on owned records that do not name their owner. All collections are owned unless listed.

    A record that is asked for by its id and belongs to somebody else is missing, for whoever asks. One that the engine
    gives out against the filter is a fault of the engine: nothing of the answer is passed on.
    """

    def __init__(self, inner: QdrantBase, *, unowned: Collection[str]) -> None:
        super().__init__(inner)
        self._unowned = frozenset(unowned)

    def _pass(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        unowned = collection_name in self._unowned and call != "delete_collection"
        if unowned or call in _OPEN_CALLS or _ACROSS.get():
            return super()._pass(call, collection_name, arguments)
        if call == "retrieve":
            return self._retrieve(collection_name, arguments)
        if call in POINT_READS:
            return self._read(call, collection_name, arguments)
        if call == "upsert":
            return self._upsert(collection_name, arguments)
        if call == "update_vectors":
            guard = owned_by(_acting())
            arguments = {**arguments, "update_filter": _guarded(arguments.get("update_filter"), guard)}
            return super()._pass(call, collection_name, arguments)
        if call in SELECTOR_ARGUMENTS and call != "clear_payload":
            return self._change(call, collection_name, arguments)
        raise TenancyError(f"{call} is not allowed on owned records")

    def _read(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        owners = {named_owner(where) for where in filters_of(call, arguments)}
        if len(owners) > 1 and call != "query_batch_points":
            raise TenancyError("one call names several owners")
        if call == "query_batch_points":
            return self._query_batch(collection_name, arguments)
        if call in ("count", "facet"):
            return super()._pass(call, collection_name, arguments)
        (owner,) = owners
        if call == "query_points":
            _check_query(arguments.get("query"), arguments.get("prefetch"), arguments.get("lookup_from"))
        selector, cut = with_field(arguments.get("with_payload", True), OWNER_FIELD)
        answer = super()._pass(call, collection_name, {**arguments, "with_payload": selector})
        if call == "scroll":
            return _own(answer[0], owner, cut), answer[1]
        _own(answer.points, owner, cut)
        return answer

    def _query_batch(self, collection_name: str, arguments: dict[str, Any]) -> Any:
        requests, cuts, owners = [], [], []
        for request in arguments["requests"]:
            whole = {named_owner(where) for where in filters_of("query_batch_points", {"requests": [request]})}
            if len(whole) != 1:
                raise TenancyError("one query names several owners")
            _check_query(request.query, request.prefetch, request.lookup_from)
            selector, cut = with_field(request.with_payload, OWNER_FIELD)
            requests.append(request if _wants_ids(request) else request.model_copy(update={"with_payload": selector}))
            cuts.append(cut)
            owners.append(whole.pop())
        answers = super()._pass("query_batch_points", collection_name, {**arguments, "requests": requests})
        for request, answer, owner, cut in zip(requests, answers, owners, cuts, strict=True):
            if not _wants_ids(request):
                _own(answer.points, owner, cut)
        return answers

    def _retrieve(self, collection_name: str, arguments: dict[str, Any]) -> Any:
        owner = _acting()
        selector, cut = with_field(arguments.get("with_payload", True), OWNER_FIELD)
        records = super()._pass("retrieve", collection_name, {**arguments, "with_payload": selector})
        return _own([record for record in records if _owner_of(record) == owner], owner, cut)

    def _upsert(self, collection_name: str, arguments: dict[str, Any]) -> Any:
        points = as_points(arguments["points"])
        owners = {_written_owner(point.payload) for point in points}
        acting = _ACTING.get()
        if acting is not None and owners - {acting}:
            raise TenancyError("a write for another owner than the acting one")
        answer = None
        for owner in owners:
            own = [point for point in points if (point.payload or {})[OWNER_FIELD] == owner]
            guard = _guarded(arguments.get("update_filter"), owned_by(owner))
            answer = super()._pass("upsert", collection_name, {**arguments, "points": own, "update_filter": guard})
        return answer

    def _change(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        name = SELECTOR_ARGUMENTS[call]
        ids, where = selected(arguments[name])
        if where is None:
            where = all_of(owned_by(_acting()), models.HasIdCondition(has_id=ids or []))
        _check_change(call, arguments, named_owner(where))
        return super()._pass(call, collection_name, {**arguments, name: models.FilterSelector(filter=where)})


def named_owner(where: models.Filter | None) -> UserId:
    """Return the owner that a filter wants at its top level.

    Raises:
        TenancyError: there is no filter, it names none or several, or another than the acting one.
    """
    if not isinstance(where, models.Filter):
        raise TenancyError("a call on owned records without a filter")
    must = where.must if isinstance(where.must, list) else [where.must]
    named = {condition.match.value for condition in must if _names_owner(condition)}  # type: ignore[union-attr]
    if len(named) != 1:
        raise TenancyError("a filter that does not name exactly one owner at its top level")
    owner = UserId(str(named.pop()))
    if _ACTING.get() not in (None, owner):
        raise TenancyError("a filter that names another owner than the acting one")
    return owner


def _names_owner(condition: Any) -> bool:
    """Tell whether a condition is `user_id` = UUID and nothing else; an engine may heed only one of two tests."""
    if not isinstance(condition, models.FieldCondition) or condition.key != OWNER_FIELD:
        return False
    tests = [name for name in models.FieldCondition.model_fields if getattr(condition, name) is not None]
    return (
        tests == ["key", "match"] and isinstance(condition.match, models.MatchValue) and is_uuid(condition.match.value)
    )


def _acting() -> UserId:
    owner = _ACTING.get()
    if owner is None:
        raise TenancyError("a call by id without an acting owner")
    return owner


def _written_owner(payload: dict[str, Any] | None) -> UserId:
    owner = (payload or {}).get(OWNER_FIELD)
    if not is_uuid(owner):
        raise TenancyError("a record without the UUID of its owner")
    return UserId(str(owner))


def _guarded(where: models.Filter | None, guard: models.FieldCondition) -> models.Filter:
    if where is not None and not isinstance(where, models.Filter):
        raise TenancyError("a filter in a form that cannot be checked")
    return all_of(guard) if where is None else all_of(guard, where)


def _check_change(call: str, arguments: dict[str, Any], owner: UserId) -> None:
    payload = arguments.get("payload")
    if call == "overwrite_payload" and _written_owner(payload) != owner:
        raise TenancyError("a payload that would change the owner")
    if call == "set_payload" and (payload or {}).get(OWNER_FIELD, owner) != owner and not arguments.get("key"):
        raise TenancyError("a payload that would change the owner")
    touched: Iterable[str] = arguments.get("keys") or ()
    paths = [*touched, arguments.get("key") or ""]
    if any(path.replace('"', "").split(".")[0].split("[")[0] == OWNER_FIELD for path in paths):
        raise TenancyError("a change of the owner")


def _check_query(query: Any, prefetch: Any, lookup_from: Any) -> None:
    """Refuse queries that read a vector by point id: it may be anybody's."""
    if lookup_from is not None or not _is_own_query(query):
        raise TenancyError("a query that reads other points")
    for inner in prefetches(prefetch):
        _check_query(inner.query, inner.prefetch, inner.lookup_from)


def _is_own_query(query: Any) -> bool:
    if isinstance(query, models.NearestQuery):
        return isinstance(query.nearest, list | models.SparseVector)
    return query is None or isinstance(query, (list, np.ndarray, models.SparseVector, *_PLAIN_QUERIES))


def _owner_of(record: Any) -> Any:
    return (record.payload or {}).get(OWNER_FIELD)


def _wants_ids(request: models.QueryRequest) -> bool:
    """Tell whether a query asks for ids and scores alone; its filter, which names the owner, then has to do."""
    return not request.with_payload and not request.with_vector


def _own(records: list[Any], owner: UserId, cut: Callable[[dict[str, Any]], dict[str, Any] | None]) -> list[Any]:
    """Cut records to what was asked for, once each is known to be the owner's."""
    for record in records:
        if _owner_of(record) != owner:
            raise ForeignRecordError(owner)
        record.payload = cut(record.payload)
    return records
