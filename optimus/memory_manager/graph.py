"""People and things, and how memories hang together by them.

The graph is made from the memories and follows them: it is brought up to date before it is read, so that remembering
and recalling never wait for it. What a memory names goes with the memory when that is deleted, replaced or undone, and
comes back with it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from optimus.memory_manager import bulk
from optimus.memory_manager.kinship import Namesakes, keys_of, known_as, name_key
from optimus.memory_manager.rules.relations import USER, alias_form, read_graph
from optimus.memory_manager.shelf import DERIVED_TYPES, Shelf, is_active
from optimus.models import Memory, MemoryId, MemoryStatus, Relation, UserId
from optimus.storage.graph import Entity, EntityType, GraphRepository, Mention
from optimus.storage.records import MemoryFilter
from optimus.storage.survey import MemorySurvey
from optimus.storage.table import StripedLocks

MOST_LISTED = 60
MOST_MEMORIES = 50
_READ = 500
"""Records read for one name: whatever more memories name says little of each."""
_ENDS = 6
_SECOND_HAND = 0.3
"""What a memory counts that is about somebody whom only a related memory names."""
_MOST_STALE = 5_000
_MOST_OWNERS = 256
_KEPT = frozenset({MemoryStatus.ACTIVE, MemoryStatus.SUPERSEDED})
_EVERY = MemoryFilter(types=DERIVED_TYPES, statuses=_KEPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A memory that hangs together with another one, and by which names."""

    memory: Memory
    through: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedRelation:
    """A relation, and the memory that states it; a former one has an end."""

    relation: Relation
    memory_id: MemoryId
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """Somebody or something with what is known around them."""

    entity: Entity
    relations: tuple[StatedRelation, ...]
    """Each once; what is true comes first, then the newest."""
    memories: tuple[Memory, ...]
    """The newest first, at most `MOST_MEMORIES`."""
    neighbours: tuple[str, ...]
    """Who and what is named together with them most often."""


class MemoryGraph:
    """One owner's graph at a time; what is another's looks missing. Every method may raise `StoreError`."""

    def __init__(self, *, shelf: Shelf, survey: MemorySurvey, repository: GraphRepository) -> None:
        self._shelf = shelf
        self._survey = survey
        self._repository = repository
        self._stale: dict[UserId, set[MemoryId]] = {}
        """What was written since, of owners whose graph was whole then."""
        self._lock = Lock()
        self._bringing_up = StripedLocks()
        shelf.index.watch(self._touch)

    def related(self, owner: UserId, memory_id: MemoryId, *, limit: int = 8) -> tuple[Related, ...]:
        """Return the true memories that hang together with one by what they name, the closest first.

        What few memories name counts more than what many do; what is named only by way of another memory counts less.

        Raises:
            NotFoundError: the memory is missing or not the owner's.
        """
        self._shelf.get(owner, memory_id)
        self.bring_up(owner)
        scores: dict[MemoryId, float] = {}
        through: dict[MemoryId, dict[str, None]] = {}
        own = next(iter(self._repository.get(owner, [memory_id])), None)
        first = [self._who(owner, entity.name) for entity in own.entities[:_ENDS]] if own else []
        second = [self._who(owner, name) for name in _second(first, memory_id)]
        near = {mention.memory_id for who in first for mention in who.mentions}
        for share, who in (*((1.0, who) for who in first), *((_SECOND_HAND, who) for who in second)):
            weight = share / math.log2(2 + len(who.mentions))
            for mention in who.mentions:
                if share < 1 and mention.memory_id in near:
                    continue
                scores[mention.memory_id] = scores.get(mention.memory_id, 0) + weight
                through.setdefault(mention.memory_id, {})[who.entity.name] = None
        scores.pop(memory_id, None)
        best = sorted(scores, key=lambda key: (-scores[key], key))[: 2 * limit]
        found = [memory for memory in self._shelf.index.get(owner, best) if is_active(memory)][:limit]
        return tuple(Related(memory=memory, through=tuple(through[memory.id])) for memory in found)

    def neighbourhood(self, owner: UserId, name: str) -> Neighbourhood | None:
        """Return what is known of somebody or something, under any of their names; None where nothing is."""
        self.bring_up(owner)
        who = self._who(owner, name, once=True)
        newest = sorted(who.mentions, key=lambda each: (each.valid_from, each.memory_id), reverse=True)
        true_now = [mention.memory_id for mention in newest if mention.status is MemoryStatus.ACTIVE]
        memories = [memory for memory in self._shelf.index.get(owner, true_now[:MOST_MEMORIES]) if is_active(memory)]
        relations = [
            StatedRelation(
                relation=relation, memory_id=mention.memory_id, since=mention.valid_from, until=mention.valid_to
            )
            for mention in newest
            for relation in mention.relations
            if who.is_meant(relation.subject) or who.is_meant(relation.object)
        ]
        if not memories and not relations:
            return None
        return Neighbourhood(
            entity=who.entity,
            relations=tuple(_each_once(sorted(relations, key=lambda stated: stated.until is not None))),
            memories=tuple(memories),
            neighbours=who.neighbours,
        )

    def entities(self, owner: UserId, *, limit: int = MOST_LISTED) -> tuple[tuple[Entity, int], ...]:
        """Return whom and what most true memories name, with how many do, people and animals first.

        A relation without a name (`my sister`) is left out where it can only mean somebody who is listed.
        """
        self.bring_up(owner)
        counts = self._repository.tally(owner)
        found = self._repository.entities(owner, sorted(counts, key=lambda key: -counts[key])[: 2 * limit])
        listed = [e for e in found if not alias_form(e.name) or self._who(owner, e.name).entity.key == e.key]
        is_thing = {EntityType.PERSON: 0, EntityType.ANIMAL: 0}
        listed.sort(key=lambda each: (is_thing.get(each.type, 1), -counts[each.key], each.name))
        return tuple((each, counts[each.key]) for each in listed[:limit])

    def memory_ids(self, owner: UserId, name: str) -> frozenset[MemoryId]:
        """Return the memories, true or replaced, that name somebody or something under any of their names."""
        self.bring_up(owner)
        return frozenset(mention.memory_id for mention in self._who(owner, name, once=True).mentions)

    def bring_up(self, owner: UserId) -> int:
        """Bring the graph up to date with the memories; return how many memories were read for it."""
        with self._bringing_up.of(owner):
            with self._lock:
                stale = self._stale.pop(owner, None)
                self._stale[owner] = set()
                while len(self._stale) > _MOST_OWNERS:
                    del self._stale[next(iter(self._stale))]
            try:
                wanted = self._differing(owner) if stale is None else stale
                for some in bulk.in_batches(sorted(wanted)):
                    self._read(owner, some)
            except Exception:
                self.let_go(owner)
                raise
            return len(wanted)

    def let_go(self, owner: UserId) -> None:
        """Drop what is held of an owner outside the store."""
        with self._lock:
            self._stale.pop(owner, None)

    def _touch(self, owner: UserId, ids: Sequence[MemoryId]) -> None:
        with self._lock:
            if owner in self._stale:
                self._stale[owner].update(ids)
                if len(self._stale[owner]) > _MOST_STALE:
                    del self._stale[owner]

    def _differing(self, owner: UserId) -> set[MemoryId]:
        """Return the memories that the graph holds in another version than the store, not yet, or no longer."""
        held = self._repository.versions(owner)
        there = {row.id: row.version for row in self._survey.rows(owner, _EVERY)}
        return {key for key in held.keys() | there.keys() if held.get(key) != there.get(key)}

    def _read(self, owner: UserId, ids: Sequence[MemoryId]) -> None:
        found = self._shelf.index.get(owner, ids)
        mentions = {m.id: mention_of(m) for m in found if m.status in _KEPT and m.type in DERIVED_TYPES}
        before = {entity.key for mention in self._repository.get(owner, ids) for entity in mention.entities}
        self._repository.put(owner, list(mentions.values()))
        self._repository.withdraw(owner, set(ids) - mentions.keys())
        self._repository.drop_unnamed(owner, before - {e.key for each in mentions.values() for e in each.entities})

    def _who(self, owner: UserId, name: str, *, once: bool = False) -> _Who:
        """Return whom a name means, with the memories that name them; `once` counts replaced memories, too."""
        key = name_key(owner, name)
        mentions: dict[MemoryId, Mention] = {}
        wanted, seen = {key}, set[str]()
        for _ in range(2):
            found = (
                self._repository.naming(owner, wanted - seen, limit=None if once else _READ) if wanted - seen else []
            )
            mentions |= {mention.memory_id: mention for mention in found}
            seen |= wanted
            wanted = keys_of(owner, mentions.values(), about=wanted)
        true_now = [mention for mention in mentions.values() if mention.status is MemoryStatus.ACTIVE]
        namesakes = Namesakes(owner, true_now)
        return _Who(owner, name, namesakes, mentions.values() if once else true_now)


