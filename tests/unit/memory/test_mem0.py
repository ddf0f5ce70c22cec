import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optimus.errors import ConfigurationError, ConflictError, StoreUnavailableError
from optimus.memory_manager.crud import through_mem0
from optimus.memory_manager.manager import MemoryManager
from optimus.models import MemoryStatus, UserId, new_id
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.store import open_memory_store
from optimus.storage.tenancy import acting_as
from tests.fakes.embedding import HashEmbedder
from tests.unit.memory.conftest import KEYS, SIZE, ScriptedRules, SteppingClock, World


@pytest.fixture
def world():
    """A user whose single additions and edits go through Mem0."""
    clock, rules, embedder, encoder = SteppingClock(), ScriptedRules(), HashEmbedder(SIZE), Bm25Encoder()
    store = open_memory_store(KEYS, clock=clock, vector_size=SIZE)
    parts: dict[str, Any] = {"index": store.memories, "embedder": embedder, "encoder": encoder, "clock": clock}
    crud = through_mem0(client=store.client, collection=store.names.memories, **parts)
    memory = MemoryManager(**parts, derive=rules, crud=crud)
    memory.warm()
    yield World(store=store, memory=memory, rules=rules, clock=clock, embedder=embedder)
    store.close()


def engine(world: World) -> Any:
    """Return the `EngineMemory` in use."""
    crud: Any = world.memory._crud
    return crud._opened._engine


def plain(world: World) -> Any:
    """Return a `mem0.Memory` of Mem0's own class and vector store on our client, with our embedder."""
    # Only here, after `warm` has set Mem0's environment.
    from mem0 import Memory  # noqa: PLC0415
    from mem0.vector_stores.qdrant import Qdrant  # noqa: PLC0415

    memory = Memory.__new__(Memory)
    memory.__dict__.update(engine(world).__dict__)
    memory.vector_store = Qdrant(
        collection_name=world.store.names.memories, embedding_model_dims=SIZE, client=world.store.client
    )
    memory.vector_store._bm25_encoder = Bm25Encoder()
    return memory


def texts(found: dict[str, Any]) -> list[str]:
    """Return the texts of a Mem0 answer, in the order of the alphabet."""
    return sorted(item["memory"] for item in found["results"])


