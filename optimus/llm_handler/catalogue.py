"""The providers by key; their entries stand in `optimus/provider_table.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from optimus.errors import ModelNotFoundError
from optimus.provider_table import PROVIDERS, Listing, ProviderEntry, is_installed

__all__ = ["CATALOGUE", "Catalogue", "Listing", "ProviderEntry", "is_chat_name"]

_NOT_CHAT = re.compile(
    r"embed|rerank|moderation|guard|ocr|whisper|tts|transcribe|audio|realtime|orpheus|lyria|image|dall-e|imagine|sora"
    r"|\bveo|babbage|davinci|turbo-instruct",
    re.IGNORECASE,
)
"""In the names of models that search, judge, hear, speak, draw or complete texts; providers list them beside others."""


def is_chat_name(name: str) -> bool:
    """Tell whether a model can chat as far as its name tells."""
    return not _NOT_CHAT.search(name)


class Catalogue:
    """The entries by key, in the order in which they are shown."""

    def __init__(self, entries: Iterable[ProviderEntry] = PROVIDERS) -> None:
        self._entries = {entry.key: entry for entry in entries}

    def all(self) -> tuple[ProviderEntry, ...]:
        """Return every entry."""
        return tuple(self._entries.values())

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def offered(self) -> tuple[ProviderEntry, ...]:
        """Return what a person can connect."""
        return tuple(entry for entry in self._entries.values() if entry.is_offered)

    def not_installed(self) -> tuple[ProviderEntry, ...]:
        """Return what a person could connect if its library were installed."""
        return tuple(entry for entry in self.offered() if not is_installed(entry.package))

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
