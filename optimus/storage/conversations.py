"""Conversations and their messages. Every method takes the owner; what is another's looks missing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from qdrant_client import QdrantClient, models

from optimus.errors import ConflictError, NotFoundError, StoreError
from optimus.models import (
    Clock,
    Conversation,
    ConversationId,
    Message,
    MessageId,
    MessageState,
    UserId,
    is_uuid,
)
from optimus.storage.filters import between, equals, has_ids, owned_by
from optimus.storage.table import PAGE, VERSION, Table
from optimus.storage.tenancy import across_tenants, acting_as

ALL_MESSAGES = 10_000
"""More than a conversation has."""
_log = logging.getLogger(__name__)


class ConversationRepository:
    """The `conversations` collection; titles and texts are sealed by the wall below."""

    def __init__(self, *, client: QdrantClient, collection: str, sync: Callable[[], None], clock: Clock) -> None:
        self._client = client
        self._collection = collection
        self._clock = clock
        self._conversations = Table(client=client, collection=collection, kind="conversation", sync=sync)
        self._messages = Table(client=client, collection=collection, kind="message", sync=sync)

    def create(self, conversation: Conversation) -> None:
        """Store a new conversation; storing the same one twice is one.

        Raises:
            NotFoundError: the id belongs to somebody else.
        """
        with acting_as(conversation.user_id):
            payload = conversation.model_dump(mode="json", exclude={"id"})
            self._conversations.insert(conversation.id, payload)
        self.get(conversation.user_id, conversation.id)

    def get(self, owner: UserId, conversation_id: ConversationId) -> Conversation:
        """Return a conversation.

        Raises:
            NotFoundError: it is missing or somebody else's.
        """
        if not is_uuid(conversation_id):
            raise NotFoundError("conversation")
        with acting_as(owner):
            row = self._conversations.get(conversation_id, owned_by(owner))
        if row is None:
            raise NotFoundError("conversation")
        return row.decode(Conversation)

    def page(self, owner: UserId, limit: int = 50, offset: datetime | None = None) -> list[Conversation]:
        """Return conversations, the newest updated first; `offset` is the `updated_at` of the last one seen."""
        older = () if offset is None else (between("updated_at", None, offset),)
        with acting_as(owner):
            rows = self._conversations.newest("updated_at", owned_by(owner), *older, limit=limit)
        return [row.decode(Conversation) for row in rows]

    def every(self, owner: UserId) -> list[Conversation]:
        """Return all conversations, the oldest first."""
        with acting_as(owner):
            found = [row.decode(Conversation) for row in self._conversations.each(owned_by(owner))]
        return sorted(found, key=lambda conversation: (conversation.created_at, conversation.id))

    def transcript(self, owner: UserId, conversation_id: ConversationId) -> list[Message]:
        """Return all messages of a conversation, the oldest first; none where it is missing or somebody else's."""
        with acting_as(owner):
            inside = equals("conversation_id", conversation_id)
            found = [row.decode(Message) for row in self._messages.each(owned_by(owner), inside)]
        return sorted(found, key=lambda message: (message.created_at, message.id))

    def owned(self, owner: UserId, ids: Iterable[str]) -> set[str]:
        """Return those of the ids under which the owner has a conversation or a message."""
        wanted = list(ids)
        found: set[str] = set()
        with acting_as(owner):
            for table in (self._conversations, self._messages):
                for start in range(0, len(wanted), PAGE):
                    mine = (owned_by(owner), has_ids(*wanted[start : start + PAGE]))
                    found.update(row.id for row in table.each(*mine))
        return found

    def change(self, owner: UserId, conversation_id: ConversationId, **fields: object) -> None:
        """Give a conversation other values of some of its fields, such as its title.

        Raises:
            NotFoundError: it is missing or somebody else's.
        """
        self.get(owner, conversation_id)
        with acting_as(owner):
            self._conversations.patch(dict(fields), owned_by(owner), has_ids(conversation_id))

    def delete_messages(self, owner: UserId, ids: Sequence[MessageId]) -> None:
        """Delete messages; those that are gone already, or somebody else's, are passed over."""
        with acting_as(owner):
            self._messages.delete(owned_by(owner), has_ids(*ids))

    def touch(self, owner: UserId, conversation_id: ConversationId) -> None:
        """Move a conversation to the top of the list; a deleted one stays deleted."""
        with acting_as(owner):
            now = self._clock().isoformat()
            self._conversations.patch({"updated_at": now}, owned_by(owner), has_ids(conversation_id))

    def delete(self, owner: UserId, conversation_id: ConversationId) -> int:
        """Delete a conversation with its messages in one write; return how many messages went.

        Raises:
            NotFoundError: it is missing or somebody else's.
        """
        self.get(owner, conversation_id)
        with acting_as(owner):
            inside = equals("conversation_id", conversation_id)
            messages = self._messages.count(owned_by(owner), inside)
            everything = models.Filter(must=[owned_by(owner)], should=[has_ids(conversation_id), inside])
            self._client.delete(self._collection, points_selector=models.FilterSelector(filter=everything))
        return messages

    def add_message(self, message: Message) -> Message:
        """Store a new message and return it as it is stored; storing the same id twice keeps the first.

        Raises:
            NotFoundError: the conversation is missing or somebody else's, or the message id is.
        """
        self.get(message.user_id, message.conversation_id)
        with acting_as(message.user_id):
            self._messages.insert(message.id, message.model_dump(mode="json", exclude={"id"}))
        return self.message(message.user_id, message.id)

    def add_turn(self, message: Message, reply: Message) -> tuple[Message, Message]:
        """Store a new message and its answer, still to be written, in one write; return both as they are stored.

        So there is no message whose answer nobody could ask for again. What is there already stays as it is.

        Raises:
            NotFoundError: the conversation is missing or somebody else's, or one of the ids is.
        """
        self.get(message.user_id, message.conversation_id)
        turn = {str(each.id): each.model_dump(mode="json", exclude={"id"}) for each in (message, reply)}
        with acting_as(message.user_id):
            self._messages.insert_all(turn)
        return self.message(message.user_id, message.id), self.message(message.user_id, reply.id)

    def adopt(self, conversation: Conversation, messages: Sequence[Message]) -> None:
        """Store a conversation and messages of it that come from elsewhere; what is there already stays as it is."""
        owner = conversation.user_id
        with acting_as(owner):
            self._conversations.insert(conversation.id, conversation.model_dump(mode="json", exclude={"id"}))
            if messages:
                self._messages.insert_all({m.id: m.model_dump(mode="json", exclude={"id"}) for m in messages})

    def update_message(self, message: Message) -> Message:
        """Store a changed message over the version that was read, and return it with its new version.

        Raises:
            ConflictError: the message was changed in between.
            NotFoundError: it is missing or somebody else's.
        """
        changed = message.model_copy(update={"version": message.version + 1})
        payload = changed.model_dump(mode="json", exclude={"id"})
        guard = (
            owned_by(message.user_id),
            equals(VERSION, message.version),
            equals("conversation_id", message.conversation_id),
        )
        with acting_as(message.user_id):
            written = self._messages.replace(message.id, payload, *guard)
        if not written:
            self.message(message.user_id, message.id)
            raise ConflictError("the message is not at this version")
        return changed

    def message(self, owner: UserId, message_id: MessageId) -> Message:
        """Return a message.

        Raises:
            NotFoundError: it is missing or somebody else's.
        """
        if not is_uuid(message_id):
            raise NotFoundError("message")
        with acting_as(owner):
            row = self._messages.get(message_id, owned_by(owner))
        if row is None:
            raise NotFoundError("message")
        return row.decode(Message)

    def messages(self, owner: UserId, conversation_id: ConversationId, limit: int = 200) -> list[Message]:
        """Return the newest `limit` messages of a conversation, the oldest first.

        Raises:
            NotFoundError: the conversation is missing or somebody else's.
        """
        self.get(owner, conversation_id)
        with acting_as(owner):
            inside = equals("conversation_id", conversation_id)
            rows = self._messages.newest("created_at", owned_by(owner), inside, limit=limit)
        return [row.decode(Message) for row in reversed(rows)]

    def interrupted(self) -> list[Message]:
        """Return everybody's messages that are still being written; after a start nobody writes them.

        This is the only read across owners, and only the start calls it so. What cannot be opened, because its
        owner's key is destroyed or damaged, is left out and keeps nobody else's from being returned.
        """
        with across_tenants():
            found = list(self._messages.each(equals("state", MessageState.WRITING), fields=["user_id"]))
        return [each for row in found if (each := self._opened(UserId(row.payload["user_id"]), row.id))]

    def _opened(self, owner: UserId, message_id: str) -> Message | None:
        try:
            return self.message(owner, MessageId(message_id))
        except StoreError as error:
            _log.error("an answer that was cut off cannot be read: %s", type(error).__name__)
            return None

    def mark_interrupted(self) -> int:
        """Turn every message that a dead process was writing into a stopped one; return how many there were."""
        marked = 0
        for message in self.interrupted():
            try:
                self.update_message(message.model_copy(update={"state": MessageState.STOPPED}))
            except (ConflictError, NotFoundError):
                continue
            marked += 1
        return marked
