"""The writing of one answer: what its model is given and not given, and how its end is stored."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from optimus.allowance import Allowance
from optimus.branches import path
from optimus.chat_memory import CONTEXT_MESSAGES, ChatMemory, Recalled
from optimus.connections import ConnectionService
from optimus.costs import Asked, asked
from optimus.endings import Endings
from optimus.errors import ConflictError, OptimusError
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import (
    OFFLINE_MODEL,
    GenerationRequest,
    GenerationResult,
    ModelChoice,
    ModelTarget,
    OfflineContext,
)
from optimus.memory_tools import AnswerTools
from optimus.metrics import Metrics
from optimus.models import Clock, MemoryId, Message, MessageState, Withheld
from optimus.prompt import estimated_tokens, generation_request, guided, history_budget, trimmed
from optimus.storage.conversations import ALL_MESSAGES, ConversationRepository
from optimus.storage.events import EventRepository
from optimus.storage.failpoints import reached
from optimus.summaries import LeftOut, SummaryKeeper
from optimus.usage import answer_events, note_answer, parts_of, written_by

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One answer to be written."""

    reply: Message
    message: Message
    """What it answers."""
    earlier: Sequence[Message]
    recalled: Recalled
    offline: OfflineContext
    taken: Asked
    """What was counted for it before its message was stored."""

    @property
    def choice(self) -> ModelChoice:
        """The model that is asked."""
        return self.taken.choice


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What an answer's model was given, and what was kept from it."""

    asked: Asked
    taken: Asked
    """What was counted against the limits."""
    tools: AnswerTools | None
    withheld: Sequence[MemoryId]
    unsent: int
    """Earlier messages that were kept back."""
    left_out: LeftOut = field(default_factory=LeftOut)
    """Earlier messages that were too much."""


