"""Whatever a life holds, it comes back equal."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optimus.models import (
    Conversation,
    ConversationId,
    Memory,
    MemoryId,
    MemoryStatus,
    MemoryType,
    MemoryVersion,
    Message,
    MessageId,
    MessageRole,
    MessageState,
    Provenance,
    Relation,
    SourceKind,
    UserId,
    new_id,
)
from tests.unit.privacy.support import bring_in, content, export, newcomer
from tests.world import World

WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t=+-@\"',;<>|&"), min_size=1, max_size=60
)
TIMES = st.integers(0, 10_000_000).map(lambda s: datetime(2025, 6, 1, tzinfo=UTC) + timedelta(seconds=s))


def memories(owner: UserId) -> st.SearchStrategy[Memory]:
    """Return memories of every kind, status and source, with versions."""
    version = st.builds(
        MemoryVersion,
        version=st.integers(1, 9),
        text=WORDS,
        status=st.sampled_from(MemoryStatus),
        changed_at=TIMES,
        reason=st.sampled_from(("edit", "merge", "undo")),
        undoes=st.none() | st.integers(1, 9),
    )
    return st.builds(
        Memory,
        id=st.builds(lambda: MemoryId(new_id())),
        user_id=st.just(owner),
        text=WORDS,
        type=st.sampled_from(MemoryType),
        status=st.sampled_from(MemoryStatus),
        slot=st.none() | WORDS,
        importance=st.floats(0, 1, width=16),
        confidence=st.floats(0, 1, width=16),
        entities=st.lists(WORDS, max_size=3).map(tuple),
        relations=st.lists(st.builds(Relation, subject=WORDS, predicate=WORDS, object=WORDS), max_size=2).map(tuple),
        provenance=st.builds(
            Provenance,
            source=st.sampled_from(SourceKind),
            message_id=st.none() | st.builds(lambda: MessageId(new_id())),
        ),
        pinned=st.booleans(),
        recorded_at=TIMES,
        updated_at=TIMES,
        valid_from=TIMES,
        valid_to=st.none() | TIMES,
        uses=st.integers(0, 9),
        last_used_at=st.none() | TIMES,
        last_used_in=st.none() | st.builds(lambda: MessageId(new_id())),
        last_used_chat=st.none() | st.builds(lambda: ConversationId(new_id())),
        superseded_by=st.none() | st.builds(lambda: MemoryId(new_id())),
        history=st.lists(version, max_size=3).map(tuple),
        version=st.integers(1, 9),
    )


def messages(conversation: Conversation) -> st.SearchStrategy[Message]:
    """Return messages of both sides; an answer may hold any character that can be stored."""
    common: dict[str, Any] = {
        "id": st.builds(lambda: MessageId(new_id())),
        "conversation_id": st.just(conversation.id),
        "user_id": st.just(conversation.user_id),
        "created_at": TIMES,
    }
    answer = st.text(st.characters(codec="utf-8"), max_size=80)
    return st.builds(Message, role=st.just(MessageRole.USER), text=WORDS, **common) | st.builds(
        Message,
        role=st.just(MessageRole.ASSISTANT),
        text=answer,
        state=st.sampled_from((MessageState.COMPLETE, MessageState.STOPPED, MessageState.FAILED)),
        **common,
    )


@pytest.mark.timeout(120)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_any_life_comes_back_equal(world: World, data: st.DataObject):
    """Any memories and messages, exported and imported into a new account, are exported the same again."""
    services = world.services
    giver, heir = (newcomer(services, f"user-{new_id()[:12]}") for _ in range(2))
    owner = giver.user_id
    kept = data.draw(st.lists(memories(owner), max_size=6, unique_by=lambda memory: (memory.recorded_at, memory.text)))
    if kept:
        services.memory.adopt(owner, kept, {})
    now = datetime(2025, 6, 1, tzinfo=UTC)
    chat = Conversation(
        id=ConversationId(new_id()), user_id=owner, title=data.draw(WORDS), created_at=now, updated_at=now
    )
    said = data.draw(st.lists(messages(chat), max_size=6, unique_by=lambda message: message.created_at))
    services.store.conversations.adopt(chat, said)
    first = export(services, giver)
    bring_in(services, heir, first)
    assert content(export(services, heir)) == content(first)
    assert services.privacy.preview(heir, first).is_empty
