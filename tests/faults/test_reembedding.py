"""Another search model: the app goes on, all vectors are made anew, and no crash, cancel or write spoils it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from optimus import doctor, ops
from optimus.errors import InvalidInputError, PermissionDeniedError
from optimus.models import Memory, MemoryStatus, UserId
from optimus.reembedding import StoppedError
from optimus.services import Services, new_metrics, wire
from optimus.settings import Settings
from optimus.storage.backup import restore_records, write_backup
from optimus.storage.failpoints import Crash, armed, crash_at
from optimus.storage.records import MemoryFilter
from optimus.storage.store import Store, _assemble, open_store
from optimus.storage.tenancy import across_tenants
from optimus.storage.walls import Wall
from tests.fakes.embedding import HashEmbedder
from tests.world import KEYS, PASSWORD, World, stranger

OLD = HashEmbedder()
NEW = HashEmbedder(256, name="new")
SAME_SIZE = HashEmbedder(384, name="twin")
POINTS = (
    "reembed.intended",
    "reembed.created",
    "reembed.batch",
    "reembed.copied",
    "reembed.switched",
    "reembed.dropped",
    "reembed.renewed",
)
TEXTS = tuple(f"I keep {animal} in the garden shed" for animal in ("bees", "newts", "geese", "snails", "moles"))
EVERY = MemoryFilter(statuses=frozenset(MemoryStatus))


@contextmanager
def opened(folder: Path, embedder: HashEmbedder) -> Iterator[Services]:
    """Open the embedded engine as a start does, with a search model."""
    settings = Settings.model_validate({"data_dir": folder, "setup_code": None})
    store = open_store(settings, KEYS, vector_size=embedder.dimensions)
    with closing(wire(settings, KEYS, store, password_cost=4, embedder=embedder)) as services:
        services.reembedding.use_model()
        yield services


class Lasting(Wall):
    """An engine that outlives the services on top of it."""

    def close(self, **kwargs: Any) -> None:
        """Stay open."""


def changed(world: World, embedder: HashEmbedder = NEW) -> Services:
    """Return services that were started again on the world's store, with another search model."""
    old = world.services
    store = _assemble(
        Lasting(old.store.renewal._engine),
        "memory",
        names=old.store.names,
        keys=KEYS,
        clock=world.clock,
        vector_size=embedder.dimensions,
        metrics=new_metrics(),
    )
    fresh = wire(old.settings, KEYS, store, clock=world.clock, password_cost=4, embedder=embedder)
    fresh.reembedding.use_model()
    return fresh


@pytest.fixture
def owner(world: World) -> UserId:
    """The world's user, with memories of the old model."""
    world.services.reembedding.use_model()
    for text in TEXTS:
        world.services.memory.add(world.owner, text)
    return world.owner


def fill(services: Services) -> UserId:
    """Make an account that remembers; return its owner."""
    owner = services.auth.create_admin(code=None, username="ada", password=PASSWORD).id
    for text in TEXTS:
        services.memory.add(owner, text)
    return owner


def memories(store: Store, owner: UserId) -> dict[str, Memory]:
    """Return everything that an owner has, by id."""
    return {memory.id: memory for memory in store.memories.page(owner, EVERY, limit=256).items}


def nearest(services: Services, owner: UserId, text: str) -> list[str]:
    """Return the texts of the memories that are nearest in meaning to a text."""
    found = services.store.memories.nearest(owner, services.embedder.embed([text])[0], MemoryFilter(), 3)
    return [memory.text for memory in services.store.memories.get(owner, [key for key, _ in found])]


def collections(store: Store) -> list[str]:
    """Return what the engine really holds of memories."""
    names = [each.name for each in store.renewal._engine.get_collections().collections]
    return sorted(name for name in names if store.names.plain(name) == store.names.memories)


def vectors(store: Store) -> list[Any]:
    """Return the vectors of all memories."""
    with across_tenants():
        records, _ = store.raw.scroll(collection_name=store.names.memories, limit=1000, with_vectors=True)
    return [record.vector for record in records]


def during(point: str, act: Callable[[], object]) -> Callable[[str], None]:
    """Return a hook that does something once, when work has come to a point."""
    left = [act]

    def hook(reached: str) -> None:
        if reached == point and left:
            left.pop()()

    return hook


