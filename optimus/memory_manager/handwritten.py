"""Memories that the user writes by hand: what is taken, and what the rules make of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from optimus.errors import InvalidInputError
from optimus.memory_manager.acts import Way
from optimus.memory_manager.masking import has_secret
from optimus.memory_manager.rules.candidate import Candidate, CandidateKind
from optimus.memory_manager.wording import normal_form
from optimus.models import MAX_MEMORY_CHARS, MemoryType, Provenance, SourceKind

IMPORTANCE = 0.6
"""At least: somebody took the trouble to write it down."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def checked(text: str) -> str:
    """Return a text written by hand, ready to be stored.

    Raises:
        InvalidInputError: it is empty, too long, holds control characters, or a secret.
    """
    cleaned = text.strip()
    if not cleaned:
        raise InvalidInputError(user_message="Please write what is to be remembered.")
    if len(cleaned) > MAX_MEMORY_CHARS:
        raise InvalidInputError(user_message=f"That is too long: a memory has at most {MAX_MEMORY_CHARS:,} characters.")
    if _CONTROL.search(cleaned):
        raise InvalidInputError(user_message="That holds characters that cannot be stored. Please remove them.")
    if has_secret(cleaned):
        raise InvalidInputError(user_message="That looks like a password, key or card number. Secrets are not stored.")
    return cleaned


def understood(text: str, kind: MemoryType, found: Sequence[Candidate]) -> Candidate:
    """Return the text with what the rules see in it, where they see one statement and it is the whole text.

    Args:
        text: What the user wrote; it stays as it is.
        kind: What the user says that it is; a mere note takes the kind that the rules see.
        found: What the rules derived from the text.
    """
    same = [c for c in found if c.kind is CandidateKind.REMEMBER and normal_form(c.text) == normal_form(text)]
    if len(found) != 1 or not same:
        return Candidate(text=text, type=kind, explicit=True, importance=IMPORTANCE, confidence=1.0)
    (rules,) = same
    return Candidate(
        text=text,
        type=rules.type if kind is MemoryType.NOTE else kind,
        slot=rules.slot,
        negates=rules.negates,
        explicit=True,
        importance=max(IMPORTANCE, rules.importance),
        confidence=1.0,
        entities=rules.entities,
        language=rules.language,
    )


def origin_after_edit(before: Provenance, way: Way) -> Provenance:
    """Return where an edited memory comes from: the assistant's tool that edited it, or after one its user's hand."""
    if way is Way.ASSISTANT:
        return before.model_copy(update={"source": SourceKind.TOOL, "extractor": Way.ASSISTANT.value})
    if before.source is SourceKind.TOOL:
        return before.model_copy(update={"source": SourceKind.USER, "extractor": Provenance().extractor})
    return before
