"""Who is meant by which name: `Maria`, `Maria Silva` and `my sister` are one as long as nobody else can be meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from optimus.memory_manager.rules.relations import alias_form
from optimus.memory_manager.searching import folded
from optimus.models import UserId, stable_id
from optimus.storage.graph import Entity, EntityType, Mention


def name_key(owner: UserId, name: str) -> str:
    """Return what a name is found by: the same for the same owner and name, and of no other use."""
    alias = alias_form(name)
    return stable_id("entity", owner, f"~{alias}" if alias else folded(name).strip())


def known_as(owner: UserId, entity: Entity) -> frozenset[str]:
    """Return the keys of all names that an entity is found by."""
    keys = {entity.key, *(name_key(owner, alias) for alias in entity.aliases)}
    return frozenset(keys | {name_key(owner, short) for short in _short(entity)})


def keys_of(owner: UserId, mentions: Iterable[Mention], *, about: Collection[str]) -> set[str]:
    """Return all keys of the entities that are found by one of `about`."""
    found: set[str] = set()
    for mention in mentions:
        for entity in mention.entities:
            keys = known_as(owner, entity)
            if not keys.isdisjoint(about):
                found |= keys
    return found


class Namesakes:
    """Tells which names mean the same, by what some memories say that are true together."""

    def __init__(self, owner: UserId, mentions: Iterable[Mention]) -> None:
        self._owner = owner
        entities = [entity for mention in mentions for entity in mention.entities]
        named = [entity for entity in entities if not alias_form(entity.name)]
        self._by_key = {entity.key: entity for entity in sorted(entities, key=lambda each: len(each.aliases))}
        full: dict[str, set[str]] = {}
        for entity in named:
            for short in _short(entity):
                full.setdefault(name_key(owner, short), set()).add(entity.key)
        self._means: dict[str, str] = {short: keys.pop() for short, keys in full.items() if len(keys) == 1}
        called: dict[str, set[str]] = {}
        for entity in named:
            for alias in entity.aliases:
                called.setdefault(name_key(owner, alias), set()).add(self._means.get(entity.key, entity.key))
        self._means |= {alias: keys.pop() for alias, keys in called.items() if len(keys) == 1}
        self._aliases = _aliases(named, self._means)

    def same(self, name: str) -> tuple[frozenset[str], Entity]:
        """Return all keys that mean the same as a name, and whom or what they mean."""
        key = name_key(self._owner, name)
        real = self._means.get(key, key)
        keys = {real, *(other for other, meant in self._means.items() if meant == real)}
        entity = self._by_key.get(real) or Entity(key=real, name=name.strip())
        known = dict.fromkeys((*self._aliases.get(real, ()), *self._names(keys - {real})))
        return frozenset(keys), entity.model_copy(update={"aliases": tuple(each for each in known if each)})

    def _names(self, keys: Iterable[str]) -> Iterator[str]:
        return (self._by_key[key].name for key in sorted(keys) if key in self._by_key)


def _aliases(named: Iterable[Entity], means: Mapping[str, str]) -> dict[str, dict[str, None]]:
    found: dict[str, dict[str, None]] = {}
    for entity in named:
        found.setdefault(means.get(entity.key, entity.key), {}).update(dict.fromkeys(entity.aliases))
    return found


def _short(entity: Entity) -> tuple[str, ...]:
    """Return what somebody with several names is called for short."""
    words = entity.name.split()
    is_somebody = entity.type in (EntityType.PERSON, EntityType.ANIMAL) and not alias_form(entity.name)
    return (words[0],) if is_somebody and len(words) > 1 else ()
