"""One turn of a chat: store the message, remember, recall, generate, store the answer.

What must survive is stored first. Memory that fails degrades the answer, with a notice; it never loses the
message. An answer is stored before it is shown as ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from optimus.allowance import Allowance
from optimus.chat_memory import ChatMemory
from optimus.connections import ConnectionService
from optimus.drafts import check_message, new_message, title_of
from optimus.endings import Endings
from optimus.errors import ConflictError, GenerationBusyError, InvalidInputError, ProviderError
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.generations import Generation
from optimus.llm_handler.requests import GenerationResult, ModelChoice, OfflineContext
from optimus.metrics import Metrics
from optimus.models import (
    MAX_TITLE_CHARS,
    Clock,
    Conversation,
    ConversationId,
    MemoryId,
    Message,
    MessageId,
    MessageRole,
    MessageState,
    UserId,
    new_id,
    stable_id,
)
from optimus.prompt import generation_request, unwritten
from optimus.storage.conversations import ConversationRepository
from optimus.storage.events import EventRepository
from optimus.usage import Asked, answer_events, asked, note_answer, written_by

ENDING_S = 0.5
"""An answer is stored before it counts as ended; somebody quick may write again in between."""
HISTORY_MESSAGES = 40
CONTEXT_MESSAGES = 4

_UNFINISHED = (MessageState.STOPPED, MessageState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What sending a message led to."""

    conversation: Conversation
    message: Message
    reply: Message
    notice: str | None = None
    """What could not be done and is worth saying, such as memory that was out of reach."""


