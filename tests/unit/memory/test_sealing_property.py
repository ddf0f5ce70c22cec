"""What is sealed opens as it was and where it was: not with any bit changed, and nowhere else."""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from qdrant_client import models

from optimus.errors import SealError
from optimus.memory_manager.crud import through_mem0
from optimus.memory_manager.manager import MemoryManager
from optimus.models import Relation, UserId, new_id
from optimus.storage.bm25 import Bm25Encoder, SparseWeights
from optimus.storage.records import Connection, MemoryPoint
from optimus.storage.sealing import TAG
from optimus.storage.tenancy import acting_as
from tests.fakes.embedding import HashEmbedder
from tests.unit.memory.conftest import SIZE, START, ScriptedRules, SteppingClock, World
from tests.unit.memory.test_mem0 import engine, plain
from tests.unit.storage.hostile import ALICE, BOB, ENGINES, deep, payload_of, small, store_of, text_of
from tests.unit.storage.test_sealing import memory_of

BITS = 8


class Sealed(NamedTuple):
    """A sealed value and its place."""

    collection: str
    id: str
    owner: UserId
    field: str
    value: str


class Vault:
    """A store with something sealed in every field that is, and the ways to read it."""

    def __init__(self, world: World) -> None:
        self.store = world.store
        self.mem0 = (plain(world), engine(world))
        names = self.store.names
        for owner in (ALICE, BOB):
            for number in range(2):
                stated = Relation(subject="I", predicate="own", object=text_of(owner))
                memory = memory_of(owner, f"memory {number}, {text_of(owner)}")
                memory = memory.model_copy(update={"relations": (stated,)})
                near, words = [1.0] * SIZE, SparseWeights()
                point = MemoryPoint(memory=memory, dense=near, ctx=near, bm25=words, bm25_ctx=words)
                self.store.memories.put(owner, [point])
            self.mem0[0].add(f"I own a boat, {text_of(owner)}", user_id=owner, infer=False)
            world.memory.remember(owner, world.message(f"My sister is a nurse, {text_of(owner)}", owner=owner))
            payload = payload_of(owner) | {"text_lemmatized": text_of(owner), "hash": text_of(owner)}
            self.mem0[0].entity_store.insert(vectors=[[1.0] * SIZE], payloads=[payload], ids=[new_id()])
            key = SecretStr(text_of(owner))
            self.store.accounts.save_connection(
                Connection(id=new_id(), user_id=owner, provider="x", label="x", api_key=key, created_at=START)
            )
            with acting_as(owner):
                for name in names.sealed:
                    self._write_all_fields(name, owner)
        self.values = sorted(self._sealed())

    def _write_all_fields(self, collection: str, owner: UserId) -> None:
        payload = {field: text_of(owner) for field in self.store.names.sealed[collection].fields}
        vector: Any = {"": [1.0] * SIZE} if "memories" in collection else {}
        point = models.PointStruct(id=new_id(), vector=vector, payload=payload | {"user_id": owner})
        self.store.client.upsert(collection, points=[point])

    def _sealed(self) -> list[Sealed]:
        found = []
        for name, kept in self.store.names.sealed.items():
            records, _ = self.store.raw.scroll(collection_name=name, limit=1000)
            for record in records:
                payload = record.payload or {}
                sealed = [field for field in kept.fields if str(payload.get(field)).startswith(TAG)]
                found += [Sealed(name, str(record.id), payload["user_id"], each, payload[each]) for each in sealed]
        return found

    def overwrite(self, place: Sealed, value: str) -> None:
        """Put a value into a place behind the walls."""
        self.store.raw.set_payload(collection_name=place.collection, payload={place.field: value}, points=[place.id])

    def readers(self, place: Sealed) -> list[Callable[[], Any]]:
        """Return the ways to read a place: by the client, and in Mem0's collections by Mem0's class and by ours."""
        client, names, point = self.store.client, self.store.names, place.id
        ways: list[Callable[[], Any]] = [lambda: client.retrieve(place.collection, ids=[point])]
        if place.collection == names.memories:
            ways += [partial(mem0.get, point) for mem0 in self.mem0]
            ways += [partial(mem0.vector_store.get, point) for mem0 in self.mem0]
            ways += [partial(mem0.get_all, filters={"user_id": place.owner}) for mem0 in self.mem0]
        if place.collection == names.memories_entities:
            store, where = self.mem0[0].entity_store, {"user_id": place.owner}
            ways += [partial(store.list, where), partial(store.search, "boat", [1.0] * SIZE, filters=where)]
        return ways

    def refuses(self, place: Sealed) -> None:
        """Prove that no way of reading shows what stands in a place."""
        with acting_as(place.owner):
            for read in self.readers(place):
                with pytest.raises(SealError):
                    read()


