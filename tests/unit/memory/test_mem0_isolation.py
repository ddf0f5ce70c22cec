"""Whatever somebody asks a Mem0 on our client, its own or ours, another owner's memories stay out of reach."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimus.errors import NotFoundError
from optimus.memory_manager.crud import through_mem0
from optimus.memory_manager.manager import MemoryManager
from optimus.models import UserId, new_id
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.tenancy import acting_as
from tests.fakes.embedding import HashEmbedder
from tests.unit.memory.conftest import SIZE, ScriptedRules, SteppingClock, World
from tests.unit.memory.test_mem0 import engine, plain
from tests.unit.storage.hostile import (
    ALICE,
    BOB,
    ENGINES,
    OWNERS,
    VALUES,
    Watched,
    acting,
    deep,
    payload_of,
    small,
    somebody,
    store_of,
    text_of,
)

MISSING = "ffffffff-ffff-4fff-8fff-ffffffffffff"
OPERATORS = ("eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains", "icontains")
values = st.sampled_from((*VALUES, "note", 0.5, None, True, 7))
operators = st.dictionaries(st.sampled_from(OPERATORS), values | st.lists(values, max_size=3), max_size=2)
named = st.sampled_from(("user_id", "user_id", "agent_id", "run_id", "type", "data", "status", "about.user_id"))
fields = st.dictionaries(named, values | operators | st.lists(values, max_size=2), max_size=3)
LOGIC = ("AND", "OR", "NOT", "$and", "$or", "$not")
trees: st.SearchStrategy[Any] = st.recursive(
    fields,
    lambda inner: st.builds(
        lambda one, other: one | other, fields, st.dictionaries(st.sampled_from(LOGIC), st.lists(inner, max_size=2))
    ),
    max_leaves=5,
)
calls = st.sampled_from(
    (
        *("get_all", "search", "get", "history", "update", "delete", "delete_all", "add", "list", "near", "keywords"),
        *("many", "put", "change", "drop", "read", "link", "unlink", "drop all"),
    )
)


class Mem0World:
    """Three owners' memories, some ours and some of a plain Mem0, and what Mem0 noted of entities in them."""

    def __init__(self, world: World) -> None:
        self.mem0 = (plain(world), engine(world))
        for number, owner in enumerate(OWNERS):
            world.memory.add(owner, f"I own a boat, {text_of(owner)}")
            for each in range(number + 1):
                self.mem0[0].add(f"My boat is number {each}, {text_of(owner)}", user_id=owner, infer=False)
            payload = payload_of(owner) | {"linked_memory_ids": [MISSING]}
            self.mem0[0].entity_store.insert(vectors=[[1.0] * SIZE], payloads=[payload], ids=[new_id()])
        self.watched = Watched(world.store)
        self.ids = {
            owner: [point_id for name in sorted(state) for point_id in sorted(state[name]) if "memories" in name]
            for owner, state in self.watched.truth.items()
        }


@pytest.fixture(scope="module", params=ENGINES)
def world(request, tmp_path_factory) -> Iterator[Mem0World]:
    """A Mem0 of each engine, which the examples share; what they change is put back."""
    clock, embedder = SteppingClock(), HashEmbedder(SIZE)
    with store_of(request.param, tmp_path_factory.mktemp("mem0"), SIZE) as store:
        parts: dict[str, Any] = {"index": store.memories, "embedder": embedder, "encoder": Bm25Encoder()}
        parts["clock"] = clock
        crud = through_mem0(client=store.client, collection=store.names.memories, **parts)
        memory = MemoryManager(**parts, derive=ScriptedRules(), crud=crud)
        memory.warm()
        yield Mem0World(World(store=store, memory=memory, rules=ScriptedRules(), clock=clock, embedder=embedder))


