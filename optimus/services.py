"""The composition root: the only place that wires the parts of Optimus together."""

from __future__ import annotations

import gc
import logging
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from optimus.allowance import Allowance
from optimus.analytics.service import AnalyticsService
from optimus.audit import AuditService
from optimus.auth.service import AuthService
from optimus.chat import ChatService
from optimus.chat_memory import ChatMemory
from optimus.connections import ConnectionService
from optimus.downloads import Downloads
from optimus.embedding import Embedder, MeasuredEmbedder, MiniLmEmbedder
from optimus.keys import Keys, load_keys
from optimus.llm_handler.catalogue import CATALOGUE
from optimus.llm_handler.gateway import ModelGateway
from optimus.memory_manager.acts import MemoryActs
from optimus.memory_manager.crud import through_mem0
from optimus.memory_manager.library import MemoryLibrary
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.rules.candidate import Candidate
from optimus.memory_manager.shelf import Shelf
from optimus.metrics import Metrics
from optimus.models import Clock, UserId, utc_now
from optimus.overview import OverviewService
from optimus.preferences import PreferenceService
from optimus.privacy.erased import ErasureList
from optimus.privacy.importing import Importer
from optimus.privacy.receipts import ReceiptSigner
from optimus.privacy.service import PrivacyService
from optimus.settings import Settings
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.folder import prepare_data_folder
from optimus.storage.overview import gauge
from optimus.storage.store import Store, open_store
from optimus.system_settings import SystemSettingsService

CHECKED_AT_START = 1_000
"""How many of the newest audit records each start checks; the doctor does the same, `verify-audit` checks all."""

_log = logging.getLogger(__name__)

STOP_S = 10.0
"""How long an erasure waits for an answer to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that pages, routes and commands act through."""

    settings: Settings
    store: Store
    auth: AuthService
    memory: MemoryManager
    library: MemoryLibrary
    models: ModelGateway
    preferences: PreferenceService
    connections: ConnectionService
    chat: ChatService
    analytics: AnalyticsService
    overview: OverviewService
    downloads: Downloads
    system: SystemSettingsService
    audit: AuditService
    privacy: PrivacyService
    embedder: Embedder
    clock: Clock

    def warm(self) -> None:
        """Load what costs seconds, in the background: the embedder, the engines' libraries. Check the audit log.

        What is loaded then is taken out of the garbage collector's sight: it stays anyway, and looking through it
        again and again pauses every session.
        """
        self.embedder.embed(["warm up"])
        self.memory.warm()
        self.models.warm().result()
        if not (report := self.store.audit.verify(CHECKED_AT_START)).is_whole:
            _log.error("%s", report.sentence)
        gc.collect()
        gc.freeze()

    def scrape(self, accept: str = "") -> tuple[bytes, str]:
        """Return the metrics, with the gauges as they are now, in the format that is asked for, and its type."""
        metrics = self.store.metrics
        gauge(self.store)
        try:
            metrics.disk_free.set(shutil.disk_usage(self.settings.data_dir).free)
        except OSError:
            metrics.disk_free.set(float("nan"))
        return metrics.text(accept)

    def close(self) -> None:
        """Stop running answers and imports, then flush and close the store; calling it twice does nothing."""
        self.privacy.close()
        self.models.close()
        self.store.close()


def build_services(settings: Settings, *, clock: Clock = utc_now, password_cost: int = 12) -> Services:
    """Open the store and wire everything on top of it.

    Raises:
        ConfigurationError: a folder, key or setting cannot be used; the text says what to do.
        StoreLockedError: another process holds the data folder.
        StoreUnavailableError: the Qdrant server does not answer.
    """
    prepare_data_folder(settings.data_dir)
    keys = load_keys(settings)
    with ExitStack() as undo:
        store = open_store(settings, keys, clock=clock, metrics=new_metrics())
        undo.callback(store.close)
        opened = wire(settings, keys, store, clock=clock, password_cost=password_cost)
        opened.chat.mark_interrupted()
        store.accounts.purge_expired()
        opened.privacy.replay()
        undo.pop_all()
    return opened


