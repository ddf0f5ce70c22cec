"""A memory engine over a store in memory, with scripted rules and a stand-in for the model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from optimus.keys import Keys
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.rules.candidate import Candidate, CandidateKind
from optimus.memory_manager.shelf import episode_id
from optimus.models import (
    ConversationId,
    Memory,
    MemoryChange,
    MemoryId,
    MemoryType,
    Message,
    MessageId,
    MessageRole,
    UserId,
    new_id,
)
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.store import Store, open_memory_store
from tests.fakes.embedding import HashEmbedder

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEYS = Keys(jwt=b"j" * 32, pepper=b"p" * 32, master=b"m" * 32)
SIZE = 64
CONVERSATION = ConversationId(new_id())


class SteppingClock:
    """A clock that moves one second with every reading, and further on demand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class ScriptedRules:
    """`derive` by hand: what a text gives, and nothing for any other."""

    def __init__(self) -> None:
        self.script: dict[str, list[Candidate]] = {}

    def __call__(self, text: str, *, now: datetime) -> list[Candidate]:
        return self.script.get(text, [])

    def fact(self, text: str, *, says: str | None = None, **fields: Any) -> None:
        """Let the message `text` give the fact `says`, by default itself."""
        self._give(text, Candidate(**{"text": says or text, "type": MemoryType.FACT, **fields}))

    def forget(self, text: str, *, says: str, **fields: Any) -> None:
        """Let the message `text` ask to forget `says`."""
        self._give(text, Candidate(text=says, type=MemoryType.FACT, kind=CandidateKind.FORGET, **fields))

    def _give(self, text: str, candidate: Candidate) -> None:
        self.script.setdefault(text, []).append(candidate)


@dataclass
class World:
    """One user, their messages and their memories."""

    store: Store
    memory: MemoryManager
    rules: ScriptedRules
    clock: SteppingClock
    embedder: Any
    owner: UserId = field(default_factory=lambda: UserId(new_id()))

    def message(self, text: str, *, message_id: str | None = None, owner: UserId | None = None) -> Message:
        return Message(
            id=MessageId(message_id or new_id()),
            conversation_id=CONVERSATION,
            user_id=owner or self.owner,
            role=MessageRole.USER,
            text=text,
            created_at=self.clock(),
        )

    def say(self, text: str, *, before: Sequence[Message] = ()) -> tuple[MemoryChange, ...]:
        return self.memory.remember(self.owner, self.message(text), before=before)

    def tell(self, text: str, **fields: Any) -> MemoryChange:
        """Say a fact and return the one change that it made."""
        if text not in self.rules.script:
            self.rules.fact(text, **fields)
        (change,) = self.say(text)
        return change

    def stored(self, memory_id: MemoryId) -> Memory:
        return self.memory.get(self.owner, memory_id)

    def episode(self, message: MessageId) -> Memory:
        return self.memory.get(self.owner, episode_id(message))

    def facts(self) -> list[str]:
        """The derived memories that are true now, in the order of the alphabet."""
        return sorted(memory.text for memory in self.memory.list(self.owner).items)

    def recalled(self, query: str) -> list[str]:
        return [item.memory.text for item in self.memory.recall(self.owner, query)]


@pytest.fixture
def make_world():
    """Make worlds over one store in memory."""
    clock = SteppingClock()
    store = open_memory_store(KEYS, clock=clock, vector_size=SIZE)
    embedder = HashEmbedder(SIZE)

    def make(**replaced: Any) -> World:
        rules = ScriptedRules()
        wiring: dict[str, Any] = {"derive": rules, "embedder": embedder, "clock": clock} | replaced
        memory = MemoryManager(index=store.memories, encoder=Bm25Encoder(), **wiring)
        return World(store=store, memory=memory, rules=rules, clock=clock, embedder=embedder)

    yield make
    store.close()


@pytest.fixture
def world(make_world):
    """One user without memories."""
    return make_world()
