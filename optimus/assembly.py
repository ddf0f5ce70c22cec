"""The larger parts of Optimus, each put together from what it needs; `services.py` joins them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from optimus.allowance import Allowance, ExtractionLedger
from optimus.analytics.service import AnalyticsService
from optimus.answering import AnswerWriter
from optimus.auth.service import AuthService
from optimus.chat import ChatService
from optimus.chat_memory import ChatMemory
from optimus.connections import ConnectionService
from optimus.embedding import Embedder
from optimus.extraction import ExtractionService
from optimus.extraction_calls import ExtractionCalls
from optimus.extraction_reader import ExtractionReader
from optimus.extraction_settling import SettlingStep
from optimus.keys import Keys
from optimus.llm_handler.extraction import Extractor
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.settling import Settler
from optimus.llm_handler.summaries import Summarizer
from optimus.memory_manager.acts import MemoryActs
from optimus.memory_manager.crud import through_mem0
from optimus.memory_manager.documents import DocumentShelf
from optimus.memory_manager.extracted import Derivation
from optimus.memory_manager.graph import MemoryGraph
from optimus.memory_manager.health import MemoryHealth
from optimus.memory_manager.library import MemoryLibrary
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.rules.derivation import derive
from optimus.memory_manager.settling import Settlement
from optimus.memory_manager.shelf import Shelf
from optimus.memory_manager.views import MemoryViews
from optimus.models import Clock, UserId
from optimus.preferences import PreferenceService
from optimus.privacy.erased import ErasureList
from optimus.privacy.importing import Importer
from optimus.privacy.receipts import ReceiptSigner
from optimus.privacy.service import PrivacyService
from optimus.routing import Router
from optimus.settings import Settings
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.checkups import CheckupRepository
from optimus.storage.graph import GraphRepository
from optimus.storage.store import Store
from optimus.storage.survey import MemorySurvey
from optimus.summaries import SummaryKeeper
from optimus.system_settings import SystemSettingsService
from optimus.upkeep import UpkeepService
from optimus.withholding import Withholding

SUMMARY_S = 60.0
"""How long a summary of a chat may take."""
STOP_S = 10.0
"""How long an erasure waits for an answer to stop."""


def open_auth(
    settings: Settings, keys: Keys, store: Store, system: SystemSettingsService, *, clock: Clock, password_cost: int
) -> AuthService:
    """Return who signs people in."""
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
class Engines:
    """What chats, pages and background work are built on."""

    system: SystemSettingsService
    embedder: Embedder
    memory: MemoryManager
    shelf: Shelf
    models: ModelGateway
    preferences: PreferenceService
    connections: ConnectionService
    allowance: Allowance
    withholding: Withholding


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What runs for an owner in this process, or remembers something of them outside the store."""

    store: Store
    engines: Engines
    analytics: AnalyticsService
    graph: MemoryGraph
    upkeep: UpkeepService
    clock: Clock

    def stop(self, owner: UserId) -> None:
        """Stop the owner's answers, and a look through their memories; wait until that is done."""
        for generation in self.engines.models.generations.running(owner):
            generation.stop()
            generation.wait(STOP_S)
        self.upkeep.stop(owner)

    def forget(self, owner: UserId) -> None:
        """Drop the owner's figures and words, and the vectors of everybody's last texts."""
        self.engines.memory.let_go(owner)
        self.graph.let_go(owner)
        self.analytics.forget(owner)
        self.engines.embedder.forget()


def open_privacy(settings: Settings, keys: Keys, auth: AuthService, running: Running) -> PrivacyService:
    """Return what exports, imports and erases."""
    engines = running.engines
    importer = Importer(
        store=running.store, memory=engines.memory, preferences=engines.preferences, clock=running.clock
    )
    return PrivacyService(
        store=running.store,
        departures=auth.departures,
        proof=auth.proof,
        importer=importer,
        running=running,
        erased=ErasureList(folder=settings.keys_folder),
        signer=ReceiptSigner(master=keys.master, former=keys.former, folder=settings.keys_folder),
        clock=running.clock,
    )


def open_memory(store: Store, embedder: Embedder, clock: Clock, limit: Callable[[], int | None]) -> MemoryManager:
    """Return the memory engine, which writes through Mem0."""
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
        derive=derive,
        clock=clock,
        crud=crud,
        acts=MemoryActs(store.audit),
        limit=limit,
        metrics=store.metrics,
    )


