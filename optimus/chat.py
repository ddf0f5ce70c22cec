"""One turn of a chat: store the message, remember, recall, generate, store the answer.

What must survive is stored first. Memory that fails degrades the answer, with a notice; it never loses the
message. An answer is stored before it is shown as ended.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from optimus.allowance import Allowance
from optimus.answering import AnswerWriter, Task
from optimus.attachments import Upload, attachments_of
from optimus.branches import has_older, path
from optimus.chat_memory import CONTEXT_MESSAGES, ChatMemory
from optimus.conversations import ConversationService
from optimus.costs import Asked, asked
from optimus.drafts import NEW_CHAT, check_message, following, new_message, new_reply, reply_id, title_of
from optimus.errors import GenerationBusyError, InvalidInputError, OptimusError
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import ModelChoice
from optimus.metrics import Metrics
from optimus.models import (
    ROOT,
    Clock,
    Conversation,
    ConversationId,
    Message,
    MessageId,
    MessageRole,
    MessageState,
    UserId,
    new_id,
    stable_id,
)
from optimus.prompt import estimated_tokens, unwritten
from optimus.routing import Router
from optimus.storage.conversations import ALL_MESSAGES, ConversationRepository
from optimus.storage.failpoints import reached

ENDING_S = 0.5
"""An answer is stored before it counts as ended; somebody quick may write again in between."""
HISTORY_MESSAGES = 150
"""Messages that are looked at; how many of them go along is decided by their tokens."""
ONLY_FILES = "Have a look at this."
"""What is asked where files are sent without a word."""

_log = logging.getLogger(__name__)
_UNFINISHED = (MessageState.STOPPED, MessageState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What sending a message led to."""

    conversation: Conversation
    message: Message
    reply: Message
    notice: str | None = None
    """What could not be done and is worth saying, such as memory that was out of reach."""


