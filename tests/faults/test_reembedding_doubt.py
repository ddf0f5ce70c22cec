"""Another search model, where the store does not say whether it switched, and on a Qdrant server."""

from contextlib import closing
from threading import Event

import pytest

from optimus import reembedding
from optimus.errors import InvalidInputError, StoreUnavailableError
from optimus.services import Services, wire
from optimus.storage.audit_records import AuditAction, AuditFilter
from optimus.storage.failpoints import Crash, armed, crash_at
from optimus.storage.migrations import EMBEDDING
from optimus.storage.store import open_store
from tests.fakes.embedding import HashEmbedder
from tests.fakes.qdrant_server import FakeQdrant
from tests.faults.test_reembedding import (
    NEW,
    OLD,
    POINTS,
    SAME_SIZE,
    TEXTS,
    changed,
    collections,
    fill,
    memories,
    nearest,
)
from tests.world import KEYS


@pytest.fixture
def filled(world):
    """The world, with memories of the old model."""
    world.services.reembedding.use_model()
    for text in TEXTS:
        world.services.memory.add(world.owner, text)
    return world


def lose_replies(services: Services, monkeypatch: pytest.MonkeyPatch, *, count: int, is_stored: bool) -> None:
    """Let the switch fail so many times, after it was stored or before."""
    work, left = services.store.work, [None] * count
    store_it = work.set_setting

    def fail(name: str, value: dict[str, object]) -> None:
        is_lost = name == EMBEDDING and "collection" in value and bool(left)
        if is_stored or not is_lost:
            store_it(name, value)
        if is_lost:
            left.pop()
            raise StoreUnavailableError("the reply was lost")

    monkeypatch.setattr(work, "set_setting", fail)


@pytest.mark.parametrize("is_stored", [True, False], ids=["stored", "not stored"])
def test_nothing_is_lost_where_the_switch_was_not_answered(filled, monkeypatch, is_stored):
    """Until it is known where the memories lie no write is acknowledged, so that a restart finds all that were."""
    services, owner = changed(filled), filled.owner
    lose_replies(services, monkeypatch, count=1, is_stored=is_stored)
    with pytest.raises(StoreUnavailableError):
        services.reembedding.run()
    bees = next(memory for memory in memories(services.store, owner).values() if memory.text == TEXTS[0])
    with pytest.raises(StoreUnavailableError):
        services.memory.add(owner, "I collect stamps of Ceylon")
    with pytest.raises(StoreUnavailableError):
        services.memory.forget(owner, bees.id)
    with pytest.raises(InvalidInputError):
        services.reembedding.cancel(filled.principal)
    services.store.memories.delete(owner, [bees.id])
    before = memories(services.store, owner)
    assert len(before) == len(TEXTS) - 1
    again = changed(filled)
    assert memories(again.store, owner) == before
    again.reembedding.run()
    assert memories(again.store, owner) == before
    assert collections(again.store) == ["optimus_memories_2"]


def test_a_switch_that_was_not_answered_is_asked_for_again(filled, monkeypatch):
    """The background job goes on by itself until the store answers; then memories are written as usual."""
    monkeypatch.setattr(reembedding, "RETRY_S", 0.01)
    services, owner = changed(filled), filled.owner
    lose_replies(services, monkeypatch, count=3, is_stored=True)
    services.reembedding.start()
    assert services.reembedding.wait(20)
    assert services.reembedding.state().is_whole
    services.memory.add(owner, "I collect stamps of Ceylon")
    assert nearest(services, owner, "I collect stamps of Ceylon")[0] == "I collect stamps of Ceylon"
    assert collections(services.store) == ["optimus_memories_2"]


def test_a_copy_is_not_thrown_away_while_it_is_made(filled, monkeypatch):
    """A cancel that comes while a batch takes long is refused in words, and works once the batch has ended."""
    monkeypatch.setattr(reembedding, "STOP_S", 0.01)
    services = changed(filled)
    inside, may_go_on = Event(), Event()
    make = services.reembedding._around.vectors

    def slow(batch):
        inside.set()
        may_go_on.wait(20)
        return make(batch)

    monkeypatch.setattr(services.reembedding._around, "vectors", slow)
    services.reembedding.start()
    assert inside.wait(20)
    with pytest.raises(InvalidInputError) as refused:
        services.reembedding.cancel(filled.principal)
    assert "still stopping" in refused.value.user_message
    may_go_on.set()
    assert services.reembedding.wait(20)
    services.reembedding.cancel(filled.principal)
    assert services.reembedding.state().is_cancelled
    assert collections(services.store) == ["optimus_memories"]


def test_what_the_terminal_does_is_in_the_audit_log(filled):
    """The command line's own run is recorded once; one that finds nothing to do is not."""
    services = changed(filled)
    for _ in range(2):
        services.reembedding.run_for_terminal(lambda _done, _total: None)
    page = services.store.audit.page(AuditFilter(actions=frozenset({AuditAction.REEMBEDDED})))
    assert len(page.items) == 1


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize("by_grpc", [True, False], ids=["grpc", "rest"])
@pytest.mark.parametrize("model", [NEW, SAME_SIZE], ids=["another size", "the same size"])
def test_a_server_changes_models_across_crashes(by_grpc, model):
    """On a server, too: killed at each step in turn it ends with every memory once, in one collection."""
    server = FakeQdrant()
    settings = server.settings(qdrant_prefer_grpc=by_grpc)

    def start(embedder: HashEmbedder) -> Services:
        store = open_store(settings, KEYS, vector_size=embedder.dimensions)
        services = wire(settings, KEYS, store, password_cost=4, embedder=embedder)
        services.reembedding.use_model()
        return services

    with closing(server):
        with closing(start(OLD)) as services:
            owner = fill(services)
            before = memories(services.store, owner)
        for point in POINTS:
            with closing(start(model)) as services:
                with armed(crash_at(point)), pytest.raises(Crash):
                    services.reembedding.run()
                assert memories(services.store, owner) == before
        with closing(start(model)) as services:
            services.reembedding.run()
            assert services.reembedding.state().is_whole
            assert collections(services.store) == ["optimus_memories_2"]
            assert memories(services.store, owner) == before
