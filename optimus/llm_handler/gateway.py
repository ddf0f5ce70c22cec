"""The face of the model layer: start, find and stop answers, list and test models."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from optimus.errors import ModelNotFoundError, OptimusError
from optimus.llm_handler import providers
from optimus.llm_handler.agents import ChatAgent, Deadlines
from optimus.llm_handler.attempts import Attempts, Persistence
from optimus.llm_handler.breakers import Breakers
from optimus.llm_handler.catalogue import CATALOGUE, Catalogue, ProviderEntry
from optimus.llm_handler.choices import DefaultFault, Endpoints, ListedModels, ModelRules
from optimus.llm_handler.connections import (
    LISTING_TIMEOUT_S,
    LOCAL_PORTS,
    find_local,
    list_models,
    usable_key,
)
from optimus.llm_handler.generations import EndCallback, Generation, Generations, conduct
from optimus.llm_handler.loop import LoopThread
from optimus.llm_handler.providers import BuiltModels, Endpoint
from optimus.llm_handler.requests import (
    OFFLINE_MODEL,
    ConnectionInfo,
    ConnectionTest,
    Credentials,
    GenerationRequest,
    LocalServer,
    ModelChoice,
    ModelRef,
)
from optimus.llm_handler.translate import translate
from optimus.llm_handler.trials import Trials
from optimus.llm_handler.wire import HttpClients, Outside
from optimus.metrics import Metrics
from optimus.models import Clock, ConversationId, UserId
from optimus.settings import Settings

if TYPE_CHECKING:
    from pydantic_ai.models import Model

CLOSE_S = 5.0
_COMPATIBLE = "compatible"


class ModelGateway:
    """Everything that Optimus asks of language models. Safe from any thread; ended by `close`."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        catalogue: Catalogue = CATALOGUE,
        local_ports: Mapping[int, str] = LOCAL_PORTS,
        rules: ModelRules | None = None,
        outside: Outside = Outside(),  # noqa: B008 - a frozen value
        metrics: Metrics | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.loop = LoopThread()
        self.history_tokens = settings.history_tokens
        self._local_ports = local_ports
        self._endpoints = Endpoints(settings=settings, catalogue=catalogue, rules=rules)
        whole_s = float(settings.request_timeout_s)
        self._clients = HttpClients(
            connect_s=settings.connect_timeout_s,
            read_s=whole_s,
            is_trusted=self._endpoints.trusts,
            lookup=outside.lookup,
        )
        self._built = BuiltModels()
        deadlines = Deadlines(first_token_s=float(settings.first_token_timeout_s), whole_s=whole_s)
        self._agent = ChatAgent(deadlines=deadlines, monotonic=outside.monotonic, reads_pdf=catalogue.reads_pdf)
        self._trials = Trials(
            catalogue=catalogue,
            endpoints=self._endpoints,
            clients=self._clients,
            build=self.model,
            ping=self._agent.ping,
        )
        self._listed = ListedModels(ask=lambda: self.loop.submit(self._list_shared()), clock=clock)
        self.generations = Generations()
        self._tasks: set[Future[None]] = set()
        self._settled: set[str] = set()
        self._metrics = metrics or Metrics()
        self.breakers = Breakers(clock=outside.monotonic, metrics=self._metrics)
        persistence = Persistence(retries=settings.request_retries, whole_s=whole_s, pause=outside.pause)
        self._attempts = Attempts(ask=self._ask, breakers=self.breakers, persistence=persistence, metrics=self._metrics)
        self._metrics.generations.set_function(lambda: len(self.generations.running()))

    def start(self, request: GenerationRequest, on_end: EndCallback) -> Generation:
        """Begin to write an answer and return at once.

        `on_end` stores the result; it runs in a worker thread, before anybody sees the generation as ended.

        Raises:
            GenerationBusyError: one is written in this conversation, or the user has as many as allowed.
        """
        self.generations.admit(generation := Generation(request))
        try:
            task = self.loop.submit(
                conduct(generation, lambda: self._attempts.write(generation, request), on_end, self.generations)
            )
        except OptimusError:
            self.generations.release(generation)
            raise
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return generation

    def current(self, owner: UserId, conversation_id: ConversationId) -> Generation | None:
        """Return the answer that is being written in the owner's conversation."""
        return self.generations.current(owner, conversation_id)

    def choices(self, connections: Sequence[ConnectionInfo] = ()) -> list[ModelChoice]:
        """Return the models that can be picked, the offline assistant last."""
        shared = self._endpoints.shared(self.catalogue.get(_COMPATIBLE))
        return self._endpoints.choices(connections, () if shared is None else self._listed.get())

    def default_choice(self, connections: Sequence[ConnectionInfo] = ()) -> ModelChoice:
        """Return the model of a new chat: the setting's, else the first connected, else the offline assistant."""
        return self._endpoints.default(self.choices(connections))

    def default_fault(self) -> DefaultFault | None:
        """Return what is wrong with the default model of the settings, if anything."""
        return self._endpoints.default_fault(self.choices())

    def credentials(
        self, ref: ModelRef, connections: Sequence[ConnectionInfo] = (), connection_id: str | None = None
    ) -> Credentials | None:
        """Return address and key for a model: of the connection that is named, else those of the settings.

        Raises:
            ModelNotFoundError: the provider is not known.
            ProviderKeyError: nobody connected the provider, or the connection was removed.
        """
        return self._endpoints.credentials(ref, connections, connection_id)

    def is_allowed(self, provider: str) -> bool:
        """Tell whether a provider is known and may be used here."""
        return provider in self.catalogue and self._endpoints.is_allowed(self.catalogue.get(provider))

    def takes_tools(self, ref: ModelRef) -> bool:
        """Tell whether a model may take tools: no server has refused them for it yet."""
        return self._agent.takes_tools(ref)

    def stop_forbidden(self) -> None:
        """Stop the answers of providers that are not allowed any more; what was written stays."""
        for generation in (each for each in self.generations.running() if not self.is_allowed(each.model.provider)):
            generation.stop()

    def test(self, provider: str, credentials: Credentials, model: str | None = None) -> ConnectionTest:
        """Call a provider for real and say what works, or exactly what is wrong; never raises a provider's error."""
        return self.loop.submit(self._trials.test(provider, credentials, model)).result()

    def test_shared(self, provider: str) -> ConnectionTest:
        """Call a provider with what the settings say about it, and say what works or is wrong; see `test`."""
        shared = self._endpoints.shared(self.catalogue.get(provider))
        return self.test(provider, shared or Credentials())

    def shared_providers(self) -> list[ProviderEntry]:
        """Return the providers that the settings set up for everybody and that may be used."""
        shared = [entry for entry in self.catalogue.all() if entry.is_shared and self._endpoints.shared(entry)]
        return [entry for entry in shared if self.is_allowed(entry.key)]

    def discover_local(self) -> list[LocalServer]:
        """Return the model servers that answer on this machine, within half a second."""
        return self.loop.submit(self._discover()).result()

    def warm(self) -> Future[None]:
        """Import in the background what the first answer needs, which costs seconds; nobody has to wait for it.

        What fails to load says so again when it is needed.
        """
        task = self.loop.submit(asyncio.to_thread(self._load))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    def close(self) -> None:
        """Stop all answers, wait shortly until they are stored, and end the loop; a second call does nothing."""
        deadline = time.monotonic() + CLOSE_S
        running = self.generations.running()
        for generation in running:
            generation.stop()
        for generation in running:
            generation.wait(max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(OptimusError, TimeoutError):
            self.loop.submit(self._clients.close()).result(CLOSE_S)
        self.loop.close()

    async def _ask(self, generation: Generation, request: GenerationRequest, ends_at: float) -> None:
        try:
            model = await asyncio.to_thread(self._model_for, request)
        except Exception as exc:
            raise translate(exc) from exc
        try:
            await self._agent.write(generation, request, model, ends_at=ends_at)
        finally:
            self._settle(request.model.provider)

    def _settle(self, provider: str) -> None:
        """Take the libraries out of the garbage collector's sight once a provider's are all loaded.

        They live as long as the process, and each full collection would hold the loop, and with it every answer,
        for 100-150 ms (2 cores).
        """
        if provider not in self._settled:
            self._settled.add(provider)
            gc.freeze()

    def _model_for(self, request: GenerationRequest) -> Model:
        if request.model.provider == OFFLINE_MODEL.provider:
            self._agent.load()
            return _offline(request)
        return self.model(request.model, request.credentials or Credentials())

    def model(self, ref: ModelRef, credentials: Credentials) -> Model:
        """Return a model to be asked on the loop; what cannot be called raises a `ProviderError`.

        The agent library is loaded as a whole before any part of it: two threads that begin with different parts
        meet one that is half there.
        """
        self._agent.load()
        entry = self.catalogue.get(ref.provider)
        key = usable_key(entry, credentials)
        if entry.build is None:
            raise ModelNotFoundError("not callable")
        endpoint = Endpoint(
            provider=entry.key,
            name=ref.name,
            base_url=self._endpoints.address(entry, credentials),
            api_key=key,
            clients=self._clients,
        )
        return self._built.get(endpoint, getattr(providers, entry.build))

    async def _discover(self) -> list[LocalServer]:
        await asyncio.to_thread(self._clients.modern)
        return await find_local(self._clients, self.catalogue.get(_COMPATIBLE), self._local_ports)

    async def _list_shared(self) -> tuple[str, ...]:
        entry = self.catalogue.get(_COMPATIBLE)
        credentials = self._endpoints.shared(entry) or Credentials()
        base_url = await asyncio.to_thread(self._endpoints.address, entry, credentials)
        await asyncio.to_thread(self._clients.modern)
        return await list_models(self._clients, entry, base_url, credentials, timeout_s=LISTING_TIMEOUT_S)

    def _load(self) -> None:
        from optimus.llm_handler.offline import model  # noqa: F401, PLC0415

        self._agent.load()
        self._clients.modern()
        for choice in self.choices():
            credentials = self.credentials(choice.ref)
            if credentials is not None:
                self.model(choice.ref, credentials)


def _offline(request: GenerationRequest) -> Model:
    from optimus.llm_handler.offline.model import OfflineModel  # noqa: PLC0415
    from optimus.llm_handler.offline.respond import respond  # noqa: PLC0415

    return OfflineModel(prompt=request.prompt, context=request.offline, respond=respond)
