"""Memory as a chat may use it: what the user switched off is neither kept nor looked up."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from optimus.errors import OptimusError
from optimus.llm_handler.offline.question import search_text
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelChoice, ModelTarget, OfflineContext
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.wording import is_small_talk
from optimus.memory_tools import AnswerTools
from optimus.models import ChangeKind, Memory, MemoryChange, MemoryId, Message, MessageId, RecalledMemory, UserId
from optimus.preferences import PreferenceService
from optimus.prompt import BYTES_PER_TOKEN, MAX_MEMORIES, WHOLE_TOKENS, offline_context, within_budget
from optimus.storage.records import MAX_RECALLED
from optimus.withholding import Withholding

CONTEXT_MESSAGES = 4
"""How many messages before one tell what it is about."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What an answer may be made from."""

    given: Sequence[RecalledMemory] = ()
    withheld: Sequence[Memory] = ()
    """What bears on the message, too, but is never sent to its model."""
    notice: str | None = None
    """What to tell the user where memory was out of reach."""

    @property
    def all(self) -> list[Memory]:
        """What would go along if nothing were withheld."""
        return [*(each.memory for each in self.given), *self.withheld]


class LookQueue(Protocol):
    """Where messages wait until a model looks through them for more than the rules found."""

    def enqueue(self, message: Message, chat: ModelChoice) -> None:
        """Queue a message that `chat` answered; again is once."""

    def drop(self, owner: UserId, messages: Collection[MessageId]) -> None:
        """Forget what waits of messages that are deleted."""


