"""How each provider's model is built; every library is imported when its first model is.

Key and address are always passed, so that no library reads them from the environment.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optimus.llm_handler.wire import HttpClients

if TYPE_CHECKING:
    from pydantic_ai import ModelSettings
    from pydantic_ai.models import Model
    from pydantic_ai.providers import Provider

_NO_KEY = "none"
"""Sent where a local server wants no key: the libraries insist on a value."""
_MAX_BUILT = 32
_ONCE: ModelSettings = {"max_retries": 0}
"""No library asks again by itself: `attempts` does. Said once where that can be: per request it copies the client."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Endpoint:
    """What a model is built from."""

    provider: str
    name: str
    base_url: str
    api_key: str | None
    clients: HttpClients


Build = Callable[[Endpoint], "Model"]


class BuiltModels:
    """The models built lately. They hold no conversation, so one serves all calls on the one loop."""

    def __init__(self, *, limit: int = _MAX_BUILT) -> None:
        self._limit = limit
        self._built: OrderedDict[tuple[str, str, str, str], Model] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, endpoint: Endpoint, build: Build) -> Model:
        """Return the model of an endpoint, built now if it is not at hand."""
        digest = hashlib.sha256((endpoint.api_key or "").encode()).hexdigest()
        key = (endpoint.provider, endpoint.name, endpoint.base_url, digest)
        with self._lock:
            model = self._built.get(key)
            if model is None:
                model = self._built[key] = build(endpoint)
            self._built.move_to_end(key)
            if len(self._built) > self._limit:
                self._built.popitem(last=False)
            return model


def build_openai_responses(endpoint: Endpoint) -> Model:
    """Build an OpenAI model over the Responses interface; answers are not kept on the provider's side."""
    from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings  # noqa: PLC0415
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

    provider = OpenAIProvider(openai_client=_openai_client(endpoint))
    settings = OpenAIResponsesModelSettings(openai_store=False)
    return OpenAIResponsesModel(endpoint.name, provider=provider, settings=settings)


def build_openai_chat(endpoint: Endpoint) -> Model:
    """Build an OpenAI model over the Chat Completions interface."""
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

    return _chat_model(endpoint, OpenAIProvider(openai_client=_openai_client(endpoint)), knows_new_limit=True)


def build_compatible(endpoint: Endpoint) -> Model:
    """Build a model of a server that speaks Chat Completions (Ollama, LM Studio, vLLM, llama.cpp)."""
    return _chat_model(endpoint, _compatible_provider(endpoint), knows_new_limit=False)


def build_xai(endpoint: Endpoint) -> Model:
    """Build a Grok model."""
    return _chat_model(endpoint, _compatible_provider(endpoint), knows_new_limit=True)


def build_together(endpoint: Endpoint) -> Model:
    """Build a Together model; its provider class knows the profiles of the open models."""
    from pydantic_ai.providers.together import TogetherProvider  # noqa: PLC0415

    return _chat_model(endpoint, TogetherProvider(openai_client=_openai_client(endpoint)), knows_new_limit=False)


def build_anthropic(endpoint: Endpoint) -> Model:
    """Build an Anthropic model."""
    from anthropic import AsyncAnthropic  # noqa: PLC0415
    from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415
    from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415

    client = AsyncAnthropic(
        api_key=endpoint.api_key or _NO_KEY,
        base_url=endpoint.base_url,
        http_client=endpoint.clients.modern(),
        max_retries=0,
    )
    return AnthropicModel(endpoint.name, provider=AnthropicProvider(anthropic_client=client))


def build_google(endpoint: Endpoint) -> Model:
    """Build a Gemini model."""
    from pydantic_ai.models.google import GoogleModel  # noqa: PLC0415
    from pydantic_ai.providers.google import GoogleProvider  # noqa: PLC0415

    provider = GoogleProvider(
        api_key=endpoint.api_key or _NO_KEY, base_url=endpoint.base_url, http_client=endpoint.clients.modern()
    )
    return GoogleModel(endpoint.name, provider=provider, settings=_ONCE)


def build_groq(endpoint: Endpoint) -> Model:
    """Build a Groq model."""
    from groq import AsyncGroq  # noqa: PLC0415
    from pydantic_ai.models.groq import GroqModel  # noqa: PLC0415
    from pydantic_ai.providers.groq import GroqProvider  # noqa: PLC0415

    client = AsyncGroq(
        api_key=endpoint.api_key or _NO_KEY,
        base_url=endpoint.base_url,
        http_client=endpoint.clients.legacy(),
        max_retries=0,
    )
    return GroqModel(endpoint.name, provider=GroqProvider(groq_client=client))


def build_mistral(endpoint: Endpoint) -> Model:
    """Build a Mistral model."""
    from pydantic_ai.models.mistral import MistralModel  # noqa: PLC0415
    from pydantic_ai.providers.mistral import MistralProvider  # noqa: PLC0415

    provider = MistralProvider(
        api_key=endpoint.api_key or _NO_KEY, base_url=endpoint.base_url, http_client=endpoint.clients.modern()
    )
    return MistralModel(endpoint.name, provider=provider, settings=_ONCE)


def _compatible_provider(endpoint: Endpoint) -> Provider[Any]:
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider  # noqa: PLC0415

    return OpenAICompatibleProvider(endpoint.provider, openai_client=_openai_client(endpoint))


def _chat_model(endpoint: Endpoint, provider: Provider[Any], *, knows_new_limit: bool) -> Model:
    from optimus.llm_handler.chat_completions import chat_model  # noqa: PLC0415

    return chat_model(endpoint.name, provider, knows_new_limit=knows_new_limit)


def _openai_client(endpoint: Endpoint) -> Any:
    from openai import AsyncOpenAI  # noqa: PLC0415

    return AsyncOpenAI(
        base_url=endpoint.base_url,
        api_key=endpoint.api_key or _NO_KEY,
        http_client=endpoint.clients.modern(),
        max_retries=0,
    )
