"""Many threads in one embedded store at once: none is refused, none sees less than it wrote, and nothing is lost."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest

from optimus.models import Conversation, ConversationId, Memory, MemoryId, Message, MessageId, UserId, new_id
from optimus.settings import load_settings
from optimus.storage.records import MemoryFilter
from optimus.storage.store import Store, open_store
from tests.unit.storage.conftest import SIZE, vector
from tests.unit.storage.test_conversations import message_in
from tests.unit.storage.test_memory_index import memory_of, point, query
from tests.world import KEYS

THREADS = 64
FLUSHING = 16
"""One thread in so many flushes at all events, the others by chance."""
WEIGHTS = {"put": 30, "change": 20, "delete": 10, "search": 15, "count": 10, "say": 10, "set": 4, "flush": 1}
AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(kw_only=True)
class Life:
    """One thread's records, of an owner of its own, and what it has to find of them at any time."""

    store: Store
    seed: int
    owner: UserId = field(default_factory=lambda: UserId(new_id()))
    memories: dict[MemoryId, Memory] = field(default_factory=dict)
    said: dict[MessageId, Message] = field(default_factory=dict)
    chosen: int = 0
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Begin the one conversation."""
        self.chance = random.Random(self.seed)
        self.chat = Conversation(
            id=ConversationId(new_id()), user_id=self.owner, title="t", created_at=AT, updated_at=AT
        )

    def run(self, is_over: Callable[[], bool]) -> None:
        """Act until it is over, at least once in nearly each way."""
        acts: dict[str, Callable[[], object]] = {name: getattr(self, name) for name in WEIGHTS}
        self.store.conversations.create(self.chat)
        wanted = [name for name in acts if name != "flush" or self.seed % FLUSHING == 0]
        while wanted or not is_over():
            name = wanted.pop(0) if wanted else self.chance.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
            acts[name]()
            self.done[name] += 1

    def put(self) -> None:
        """Write a memory."""
        memory = memory_of(self.owner, f"I own number {self.chance.getrandbits(40)}")
        self.store.memories.put(self.owner, [point(memory, self.chance.randrange(50))])
        self.memories[memory.id] = memory

    def change(self) -> None:
        """Change a memory over the version that was read."""
        before = self._any()
        after = before.model_copy(update={"text": f"{before.text}, or so", "version": before.version + 1})
        self.store.memories.replace(self.owner, after, before.version)
        self.memories[after.id] = after

    def delete(self) -> None:
        """Delete a memory, and see that it is gone."""
        gone = self._any().id
        self.store.memories.delete(self.owner, [gone])
        del self.memories[gone]
        assert self.store.memories.get(self.owner, [gone]) == []

    def search(self) -> None:
        """Search by meaning and words; all that is found is one's own, and there."""
        legs = self.store.memories.legs(self.owner, query("number", self.chance.randrange(50)), limit=10)
        found = {key for leg in legs.values() for key in leg}
        assert found <= self.memories.keys()
        nearest = self.store.memories.nearest(self.owner, vector(self.chance.randrange(50)), MemoryFilter(), 3)
        assert len(nearest) == min(3, len(self.memories))

    def count(self) -> None:
        """Count one's own."""
        assert self.store.memories.count(self.owner) == len(self.memories)

    def say(self) -> None:
        """Write a message."""
        message = message_in(self.chat, id=MessageId(new_id()))
        self.said[message.id] = self.store.conversations.add_message(message)

    def set(self) -> None:
        """Write what waits for the disk, and read it back."""
        self.chosen += 1
        self.store.work.set_setting(self.owner, {"number": self.chosen})
        assert self.store.work.setting(self.owner) == {"number": self.chosen}

    def flush(self) -> None:
        """Have the engine write its segments, as it does when nobody writes."""
        assert self.store.commit
        self.store.commit._flush()

    def found(self, store: Store) -> dict[str, Any]:
        """Return what is in a store of this life."""
        page = store.memories.get(self.owner, [*self.memories])
        assert store.memories.count(self.owner) == len(self.memories)
        return {
            "memories": {memory.id: (memory.text, memory.version) for memory in page},
            "said": {each.id: each for each in store.conversations.transcript(self.owner, self.chat.id)},
            "set": store.work.setting(self.owner),
        }

    def expected(self) -> dict[str, Any]:
        """Return what has to be there."""
        return {
            "memories": {memory.id: (memory.text, memory.version) for memory in self.memories.values()},
            "said": self.said,
            "set": {"number": self.chosen},
        }

    def _any(self) -> Memory:
        if not self.memories:
            self.put()
        return self.chance.choice(list(self.memories.values()))


def live(folder: Path, for_s: float) -> Counter[str]:
    """Let all threads live for a time; return how often each thing was done. Everything is there, also after it."""
    settings = load_settings(data_dir=folder)
    is_over = Event()
    timer = Timer(for_s, is_over.set)
    with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
        lives = [Life(store=store, seed=seed) for seed in range(THREADS)]
        timer.start()
        with ThreadPoolExecutor(THREADS) as pool:
            for ended in [pool.submit(each.run, is_over.is_set) for each in lives]:
                ended.result()
        timer.cancel()
        assert [each.found(store) for each in lives] == [each.expected() for each in lives]
    with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
        assert [each.found(store) for each in lives] == [each.expected() for each in lives]
    return sum((each.done for each in lives), Counter())


def test_many_threads_lose_nothing(tmp_path: Path):
    """Each of them does nearly everything at least once, beside all the others."""
    done = live(tmp_path, 0.0)
    assert min(done[name] for name in WEIGHTS if name != "flush") == THREADS
    assert done["flush"] == THREADS // FLUSHING


@pytest.mark.deep
@pytest.mark.timeout(1800)
def test_many_threads_lose_nothing_for_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The same for ten minutes."""
    done = live(tmp_path, 600.0)
    assert min(done[name] for name in WEIGHTS if name != "flush") >= THREADS
    with capsys.disabled():
        sys.stdout.write(f"\n{done.total()} acts: {dict(done)}\n")
