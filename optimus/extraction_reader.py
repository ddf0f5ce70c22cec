"""One look of a model through messages of a conversation: what it is sent, and what memory makes of its findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from optimus.branches import path
from optimus.errors import ConflictError, NotFoundError
from optimus.extraction_batch import Batch, Reach, proposal_of, when_written
from optimus.extraction_calls import ExtractionCalls, Spent
from optimus.extraction_settling import SettlingStep
from optimus.llm_handler.extraction import ExtractionRequest, Extractor, KnownMemory, SourceMessage
from optimus.llm_handler.extraction_form import Finding
from optimus.llm_handler.requests import PromptTurn
from optimus.llm_handler.structured import Target
from optimus.memory_manager.extracted import Derivation, Derived
from optimus.memory_manager.proposals import Proposal
from optimus.models import Message, MessageRole, Usage
from optimus.preferences import PreferenceService
from optimus.storage.conversations import ConversationRepository
from optimus.storage.failpoints import reached
from optimus.storage.jobs import ExtractionJob, JobState
from optimus.storage.records import UserPreferences
from optimus.withholding import Receiver, Withholding

AROUND_MESSAGES = 6
"""Messages before those to be read that are shown to the model."""
_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a look through one message ended, with its share of what the call took."""

    state: JobState
    reason: str = ""
    held: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None


