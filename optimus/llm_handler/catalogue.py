"""Every provider that Optimus can talk to: one entry each, from which pickers, tests and documents are made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from optimus.errors import ModelNotFoundError
from optimus.llm_handler import providers
from optimus.llm_handler.providers import Build
from optimus.llm_handler.requests import OFFLINE_MODEL


class Listing(StrEnum):
    """How a provider is asked which models it has: how the key is sent and how the answer looks."""

    NONE = "none"
    BEARER = "bearer"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEntry:
    """One provider."""

    key: str
    """The part of a model's name before the colon."""
    title: str
    build: Build | None
    """None for the offline assistant, which is made for each answer."""
    base_url: str | None = None
    """None where every server has its own address."""
    settings_name: str | None = None
    """`openai` reads the settings `openai_api_key` and `openai_base_url`."""
    key_url: str | None = None
    """Where a person gets a key."""
    needs_key: bool = True
    has_free_tier: bool = False
    models: tuple[str, ...] = ()
    """Names to start with; what the provider lists on a test comes on top."""
    listing: Listing = Listing.BEARER
    listing_path: str = "/models"
    sees: str = ""
    """Matches the names of models that take images; empty where none is known to."""
    reads_pdf: bool = False
    """Whether its models take PDF files as they are."""
    is_offered: bool = True
    """Whether it stands under "Connect a model"."""


_ENTRIES = (
    ProviderEntry(
        key="openai",
        title="OpenAI",
        build=providers.build_openai_responses,
        base_url="https://api.openai.com/v1",
        settings_name="openai",
        key_url="https://platform.openai.com/api-keys",
        models=("gpt-6.1-terra", "gpt-6.1-sol", "gpt-6-luna", "gpt-6-astra"),
        sees=r"gpt-(4o|4\.1|[5-9])|o[34]",
        reads_pdf=True,
    ),
    ProviderEntry(
        key="openai-chat",
        title="OpenAI (Chat Completions)",
        build=providers.build_openai_chat,
        base_url="https://api.openai.com/v1",
        settings_name="openai",
        key_url="https://platform.openai.com/api-keys",
        is_offered=False,
        sees=r"gpt-(4o|4\.1|[5-9])|o[34]",
    ),
    ProviderEntry(
        key="anthropic",
        title="Anthropic",
        build=providers.build_anthropic,
        base_url="https://api.anthropic.com",
        settings_name="anthropic",
        key_url="https://console.anthropic.com/settings/keys",
        models=("claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5"),
        listing=Listing.ANTHROPIC,
        listing_path="/v1/models?limit=100",
        sees=r"claude-",
        reads_pdf=True,
    ),
    ProviderEntry(
        key="google",
        title="Google Gemini",
        build=providers.build_google,
        base_url="https://generativelanguage.googleapis.com",
        settings_name="google",
        key_url="https://aistudio.google.com/apikey",
        has_free_tier=True,
        models=("gemini-3.8-flash", "gemini-4-argon", "gemini-3.5-flash-lite"),
        listing=Listing.GOOGLE,
        listing_path="/v1beta/models?pageSize=200",
        sees=r"gemini-",
        reads_pdf=True,
    ),
    ProviderEntry(
        key="groq",
        title="Groq",
        build=providers.build_groq,
        base_url="https://api.groq.com",
        settings_name="groq",
        key_url="https://console.groq.com/keys",
        has_free_tier=True,
        models=("openai/gpt-oss-120b", "openai/gpt-oss-20b", "qwen/qwen3.8-27b"),
        listing_path="/openai/v1/models",
        sees=r"meta-llama/llama-4",
    ),
    ProviderEntry(
        key="mistral",
        title="Mistral",
        build=providers.build_mistral,
        base_url="https://api.mistral.ai",
        settings_name="mistral",
        key_url="https://console.mistral.ai/api-keys",
        has_free_tier=True,
        models=("mistral-medium-latest", "mistral-large-latest", "mistral-small-latest"),
        listing_path="/v1/models",
        sees=r"pixtral|mistral-(small|medium)",
    ),
    ProviderEntry(
        key="xai",
        title="xAI",
        build=providers.build_compatible,
        base_url="https://api.x.ai/v1",
        settings_name="xai",
        key_url="https://console.x.ai",
        models=("grok-4.7", "grok-4.3", "grok-4-1-fast-non-reasoning"),
        sees=r"grok-(4|2-vision)",
    ),
    ProviderEntry(
        key="together",
        title="Together",
        build=providers.build_together,
        base_url="https://api.together.xyz/v1",
        settings_name="together",
        key_url="https://api.together.ai/settings/api-keys",
        models=("openai/gpt-oss-120b", "Qwen/Qwen3.5-9B", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        sees=r"meta-llama/Llama-4|.*-VL-",
    ),
    ProviderEntry(
        key="compatible",
        title="OpenAI-compatible server",
        build=providers.build_compatible,
        settings_name="compatible",
        needs_key=False,
        sees=r".*(llava|vision|pixtral|gemma-?3|minicpm-v|[-_.]?vl\b)",
    ),
    ProviderEntry(
        key=OFFLINE_MODEL.provider,
        title="Offline assistant",
        build=None,
        needs_key=False,
        has_free_tier=True,
        models=(OFFLINE_MODEL.name,),
        listing=Listing.NONE,
        is_offered=False,
    ),
)


class Catalogue:
    """The entries by key, in the order in which they are shown."""

    def __init__(self, entries: Iterable[ProviderEntry] = _ENTRIES) -> None:
        self._entries = {entry.key: entry for entry in entries}

    def all(self) -> tuple[ProviderEntry, ...]:
        """Return every entry."""
        return tuple(self._entries.values())

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def offered(self) -> tuple[ProviderEntry, ...]:
        """Return what a person can connect."""
        return tuple(entry for entry in self._entries.values() if entry.is_offered)

    def sees(self, provider: str, name: str) -> bool:
        """Tell whether a model is known to take images."""
        entry = self._entries.get(provider)
        return bool(entry and entry.sees and re.match(entry.sees, name, re.IGNORECASE))

    def reads_pdf(self, provider: str) -> bool:
        """Tell whether a provider's models take PDF files as they are."""
        return provider in self._entries and self._entries[provider].reads_pdf

    def get(self, key: str) -> ProviderEntry:
        """Return one entry.

        Raises:
            ModelNotFoundError: there is no such provider.
        """
        entry = self._entries.get(key)
        if entry is None:
            raise ModelNotFoundError(
                "unknown provider", user_message="Optimus does not know this provider. Choose another model."
            )
        return entry


CATALOGUE = Catalogue()