def test_single_additions_edits_and_deletions_go_through_mem0(world, monkeypatch):
    """The Memory page's three actions call Mem0, and end in the same records as without it."""
    calls = []

    def watched(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            calls.append(name)
            return original(*arguments, **named)

        return call

    for name in ("add", "update", "delete"):
        monkeypatch.setattr(engine(world), name, watched(name, getattr(engine(world), name)))
    memory = world.memory.add(world.owner, "I own a boat")
    assert world.stored(memory.id) == memory
    edited = world.memory.edit(world.owner, memory.id, "I own two boats", expected_version=1)
    assert world.stored(memory.id) == edited
    assert edited.history[0].text == "I own a boat"
    assert world.memory.forget(world.owner, memory.id).status is MemoryStatus.DELETED
    assert (calls, world.facts()) == (["add", "update", "delete"], [])
    assert world.memory.restore(world.owner, memory.id).text == "I own two boats"


def test_an_edit_keeps_the_context_vectors(world):
    """After an edit through Mem0 all four searches still find the memory."""
    memory = world.memory.add(world.owner, "I own a boat")
    world.memory.edit(world.owner, memory.id, "I own a submarine", expected_version=1)
    (vectors,) = world.store.memories.vectors(world.owner, [memory.id]).values()
    assert vectors.ctx == vectors.dense
    parts = world.memory.recall(world.owner, "submarine")[0].parts
    assert {"dense", "context", "keyword", "keyword_context"} <= set(parts)


def test_an_edit_of_an_old_version_is_a_conflict(world):
    """Mem0 writes over the version that was read, or not at all."""
    memory = world.memory.add(world.owner, "I own a boat")
    with pytest.raises(ConflictError), acting_as(world.owner):
        engine(world).update(memory.id, text="I own none", metadata={"version": 7})
    assert world.facts() == ["I own a boat"]


def test_a_plain_mem0_sees_the_same_memories(world):
    """An unmodified `mem0.Memory` on our client lists and finds what Optimus stored, for the same owner only."""
    world.memory.add(world.owner, "I own a boat")
    world.tell("I live in Lisbon")
    other = UserId(new_id())
    mem0 = plain(world)
    with acting_as(world.owner):
        listed = mem0.get_all(filters={"user_id": world.owner})
        found = mem0.search("who owns a boat", filters={"user_id": world.owner}, threshold=0.0)
    assert texts(listed) == ["I live in Lisbon", "I live in Lisbon", "I own a boat"]
    assert "I own a boat" in texts(found)
    with acting_as(other):
        assert texts(mem0.get_all(filters={"user_id": other})) == []


def test_what_a_plain_mem0_adds_is_listed(world):
    """A memory added by an unmodified `mem0.Memory` without inference is listed, found, edited and deleted here."""
    with acting_as(world.owner):
        plain(world).add("I own a boat", user_id=world.owner, infer=False)
    assert world.facts() == ["I own a boat"]
    assert world.recalled("do I own a boat") == ["I own a boat"]
    (memory,) = world.memory.list(world.owner).items
    world.memory.edit(world.owner, memory.id, "I own two boats", expected_version=memory.version)
    assert world.facts() == ["I own two boats"]
    world.memory.forget(world.owner, memory.id)
    assert world.facts() == []


def test_mem0s_own_calls_see_what_is_true(world):
    """`EngineMemory` lists and finds no replaced or deleted memory, and tells the history from the versions."""
    world.tell("I live in Lisbon", slot="home")
    change = world.tell("I live in Porto", slot="home")
    with acting_as(world.owner):
        listed = engine(world).get_all(filters={"user_id": world.owner})
        found = engine(world).search("where do I live", filters={"user_id": world.owner}, threshold=0.0)
        world.memory.edit(world.owner, change.memory_id, "I live in Faro", expected_version=1)
        history = engine(world).history(change.memory_id)
    assert "I live in Lisbon" not in texts(listed)
    assert "I live in Lisbon" not in texts(found)
    assert [(entry["old_memory"], entry["new_memory"]) for entry in history] == [("I live in Porto", "I live in Faro")]


def test_mem0_can_destroy_nothing(world):
    """Reset and dropping the collection are refused; deleting everything stays recoverable."""
    memory = world.memory.add(world.owner, "I own a boat")
    for attempt in (engine(world).reset, engine(world).vector_store.reset, engine(world).vector_store.delete_col):
        with pytest.raises(ConfigurationError):
            attempt()
    with acting_as(world.owner):
        engine(world).delete_all(user_id=world.owner)
    assert world.facts() == []
    assert world.memory.restore(world.owner, memory.id).status is MemoryStatus.ACTIVE


def test_mem0_has_no_model_of_its_own(world):
    """Its own extraction is refused with a sentence instead of calling anyone."""
    with pytest.raises(Exception, match="infer=False"), acting_as(world.owner):
        engine(world).add("I own a boat", user_id=world.owner)
    assert world.facts() == []


def test_mem0_hides_no_error_of_a_search(world, monkeypatch):
    """Where the search by words fails, the whole search does; Mem0 would leave out what only words find."""
    world.memory.add(world.owner, "I own a boat")
    query_points = world.store.client.query_points

    def failing(*arguments: Any, **named: Any) -> Any:
        if named.get("using") == "bm25":
            raise StoreUnavailableError("away")
        return query_points(*arguments, **named)

    asked: dict[str, Any] = {"filters": {"user_id": world.owner}, "threshold": 0.0}
    with acting_as(world.owner):
        assert texts(engine(world).search("boat", **asked)) == ["I own a boat"]
        assert engine(world).vector_store.keyword_search("the of and", filters=asked["filters"]) == []
        monkeypatch.setattr(world.store.client, "query_points", failing)
        with pytest.raises(StoreUnavailableError):
            engine(world).search("boat", **asked)


def test_mem0s_entity_store_looks_for_no_encoder(world):
    """It is built at once, so that entities are cleaned up, and has our encoder, so that none is downloaded."""
    assert engine(world)._entity_store is not None
    assert isinstance(engine(world).entity_store._bm25_encoder, Bm25Encoder)
    assert bool(world.store.client)


def test_mem0_logs_no_memory_text(world, caplog):
    """Nothing of a memory reaches a log, whatever its level."""
    with caplog.at_level(logging.DEBUG):
        memory = world.memory.add(world.owner, "I own a secret boat")
        world.memory.edit(world.owner, memory.id, "I own a secret yacht", expected_version=1)
    assert "secret" not in caplog.text


def test_mem0_is_imported_late_and_leaves_no_trace(tmp_path):
    """Importing the engine does not import Mem0; using it makes no folder, file, telemetry or entity download."""
    code = (
        "import sys\n"
        "import optimus.memory_manager.manager, optimus.memory_manager.crud\n"
        "assert not any(name.split('.')[0] == 'mem0' for name in sys.modules)\n"
        "import optimus.memory_manager.mem0\n"
        "from mem0.memory import telemetry\n"
        "assert telemetry.MEM0_TELEMETRY is False\n"
        "assert telemetry.client_telemetry.posthog is None\n"
    )
    root = Path(__file__).parents[3]
    environment = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