def test_another_model_does_not_prevent_the_start_and_words_are_still_found(world):
    """With another model everything is there, searches go by words, nothing is compared with old vectors."""
    world.services.reembedding.use_model()
    world.services.memory.add(world.owner, TEXTS[0])
    fresh = changed(world)
    state = fresh.reembedding.state()
    assert (state.made_by, state.model, state.is_whole, state.is_running) == ("hash", "new", False, False)
    assert nearest(fresh, world.owner, TEXTS[0]) == []
    assert [each.memory.text for each in fresh.memory.recall(world.owner, "bees", limit=5)] == [TEXTS[0]]
    fresh.memory.add(world.owner, TEXTS[1])
    assert [each.memory.text for each in fresh.memory.recall(world.owner, "newts", limit=5)][:1] == [TEXTS[1]]
    again = changed(world, HashEmbedder())
    assert nearest(again, world.owner, TEXTS[0])[0] == TEXTS[0]
    assert not again.reembedding.state().is_whole, "what was written meanwhile has no vectors of the old model"


@pytest.mark.parametrize("model", [NEW, SAME_SIZE], ids=["another size", "the same size"])
def test_all_memories_are_found_by_the_new_model(world, model):
    """Afterwards every memory has vectors of the new model, is as it was, and the old collection is gone."""
    world.services.reembedding.use_model()
    world.say("I keep bees in the garden shed")
    world.say("My sister Ana lives in Porto")
    before = memories(world.services.store, world.owner)
    fresh = changed(world, model)
    fresh.reembedding.run()
    assert memories(fresh.store, world.owner) == before
    state = fresh.reembedding.state()
    assert (state.made_by, state.is_whole) == (model.name, True)
    assert collections(fresh.store) == ["optimus_memories_2"]
    assert all({"", "ctx", "bm25"} <= set(each) and len(each[""]) == model.dimensions for each in vectors(fresh.store))
    for memory in before.values():
        assert memory.text in nearest(fresh, world.owner, memory.text)
    fresh.memory.add(world.owner, "I collect stamps of Ceylon")
    assert nearest(fresh, world.owner, "I collect stamps of Ceylon")[0] == "I collect stamps of Ceylon"
    changed(world).reembedding.run()


def test_context_vectors_are_those_that_saying_it_anew_would_make(world):
    """A message's context is made of the messages around it, as it was when it was said."""
    conversation, *_ = world.say("I was in Lisbon in May")
    world.say("It rained all week", conversation=conversation)
    world.say("We ate well though", conversation=conversation)
    before = {
        memory.id: world.services.store.memories.vectors(world.owner, [memory.id])[memory.id]
        for memory in memories(world.services.store, world.owner).values()
    }
    world.services.reembedding.use_model()
    again = world.services.reembedding._around.vectors(list(memories(world.services.store, world.owner).values()))
    for memory, made in zip(memories(world.services.store, world.owner).values(), again, strict=True):
        assert made.dense == pytest.approx(before[memory.id].dense, abs=1e-5)
        assert made.ctx == pytest.approx(before[memory.id].ctx, abs=1e-5), memory.text


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_it_goes_on_at_the_next_start(world, owner, point):
    """After a crash at any step the store opens whole, and another run ends with every memory once."""
    before = memories(world.services.store, owner)
    with armed(crash_at(point)), pytest.raises(Crash):
        changed(world).reembedding.run()
    services = changed(world)
    assert memories(services.store, owner) == before
    assert services.memory.recall(owner, "bees", limit=5)[0].memory.text == TEXTS[0]
    assert not services.reembedding.state().is_whole
    services.reembedding.run()
    again = changed(world)
    assert again.reembedding.state().is_whole
    assert collections(again.store) == ["optimus_memories_2"]
    assert memories(again.store, owner) == before
    assert all(nearest(again, owner, text)[0] == text for text in TEXTS)


