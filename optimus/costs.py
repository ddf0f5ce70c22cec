"""What a model is given for an answer and what that costs: as expected before, and as counted after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optimus.llm_handler.prices import cost_usd
from optimus.llm_handler.requests import OFFLINE_MODEL, GenerationResult, ModelChoice, ModelRef, ModelTarget
from optimus.llm_handler.tools import TOOL_TOKENS
from optimus.models import Attachment, Message, MessageState, RecalledMemory, Usage
from optimus.prompt import INSTRUCTIONS, attachment_tokens, estimated_tokens, memory_block

EXPECTED_ANSWER = 500
"""Tokens of an answer, for prices that are told before it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a model was given, in estimated tokens."""

    choice: ModelChoice
    prompt_tokens: int
    memory_tokens: int
    history_tokens: int
    """Of the earlier messages of the conversation that went along."""
    instruction_tokens: int = 0
    summary_tokens: int = 0
    memories: int = 0
    """How many memories went along."""
    left_out: int = 0
    """Earlier messages that did not go along, because they were too much."""
    at: int = 0
    """When it was counted against the limits, in microseconds since the epoch."""

    @classmethod
    def nothing(cls, choice: ModelChoice) -> Asked:
        """Return that a model was given nothing, because something hindered it."""
        return cls(choice=choice, prompt_tokens=0, memory_tokens=0, history_tokens=0)


def asked(
    choice: ModelChoice,
    prompt: str,
    earlier: Sequence[Message],
    recalled: Sequence[RecalledMemory],
    *,
    own: str = "",
    files: Sequence[Attachment] = (),
    has_tools: bool = False,
) -> Asked:
    """Measure what a model is given; `own` are the user's instructions, Optimus's are as long as they usually are.

    Tools count as instructions: each call of a model begins with both.
    """
    tool_tokens = TOOL_TOKENS if has_tools else 0
    return Asked(
        choice=choice,
        prompt_tokens=estimated_tokens(prompt) + attachment_tokens(files),
        memory_tokens=estimated_tokens(memory_block(recalled)),
        memories=len(recalled),
        history_tokens=sum(estimated_tokens(m.text) + attachment_tokens(m.attachments) for m in earlier),
        instruction_tokens=estimated_tokens(INSTRUCTIONS + own) + tool_tokens,
    )


def expected_tokens(given: Asked) -> int:
    """Return about how many tokens a call reads; none where no language model is asked."""
    is_free = given.choice.ref == OFFLINE_MODEL
    beside = given.memory_tokens + given.history_tokens + given.instruction_tokens + given.summary_tokens
    return 0 if is_free else given.prompt_tokens + beside


def reserved_tokens(given: Asked) -> int:
    """Return how many tokens are counted before a call: what it reads, and an answer of `EXPECTED_ANSWER` tokens."""
    read = expected_tokens(given)
    return read + EXPECTED_ANSWER if read else 0


def expected_cost(given: Asked) -> float | None:
    """Return about what a call will cost in US dollars, with an answer of `EXPECTED_ANSWER` tokens; None: not known."""
    return price_of(given, EXPECTED_ANSWER)


def price_of(given: Asked, written: int, *, by: ModelTarget | None = None) -> float | None:
    """Return about what a call costs with so many tokens written, by its own model or another; None: not known."""
    usage = Usage(input_tokens=expected_tokens(given), output_tokens=written)
    return cost_usd(by.model if by else given.choice.ref, usage, is_local=(by or given.choice).is_local)


def taken(given: Asked, result: GenerationResult) -> tuple[int, float | None]:
    """Return the tokens of an answer and their price, with those of the models that were given up; None: not known.

    Providers count at the end of an answer. Of one that ended before, what went in and what arrived is estimated.
    """
    usage, arrived = result.usage, estimated_tokens(result.text) + estimated_tokens(result.thinking)
    is_counted = result.state is MessageState.COMPLETE and usage.input_tokens + usage.output_tokens > 0
    if not is_counted and (arrived or result.state is MessageState.STOPPED):
        read = usage.input_tokens or expected_tokens(given)
        written = max(usage.output_tokens, arrived)
        usage = usage.model_copy(update={"input_tokens": read, "output_tokens": written})
        result = result.model_copy(update={"usage": usage})
    return result.tokens, whole_cost(given.choice, result)


def answer_cost(choice: ModelChoice, result: GenerationResult) -> float | None:
    """Return the price of an answer by the model that was asked last; one that failed unbegun is not charged for."""
    by = result.target or choice
    price = cost_of_failure if result.state is MessageState.FAILED and not result.text else cost_usd
    return price(by.model if isinstance(by, ModelTarget) else by.ref, result.usage, is_local=by.is_local)


def whole_cost(choice: ModelChoice, result: GenerationResult) -> float | None:
    """Return the price of an answer and of the models that were given up before it; None: not known."""
    prices = [cost_of_failure(each.target.model, each.usage, is_local=each.target.is_local) for each in result.given_up]
    known = [price for price in (*prices, answer_cost(choice, result)) if price is not None]
    return sum(known) if len(known) > len(prices) else None


def cost_of_failure(model: ModelRef, usage: Usage, *, is_local: bool) -> float | None:
    """Return the price of a call that failed; one that took nothing costs nothing."""
    took = usage.input_tokens + usage.output_tokens
    return cost_usd(model, usage, is_local=is_local) if took else 0.0
