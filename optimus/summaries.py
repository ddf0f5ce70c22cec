"""The running summary of a long chat: what no longer fits into the prompt, in short.

It is made after an answer, in the background, by the model of the chat, and kept sealed with the conversation. Where
there is none, because no model could make it or its messages changed since, the oldest messages are just left out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from itertools import accumulate
from typing import NamedTuple

from optimus.allowance import ExtractionLedger
from optimus.branches import has_older, path
from optimus.chat_memory import ChatMemory
from optimus.connections import ConnectionService
from optimus.errors import OptimusError
from optimus.llm_handler.prices import cost_usd
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelChoice, PromptTurn
from optimus.llm_handler.summaries import MESSAGE_CHARS, Summarizer, SummaryRequest
from optimus.models import Clock, Conversation, ConversationId, Message, MessageId, Summary, Usage, UserId
from optimus.storage.conversations import ConversationRepository
from optimus.usage import SUMMARY, extraction_event

MOST_TOLD = 5_000
"""In a longer chat nobody can tell soon of what a summary tells, so none is given."""
LEAST_NEW = 4
"""Messages that have to be left out anew before a summary is made again."""
MOST_READ_BYTES = 48_000
"""So much is read for one summary, some 12,000 tokens; what is left follows with the next one."""
MOST_UNTOLD = 1_000
"""Messages that a summary leaves out for its reader; with more of them none is made."""
_log = logging.getLogger(__name__)


class LeftOut(NamedTuple):
    """What of a conversation does not go along with a message."""

    messages: Sequence[Message] = ()
    """The oldest first."""
    is_all: bool = True
    """Whether it begins with the conversation, however old that is."""


class SummaryKeeper:
    """Keeps the summaries of long chats and says which part of one may go along."""

    def __init__(
        self,
        *,
        conversations: ConversationRepository,
        memory: ChatMemory,
        connections: ConnectionService,
        summarizer: Summarizer,
        ledger: ExtractionLedger,
        clock: Clock,
    ) -> None:
        self._conversations = conversations
        self._memory = memory
        self._connections = connections
        self._summarizer = summarizer
        self._ledger = ledger
        self._clock = clock
        self.pending: set[Future[None]] = set()
        """What is being made."""

    def usable(self, conversation: Conversation, left_out: LeftOut, choice: ModelChoice) -> str:
        """Return the summary of what is left out, if there is one that the model may get; else nothing.

        One that covers a message of another branch, or one that is never sent to the model, does not count.

        Raises:
            StoreError: it cannot be told, so nothing may be sent.
        """
        told = self.told(conversation, left_out)
        if not told or self._memory.unsent_messages(conversation.user_id, told, choice):
            return ""
        return conversation.summary.text if conversation.summary else ""

    def told(self, conversation: Conversation, left_out: LeftOut) -> Sequence[Message]:
        """Return the messages that a chat's summary tells of; none where that cannot be told."""
        covered = _covered(conversation.summary, left_out.messages) if left_out.is_all else ()
        return [each for each in covered if conversation.summary and each.id not in conversation.summary.untold]

    def left_out(self, earlier: Sequence[Message], fitting: Sequence[Message]) -> LeftOut:
        """Return the messages of a chat that do not go along, also those older than the `earlier` that were looked at.

        Raises:
            StoreError: the store does not answer.
        """
        is_all = True
        if has_older(earlier):
            newest = earlier[-1]
            said = self._conversations.messages(newest.user_id, newest.conversation_id, limit=MOST_TOLD)
            earlier, is_all = path(said, newest.id), len(said) < MOST_TOLD
        return LeftOut(earlier[: len(earlier) - len(fitting)], is_all)

    def renew(self, reply: Message, left_out: LeftOut, choice: ModelChoice) -> None:
        """Begin a summary of what was left out of an answer, if enough of it is new; it never raises ours."""
        owner, place = reply.user_id, reply.conversation_id
        if choice.ref == OFFLINE_MODEL or not left_out.is_all:
            return
        try:
            conversation = self._conversations.get(owner, place)
            before = conversation.summary if self.usable(conversation, left_out, choice) else None
            known = _covered(before, left_out.messages)
            fresh = left_out.messages[len(known) :]
            if len(fresh) < LEAST_NEW:
                return
            self._ledger.allowance.require(owner)
            fresh = _readable(fresh)
            unsent = self._memory.unsent_messages(owner, fresh, choice)
            turns = tuple(PromptTurn(role=m.role, text=m.text) for m in fresh if m.text and m.id not in unsent)
            untold = (*(before.untold if before else ()), *(m.id for m in fresh if m.id in unsent))
            covered = [m.id for m in (*known, *fresh)]
            if not turns or len(untold) > MOST_UNTOLD:
                return
            request = SummaryRequest(
                model=choice.ref,
                credentials=self._connections.credentials(owner, choice),
                connection_id=choice.connection_id,
                so_far=before.text if before else "",
                messages=turns,
            )
            done = self._summarizer.ask(request, partial(self._store, owner, place, choice, covered, untold))
        except OptimusError as error:
            _log.info("a chat was not summarized: %s", type(error).__name__)
            return
        self.pending.add(done)
        done.add_done_callback(self._ended)

    def _store(
        self,
        owner: UserId,
        place: ConversationId,
        choice: ModelChoice,
        covered: Sequence[MessageId],
        untold: tuple[MessageId, ...],
        text: str,
        usage: Usage,
    ) -> None:
        """Count what a summary took, and keep it unless one of its messages was deleted meanwhile."""
        cost = cost_usd(choice.ref, usage, is_local=choice.is_local)
        event = extraction_event(
            owner, model=str(choice.ref), messages=covered, usage=usage, cost=cost, failed=not text, at=self._clock()
        ).model_copy(update={"kind": SUMMARY})
        self._ledger.record(owner, event, choice.ref, usage, cost)
        if text and len(self._conversations.owned(owner, covered)) == len(covered):
            summary = Summary(text=text, upto=covered[-1], untold=untold)
            self._conversations.change(owner, place, summary=summary.model_dump(mode="json"))

    def _ended(self, done: Future[None]) -> None:
        self.pending.discard(done)
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.info("a chat was not summarized: %s", type(error).__name__)


def _covered(summary: Summary | None, left_out: Sequence[Message]) -> Sequence[Message]:
    """Return those of the messages that a summary tells; none where it belongs to another branch."""
    ids = [message.id for message in left_out]
    return left_out[: ids.index(summary.upto) + 1] if summary and summary.upto in ids else ()


def _readable(messages: Sequence[Message]) -> Sequence[Message]:
    """Return the oldest of the messages, as many as are read at once."""
    sizes = accumulate(len(message.text[:MESSAGE_CHARS].encode(errors="replace")) for message in messages)
    return messages[: max(1, sum(size <= MOST_READ_BYTES for size in sizes))]
