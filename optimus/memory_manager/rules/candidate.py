"""What the rules hand to the update phase."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from optimus.models import MemoryType


class CandidateKind(StrEnum):
    """What the user wants done with the text."""

    REMEMBER = "remember"
    FORGET = "forget"
    """Forget whatever `text` says or names: a sentence (`I live in Lisbon`) or a thing (`my address`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One thing that a message says about its writer, ready to be compared with what is known."""

    text: str
    """A whole sentence in the first person and in the user's own words, without its full stop."""
    type: MemoryType
    kind: CandidateKind = CandidateKind.REMEMBER
    slot: str | None = None
    """The question that has one answer at a time (`home`, `favourite.colour`, `relative.sister.maria.job`).

    A like or an allergy asks one question per thing (`like.1f2e3d4c5b`), so that a change of mind replaces what was
    said about the same thing and nothing else. The thing is hashed, because slots are stored in the clear.
    """
    negates: str | None = None
    """The sentence that can no longer be true (`I like coffee`); a memory that says it is to be replaced."""
    corrects: bool = False
    """The user marked it as a correction (`no, ...`, `actually ...`)."""
    explicit: bool = False
    """The user asked for it to be remembered."""
    importance: float = 0.5
    confidence: float = 0.8
    entities: tuple[str, ...] = ()
    """Proper names, as written."""
    language: str = "en"