class ChatService:
    """Conversations and their turns; every call names the owner and reaches nobody else's."""

    def __init__(
        self,
        *,
        conversations: ConversationRepository,
        events: EventRepository,
        memory: ChatMemory,
        models: ModelGateway,
        connections: ConnectionService,
        allowance: Allowance,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._conversations = conversations
        self._events = events
        self._memory = memory
        self._models = models
        self._connections = connections
        self._allowance = allowance
        self._clock = clock
        self._metrics = metrics
        self._endings: Endings[GenerationResult] = Endings()

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
        """Return the newest messages of a conversation, oldest first."""
        return self._conversations.messages(owner, conversation_id)

    def rename(self, owner: UserId, conversation_id: ConversationId, title: str) -> str:
        """Give a conversation another title; return it as it was stored.

        Raises:
            InvalidInputError: the title is empty.
            NotFoundError: it is missing or not the owner's.
        """
        cleaned = " ".join(title.split())[:MAX_TITLE_CHARS]
        if not cleaned:
            raise InvalidInputError(user_message="Please give the chat a name.")
        self._conversations.rename(owner, conversation_id, cleaned)
        return cleaned

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
        ids = [message.id for message in self._conversations.messages(owner, conversation_id, limit=10_000)]
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

    def send(
        self,
        owner: UserId,
        text: str,
        *,
        conversation_id: ConversationId | None,
        choice: ModelChoice,
        zone: str | None = None,
        attempt: str | None = None,
    ) -> Turn:
        """Store a message, remember what it says, and start the answer.

        Args:
            owner: Who writes.
            text: What they wrote, as typed.
            conversation_id: Where; None begins a new conversation.
            choice: The model that answers.
            zone: Name of the time zone that the writer is in.
            attempt: A random name of what is being sent. Sending the same text once more under it, because the
                first time seemed to fail, is sending it once.

        Raises:
            InvalidInputError: the text is empty, too long or holds control characters.
            GenerationBusyError: an answer is still being written here.
            NotFoundError: the conversation is missing or not the owner's.
            LimitReachedError: the user's messages or tokens of the day are used up.
            StoreError: the message could not be stored.
        """
        cleaned, attempt = check_message(text), attempt or new_id()
        sent = MessageId(stable_id("message", owner, attempt, cleaned))
        earlier = [each for each in self._before(owner, conversation_id) if each.id != sent]
        self._allowance.take(owner, asked(choice, cleaned, earlier, ()))
        conversation = self._open(owner, conversation_id, cleaned, attempt)
        message = new_message(conversation, MessageRole.USER, cleaned, at=self._clock())
        message = message.model_copy(update={"id": sent, "zone": zone})
        message = self._conversations.add_message(message)
        self._metrics.messages.inc()
        message, unsaved = self._remember(message, earlier)
        recalled, unread = self._memory.try_to_recall(message, choice)
        offline = self._memory.context(message, earlier, recalled)
        reply = new_message(conversation, MessageRole.ASSISTANT, "", at=self._clock())
        answer = {"id": MessageId(stable_id("reply", sent)), **unwritten(choice, message.text, offline)}
        reply = reply.model_copy(update=answer)
        self._conversations.touch(owner, conversation.id)
        reply = self._conversations.add_message(reply)
        if reply.state is MessageState.WRITING:
            self._answer(reply, message, earlier, offline, choice)
        return Turn(conversation=conversation, message=message, reply=reply, notice=unsaved or unread)

    def retry(self, owner: UserId, reply_id: MessageId, *, choice: ModelChoice) -> Message:
        """Write an answer again that was stopped or failed; the message before it is neither lost nor doubled.

        Raises:
            NotFoundError: the answer is missing or not the owner's.
            InvalidInputError: it is not an unfinished answer at the end of its conversation.
            GenerationBusyError, LimitReachedError: as for `send`.
        """
        reply = self._conversations.message(owner, reply_id)
        messages = self._before(owner, reply.conversation_id)
        if len(messages) < 2 or messages[-1].id != reply.id or reply.state not in _UNFINISHED:  # noqa: PLR2004 - a pair
            raise InvalidInputError(user_message="Only the last, unfinished answer can be written again.")
        message, earlier = messages[-2], messages[:-2]
        self._allowance.take(owner, asked(choice, message.text, earlier, ()))
        recalled, _ = self._memory.try_to_recall(message, choice)
        offline = self._memory.context(message, earlier, recalled)
        reply = self._conversations.update_message(reply.model_copy(update=unwritten(choice, message.text, offline)))
        self._answer(reply, message, earlier, offline, choice)
        return reply

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

    def mark_interrupted(self) -> int:
        """Mark answers that a stop of the process cut off; called once at start. Return how many."""
        return self._conversations.mark_interrupted()

    def catch_up(self) -> int:
        """Store the answers that ended while the store was away; return how many there were.

        Raises:
            StoreUnavailableError: it is away again.
        """
        return self._endings.catch_up()

    def close(self) -> None:
        """Stop trying to store answers that ended while the store was away."""
        self._endings.close()

    def _before(self, owner: UserId, conversation_id: ConversationId | None) -> list[Message]:
        """Return what was said before, where no answer is being written; one only being put away is waited for."""
        if conversation_id is None:
            return []
        running = self._models.current(owner, conversation_id)
        if running and not running.wait(ENDING_S):
            raise GenerationBusyError
        return self._conversations.messages(owner, conversation_id, limit=HISTORY_MESSAGES)

    def _open(self, owner: UserId, conversation_id: ConversationId | None, text: str, attempt: str) -> Conversation:
        if conversation_id:
            return self._conversations.get(owner, conversation_id)
        now, fresh = self._clock(), ConversationId(stable_id("conversation", owner, attempt))
        conversation = Conversation(id=fresh, user_id=owner, title=title_of(text), created_at=now, updated_at=now)
        self._conversations.create(conversation)
        return conversation

    def _remember(self, message: Message, earlier: Sequence[Message]) -> tuple[Message, str | None]:
        changes, notice = self._memory.try_to_remember(message, before=earlier[-CONTEXT_MESSAGES:])
        if not changes:
            return message, notice
        return self._conversations.update_message(message.model_copy(update={"saved": changes})), notice

    def _answer(
        self,
        reply: Message,
        message: Message,
        earlier: Sequence[Message],
        offline: OfflineContext,
        choice: ModelChoice,
    ) -> None:
        given = asked(choice, message.text, earlier, offline.recalled)
        try:
            credentials = self._connections.credentials(reply.user_id, choice)
            request = generation_request(reply, message.text, earlier, offline, credentials)
            request = request.model_copy(update=self._connections.line_up(reply.user_id, choice))
            self._models.start(request, partial(self._endings.store, partial(self._finish, reply, message, given)))
        except ProviderError as error:
            failed = GenerationResult(text="", state=MessageState.FAILED, error=error.user_message)
            self._finish(reply, message, given, failed)

    def _finish(self, reply: Message, message: Message, given: Asked, result: GenerationResult) -> None:
        """Store how the answer ended; runs before anyone sees it as ended, and again where the store went away."""
        ended = written_by(result)
        ended |= {"text": result.text, "state": result.state, "error": result.error, "usage": result.usage}
        try:
            self._conversations.update_message(reply.model_copy(update=ended))
        except ConflictError:
            if self._conversations.message(reply.user_id, reply.id).text != result.text:
                raise
        at = self._clock()
        for event in answer_events(reply, given, result, at=at):
            self._events.append(event)
        self._allowance.settle(reply.user_id, given, result)
        note_answer(self._metrics, given, result)
        if result.state is not MessageState.FAILED:
            self._memory.note_use(reply, at=at)
        self._memory.look_further(message, given.choice)
