"""The chat agent: how an answer is streamed, measured and cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from optimus.errors import OptimusError, ProviderTimeoutError
from optimus.llm_handler.generations import Generation
from optimus.llm_handler.loop import Turnstile, leave
from optimus.llm_handler.requests import GenerationRequest, ModelRef
from optimus.llm_handler.run_events import (
    begins_answer,
    is_tool_result,
    refuse_cut_answer,
    text_of,
    thought_of,
    tokens_of,
)
from optimus.llm_handler.tools import TOOL_RULE, AgentDependencies, add_tools
from optimus.llm_handler.translate import translate
from optimus.llm_handler.turns import history_messages, user_turn

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.agent import AgentRunEvents
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.usage import UsageLimits

PING_TIMEOUT_S = 20.0
_TOO_SLOW = "The model did not begin to answer in time. Your message is kept; try again or choose another model."
_TOO_LONG = "The model took too long to answer. What arrived is kept; try again for a whole answer."
_REFUSALS = {400, 404, 422, 500, 501}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long an answer may take, in seconds."""

    first_token_s: float = 60.0
    """Until it begins."""
    whole_s: float = 120.0
    """In all, waiting and trying again included."""


class ChatAgent:
    """Writes answers; one instance serves every call on the one loop."""

    def __init__(
        self, *, deadlines: Deadlines, monotonic: Callable[[], float], reads_pdf: Callable[[str], bool]
    ) -> None:
        """Keep what answers need; `reads_pdf` tells whether a provider's models take PDF files as they are."""
        self._reads_pdf = reads_pdf
        self._deadlines = deadlines
        self._monotonic = monotonic
        self._turnstile = Turnstile()
        self._agent: Agent[None, str] | None = None
        self._with_tools: Agent[AgentDependencies, str] | None = None
        self._without: set[tuple[_Extra, str]] = set()

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
        refused = (place for extra, place in self._without if extra is _Extra.TOOLS)
        return not any(place.startswith(f"{ref}@") for place in refused)

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
                async with self._turnstile.enter():
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
        """Stream an answer, with tools and thoughts where the model takes that; whoever refuses is asked without."""
        from pydantic_ai.exceptions import ModelHTTPError  # noqa: PLC0415

        place = f"{request.model}@{model.base_url}"
        extras, dropped = self._extras(request, model, place), set()
        while True:
            try:
                await self._run(request, model, watch, extras)
            except ModelHTTPError as exc:
                refused = None if watch.has_begun else _refused(exc.status_code, exc.body, extras - _needed(request))
                if refused is None:
                    raise
                extras.remove(refused)
                dropped |= {(refused, place)} if _lasts(refused, exc.body) else set()
            else:
                self._without |= dropped
                return

    def _extras(self, request: GenerationRequest, model: Model, place: str) -> set[_Extra]:
        wanted = _wanted(request, model)
        files = (*request.attachments, *(each for turn in request.history for each in turn.attachments))
        if self._reads_pdf(request.model.provider) and any(each.kind == "pdf" for each in files):
            wanted.add(_Extra.PDF)
        return {extra for extra in wanted if (extra, place) not in self._without}

    async def _run(self, request: GenerationRequest, model: Model, watch: _Watch, extras: Collection[_Extra]) -> None:
        has_tools, whole_s = _Extra.TOOLS in extras, self._deadlines.whole_s
        agent: Any = self._with_tools if has_tools and self.load() else self.load()
        rule = f"\n{TOOL_RULE}" if has_tools else ""
        reads_pdf = _Extra.PDF in extras
        run = agent.run_stream_events(
            user_turn(request, reads_pdf=reads_pdf),
            message_history=history_messages(request.history, sees=request.sees, reads_pdf=reads_pdf),
            instructions=f"{request.instructions}{rule}",
            deps=AgentDependencies(memory=request.tools) if has_tools else None,
            model=model,
            model_settings=_freedom(request, model, extras) | _thoughts(request, extras) | {"timeout": whole_s},
            usage_limits=_limits(request),
        )
        async with run as events:
            watch.events = events
            async for event in events:
                leave()
                watch.see(event)
            refuse_cut_answer(events, is_bounded=_most_tokens(request) is not None)


class _Extra(StrEnum):
    """What a model may refuse, and can be asked without."""

    TOOLS = "tools"
    EFFORT = "effort"
    """To think first, for so long."""
    SUMMARY = "summary"
    """To tell what it thought, where that is asked for separately."""
    PDF = "pdf"
    """To read a PDF file as it is."""


