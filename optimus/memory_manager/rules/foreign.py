"""What it takes to read the commonest statements of a language other than English."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from optimus.models import MemoryType

Row = tuple[str, MemoryType, str | None, float]
"""A pattern (with ` => ` and what it negates), the type, the slot, the importance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form of statement. `self` catches the writer's name, `value` a thing, `rel` and `name` a person."""

    pattern: str
    """See `compiled`: that takes long, so it waits until a first clause is read."""
    type: MemoryType
    slot: str | None
    importance: float
    negates: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """What it takes to read one language."""

    code: str
    opener: re.Pattern[str]
    closer: re.Pattern[str]
    joint: re.Pattern[str]
    starts: re.Pattern[str]
    """How a clause of its own begins."""
    bare_verb: re.Pattern[str]
    """A verb that goes on with the writer as subject."""
    subject: str
    remember: re.Pattern[str]
    no_object: re.Pattern[str]
    people: dict[str, str]
    forms: tuple[Form, ...]
    finite: re.Pattern[str] = re.compile(r"(?!)")
    """Verbs that stand last in a subordinate clause."""
    note: MemoryType = MemoryType.NOTE


@cache
def compiled(text: str) -> re.Pattern[str]:
    """Compile a pattern that takes no notice of letter case."""
    return re.compile(text, re.IGNORECASE)


def people_of(table: str) -> dict[str, str]:
    """Read `word=key word=key`; `*` stands for a partner, `^` for a pet."""
    people: dict[str, str] = {}
    for entry in table.split():
        word, key = entry.split("=")
        people[word] = "partner" if key == "*" else f"pet.{key[1:]}" if key[0] == "^" else f"relative.{key}"
    return people


def forms_of(people: dict[str, str], rows: tuple[Row, ...]) -> tuple[Form, ...]:
    """Read a table; `<rel>` is a person, `<name>` their name if it is said, `<any>` somebody uncaught."""
    words = "|".join(sorted(people, key=len, reverse=True))
    name = r"(?-i:[A-ZÀ-ÖØ-Þ])[\w-]+"
    forms = []
    for pattern, kind, slot, importance in rows:
        said, _, negates = pattern.partition(" => ")
        filled = said.replace("<rel>", f"(?P<rel>{words})").replace("<any>", f"(?:{words})(?:s|e|n|en)?")
        filled = filled.replace("<name>", rf"(?: (?P<name>{name}))?")
        forms.append(Form(pattern=filled, type=kind, slot=slot, importance=importance, negates=negates or None))
    return tuple(forms)