class AnswerWriter:
    """Has models write answers, and stores how each ended before anybody sees it as ended."""

    def __init__(
        self,
        *,
        conversations: ConversationRepository,
        events: EventRepository,
        memory: ChatMemory,
        models: ModelGateway,
        connections: ConnectionService,
        summaries: SummaryKeeper,
        allowance: Allowance,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._conversations = conversations
        self._events = events
        self._memory = memory
        self._models = models
        self._connections = connections
        self._summaries = summaries
        self._allowance = allowance
        self._clock = clock
        self._metrics = metrics
        self.endings: Endings[GenerationResult] = Endings()

    def along(self, earlier: Sequence[Message], choice: ModelChoice) -> list[Message]:
        """Return the earlier messages that a model has room for."""
        return trimmed(earlier, history_budget(choice, self._models.history_tokens))

    def write(self, task: Task) -> None:
        """Begin to write an answer whose message is stored; what hinders it becomes the answer's failure."""
        given = _Given(asked=Asked.nothing(task.choice), taken=task.taken, tools=None, withheld=(), unsent=0)
        try:
            request, given = self._gather(task)
            self._models.start(request, partial(self.endings.store, partial(self._finish, task, given)))
        except OptimusError as error:
            failed = GenerationResult(text="", state=MessageState.FAILED, error=error.user_message)
            self._finish(task, given, failed)

    def take_up(self, reply: Message) -> None:
        """Do for a turn that a crash cut off what its end would have done; what was done before is not done again.

        Raises:
            StoreError: it cannot be done now.
        """
        messages = self._conversations.messages(reply.user_id, reply.conversation_id, limit=ALL_MESSAGES)
        *earlier, message, _ = path(messages, reply.id)
        if not message.saved:
            saved, _ = self._memory.try_to_remember(message, before=earlier[-CONTEXT_MESSAGES:])
            if saved:
                message = self._conversations.update_message(message.model_copy(update={"saved": saved}))
        offered = self._connections.choices(reply.user_id)
        choice = next((each for each in offered if str(each.ref) == reply.model), None)
        if choice is not None:
            self._memory.look_further(message, choice)

    def _gather(self, task: Task) -> tuple[GenerationRequest, _Given]:
        """Put together what an answer is written from, without what its model never gets."""
        reply, choice, files = task.reply, task.choice, task.message.attachments
        conversation = self._conversations.get(reply.user_id, reply.conversation_id)
        fitting = self.along(task.earlier, choice)
        left_out = self._summaries.left_out(task.earlier, fitting)
        unsent = self._memory.unsent_messages(reply.user_id, fitting, choice)
        along = [message for message in fitting if message.id not in unsent]
        summary = self._summaries.usable(conversation, left_out, choice)
        line_up = self._connections.line_up(reply.user_id, choice)
        told = self._summaries.told(conversation, left_out) if summary else ()
        others = self._standing_in(task, along, told, line_up["fallbacks"])
        bounds = self._allowance.of_one_answer(reply.user_id)
        tools = self._memory.tools(task.message, choice, others, most_calls=bounds.calls)
        own, memories = conversation.instructions, task.offline.recalled
        has_tools = tools is not None and self._models.takes_tools(choice.ref)
        measured = asked(choice, task.message.text, along, memories, own=own, files=files, has_tools=has_tools)
        measured = replace(measured, left_out=len(left_out.messages), summary_tokens=estimated_tokens(summary))
        taken = self._allowance.top_up(reply.user_id, task.taken, measured)
        withheld = [memory.id for memory in task.recalled.withheld]
        given = _Given(
            asked=measured, taken=taken, tools=tools, withheld=withheld, unsent=len(unsent), left_out=left_out
        )
        credentials = self._connections.credentials(reply.user_id, choice)
        request = generation_request(reply, task.message.text, along, task.offline, credentials)
        more: dict[str, object] = {
            "tools": tools,
            "bounds": bounds,
            "summary": summary,
            "attachments": files,
            "sees": self._connections.sees(reply.user_id, choice.ref),
        }
        affordable = (other for other in others if self._allowance.affords(reply.user_id, taken, other))
        more |= {**line_up, "fallbacks": tuple(affordable)}
        return guided(request, conversation).model_copy(update=more), given

    def _standing_in(
        self, task: Task, along: Sequence[Message], told: Sequence[Message], others: Sequence[ModelTarget]
    ) -> tuple[ModelTarget, ...]:
        """Return the fallbacks that may be given what the chosen model is given; `told` stands in the summary."""
        may = self._memory.may_stand_in
        files = [each for message in (*along, task.message) for each in message.attachments]
        seen, read = any(f.kind == "image" for f in files), any(f.kind == "pdf" and not f.words for f in files)
        reads_pdf = self._models.catalogue.reads_pdf
        able = [o for o in others if not seen or self._connections.sees(task.reply.user_id, o.model)]
        able = [other for other in able if not read or reads_pdf(other.model.provider)]
        said = [*told, *along]
        return tuple(other for other in able if may(other, task.recalled, said, task.message))

    def _finish(self, task: Task, given: _Given, result: GenerationResult) -> None:
        """Store how the answer ended; runs before anyone sees it as ended, and again where the store went away."""
        reply, measured, tools = task.reply, given.asked, given.tools
        if tools:
            tools.close()
        ended = written_by(result)
        ended |= {"text": result.text, "state": result.state, "error": result.error, "usage": result.usage}
        ended["thinking"] = result.thinking
        ended["parts"] = None if measured.choice.ref == OFFLINE_MODEL else parts_of(measured)
        ended["withheld"] = _withheld(given)
        done = {"tools": tuple(tools.calls), "saved": tuple(tools.changes)} if tools else {}
        at = self._clock()
        self._prepare_end(task, measured, result, at)
        try:
            self._conversations.update_message(reply.model_copy(update=ended | done))
        except ConflictError:
            if self._conversations.message(reply.user_id, reply.id).text != result.text:
                raise
        reached("answer.stored")
        self._allowance.settle(reply.user_id, given.taken, result)
        note_answer(self._metrics, measured, result)
        _log_call(measured, result)
        if result.state is not MessageState.FAILED:
            self._memory.note_use(reply, at=at)
        if result.state is MessageState.COMPLETE and given.left_out.messages:
            self._summaries.renew(reply, given.left_out, measured.choice)

    def _prepare_end(self, task: Task, measured: Asked, result: GenerationResult, at: datetime) -> None:
        """Store what follows from an answer's end before the end itself: what crashes between them is taken up again.

        Raises:
            NotFoundError: the answer is gone, and nothing of it is stored.
        """
        self._conversations.message(task.reply.user_id, task.reply.id)
        self._memory.look_further(task.message, measured.choice)
        reached("answer.queued")
        for event in answer_events(task.reply, measured, result, at=at):
            self._events.append(event)
        reached("answer.counted")


def _withheld(given: _Given) -> Withheld | None:
    """Return what is told under the answer of what its model did not get; None where it got everything."""
    memories = {*given.withheld, *(given.tools.withheld if given.tools else ())}
    if not (memories or given.unsent):
        return None
    return Withheld(to=given.asked.choice.provider_title, memories=len(memories), messages=given.unsent)


def _log_call(given: Asked, result: GenerationResult) -> None:
    """Log a call without anything of its content."""
    model = result.target.model if result.target else given.choice.ref
    took, usage = result.usage.duration_ms, result.usage
    words = "model call: %s, %s, %d tokens in, %d out, %d memories, %.0f ms"
    _log.info(words, model, result.state, usage.input_tokens, usage.output_tokens, given.memories, took or 0.0)
