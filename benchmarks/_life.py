"""A life: what somebody writes to an assistant over months, what a model finds in it, and what is true after each.

The form is described in `docs/hygiene.md`. Facts carry the wordings by which a memory is taken to say them, so that
whatever holds memories is measured by the same rule.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

DENIED, EITHER = "!", "~"
_DENYING = re.compile(
    r"\b(?:not|never|none|nothing|neither|nor|without|hardly|cannot|[a-z]+n t|used to|formerly|former|ex"
    r"|nicht|nie|niemals|kein|keine[mnrs]?|nichts|ohne|weder|fruher|ehemals"
    r"|nao|nunca|nem|sem|jamais|antigamente|costumava|pas|sans|ni|sin|non|mai|senza)\b"
    r"|^no\b|^(?=.*\b(?:i|my|we|our|is|am|are|has|have|had|the|there|he|she|they|it|mi|yo|el|los|las|ya|y)\b).*\bno\b"
)
"""Words that deny what a clause says, or say that it is over; accents are folded before.

In Portuguese `no` is `in the`, so it denies at the beginning and beside words of English or Spanish only.
"""
_CLAUSE = re.compile(r"[;!?()\n–—]+|[,:.](?!\d)|\b(?:but|aber|sondern|mas|pero|mais)\b")
_ASKING = ("?", "？")


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(_Form):
    """Something that may be true of the writer."""

    says: tuple[str, ...] = Field(min_length=1)
    need: Literal["must", "may", "never"] = "must"
    """Whether it must be held while it is true, may be, or must never be there."""

    @field_validator("says")
    @classmethod
    def _readable(cls, says: tuple[str, ...]) -> tuple[str, ...]:
        for wording in says:
            _Wording.read(wording)
        return says


class Finding(_Form):
    """What the scripted model finds in a message; `of` is the fact that it takes it for, where it is known."""

    text: str = Field(min_length=1)
    type: Literal["fact", "preference", "relationship", "note"] = "fact"
    decision: Literal["add", "merge", "supersede", "skip"] = "add"
    of: str | None = None
    confidence: float = Field(default=0.9, ge=0, le=1)
    instructs: bool = False


class Said(_Form):
    """One message, with what the assistant answers and what is true after it."""

    at: AwareDatetime
    zone: str
    chat: str
    text: str = Field(min_length=1)
    reply: str = "All right."
    language: str = "en"
    findings: tuple[Finding, ...] = ()
    gains: tuple[str, ...] = ()
    """Facts that are true from here on."""
    ends: tuple[str, ...] = ()
    """Facts that are true no more."""

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, OSError) as exc:
            raise ValueError(f"{zone} is no time zone") from exc
        return zone


class Life(_Form):
    """A whole life; `facts` by keys like `home.lisbon`, where what stands before the last dot is the question."""

    about: str
    facts: dict[str, Fact]
    messages: tuple[Said, ...] = Field(min_length=1)

    @cached_property
    def _wordings(self) -> Mapping[str, Sequence[_Wording]]:
        return {key: [_Wording.read(each) for each in fact.says] for key, fact in self.facts.items()}

    def said_by(self, text: str) -> frozenset[str]:
        """Return the facts that a memory says, true or not; a question says none."""
        return self._fitting(text, as_denied=False)

    def denied_by(self, text: str) -> frozenset[str]:
        """Return the facts that a memory denies, and says in no other words."""
        return self._fitting(text, as_denied=True) - self.said_by(text)

    def _fitting(self, text: str, *, as_denied: bool) -> frozenset[str]:
        if text.rstrip(" )\"'").endswith(_ASKING):
            return frozenset()
        clauses = [_folded(clause) for clause in _CLAUSE.split(text.casefold())]
        return frozenset(
            key
            for key, wordings in self._wordings.items()
            if any(each.fits(clauses, as_denied=as_denied) for each in wordings)
        )


@dataclass(frozen=True, slots=True)
class _Wording:
    """One way to say a fact: groups of words that all stand in a text, and some that must not."""

    wanted: tuple[re.Pattern[str], ...]
    unwanted: tuple[re.Pattern[str], ...]
    denied: bool | None
    """Whether the clause of the last group denies it; None where that does not matter."""

    @classmethod
    def read(cls, wording: str) -> _Wording:
        """Read a wording such as `!like*|love, green tea, -sister`.

        Raises:
            ValueError: it names no words.
        """
        denied = {DENIED: True, EITHER: None}.get(wording[:1], False)
        groups = [group.strip() for group in wording.lstrip(DENIED + EITHER).split(",")]
        wanted = tuple(_words(group) for group in groups if not group.startswith("-"))
        unwanted = tuple(_words(group[1:]) for group in groups if group.startswith("-"))
        if not wanted:
            raise ValueError(f"the wording {wording!r} names nothing")
        return cls(wanted, unwanted, denied)

    def fits(self, clauses: Sequence[str], *, as_denied: bool) -> bool:
        """Tell whether a text of these clauses says it, or with `as_denied` the contrary."""
        whole = " | ".join(clauses)
        if any(each.search(whole) for each in self.unwanted) or not all(each.search(whole) for each in self.wanted):
            return False
        if self.denied is None:
            return not as_denied
        own = [clause for clause in clauses if self.wanted[-1].search(clause)]
        return any((_DENYING.search(clause) is not None) is (self.denied != as_denied) for clause in own)


def load(path: Path) -> Life:
    """Read a life.

    Raises:
        ValueError: it is not of the form, or contradicts itself; the sentence says where.
    """
    try:
        life = Life.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as exc:
        raise ValueError(f"{path.name} is no JSON: {exc}") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path.name} is not of a life's form: {place}: {first['msg']}") from exc
    check(life, path.name)
    return life


def check(life: Life, name: str) -> None:
    """Refuse a life that contradicts itself.

    Raises:
        ValueError: a message goes back in time, or speaks of a fact in a way that cannot be.
    """
    true: set[str] = set()
    last = life.messages[0].at
    for number, said in enumerate(life.messages, 1):
        where = f"{name}: message {number}"
        if said.at < last:
            raise ValueError(f"{where} was written before the one before it")
        named = {*said.gains, *said.ends, *(finding.of for finding in said.findings if finding.of)}
        if unknown := sorted(named - set(life.facts)):
            raise ValueError(f"{where} names an unknown fact: {unknown[0]}")
        if never := sorted(key for key in said.gains if life.facts[key].need == "never"):
            raise ValueError(f"{where} gains what must never be there: {never[0]}")
        if early := sorted(set(said.ends) - true):
            raise ValueError(f"{where} ends what is not true: {early[0]}")
        if again := sorted(set(said.gains) & true - set(said.ends)):
            raise ValueError(f"{where} gains what is true already: {again[0]}")
        if lacking := [each.text for each in said.findings if each.decision != "add" and each.of is None]:
            raise ValueError(f"{where} decides on a known fact without naming it: {lacking[0]}")
        true, last = true - set(said.ends) | set(said.gains), said.at


def _words(group: str) -> re.Pattern[str]:
    alternatives = [_folded(each).replace("*", r"\w*") for each in group.split("|")]
    if not all(alternatives):
        raise ValueError(f"the group {group!r} names nothing")
    return re.compile(rf"\b(?:{'|'.join(alternatives)})\b")


def _folded(text: str) -> str:
    """Return the words in lower case, without accents and marks; `*` stays."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return " ".join(re.findall(r"[\w*]+", letters))


def question(key: str) -> str:
    """Return the question that a fact answers: what stands before the last dot of its key."""
    return key.rpartition(".")[0] or key
