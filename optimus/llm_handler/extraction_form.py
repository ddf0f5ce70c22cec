"""The form of what the extraction agent answers, and what its entries become.

Every request pays for the form, so it says no more than a model needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from optimus.models import ChangeKind, MemoryType, Relation, Value

MAX_FINDINGS = 40
MAX_RELATIONS = 4
_PARTS = 3


class Finding(Value):
    """Something worth remembering, as the model sees it: to be checked, since a model can be misled."""

    source: int
    """Place of the message in the request, from 0."""
    text: str
    type: MemoryType
    entities: tuple[str, ...]
    relations: tuple[Relation, ...] = ()
    confidence: float
    importance: float
    language: str
    event_on: date | None
    instructs: bool
    decision: ChangeKind
    known: int | None
    """Place of the memory in the request, from 0."""


def lean(schema: dict[str, Any]) -> None:
    """Leave out of a schema what repeats the names of its fields."""
    schema.pop("description", None)
    for each in schema["properties"].values():
        each.pop("title", None)


class Entry(BaseModel):
    """One entry as it is sent; every field is required, which strict servers insist on."""

    model_config = ConfigDict(json_schema_extra=lean)

    source: int
    text: str = Field(min_length=1, max_length=1000)
    type: Literal["fact", "preference", "relationship", "note"]
    entities: list[str]
    relations: list[list[str]]
    confidence: float = Field(ge=0, le=1)
    importance: float = Field(ge=0, le=1)
    language: str
    event_date: str | None
    instructs_assistant: bool
    decision: Literal["add", "merge", "supersede", "skip"]
    known: int | None

    @model_validator(mode="before")
    @classmethod
    def _without_relations(cls, entry: Any) -> Any:
        """Let small models leave the relations out: the rest is worth having without them."""
        return {"relations": [], **entry} if isinstance(entry, dict) else entry


class Entries(BaseModel):
    """What is worth remembering."""

    model_config = ConfigDict(json_schema_extra=lean)

    memories: list[Entry] = Field(max_length=MAX_FINDINGS)


class Bounds(NamedTuple):
    """How many messages and memories there are to refer to."""

    messages: int
    known: int


def fault(entries: Sequence[Entry], bounds: Bounds) -> str | None:
    """Return what is wrong with the numbers that entries refer to."""
    for entry in entries:
        if not 1 <= entry.source <= bounds.messages:
            return f'There is no message {entry.source}: "source" is between 1 and {bounds.messages}.'
        if entry.known is not None and not 1 <= entry.known <= bounds.known:
            return f'There is no known entry {entry.known}: use null and "add" for what is new.'
        if entry.decision in {"merge", "supersede"} and entry.known is None:
            return f'"{entry.decision}" needs the number of a known entry.'
    return None


def finding(entry: Entry) -> Finding:
    """Return an entry as a finding, with places from 0."""
    return Finding(
        source=entry.source - 1,
        text=entry.text,
        type=MemoryType(entry.type),
        entities=tuple(entry.entities),
        relations=tuple(_relations(entry.relations)),
        confidence=entry.confidence,
        importance=entry.importance,
        language=entry.language,
        event_on=_day(entry.event_date),
        instructs=entry.instructs_assistant,
        decision=ChangeKind(entry.decision),
        known=None if entry.known is None else entry.known - 1,
    )


def _relations(stated: Sequence[Sequence[str]]) -> Iterator[Relation]:
    """Yield the relations that have all three parts, and are no longer than a relation may be."""
    for parts in stated[:MAX_RELATIONS]:
        texts = [" ".join(part.split())[:100] for part in parts]
        if len(texts) == _PARTS and all(texts):
            yield Relation(subject=texts[0], predicate=texts[1], object=texts[2])


def _day(text: str | None) -> date | None:
    """Return a day; None where none is given, or only a month or year."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
