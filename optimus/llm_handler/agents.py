"""The chat agent: how an answer is streamed, measured and cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from optimus.errors import OptimusError, ProviderResponseError, ProviderTimeoutError
from optimus.llm_handler.generations import Generation
from optimus.llm_handler.requests import GenerationRequest, ModelRef
from optimus.llm_handler.tools import TOOL_RULE, AgentDependencies, add_tools
from optimus.llm_handler.translate import translate
from optimus.llm_handler.turns import history_messages, user_turn
from optimus.models import Usage

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.agent import AgentRunEvents
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings

PING_TIMEOUT_S = 20.0
_TOO_SLOW = "The model did not begin to answer in time. Your message is kept; try again or choose another model."
_TOO_LONG = "The model took too long to answer. What arrived is kept; try again for a whole answer."
_REFUSES_TOOLS = {400, 404, 422, 500, 501}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long an answer may take, in seconds."""

    first_token_s: float = 60.0
    """Until it begins."""
    whole_s: float = 120.0
    """In all, waiting and trying again included."""


class ChatAgent:
    """Writes answers; one instance serves every call on the one loop."""

    def __init__(self, *, deadlines: Deadlines, monotonic: Callable[[], float]) -> None:
        self._deadlines = deadlines
        self._monotonic = monotonic
        self._agent: Agent[None, str] | None = None
        self._with_tools: Agent[AgentDependencies, str] | None = None
        self._without: set[str] = set()

    def load(self) -> Agent[None, str]:
        """Import the agent library, which takes seconds the first time, and return the agent."""
        if self._agent is None:
            import pydantic_ai  # noqa: PLC0415

            pydantic_ai.BANNER_ENABLED = False
            make = partial(pydantic_ai.Agent, output_type=str, name="chat", retries={"output": 0, "tools": 1})
            self._with_tools = add_tools(make)
            self._agent = make()
        return self._agent

    def takes_tools(self, ref: ModelRef) -> bool:
        """Tell whether no server has refused tools for a model yet."""
        return not any(key.startswith(f"{ref}@") for key in self._without)

    async def write(
        self, generation: Generation, request: GenerationRequest, model: Model, *, ends_at: float | None = None
    ) -> None:
        """Stream the answer into `generation` and measure it, however it ends.

        `ends_at` is when it must be whole, in the loop's time; None allows it the whole deadline from now on.

        Raises:
            ProviderError: the leaf that says what went wrong; what arrived stays in the generation.
        """
        now = asyncio.get_running_loop().time()
        ends = now + self._deadlines.whole_s if ends_at is None else ends_at
        watch = _Watch(generation, self._monotonic(), self._monotonic)
        try:
            async with asyncio.timeout_at(min(ends, now + self._deadlines.first_token_s)) as timer:
                watch.on_begin = partial(timer.reschedule, ends)
                await self._stream(request, model, watch)
        except Exception as exc:
            raise self._late(exc, generation) or translate(exc, has_text=bool(generation.text)) from exc
        finally:
            watch.finish()

    def _late(self, error: Exception, generation: Generation) -> ProviderTimeoutError | None:
        """Return what says which of the deadlines was passed, if one was."""
        if not isinstance(error, TimeoutError) or isinstance(error, OptimusError):
            return None
        if not generation.has_begun:
            return ProviderTimeoutError("first token late", user_message=_TOO_SLOW)
        return ProviderTimeoutError("answer late", user_message=_TOO_LONG)

    async def ping(self, model: Model) -> None:
        """Ask a model for a few tokens.

        Raises:
            ProviderError: the leaf that says what went wrong.
        """
        from pydantic_ai.direct import model_request  # noqa: PLC0415
        from pydantic_ai.messages import ModelRequest, UserPromptPart  # noqa: PLC0415

        hello = ModelRequest(parts=[UserPromptPart(content="Hi")])
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                await model_request(model, [hello], model_settings={"max_tokens": 16, "max_retries": 0})
        except Exception as exc:
            raise translate(exc) from exc

    async def _stream(self, request: GenerationRequest, model: Model, watch: _Watch) -> None:
        """Stream an answer, with tools where the model takes them; a server that refuses them is asked without."""
        from pydantic_ai.exceptions import ModelHTTPError  # noqa: PLC0415

        key = f"{request.model}@{model.base_url}"
        if request.tools is None or key in self._without or not model.profile.get("supports_tools", True):
            await self._run(request, model, watch, None)
            return
        try:
            await self._run(request, model, watch, AgentDependencies(memory=request.tools))
        except ModelHTTPError as exc:
            if watch.has_begun or not _refuses_tools(exc.status_code, exc.body):
                raise
            await self._run(request, model, watch, None)
            self._without.add(key)

    async def _run(
        self, request: GenerationRequest, model: Model, watch: _Watch, deps: AgentDependencies | None
    ) -> None:
        agent: Any = self.load() if deps is None else self._with_tools
        rule = "" if deps is None else f"\n{TOOL_RULE}"
        run = agent.run_stream_events(
            user_turn(request),
            message_history=history_messages(request.history),
            instructions=f"{request.instructions}{rule}",
            deps=deps,
            model=model,
            model_settings={"timeout": self._deadlines.whole_s} | _freedom(request, model),
        )
        async with run as events:
            watch.events = events
            async for event in events:
                watch.see(event)
            _refuse_cut_answer(events)


