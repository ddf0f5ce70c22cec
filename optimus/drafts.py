"""What a person typed, and how it becomes a message or a title."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from optimus.errors import InvalidInputError
from optimus.models import (
    MAX_MESSAGE_CHARS,
    MAX_TITLE_CHARS,
    Conversation,
    Message,
    MessageId,
    MessageRole,
    MessageState,
    new_id,
    stable_id,
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


def following(at: datetime, messages: Sequence[Message]) -> datetime:
    """Return `at`, or a moment after the last of the messages where a clock that was set back would be before it."""
    return max([at, *(each.created_at + timedelta(microseconds=1) for each in messages)])


def new_reply(message: Message, *, model: str, routed: str = "") -> Message:
    """Return the answer to a message before anything is known of it but which model shall write it."""
    return Message(
        id=reply_id(message.id),
        conversation_id=message.conversation_id,
        user_id=message.user_id,
        role=MessageRole.ASSISTANT,
        text="",
        created_at=message.created_at + timedelta(microseconds=1),
        state=MessageState.WRITING,
        model=model,
        routed=routed or None,
        parent=message.id,
    )


def reply_id(sent: MessageId) -> MessageId:
    """Return the id of the answer that a message gets when it is sent."""
    return MessageId(stable_id("reply", sent))


def title_of(text: str) -> str:
    """Return a conversation's first title: the start of its first message, cut at a word."""
    line = " ".join(text.split())
    if len(line) <= MAX_TITLE_CHARS // 2:
        return line
    return line[: MAX_TITLE_CHARS // 2].rsplit(" ", 1)[0] + "…"
