"""The conditions by which memories are found. What a plain Mem0 left out counts as its default."""

from __future__ import annotations

from datetime import datetime

from qdrant_client import models

from optimus.models import MemoryStatus, MemoryType, UserId
from optimus.storage.filters import equals, one_of, owned_by
from optimus.storage.memory_payload import SLOT_KEY, slot_key
from optimus.storage.records import MemoryFilter
from optimus.storage.table import VERSION

RECORDED = "created_at"
"""Mem0's name for the time that both sort and filter by."""


def memory_conditions(owner: UserId, where: MemoryFilter) -> list[models.Condition]:
    """Return the conditions of a filter, the owner first."""
    conditions: list[models.Condition] = [owned_by(owner)]
    if where.types is not None:
        conditions.append(_or_empty(one_of("type", where.types), default=MemoryType.FACT in where.types))
    if where.statuses is not None:
        conditions.append(_or_empty(one_of("status", where.statuses), default=MemoryStatus.ACTIVE in where.statuses))
    for key in ("conversation_id", "message_id"):
        value = getattr(where, key)
        if value is not None:
            conditions.append(equals(key, value))
    if where.slot is not None:
        conditions.append(equals(SLOT_KEY, slot_key(owner, where.slot)))
    if where.since is not None:
        conditions.append(moment(since=where.since))
    if where.until is not None:
        conditions.append(models.FieldCondition(key=RECORDED, range=models.DatetimeRange(lt=where.until)))
    return conditions


def moment(
    *, since: datetime | None = None, until: datetime | None = None, after: datetime | None = None
) -> models.FieldCondition:
    """Return the condition on the time of recording: `since` <= time <= `until`, or `after` < time."""
    return models.FieldCondition(key=RECORDED, range=models.DatetimeRange(gte=since, lte=until, gt=after))


def at_version(version: int) -> models.Condition:
    """Return the condition that a memory is at `version`; one without any is at its first."""
    return _or_empty(equals(VERSION, version), default=version == 1)


def _or_empty(condition: models.FieldCondition, *, default: bool) -> models.Condition:
    if not default:
        return condition
    empty = models.IsEmptyCondition(is_empty=models.PayloadField(key=condition.key))
    return models.Filter(should=[condition, empty])