def open_shelf(store: Store, embedder: Embedder, limit: Callable[[], int | None] = lambda: None) -> Shelf:
    """Return a view of the memories that shares nothing but the store."""
    return Shelf(index=store.memories, embedder=embedder, encoder=Bm25Encoder(), limit=limit)


def open_extraction(
    store: Store,
    engines: Engines,
    health: MemoryHealth,
    *,
    lookers: tuple[Extractor, Settler | None],
    clock: Clock,
) -> ExtractionService:
    """Return what lets a model look for memories; without a settler it does not compare them."""
    extractor, settler = lookers
    connections, preferences, withholding = engines.connections, engines.preferences, engines.withholding
    ledger = ExtractionLedger(events=store.events, metrics=store.metrics, allowance=engines.allowance)
    calls = ExtractionCalls(ledger=ledger, connections=connections, clock=clock)
    settlement = Settlement(shelf=engines.shelf, health=health)
    reader = ExtractionReader(
        conversations=store.conversations,
        calls=calls,
        derivation=Derivation(shelf=engines.shelf, memory=engines.memory, derive=derive, clock=clock),
        extractor=extractor,
        settling=SettlingStep(calls=calls, settler=settler, settlement=settlement, withholding=withholding)
        if settler
        else None,
        preferences=preferences,
        withholding=withholding,
    )
    return ExtractionService(
        jobs=store.jobs, reader=reader, connections=connections, preferences=preferences, clock=clock
    )


def open_graph(store: Store, shelf: Shelf) -> MemoryGraph:
    """Return the people and things that memories name."""
    repository = GraphRepository(client=store.client, collection=store.names.relations)
    return MemoryGraph(shelf=shelf, survey=open_survey(store), repository=repository)


def open_survey(store: Store) -> MemorySurvey:
    """Return a look over all memories of an owner."""
    return MemorySurvey(client=store.client, collection=store.names.memories)


def open_upkeep(
    store: Store, shelf: Shelf, memory: MemoryManager, graph: MemoryGraph, preferences: PreferenceService, clock: Clock
) -> tuple[MemoryHealth, UpkeepService]:
    """Return what looks through memories, and what does so by itself."""
    checkups = CheckupRepository(client=store.client, collection=store.names.work, sync=store.sync)
    health = MemoryHealth(
        shelf=shelf, survey=open_survey(store), memory=memory, checkups=checkups, derive=derive, clock=clock
    )
    upkeep = UpkeepService(
        health=health, graph=graph, preferences=preferences, accounts=store.accounts, work=store.work, clock=clock
    )
    return health, upkeep


def open_library(
    store: Store, shelf: Shelf, memory: MemoryManager, clock: Clock
) -> tuple[MemoryGraph, MemoryLibrary, DocumentShelf]:
    """Return what the Memory page acts through."""
    graph = open_graph(store, shelf)
    views = MemoryViews(shelf=shelf, memory=memory, survey=open_survey(store), graph=graph)
    library = MemoryLibrary(shelf=shelf, memory=memory, views=views, conversations=store.conversations, clock=clock)
    documents = DocumentShelf(index=store.documents, shelf=shelf, memory=memory, library=library, clock=clock)
    return graph, library, documents


def open_chat(store: Store, engines: Engines, extraction: ExtractionService, clock: Clock) -> ChatService:
    """Return what answers."""
    memory = ChatMemory(
        memory=engines.memory,
        preferences=engines.preferences,
        queue=extraction,
        withholding=engines.withholding,
    )
    writer = AnswerWriter(
        conversations=store.conversations,
        events=store.events,
        memory=memory,
        models=engines.models,
        connections=engines.connections,
        summaries=_summaries(store, engines, memory, clock),
        allowance=engines.allowance,
        clock=clock,
        metrics=store.metrics,
    )
    return ChatService(
        conversations=store.conversations,
        memory=memory,
        models=engines.models,
        writer=writer,
        router=Router(connections=engines.connections, preferences=engines.preferences, models=engines.models),
        allowance=engines.allowance,
        clock=clock,
        metrics=store.metrics,
    )


def _summaries(store: Store, engines: Engines, memory: ChatMemory, clock: Clock) -> SummaryKeeper:
    return SummaryKeeper(
        conversations=store.conversations,
        memory=memory,
        connections=engines.connections,
        summarizer=Summarizer(gateway=engines.models, timeout_s=SUMMARY_S),
        ledger=ExtractionLedger(events=store.events, metrics=store.metrics, allowance=engines.allowance),
        clock=clock,
    )
