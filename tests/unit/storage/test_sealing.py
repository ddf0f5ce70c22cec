import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr
from qdrant_client import models

from optimus.errors import ConfigurationError, SealError, StoreRejectedError
from optimus.keys import Keys
from optimus.models import (
    ChangeKind,
    Conversation,
    ConversationId,
    Memory,
    MemoryChange,
    MemoryId,
    MemoryStatus,
    MemoryType,
    MemoryVersion,
    Message,
    MessageId,
    MessageRole,
    UserId,
    new_id,
)
from optimus.settings import load_settings
from optimus.storage.bm25 import SparseWeights
from optimus.storage.filters import all_of, equals, has_ids, owned_by
from optimus.storage.records import Connection, MemoryPoint
from optimus.storage.sealing import TAG
from optimus.storage.store import Store, open_store
from optimus.storage.tenancy import acting_as
from tests.unit.storage.conftest import SIZE, START, vector


def canary() -> str:
    """Return a text that occurs nowhere else."""
    return f"canary{os.urandom(8).hex()}"


def memory_of(owner: UserId, text: str, *, old: str = "before", entity: str = "Lisbon") -> Memory:
    """Return a memory with something in every sealed field."""
    version = MemoryVersion(version=1, text=old, status=MemoryStatus.ACTIVE, changed_at=START, reason="edit")
    return Memory(
        id=MemoryId(new_id()),
        user_id=owner,
        text=text,
        type=MemoryType.NOTE,
        recorded_at=START,
        updated_at=START,
        valid_from=START,
        entities=(entity,),
        slot=f"relative.sister.{entity}.job",
        history=(version,),
    )


def put(store: Store, memory: Memory) -> None:
    """Store a memory without words."""
    nothing = SparseWeights()
    point = MemoryPoint(memory=memory, dense=vector(1), ctx=vector(2), bm25=nothing, bm25_ctx=nothing)
    store.memories.put(memory.user_id, [point])


def raw(store: Store, collection: str, point_id: str) -> dict[str, object]:
    """Return a payload as the engine holds it."""
    (record,) = store.keyring._records._backend.retrieve(collection_name=collection, ids=[point_id])
    return record.payload or {}


def overwrite(store: Store, collection: str, point_id: str, fields: dict[str, object]) -> None:
    """Change a record behind the walls."""
    store.keyring._records._backend.set_payload(collection_name=collection, payload=fields, points=[point_id])


def write_canaries(store: Store, owner: UserId) -> list[str]:
    """Write a canary into everything that is sealed, through the repositories and as a plain Mem0."""
    words = [canary() for _ in range(12)]
    put(store, memory_of(owner, words[0], old=words[1], entity=words[2]))
    talk = Conversation(id=ConversationId(new_id()), user_id=owner, title=words[3], created_at=START, updated_at=START)
    store.conversations.create(talk)
    store.conversations.change(owner, talk.id, title=words[4])
    change = MemoryChange(kind=ChangeKind.ADD, memory_id=MemoryId(new_id()), text=words[5])
    message = Message(
        id=MessageId(new_id()),
        conversation_id=talk.id,
        user_id=owner,
        role=MessageRole.ASSISTANT,
        text=words[6],
        created_at=START,
        saved=(change,),
        error=words[7],
    )
    store.conversations.add_message(message)
    store.conversations.update_message(message.model_copy(update={"text": words[8]}))
    connection = Connection(
        id=new_id(), user_id=owner, provider="x", label="x", api_key=SecretStr(words[9]), created_at=START
    )
    store.accounts.save_connection(connection)
    mem0_payload = {"user_id": owner, "data": words[10], "text_lemmatized": words[11], "hash": "h"}
    for collection in (store.names.memories, store.names.memories_entities):
        point = models.PointStruct(id=new_id(), vector={"": vector(1)}, payload=mem0_payload)
        store.client.upsert(collection, points=[point])
    return words


def written(path: Path) -> bytes:
    """Return a file's content without the holes that it was preallocated with."""
    content, end = b"", 0
    with path.open("rb") as file:
        while end < path.stat().st_size:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            content += os.pread(file.fileno(), end - start, start)
    return content


