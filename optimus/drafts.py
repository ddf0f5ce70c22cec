"""What a person typed, and how it becomes a message or a title."""

from __future__ import annotations

from datetime import datetime

from optimus.errors import InvalidInputError
from optimus.models import (
    MAX_MESSAGE_CHARS,
    MAX_TITLE_CHARS,
    Conversation,
    Message,
    MessageId,
    MessageRole,
    new_id,
)

NEW_CHAT = "New chat"
"""The title of a conversation in which nothing was said yet."""


def check_message(text: str) -> str:
    """Return a message without invisible control characters and outer space.

    Raises:
        InvalidInputError: nothing is left, it is too long, or it is not valid text.
    """
    cleaned = without_controls(text).strip()
    if not cleaned:
        raise InvalidInputError(user_message="There is nothing to send yet. Type a message first.")
    if len(cleaned) > MAX_MESSAGE_CHARS:
        raise InvalidInputError(
            user_message=f"This message has {len(cleaned):,} characters; at most {MAX_MESSAGE_CHARS:,} can be sent "
            "at once. It is still in the box: shorten it or send it in parts."
        )
    return cleaned


def without_controls(text: str) -> str:
    """Return a text without invisible control characters; line breaks and tabs stay."""
    return "".join(c for c in text if c in "\n\t" or not _is_control(c))


def _is_control(char: str) -> bool:
    point = ord(char)
    return point < 0x20 or 0x7F <= point < 0xA0 or 0xD800 <= point <= 0xDFFF  # noqa: PLR2004 - Unicode's ranges


def new_message(conversation: Conversation, role: MessageRole, text: str, *, at: datetime) -> Message:
    """Return a message of a conversation, ready to be stored."""
    return Message(
        id=MessageId(new_id()),
        conversation_id=conversation.id,
        user_id=conversation.user_id,
        role=role,
        text=text,
        created_at=at,
    )


def title_of(text: str) -> str:
    """Return a conversation's first title: the start of its first message, cut at a word."""
    line = " ".join(text.split())
    if len(line) <= MAX_TITLE_CHARS // 2:
        return line
    return line[: MAX_TITLE_CHARS // 2].rsplit(" ", 1)[0] + "…"
