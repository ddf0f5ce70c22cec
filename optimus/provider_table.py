"""Every provider that Optimus can talk to, one entry each.

The settings, the pickers, the tests of keys, the prices and the lists in the documents are made from these entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.util import find_spec


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
    build: str | None
    """The function in `llm_handler/providers.py` that makes its models; None for the offline assistant."""
    base_url: str | None = None
    """None where every server has its own address."""
    settings_name: str | None = None
    """`openai` reads the settings `openai_api_key` and `openai_base_url`."""
    priced_as: str | None = None
    """The price list's name of it; None where nobody knows its prices."""
    key_url: str | None = None
    """Where a person gets a key."""
    needs_key: bool = True
    has_free_tier: bool = False
    models: tuple[str, ...] = ()
    """Names to start with; what the provider lists on a test comes on top."""
    context_tokens: int | None = None
    """What the models to start with read at once, each at least, where the price list does not say."""
    listing: Listing = Listing.BEARER
    listing_path: str = "/models"
    sees: str = ""
    """Matches the names of models that take images; empty where none is known to."""
    reads_pdf: bool = False
    """Whether its models take PDF files as they are."""
    is_offered: bool = True
    """Whether it stands under "Connect a model"."""
    package: str | None = None
    """The library that its models need, as it is imported."""

    @property
    def is_shared(self) -> bool:
        """Whether the settings offer models of it: those that it starts with, or what the server there lists."""
        return bool(self.models) or self.base_url is None


PROVIDERS = (
    ProviderEntry(
        key="openai",
        package="openai",
        title="OpenAI",
        build="build_openai_responses",
        base_url="https://api.openai.com/v1",
        settings_name="openai",
        priced_as="openai",
        key_url="https://platform.openai.com/api-keys",
        models=("gpt-6.1-terra", "gpt-6.1-sol", "gpt-6-luna", "gpt-6-astra"),
        sees=r"gpt-(4o|4\.1|[5-9])|o[34]",
        reads_pdf=True,
    ),
    ProviderEntry(
        key="openai-chat",
        package="openai",
        title="OpenAI (Chat Completions)",
        build="build_openai_chat",
        base_url="https://api.openai.com/v1",
        settings_name="openai",
        priced_as="openai",
        key_url="https://platform.openai.com/api-keys",
        sees=r"gpt-(4o|4\.1|[5-9])|o[34]",
        reads_pdf=True,
    ),
    ProviderEntry(
        key="anthropic",
        package="anthropic",
        title="Anthropic",
        build="build_anthropic",
        base_url="https://api.anthropic.com",
        settings_name="anthropic",
        priced_as="anthropic",
        key_url="https://console.anthropic.com/settings/keys",
        models=("claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5"),
        listing=Listing.ANTHROPIC,
        listing_path="/v1/models?limit=100",
        sees=r"claude-",
        reads_pdf=True,
    ),
    ProviderEntry(
        key="google",
        package="google.genai",
        title="Google Gemini",
        build="build_google",
        base_url="https://generativelanguage.googleapis.com",
        settings_name="google",
        priced_as="google",
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
        package="groq",
        title="Groq",
        build="build_groq",
        base_url="https://api.groq.com",
        settings_name="groq",
        priced_as="groq",
        key_url="https://console.groq.com/keys",
        has_free_tier=True,
        models=("openai/gpt-oss-120b", "openai/gpt-oss-20b", "qwen/qwen3.8-27b"),
        listing_path="/openai/v1/models",
        sees=r"meta-llama/llama-4",
    ),
    ProviderEntry(
        key="mistral",
        package="mistralai",
        title="Mistral",
        build="build_mistral",
        base_url="https://api.mistral.ai",
        settings_name="mistral",
        priced_as="mistral",
        key_url="https://console.mistral.ai/api-keys",
        has_free_tier=True,
        models=("mistral-medium-latest", "mistral-large-latest", "mistral-small-latest"),
        context_tokens=128_000,
        listing_path="/v1/models",
        sees=r"pixtral|mistral-(small|medium)",
        reads_pdf=True,
    ),
    ProviderEntry(
        key="xai",
        package="openai",
        title="xAI",
        build="build_xai",
        base_url="https://api.x.ai/v1",
        settings_name="xai",
        priced_as="x-ai",
        key_url="https://console.x.ai",
        models=("grok-4.7", "grok-4.3", "grok-4-1-fast-non-reasoning"),
        sees=r"grok-(4|2-vision)",
    ),
    ProviderEntry(
        key="together",
        package="openai",
        title="Together",
        build="build_together",
        base_url="https://api.together.xyz/v1",
        settings_name="together",
        priced_as="together",
        key_url="https://api.together.ai/settings/api-keys",
        models=("openai/gpt-oss-120b", "Qwen/Qwen3.5-9B", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        context_tokens=128_000,
        sees=r"meta-llama/Llama-4|.*-VL-",
    ),
    ProviderEntry(
        key="compatible",
        package="openai",
        title="OpenAI-compatible server",
        build="build_compatible",
        settings_name="compatible",
        needs_key=False,
        sees=r".*(llava|vision|pixtral|gemma-?3|minicpm-v|[-_.]?vl\b)",
    ),
    ProviderEntry(
        key="offline",
        title="Offline assistant",
        build=None,
        needs_key=False,
        has_free_tier=True,
        models=("assistant",),
        listing=Listing.NONE,
        is_offered=False,
    ),
)


@cache
def is_installed(package: str | None) -> bool:
    """Tell whether a library can be imported; None is always there."""
    try:
        return package is None or find_spec(package) is not None
    except ImportError:
        return False


def settings_fields(entries: tuple[ProviderEntry, ...] = PROVIDERS) -> dict[str, str]:
    """Return the settings of the providers with their descriptions: of each its key and its address."""
    fields: dict[str, str] = {}
    for entry in reversed(entries):
        if entry.settings_name:
            fields[f"{entry.settings_name}_api_key"] = f"Key of {entry.title}."
            other = "Another address" if entry.base_url else "Address"
            fields[f"{entry.settings_name}_base_url"] = f"{other} of {entry.title}."
    return fields


def markdown_table(entries: tuple[ProviderEntry, ...] = PROVIDERS) -> str:
    """Return the providers for the documents."""
    head = ["| provider | setting | free tier | models to begin with |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *(_row(entry) for entry in entries if entry.is_offered)]) + "\n"


def _row(entry: ProviderEntry) -> str:
    kind = "API_KEY" if entry.needs_key else "BASE_URL"
    setting = f"`OPTIMUS_{entry.settings_name.upper()}_{kind}`" if entry.settings_name and entry.is_shared else ""
    free, models = "yes" if entry.has_free_tier else "", ", ".join(entry.models) or "what it lists"
    return f"| {entry.title} | {setting} | {free} | {models} |"
