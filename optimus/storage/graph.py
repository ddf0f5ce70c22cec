"""The graph in the `relations` collection: what each memory names and states, and the people and things themselves.

A memory has one record under its own id, so that it is written, withdrawn and brought back as one. Names are sealed;
a record is found by hashes of them, which are of use to nobody but their owner.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from qdrant_client import QdrantClient, models

from optimus.models import MemoryId, MemoryStatus, Relation, UserId, Value
from optimus.storage.filters import OWNER_FIELD, all_of, equals, has_ids, one_of, owned_by
from optimus.storage.table import KIND, PAGE, VERSION
from optimus.storage.tenancy import acting_as

KEYS = "keys"
MENTION, ENTITY = "mention", "entity"
WRITES = 200
"""Records written in one call."""
MOST_ENTITIES = 1_000


class EntityType(StrEnum):
    """What kind of thing a name is of."""

    PERSON = "person"
    ANIMAL = "animal"
    PLACE = "place"
    ORGANISATION = "organisation"
    THING = "thing"


class Entity(Value):
    """Somebody or something that memories name."""

    key: str
    """A hash of the name; the same for the same owner and name."""
    name: str
    type: EntityType = EntityType.THING
    aliases: tuple[str, ...] = ()
    """What else they are called (`my sister`)."""


class Mention(Value):
    """What one memory names and states."""

    memory_id: MemoryId
    version: int
    """Of the memory."""
    status: MemoryStatus
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    keys: tuple[str, ...] = ()
    """Hashes of all names and aliases, by which it is found."""
    valid_from: datetime
    valid_to: datetime | None = None


class GraphRepository:
    """Mentions and entities; every method takes the owner, and what is another's looks missing."""

    def __init__(self, *, client: QdrantClient, collection: str) -> None:
        self._client = client
        self._collection = collection

    def put(self, owner: UserId, mentions: Sequence[Mention]) -> None:
        """Write what memories name, over what was there, and the entities that they are the first to name."""
        entities = self._told_best(owner, (entity for mention in mentions for entity in mention.entities))
        rows = [(str(mention.memory_id), _mention_payload(mention)) for mention in mentions]
        rows += [(key, _entity_payload(entity)) for key, entity in entities.items()]
        with acting_as(owner):
            for start in range(0, len(rows), WRITES):
                points = [
                    models.PointStruct(id=point_id, vector={}, payload={**payload, OWNER_FIELD: owner})
                    for point_id, payload in rows[start : start + WRITES]
                ]
                self._client.upsert(self._collection, points=points)

    def _told_best(self, owner: UserId, entities: Iterable[Entity]) -> dict[str, Entity]:
        """Return each entity once; of what kind it is, one memory tells and another may not."""
        new: dict[str, Entity] = {}
        for entity in entities:
            if entity.key not in new or new[entity.key].type is EntityType.THING:
                new[entity.key] = entity
        vague = [key for key, entity in new.items() if entity.type is EntityType.THING]
        for start in range(0, len(vague), WRITES):
            known = {entity.key: entity for entity in self.entities(owner, vague[start : start + WRITES])}
            new |= {key: entity for key, entity in known.items() if entity.type is not EntityType.THING}
        return new

    def withdraw(self, owner: UserId, ids: Collection[MemoryId]) -> None:
        """Delete what memories name, and the entities that nothing names any more."""
        wanted = sorted(ids)
        for start in range(0, len(wanted), WRITES):
            some = wanted[start : start + WRITES]
            keys = {entity.key for mention in self.get(owner, some) for entity in mention.entities}
            self._delete(owner, some)
            self.drop_unnamed(owner, keys)

    def drop_unnamed(self, owner: UserId, keys: Collection[str]) -> None:
        """Delete those of the entities that nothing names any more."""
        named = {key for mention in self.naming(owner, keys) for key in mention.keys} if keys else set()
        if gone := sorted(set(keys) - named):
            self._delete(owner, gone)

    def get(self, owner: UserId, ids: Collection[MemoryId]) -> list[Mention]:
        """Return what those of the memories name that are in the graph, in no order."""
        return list(self._mentions(owner, has_ids(*ids))) if ids else []

    def naming(self, owner: UserId, keys: Collection[str], *, limit: int | None = None) -> list[Mention]:
        """Return what the memories name that name one of `keys`, in no order."""
        return list(islice(self._mentions(owner, one_of(KEYS, keys)), limit))

    def versions(self, owner: UserId) -> dict[MemoryId, int]:
        """Return which version of each memory the graph holds."""
        fields = [OWNER_FIELD, VERSION]
        records = self._records(owner, equals(KIND, MENTION), payload=fields)
        return {MemoryId(str(record.id)): (record.payload or {}).get(VERSION, 0) for record in records}

    def tally(self, owner: UserId) -> dict[str, int]:
        """Return how many true memories name each key, at most `MOST_ENTITIES` of them."""
        where = all_of(owned_by(owner), equals(KIND, MENTION), equals("status", MemoryStatus.ACTIVE))
        with acting_as(owner):
            found = self._client.facet(self._collection, key=KEYS, facet_filter=where, limit=MOST_ENTITIES, exact=True)
        return {str(hit.value): hit.count for hit in found.hits}

    def entities(self, owner: UserId, keys: Collection[str]) -> list[Entity]:
        """Return those of the entities that exist, in no order; their aliases stand with what names them."""
        if not keys:
            return []
        records = self._records(owner, equals(KIND, ENTITY), has_ids(*keys), payload=True)
        return [_entity(str(record.id), record.payload or {}) for record in records]

    def _mentions(self, owner: UserId, condition: models.Condition) -> Iterator[Mention]:
        return map(_mention, self._records(owner, equals(KIND, MENTION), condition, payload=True))

    def _records(self, owner: UserId, *conditions: models.Condition, payload: Any) -> Iterator[models.Record]:
        where, offset = all_of(owned_by(owner), *conditions), None
        while True:
            with acting_as(owner):
                records, offset = self._client.scroll(
                    self._collection, scroll_filter=where, limit=PAGE, offset=offset, with_payload=payload
                )
            yield from records
            if offset is None:
                return

    def _delete(self, owner: UserId, ids: Sequence[str]) -> None:
        where = all_of(owned_by(owner), has_ids(*ids))
        with acting_as(owner):
            self._client.delete(self._collection, points_selector=models.FilterSelector(filter=where))


def _mention_payload(mention: Mention) -> dict[str, Any]:
    fields = mention.model_dump(mode="json", exclude={"memory_id"})
    return {KIND: MENTION, **fields}


def _entity_payload(entity: Entity) -> dict[str, Any]:
    return {KIND: ENTITY, "type": entity.type.value, "name": entity.name}


def _mention(record: models.Record) -> Mention:
    payload = record.payload or {}
    fields = {name: payload[name] for name in Mention.model_fields if name in payload}
    return Mention.model_validate({**fields, "memory_id": MemoryId(str(record.id))})


def _entity(key: str, payload: dict[str, Any]) -> Entity:
    return Entity(key=key, name=payload["name"], type=EntityType(payload["type"]))
