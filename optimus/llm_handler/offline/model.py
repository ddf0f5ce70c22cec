"""The offline assistant as a model: it takes the same path as every other and needs no key and no network."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent, TextPart
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from optimus.llm_handler.requests import OFFLINE_MODEL, OfflineContext

Respond = Callable[[str, OfflineContext], str]

_CHARS_PER_TOKEN = 4
_WORDS = re.compile(r"\s*\S+\s*")


class OfflineModel(Model[None]):
    """Answers one prompt by rules from the memories found for it; made anew for each answer."""

    def __init__(self, *, prompt: str, context: OfflineContext, respond: Respond) -> None:
        super().__init__()
        self._prompt = prompt
        self._context = context
        self._respond = respond

    @property
    def model_name(self) -> str:
        """The name without the provider."""
        return OFFLINE_MODEL.name

    @property
    def system(self) -> str:
        """The provider's name."""
        return OFFLINE_MODEL.provider

    async def request(
        self,
        messages: list[ModelMessage],  # noqa: ARG002 - it answers the prompt itself
        model_settings: ModelSettings | None,  # noqa: ARG002
        model_request_parameters: ModelRequestParameters,  # noqa: ARG002
    ) -> ModelResponse:
        """Return the whole answer."""
        text = self._respond(self._prompt, self._context)
        return ModelResponse(
            parts=[TextPart(content=text)],
            usage=estimate_usage(self._prompt, text),
            model_name=self.model_name,
            provider_name=self.system,
            finish_reason="stop",
            timestamp=self._context.now,
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],  # noqa: ARG002 - it answers the prompt itself
        model_settings: ModelSettings | None,  # noqa: ARG002
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,  # noqa: ARG002
    ) -> AsyncGenerator[StreamedResponse]:
        """Stream the answer word by word, without waiting in between."""
        text = self._respond(self._prompt, self._context)
        yield _WordStream(
            model_request_parameters=model_request_parameters,
            text=text,
            measured=estimate_usage(self._prompt, text),
            made_at=self._context.now,
        )


def estimate_usage(prompt: str, text: str) -> RequestUsage:
    """Return about how many tokens a prompt and an answer are: nothing is billed by it."""
    return RequestUsage(
        input_tokens=-(-len(prompt) // _CHARS_PER_TOKEN), output_tokens=-(-len(text) // _CHARS_PER_TOKEN)
    )


@dataclass(kw_only=True)
class _WordStream(StreamedResponse):
    text: str
    measured: RequestUsage
    made_at: datetime = field(repr=False)

    def __post_init__(self) -> None:
        self._usage = self.measured

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        for word in _WORDS.findall(self.text):
            for event in self._parts_manager.handle_text_delta(vendor_part_id="answer", content=word):
                yield event
        self.finish_reason = "stop"

    async def close_stream(self) -> None:
        """Close nothing: there is no connection."""

    @property
    def model_name(self) -> str:
        return OFFLINE_MODEL.name

    @property
    def provider_name(self) -> str:
        return OFFLINE_MODEL.provider

    @property
    def provider_url(self) -> None:
        return None

    @property
    def timestamp(self) -> datetime:
        return self.made_at
