"""Records of one kind in one vectorless collection, with the three writes that everything else is made of.

Qdrant answers a conditional write without saying how many points it changed. So each write carries a fresh token
(`write_id`), and reading it back tells whether this writer won. A lock keeps the two steps together, so that a
quick follow-up write of the same process does not hide a success; between processes that shows as a conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

from pydantic import BaseModel
from qdrant_client import QdrantClient, models

from optimus.storage.filters import all_of, equals, has_ids

PAGE = 256
MAX_VALUES = 1_000
KIND = "kind"
VERSION = "version"
WRITE_ID = "write_id"

Model = TypeVar("Model", bound=BaseModel)


class StripedLocks:
    """A fixed number of locks shared out by name: writers of different records hardly ever wait for each other."""

    def __init__(self, count: int = 64) -> None:
        self._locks = tuple(Lock() for _ in range(count))

    def of(self, name: str) -> Lock:
        """Return the lock of a name."""
        return self._locks[hash(name) % len(self._locks)]


class Row(NamedTuple):
    """A stored record: its point id and its payload."""

    id: str
    payload: dict[str, Any]

    def decode(self, model: type[Model]) -> Model:
        """Return the record as `model`, leaving out what only the store needs."""
        fields = {name: self.payload[name] for name in model.model_fields if name in self.payload}
        if "id" in model.model_fields:
            fields.setdefault("id", self.id)
        return model.model_validate(fields)


class Table:
    """One kind of records. In a tenant collection every call needs an acting owner and conditions that name it."""

    def __init__(self, *, client: QdrantClient, collection: str, kind: str, sync: Callable[[], None]) -> None:
        self._client = client
        self._collection = collection
        self._kind = kind
        self._sync = sync
        self._locks = StripedLocks()

    def insert(self, point_id: str, payload: dict[str, Any], *, critical: bool = False) -> bool:
        """Write a record unless the id is taken; tell whether this call wrote it."""
        return self._write(point_id, payload, mode=models.UpdateMode.INSERT_ONLY, critical=critical)

    def insert_all(self, records: Mapping[str, dict[str, Any]]) -> None:
        """Write many records in one call, passing over those whose id is taken."""
        token = uuid4().hex
        points = [
            models.PointStruct(id=point_id, vector={}, payload={**payload, KIND: self._kind, WRITE_ID: token})
            for point_id, payload in records.items()
        ]
        self._client.upsert(self._collection, points=points, update_mode=models.UpdateMode.INSERT_ONLY)

    def put(
        self, point_id: str, payload: dict[str, Any], *conditions: models.Condition, critical: bool = False
    ) -> bool:
        """Write a record; over an existing one only where `conditions` hold. Tell whether it was written."""
        guard = all_of(equals(KIND, self._kind), *conditions)
        return self._write(point_id, payload, guard=guard, critical=critical)

    def replace(
        self, point_id: str, payload: dict[str, Any], *conditions: models.Condition, critical: bool = False
    ) -> bool:
        """Compare and set: write over an existing record only where `conditions` hold. Tell whether it was written."""
        guard = all_of(equals(KIND, self._kind), *conditions)
        return self._write(point_id, payload, mode=models.UpdateMode.UPDATE_ONLY, guard=guard, critical=critical)

    def patch(self, changes: dict[str, Any], *conditions: models.Condition, critical: bool = False) -> None:
        """Set some fields of every record that matches; none matching is no error."""
        self._client.set_payload(self._collection, payload=changes, points=self._where(conditions))
        if critical:
            self._sync()

    def delete(self, *conditions: models.Condition, critical: bool = False) -> None:
        """Delete every record that matches; none matching is no error."""
        selector = models.FilterSelector(filter=self._where(conditions))
        self._client.delete(self._collection, points_selector=selector)
        if critical:
            self._sync()

    def get(self, point_id: str, *conditions: models.Condition) -> Row | None:
        """Return one record, or None where it is missing, of another kind or against `conditions`."""
        rows = self.find(has_ids(point_id), *conditions, limit=1)
        return rows[0] if rows else None

    def find(self, *conditions: models.Condition, limit: int | None = None) -> list[Row]:
        """Return matching records in no order, all of them without a `limit`."""
        return list(islice(self.each(*conditions, page=min(PAGE, limit or PAGE)), limit))

    def each(
        self, *conditions: models.Condition, page: int = PAGE, fields: Sequence[str] | None = None
    ) -> Iterator[Row]:
        """Yield every matching record in no order, `page` at a time; no more of them is held.

        Without `fields` they come whole; with some, only these are read, and what else is sealed is not opened.
        """
        wanted: Any = True if fields is None else list(fields)
        offset: Any = None
        while True:
            records, offset = self._client.scroll(
                self._collection,
                scroll_filter=self._where(conditions),
                limit=page,
                offset=offset,
                with_payload=wanted,
            )
            yield from (Row(str(record.id), record.payload or {}) for record in records)
            if offset is None:
                return

    def newest(self, key: str, *conditions: models.Condition, limit: int, offset: int = 0) -> list[Row]:
        """Return matching records with the highest `key` first, a field with a range index."""
        order = models.OrderBy(key=key, direction=models.Direction.DESC)
        answer = self._client.query_points(
            self._collection,
            query=models.OrderByQuery(order_by=order),
            query_filter=self._where(conditions),
            limit=limit,
            offset=offset,
            with_payload=True,
        )
        return [Row(str(point.id), point.payload or {}) for point in answer.points]

    def count(self, *conditions: models.Condition) -> int:
        """Return how many records match, exactly."""
        return self._client.count(self._collection, count_filter=self._where(conditions), exact=True).count

    def tally(self, key: str, *conditions: models.Condition) -> dict[str, int]:
        """Return how many matching records have each value of an indexed field, exactly; at most 1,000 values."""
        where = self._where(conditions)
        found = self._client.facet(self._collection, key=key, facet_filter=where, limit=MAX_VALUES, exact=True)
        return {str(hit.value): hit.count for hit in found.hits}

    def _where(self, conditions: tuple[models.Condition, ...]) -> models.Filter:
        return all_of(equals(KIND, self._kind), *conditions)

    def _write(
        self,
        point_id: str,
        payload: dict[str, Any],
        *,
        critical: bool,
        mode: models.UpdateMode | None = None,
        guard: models.Filter | None = None,
    ) -> bool:
        token = uuid4().hex
        stored = {**payload, KIND: self._kind, WRITE_ID: token}
        point = models.PointStruct(id=point_id, vector={}, payload=stored)
        with self._locks.of(point_id):
            self._client.upsert(self._collection, points=[point], update_mode=mode, update_filter=guard)
            found = self._client.retrieve(self._collection, ids=[point_id], with_payload=[WRITE_ID])
        won = any((record.payload or {}).get(WRITE_ID) == token for record in found)
        if won and critical:
            self._sync()
        return won