class ExtractionReader:
    """Reads messages with a model and puts what it found into memory; `cancel` ends the call that is under way."""

    def __init__(
        self,
        *,
        conversations: ConversationRepository,
        calls: ExtractionCalls,
        derivation: Derivation,
        extractor: Extractor,
        settling: SettlingStep | None,
        preferences: PreferenceService,
        withholding: Withholding,
    ) -> None:
        self._conversations = conversations
        self._calls = calls
        self._derivation = derivation
        self._extractor = extractor
        self._settling = settling
        self._preferences = preferences
        self._withholding = withholding

    def look(self, jobs: Sequence[ExtractionJob]) -> dict[str, Outcome]:
        """Read the messages of jobs of one conversation and model, in one call; return how each ended, by job id.

        What is new then is compared with what is known, in a second call. A job whose message is gone is left out.

        Raises:
            ProviderError: the model gave no whole answer; nothing was changed.
            LimitReachedError: the owner's tokens of the day are used up; the model was not asked.
            CancelledError: `cancel` was called.
            NotFoundError: the conversation is gone.
            StoreError: the store does not answer; looking again does what is missing.
        """
        chosen = self._preferences.of(jobs[0].user_id)
        present = {job.id: message for job in jobs if (message := self._message(job))}
        outcomes = {
            key: Outcome(state=JobState.NOTHING, reason="Remembering is switched off.")
            for key, message in present.items()
            if not may_remember(chosen, message)
        }
        wanted = [job for job in jobs if job.id in present and job.id not in outcomes]
        if wanted:
            reach = self._reach(wanted[0])
            outcomes |= {job.id: _kept_back(reach.receiver) for job in wanted if job.message_id in reach.unsent}
            wanted = [job for job in wanted if job.id not in outcomes]
        if wanted:
            outcomes |= self._read(wanted, reach, {job.id: present[job.id] for job in wanted}, chosen)
        return outcomes

    def held(self, job: ExtractionJob) -> int:
        """Return how many findings of a job's message wait for review now."""
        return self._derivation.held(job.user_id, job.message_id)

    def cancel(self) -> None:
        """End the call that is under way, and let none begin."""
        self._calls.cancel()

    def _message(self, job: ExtractionJob) -> Message | None:
        try:
            message = self._conversations.message(job.user_id, job.message_id)
        except NotFoundError:
            return None
        return message if message.role is MessageRole.USER else None

    def _reach(self, job: ExtractionJob) -> Reach:
        """Return what of a job's chat its model may be shown."""
        receiver = self._withholding.receiver(self._calls.choice(job))
        said = self._conversations.messages(job.user_id, job.conversation_id)
        return Reach(
            receiver=receiver, said=said, unsent=self._withholding.unsent_messages(job.user_id, said, receiver)
        )

    def _batch(self, job: ExtractionJob, reach: Reach, messages: Sequence[Message], chosen: UserPreferences) -> Batch:
        """Gather what the call is made from; memories that may not go into answers are not sent here either."""
        first, since = min(message.created_at for message in messages), chosen.remembers_since
        last = max(messages, key=lambda message: message.created_at)
        earlier = [
            message
            for message in path(reach.said, last.id)
            if message.created_at < first
            and (since is None or message.created_at >= since)
            and message.id not in reach.unsent
        ]
        known = self._derivation.known(job.user_id, [m.text for m in messages]) if chosen.recalls else []
        unsent = self._withholding.unsent(job.user_id, known, [reach.receiver])
        return Batch(
            messages=messages,
            before=[] if chosen.never_store else earlier[-AROUND_MESSAGES:],
            known=[memory for memory in known if memory.id not in unsent],
            chosen=chosen,
        )

    def _read(
        self, jobs: Sequence[ExtractionJob], reach: Reach, messages: Mapping[str, Message], chosen: UserPreferences
    ) -> dict[str, Outcome]:
        spent = Spent()
        batch = self._batch(jobs[0], reach, list(messages.values()), chosen)
        found = self._calls.make(jobs, lambda target, told: self._begin(batch, target, told), spent)
        for place, job in enumerate(jobs):
            own = [proposal_of(each, batch) for each in found if each.source == place]
            self._derive(job, batch, messages[job.id], own)
        if self._settling and chosen.recalls:
            self._settling.take(jobs, reach.receiver, spent)
        return {job.id: self._outcome(messages[job.id], _share(spent, len(jobs))) for job in jobs}

    def _begin(self, batch: Batch, target: Target, told: Callable[[Usage], None]) -> Future[tuple[Finding, ...]]:
        request = ExtractionRequest(
            **dict(target),
            messages=tuple(SourceMessage(text=each.text, written=when_written(each)) for each in batch.messages),
            around=tuple(PromptTurn(role=each.role, text=each.text) for each in batch.before if each.text),
            known=tuple(KnownMemory(text=memory.text, type=memory.type) for memory in batch.known),
        )
        return self._extractor.ask(request, told)

    def _derive(self, job: ExtractionJob, batch: Batch, message: Message, proposals: Sequence[Proposal]) -> None:
        own = [each.text for each in (*batch.before, *batch.messages) if each.role is MessageRole.USER]
        self._derivation.derive_from(
            message, proposals, around=own, extractor=job.model, never=batch.chosen.never_store
        )
        reached("extract.derived")

    def _outcome(self, message: Message, share: Outcome) -> Outcome:
        derived = self._derivation.told(message)
        is_new = self._show(message, derived)
        state = JobState.DONE if is_new or derived.held else JobState.NOTHING
        return replace(share, state=state, held=derived.held)

    def _show(self, message: Message, derived: Derived) -> bool:
        """Add to the message what its card does not show yet; tell whether there was anything."""
        for _ in range(_TRIES):
            shown = {change.memory_id for change in message.saved}
            more = tuple(change for change in derived.changes if change.memory_id not in shown)
            if not more:
                return False
            try:
                self._conversations.update_message(message.model_copy(update={"saved": (*message.saved, *more)}))
            except ConflictError:
                message = self._conversations.message(message.user_id, message.id)
            else:
                return True
        raise ConflictError("the message changes too fast")


def may_remember(chosen: UserPreferences, message: Message) -> bool:
    """Tell whether its writer lets a message be kept; one from before remembering was switched on again is not."""
    since = chosen.remembers_since
    return chosen.remembers and (since is None or message.created_at >= since)


def _kept_back(receiver: Receiver) -> Outcome:
    return Outcome(state=JobState.NOTHING, reason=f"Your privacy rules keep this message from {receiver.title}.")


def _share(spent: Spent, count: int) -> Outcome:
    return Outcome(
        state=JobState.NOTHING,
        input_tokens=spent.usage.input_tokens // count,
        output_tokens=spent.usage.output_tokens // count,
        cost_usd=None if spent.cost is None else spent.cost / count,
    )
