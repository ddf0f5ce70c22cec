"""The composition root: the only place that wires the parts of Optimus together."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event

from optimus.auth.service import AuthService
from optimus.chat import ChatService
from optimus.connections import ConnectionService
from optimus.embedding import Embedder, MiniLmEmbedder
from optimus.errors import OptimusError, StoreUnavailableError
from optimus.keys import Keys, load_keys
from optimus.llm_handler.gateway import ModelGateway
from optimus.memory_manager.crud import through_mem0
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.rules import derive
from optimus.models import Clock, utc_now
from optimus.settings import Settings
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.store import Store, open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that pages, routes and commands act through."""

    settings: Settings
    store: Store
    auth: AuthService
    memory: MemoryManager
    models: ModelGateway
    connections: ConnectionService
    chat: ChatService
    embedder: Embedder
    clock: Clock

    def warm(self) -> None:
        """Load what costs seconds, in the background: the embedder, the engines' libraries.

        What is loaded then is taken out of the garbage collector's sight: it stays anyway, and looking through it
        again and again pauses every session.
        """
        self.embedder.embed(["warm up"])
        self.memory.warm()
        self.models.warm().result()
        gc.collect()
        gc.freeze()

    def close(self) -> None:
        """Stop running answers, then flush and close the store; calling it twice does nothing."""
        self.models.close()
        self.store.close()


def build_services(settings: Settings, *, clock: Clock = utc_now, password_cost: int = 12) -> Services:
    """Open the store and wire everything on top of it.

    Raises:
        ConfigurationError: a folder, key or setting cannot be used; the text says what to do.
        StoreLockedError: another process holds the data folder.
        StoreUnavailableError: the Qdrant server does not answer.
    """
    keys = load_keys(settings)
    with ExitStack() as undo:
        store = open_store(settings, keys, clock=clock)
        undo.callback(store.close)
        opened = wire(settings, keys, store, clock=clock, password_cost=password_cost)
        opened.chat.mark_interrupted()
        store.accounts.purge_expired()
        undo.pop_all()
    return opened


def wire(
    settings: Settings,
    keys: Keys,
    store: Store,
    *,
    clock: Clock = utc_now,
    password_cost: int = 12,
    embedder: Embedder | None = None,
) -> Services:
    """Wire the services over a store that is open."""
    embedder = embedder or MiniLmEmbedder(folder=settings.embedding_dir)
    memory = MemoryManager(index=store.memories, embedder=embedder, encoder=Bm25Encoder(), derive=derive, clock=clock)
    models = ModelGateway(settings=settings, clock=clock)
    connections = ConnectionService(accounts=store.accounts, models=models, clock=clock)
    chat = ChatService(
        conversations=store.conversations,
        events=store.events,
        memory=memory,
        models=models,
        connections=connections,
        clock=clock,
    )
    auth = AuthService(
        accounts=store.accounts,
        keys=keys,
        settings=settings,
        clock=clock,
        password_cost=password_cost,
        record=store.events.append,
    )
    return Services(
        settings=settings,
        store=store,
        auth=auth,
        memory=memory,
        models=models,
        connections=connections,
        chat=chat,
        embedder=embedder,
        clock=clock,
    )


def _memory(store: Store, embedder: Embedder, clock: Clock) -> MemoryManager:
    encoder = Bm25Encoder()
    crud = through_mem0(
        client=store.client,
        collection=store.names.memories,
        index=store.memories,
        embedder=embedder,
        encoder=encoder,
        clock=clock,
    )
    return MemoryManager(
        index=store.memories, embedder=embedder, encoder=encoder, derive=derive, clock=clock, crud=crud
    )


class _Process:
    """What the lifespan opened, for the scripts and routes of the same process."""

    services: Services | None = None
    first_page = Event()
    startup_error: OptimusError | None = None


def install(opened: Services | None) -> None:
    """Make `opened` the services of this process; None takes them away."""
    _Process.services = opened


def current() -> Services:
    """Return the services of this process.

    Raises:
        StoreUnavailableError: the application is starting or stopping.
    """
    if _Process.services is None:
        raise StoreUnavailableError(
            "no services installed", user_message="Optimus is starting. Please reload the page."
        )
    return _Process.services


def note_startup_error(error: OptimusError | None) -> None:
    """Keep why the start failed, for the sentence on the terminal."""
    _Process.startup_error = error


def startup_error() -> OptimusError | None:
    """Return why the start failed, if it did."""
    return _Process.startup_error


def note_page_drawn() -> None:
    """Say that a page was drawn, so that heavy loading may begin without delaying the first one."""
    _Process.first_page.set()


def wait_for_first_page(timeout_s: float) -> None:
    """Return once a page was drawn, or when the time is up."""
    _Process.first_page.wait(timeout_s)
