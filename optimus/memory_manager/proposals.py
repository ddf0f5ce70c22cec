"""What a model proposes to remember, checked against what the user said.

A model may err or be misled by what it reads. So a finding counts only as far as the user's own words carry it, what
was forgotten does not come back, and what reads like an instruction is marked as one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from optimus.memory_manager.episodes import clean
from optimus.memory_manager.handwritten import understood
from optimus.memory_manager.instructions import instructs
from optimus.memory_manager.masking import MASK
from optimus.memory_manager.own_words import is_about_nothing, own_words, speaks_of_self
from optimus.memory_manager.remembering import Derive
from optimus.memory_manager.rules.candidate import Candidate
from optimus.memory_manager.rules.relations import USER
from optimus.memory_manager.shelf import DERIVED_TYPES, Shelf
from optimus.memory_manager.wording import contains, is_question, normal_form
from optimus.models import ChangeKind, Memory, MemoryId, MemoryStatus, MemoryType, Message, Relation, ScorePart
from optimus.storage.records import MemoryFilter

LEAST_CONFIDENCE = 0.4
"""Below this a finding is a guess."""
LEAST_OF_OTHERS = 0.6
"""The same where the writer does not speak of themselves: requests, questions, tales of others."""
SAME_AGAIN = 0.85
"""Cosine from which on a finding is taken to say what was forgotten."""
_TEXT_CHARS = 500
_FORGOTTEN_LIMIT = 20
_TOMBSTONES = MemoryFilter(types=DERIVED_TYPES, statuses=frozenset({MemoryStatus.DELETED}))
_DATE = re.compile(r"\d[\d.:/-]*")
_NO_SPACES = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LANGUAGE = re.compile(r"[a-z]{2}")
_HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One finding of a model, with what it would do about it."""

    text: str
    type: MemoryType
    entities: tuple[str, ...] = ()
    relations: tuple[Relation, ...] = ()
    confidence: float = 0.8
    importance: float = 0.5
    language: str = "en"
    event_at: datetime | None = None
    instructs: bool = False
    """It tells an assistant what to do."""
    decision: ChangeKind = ChangeKind.ADD
    target: MemoryId | None = None
    """The memory that it is merged with or replaces, as `known` gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A finding that may become a memory."""

    proposal: Proposal
    candidate: Candidate
    is_said: bool
    """The rules, or an earlier run, made the same of this message."""


class Checks:
    """Checks findings against the message that they come from."""

    def __init__(
        self, *, shelf: Shelf, derive: Derive, message: Message, around: Sequence[str], never: Collection[MemoryType]
    ) -> None:
        self.stems = shelf.stems()
        self._shelf = shelf
        self._derive = derive
        self._message = message
        self._said = own_words(clean(message.text))
        self._is_of_self = speaks_of_self(self._said)
        self._around = " ".join((self._said, *map(own_words, map(clean, around))))
        self._never = never

    def check(self, proposal: Proposal) -> Kept | None:
        """Return the finding as a candidate; None where it is a guess, a secret, unwanted, forgotten or not said."""
        text = clean(" ".join(proposal.text.split())).rstrip(".")[:_TEXT_CHARS]
        is_unsure = proposal.confidence < (LEAST_CONFIDENCE if self._is_of_self else LEAST_OF_OTHERS)
        if not text or MASK in text or is_question(text) or is_unsure or is_about_nothing(text):
            return None
        if not self._is_said(text):
            return None
        candidate = self._candidate(text, proposal)
        if {candidate.type, proposal.type} & set(self._never) or self._is_forgotten(text):
            return None
        is_order = proposal.instructs or instructs(proposal.text)
        return Kept(proposal=replace(proposal, instructs=is_order), candidate=candidate, is_said=self._is_known(text))

    def _candidate(self, text: str, proposal: Proposal) -> Candidate:
        """Return the finding with the rules' reading of it, which knows what it would replace."""
        seen = understood(text, MemoryType.NOTE, self._derive(text, now=self._message.created_at))
        language = proposal.language.lower()[:2]
        return replace(
            seen,
            type=proposal.type if seen.type is MemoryType.NOTE else seen.type,
            explicit=False,
            importance=proposal.importance,
            confidence=proposal.confidence,
            entities=tuple(dict.fromkeys(name for name in proposal.entities if name and name in text)),
            relations=tuple(each for each in proposal.relations if _is_carried(each, text)),
            language=language if _LANGUAGE.fullmatch(language) else "en",
        )

    def _is_said(self, text: str) -> bool:
        """Tell whether the user's words carry the finding: some of this message, half with what they wrote before."""
        plain = _DATE.sub(" ", text)
        if _NO_SPACES.search(plain):
            pairs = _pairs(plain)
            return bool(pairs & _pairs(self._said)) and len(pairs & _pairs(self._around)) >= _HALF * len(pairs)
        words = self.stems(plain)
        if not words:
            return normal_form(text) in normal_form(self._said)
        return bool(words & self.stems(self._said)) and len(words & self.stems(self._around)) >= _HALF * len(words)

    def _is_forgotten(self, text: str) -> bool:
        """Tell whether it was forgotten or undone after it was said."""
        legs = self._shelf.search(self._message.user_id, text, _TOMBSTONES, limit=_FORGOTTEN_LIMIT)
        close = {key for key, score in legs[ScorePart.DENSE].items() if score >= SAME_AGAIN}
        return any(
            memory.id in close or self._overlaps(text, memory.text)
            for memory in self._shelf.read(self._message.user_id, legs)
            if self._is_ended_since(memory)
        )

    def _is_ended_since(self, memory: Memory) -> bool:
        """Tell whether it was taken out of use after this message, and not because another message was deleted."""
        reason = memory.history[-1].reason if memory.history else ""
        return memory.updated_at > self._message.created_at and reason != "withdraw"

    def _is_known(self, text: str) -> bool:
        """Tell whether something else that came from this message says the same."""
        similar = self._shelf.similar(self._message.user_id, text)
        own = [item.memory for item in similar if self._message.id in item.memory.sources]
        return any(self._overlaps(text, memory.text) for memory in own)

    def _overlaps(self, one: str, other: str) -> bool:
        same = normal_form(one) == normal_form(other)
        return same or contains(one, other, self.stems) or contains(other, one, self.stems)


def _is_carried(relation: Relation, text: str) -> bool:
    """Tell whether both ends of a relation stand in the text; the user need not."""
    ends = (relation.subject, relation.object)
    return all(end == USER or normal_form(end) in normal_form(text) for end in ends) and relation.object != USER


def _pairs(text: str) -> frozenset[str]:
    letters = "".join(sign for sign in text if sign.isalnum())
    return frozenset(letters[place : place + 2] for place in range(len(letters) - 1))
