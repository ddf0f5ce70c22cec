"""Whom and what a memory names, and what it states of them, by the wording alone.

What a memory states is read from its text whenever it is needed, so that it can never disagree with the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from optimus.memory_manager.rules import lexicon
from optimus.memory_manager.rules.people import Person, people_in
from optimus.memory_manager.rules.rule import compiled, thing_key
from optimus.memory_manager.rules.wording import entities
from optimus.models import Relation
from optimus.storage.graph import EntityType

USER = "I"
MAX_NAMES = 12
"""Names of one memory: what names more is a list, and lists relate everything to everything."""
_THING_WORDS = 3
_FIRST_CHARS = 400
"""So much of a text is read for statements; names are looked for in all of it."""
_KINDS = {
    EntityType.PLACE: (
        r"lives? (?:in|near)|(?:have |has )?(?:moved|relocated) (?:back )?to|(?:am|is|are|'m|'s|'re) (?:originally )?"
        r"(?:from|based in|living in)|comes? from|(?:was|were) (?:born|raised) in|grew up in"
    ),
    EntityType.ORGANISATION: r"works? (?:at|for|with)|stud(?:y|ies) at|teach(?:es)? at|goes? to|runs?",
    EntityType.THING: (
        r"works? as|likes?|loves?|enjoys?|adores?|hates?|dislikes?|can't stand|prefers?|(?:am|is|are|'m|'s|'re) "
        r"(?:severely |mildly )?allergic to|speaks?|plays?|stud(?:y|ies)|drives?|owns?|collects?|"
        r"(?:am|is|are|'m|'s|'re) (?:learning|studying|training for)"
    ),
}
_NAME = r"(?P<who>(?-i:[A-ZÀ-ÖØ-Þ])[\w-]+(?: (?-i:[A-ZÀ-ÖØ-Þ])[\w-]+)?)"
_STATED = tuple(
    (
        kind,
        rf"(?:(?P<me>I|We)|@PERSON|{_NAME})(?: (?=\w)|(?='))@ADV(?P<predicate>{verbs}) (?P<object>\S.*)",
    )
    for kind, verbs in _KINDS.items()
)
_TAIL = re.compile(
    r"(?:[,;:.!(–—]| (?:and|but|because|since|until|till|with|when|where|which|who|so|at|as|on|for|in|from|near|last|"
    r"next|this) ).*$"
    r"|(?: (?:now|today|these days|at the moment|currently|very much|a lot|too|any ?more))+$",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:an?|the|some|any|to) ", re.IGNORECASE)
_FULL = {"'m": "am", "'s": "is", "'re": "are"}
_SHORT = re.compile("^'(?:m|s|re)")
_MINE = re.compile(r"(?:my|our) (?P<relation>.+)", re.IGNORECASE)
_SMALL = re.compile(r"(?:this|that|it|them|him|her|you|me|everything|nothing|something|one|\d+)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Somebody or something that a text names."""

    name: str
    """As it is written; `my sister` where no name is given."""
    type: EntityType = EntityType.THING
    aliases: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    named: dict[str, Named] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)

    def name(self, name: str, kind: EntityType, aliases: tuple[str, ...] = ()) -> None:
        known = self.named.get(name.casefold())
        if known is None or (known.type is EntityType.THING and kind is not EntityType.THING):
            self.named[name.casefold()] = Named(name=name, type=kind, aliases=known.aliases if known else aliases)

    def state(self, subject: str, predicate: str, what: str) -> None:
        relation = Relation(subject=subject[:200], predicate=predicate[:100], object=what[:200])
        if relation not in self.relations:
            self.relations.append(relation)


def read_graph(
    text: str, *, names: Iterable[str] = (), stated: Iterable[Relation] = ()
) -> tuple[tuple[Named, ...], tuple[Relation, ...]]:
    """Return what a memory names, each once, and what it states.

    Args:
        text: The memory's text.
        names: Names that are known to stand in it.
        stated: What a model read in it; that counts beside what the rules read.
    """
    reading = _Reading()
    _read_people(text[:_FIRST_CHARS], reading)
    _read_statement(text[:_FIRST_CHARS], reading)
    for relation in stated:
        reading.state(relation.subject, relation.predicate, relation.object)
        for end in (relation.subject, relation.object):
            if len(end.split()) <= _THING_WORDS + 1 and end.casefold() not in {"i", "me", "user", "we"}:
                reading.name(end, _kind_of(relation.predicate) if end == relation.object else EntityType.PERSON)
    for name in (*names, *entities(text)):
        if not any(name.casefold() in known or known in name.casefold().split() for known in reading.named):
            reading.name(name, EntityType.THING)
    return tuple(reading.named.values())[:MAX_NAMES], tuple(reading.relations)


def alias_form(name: str) -> str | None:
    """Return what `my sister` and `our mum` are compared by; None for what is no relation of the user's."""
    match = _MINE.fullmatch(name.strip())
    return lexicon.person_key(match["relation"], None) or match["relation"].lower() if match else None


def _read_people(text: str, reading: _Reading) -> None:
    for person in people_in(text):
        kind = EntityType.ANIMAL if _is_animal(person) else EntityType.PERSON
        if person.name:
            reading.name(person.name, kind, tuple(_aliases(person)))
            reading.state(USER, _have(person), person.name)
        elif lexicon.person_key(person.relation, None):
            reading.name(f"my {person.relation}", kind)


def _have(person: Person) -> str:
    return f"have a {person.relation}" if person.relation[0] not in "aeiou" else f"have an {person.relation}"


def _aliases(person: Person) -> Iterator[str]:
    if lexicon.person_key(person.relation, None):
        yield f"my {person.relation}"
    if person.head != person.relation and lexicon.person_key(person.head, None):
        yield f"my {person.head}"


def _is_animal(person: Person) -> bool:
    return (lexicon.person_key(person.relation, "x") or "").startswith("pet.")


def _read_statement(text: str, reading: _Reading) -> None:
    for kind, pattern in _STATED:
        match = compiled(pattern).fullmatch(text.strip())
        what = _ARTICLE.sub("", _TAIL.sub("", match["object"])).strip(" .!\"'") if match else ""
        if match is None or not what or _SMALL.match(what):
            continue
        if match["who"] and not lexicon.is_own_name(match["who"]):
            continue
        if match["who"]:
            reading.name(match["who"], EntityType.PERSON)
        reading.state(_subject(match), _SHORT.sub(lambda short: _FULL[short[0]], match["predicate"]), what)
        if kind is not EntityType.THING:
            reading.name(what, kind) if what[0].isupper() else None
        elif len(what.split()) <= _THING_WORDS and not any(name in what.casefold() for name in reading.named):
            reading.name(thing_key(what), kind)
        return


def _subject(match: re.Match[str]) -> str:
    if match["me"]:
        return USER
    return match["who"] or match["name"] or f"my {match['rel'].lower()}"


def _kind_of(predicate: str) -> EntityType:
    for kind, verbs in _KINDS.items():
        if re.search(rf"\b(?:{verbs})$", predicate, re.IGNORECASE):
            return kind
    return EntityType.THING