@pytest.fixture(scope="module", params=ENGINES)
def vault(request, tmp_path_factory):
    """A store of each engine with a Mem0, which the examples share; each puts back what it changed."""
    logging.getLogger("mem0").setLevel(logging.CRITICAL + 1)
    clock, embedder = SteppingClock(), HashEmbedder(SIZE)
    with store_of(request.param, tmp_path_factory.mktemp("vault"), SIZE) as store:
        parts: dict[str, Any] = {"index": store.memories, "embedder": embedder, "encoder": Bm25Encoder()}
        parts["clock"] = clock
        crud = through_mem0(client=store.client, collection=store.names.memories, **parts)
        memory = MemoryManager(**parts, derive=ScriptedRules(), crud=crud)
        memory.warm()
        yield Vault(World(store=store, memory=memory, rules=ScriptedRules(), clock=clock, embedder=embedder))


def flip(value: str, bit: int, *, is_text: bool) -> str:
    """Return a sealed value with one bit changed, in its bytes or in the text that they are written as."""
    content = bytearray(value.encode() if is_text else b64decode(value[len(TAG) :]))
    place, within = divmod(bit % (len(content) * BITS), BITS)
    content[place] ^= 1 << within
    return content.decode("latin-1") if is_text else TAG + b64encode(bytes(content)).decode()


def check_flip(vault: Vault, data: Any) -> None:
    """Change any bit of any sealed value; then nothing reads it."""
    place = data.draw(st.sampled_from(vault.values), label="place")
    bit = data.draw(st.integers(0, 100_000), label="bit")
    vault.overwrite(place, flip(place.value, bit, is_text=data.draw(st.booleans(), label="is_text")))
    try:
        vault.refuses(place)
    finally:
        vault.overwrite(place, place.value)


def check_swap(vault: Vault, data: Any) -> None:
    """Put any two sealed values in each other's place; then nothing reads either."""
    one = data.draw(st.sampled_from(vault.values), label="one")
    near = [each for each in vault.values if each != one and (each.field, each.owner) == (one.field, one.owner)]
    other = data.draw(st.sampled_from([each for each in vault.values if each != one]) | st.sampled_from(near or [one]))
    if other == one:
        return
    vault.overwrite(one, other.value)
    vault.overwrite(other, one.value)
    try:
        vault.refuses(one)
        vault.refuses(other)
    finally:
        vault.overwrite(one, one.value)
        vault.overwrite(other, other.value)


@small
@given(data=st.data())
def test_a_changed_bit_is_refused(vault, data):
    """Any bit of any sealed field of any collection, changed, is noticed by every reader."""
    check_flip(vault, data)


@small
@given(data=st.data())
def test_two_that_changed_places_are_refused(vault, data):
    """Two sealed values swapped between records, fields, owners or collections open in neither place."""
    check_swap(vault, data)


@deep
@given(data=st.data())
def test_ten_thousand_changed_bits_are_refused(vault, data):
    """The same with ten thousand bits."""
    check_flip(vault, data)


@deep
@given(data=st.data())
def test_ten_thousand_swaps_are_refused(vault, data):
    """The same with ten thousand swaps."""
    check_swap(vault, data)


def test_every_sealed_field_takes_part_and_is_read(vault):
    """The proof above covers every field that any collection seals, and what was not changed reads."""
    names = vault.store.names
    covered = {(each.collection, each.field) for each in vault.values}
    wanted = {(name, field) for name, kept in names.sealed.items() for field in kept.fields}
    assert wanted <= covered
    for place in vault.values:
        with acting_as(place.owner):
            for read in vault.readers(place):
                assert read()
