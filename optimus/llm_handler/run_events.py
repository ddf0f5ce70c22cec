"""What the events of an agent's run say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optimus.errors import ProviderRejectedError, ProviderResponseError
from optimus.llm_handler.translate import AT_ITS_LIMIT, FILTERED_HERE, LONG_ENOUGH
from optimus.models import Usage

if TYPE_CHECKING:
    from pydantic_ai.agent import AgentRunEvents
    from pydantic_ai.usage import RequestUsage, RunUsage


def begins_answer(event: Any) -> bool:
    """Tell whether the model began to answer: with text, with thoughts or with the use of a tool."""
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart  # noqa: PLC0415

    if isinstance(event, PartStartEvent):
        return not isinstance(event.part, TextPart) or bool(event.part.content)
    return isinstance(event, PartDeltaEvent)


def text_of(event: Any) -> str:
    """Return what an event adds to the answer."""
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta  # noqa: PLC0415

    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""


def thought_of(event: Any) -> str:
    """Return what an event adds to the thoughts that the model lets see."""
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, ThinkingPart, ThinkingPartDelta  # noqa: PLC0415

    if isinstance(event, PartStartEvent) and isinstance(event.part, ThinkingPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, ThinkingPartDelta):
        return event.delta.content_delta or ""
    return ""


def is_tool_result(event: Any) -> bool:
    """Tell whether a tool has been called."""
    from pydantic_ai.messages import FunctionToolResultEvent  # noqa: PLC0415

    return isinstance(event, FunctionToolResultEvent)


def tokens_of(events: AgentRunEvents[str] | None) -> Usage:
    """Return the tokens that went in and came out, as far as the provider said, without times."""
    from pydantic_ai.exceptions import UserError  # noqa: PLC0415

    try:
        usage = None if events is None else events.usage
    except UserError:
        usage = None
    return Usage() if usage is None else tokens_in(usage)


def tokens_in(usage: RunUsage | RequestUsage) -> Usage:
    """Return the tokens of a library's count; those of a provider's cache are among those that went in."""
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cache_read_tokens,
        cache_written_tokens=usage.cache_write_tokens,
    )


def refuse_cut_answer(events: AgentRunEvents[str], *, is_bounded: bool) -> None:
    """Raise where an answer with a text is not whole: without the provider's word that it is, or with another reason.

    A connection that closes between two chunks looks like a proper end to the HTTP library. `is_bounded` says that a
    limit was set for the answer; without one, the model has its own.
    """
    if events.result is None:
        return
    match events.result.response.finish_reason:
        case "length":
            raise ProviderResponseError("cut at a limit", user_message=LONG_ENOUGH if is_bounded else AT_ITS_LIMIT)
        case "content_filter":
            raise ProviderRejectedError("cut by a filter", user_message=FILTERED_HERE)
        case None | "error":
            raise ProviderResponseError("no proper end")
