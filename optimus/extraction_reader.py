"""One look of a model through messages of a conversation: what it is sent, and what memory makes of its findings."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from threading import Event

from optimus.allowance import ExtractionLedger
from optimus.branches import path
from optimus.connections import ConnectionService
from optimus.errors import ConflictError, NotFoundError, ProviderUnreachableError
from optimus.extraction_batch import Batch, Reach, proposal_of, when_written
from optimus.llm_handler.extraction import ExtractionRequest, Extractor, KnownMemory, SourceMessage
from optimus.llm_handler.extraction_form import Finding
from optimus.llm_handler.prices import cost_usd
from optimus.llm_handler.requests import ModelChoice, PromptTurn
from optimus.memory_manager.extracted import Derivation, Derived
from optimus.memory_manager.proposals import Proposal
from optimus.models import Clock, Message, MessageRole, Usage
from optimus.preferences import PreferenceService
from optimus.storage.conversations import ConversationRepository
from optimus.storage.failpoints import reached
from optimus.storage.jobs import ExtractionJob, JobState
from optimus.storage.records import UserPreferences
from optimus.usage import extraction_event
from optimus.withholding import Receiver, Withholding

AROUND_MESSAGES = 6
"""Messages before those to be read that are shown to the model."""
_TRIES = 5
_GONE = "The model that looks for memories is not connected at present. Connect it, or choose another."


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a look through one message ended, with its share of what the call took."""

    state: JobState
    reason: str = ""
    held: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None


@dataclass(slots=True)
class _Spent:
    """Takes what a call took."""

    usage: Usage = field(default_factory=Usage)
    cost: float | None = None

    def note(self, usage: Usage) -> None:
        self.usage = usage


class ExtractionReader:
    """Reads messages with a model and puts what it found into memory; `cancel` ends the call that is under way."""

    def __init__(
        self,
        *,
        conversations: ConversationRepository,
        ledger: ExtractionLedger,
        derivation: Derivation,
        extractor: Extractor,
        connections: ConnectionService,
        preferences: PreferenceService,
        withholding: Withholding,
        clock: Clock,
    ) -> None:
        self._conversations = conversations
        self._ledger = ledger
        self._derivation = derivation
        self._extractor = extractor
        self._connections = connections
        self._preferences = preferences
        self._withholding = withholding
        self._clock = clock
        self._cancelled = Event()
        self._call: Future[tuple[Finding, ...]] | None = None

    def look(self, jobs: Sequence[ExtractionJob]) -> dict[str, Outcome]:
        """Read the messages of jobs of one conversation and model, in one call; return how each ended, by job id.

        A job whose message is gone is left out.

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
            self._ledger.allowance.require(wanted[0].user_id)
            reach = self._reach(wanted[0])
            outcomes |= {job.id: _kept_back(reach.receiver) for job in wanted if job.message_id in reach.unsent}
            wanted = [job for job in wanted if job.id not in outcomes]
        if wanted:
            batch = self._batch(wanted[0], reach, [present[job.id] for job in wanted], chosen)
            spent = _Spent()
            found = self._ask(wanted, batch, spent)
            for place, job in enumerate(wanted):
                proposals = [proposal_of(each, batch) for each in found if each.source == place]
                outcomes[job.id] = self._apply(job, batch, present[job.id], proposals, _share(spent, len(wanted)))
        return outcomes

    def held(self, job: ExtractionJob) -> int:
        """Return how many findings of a job's message wait for review now."""
        return self._derivation.held(job.user_id, job.message_id)

    def cancel(self) -> None:
        """End the call that is under way, and let none begin."""
        self._cancelled.set()
        call = self._call
        if call is not None:
            call.cancel()

    def _message(self, job: ExtractionJob) -> Message | None:
        try:
            message = self._conversations.message(job.user_id, job.message_id)
        except NotFoundError:
            return None
        return message if message.role is MessageRole.USER else None

    def _reach(self, job: ExtractionJob) -> Reach:
        """Return what of a job's chat its model may be shown."""
        receiver = self._withholding.receiver(self._choice(job))
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

    def _ask(self, jobs: Sequence[ExtractionJob], batch: Batch, spent: _Spent) -> tuple[Finding, ...]:
        choice = self._choice(jobs[0])
        request = ExtractionRequest(
            model=choice.ref,
            credentials=self._connections.credentials(jobs[0].user_id, choice),
            connection_id=choice.connection_id,
            messages=tuple(SourceMessage(text=each.text, written=when_written(each)) for each in batch.messages),
            around=tuple(PromptTurn(role=each.role, text=each.text) for each in batch.before if each.text),
            known=tuple(KnownMemory(text=memory.text, type=memory.type) for memory in batch.known),
        )
        is_whole = False
        try:
            if self._cancelled.is_set():
                raise CancelledError
            self._call = call = self._extractor.ask(request, spent.note)
            if self._cancelled.is_set():
                call.cancel()
            found = call.result()
            is_whole = True
        finally:
            self._call = None
            spent.cost = cost_usd(choice.ref, spent.usage, is_local=choice.is_local)
            self._record(jobs, choice, spent, is_whole=is_whole)
        return found

    def _choice(self, job: ExtractionJob) -> ModelChoice:
        for choice in self._connections.choices(job.user_id):
            if str(choice.ref) == job.model and choice.connection_id == job.connection_id:
                return choice
        raise ProviderUnreachableError("not on offer", user_message=_GONE)

    def _record(self, jobs: Sequence[ExtractionJob], choice: ModelChoice, spent: _Spent, *, is_whole: bool) -> None:
        """Record what a call took; one that failed before a model read anything took nothing."""
        if is_whole or spent.usage.input_tokens or spent.usage.output_tokens:
            event = extraction_event(
                jobs[0].user_id,
                model=jobs[0].model,
                messages=[job.message_id for job in jobs],
                usage=spent.usage,
                cost=spent.cost,
                failed=not is_whole,
                at=self._clock(),
            )
            self._ledger.record(jobs[0].user_id, event, choice.ref, spent.usage, spent.cost)

    def _apply(
        self, job: ExtractionJob, batch: Batch, message: Message, proposals: Sequence[Proposal], share: Outcome
    ) -> Outcome:
        own = [each.text for each in (*batch.before, *batch.messages) if each.role is MessageRole.USER]
        derived = self._derivation.derive_from(
            message, proposals, around=own, extractor=job.model, never=batch.chosen.never_store
        )
        reached("extract.derived")
        is_new = self._show(message, derived)
        state = JobState.DONE if is_new or derived.held else JobState.NOTHING
        return Outcome(
            state=state,
            held=derived.held,
            input_tokens=share.input_tokens,
            output_tokens=share.output_tokens,
            cost_usd=share.cost_usd,
        )

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


def _share(spent: _Spent, count: int) -> Outcome:
    return Outcome(
        state=JobState.NOTHING,
        input_tokens=spent.usage.input_tokens // count,
        output_tokens=spent.usage.output_tokens // count,
        cost_usd=None if spent.cost is None else spent.cost / count,
    )
