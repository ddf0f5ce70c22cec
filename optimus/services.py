"""The composition root: the only place that wires the parts of Optimus together."""

from __future__ import annotations

import gc
import logging
import shutil
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from optimus.allowance import Allowance
from optimus.analytics.service import AnalyticsService
from optimus.assembly import (
    Engines,
    Running,
    open_auth,
    open_chat,
    open_extraction,
    open_library,
    open_memory,
    open_privacy,
    open_shelf,
    open_upkeep,
)
from optimus.audit import AuditService
from optimus.auth.service import AuthService
from optimus.backups import BackupService
from optimus.chat import ChatService
from optimus.connections import ConnectionService
from optimus.downloads import Downloads
from optimus.embedding import Embedder, MeasuredEmbedder, MiniLmEmbedder
from optimus.errors import StoreFullError
from optimus.extraction import ExtractionService
from optimus.key_rotation import KeyRotation
from optimus.keys import Keys, load_keys
from optimus.llm_handler.catalogue import CATALOGUE
from optimus.llm_handler.extraction import Extractor, MemoryExtractor
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.mem0_pipeline import Mem0Extractor
from optimus.llm_handler.settling import MemorySettler, Settler
from optimus.memory_manager.documents import DocumentShelf
from optimus.memory_manager.graph import MemoryGraph
from optimus.memory_manager.health import MemoryHealth
from optimus.memory_manager.instructions import instructs
from optimus.memory_manager.library import MemoryLibrary
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.masking import mask
from optimus.memory_manager.rules.derivation import derive
from optimus.metrics import Metrics
from optimus.models import Clock, utc_now
from optimus.overview import OverviewService
from optimus.preferences import PreferenceService
from optimus.privacy.service import PrivacyService
from optimus.reembedding import ReembeddingService
from optimus.rescue import record_repairs, unsettled
from optimus.routing import Router
from optimus.settings import Settings
from optimus.shared_keys import SharedKeys
from optimus.storage.folder import prepare_data_folder
from optimus.storage.migrations import Report
from optimus.storage.overview import gauge
from optimus.storage.store import Store, open_store
from optimus.system_settings import SystemSettingsService
from optimus.upkeep import UpkeepService
from optimus.withholding import Withholding

CHECKED_AT_START = 1_000
"""How many of the newest audit records each start checks; the doctor does the same, `verify-audit` checks all."""

