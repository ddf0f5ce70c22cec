"""Brings an export into an account: first what it would do, then the same for real.

Nothing that is there is changed. Doing it twice does it once, so an import that was interrupted goes on where it
stopped: by itself at the next start, and when the same file is imported again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Literal, TypeVar

from pydantic import BaseModel

from optimus.memory_manager import versions
from optimus.memory_manager.episodes import NEIGHBOUR_CHARS, NEIGHBOURS, clean
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.shelf import DERIVED_TYPES, episode_id, is_active
from optimus.models import Clock, Memory, MemoryId, MemoryType, Message, MessageRole, UserId, Value
from optimus.preferences import PreferenceService
from optimus.privacy.archive import open_export
from optimus.privacy.data import ExportData
from optimus.privacy.mapping import Mapping
from optimus.privacy.reading import read_export
from optimus.storage.failpoints import reached
from optimus.storage.records import MemoryFilter
from optimus.storage.store import Store

BATCH = 100
"""Records written in one call, so that nobody waits long."""
_BATCH_CHARS = 1_000_000

Settings = Literal["none", "new", "same", "kept"]
Item = TypeVar("Item", bound=BaseModel)
Step = Callable[[int], None]
"""Is told how many more records are done; it may raise to stop the import between two batches."""


class Tally(Value):
    """How many records of one kind an import meets."""

    new: int = 0
    present: int = 0
    """There already, and the same."""
    differing: int = 0
    """There already, and changed since; or answered otherwise here. What is here counts on."""


class ImportPreview(Value):
    """What an import would do."""

    username: str
    """Whose data the file says that it holds."""
    exported_at: datetime
    conversations: Tally
    messages: Tally
    memories: Tally
    episodes: Tally
    """Messages as they are found in searches."""
    answers: Tally
    settings: Settings
    connections: int
    """Told only: without their keys they are of no use."""

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing would be added."""
        kinds = (self.conversations, self.messages, self.memories, self.episodes, self.answers)
        return not any(kind.new for kind in kinds) and self.settings != "new"

    @property
    def total(self) -> int:
        """How many records the import goes through."""
        kinds = (self.messages, self.memories, self.episodes, self.answers)
        return sum(kind.new + kind.present + kind.differing for kind in kinds)


class Importer:
    """Reads an export as the owner's and stores what is new."""

    def __init__(self, *, store: Store, memory: MemoryManager, preferences: PreferenceService, clock: Clock) -> None:
        self._store = store
        self._memory = memory
        self._preferences = preferences
        self._clock = clock

    def preview(self, owner: UserId, file: bytes) -> ImportPreview:
        """Return what importing the file would do.

        Raises:
            InvalidInputError: the file cannot be imported; the sentence says why.
            StoreError: the store does not answer.
        """
        return self._opened(owner, file).preview()

    def run(self, owner: UserId, file: bytes, step: Step) -> ImportPreview:
        """Store what is new in the file and return what was done.

        Raises:
            InvalidInputError: the file cannot be imported; nothing was stored.
            StoreError: the store does not answer; what was stored stays, and importing again goes on.
            EmbeddingError: memories cannot be made searchable.
        """
        opened = self._opened(owner, file)
        done = opened.preview()
        opened.store_conversations(step)
        opened.store_memories(self._memory, step)
        opened.store_usage(step)
        if done.settings == "new" and opened.data.preferences:
            self._preferences.adopt(owner, opened.data.preferences.model_dump())
            reached("import.settings")
        return done

    def _opened(self, owner: UserId, file: bytes) -> _Opened:
        data = read_export(open_export(file), owner, now=self._clock())
        return _Opened(self._store, owner, data, self._clock())