def new_metrics() -> Metrics:
    """Return metrics that tell the catalogue's providers and models apart."""
    return Metrics(models={entry.key: entry.models for entry in CATALOGUE.all()})


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
    metrics = store.metrics
    measured = MeasuredEmbedder(embedder or MiniLmEmbedder(folder=settings.embedding_dir), metrics=metrics)
    audit, accounts = store.audit, store.accounts
    system = SystemSettingsService(work=store.work, accounts=accounts, settings=settings, clock=clock, audit=audit)
    memory = _memory(store, measured, clock, system.max_memories)
    models = ModelGateway(settings=settings, clock=clock, rules=system, metrics=metrics)
    system.follow(models.stop_forbidden)
    preferences = PreferenceService(accounts=accounts, clock=clock, audit=audit)
    connections = ConnectionService(accounts=accounts, models=models, preferences=preferences, clock=clock, audit=audit)
    chat = ChatService(
        conversations=store.conversations,
        events=store.events,
        memory=ChatMemory(memory=memory, preferences=preferences),
        models=models,
        connections=connections,
        allowance=Allowance(accounts=accounts, limits=system.current, clock=clock),
        clock=clock,
        metrics=metrics,
    )
    auth = _auth(settings, keys, store, system, clock=clock, password_cost=password_cost)
    analytics = AnalyticsService(events=store.events, memories=store.memories, accounts=accounts, clock=clock)
    importer = Importer(store=store, memory=memory, preferences=preferences, clock=clock)
    running = _Running(store=store, models=models, analytics=analytics, memory=memory, embedder=measured, clock=clock)
    return Services(
        settings=settings,
        store=store,
        auth=auth,
        memory=memory,
        library=_library(store, measured, memory, clock),
        models=models,
        preferences=preferences,
        connections=connections,
        chat=chat,
        analytics=analytics,
        overview=OverviewService(store=store, people=auth.people, clock=clock),
        downloads=Downloads(clock=clock),
        system=system,
        audit=AuditService(log=store.audit, accounts=store.accounts),
        privacy=_privacy(settings, keys, auth, importer, running),
        embedder=measured,
        clock=clock,
    )


def _auth(
    settings: Settings, keys: Keys, store: Store, system: SystemSettingsService, *, clock: Clock, password_cost: int
) -> AuthService:
    return AuthService(
        accounts=store.accounts,
        keys=keys,
        settings=settings,
        clock=clock,
        password_cost=password_cost,
        audit=store.audit,
        is_registration_open=system.is_registration_open,
        metrics=store.metrics,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """What runs for an owner in this process, or remembers something of them outside the store."""

    store: Store
    models: ModelGateway
    analytics: AnalyticsService
    memory: MemoryManager
    embedder: Embedder
    clock: Clock

    def stop(self, owner: UserId) -> None:
        """Stop the owner's answers and wait until they are put away."""
        for generation in self.models.generations.running(owner):
            generation.stop()
            generation.wait(STOP_S)

    def forget(self, owner: UserId) -> None:
        """Drop the owner's figures and words, and the vectors of everybody's last texts."""
        self.memory.let_go(owner)
        self.analytics.forget(owner)
        self.embedder.forget()


def _privacy(
    settings: Settings, keys: Keys, auth: AuthService, importer: Importer, running: _Running
) -> PrivacyService:
    return PrivacyService(
        store=running.store,
        departures=auth.departures,
        importer=importer,
        running=running,
        erased=ErasureList(folder=settings.keys_folder),
        signer=ReceiptSigner(master=keys.master),
        clock=running.clock,
    )


def _memory(store: Store, embedder: Embedder, clock: Clock, limit: Callable[[], int | None]) -> MemoryManager:
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
        index=store.memories,
        embedder=embedder,
        encoder=encoder,
        derive=_derive,
        clock=clock,
        crud=crud,
        acts=MemoryActs(store.audit),
        limit=limit,
        metrics=store.metrics,
    )


def _library(store: Store, embedder: Embedder, memory: MemoryManager, clock: Clock) -> MemoryLibrary:
    shelf = Shelf(index=store.memories, embedder=embedder, encoder=Bm25Encoder())
    return MemoryLibrary(shelf=shelf, memory=memory, conversations=store.conversations, clock=clock)


def _derive(text: str, *, now: datetime) -> list[Candidate]:
    """Load the rules on first use: their patterns take time to compile, and the first page needs none."""
    from optimus.memory_manager.rules.derivation import derive  # noqa: PLC0415

    return derive(text, now=now)
