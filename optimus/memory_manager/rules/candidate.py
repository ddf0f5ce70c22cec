"""What the rules hand to the update phase."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from optimus.models import MemoryId, MemoryType, Relation


class CandidateKind(StrEnum):
    """What the user wants done with the text."""

    REMEMBER = "remember"
    FORGET = "forget"
    """Forget whatever `text` says or names: a sentence (`I live in Lisbon`) or a thing (`my address`)."""
    FORGET_LAST = "forget_last"
    """Forget what was said last; `text` is how the user put it (`that`), empty where the same message said it."""
    REVISE = "revise"
    """Put `text` in the place of what the last statement says (`no, it's green`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What stops being true with a statement, beyond the slot that it answers."""

    slots: tuple[str, ...]
    """Slots, and beginnings of slots (`partner`, `pet.dog`)."""
    parts: tuple[str, ...] = ()
    """Of what begins so, only slots that end so (`home`, `job`); all where none is given."""
    name: str | None = None
    """Whom it is about; what is known of somebody of another name goes on."""
    relation: str | None = None
    """What they are to the user; what says that the user has them ends, too (`I have a dog called Rex`)."""


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
    ends: Ending | None = None
    only_ends: bool = False
    """It counts only where it ends something that is known: a plain denial of what was never said is no news."""
    only_fills: bool = False
    """It counts only while nothing answers its slot: `I'm Batman` changes no name."""
    targets: tuple[MemoryId, ...] = ()
    """The memories that `FORGET_LAST` turned out to mean."""
    corrects: bool = False
    """The user marked it as a correction (`no, ...`, `actually ...`)."""
    explicit: bool = False
    """The user asked for it to be remembered."""
    importance: float = 0.5
    confidence: float = 0.8
    entities: tuple[str, ...] = ()
    """Proper names, as written."""
    relations: tuple[Relation, ...] = ()
    """What a model read in the text."""
    language: str = "en"
