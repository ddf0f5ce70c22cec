"""A user's conversations: list, open, name, stop and delete them, and take back what a message changed in memory."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, get_args

from optimus import branches
from optimus.chat_memory import ChatMemory
from optimus.drafts import NEW_CHAT, without_controls
from optimus.errors import InvalidInputError
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.generations import Generation
from optimus.models import (
    MAX_INSTRUCTIONS_CHARS,
    MAX_TITLE_CHARS,
    Clock,
    Conversation,
    ConversationId,
    Effort,
    MemoryId,
    Message,
    MessageId,
    MessageRole,
    UserId,
    new_id,
)
from optimus.storage.conversations import ALL_MESSAGES, ConversationRepository
from optimus.storage.failpoints import reached

SHOWN_MESSAGES = 200
"""Messages of a conversation that are read at first, the newest; as many more follow at each wish for older ones."""


class Thread(NamedTuple):
    """One branch of a conversation."""

    messages: tuple[Message, ...] = ()
    """The oldest first."""
    versions: Mapping[MessageId, tuple[MessageId, ...]] = MappingProxyType({})
    """Of each message that has several: all of them, the oldest first."""
    has_older: bool = False
    """Whether more messages come before these."""


class ConversationService:
    """Conversations without the writing of answers; every call names the owner and reaches nobody else's."""

    def __init__(
        self, *, conversations: ConversationRepository, memory: ChatMemory, models: ModelGateway, clock: Clock
    ) -> None:
        self._conversations = conversations
        self._memory = memory
        self._models = models
        self._clock = clock

    def conversations(self, owner: UserId, *, limit: int = 50) -> list[Conversation]:
        """Return the owner's conversations, last used first."""
        return self._conversations.page(owner, limit=limit)

    def conversation(self, owner: UserId, conversation_id: ConversationId) -> Conversation:
        """Return one conversation.

        Raises:
            NotFoundError: it is missing or not the owner's.
        """
        return self._conversations.get(owner, conversation_id)

    def messages(self, owner: UserId, conversation_id: ConversationId) -> list[Message]:
        """Return the newest messages of the branch that is shown, oldest first."""
        return list(self.thread(owner, conversation_id).messages)

    def thread(self, owner: UserId, conversation_id: ConversationId, *, most: int = SHOWN_MESSAGES) -> Thread:
        """Return the newest messages of the branch that is shown, and which of them have other versions.

        Args:
            owner: Whose it is.
            conversation_id: Which one.
            most: So many of the newest messages are read, on whichever branch they are.

        Raises:
            NotFoundError: it is missing or not the owner's.
        """
        head = self._conversations.get(owner, conversation_id).head
        everything = self._conversations.messages(owner, conversation_id, limit=most)
        if len(everything) == most and head and all(message.id != head for message in everything):
            everything = self._conversations.messages(owner, conversation_id, limit=ALL_MESSAGES)
        shown = branches.path(everything, head)
        has_older = len(everything) == most and branches.has_older(shown)
        return Thread(tuple(shown), branches.versions(everything), has_older)

    def rename(self, owner: UserId, conversation_id: ConversationId, title: str) -> str:
        """Give a conversation another title; return it as it was stored.

        Raises:
            InvalidInputError: the title is empty.
            NotFoundError: it is missing or not the owner's.
        """
        cleaned = " ".join(title.split())[:MAX_TITLE_CHARS]
        if not cleaned:
            raise InvalidInputError(user_message="Please give the chat a name.")
        self._conversations.change(owner, conversation_id, title=cleaned)
        reached("rename.stored")
        return cleaned

    def begin(self, owner: UserId, title: str = NEW_CHAT) -> Conversation:
        """Return a new conversation without messages."""
        now = self._clock()
        conversation = Conversation(
            id=ConversationId(new_id()), user_id=owner, title=title, created_at=now, updated_at=now
        )
        self._conversations.create(conversation)
        return conversation

    def guide(
        self,
        owner: UserId,
        conversation_id: ConversationId | None,
        *,
        instructions: str,
        temperature: float | None,
        effort: Effort | None = None,
    ) -> ConversationId:
        """Choose what models heed in a conversation and how freely they answer there; return which one it is.

        Args:
            owner: Whose it is.
            conversation_id: Which one; None begins a new one.
            instructions: In the user's words; empty for none.
            temperature: 0 to 1; None leaves it to the model.
            effort: How long models think first; None leaves it to them.

        Raises:
            InvalidInputError: the text is too long, or the number is out of range.
            NotFoundError: it is missing or not the owner's.
        """
        cleaned = without_controls(instructions).strip()
        if len(cleaned) > MAX_INSTRUCTIONS_CHARS:
            raise InvalidInputError(
                user_message=f"These instructions have {len(cleaned):,} characters; at most "
                f"{MAX_INSTRUCTIONS_CHARS:,} go along with each message. Shorten them."
            )
        if temperature is not None and not 0 <= temperature <= 1:
            raise InvalidInputError(user_message="Choose a number between 0 and 1.")
        place = conversation_id or self.begin(owner).id
        wanted = effort if effort in get_args(Effort) else None
        self._conversations.change(owner, place, instructions=cleaned, temperature=temperature, effort=wanted)
        return place

    def show_branch(self, owner: UserId, message_id: MessageId) -> None:
        """Show the branch that a version of a message is in, up to its newest message.

        Raises:
            NotFoundError: the message is missing or not the owner's.
        """
        message = self._conversations.message(owner, message_id)
        everything = self._conversations.messages(owner, message.conversation_id)
        self._conversations.change(owner, message.conversation_id, head=branches.leaf(everything, message_id))

    def delete_message(self, owner: UserId, message_id: MessageId) -> None:
        """Delete one of the owner's own messages, all its answers, and what was learned only from it.

        What was said after it stays, and follows what was said before it.

        Raises:
            NotFoundError: it is missing or not the owner's.
            InvalidInputError: it is an answer.
            ConflictError: an answer to it is being stored at this moment.
        """
        message = self._conversations.message(owner, message_id)
        if message.role is not MessageRole.USER:
            raise InvalidInputError(user_message="An answer goes with its message: delete that.")
        self.stop(owner, message.conversation_id)
        everything = self._conversations.messages(owner, message.conversation_id, limit=ALL_MESSAGES)
        parent_of = branches.parents(everything)
        gone = {each.id for each in everything if each.id == message_id or _answers(each, message_id, parent_of)}
        self._memory.withdraw(owner, [message_id])
        for each in everything:
            if each.id not in gone and each.parent in gone:
                self._conversations.update_message(each.model_copy(update={"parent": parent_of[message_id]}))
        self._conversations.change(owner, message.conversation_id, summary=None)
        self._conversations.delete_messages(owner, sorted(gone))

    def delete(self, owner: UserId, conversation_id: ConversationId, *, forget: bool) -> None:
        """Delete a conversation with its messages.

        Args:
            owner: Whose it is.
            conversation_id: Which one.
            forget: Whether to forget the facts that came only from it, too.

        Raises:
            NotFoundError: it is missing or not the owner's.
        """
        self._conversations.get(owner, conversation_id)
        self.stop(owner, conversation_id)
        ids = [message.id for message in self._conversations.messages(owner, conversation_id, limit=ALL_MESSAGES)]
        self._memory.withdraw(owner, ids, derived=forget)
        self._conversations.delete(owner, conversation_id)

    def generation(self, owner: UserId, conversation_id: ConversationId) -> Generation | None:
        """Return the answer that is being written in a conversation, if one is."""
        return self._models.current(owner, conversation_id)

    def stop(self, owner: UserId, conversation_id: ConversationId) -> None:
        """Stop the answer that is being written; what was written stays."""
        running = self._models.current(owner, conversation_id)
        if running:
            running.stop()
            running.wait(5.0)

    def undo(self, owner: UserId, message_id: MessageId, memory_id: MemoryId) -> None:
        """Take back one change that a message made in memory; doing it twice does nothing.

        Raises:
            NotFoundError: the message or the change is missing, or not the owner's.
        """
        message = self._conversations.message(owner, message_id)
        change = next((c for c in message.saved if c.memory_id == memory_id and not c.undone), None)
        if change is None:
            return
        self._memory.undo(owner, change)
        saved = tuple(c.model_copy(update={"undone": True}) if c is change else c for c in message.saved)
        self._conversations.update_message(message.model_copy(update={"saved": saved}))

    def decide(self, owner: UserId, reply_id: MessageId, memory_id: MemoryId, *, forget: bool) -> None:
        """Say whether to forget what a model asked to forget; a second time does nothing.

        Raises:
            NotFoundError: the answer or the memory is missing, or not the owner's.
        """
        reply = self._conversations.message(owner, reply_id)
        asked = next((call for call in reply.tools if call.asks and call.memory_id == memory_id), None)
        if asked is None:
            return
        changes = (*reply.saved, self._memory.forget(owner, memory_id)) if forget else reply.saved
        calls = tuple(c.model_copy(update={"asks": False}) if c is asked else c for c in reply.tools)
        self._conversations.update_message(reply.model_copy(update={"tools": calls, "saved": changes}))

    def mark_interrupted(self) -> int:
        """Mark answers that a stop of the process cut off; called once at start. Return how many."""
        return self._conversations.mark_interrupted()


def _answers(message: Message, asked: MessageId, parent_of: Mapping[MessageId, MessageId]) -> bool:
    return message.role is MessageRole.ASSISTANT and parent_of[message.id] == asked
