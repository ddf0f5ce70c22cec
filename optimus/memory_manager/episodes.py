"""Episodes follow what was derived from them: a message does not bring back what was replaced or forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from optimus.memory_manager import versions
from optimus.memory_manager.masking import mask
from optimus.memory_manager.shelf import Shelf, episode_id, is_active
from optimus.memory_manager.wording import Stems, is_question
from optimus.models import (
    MAX_MESSAGE_CHARS,
    Memory,
    MemoryId,
    MemoryStatus,
    MemoryType,
    Message,
    MessageId,
    MessageRole,
    Provenance,
    UserId,
)

NEIGHBOURS = 2
"""Messages on each side that make the context of a message; chosen on LoCoMo."""
NEIGHBOUR_CHARS = 300
"""So much of a neighbour is context: a long answer would cost time and drown the message."""
IMPORTANCE = 0.3
QUESTION_IMPORTANCE = 0.1
_MOST = 0.5
"""The share of a message's content words from which on an ended statement is what the message is about."""


def clean(text: str) -> str:
    """Return what of a message may be embedded and stored: no secrets, no lone surrogates, not more than fits."""
    return mask(text.encode("utf-8", "replace").decode()).strip()[:MAX_MESSAGE_CHARS]


def neighbours(before: Sequence[Message]) -> list[str]:
    """Return the texts that make a message's context."""
    texts = (clean(message.text)[:NEIGHBOUR_CHARS] for message in before[-NEIGHBOURS:])
    return [text for text in texts if text]


def gained(before: Sequence[Message], message: Message) -> list[tuple[Message, list[str]]]:
    """Return the user's messages that `message` follows closely, each with the texts on both sides of it."""
    said = [*before, message]
    found = []
    for place in range(max(0, len(before) - NEIGHBOURS), len(before)):
        if said[place].role is MessageRole.USER and said[place].conversation_id == message.conversation_id:
            after = said[place + 1 : place + 1 + NEIGHBOURS]
            found.append((said[place], [*neighbours(said[:place]), *neighbours(after)]))
    return found


def episode_of(
    message: Message, text: str, *, now: datetime, derived: Iterable[MemoryId], status: MemoryStatus
) -> Memory:
    """Return the episode of a message; it is searched only where it is active."""
    return Memory(
        id=episode_id(message.id),
        user_id=message.user_id,
        text=text,
        type=MemoryType.CONVERSATION,
        status=status,
        importance=QUESTION_IMPORTANCE if is_question(text) else IMPORTANCE,
        provenance=Provenance(conversation_id=message.conversation_id, message_id=message.id, extractor="episode"),
        recorded_at=now,
        updated_at=now,
        valid_from=message.created_at,
        sources=(message.id,),
        derived=tuple(derived),
    )


def hide(shelf: Shelf, owner: UserId, ended: Memory, *, by: MemoryId | None, now: datetime, stems: Stems) -> None:
    """Stop the messages that said `ended` from being found.

    What was forgotten is hidden wherever it was said; what was replaced (`by`) only where it is most of the message,
    because the rest may be worth finding.
    """

    def hidden(episode: Memory) -> Memory | None:
        if not is_active(episode):
            return None
        if by is None:
            return versions.changed(episode, now=now, reason="forget", status=MemoryStatus.ARCHIVED)
        words = stems(episode.text)
        if len(words & stems(ended.text)) < _MOST * len(words):
            return None
        return versions.superseded(episode, by=by, at=now, now=now)

    _change_all(shelf, owner, ended.sources, hidden)


def show(shelf: Shelf, owner: UserId, back: Memory, *, instead_of: MemoryId | None, now: datetime) -> None:
    """Let the messages that said `back` be found again, unless they say something else that is forgotten."""

    def shown(episode: Memory) -> Memory | None:
        if episode.status is MemoryStatus.SUPERSEDED and instead_of and episode.superseded_by == instead_of:
            return versions.reinstated(episode, now=now)
        if episode.status is not MemoryStatus.ARCHIVED:
            return None
        said = shelf.index.get(owner, [key for key in episode.derived if key != back.id])
        if any(memory.status is MemoryStatus.DELETED for memory in said):
            return None
        return versions.changed(episode, now=now, reason="undo", status=MemoryStatus.ACTIVE)

    _change_all(shelf, owner, back.sources, shown)


def _change_all(
    shelf: Shelf, owner: UserId, sources: Sequence[MessageId], change: Callable[[Memory], Memory | None]
) -> None:
    for episode in shelf.index.get(owner, [episode_id(source) for source in sources]):
        shelf.change(owner, episode.id, change)
