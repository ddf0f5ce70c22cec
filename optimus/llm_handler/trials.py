"""Testing a key or an address for real: the models are listed, and of a provider with keys one is asked.

A key without credit or without the right to ask lists models like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from optimus.errors import ModelNotFoundError, OptimusError, ProviderPathError, ProviderRejectedError
from optimus.llm_handler.catalogue import Catalogue, ProviderEntry
from optimus.llm_handler.choices import Endpoints
from optimus.llm_handler.connections import LISTING_TIMEOUT_S, list_models, suggest_address, usable_key
from optimus.llm_handler.prices import cheapest
from optimus.llm_handler.requests import ConnectionTest, Credentials, ModelRef
from optimus.llm_handler.wire import HttpClients

if TYPE_CHECKING:
    from pydantic_ai.models import Model

_EMPTY = "The server answers, but it has no model yet. Load one into it first."
_SHOWN = 100
"""Characters of a model's name."""


class Trials:
    """Tests what a model is called with; to be awaited on the loop of the model layer."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        endpoints: Endpoints,
        clients: HttpClients,
        build: Callable[[ModelRef, Credentials], Model],
        ping: Callable[[Model], Awaitable[None]],
    ) -> None:
        self._catalogue = catalogue
        self._endpoints = endpoints
        self._clients = clients
        self._build = build
        self._ping = ping

    async def test(self, provider: str, credentials: Credentials, model: str | None) -> ConnectionTest:
        """Say what works, or exactly what is wrong; `model` is to be asked by name. Raises no provider's error."""
        try:
            entry = self._catalogue.get(provider)
            if entry.build is None:
                return ConnectionTest(ok=True, message="The offline assistant is always there.", models=entry.models)
            usable_key(entry, credentials)
            base_url = await asyncio.to_thread(self._endpoints.address, entry, credentials)
            await asyncio.to_thread(self._clients.modern)
            return await self._examine(entry, base_url, credentials, model)
        except OptimusError as exc:
            return ConnectionTest(ok=False, message=exc.user_message)

    async def _examine(
        self, entry: ProviderEntry, base_url: str, credentials: Credentials, model: str | None
    ) -> ConnectionTest:
        try:
            names = await list_models(self._clients, entry, base_url, credentials, timeout_s=LISTING_TIMEOUT_S)
        except ProviderPathError as exc:
            if model is None:
                return await self._wrong_path(entry, base_url, credentials, exc)
            names = ()
        if model is not None and model not in names:
            return await self._try_model(entry, credentials, model, names)
        if not names:
            return ConnectionTest(ok=False, message=_EMPTY)
        answering = await self._answering(entry, credentials, names) if entry.needs_key else ""
        count = "1 model" if len(names) == 1 else f"{len(names)} models"
        return ConnectionTest(ok=True, message=f"Connected. {entry.title} offers {count}.{answering}", models=names)

    async def _answering(self, entry: ProviderEntry, credentials: Credentials, names: tuple[str, ...]) -> str:
        """Ask the cheapest of the models and return the sentence that it answers.

        One that cannot be asked after all says nothing about the key.

        Raises:
            ProviderError: the key opens the list, but no answer.
        """
        refs = [ModelRef(provider=entry.key, name=name) for name in names]
        asked = cheapest([ref for ref in refs if ref.name in entry.models] or refs)
        try:
            await self._ask(asked, credentials)
        except (ModelNotFoundError, ProviderRejectedError):
            return ""
        return f" {asked.name[:_SHOWN]} answers."

    async def _try_model(
        self, entry: ProviderEntry, credentials: Credentials, model: str, names: tuple[str, ...]
    ) -> ConnectionTest:
        """Ask the model itself: lists leave out other names of a model."""
        try:
            await self._ask(ModelRef(provider=entry.key, name=model), credentials)
        except ModelNotFoundError:
            some = f" It offers: {', '.join(names[:5])}." if names else ""
            return ConnectionTest(ok=False, message=f"There is no model “{model[:_SHOWN]}” there.{some}", models=names)
        return ConnectionTest(ok=True, message=f"Connected. {model[:_SHOWN]} answers.", models=(model, *names))

    async def _ask(self, ref: ModelRef, credentials: Credentials) -> None:
        await self._ping(await asyncio.to_thread(self._build, ref, credentials))

    async def _wrong_path(
        self, entry: ProviderEntry, base_url: str, credentials: Credentials, exc: ProviderPathError
    ) -> ConnectionTest:
        better = await suggest_address(self._clients, entry, base_url, credentials)
        if better is None:
            return ConnectionTest(ok=False, message=exc.user_message)
        return ConnectionTest(ok=False, message=f"The path is wrong. Use {better} as the address.")