_NO_PEPPER = (
    "%d accounts have passwords from another pepper, so they cannot sign in. Put that pepper back into %s, or give "
    "them new sign-in codes; `python -m optimus create-admin` makes an admin who can."
)
_WARM_UP = "Warm up."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that pages, routes and commands act through."""

    settings: Settings
    store: Store
    auth: AuthService
    memory: MemoryManager
    library: MemoryLibrary
    graph: MemoryGraph
    health: MemoryHealth
    upkeep: UpkeepService
    documents: DocumentShelf
    models: ModelGateway
    preferences: PreferenceService
    connections: ConnectionService
    shared_keys: SharedKeys
    withholding: Withholding
    chat: ChatService
    router: Router
    allowance: Allowance
    extraction: ExtractionService
    analytics: AnalyticsService
    overview: OverviewService
    downloads: Downloads
    system: SystemSettingsService
    audit: AuditService
    privacy: PrivacyService
    backups: BackupService
    key_rotation: KeyRotation
    reembedding: ReembeddingService
    embedder: Embedder
    clock: Clock

    def warm(self) -> None:
        """Load what costs time, in the background: embedder, rules, the engines' libraries. Check the audit log.

        What is loaded then is taken out of the garbage collector's sight: it stays anyway, and looking through it
        again and again pauses every session.
        """
        self.embedder.embed([_WARM_UP])
        derive(_WARM_UP, now=self.clock())
        instructs(_WARM_UP)
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
        metrics.damage.set(len(unsettled(self.settings)))
        self.backups.gauge()
        try:
            metrics.disk_free.set(shutil.disk_usage(self.settings.data_dir).free)
        except OSError:
            metrics.disk_free.set(float("nan"))
        return metrics.text(accept)

    def catch_up(self) -> None:
        """Do what could not be done while the store was away: store answers that ended, finish erasures and imports.

        Raises:
            StoreError: it is away again.
        """
        self.chat.catch_up()
        self.privacy.replay()
        self.privacy.resume_imports()

    def close(self) -> None:
        """Stop background work and running answers, then flush and close the store; calling it twice does nothing."""
        self.backups.close()
        self.reembedding.close()
        self.extraction.stop()
        self.upkeep.close()
        self.privacy.close()
        self.models.close()
        self.chat.close()
        self.store.close()


def build_services(
    settings: Settings,
    *,
    clock: Clock = utc_now,
    password_cost: int = 12,
    report: Report | None = None,
    embedder: Embedder | None = None,
) -> Services:
    """Open the store and wire everything on top of it; `report` is told where an older store takes time.

    Another search model than the one that made the stored vectors is no hindrance: see `optimus.reembedding`.

    Raises:
        ConfigurationError: a folder, key or setting cannot be used; the text says what to do.
        StoreLockedError: another process holds the data folder.
        StoreUnavailableError: the Qdrant server does not answer.
        StoreDamagedError: the embedded store is damaged; see `optimus.rescue`.
    """
    prepare_data_folder(settings.data_dir)
    keys = load_keys(settings)
    with ExitStack() as undo:
        embedder = embedder or MiniLmEmbedder(folder=settings.embedding_dir)
        size = embedder.dimensions
        store = open_store(settings, keys, clock=clock, vector_size=size, metrics=new_metrics(), report=report)
        undo.callback(store.close)
        store.keyring.expect(store.accounts.owners)
        opened = wire(settings, keys, store, clock=clock, password_cost=password_cost, embedder=embedder)
        opened.reembedding.use_model()
        store.accounts.purge_expired()
        with suppress(StoreFullError):
            opened.privacy.replay()
            opened.chat.mark_interrupted()
            opened.privacy.resume_imports()
        record_repairs(settings, store.audit)
        opened.key_rotation.resume()
        if lost := opened.auth.passwords.under_no_pepper():
            _log.warning(_NO_PEPPER, lost, settings.keys_folder)
        if store.link is not None:
            store.link.on_return(opened.catch_up)
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
    measured = MeasuredEmbedder(embedder or MiniLmEmbedder(folder=settings.embedding_dir), metrics=store.metrics)
    engines = _engines(settings, store, measured, clock)
    auth = open_auth(settings, keys, store, engines.system, clock=clock, password_cost=password_cost)
    analytics = AnalyticsService(events=store.events, memories=store.memories, accounts=store.accounts, clock=clock)
    graph, library, documents = open_library(store, engines.shelf, engines.memory, clock)
    health, upkeep = open_upkeep(store, engines.shelf, engines.memory, graph, engines.preferences, clock)
    extraction = open_extraction(store, engines, health, lookers=_lookers(settings, engines.models), clock=clock)
    running = Running(store=store, engines=engines, analytics=analytics, graph=graph, upkeep=upkeep, clock=clock)
    return Services(
        settings=settings,
        store=store,
        auth=auth,
        memory=engines.memory,
        library=library,
        graph=graph,
        health=health,
        upkeep=upkeep,
        documents=documents,
        models=engines.models,
        preferences=engines.preferences,
        connections=engines.connections,
        shared_keys=SharedKeys(models=engines.models),
        withholding=engines.withholding,
        chat=open_chat(store, engines, extraction, clock),
        router=Router(connections=engines.connections, preferences=engines.preferences, models=engines.models),
        allowance=engines.allowance,
        extraction=extraction,
        analytics=analytics,
        overview=OverviewService(store=store, people=auth.people, clock=clock),
        downloads=Downloads(clock=clock),
        system=engines.system,
        audit=AuditService(log=store.audit, accounts=store.accounts),
        privacy=open_privacy(settings, keys, auth, running),
        backups=BackupService(store=store, keys=keys, settings=settings, clock=clock),
        reembedding=ReembeddingService(store=store, embedder=measured),
        key_rotation=KeyRotation(settings=settings, keys=keys, keyring=store.keyring, audit=store.audit),
        embedder=measured,
        clock=clock,
    )


def _engines(settings: Settings, store: Store, embedder: Embedder, clock: Clock) -> Engines:
    accounts, audit = store.accounts, store.audit
    system = SystemSettingsService(work=store.work, accounts=accounts, settings=settings, clock=clock, audit=audit)
    models = ModelGateway(settings=settings, clock=clock, rules=system, metrics=store.metrics)
    system.follow(models.stop_forbidden)
    preferences = PreferenceService(accounts=accounts, clock=clock, audit=audit)
    memory = open_memory(store, embedder, clock, system.max_memories)
    return Engines(
        system=system,
        embedder=embedder,
        memory=memory,
        shelf=open_shelf(store, embedder, system.max_memories),
        models=models,
        preferences=preferences,
        connections=ConnectionService(
            accounts=accounts, models=models, preferences=preferences, clock=clock, audit=audit
        ),
        allowance=Allowance(accounts=accounts, limits=system.current, clock=clock),
        withholding=Withholding(memory=memory, preferences=preferences, catalogue=models.catalogue),
    )


def _lookers(settings: Settings, models: ModelGateway) -> tuple[Extractor, Settler | None]:
    """Return what looks for memories, and what compares them; Mem0's pipeline only adds."""
    timeout_s = float(settings.request_timeout_s)
    if settings.memory_pipeline == "mem0":
        return Mem0Extractor(gateway=models, mask=mask, timeout_s=timeout_s, find=_find_by_mem0), None
    return (
        MemoryExtractor(gateway=models, mask=mask, timeout_s=timeout_s),
        MemorySettler(gateway=models, mask=mask, timeout_s=timeout_s),
    )


def _find_by_mem0(*asked: Any) -> list[str]:
    from optimus.memory_manager.mem0_extraction import find  # noqa: PLC0415 - imports Mem0, which takes seconds

    return find(*asked)