class Asked:
    """One drawn question to Mem0, and by it whom the answer may be about."""

    def __init__(self, data: Any, world: Mem0World, acts: UserId | None) -> None:
        self.mem0 = data.draw(st.sampled_from(world.mem0), label="mem0")
        self.store = data.draw(st.sampled_from((self.mem0.vector_store, self.mem0.entity_store)), label="store")
        mine = st.builds(lambda tree: tree | {"user_id": acts or ALICE}, trees)
        self.where = data.draw(st.none() | trees | mine | mine, label="where")
        self.who = data.draw(somebody, label="who")
        others = [point_id for ids in world.ids.values() for point_id in ids]
        self.one = data.draw(st.sampled_from((*others, MISSING)), label="one")
        self.value = data.draw(values | somebody, label="value")

    @property
    def named(self) -> set[UserId]:
        """Whoever is named where nobody acts: by a filter that wants one owner, or as the owner of what is written."""
        told = str((self.where or {}).get("user_id")).strip()
        return {owner for owner in OWNERS if owner in (told, self.who, str(self.value).strip())}

    def call(self, name: str) -> Any:
        """Ask."""
        asked: dict[str, Callable[[], Any]] = self._memory() | self._store()
        return asked[name]()

    def _memory(self) -> dict[str, Callable[[], Any]]:
        mem0, one, where = self.mem0, self.one, self.where
        hijack = {"user_id": self.value, "id": one, "agent_id": str(self.value)}
        return {
            "get_all": lambda: mem0.get_all(filters=where),
            "search": lambda: mem0.search("my boat", filters=where, threshold=0.0),
            "get": lambda: mem0.get(one),
            "history": lambda: mem0.history(one),
            "update": lambda: mem0.update(one, text="stolen", metadata=hijack),
            "delete": lambda: mem0.delete(one),
            "delete_all": lambda: mem0.delete_all(user_id=self.value, agent_id=(where or {}).get("agent_id")),
            "add": lambda: mem0.add("I own a car", user_id=self.who, infer=False, metadata=hijack),
        }

    def _store(self) -> dict[str, Callable[[], Any]]:
        store, one, where, near = self.store, self.one, self.where, [1.0] * SIZE
        payload = payload_of(self.who)
        return {
            "list": lambda: store.list(filters=where),
            "near": lambda: store.search("boat", near, filters=where),
            "keywords": lambda: store.keyword_search("my boat", filters=where),
            "many": lambda: store.search_batch(["boat", "car"], [near, near], filters=where),
            "put": lambda: store.insert(vectors=[near], payloads=[payload], ids=[one]),
            "change": lambda: store.update(one, vector=near, payload=payload),
            "drop": lambda: store.delete(one),
            "read": lambda: store.get(one),
            "link": lambda: self.mem0._upsert_entity("boat", "thing", one, where or {}),
            "unlink": lambda: self.mem0._remove_memory_from_entity_store(MISSING, where or {}),
            "drop all": store.delete_col,
        }


def check(world: Mem0World, data: Any) -> None:
    """Let somebody ask, and prove the rule: nothing of others is told, found by its id, or changed."""
    acts = data.draw(acting, label="acting")
    asked = Asked(data, world, acts)
    allowed = asked.named if acts is None else {acts}
    try:
        with acting_as(acts) if acts else nullcontext():
            answer = str(asked.call(data.draw(calls, label="call")))
    except Exception as exc:  # noqa: BLE001 - Mem0 wraps what it meets in errors of its own
        answer = str(exc)
    assert not any(text_of(owner) in answer for owner in OWNERS if owner not in allowed)
    world.watched.check(allowed)


@small
@given(data=st.data())
def test_mem0_reaches_nobody_else(world, data):
    """Listing, searching and calls by a foreign id show and change nothing of another owner."""
    check(world, data)


@deep
@given(data=st.data())
def test_ten_thousand_questions_reach_nobody_else(world, data):
    """The same with ten thousand."""
    check(world, data)


def test_mem0_is_not_kept_out_by_refusing_everything(world):
    """Who names themself gets their memories, all of them and nobody else's."""
    for mem0 in world.mem0:
        with acting_as(BOB):
            found = str(mem0.get_all(filters={"user_id": BOB, "OR": [{"status": "active"}, {"type": "*"}]}))
            near = str(mem0.search("my boat", filters={"user_id": BOB, "NOT": [{"type": "preference"}]}, threshold=0.0))
        assert text_of(BOB) in found
        assert text_of(BOB) in near
        assert text_of(ALICE) not in found + near


def test_an_id_that_can_be_none_is_a_missing_one(world):
    """Mem0 hands ids on as they come: what is no UUID is found nowhere and deletes nothing, whatever the engine."""
    for mem0 in world.mem0:
        with acting_as(BOB):
            assert mem0.get("no id") is None
            assert mem0.history("no id") == []
            assert mem0.vector_store.get("*") is None
            with pytest.raises((ValueError, NotFoundError)):
                mem0.delete("no id")
        world.watched.check(set())