@pytest.mark.skipif(not hasattr(os, "SEEK_DATA"), reason="reading gigabytes of holes takes too long")
def test_sealed_texts_are_nowhere_in_the_data_folder(embedded, alice):
    """No sealed text is in the store's files, neither while it runs nor after it was closed, nor is an open key."""
    store = embedded.open()
    words = write_canaries(store, alice)
    secrets = [*(word.encode() for word in words), store.keyring.dek(alice)]

    def found() -> list[bytes]:
        contents = [written(path) for path in Path(embedded.folder).rglob("*") if path.is_file()]
        assert any(alice.encode() in content for content in contents)
        return [secret for secret in secrets if any(secret in content for content in contents)]

    assert found() == []
    embedded.close()
    assert found() == []


def test_every_listed_field_is_sealed(store, alice):
    """What the collections list as sealed lies sealed in the engine, and what is filtered on lies open."""
    memory = memory_of(alice, "I live in Lisbon")
    put(store, memory)

    payload = raw(store, store.names.memories, memory.id)

    assert all(str(payload[field]).startswith(TAG) for field in ("data", "hash", "history", "entities"))
    assert (payload["user_id"], payload["type"], payload["status"]) == (alice, "note", "active")
    assert store.memories.get(alice, [memory.id]) == [memory]


def test_changed_ciphertext_does_not_open(store, alice):
    """A single changed character of a sealed text is noticed."""
    memory = memory_of(alice, "I live in Lisbon")
    put(store, memory)
    sealed = str(raw(store, store.names.memories, memory.id)["data"])

    for place in range(len(TAG), len(sealed.rstrip("=")) - 1, 7):
        flipped = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        overwrite(store, store.names.memories, memory.id, {"data": flipped})
        with pytest.raises(SealError):
            store.memories.get(alice, [memory.id])


@pytest.mark.parametrize("plain", ["I live in Rome", "", 7, ["x"], TAG, f"{TAG}x", f"{TAG}AAAA"])
def test_unsealed_text_is_refused(store, alice, plain):
    """A text that somebody put into the store in the clear is not believed."""
    memory = memory_of(alice, "I live in Lisbon")
    put(store, memory)
    overwrite(store, store.names.memories, memory.id, {"data": plain})

    with pytest.raises(SealError):
        store.memories.get(alice, [memory.id])


def test_ciphertext_opens_only_where_it_was_sealed(store, alice, bob):
    """A sealed text moved to another record, field, owner or collection does not open."""
    first, second, foreign = memory_of(alice, "one"), memory_of(alice, "two"), memory_of(bob, "three")
    for memory in (first, second, foreign):
        put(store, memory)
    sealed = raw(store, store.names.memories, first.id)

    overwrite(store, store.names.memories, second.id, {"data": sealed["data"]})
    overwrite(store, store.names.memories, foreign.id, {"data": sealed["data"]})
    for owner, memory in ((alice, second), (bob, foreign)):
        with pytest.raises(SealError):
            store.memories.get(owner, [memory.id])

    names = store.names
    twin = models.PointStruct(id=first.id, vector={"": vector(1)}, payload={"user_id": alice, "data": "x"})
    store.client.upsert(names.memories_entities, points=[twin])
    overwrite(store, names.memories_entities, first.id, {"data": sealed["data"]})
    with acting_as(alice), pytest.raises(SealError):
        store.client.retrieve(names.memories_entities, ids=[first.id])

    overwrite(store, store.names.memories, first.id, {"data": sealed["hash"]})
    with pytest.raises(SealError):
        store.memories.get(alice, [first.id])
    overwrite(store, store.names.memories, first.id, {"data": sealed["data"], "user_id": bob})
    with pytest.raises(SealError):
        store.memories.get(bob, [first.id])


def test_same_text_is_sealed_differently_each_time(store, alice):
    """Equal texts do not show as equal in the store."""
    first, second = memory_of(alice, "same"), memory_of(alice, "same")
    put(store, first)
    put(store, second)

    collection = store.names.memories
    assert raw(store, collection, first.id)["data"] != raw(store, collection, second.id)["data"]