def test_the_embedded_engine_changes_models_across_restarts(tmp_path):
    """On disk, too: cut off before the switch, gone on with after a restart, found by meaning after another."""
    with opened(tmp_path, OLD) as services:
        owner = fill(services)
        before = memories(services.store, owner)
    with opened(tmp_path, NEW) as services:
        with armed(crash_at("reembed.copied")), pytest.raises(Crash):
            services.reembedding.run()
        assert memories(services.store, owner) == before
    with opened(tmp_path, NEW) as services:
        assert services.store.memories.count(owner) == len(TEXTS)
        services.reembedding.run()
        assert collections(services.store) == ["optimus_memories_2"]
        assert services.store.disk_bytes("optimus_memories")
        assert memories(services.store, owner) == before
        assert all(nearest(services, owner, text)[0] == text for text in TEXTS)


def test_what_is_copied_is_not_embedded_again(world, owner):
    """After a stop, another run embeds only what the copy does not hold as it is."""
    fresh = changed(world)
    with armed(crash_at("reembed.copied")), pytest.raises(Crash):
        fresh.reembedding.run()
    other = HashEmbedder(256, name="new")
    again = changed(world, other)
    again.memory.add(owner, "I collect stamps of Ceylon")
    other.forget()
    again.reembedding.run()
    assert {text for call in other.calls for text in call} == {"I collect stamps of Ceylon"}


@pytest.mark.parametrize("point", ["reembed.created", "reembed.batch"])
def test_what_is_written_and_deleted_meanwhile_counts(world, owner, point):
    """Additions, edits and deletions during the copy are in the result, and what was deleted is nowhere."""
    by_text = {memory.text: memory for memory in memories(world.services.store, owner).values()}
    added = [by_text[text] for text in TEXTS]
    fresh = changed(world)

    def write() -> None:
        fresh.memory.add(owner, "I collect stamps of Ceylon")
        fresh.memory.edit(owner, added[0].id, "I keep wasps in the attic", expected_version=1)
        fresh.memory.forget(owner, added[1].id)
        fresh.store.memories.delete(owner, [added[2].id])

    with armed(during(point, write)):
        fresh.reembedding.run()
    after = memories(fresh.store, owner)
    assert added[2].id not in after
    assert after[added[1].id].status is MemoryStatus.DELETED
    assert after[added[0].id].text == "I keep wasps in the attic"
    assert nearest(fresh, owner, "I keep wasps in the attic")[0] == "I keep wasps in the attic"
    assert nearest(fresh, owner, "I collect stamps of Ceylon")[0] == "I collect stamps of Ceylon"
    assert TEXTS[1] not in nearest(fresh, owner, TEXTS[1])
    assert len(vectors(fresh.store)) == len(after)


def test_a_change_that_leaves_the_number_of_memories_alone_is_copied_again(world, owner):
    """A memory that is reworded, and another that is forgotten, after they were copied are so in the result."""
    fresh = changed(world)
    by_text = {memory.text: memory for memory in memories(fresh.store, owner).values()}

    def change() -> None:
        fresh.memory.edit(owner, by_text[TEXTS[0]].id, "I keep wasps in the attic", expected_version=1)
        fresh.memory.forget(owner, by_text[TEXTS[1]].id)

    with armed(during("reembed.batch", change)):
        fresh.reembedding.run()
    after = memories(fresh.store, owner)
    assert nearest(fresh, owner, "I keep wasps in the attic")[0] == "I keep wasps in the attic"
    assert after[by_text[TEXTS[1]].id].status is MemoryStatus.DELETED
    assert TEXTS[0] not in {memory.text for memory in after.values()}


@pytest.mark.parametrize("point", ["reembed.created", "reembed.batch"])
def test_an_account_that_is_erased_meanwhile_stays_erased(world, owner, point):
    """Erasure reaches the copy as well, at once: nothing of the owner is in any collection."""
    fresh = changed(world)
    left: list[int] = []

    def erase() -> None:
        fresh.store.keyring.destroy(owner)
        fresh.store.personal.erase(owner)
        target = str(fresh.store.renewal.place.target)
        left.append(fresh.store.renewal._engine.count(collection_name=target, exact=True).count)

    with armed(during(point, erase)):
        fresh.reembedding.run()
    assert left == [0]
    assert vectors(fresh.store) == []


