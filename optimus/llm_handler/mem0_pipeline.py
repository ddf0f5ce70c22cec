"""Looking for memories by Mem0's own extraction instead of the agent of Optimus: the model's side of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optimus.errors import ProviderResponseError
from optimus.llm_handler.extraction import (
    CONTEXT_CHARS,
    MESSAGE_CHARS,
    ExtractionRequest,
    Mask,
    presentable,
)
from optimus.llm_handler.extraction_form import MAX_FINDINGS, Finding
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import Credentials
from optimus.llm_handler.structured import MAX_OUTPUT_TOKENS
from optimus.llm_handler.translate import translate
from optimus.models import ChangeKind, MemoryType, Usage

if TYPE_CHECKING:
    from pydantic_ai.models import Model

CONFIDENCE = 0.7
"""Mem0 does not say how sure it is."""
Find = Callable[[str, Sequence[Mapping[str, str]], Sequence[str], Callable[[str, str], str]], list[str]]
"""Mem0's extraction: the message, what was said before, what is known, and how the model is asked."""


@dataclass(slots=True)
class _Used:
    input_tokens: int = 0
    output_tokens: int = 0
    calls: list[Future[str]] = field(default_factory=list)


class Mem0Extractor:
    """Has Mem0 look for what is worth remembering, one message a call; safe from any thread."""

    def __init__(self, *, gateway: ModelGateway, mask: Mask, timeout_s: float, find: Find) -> None:
        self._gateway = gateway
        self._mask = mask
        self._timeout_s = timeout_s
        self._find = find

    def ask(self, request: ExtractionRequest, spent: Callable[[Usage], None]) -> Future[tuple[Finding, ...]]:
        """Begin; the future, `spent` and what is raised are those of `MemoryExtractor.ask`."""
        return self._gateway.loop.submit(self._ask(request, spent))

    async def _ask(self, request: ExtractionRequest, spent: Callable[[Usage], None]) -> tuple[Finding, ...]:
        used = _Used()
        with self._gateway.breakers.guarding((request.model.provider, request.connection_id)):
            try:
                model = await asyncio.to_thread(
                    self._gateway.model, request.model, request.credentials or Credentials()
                )
                return await self._run(request, model, used)
            except Exception as exc:
                raise translate(exc) from exc
            finally:
                for call in used.calls:
                    call.cancel()
                spent(Usage(input_tokens=used.input_tokens, output_tokens=used.output_tokens))

    async def _run(self, request: ExtractionRequest, model: Model, used: _Used) -> tuple[Finding, ...]:
        loop = asyncio.get_running_loop()

        def answer(instructions: str, prompt: str) -> str:
            call = asyncio.run_coroutine_threadsafe(self._answer(model, instructions, prompt, used), loop)
            used.calls.append(call)
            return call.result()

        return await asyncio.to_thread(lambda: tuple(self._findings(request, answer)))

    def _findings(self, request: ExtractionRequest, answer: Callable[[str, str], str]) -> Iterator[Finding]:
        known = [presentable(memory.text, CONTEXT_CHARS, self._mask) for memory in request.known]
        around = [
            {"role": turn.role.value, "content": presentable(turn.text, CONTEXT_CHARS, self._mask)}
            for turn in request.around
        ]
        for source, message in enumerate(request.messages):
            text = presentable(message.text, MESSAGE_CHARS, self._mask)
            for found in self._find(text, around, known, answer)[:MAX_FINDINGS]:
                yield _finding(source, found)
            around.append({"role": "user", "content": text[:CONTEXT_CHARS]})

    async def _answer(self, model: Model, instructions: str, prompt: str, used: _Used) -> str:
        from pydantic_ai.direct import model_request  # noqa: PLC0415
        from pydantic_ai.messages import ModelRequest, UserPromptPart  # noqa: PLC0415

        sent = ModelRequest(parts=[UserPromptPart(content=prompt)], instructions=instructions)
        async with asyncio.timeout(self._timeout_s):
            answer = await model_request(
                model,
                [sent],
                model_settings={"max_tokens": MAX_OUTPUT_TOKENS, "max_retries": 0, "timeout": self._timeout_s},
            )
        used.input_tokens += answer.usage.input_tokens
        used.output_tokens += answer.usage.output_tokens
        if answer.finish_reason == "length":
            raise ProviderResponseError("cut off by the token limit")
        return answer.text or ""


def _finding(source: int, text: str) -> Finding:
    return Finding(
        source=source,
        text=text[:1000],
        type=MemoryType.FACT,
        entities=(),
        confidence=CONFIDENCE,
        importance=0.5,
        language="",
        event_on=None,
        instructs=False,
        decision=ChangeKind.ADD,
        known=None,
    )