def _freedom(request: GenerationRequest, model: Model) -> ModelSettings:
    """Return how freely to answer; nothing for models that refuse or ignore it, as those that think first do."""
    fixed = ("openai_supports_reasoning", "anthropic_disallows_sampling_settings")
    if request.temperature is None or any(model.profile.get(flag) for flag in fixed):
        return {}
    return {"temperature": request.temperature}


def _refuses_tools(status: int, body: object) -> bool:
    """Tell whether an error says that a model cannot call tools (`... does not support tools`)."""
    said = str(body).lower()
    return status in _REFUSES_TOOLS and ("tool" in said or "function call" in said)


class _Watch:
    """Takes the text out of the events and notes the times and tokens."""

    def __init__(self, generation: Generation, started: float, monotonic: Callable[[], float]) -> None:
        self.events: AgentRunEvents[str] | None = None
        self.on_begin: Callable[[], object] = lambda: None
        self._generation = generation
        self._started = started
        self._monotonic = monotonic
        self._first_ms: float | None = None
        self._called = self._is_next_apart = False

    @property
    def has_begun(self) -> bool:
        """Whether the model answered or called anything."""
        return self._first_ms is not None or self._called

    def see(self, event: Any) -> None:
        if not self._generation.has_begun and _begins_answer(event):
            self._generation.has_begun = True
            self.on_begin()
        text = _text_of(event)
        if _is_tool_result(event):
            self._called = self._is_next_apart = True
        if text and self._is_next_apart:
            text = f"\n\n{text}" if self._generation.text else text
            self._is_next_apart = False
        if text and self._first_ms is None:
            self._first_ms = self._elapsed_ms()
        self._generation.push(text)

    def finish(self) -> None:
        usage = _run_usage(self.events)
        self._generation.measure(
            Usage(
                input_tokens=usage[0],
                output_tokens=usage[1],
                first_token_ms=self._first_ms,
                duration_ms=self._elapsed_ms(),
            )
        )

    def _elapsed_ms(self) -> float:
        return (self._monotonic() - self._started) * 1000


def _begins_answer(event: Any) -> bool:
    """Tell whether the model began to answer: with text, with thoughts or with the use of a tool."""
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart  # noqa: PLC0415

    if isinstance(event, PartStartEvent):
        return not isinstance(event.part, TextPart) or bool(event.part.content)
    return isinstance(event, PartDeltaEvent)


def _text_of(event: Any) -> str:
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta  # noqa: PLC0415

    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""


def _is_tool_result(event: Any) -> bool:
    from pydantic_ai.messages import FunctionToolResultEvent  # noqa: PLC0415

    return isinstance(event, FunctionToolResultEvent)


def _run_usage(events: AgentRunEvents[str] | None) -> tuple[int, int]:
    from pydantic_ai.exceptions import UserError  # noqa: PLC0415

    try:
        usage = None if events is None else events.usage
    except UserError:
        usage = None
    return (0, 0) if usage is None else (usage.input_tokens, usage.output_tokens)


def _refuse_cut_answer(events: AgentRunEvents[str]) -> None:
    """Raise where the stream ended without the provider's word that the answer is whole.

    A connection that closes between two chunks looks like a proper end to the HTTP library.
    """
    result = events.result
    if result is not None and result.response.finish_reason is None:
        raise ProviderResponseError("no finish reason")