def test_change_by_filter_seals_each_record_for_itself(store, alice, bob):
    """One change of a sealed field on several records leaves each readable, and touches nobody else's."""
    memories = [memory_of(alice, f"number {number}") for number in range(3)]
    foreign = memory_of(bob, "of Bob")
    for memory in (*memories, foreign):
        put(store, memory)

    where = all_of(owned_by(alice), equals("type", "note"))
    store.client.set_payload(store.names.memories, payload={"data": "changed"}, points=where)
    with acting_as(alice):
        store.client.set_payload(store.names.memories, payload={"data": "twice"}, points=[memories[0].id, foreign.id])

    texts = [memory.text for memory in store.memories.get(alice, [memory.id for memory in memories])]
    assert texts == ["twice", "changed", "changed"]
    assert store.memories.get(bob, [foreign.id]) == [foreign]


def test_sealed_field_cannot_be_searched(store, alice):
    """A filter on a sealed field, however deep, would find nothing; so it is refused."""
    client, name = store.client, store.names.memories
    sealed = equals("data", "I live in Lisbon")
    for condition in (
        sealed,
        models.Filter(should=[sealed]),
        models.Filter(must_not=[all_of(equals("entities[]", "x"))]),
        models.Filter(min_should=models.MinShould(conditions=[sealed], min_count=1)),
        models.IsEmptyCondition(is_empty=models.PayloadField(key="hash")),
        models.NestedCondition(nested=models.Nested(key="history", filter=all_of(equals("text", "x")))),
    ):
        where = all_of(owned_by(alice), condition)
        with pytest.raises(StoreRejectedError):
            client.scroll(name, scroll_filter=where)
        with pytest.raises(StoreRejectedError):
            client.delete(name, points_selector=models.FilterSelector(filter=where))
        with pytest.raises(StoreRejectedError):
            client.upsert(
                name,
                points=[models.PointStruct(id=new_id(), vector={"": vector(1)}, payload={"user_id": alice})],
                update_filter=where,
            )
    with pytest.raises(StoreRejectedError):
        client.facet(name, key="data", facet_filter=all_of(owned_by(alice)))


def test_sealed_field_is_not_changed_in_part(store, alice):
    """Setting something inside a sealed field is refused instead of stored in the clear."""
    where = all_of(owned_by(alice))
    for path in ("history", "history[0].text", '"data"'):
        with pytest.raises(StoreRejectedError):
            store.client.set_payload(store.names.memories, payload={"text": "x"}, points=where, key=path)


def test_destroyed_key_closes_the_records_for_good(place, store, alice, bob):
    """After a key is destroyed nothing of its owner opens, no new key is made, and others are as before."""
    lost, kept = memory_of(alice, "lost"), memory_of(bob, "kept")
    put(store, lost)
    put(store, kept)

    store.keyring.destroy(alice)

    for reopened in (False, True):
        opened = place.open() if reopened else store
        with pytest.raises(SealError):
            opened.memories.get(alice, [lost.id])
        with pytest.raises(SealError):
            put(opened, memory_of(alice, "new"))
        assert opened.memories.get(bob, [kept.id]) == [kept]


def test_parallel_first_use_makes_one_key(store, alice):
    """However many writers come first, one key is stored, and what each sealed opens."""
    memories = [memory_of(alice, f"number {number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda memory: put(store, memory), memories))

    store.keyring._opened.clear()

    assert store.memories.get(alice, [memory.id for memory in memories]) == memories


def test_reading_makes_no_key(store, alice):
    """A user who never wrote has no key."""
    with pytest.raises(SealError):
        store.keyring.existing(alice)
    with pytest.raises(SealError):
        store.keyring.dek(UserId("*"))


def test_another_master_key_is_noticed_at_the_start(embedded):
    """With another master key the store does not open, and a sentence says what to do."""
    embedded.close()
    other = Keys(jwt=b"j" * 32, pepper=b"p" * 32, master=b"x" * 32)

    with pytest.raises(ConfigurationError, match="OPTIMUS_MASTER_KEY"):
        open_store(load_settings(data_dir=embedded.folder), other, vector_size=SIZE)


def test_delete_by_id_under_a_seal(store, alice):
    """Records with sealed fields are deleted like any other."""
    memory = memory_of(alice, "gone")
    put(store, memory)
    with acting_as(alice):
        store.client.delete(store.names.memories, points_selector=all_of(owned_by(alice), has_ids(memory.id)))

    assert store.memories.get(alice, [memory.id]) == []
