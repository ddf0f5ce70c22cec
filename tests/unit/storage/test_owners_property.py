"""Whoever calls a repository, with whatever ids and filters: what is another's looks missing and stays as it is."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from optimus.errors import OptimusError, TenancyError
from optimus.models import (
    Conversation,
    ConversationId,
    Memory,
    MemoryId,
    MemoryStatus,
    MemoryType,
    Message,
    MessageId,
    MessageRole,
    SourceKind,
    UserId,
)
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.jobs import ExtractionJob, job_id
from optimus.storage.records import Connection, Event, LastUse, MemoryFilter, MemoryPoint, QueryVectors
from optimus.storage.store import Store
from tests.unit.storage.conftest import SIZE, START, vector
from tests.unit.storage.hostile import (
    ENGINES,
    OWNER_OF,
    OWNERS,
    Watched,
    deep,
    ids_of,
    small,
    some_id,
    some_ids,
    somebody,
    store_of,
    text_of,
)

ENCODER = Bm25Encoder()
any_of_memory = st.builds(
    MemoryFilter,
    types=st.none() | st.frozensets(st.sampled_from(MemoryType), max_size=3),
    statuses=st.none() | st.frozensets(st.sampled_from(MemoryStatus), max_size=3),
    conversation_id=st.none() | some_id,
    message_id=st.none() | some_id,
    slot=st.sampled_from((None, "name", *OWNERS)),
    since=st.sampled_from((None, START)),
    until=st.sampled_from((None, START)),
    changed_at=st.sampled_from((None, START)),
    sources=st.none() | st.frozensets(st.sampled_from(SourceKind), max_size=2),
    document_id=st.sampled_from((None, "*", *OWNER_OF)),
    by_hand=st.sampled_from((None, True, False)),
    min_importance=st.sampled_from((None, 0.0, 0.9)),
)


def memory_of(owner: UserId, point_id: str, version: int = 1) -> Memory:
    """Return a memory of an owner."""
    times: dict[str, Any] = {"recorded_at": START, "updated_at": START, "valid_from": START}
    text = f"I keep a {text_of(owner)} here"
    told: dict[str, Any] = {"type": MemoryType.FACT, "slot": "name", "version": version}
    return Memory(id=MemoryId(point_id), user_id=owner, text=text, **times, **told)


def point_of(memory: Memory) -> MemoryPoint:
    """Return a memory with vectors, all of them alike."""
    words = ENCODER.encode_document(memory.text)
    return MemoryPoint(memory=memory, dense=vector(1), ctx=vector(2), bm25=words, bm25_ctx=words)


def chat_of(owner: UserId, point_id: str) -> Conversation:
    """Return a conversation of an owner."""
    chat = ConversationId(point_id)
    return Conversation(id=chat, user_id=owner, title=text_of(owner), created_at=START, updated_at=START)


def message_of(owner: UserId, point_id: str, chat: str) -> Message:
    """Return a message of an owner in a conversation."""
    said: dict[str, Any] = {"role": MessageRole.USER, "text": f"I said {text_of(owner)}", "created_at": START}
    return Message(id=MessageId(point_id), conversation_id=ConversationId(chat), user_id=owner, **said)


def job_of(owner: UserId, message: str) -> ExtractionJob:
    """Return a job of an owner's message."""
    where: dict[str, Any] = {"message_id": MessageId(message), "conversation_id": ConversationId(message)}
    return ExtractionJob(id=job_id(MessageId(message)), user_id=owner, **where, model="x", at=START, updated_at=START)


def connection_of(owner: UserId, point_id: str) -> Connection:
    """Return a connection of an owner with a key."""
    key = SecretStr(text_of(owner))
    return Connection(id=point_id, user_id=owner, provider="x", label=text_of(owner), api_key=key, created_at=START)


def event_of(owner: UserId, point_id: str) -> Event:
    """Return an event of an owner."""
    return Event(id=point_id, user_id=owner, kind="answer", at=START, data={"model": text_of(owner)})