class _Opened:
    """An export beside what the owner has."""

    def __init__(self, store: Store, owner: UserId, data: ExportData, now: datetime) -> None:
        self._store = store
        self._owner = owner
        self._now = now
        self.data = data
        self._mapping = Mapping(store, owner, data)
        self._own = {self._mapping.memory_id(memory.id) for memory in data.memories}

    def preview(self) -> ImportPreview:
        said, counted, data = self._mapping.said, self._mapping.counted, self.data
        conversations = [self._mapping.conversation(each.conversation).id for each in data.conversations]
        messages = [self._mapping.message(message).id for message in self._messages()]
        answers = [self._mapping.event(event).id for event in data.usage]
        return ImportPreview(
            username=data.account.username,
            exported_at=data.exported_at,
            conversations=_tally(conversations, said),
            messages=_tally(messages, said),
            memories=self._memories([each for each in data.memories if each.type in DERIVED_TYPES]),
            episodes=self._memories([each for each in data.memories if each.type not in DERIVED_TYPES]),
            answers=_tally(answers, counted),
            settings=self._settings(),
            connections=len(data.connections),
        )

    def store_conversations(self, step: Step) -> None:
        """Store the new conversations, and of the others the messages that are missing."""
        for each in self.data.conversations:
            conversation = self._mapping.conversation(each.conversation)
            self._store.conversations.adopt(conversation, ())
            reached("import.conversation")
            placed = map(self._mapping.message, each.messages)
            for batch in _batches([message for message in placed if message.id not in self._mapping.said]):
                self._store.conversations.adopt(conversation, batch)
                reached("import.messages")
                step(len(batch))

    def store_memories(self, memory: MemoryManager, step: Step) -> None:
        """Store the new memories in the surroundings that they were said in; what is answered here stays the answer."""
        around = self._around()
        for batch in _batches([each for each in self.data.memories if self._is_new(each)]):
            placed = [self._placed(each) for each in batch]
            texts = {new.id: around.get(old.id, ()) for old, new in zip(batch, placed, strict=True)}
            memory.adopt(self._owner, placed, texts)
            reached("import.memories")
            step(len(batch))

    def store_usage(self, step: Step) -> None:
        """Store the new figures of answers."""
        placed = map(self._mapping.event, self.data.usage)
        for batch in _batches([event for event in placed if event.id not in self._mapping.counted]):
            self._store.events.adopt(batch)
            reached("import.usage")
            step(len(batch))

    def _messages(self) -> Iterator[Message]:
        return (message for each in self.data.conversations for message in each.messages)

    def _is_new(self, memory: Memory) -> bool:
        return self._mapping.memory_id(memory.id) not in self._mapping.known

    def _memories(self, memories: Sequence[Memory]) -> Tally:
        """Compare what is there already with what the file says of it."""
        new = [each for each in memories if self._is_new(each)]
        answered = sum(self._answer_here(each) is not None for each in new)
        there = [each for each in memories if not self._is_new(each)]
        same = 0
        for start in range(0, len(there), BATCH):
            batch = there[start : start + BATCH]
            ids = [self._mapping.memory_id(each.id) for each in batch]
            found = {each.id: each for each in self._store.memories.get(self._owner, ids)}
            same += sum(_says_the_same(found[key], each) for key, each in zip(ids, batch, strict=True) if key in found)
        return Tally(new=len(new) - answered, present=same, differing=answered + len(there) - same)

    def _answer_here(self, memory: Memory) -> Memory | None:
        """Return the memory that answers the same question otherwise in this account, and not from this file."""
        if not memory.slot or not is_active(memory):
            return None
        here = self._store.memories.page(self._owner, MemoryFilter(slot=memory.slot), limit=BATCH).items
        return next((other for other in here if other.id not in self._own), None)

    def _placed(self, memory: Memory) -> Memory:
        placed, here = self._mapping.memory(memory), self._answer_here(memory)
        return versions.superseded(placed, by=here.id, at=self._now, now=self._now) if here else placed

    def _around(self) -> dict[MemoryId, tuple[str, ...]]:
        """Return the texts around each memory: of a message those before it, of a fact the message that said it.

        A message that was said while memory was off, or not kept whole, is in nobody's surroundings.
        """
        episodes = {m.sources[0]: m for m in self.data.memories if m.sources and m.id == episode_id(m.sources[0])}
        around: dict[MemoryId, tuple[str, ...]] = {}
        for each in self.data.conversations:
            before: list[str] = []
            is_kept = False
            for message in each.messages:
                episode = episodes.get(message.id)
                if message.role is MessageRole.USER:
                    is_kept = episode is not None and episode.text == clean(message.text)
                if episode:
                    around[episode.id] = tuple(before[-NEIGHBOURS:])
                if is_kept and message.text:
                    before.append(message.text[:NEIGHBOUR_CHARS])
        for memory in self.data.memories:
            said = episodes.get(memory.sources[0]) if memory.sources else None
            if said and memory.type is not MemoryType.CONVERSATION:
                around[memory.id] = (said.text,)
        return around

    def _settings(self) -> Settings:
        wanted = self.data.preferences
        if wanted is None:
            return "none"
        chosen = self._store.accounts.preferences(self._owner)
        if not chosen.version:
            return "new"
        fields = wanted.model_dump() | {"never_store": frozenset(wanted.never_store)}
        return "same" if chosen.model_dump(include=set(fields)) == fields else "kept"


def _tally(ids: Sequence[str], there: set[str]) -> Tally:
    present = sum(each in there for each in ids)
    return Tally(new=len(ids) - present, present=present)


def _says_the_same(here: Memory, there: Memory) -> bool:
    return (here.text, here.type, here.status) == (there.text, there.type, there.status)


def _batches(records: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield records in the order that they are in, so many at once as one write may take."""
    batch: list[Item] = []
    size = 0
    for record in records:
        chars = len(record.model_dump_json())
        if batch and (len(batch) >= BATCH or size + chars > _BATCH_CHARS):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += chars
    if batch:
        yield batch
