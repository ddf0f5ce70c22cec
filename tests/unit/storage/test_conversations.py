from datetime import timedelta
from typing import Any

import pytest

from optimus.errors import ConflictError, NotFoundError
from optimus.models import (
    ChangeKind,
    Conversation,
    ConversationId,
    MemoryChange,
    MemoryId,
    MemoryType,
    MemoryUse,
    Message,
    MessageId,
    MessageRole,
    MessageState,
    Usage,
    UserId,
    new_id,
)
from tests.unit.storage.conftest import START


def conversation_of(owner: UserId, *, minutes: int = 0) -> Conversation:
    """Return a conversation to store."""
    at = START + timedelta(minutes=minutes)
    return Conversation(id=ConversationId(new_id()), user_id=owner, title="About peanuts", created_at=at, updated_at=at)


def message_in(conversation: Conversation, *, minutes: int = 0, **changes: Any) -> Message:
    """Return a message to store."""
    message = Message(
        id=MessageId(new_id()),
        conversation_id=conversation.id,
        user_id=conversation.user_id,
        role=MessageRole.USER,
        text="I'm allergic to peanuts",
        created_at=START + timedelta(minutes=minutes),
    )
    return message.model_copy(update=changes)


@pytest.fixture
def talk(store, alice):
    """A stored conversation of Alice's."""
    conversation = conversation_of(alice)
    store.conversations.create(conversation)
    return conversation


def test_conversation_survives_reopening(place, store, talk, alice):
    """A conversation is the same after a restart."""
    assert place.open().conversations.get(alice, talk.id) == talk


def test_whole_message_survives_reopening(place, store, talk, alice):
    """Every part of a message comes back as it was stored."""
    message = message_in(
        talk,
        role=MessageRole.ASSISTANT,
        model="offline:assistant",
        saved=(MemoryChange(kind=ChangeKind.ADD, memory_id=MemoryId(new_id()), text="I live in Lisbon"),),
        used=(
            MemoryUse(
                memory_id=MemoryId(new_id()), text="I live in Rome", type=MemoryType.FACT, recorded_at=START, score=0.5
            ),
        ),
        usage=Usage(input_tokens=3, output_tokens=4, duration_ms=1.5),
        error="none",
        state=MessageState.FAILED,
    )
    store.conversations.add_message(message)

    assert place.open().conversations.message(alice, message.id) == message


def test_pages_come_newest_updated_first(store, alice, bob, clock):
    """The list shows the owner's conversations only, the last touched on top, page by page."""
    made = [conversation_of(alice, minutes=minute) for minute in range(5)]
    for conversation in (*made, conversation_of(bob)):
        store.conversations.create(conversation)
    clock.now += timedelta(hours=1)
    store.conversations.touch(alice, made[0].id)

    first = store.conversations.page(alice, limit=3)
    second = store.conversations.page(alice, limit=3, offset=first[-1].updated_at)

    order = [made[0], made[4], made[3], made[2], made[1]]
    assert [found.id for found in (*first, *second)] == [expected.id for expected in order]


def test_rename_keeps_the_rest(store, talk, alice):
    """A new title changes nothing else."""
    store.conversations.change(alice, talk.id, title="Nuts")

    assert store.conversations.get(alice, talk.id) == talk.model_copy(update={"title": "Nuts"})


def test_delete_takes_the_messages_too(place, store, talk, alice):
    """A deleted conversation leaves no message behind; others keep theirs."""
    other = conversation_of(alice)
    store.conversations.create(other)
    kept = message_in(other)
    for message in (message_in(talk), message_in(talk), kept):
        store.conversations.add_message(message)

    assert store.conversations.delete(alice, talk.id) == 2

    conversations = place.open().conversations
    assert conversations.messages(alice, other.id) == [kept]
    with pytest.raises(NotFoundError):
        conversations.get(alice, talk.id)


def test_touching_a_deleted_conversation_does_not_revive_it(store, talk, alice):
    """A late touch cannot bring a deleted conversation back."""
    store.conversations.delete(alice, talk.id)
    store.conversations.touch(alice, talk.id)

    with pytest.raises(NotFoundError):
        store.conversations.get(alice, talk.id)