_SIGNS = {
    _Extra.SUMMARY: ("summary", "summaries"),
    _Extra.EFFORT: ("reasoning", "thinking", "effort"),
    _Extra.PDF: ("pdf", "document", "input_file", "file_data", "file input", "content part", "mime type"),
    _Extra.TOOLS: ("tool", "function call"),
}
"""How an error says what is refused (`... does not support tools`)."""
_PASSING = ("pars", "failed to call", "failed_generation", "budget_tokens")
"""How an error says that a call of a tool could not be read (Ollama, llama.cpp, Groq), or the limit leaves no room."""


def _wanted(request: GenerationRequest, model: Model) -> set[_Extra]:
    """Return what a request has for which a model is fit by all that is known."""
    profile = model.profile
    wanted = set()
    if request.tools is not None and profile.get("supports_tools", True):
        wanted.add(_Extra.TOOLS)
    if request.effort and profile.get("supports_thinking"):
        wanted.add(_Extra.EFFORT)
        if model.system == "openai" and profile.get("openai_supports_reasoning"):
            wanted.add(_Extra.SUMMARY)
    return wanted


def _needed(request: GenerationRequest) -> set[_Extra]:
    """Return what a request makes no sense without: a PDF file of pictures alone cannot be sent as its text."""
    return {_Extra.PDF} if any(each.kind == "pdf" and not each.words for each in request.attachments) else set()


def _thoughts(request: GenerationRequest, extras: Collection[_Extra]) -> dict[str, Any]:
    effort = {"thinking": request.effort} if _Extra.EFFORT in extras else {}
    return effort | ({"openai_reasoning_summary": "auto"} if _Extra.SUMMARY in extras else {})


def _refused(status: int, body: object, extras: Collection[_Extra]) -> _Extra | None:
    """Return which of the extras an error is about, if about any."""
    if status not in _REFUSALS:
        return None
    said = str(body).lower()
    return next((extra for extra, signs in _SIGNS.items() if extra in extras and any(s in said for s in signs)), None)


def _lasts(refused: _Extra, body: object) -> bool:
    """Tell whether what was refused is so next time: not a file, which another may be, nor what passes."""
    return refused is not _Extra.PDF and not any(sign in str(body).lower() for sign in _PASSING)


def _freedom(request: GenerationRequest, model: Model, extras: Collection[_Extra]) -> ModelSettings:
    """Return how freely and how much to answer.

    How freely is left out for models that refuse or ignore it, as those that think first do, Claude while it thinks.
    """
    most = _most_tokens(request)
    chosen: ModelSettings = {} if most is None else {"max_tokens": most}
    fixed = ("openai_supports_reasoning", "anthropic_disallows_sampling_settings")
    is_thinking_claude = model.system == "anthropic" and _Extra.EFFORT in extras
    if request.temperature is None or is_thinking_claude or any(model.profile.get(flag) for flag in fixed):
        return chosen
    return {**chosen, "temperature": request.temperature}


def _most_tokens(request: GenerationRequest) -> int | None:
    return request.bounds.tokens if request.bounds else None


def _limits(request: GenerationRequest) -> UsageLimits | None:
    """Return how much the library lets an answer take in all; a tool that was called wrongly may be called again."""
    from pydantic_ai.usage import UsageLimits  # noqa: PLC0415

    if request.bounds is None:
        return None
    return UsageLimits(request_limit=2 * request.bounds.calls + 2, output_tokens_limit=request.bounds.tokens)


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
        if not self._generation.has_begun and begins_answer(event):
            self._generation.has_begun = True
            self.on_begin()
        self._generation.push_thought(thought_of(event))
        text = text_of(event)
        if is_tool_result(event):
            self._called = self._is_next_apart = True
        if text and self._is_next_apart:
            text = f"\n\n{text}" if self._generation.text else text
            self._is_next_apart = False
        if text and self._first_ms is None:
            self._first_ms = self._elapsed_ms()
        self._generation.push(text)

    def finish(self) -> None:
        times = {"first_token_ms": self._first_ms, "duration_ms": self._elapsed_ms()}
        self._generation.measure(tokens_of(self.events).model_copy(update=times))

    def _elapsed_ms(self) -> float:
        return (self._monotonic() - self._started) * 1000