class ChatService(ConversationService):
    """Conversations and their turns; every call names the owner and reaches nobody else's."""

    def __init__(
        self,
        *,
        conversations: ConversationRepository,
        memory: ChatMemory,
        models: ModelGateway,
        writer: AnswerWriter,
        router: Router,
        allowance: Allowance,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        super().__init__(conversations=conversations, memory=memory, models=models, clock=clock)
        self._writer = writer
        self._router = router
        self._allowance = allowance
        self._metrics = metrics

    def send(
        self,
        owner: UserId,
        text: str,
        *,
        conversation_id: ConversationId | None,
        choice: ModelChoice,
        zone: str | None = None,
        attempt: str | None = None,
        files: Sequence[Upload] = (),
    ) -> Turn:
        """Store a message, remember what it says, and start the answer.

        Args:
            owner: Who writes.
            text: What they wrote, as typed.
            conversation_id: Where; None begins a new conversation.
            choice: The model that answers.
            zone: Name of the time zone that the writer is in.
            files: Files to go along; without a text they are asked about.
            attempt: A random name of what is being sent. Sending the same text once more under it, because the
                first time seemed to fail, is sending it once.

        Raises:
            InvalidInputError: the text is empty, too long or holds control characters.
            GenerationBusyError: an answer is still being written here.
            NotFoundError: the conversation is missing or not the owner's.
            LimitReachedError: the user's messages or tokens of the day or the minute are used up.
            StoreError: the message could not be stored.
        """
        attached = attachments_of(files)
        cleaned = check_message(text if text.strip() or not attached else ONLY_FILES)
        attempt = attempt or new_id()
        sent = MessageId(stable_id("message", owner, attempt, cleaned))
        earlier = [each for each in self._before(owner, conversation_id) if each.id not in (sent, reply_id(sent))]
        choice = self._router.resolve(owner, choice, cleaned, earlier, attached)
        taken = asked(choice, cleaned, self._writer.along(earlier, choice), (), files=attached)
        taken = self._allowance.take(owner, taken)
        conversation = self._open(owner, conversation_id, cleaned, attempt)
        message = new_message(conversation, MessageRole.USER, cleaned, at=following(self._clock(), earlier))
        parent = earlier[-1].id if earlier else ROOT
        placed = {"id": sent, "zone": zone, "parent": parent, "attachments": attached}
        return self._take_turn(message.model_copy(update=placed), earlier, taken)

    def edit(
        self, owner: UserId, message_id: MessageId, text: str, *, choice: ModelChoice, zone: str | None = None
    ) -> Turn:
        """Say one of one's own messages otherwise: a branch of the conversation begins there.

        The old message keeps its branch, which can be shown again; what was learned only from it is withdrawn.

        Raises:
            NotFoundError: the message is missing or not the owner's.
            InvalidInputError: it is an answer, or the text cannot be sent.
            GenerationBusyError, LimitReachedError, StoreError: as for `send`.
        """
        cleaned, old = check_message(text), self._conversations.message(owner, message_id)
        if old.role is not MessageRole.USER:
            raise InvalidInputError(user_message="Only your own messages can be changed.")
        self._before(owner, old.conversation_id)
        everything = self._conversations.messages(owner, old.conversation_id, limit=ALL_MESSAGES)
        earlier = path(everything, old.id)[:-1][-HISTORY_MESSAGES:]
        files = old.attachments
        choice = self._router.resolve(owner, choice, cleaned, earlier, files)
        taken = asked(choice, cleaned, self._writer.along(earlier, choice), (), files=files)
        taken = self._allowance.take(owner, taken)
        conversation = self._conversations.get(owner, old.conversation_id)
        at = following(self._clock(), everything)
        message = new_message(conversation, MessageRole.USER, cleaned, at=at)
        parent = earlier[-1].id if earlier else ROOT
        sent = MessageId(stable_id("edit", old.id, cleaned))
        message = message.model_copy(update={"id": sent, "zone": zone, "parent": parent, "attachments": files})
        message, _ = self._conversations.add_turn(message, new_reply(message, model=str(choice.ref), routed=choice.why))
        self._memory.withdraw(owner, [old.id])
        undone = tuple(change.model_copy(update={"undone": True}) for change in old.saved)
        self._conversations.update_message(old.model_copy(update={"saved": undone}))
        return self._take_turn(message, earlier, taken)

    def _take_turn(self, message: Message, earlier: Sequence[Message], taken: Asked) -> Turn:
        """Store a message, unless it is there already, and start its answer; see `send`.

        An answer that is stored as being written says after a crash that its turn was cut off: see `mark_interrupted`.
        """
        owner, choice = message.user_id, taken.choice
        message, reply = self._conversations.add_turn(
            message, new_reply(message, model=str(choice.ref), routed=choice.why)
        )
        reached("send.stored")
        self._metrics.messages.inc()
        message, unsaved = self._remember(message, earlier)
        reached("send.remembered")
        conversation = self._conversations.get(owner, message.conversation_id)
        if conversation.head:
            self._conversations.change(owner, conversation.id, head=None)
        recalled = self._memory.try_to_recall(message, choice)
        offline = self._memory.context(message, earlier, recalled)
        self._conversations.touch(owner, conversation.id)
        reached("send.touched")
        if reply.state is MessageState.WRITING:
            answer = unwritten(choice, message.text, offline)
            reply = self._conversations.update_message(reply.model_copy(update=answer))
            reached("send.asked")
            self._writer.write(
                Task(reply=reply, message=message, earlier=earlier, recalled=recalled, offline=offline, taken=taken)
            )
        return Turn(conversation=conversation, message=message, reply=reply, notice=unsaved or recalled.notice)

    def estimate(self, owner: UserId, conversation_id: ConversationId | None, *, choice: ModelChoice) -> Asked:
        """Return what would go along with a next message; its own tokens and memories come on top.

        Raises:
            NotFoundError: the conversation is missing or not the owner's.
        """
        earlier = self.messages(owner, conversation_id)[-HISTORY_MESSAGES:] if conversation_id else []
        choice = self._router.resolve(owner, choice, "", earlier)
        along = self._writer.along(earlier, choice)
        has_tools = self._memory.offers_tools(owner) and self._models.takes_tools(choice.ref)
        if conversation_id is None:
            return asked(choice, "", along, (), has_tools=has_tools)
        conversation = self._conversations.get(owner, conversation_id)
        is_cut = len(along) < len(earlier) or has_older(earlier)
        summary = conversation.summary.text if conversation.summary and is_cut else ""
        measured = asked(choice, "", along, (), own=conversation.instructions, has_tools=has_tools)
        return replace(measured, summary_tokens=estimated_tokens(summary))

    def retry(self, owner: UserId, reply_id: MessageId, *, choice: ModelChoice) -> Message:
        """Write the last answer again; the message before it is neither lost nor doubled.

        One that was stopped or failed with nothing to show is written anew; any other stays as an earlier version of
        the answer, so that what arrived, and what its model did to memory, is not lost if the next try fails.

        Raises:
            NotFoundError: the answer is missing or not the owner's.
            InvalidInputError: it is not an answer at the end of what is shown.
            GenerationBusyError, LimitReachedError: as for `send`.
        """
        reply = self._conversations.message(owner, reply_id)
        messages = self._before(owner, reply.conversation_id)
        if len(messages) < 2 or messages[-1].id != reply.id or reply.role is MessageRole.USER:  # noqa: PLR2004 - a pair
            raise InvalidInputError(user_message="Only the last answer can be written again.")
        message, earlier = messages[-2], messages[:-2]
        files = message.attachments
        choice = self._router.resolve(owner, choice, message.text, earlier, files)
        taken = asked(choice, message.text, self._writer.along(earlier, choice), (), files=files)
        taken = self._allowance.take(owner, taken)
        recalled = self._memory.try_to_recall(message, choice)
        offline = self._memory.context(message, earlier, recalled)
        anew = unwritten(choice, message.text, offline)
        if reply.state in _UNFINISHED and not (reply.text or reply.tools):
            reply = self._conversations.update_message(reply.model_copy(update=anew))
        else:
            conversation = self._conversations.get(owner, reply.conversation_id)
            at = following(self._clock(), messages)
            fresh = new_message(conversation, MessageRole.ASSISTANT, "", at=at)
            fresh = fresh.model_copy(update={"parent": message.id, **anew})
            reply = self._conversations.add_message(fresh)
            self._conversations.change(owner, conversation.id, head=None)
        task = Task(reply=reply, message=message, earlier=earlier, recalled=recalled, offline=offline, taken=taken)
        self._writer.write(task)
        return reply

    def catch_up(self) -> int:
        """Store the answers that ended while the store was away; return how many there were.

        Raises:
            StoreUnavailableError: it is away again.
        """
        return self._writer.endings.catch_up()

    def mark_interrupted(self) -> int:
        """End the turns that a stop of the process cut off; called once at start. Return how many there were.

        Their messages are remembered and queued to be looked through, as those of answers that somebody stopped.
        """
        for reply in self._conversations.interrupted():
            try:
                self._writer.take_up(reply)
            except OptimusError as error:
                _log.error("a turn could not be taken up: %s", type(error).__name__)
        return super().mark_interrupted()

    def close(self) -> None:
        """Stop trying to store answers that ended while the store was away."""
        self._writer.endings.close()

    def _before(self, owner: UserId, conversation_id: ConversationId | None) -> list[Message]:
        """Return what was said before, where no answer is being written; one only being put away is waited for."""
        if conversation_id is None:
            return []
        running = self._models.current(owner, conversation_id)
        if running and not running.wait(ENDING_S):
            raise GenerationBusyError
        return self.messages(owner, conversation_id)[-HISTORY_MESSAGES:]

    def _open(self, owner: UserId, conversation_id: ConversationId | None, text: str, attempt: str) -> Conversation:
        if conversation_id:
            found = self._conversations.get(owner, conversation_id)
            if found.title == NEW_CHAT:
                self._conversations.change(owner, found.id, title=title_of(text))
            return found
        now, fresh = self._clock(), ConversationId(stable_id("conversation", owner, attempt))
        conversation = Conversation(id=fresh, user_id=owner, title=title_of(text), created_at=now, updated_at=now)
        self._conversations.create(conversation)
        reached("send.opened")
        return conversation

    def _remember(self, message: Message, earlier: Sequence[Message]) -> tuple[Message, str | None]:
        changes, notice = self._memory.try_to_remember(message, before=earlier[-CONTEXT_MESSAGES:])
        if not changes:
            return message, notice
        return self._conversations.update_message(message.model_copy(update={"saved": changes})), notice
