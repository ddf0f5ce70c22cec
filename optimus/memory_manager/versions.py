"""How a memory changes: each function returns the next version and keeps the one before in its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any, Literal

from optimus.models import Memory, MemoryId, MemoryStatus, MemoryVersion, MessageId, Provenance

MAX_VERSIONS = 50
"""Kept versions: the first and the newest; what lies between is dropped first."""


def changed(
    memory: Memory,
    *,
    now: datetime,
    reason: str,
    undoes: int | None = None,
    message_id: MessageId | None = None,
    said: str = "",
    **fields: Any,
) -> Memory:
    """Return the next version with other `fields`; the rest is kept with the version before, see `MemoryVersion`."""
    before = MemoryVersion(
        version=memory.version,
        text=memory.text,
        status=memory.status,
        changed_at=now,
        reason=reason,
        undoes=undoes,
        message_id=message_id,
        said=said,
        **_origin_before(memory, fields.get("provenance")),
    )
    history = (*memory.history, before)
    if len(history) > MAX_VERSIONS:
        history = (history[0], *history[-(MAX_VERSIONS - 1) :])
    if fields.get("text", memory.text) != memory.text:
        fields.setdefault("relations", ())
    update = {**fields, "history": history, "version": memory.version + 1, "updated_at": now}
    return Memory.model_validate(memory.model_dump() | update)


def _origin_before(memory: Memory, after: Provenance | None) -> dict[str, Any]:
    before = memory.provenance
    is_same = after is None or (after.source, after.extractor) == (before.source, before.extractor)
    return {} if is_same else {"source": before.source, "extractor": before.extractor}


def origin_at(memory: Memory, version: int) -> Provenance:
    """Return where a memory came from at a version, as far as its later changes altered that."""
    altered = (entry for entry in memory.history if entry.version >= version and entry.source is not None)
    first = next(altered, None)
    if first is None:
        return memory.provenance
    return memory.provenance.model_copy(update={"source": first.source, "extractor": first.extractor})


def confirmed(memory: Memory, *, source: MessageId | None, said: str, now: datetime, **richer: Any) -> Memory:
    """Count one more statement of the same thing, `said` by its source; `richer` is what it adds."""
    sources = memory.sources
    if source and source not in sources:
        sources = (*sources, source)
    fields: dict[str, Any] = {"sources": sources, "confirmations": memory.confirmations + 1, **richer}
    return changed(memory, now=now, reason="merge", message_id=source, said=said, **fields)


def wording_left(memory: Memory, sources: Sequence[MessageId]) -> str:
    """Return how a memory reads once only `sources` are left of the messages that say it.

    A wording that only a message had which is not among them makes room for the richest of theirs; one that somebody
    wrote by hand stays.
    """
    first = memory.history[0] if memory.history else None
    said = [(memory.provenance.message_id, first.text)] if first and first.version == 1 else []
    said += [(e.message_id, e.said) for e in memory.history if e.said and not is_undone(memory, e.version + 1)]
    left = [text for message_id, text in said if message_id is None or message_id in sources]
    is_gone = memory.text in {text for _, text in said} and memory.text not in left
    return max(left, key=len) if left and is_gone else memory.text


def superseded(memory: Memory, *, by: MemoryId, at: datetime, now: datetime) -> Memory:
    """End the memory's time as the truth; `by` is true from the moment `at` on."""
    return changed(memory, now=now, reason="supersede", status=MemoryStatus.SUPERSEDED, superseded_by=by, valid_to=at)


def reinstated(memory: Memory, *, now: datetime, undoes: int | None = None) -> Memory:
    """Make a superseded memory true again, as if it had never ended."""
    return changed(
        memory,
        now=now,
        reason="undo",
        undoes=undoes,
        status=MemoryStatus.ACTIVE,
        superseded_by=None,
        valid_to=None,
    )


def forgotten(memory: Memory, *, now: datetime, reason: str = "forget", undoes: int | None = None) -> Memory:
    """Take the memory out of use; its text stays, so that it can be restored."""
    return changed(memory, now=now, reason=reason, undoes=undoes, status=MemoryStatus.DELETED)


def restored(memory: Memory, *, now: datetime, reason: str = "restore", undoes: int | None = None) -> Memory:
    """Bring a forgotten memory back to the status that it had before."""
    earlier = next((v.status for v in reversed(memory.history) if v.status is not MemoryStatus.DELETED), None)
    return changed(memory, now=now, reason=reason, undoes=undoes, status=earlier or MemoryStatus.ACTIVE)


def as_of(memory: Memory, moment: datetime) -> Memory | None:
    """Return the memory as it stood at a moment; None where it was not there yet, or not true any more."""
    if memory.recorded_at > moment:
        return None
    later = next((entry for entry in memory.history if entry.changed_at > moment), None)
    if later is None:
        return memory if memory.status is MemoryStatus.ACTIVE else None
    if later.status is not MemoryStatus.ACTIVE:
        return None
    return memory.model_copy(update={"text": later.text, "status": later.status, "version": later.version})


def is_undone(memory: Memory, version: int) -> bool:
    """Tell whether the change that made `version` was already taken back."""
    return any(entry.undoes == version for entry in memory.history)


def text_at(memory: Memory, version: int) -> str | None:
    """Return how the memory read at a version; None where that version is no longer kept."""
    if version == memory.version:
        return memory.text
    return next((entry.text for entry in memory.history if entry.version == version), None)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a changed text, and whether they were there before, are there after, or both."""

    kind: Literal["kept", "removed", "added"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChange:
    """One change of a memory: when, why, and what it did to the text."""

    version: int
    """The version that it made."""
    changed_at: datetime
    reason: str
    """See `MemoryVersion.reason`."""
    before: str
    after: str

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What the change did to the words, in reading order."""
        return difference(self.before, self.after)


def changes(memory: Memory) -> list[VersionChange]:
    """Return the kept changes of a memory, the newest first."""
    texts = [*(entry.text for entry in memory.history[1:]), memory.text]
    return [
        VersionChange(
            version=entry.version + 1,
            changed_at=entry.changed_at,
            reason=entry.reason,
            before=entry.text,
            after=after,
        )
        for entry, after in zip(reversed(memory.history), reversed(texts), strict=False)
    ]


def difference(before: str, after: str) -> tuple[Piece, ...]:
    """Return the words of two texts as they were kept, removed and added."""
    old, new = before.split(), after.split()
    pieces: list[Piece] = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece("kept", " ".join(old[a:b])))
            continue
        if a < b:
            pieces.append(Piece("removed", " ".join(old[a:b])))
        if c < d:
            pieces.append(Piece("added", " ".join(new[c:d])))
    return tuple(pieces)
