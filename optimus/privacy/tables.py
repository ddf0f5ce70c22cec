"""An export for people: tables for spreadsheets, and Markdown to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from optimus.models import Conversation, Memory, MemoryStatus, MemoryType, Message, MessageRole
from optimus.spreadsheets import Cell, csv_lines
from optimus.storage.records import Event

TITLES = {
    MemoryType.FACT: "Facts",
    MemoryType.PREFERENCE: "Preferences",
    MemoryType.RELATIONSHIP: "People",
    MemoryType.NOTE: "Notes",
    MemoryType.DOCUMENT: "Documents",
    MemoryType.CONVERSATION: "Messages",
}
STATUSES = {
    MemoryStatus.ACTIVE: "",
    MemoryStatus.SUPERSEDED: "replaced",
    MemoryStatus.ARCHIVED: "put away",
    MemoryStatus.QUARANTINED: "needs review",
    MemoryStatus.DELETED: "deleted",
}
_USAGE = (
    "model",
    "state",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "memories",
    "memory_tokens",
    "history_tokens",
    "first_token_ms",
    "duration_ms",
    "conversation_id",
    "message_id",
    "question_id",
)


def conversations_csv(conversations: Iterable[Conversation]) -> Iterator[str]:
    """Yield conversations, without their messages, as the lines of a CSV file."""
    rows = ((c.id, c.title, c.created_at.isoformat(), c.updated_at.isoformat()) for c in conversations)
    return csv_lines(("id", "title", "created_at", "updated_at"), rows)


def messages_csv(messages: Iterable[Message]) -> Iterator[str]:
    """Yield messages as the lines of a CSV file."""
    rows = (
        (m.conversation_id, m.id, m.created_at.isoformat(), m.role.value, m.state.value, m.model, m.text)
        for m in messages
    )
    return csv_lines(("conversation_id", "id", "created_at", "role", "state", "model", "text"), rows)


def usage_csv(events: Iterable[Event]) -> Iterator[str]:
    """Yield answers with their tokens, cost and times as the lines of a CSV file."""
    rows = ((event.at.isoformat(), *(_cell(event.data.get(name)) for name in _USAGE)) for event in events)
    return csv_lines(("at", *_USAGE), rows)


def memories_markdown(memories: Iterable[Memory]) -> Iterator[str]:
    """Yield memories as Markdown; those that come one after the other and are of one kind stand under its title."""
    yield "# What Optimus remembers\n"
    for kind, group in groupby(memories, key=lambda memory: memory.type):
        yield f"\n## {TITLES[kind]}\n\n"
        for memory in group:
            notes = [f"{memory.recorded_at:%Y-%m-%d}", STATUSES[memory.status]]
            yield f"- {_line(memory.text)} ({', '.join(note for note in notes if note)})\n"


def conversation_markdown(conversation: Conversation, messages: Iterable[Message]) -> Iterator[str]:
    """Yield a conversation as Markdown."""
    yield f"# {_line(conversation.title)}\n"
    for message in messages:
        who = "You" if message.role is MessageRole.USER else f"Optimus ({message.model or 'unknown model'})"
        yield f"\n**{who}**, {message.created_at:%Y-%m-%d %H:%M} UTC\n\n{_harmless(message.text)}\n"
    yield "\n"


def _cell(value: Cell | bool) -> Cell:
    return str(value) if isinstance(value, bool) else value


def _line(text: str) -> str:
    return _harmless(" ".join(text.split()))


def _harmless(text: str) -> str:
    """Return Markdown without HTML: a viewer may run what it finds there."""
    return text.replace("<", "\\<")