class ChatMemory:
    """Stands between a chat and the memory engine, and honours the owner's preferences at each call.

    Taking back and withdrawing are always possible. Every method may raise what the engine's own raises.
    """

    def __init__(
        self, *, memory: MemoryManager, preferences: PreferenceService, queue: LookQueue, withholding: Withholding
    ) -> None:
        self._memory = memory
        self._preferences = preferences
        self._queue = queue
        self._withholding = withholding

    def remember(self, message: Message, *, before: Sequence[Message] = ()) -> tuple[MemoryChange, ...]:
        """Keep what a message says, unless its writer switched that off.

        What was said while it was off is no context for later messages either.
        """
        chosen = self._preferences.of(message.user_id)
        if not chosen.remembers:
            return ()
        since = chosen.remembers_since
        around = [earlier for earlier in before if since is None or earlier.created_at >= since]
        return self._memory.remember(message.user_id, message, before=around, never=chosen.never_store)

    def try_to_remember(
        self, message: Message, *, before: Sequence[Message] = ()
    ) -> tuple[tuple[MemoryChange, ...], str | None]:
        """Keep what a message says; when memory is out of reach the chat goes on, and the second part says so."""
        try:
            return self.remember(message, before=before), None
        except OptimusError as error:
            _log.exception("a message could not be remembered")
            return (), f"This message was not remembered. {error.user_message}"

    def try_to_recall(self, message: Message, choice: ModelChoice) -> Recalled:
        """Return what an answer may be made from; when memory is out of reach, nothing, and a sentence on it."""
        owner = message.user_id
        try:
            found = self.recall(message, limit=MAX_MEMORIES, for_model=choice.ref != OFFLINE_MODEL)
            memories = [each.memory for each in found]
            unsent = self._withholding.unsent(owner, memories, [self._withholding.receiver(choice)])
        except OptimusError as error:
            _log.exception("nothing could be recalled for a message")
            return Recalled(notice=f"This message was answered without memory. {error.user_message}")
        given = [each for each in found if each.memory.id not in unsent]
        return Recalled(given=given, withheld=[memory for memory in memories if memory.id in unsent])

    def recall(self, message: Message, *, limit: int, for_model: bool = False) -> list[RecalledMemory]:
        """Return what is known and bears on a message, as much as its writer and the prompt's share let in.

        For a language model, all that is known comes along as long as it is little: what bears on the message first.

        Args:
            message: What was written.
            limit: How many at most, where it is not little.
            for_model: Whether a language model reads it; the offline assistant quotes only what matches.
        """
        chosen = self._preferences.of(message.user_id)
        if not (chosen.recalls and chosen.max_memories):
            return []
        text, at_most = search_text(message.text), min(limit, chosen.max_memories)
        found = self._memory.recall(message.user_id, text, limit=at_most, exclude_message=message.id)
        if not for_model or chosen.max_memories < MAX_RECALLED or is_small_talk(message.text):
            return within_budget(found)
        return within_budget([*found, *self._rest(message, found)], is_all=True)

    def _rest(self, message: Message, found: Sequence[RecalledMemory]) -> list[RecalledMemory]:
        """Return what else is known, where all of it is little."""
        chars = WHOLE_TOKENS * BYTES_PER_TOKEN
        known = self._memory.all_within(message.user_id, chars, exclude_message=message.id) or ()
        given = {each.memory.id for each in found}
        return [RecalledMemory(memory=memory, score=0.0) for memory in known if memory.id not in given]

    def context(self, message: Message, earlier: Sequence[Message], recalled: Recalled) -> OfflineContext:
        """Return what an answer is made from, and what of memory its reader has switched off."""
        chosen = self._preferences.of(message.user_id)
        return offline_context(message, earlier, recalled.given).model_copy(
            update={
                "keeps": chosen.remembers,
                "keeps_all": chosen.remembers and not chosen.never_store,
                "looks_up": chosen.recalls and chosen.max_memories > 0,
            }
        )

    def tools(
        self, message: Message, choice: ModelChoice, others: Sequence[ModelTarget] = (), *, most_calls: int
    ) -> AnswerTools | None:
        """Return what a model may do to memory while it answers a message; None where its writer lets it do nothing.

        What `others` may not get, who may have to answer in its place, the tools do not tell either.
        """
        chosen = self._preferences.of(message.user_id)
        if choice.ref == OFFLINE_MODEL or not chosen.offers_tools:
            return None
        receivers = [self._withholding.receiver(choice), *map(self._withholding.receiver, others)]
        unsent = partial(self._withholding.unsent, message.user_id, receivers=receivers)
        return AnswerTools(memory=self._memory, message=message, chosen=chosen, unsent=unsent, most_calls=most_calls)

    def offers_tools(self, owner: UserId) -> bool:
        """Tell whether a language model that writes to an owner is offered `tools`."""
        return self._preferences.of(owner).offers_tools

    def unsent_messages(self, owner: UserId, messages: Sequence[Message], choice: ModelChoice) -> set[MessageId]:
        """Return those of a chat's messages that are never sent to a model; see `Withholding.unsent_messages`."""
        return self._withholding.unsent_messages(owner, messages, self._withholding.receiver(choice))

    def may_stand_in(self, other: ModelTarget, recalled: Recalled, along: Sequence[Message], message: Message) -> bool:
        """Tell whether a model may be given what was gathered for another one."""
        receiver, owner = self._withholding.receiver(other), message.user_id
        given = [each.memory for each in recalled.given]
        if self._withholding.unsent(owner, given, [receiver]):
            return False
        return not self._withholding.unsent_messages(owner, along, receiver)

    def forget(self, owner: UserId, memory_id: MemoryId) -> MemoryChange:
        """Forget a memory because its owner said so under an answer; return what Undo takes back."""
        memory = self._memory.forget(owner, memory_id)
        return MemoryChange(kind=ChangeKind.FORGET, memory_id=memory_id, text=memory.text, version=memory.version)

    def note_use(self, answer: Message, *, at: datetime) -> None:
        """Count which memories an answer was given; an answer is never lost for it."""
        try:
            self._memory.note_use(answer, at=at)
        except OptimusError:
            _log.exception("the use of memories could not be counted")

    def undo(self, owner: UserId, change: MemoryChange) -> None:
        """Take one change back; see `MemoryManager.undo`."""
        self._memory.undo(owner, change)

    def withdraw(self, owner: UserId, message_ids: Sequence[MessageId], *, derived: bool = True) -> None:
        """Follow the deletion of messages; see `MemoryManager.withdraw`."""
        self._queue.drop(owner, message_ids)
        self._memory.withdraw(owner, message_ids, derived=derived)

    def look_further(self, message: Message, chat: ModelChoice) -> None:
        """Let a model look through a message later, as its writer chose."""
        self._queue.enqueue(message, chat)
