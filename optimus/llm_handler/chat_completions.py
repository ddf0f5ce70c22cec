"""Models over the Chat Completions interface, as the servers that offer it really speak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_ai.models.openai import OpenAIChatModel, OpenAIStreamedResponse
from pydantic_ai.profiles.openai import OpenAIModelProfile

if TYPE_CHECKING:
    from pydantic_ai.providers import Provider
    from pydantic_ai.usage import RequestUsage


def chat_model(name: str, provider: Provider[Any], *, knows_new_limit: bool) -> OpenAIChatModel:
    """Return a model that takes a stream without a finish reason for what it is: cut off.

    `knows_new_limit` says that its server knows `max_completion_tokens`. Ollama and Together pass over it without a
    word, so that an answer would have no limit; `max_tokens` is what they, vLLM, LM Studio and llama.cpp all know.
    https://github.com/ollama/ollama/issues/7125, https://docs.together.ai/reference/chat-completions-1
    """
    profile = OpenAIModelProfile(
        openai_chat_streaming_requires_finish_reason=True,
        openai_chat_supports_max_completion_tokens=knows_new_limit,
    )
    return _ChatModel(name, provider=provider, profile=profile)


class _Stream(OpenAIStreamedResponse):
    """A stream whose last count of tokens is the count: some servers, xAI among them, tell it so far in every piece.

    The library adds up what the pieces say, or else asks for such counts, which other servers refuse.
    https://docs.x.ai/docs/guides/streaming-response
    """

    def _add_usage(self, usage: RequestUsage, *, reported: bool, cumulative: bool = False) -> None:
        del cumulative
        if reported:
            super()._add_usage(usage, reported=True, cumulative=True)


class _ChatModel(OpenAIChatModel):
    @property
    def _streamed_response_cls(self) -> type[OpenAIStreamedResponse]:
        return _Stream
