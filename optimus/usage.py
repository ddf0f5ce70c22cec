"""What is recorded of an answer, and how it is read back: numbers, names and ids, never a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import Any

from optimus.costs import Asked, answer_cost, cost_of_failure, expected_cost
from optimus.llm_handler.requests import (
    OFFLINE_MODEL,
    GenerationResult,
    GivenUp,
)
from optimus.metrics import Metrics
from optimus.models import (
    MemoryId,
    Message,
    MessageId,
    MessageState,
    PromptParts,
    Usage,
    UserId,
    new_id,
    stable_id,
)
from optimus.prompt import estimated_tokens
from optimus.storage.records import Event, EventData
from optimus.storage.table import Row

ANSWER = "answer"
"""The kind of event that an ended answer leaves."""
EXTRACTION = "extraction"
"""The kind of event that a model leaves which looked for memories."""
SUMMARY = "summary"
"""The kind of event that a summary of a long chat leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it was recorded."""

    id: str
    owner: UserId
    at: datetime
    model: str
    failed: bool
    question_id: str
    """Of the message that it answers; an answer that was written again has the same."""
    memory_ids: tuple[MemoryId, ...]
    """The memories that it was made from."""
    input_tokens: int
    output_tokens: int
    cost: float | None
    """US dollars; None where the price is not known."""
    context_tokens: int
    """Estimate of the memories and earlier messages that the model was given."""
    said_tokens: int
    """Estimate of the message and its answer."""
    first_token_ms: float | None
    duration_ms: float | None


def written_by(result: GenerationResult) -> dict[str, object]:
    """Return what an answer is stored with that another model than the chosen one wrote: which one, and why."""
    if result.target is None or (result.state is MessageState.FAILED and not result.text):
        return {}
    failed = " ".join(f"{each.target.title} did not answer: {_first(each.error)}" for each in result.given_up)
    return {"model": str(result.target.model), "instead": f"Answered by {result.target.title}. {failed}"}


def answer_events(reply: Message, given: Asked, result: GenerationResult, *, at: datetime) -> list[Event]:
    """Return the records of an answer that ended: of the models that were given up, and its own.

    Recorded twice they are recorded once.
    """
    given_up = [_given_up_event(reply, each, place, at) for place, each in enumerate(result.given_up)]
    return [*given_up, answer_event(reply, given, result, at=at)]


def _given_up_event(reply: Message, given_up: GivenUp, place: int, at: datetime) -> Event:
    target, usage = given_up.target, given_up.usage
    data: EventData = {
        "model": str(target.model),
        "state": MessageState.FAILED.value,
        "message_id": reply.id,
        "question_id": reply.parent,
        "conversation_id": reply.conversation_id,
        "cost_usd": cost_of_failure(target.model, usage, is_local=target.is_local),
        **usage.model_dump(),
    }
    event_id = stable_id("given up", reply.id, str(reply.version), str(place))
    return Event(id=event_id, user_id=reply.user_id, kind=ANSWER, at=at, data=data)


def parts_of(given: Asked) -> PromptParts:
    """Return what is kept with an answer about what its model was given."""
    return PromptParts(
        instructions=given.instruction_tokens,
        memories=given.memory_tokens,
        history=given.history_tokens,
        summary=given.summary_tokens,
        message=given.prompt_tokens,
        left_out=given.left_out,
    )


def answer_event(reply: Message, given: Asked, result: GenerationResult, *, at: datetime) -> Event:
    """Return the record of an answer by the model that was asked last; recorded twice it is one."""
    return Event(
        id=stable_id("answer", reply.id, str(reply.version)),
        user_id=reply.user_id,
        kind=ANSWER,
        at=at,
        data={
            "model": str(result.target.model) if result.target else reply.model,
            "state": result.state.value,
            "message_id": reply.id,
            "question_id": reply.parent,
            "conversation_id": reply.conversation_id,
            "memories": len(reply.used),
            "memory_ids": ",".join(use.memory_id for use in reply.used),
            "cost_usd": answer_cost(given.choice, result),
            "expected_usd": expected_cost(given),
            "memory_tokens": given.memory_tokens,
            "history_tokens": given.history_tokens + given.summary_tokens,
            "said_tokens": given.prompt_tokens + estimated_tokens(result.text),
            **result.usage.model_dump(),
        },
    )


def note_answer(metrics: Metrics, given: Asked, result: GenerationResult) -> None:
    """Count an answer that ended, however it ended."""
    for each in result.given_up:
        model, cost = each.target.model, cost_of_failure(each.target.model, each.usage, is_local=each.target.is_local)
        metrics.note_call(model.provider, model.name, state=MessageState.FAILED, usage=each.usage, cost_usd=cost)
    ref = result.target.model if result.target else given.choice.ref
    cost = answer_cost(given.choice, result)
    metrics.attempts.note_memories(ref.provider, given.memories)
    metrics.note_call(ref.provider, ref.name, state=result.state, usage=result.usage, cost_usd=cost)


def extraction_event(
    owner: UserId,
    *,
    model: str,
    messages: Sequence[MessageId],
    usage: Usage,
    cost: float | None,
    failed: bool,
    at: datetime,
) -> Event:
    """Return the record of one call that looked for memories in some messages."""
    return Event(
        id=new_id(),
        user_id=owner,
        kind=EXTRACTION,
        at=at,
        data={
            "model": model,
            "state": (MessageState.FAILED if failed else MessageState.COMPLETE).value,
            "message_id": messages[0],
            "messages": len(messages),
            "cost_usd": cost,
            **usage.model_dump(include={"input_tokens", "output_tokens"}),
        },
    )


def read_answer(row: Row) -> Answer:
    """Return the answer of a stored record; one from before a field was recorded has none of it."""
    data: dict[str, Any] = row.payload["data"]
    model = intern(str(data.get("model") or "unknown"))
    ids = data.get("memory_ids") or ""
    free = 0.0 if model == str(OFFLINE_MODEL) else None
    return Answer(
        id=row.id,
        owner=row.payload["user_id"],
        at=datetime.fromisoformat(row.payload["at"]),
        model=model,
        failed=data.get("state") == MessageState.FAILED,
        question_id=data.get("question_id") or data.get("message_id") or row.id,
        memory_ids=tuple(MemoryId(intern(part)) for part in ids.split(",")) if ids else (),
        input_tokens=data.get("input_tokens") or 0,
        output_tokens=data.get("output_tokens") or 0,
        cost=data.get("cost_usd", free),
        context_tokens=(data.get("memory_tokens") or 0) + (data.get("history_tokens") or 0),
        said_tokens=data.get("said_tokens") or 0,
        first_token_ms=data.get("first_token_ms"),
        duration_ms=data.get("duration_ms"),
    )


def _first(sentences: str) -> str:
    """Return the first of some sentences; the others tell what to do, which was done."""
    return sentences.partition(". ")[0].rstrip(".") + "."
