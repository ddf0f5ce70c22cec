"""Small builders for Qdrant filters, so that repositories read as sentences."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from qdrant_client import models

from optimus.errors import TenancyError
from optimus.models import is_uuid

OWNER_FIELD = "user_id"


def equals(key: str, value: str | int | bool) -> models.FieldCondition:
    """Return the condition `key` == `value`."""
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def one_of(key: str, values: Iterable[str]) -> models.FieldCondition:
    """Return the condition that `key` has one of `values`."""
    return models.FieldCondition(key=key, match=models.MatchAny(any=sorted(values)))


def between(key: str, since: datetime | None, until: datetime | None) -> models.FieldCondition:
    """Return the condition `since` <= `key` < `until`; a bound that is None is open."""
    return models.FieldCondition(key=key, range=models.DatetimeRange(gte=since, lt=until))


def at_most(key: str, bound: int) -> models.FieldCondition:
    """Return the condition `key` <= `bound`, for numbers."""
    return models.FieldCondition(key=key, range=models.Range(lte=bound))


def any_of(*conditions: models.Condition) -> models.Filter:
    """Return the condition that at least one of `conditions` holds."""
    return models.Filter(should=list(conditions))


def has_ids(*ids: str) -> models.HasIdCondition:
    """Return the condition that a point has one of `ids`; no point has what is no UUID, which a server would refuse."""
    return models.HasIdCondition(has_id=[point_id for point_id in ids if is_uuid(point_id)])


def owned_by(owner: str) -> models.FieldCondition:
    """Return the condition that a point belongs to `owner`.

    Raises:
        TenancyError: nobody is named, so that a forgotten owner never means everybody.
    """
    return equals(OWNER_FIELD, named(owner))


def named(owner: str) -> str:
    """Return the id of an owner.

    Raises:
        TenancyError: it is no UUID.
    """
    if not is_uuid(owner):
        raise TenancyError("an owner is a UUID")
    return owner


def all_of(*conditions: models.Condition) -> models.Filter:
    """Return the filter that wants every condition."""
    return models.Filter(must=list(conditions))