class _Who:
    """Somebody or something under all their names, with the memories that name them."""

    def __init__(self, owner: UserId, name: str, namesakes: Namesakes, mentions: Iterable[Mention]) -> None:
        self._owner = owner
        self.keys, self.entity = namesakes.same(name)
        self.mentions = [each for each in mentions if any(entity.key in self.keys for entity in each.entities)]

    def is_meant(self, name: str) -> bool:
        """Tell whether a name in a relation is one of theirs."""
        return name != USER and name_key(self._owner, name) in self.keys

    @property
    def neighbours(self) -> tuple[str, ...]:
        """Who and what is named beside them most often."""
        counts: dict[str, int] = {}
        for mention in self.mentions:
            for entity in mention.entities:
                if entity.key not in self.keys:
                    counts[entity.name] = counts.get(entity.name, 0) + 1
        return tuple(sorted(counts, key=lambda name: (-counts[name], name))[: 2 * _ENDS])


def mention_of(memory: Memory) -> Mention:
    """Return what a memory names and states."""
    named, relations = read_graph(memory.text, names=memory.entities, stated=memory.relations)
    owner = memory.user_id
    entities = tuple(
        Entity(key=name_key(owner, each.name), name=each.name, type=each.type, aliases=each.aliases) for each in named
    )
    return Mention(
        memory_id=memory.id,
        version=memory.version,
        status=memory.status,
        entities=entities,
        relations=relations,
        keys=tuple(sorted({key for entity in entities for key in known_as(owner, entity)})),
        valid_from=memory.valid_from,
        valid_to=memory.valid_to,
    )


def _each_once(stated: Iterable[StatedRelation]) -> Iterable[StatedRelation]:
    """Return the first of those that state the same."""
    found: dict[tuple[str, str, str], StatedRelation] = {}
    for each in stated:
        parts = each.relation
        found.setdefault((parts.subject.casefold(), parts.predicate.casefold(), parts.object.casefold()), each)
    return found.values()


def _second(first: Collection[_Who], memory_id: MemoryId) -> list[str]:
    """Return who and what stands at the other end of a relation with somebody, in another memory."""
    ends: dict[str, None] = {}
    for who in first:
        for mention in who.mentions:
            for relation in mention.relations if mention.memory_id != memory_id else ():
                if who.is_meant(relation.subject) and relation.object != USER:
                    ends[relation.object] = None
                elif who.is_meant(relation.object) and relation.subject != USER:
                    ends[relation.subject] = None
    return [name for name in list(ends)[:_ENDS] if not any(who.is_meant(name) for who in first)]