def test_cancelling_leaves_everything_as_it_was_until_it_is_begun_again(world, owner):
    """A cancelled copy is gone, the old model finds by meaning as before, and it does not begin by itself."""
    before, stored = memories(world.services.store, owner), vectors(world.services.store)
    fresh = changed(world)

    def stop() -> None:
        fresh.reembedding._stopping.set()

    with armed(during("reembed.batch", stop)), pytest.raises(StoppedError):
        fresh.reembedding.run()
    fresh.reembedding.cancel(world.principal)
    assert fresh.reembedding.state().is_cancelled
    assert collections(fresh.store) == ["optimus_memories"]
    fresh.reembedding.start()
    assert not fresh.reembedding.state().is_running
    assert vectors(fresh.store) == stored
    again = changed(world, HashEmbedder())
    assert memories(again.store, owner) == before
    assert nearest(again, owner, TEXTS[0])[0] == TEXTS[0]
    fresh = changed(world)
    fresh.reembedding.begin(world.principal)
    assert fresh.reembedding.wait(20)
    assert fresh.reembedding.state().is_whole


@pytest.mark.parametrize("point", ["reembed.cancelled", "reembed.discarded"])
def test_a_cancel_that_is_cut_off_stays_a_cancel(world, owner, point):
    """After a crash in a cancel it does not begin by itself, and beginning it again works."""
    with armed(crash_at("reembed.batch")), pytest.raises(Crash):
        changed(world).reembedding.run()
    with armed(crash_at(point)), pytest.raises(Crash):
        changed(world).reembedding.cancel(world.principal)
    services = changed(world)
    services.reembedding.start()
    assert services.reembedding.state().is_cancelled
    services.reembedding.run()
    assert collections(services.store) == ["optimus_memories_2"]
    assert len(memories(services.store, owner)) == len(TEXTS)


def test_it_starts_by_itself_and_shows_how_far_it_has_come(world, owner):
    """Where it is due it begins without anybody's doing; where nothing is due it does not, and nobody can begin it."""
    fresh = changed(world)
    fresh.reembedding.start()
    assert fresh.reembedding.wait(20)
    state = fresh.reembedding.state()
    assert (state.is_whole, state.done, state.total, state.share) == (True, len(TEXTS), len(TEXTS), 1.0)
    with pytest.raises(InvalidInputError):
        fresh.reembedding.begin(world.principal)
    with pytest.raises(InvalidInputError):
        fresh.reembedding.cancel(world.principal)


def test_only_who_manages_the_system_begins_and_cancels(world):
    """A user is refused."""
    for act in (world.services.reembedding.begin, world.services.reembedding.cancel):
        with pytest.raises(PermissionDeniedError):
            act(stranger())


def test_the_doctor_and_the_admin_say_that_the_model_changed(world, owner):
    """It is a warning, never a fault, until the memories are prepared; the terminal may begin and cancel it."""
    del owner
    services = changed(world)
    found = doctor.look_at_search(services)
    assert found.verdict is doctor.Verdict.WARNING
    assert "hash" in found.detail
    assert "python -m optimus reembed" in (found.fix or "")
    assert ops.run(services, "reembed", {"act": "cancel"})["is_cancelled"] is True
    ops.run(services, "reembed", {"act": "begin"})
    assert services.reembedding.wait(20)
    assert ops.run(services, "reembed", {})["is_whole"] is True
    assert doctor.look_at_search(services).verdict is doctor.Verdict.OK


def test_a_backup_of_moved_memories_is_put_back_under_their_first_name(world, owner, tmp_path):
    """A backup made after the change holds the new vectors; restored, they lie where a new store has them."""
    services = changed(world)
    services.reembedding.run()
    path = tmp_path / "all.backup"
    write_backup(services.store, KEYS, path, made_at=services.clock(), progress=lambda *_: None)
    there = Settings.model_validate({"data_dir": tmp_path / "other", "setup_code": None})
    restore_records(there, KEYS, path, vector_size=NEW.dimensions, progress=lambda *_: None)
    store = open_store(there, KEYS, vector_size=NEW.dimensions, is_restoring=True)
    with closing(wire(there, KEYS, store, embedder=NEW)) as back:
        back.reembedding.use_model()
        assert collections(back.store) == ["optimus_memories"]
        assert back.reembedding.state().is_whole
        assert len(vectors(back.store)) == len(TEXTS)
    assert owner