def test_messages_are_the_newest_oldest_first(store, talk, alice):
    """A long conversation gives its end, in reading order."""
    messages = [message_in(talk, minutes=minute) for minute in range(6)]
    for message in messages:
        store.conversations.add_message(message)

    assert store.conversations.messages(alice, talk.id, limit=4) == messages[2:]


def test_same_message_twice_is_one(store, talk, alice):
    """A retry of an insert changes nothing."""
    message = message_in(talk)
    store.conversations.add_message(message)
    store.conversations.add_message(message.model_copy(update={"text": "other words"}))

    assert store.conversations.messages(alice, talk.id) == [message]


def test_message_update_needs_the_version_that_was_read(store, talk, alice):
    """Of two changes to one version of a message the second is refused."""
    message = message_in(talk, state=MessageState.WRITING)
    store.conversations.add_message(message)

    done = store.conversations.update_message(message.model_copy(update={"state": MessageState.COMPLETE}))
    with pytest.raises(ConflictError):
        store.conversations.update_message(message.model_copy(update={"text": "late"}))

    assert store.conversations.message(alice, message.id) == done
    assert done.version == 2


def test_update_cannot_move_or_make_a_message(store, talk, alice):
    """A message stays in its conversation, and an unknown one is not made by a change."""
    other = conversation_of(alice)
    store.conversations.create(other)
    message = message_in(talk)
    store.conversations.add_message(message)

    with pytest.raises(ConflictError):
        store.conversations.update_message(message.model_copy(update={"conversation_id": other.id}))
    with pytest.raises(NotFoundError):
        store.conversations.update_message(message_in(talk))

    assert store.conversations.messages(alice, other.id) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda repository, owner, talk, message: repository.get(owner, talk.id),
        lambda repository, owner, talk, message: repository.change(owner, talk.id, title="stolen"),
        lambda repository, owner, talk, message: repository.delete(owner, talk.id),
        lambda repository, owner, talk, message: repository.message(owner, message.id),
        lambda repository, owner, talk, message: repository.messages(owner, talk.id),
        lambda repository, owner, talk, message: repository.create(talk.model_copy(update={"user_id": owner})),
        lambda repository, owner, talk, message: repository.add_message(
            message.model_copy(update={"id": new_id(), "user_id": owner})
        ),
        lambda repository, owner, talk, message: repository.add_message(
            message.model_copy(update={"conversation_id": new_id()})
        ),
        lambda repository, owner, talk, message: repository.update_message(
            message.model_copy(update={"user_id": owner, "text": "stolen"})
        ),
    ],
)
def test_foreign_and_missing_look_the_same(store, talk, alice, bob, call):
    """Whatever somebody else tries with an id that is not theirs ends as if it did not exist, and changes nothing."""
    message = message_in(talk)
    store.conversations.add_message(message)

    with pytest.raises(NotFoundError) as foreign:
        call(store.conversations, bob, talk, message)

    assert foreign.value.user_message == NotFoundError.user_message
    assert store.conversations.get(alice, talk.id) == talk
    assert store.conversations.messages(alice, talk.id) == [message]


def test_touch_of_a_foreign_conversation_changes_nothing(store, talk, alice, bob):
    """A touch reaches the owner's conversation only."""
    store.conversations.touch(bob, talk.id)

    assert store.conversations.get(alice, talk.id) == talk


@pytest.mark.parametrize("wrong", ["", "*", "nonsense", "../x"])
def test_malformed_id_is_not_found(store, alice, wrong):
    """An id from the address bar that is no id is simply not found."""
    with pytest.raises(NotFoundError):
        store.conversations.get(alice, wrong)
    with pytest.raises(NotFoundError):
        store.conversations.message(alice, wrong)


def test_interrupted_messages_of_everybody_are_stopped_at_start(place, store, alice, bob):
    """What a dead process was writing is stopped once, for all owners; finished messages stay."""
    for owner in (alice, bob):
        conversation = conversation_of(owner)
        store.conversations.create(conversation)
        store.conversations.add_message(message_in(conversation, state=MessageState.WRITING, text="half"))
        store.conversations.add_message(message_in(conversation))

    conversations = place.open().conversations
    assert conversations.mark_interrupted() == 2

    assert conversations.mark_interrupted() == 0
    (talk,) = conversations.page(bob)
    states = {message.text: message.state for message in conversations.messages(bob, talk.id)}
    assert states == {"half": MessageState.STOPPED, "I'm allergic to peanuts": MessageState.COMPLETE}
