from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from optimus.errors import InvalidCredentialsError, PermissionDeniedError
from optimus.models import Role, UserId, new_id
from optimus.services import wire
from optimus.settings import Settings, load_settings
from optimus.storage.folder import STORE_FOLDER
from optimus.storage.index_choice import index_choice
from optimus.storage.optimizing import Order, optimize
from optimus.storage.overview import collection_states
from optimus.storage.store import open_store
from tests.fakes.embedding import HashEmbedder
from tests.fakes.qdrant_server import FakeQdrant
from tests.unit.storage.conftest import SIZE
from tests.unit.storage.test_memory_index import memory_of, point
from tests.world import KEYS, PASSWORD, HandClock, World, stranger

MEMORIES = 120


def fail_to_sign_in(world: World, username: str = "ada") -> None:
    """Try a wrong password."""
    with pytest.raises(InvalidCredentialsError):
        world.services.auth.sign_in(username=username, password="x", network="n", captcha=None, user_agent="")


@pytest.mark.parametrize("name", ["collections", "counters"])
def test_only_an_admin_sees_the_whole(world, name):
    """Every reading is refused to a user."""
    with pytest.raises(PermissionDeniedError):
        getattr(world.services.overview, name)(stranger())


def test_the_counters_count_everybody_and_forget_with_time(world):
    """True memories without messages, conversations, answers and failures of a day and of a week."""
    world.say("I live in Lisbon")
    fail_to_sign_in(world)
    counters = world.services.overview.counters(world.principal)
    assert (counters.users, counters.locked, counters.sessions) == (1, 0, 1)
    assert (counters.conversations, counters.memories) == (1, 1)
    assert (counters.answers.day, counters.answers.week) == (1, 1)
    assert (counters.failed_sign_ins.day, counters.failed_sign_ins.week) == (1, 1)
    world.clock.now += timedelta(days=2)
    counters = world.services.overview.counters(world.principal)
    assert (counters.answers.day, counters.answers.week) == (0, 1)
    assert (counters.failed_sign_ins.day, counters.failed_sign_ins.week) == (0, 1)


def test_the_collections_are_all_there_with_their_sizes(world):
    """Seven collections; those that are searched by meaning are marked."""
    world.say("I live in Lisbon")
    states = {state.name: state for state in world.services.overview.collections(world.principal)}
    assert len(states) == 7
    assert states["memories"].points == 2
    assert {name for name, state in states.items() if state.has_vectors} == {"memories", "memories_entities"}


def test_the_embedded_engine_answers_the_same_questions(tmp_path):
    """Counts and sizes come from the real engine as well."""
    clock = HandClock()
    settings = Settings.model_validate({"data_dir": tmp_path, "setup_code": None})
    store = open_store(settings, KEYS, clock=clock)
    opened = wire(settings, KEYS, store, clock=clock, password_cost=4, embedder=HashEmbedder())
    opened.auth.create_admin(code=None, username="ada", password=PASSWORD)
    ticket = opened.auth.sign_in(username="ada", password=PASSWORD, network="", captcha=None, user_agent="")
    ada = opened.auth.principal(opened.auth.open_session(ticket).token)
    assert ada
    opened.auth.people.create(ada, username="bob", role=Role.USER)
    with pytest.raises(InvalidCredentialsError):
        opened.auth.sign_in(username="bob", password="x", network="", captcha=None, user_agent="")
    counters = opened.overview.counters(ada)
    assert (counters.users, counters.failed_sign_ins.day) == (2, 1)
    assert len(opened.overview.collections(ada)) == 7
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with 120 memories of 8 numbers and as many in context."""
    store = open_store(load_settings(data_dir=tmp_path), KEYS, vector_size=SIZE)
    owner = UserId(new_id())
    store.memories.put(owner, [point(memory_of(owner, f"memory {seed}"), seed) for seed in range(MEMORIES)])
    store.close()
    return tmp_path


@pytest.mark.parametrize(("choice", "bits"), [("two-bit", 2.0), ("one-bit", 1.0), ("off", None)])
def test_a_collection_tells_its_size_and_what_quantization_saves(folder, choice, bits):
    """Records, vectors in the graph, bytes on the disk as the system counts them, and the share that is saved."""
    settings = load_settings(data_dir=folder, quantization=choice)
    chosen = index_choice(settings)
    list(optimize(Order(root=str(folder / STORE_FOLDER), prefix=settings.collection_prefix, choice=chosen)))
    store = open_store(settings, KEYS, vector_size=SIZE)
    states = {state.name: state for state in collection_states(store)}
    files = (folder / STORE_FOLDER / store.names.memories).rglob("*")
    on_disk = sum(512 * path.stat().st_blocks for path in files if path.is_file())
    store.close()

    found = states["memories"]
    numbers = 2 * SIZE * MEMORIES
    assert (found.points, found.original_bytes) == (MEMORIES, 4 * numbers)
    assert found.segments > 0
    assert found.disk_bytes == pytest.approx(on_disk, rel=0.2)
    assert found.quantized_bytes == (None if bits is None else numbers * bits / 8)
    assert found.saving == (None if bits is None else pytest.approx(1 - bits / 32))
    assert found.ram_bytes == numbers * (bits or 32) / 8
    assert (found.quantization or "").endswith(f"{bits:g} bits" if bits == 2 else "1 bit" if bits else "")
    assert states["accounts"].quantization is None
    assert (states["accounts"].original_bytes, states["accounts"].saving) == (0, None)


def test_originals_that_are_kept_in_ram_count_there(tmp_path):
    """Where the settings keep whole vectors in RAM too, both count, and nothing is said to be saved."""
    settings = load_settings(data_dir=tmp_path, vectors_on_disk=False)
    with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
        owner = UserId(new_id())
        store.memories.put(owner, [point(memory_of(owner, "one memory"), 1)])
        found = {state.name: state for state in collection_states(store)}["memories"]
    assert found.ram_bytes == 2 * SIZE * 4 + 2 * SIZE * 2 / 8
    assert found.saving is None


def test_a_server_does_not_tell_its_disk():
    """What is not known is said to be unknown, never 0."""
    with closing(FakeQdrant()) as server, closing(open_store(server.settings(), KEYS, vector_size=SIZE)) as store:
        assert {state.disk_bytes for state in collection_states(store)} == {None}