@pytest.fixture(scope="module", params=ENGINES)
def watched(request, tmp_path_factory) -> Iterator[Watched]:
    """Three owners with one, two and three records of every kind in each engine."""
    with store_of(request.param, tmp_path_factory.mktemp("owners"), SIZE) as store:
        for owner in OWNERS:
            for each in ids_of(owner):
                store.memories.put(owner, [point_of(memory_of(owner, each))])
                store.conversations.create(chat_of(owner, each))
                store.conversations.add_message(message_of(owner, _message(each), each))
                store.accounts.save_connection(connection_of(owner, each))
                store.events.append(event_of(owner, each))
                store.jobs.add(job_of(owner, _message(each)))
        yield Watched(store)


def _message(point_id: str) -> MessageId:
    """Return the id of the message in the conversation of an id."""
    return MessageId(point_id.replace("aaaaaaaa", "bbbbbbbb"))


class Asked:
    """One drawn call of a repository by an owner, with ids and filters that may be anybody's."""

    def __init__(self, data: Any, store: Store) -> None:
        self.store = store
        self.me: UserId = data.draw(somebody, label="me")
        self.ids: Any = data.draw(some_ids | st.just(list(OWNER_OF)), label="ids")
        self.one: Any = data.draw(some_id, label="one")
        self.other: Any = data.draw(some_id, label="other")
        self.where = data.draw(any_of_memory, label="where")
        self.version = data.draw(st.sampled_from((None, 0, 1, 2)), label="version")

    def call(self, name: str) -> Any:
        """Make the call of a name."""
        return CALLS[name](self)


def _query() -> QueryVectors:
    return QueryVectors(dense=vector(1), sparse=ENCODER.encode_query("I keep a secret here"))


def _use(a: Asked) -> LastUse:
    return LastUse(last_used_at=START, last_used_in=a.one, last_used_chat=a.other)


CALLS: dict[str, Callable[[Asked], Any]] = {
    "get": lambda a: a.store.memories.get(a.me, a.ids),
    "vectors": lambda a: list(a.store.memories.vectors(a.me, a.ids)),
    "page": lambda a: a.store.memories.page(a.me, a.where, 3, 0),
    "count": lambda a: _same(a.store.memories.count(a.me, a.where), len(a.store.memories.texts(a.me, a.where))),
    "outline": lambda a: a.store.memories.outline(a.me, a.where),
    "tally": lambda a: _same(
        sum(a.store.memories.tally(a.me, a.where).values()), len(a.store.memories.texts(a.me, a.where))
    ),
    "changed": lambda a: a.store.memories.changed_last(a.me, a.where, 5),
    "texts": lambda a: a.store.memories.texts(a.me, a.where, ids=a.ids or None),
    "nearest": lambda a: a.store.memories.nearest(a.me, vector(1), a.where, 10),
    "legs": lambda a: a.store.memories.legs(a.me, _query(), a.where),
    "documents": lambda a: a.store.documents.counts(a.me),
    "put": lambda a: a.store.memories.put(
        a.me, [point_of(memory_of(a.me, each)) for each in (a.one, *a.ids)], expected_version=a.version
    ),
    "replace": lambda a: a.store.memories.replace(a.me, memory_of(a.me, a.one, 2), 1),
    "replace all": lambda a: a.store.memories.replace_all(a.me, [memory_of(a.me, each, 2) for each in a.ids]),
    "use": lambda a: a.store.memories.note_use(a.me, a.ids, _use(a)),
    "purge": lambda a: a.store.memories.delete(a.me, a.ids),
    "chat": lambda a: a.store.conversations.get(a.me, a.one),
    "chats": lambda a: (a.store.conversations.page(a.me), a.store.conversations.every(a.me)),
    "transcript": lambda a: a.store.conversations.transcript(a.me, a.one),
    "owned": lambda a: a.store.conversations.owned(a.me, a.ids),
    "messages": lambda a: a.store.conversations.messages(a.me, a.one),
    "message": lambda a: a.store.conversations.message(a.me, _message(a.one)),
    "rename": lambda a: a.store.conversations.change(a.me, a.one, title="stolen"),
    "touch": lambda a: a.store.conversations.touch(a.me, a.one),
    "delete chat": lambda a: a.store.conversations.delete(a.me, a.one),
    "delete messages": lambda a: a.store.conversations.delete_messages(a.me, [_message(each) for each in a.ids]),
    "new chat": lambda a: a.store.conversations.create(chat_of(a.me, a.one)),
    "say": lambda a: a.store.conversations.add_message(message_of(a.me, _message(a.other), a.one)),
    "say again": lambda a: a.store.conversations.update_message(message_of(a.me, _message(a.other), a.one)),
    "adopt": lambda a: a.store.conversations.adopt(
        chat_of(a.me, a.one), [message_of(OWNER_OF.get(each, a.me), _message(each), a.one) for each in a.ids]
    ),
    "connections": lambda a: a.store.accounts.connections(a.me),
    "connect": lambda a: a.store.accounts.save_connection(connection_of(a.me, a.one)),
    "disconnect": lambda a: a.store.accounts.delete_connection(a.me, a.one),
    "events": lambda a: (a.store.events.of(a.me), a.store.events.records(a.me, "answer")),
    "own events": lambda a: a.store.events.owned(a.me, a.ids),
    "happen": lambda a: a.store.events.append(event_of(a.me, a.one)),
    "bring events": lambda a: a.store.events.adopt([event_of(a.me, each) for each in a.ids]),
    "jobs": lambda a: a.store.jobs.of(a.me, [_message(each) for each in a.ids]),
    "queue": lambda a: a.store.jobs.add(job_of(a.me, _message(a.one))),
    "save job": lambda a: a.store.jobs.save(job_of(a.me, _message(a.one))),
    "drop jobs": lambda a: a.store.jobs.drop(a.me, [_message(each) for each in a.ids]),
    "forget jobs": lambda a: a.store.jobs.forget(a.me),
    "all counts": lambda a: a.store.personal.counts(a.me),
    "erase": lambda a: a.store.personal.erase(a.me),
}


