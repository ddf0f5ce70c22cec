"""Whatever somebody asks an unmodified Mem0 on our client, another owner's memories stay out of reach."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optimus.errors import OptimusError
from optimus.memory_manager.crud import through_mem0
from optimus.memory_manager.manager import MemoryManager
from optimus.models import UserId
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.filters import all_of, owned_by
from optimus.storage.store import open_memory_store
from optimus.storage.tenancy import across_tenants, acting_as
from tests.fakes.embedding import HashEmbedder
from tests.unit.memory.conftest import KEYS, SIZE, ScriptedRules, SteppingClock, World
from tests.unit.memory.test_mem0 import plain

ALICE = UserId("11111111-1111-4111-8111-111111111111")
BOB = UserId("22222222-2222-4222-8222-222222222222")
values = st.sampled_from((ALICE, BOB, "*", "", "note", None))
operators = st.dictionaries(
    st.sampled_from(("eq", "ne", "in", "nin", "contains")), values | st.lists(values), max_size=2
)
fields = st.dictionaries(
    st.sampled_from(("user_id", "agent_id", "type", "data")),
    values | operators | st.lists(values, max_size=2),
    max_size=3,
)
trees: st.SearchStrategy[Any] = st.recursive(
    fields,
    lambda inner: st.dictionaries(st.sampled_from(("AND", "OR", "NOT")), st.lists(inner, max_size=2)),
    max_leaves=4,
)
filters = st.one_of(st.none(), trees, st.builds(lambda tree: {**tree, "user_id": ALICE}, trees))
calls = st.sampled_from(("get_all", "search", "get", "history", "update", "delete", "delete_all"))


@pytest.fixture(scope="module")
def world():
    """Two owners' memories, which the examples share; Bob's are never to change."""
    clock, embedder = SteppingClock(), HashEmbedder(SIZE)
    store = open_memory_store(KEYS, clock=clock, vector_size=SIZE)
    parts: dict[str, Any] = {"index": store.memories, "embedder": embedder, "encoder": Bm25Encoder(), "clock": clock}
    crud = through_mem0(client=store.client, collection=store.names.memories, **parts)
    memory = MemoryManager(**parts, derive=ScriptedRules(), crud=crud)
    memory.warm()
    yield World(store=store, memory=memory, rules=ScriptedRules(), clock=clock, embedder=embedder)
    store.close()


def of_bob(world: World) -> list[Any]:
    """Return all that is stored of Bob but the vectors, which the engine in memory rounds anew when it grows."""
    where = all_of(owned_by(BOB))
    with across_tenants():
        records, _ = world.store.client.scroll(world.store.names.memories, scroll_filter=where)
    return [record.model_dump() for record in records]


def ask(mem0: Any, call: str, where: Any, foreign: str) -> str:
    """Make one call as Alice; return all that it answered."""
    asked = {
        "get_all": lambda: mem0.get_all(filters=where),
        "search": lambda: mem0.search("boat", filters=where, threshold=0.0),
        "get": lambda: mem0.get(foreign),
        "history": lambda: mem0.history(foreign),
        "update": lambda: mem0.update(foreign, text="stolen"),
        "delete": lambda: mem0.delete(foreign),
        "delete_all": lambda: mem0.delete_all(user_id=(where or {}).get("user_id")),
    }
    try:
        with acting_as(ALICE):
            return str(asked[call]())
    except (OptimusError, ValueError, TypeError, AttributeError, KeyError):
        return ""
    except Exception as exc:  # noqa: BLE001 - Mem0 wraps what it meets in errors of its own
        return str(exc)


def check(world: World, call: str, where: Any) -> None:
    """Prove the rule for one call."""
    if not of_bob(world):
        world.memory.add(BOB, "I own a secret boat")
    before = of_bob(world)
    if not world.memory.list(ALICE).items:
        world.memory.add(ALICE, "I own a boat")
    assert "secret" not in ask(plain(world), call, where, str(before[0]["id"]))
    assert of_bob(world) == before


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(call=calls, where=filters)
def test_mem0_reaches_nobody_else(world, call, where):
    """Listing, searching and calls by a foreign id show and change nothing of another owner."""
    check(world, call, where)


@pytest.mark.deep
@pytest.mark.timeout(1200)
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(call=calls, where=filters)
def test_ten_thousand_questions_reach_nobody_else(world, call, where):
    """The same with ten thousand."""
    check(world, call, where)
