"""The extraction agent: a model reads what the user wrote and names what is worth remembering, with what to do.

One call serves several messages and decides on all their findings. Whatever is sent stands in one JSON document, so
no text can pass for another part of it, and goes through the mask for secrets. An answer that is cut off or is no
such list raises; it never counts as an empty one.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field

from optimus.errors import ProviderResponseError
from optimus.llm_handler.extraction_form import Bounds, Entries, Finding, fault, finding
from optimus.llm_handler.extraction_instructions import INSTRUCTIONS
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import Credentials, ModelRef, PromptTurn
from optimus.llm_handler.translate import translate
from optimus.llm_handler.turns import INVISIBLE, MEMORY_CLOSE, MEMORY_OPEN
from optimus.models import MemoryType, Usage, Value

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.models import Model
    from pydantic_ai.usage import RunUsage

MAX_OUTPUT_TOKENS = 4096
MESSAGE_CHARS = 8_000
CONTEXT_CHARS = 600
"""So much of a message around the ones to read: it only tells what words like "it" mean."""
_INSTRUCTED = re.compile(rf"{re.escape(MEMORY_OPEN)}.*?(?:{re.escape(MEMORY_CLOSE)}|\Z)", re.DOTALL | re.IGNORECASE)
_REFUSED = frozenset({400, 415, 422, 501})
"""How servers answer that do not know the parameter for structured output."""
Mask = Callable[[str], str]
"""Takes the secrets out of a text."""


class SourceMessage(Value):
    """A message of the user to be read."""

    text: str
    written: str
    """Local date and time with the day of the week, as the model is to read it."""


class KnownMemory(Value):
    """Something remembered that may have to do with the messages."""

    text: str
    type: MemoryType


class ExtractionRequest(Value):
    """Everything that one call is made from."""

    model: ModelRef
    credentials: Credentials | None = None
    connection_id: str | None = None
    messages: tuple[SourceMessage, ...] = Field(min_length=1)
    around: tuple[PromptTurn, ...] = ()
    """What was said before the messages, oldest first."""
    known: tuple[KnownMemory, ...] = ()


class Extractor(Protocol):
    """What looks for memories with a model."""

    def ask(self, request: ExtractionRequest, spent: Callable[[Usage], None]) -> Future[tuple[Finding, ...]]:
        """Begin a call; see `MemoryExtractor.ask`."""


class MemoryExtractor:
    """Asks models for what is worth remembering; safe from any thread."""

    def __init__(self, *, gateway: ModelGateway, mask: Mask, timeout_s: float) -> None:
        self._gateway = gateway
        self._mask = mask
        self._timeout_s = timeout_s
        self._agents: tuple[Agent[Bounds, Entries], Agent[Bounds, Entries]] | None = None
        self._without_native: set[tuple[ModelRef, str | None]] = set()

    def ask(self, request: ExtractionRequest, spent: Callable[[Usage], None]) -> Future[tuple[Finding, ...]]:
        """Begin a call; the future holds what was found, and can be cancelled.

        `spent` is told once what the call took, whether it worked or not. The future raises a `ProviderError`; a
        `ProviderResponseError` where the answer was cut off or is not what was asked for.
        """
        return self._gateway.loop.submit(self._ask(request, spent))

    async def _ask(self, request: ExtractionRequest, spent: Callable[[Usage], None]) -> tuple[Finding, ...]:
        with self._gateway.breakers.guarding((request.model.provider, request.connection_id)):
            try:
                model = await asyncio.to_thread(self._prepare, request)
                async with asyncio.timeout(self._timeout_s):
                    return await self._run(request, model, spent)
            except Exception as exc:
                raise translate(exc) from exc

    def _prepare(self, request: ExtractionRequest) -> Model:
        if self._agents is None:
            self._agents = _make_agents()
        return self._gateway.model(request.model, request.credentials or Credentials())

    async def _run(
        self, request: ExtractionRequest, model: Model, spent: Callable[[Usage], None]
    ) -> tuple[Finding, ...]:
        import pydantic_ai  # noqa: PLC0415

        usage = pydantic_ai.RunUsage()
        try:
            entries = await self._entries(request, model, usage)
        finally:
            spent(Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens))
        return tuple(map(finding, entries.memories))

    async def _entries(self, request: ExtractionRequest, model: Model, usage: RunUsage) -> Entries:
        """Ask by the provider's own means where the model has them, else by describing the form in words."""
        from pydantic_ai.exceptions import ModelHTTPError  # noqa: PLC0415

        native, prompted = self._agents or _make_agents()
        server = (request.model, request.credentials.base_url if request.credentials else None)
        refused = False
        if model.profile.get("supports_json_schema_output") and server not in self._without_native:
            try:
                return await self._once(native, request, model, usage)
            except ModelHTTPError as exc:
                refused = exc.status_code in _REFUSED
                if not refused:
                    raise
        found = await self._once(prompted, request, model, usage)
        self._without_native |= {server} if refused else set()
        return found

    async def _once(
        self, agent: Agent[Bounds, Entries], request: ExtractionRequest, model: Model, usage: RunUsage
    ) -> Entries:
        result = await agent.run(
            document(request, self._mask),
            deps=Bounds(len(request.messages), len(request.known)),
            model=model,
            usage=usage,
            model_settings={"max_tokens": MAX_OUTPUT_TOKENS, "max_retries": 0, "timeout": self._timeout_s},
        )
        if result.response.finish_reason == "length":
            raise ProviderResponseError("cut off by the token limit")
        return result.output


def document(request: ExtractionRequest, mask: Mask) -> str:
    """Return what is sent: one JSON document without secrets, hidden signs or memories that were injected before."""

    def safe(text: str, most: int) -> str:
        return presentable(text, most, mask)

    content = {
        "known": _numbered({"type": m.type.value, "text": safe(m.text, CONTEXT_CHARS)} for m in request.known),
        "around": [{"by": turn.role.value, "text": safe(turn.text, CONTEXT_CHARS)} for turn in request.around],
        "messages": _numbered({"written": m.written, "text": safe(m.text, MESSAGE_CHARS)} for m in request.messages),
    }
    return json.dumps(content, ensure_ascii=False)


def presentable(text: str, most: int, mask: Mask) -> str:
    """Return so many characters of a text without secrets, hidden signs or memories that were injected before."""
    return mask(INVISIBLE.sub(" ", _INSTRUCTED.sub(" ", text)).strip())[:most]


def _numbered(rows: Any) -> list[dict[str, Any]]:
    return [{"n": number, **row} for number, row in enumerate(rows, 1)]


def _make_agents() -> tuple[Agent[Bounds, Entries], Agent[Bounds, Entries]]:
    """Return the agent for the provider's own structured output, and the one that describes the form in words."""
    import pydantic_ai  # noqa: PLC0415

    pydantic_ai.BANNER_ENABLED = False

    def checked(ctx: pydantic_ai.RunContext[Bounds], entries: Entries) -> Entries:
        if wrong := fault(entries.memories, ctx.deps):
            raise pydantic_ai.ModelRetry(wrong)
        return entries

    def made(output: Any) -> Agent[Bounds, Entries]:
        agent: Agent[Bounds, Entries] = pydantic_ai.Agent(
            output_type=output, deps_type=Bounds, instructions=INSTRUCTIONS, name="extraction", retries={"output": 1}
        )
        agent.output_validator(checked)
        return agent

    return made(pydantic_ai.NativeOutput(Entries)), made(pydantic_ai.PromptedOutput(Entries))