def _same(counted: int, found: int) -> int:
    assert counted == found, "more was counted than is there"
    return counted


def check(watched: Watched, data: Any) -> None:
    """Let an owner make a call, and prove the rule for it."""
    asked = Asked(data, watched.store)
    try:
        answer = repr(asked.call(data.draw(st.sampled_from(tuple(CALLS)), label="call")))
    except (OptimusError, ValueError, TypeError) as error:
        answer = repr(error)
    others = [owner for owner in OWNERS if owner != asked.me]
    assert not any(text_of(owner) in answer or f"'{owner}'" in answer for owner in others)
    watched.check({asked.me})


@small
@given(data=st.data())
def test_no_call_of_a_repository_reaches_another_owner(watched, data):
    """Drawn owners, calls, ids and filters of every repository show and change nothing of others."""
    check(watched, data)


@deep
@given(data=st.data())
def test_no_call_of_ten_thousand_reaches_another_owner(watched, data):
    """The same with ten thousand."""
    check(watched, data)


class Own:
    """Stands for the drawing of a call: one owner, by default the third, with what is the third's."""

    def __init__(self, me: Any = OWNERS[2]) -> None:
        own = ids_of(OWNERS[2])
        self._draws = iter((me, own, own[0], own[1], MemoryFilter(), 1))

    def draw(self, _strategy: Any, label: str) -> Any:
        """Return the next value."""
        return next(self._draws)


@pytest.mark.parametrize("nobody", [None, "", "*", "alice", pytest.param(OWNERS[2].replace("3", "\uff13"), id="wide")])
def test_no_call_works_for_nobody(watched, nobody):
    """Where an owner is forgotten or made up, each call of a repository fails: nobody never means everybody."""
    for call in CALLS.values():
        with pytest.raises((TenancyError, ValidationError)):
            call(Asked(Own(nobody), watched.store))
        watched.check(set())


def test_every_call_works_for_who_owns_it(watched):
    """The rule above is not kept by calls that always fail: each of them works with one's own ids."""
    asked = Asked(Own(), watched.store)
    try:
        for name in CALLS:
            if name != "say again":
                asked.call(name)
                watched.check({asked.me})
    finally:
        watched.check(set(OWNERS))
