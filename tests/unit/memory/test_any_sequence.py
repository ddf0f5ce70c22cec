"""Whatever is done in whatever order: versions and state agree, nothing forgotten returns, owners never mix."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from optimus.assembly import open_graph, open_shelf, open_upkeep
from optimus.memory_manager.health import MemoryHealth
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.rules.derivation import derive
from optimus.models import (
    ChangeKind,
    Memory,
    MemoryChange,
    MemoryId,
    MemoryStatus,
    MemoryType,
    Message,
    MessageId,
    MessageRole,
    UserId,
    new_id,
)
from optimus.preferences import PreferenceService
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.records import MemoryFilter
from optimus.storage.store import open_memory_store
from tests.fakes.embedding import HashEmbedder
from tests.unit.memory.conftest import CONVERSATION, KEYS, SIZE, SteppingClock

PLACES = (("Lisbon", "Porto", "Faro"), ("Oslo", "Bergen", "Tromso"))
"""What each of the two owners may speak of; the other never does."""
FORMS = (
    "I live in {}",
    "My sister Maria lives in {}",
    "I like {}",
    "I don't like {}",
    "I work in {}",
    "{} was cold in winter",
)
TEXTS = st.tuples(st.sampled_from(FORMS), st.integers(0, 2))
EVERYTHING = MemoryFilter(statuses=None)
FACTS = 50


class Life(RuleBasedStateMachine):
    """Two users of one store, who do what can be done with memories."""

    changes: Bundle[tuple[int, MemoryChange]] = Bundle("changes")
    messages: Bundle[tuple[int, Message]] = Bundle("messages")

    def __init__(self) -> None:
        super().__init__()
        self.clock = SteppingClock()
        self.store = open_memory_store(KEYS, clock=self.clock, vector_size=SIZE)
        self.embedder = HashEmbedder(SIZE)
        self.owners = [UserId(new_id()), UserId(new_id())]
        self.forgotten: list[set[MemoryId]] = [set(), set()]
        self.restart()

    def teardown(self) -> None:
        self.store.close()

    @initialize(who=st.integers(0, 1))
    def begin(self, who: int) -> None:
        """Begin with something to change, and something to mend."""
        for place in (0, 1):
            for form in FORMS[:4]:
                self.add(who=who, said=(form, place))
        self.bring_in(who=who, which=0, confidence=0.1)
        self.bring_in(who=who, which=1, confidence=0.9)

    @rule(who=st.integers(0, 1), which=st.integers(0, 99), confidence=st.sampled_from((0.1, 0.9)))
    def bring_in(self, who: int, which: int, confidence: float) -> None:
        """Import a copy of a memory under another id, as a file may."""
        if memory := self.choose(who, which, MemoryStatus.ACTIVE):
            fresh = {"id": new_id(), "confidence": confidence, "version": 1, "history": (), "confirmations": 1}
            fresh |= {"recorded_at": self.clock(), "supersedes": None}
            copy = memory.model_copy(update=fresh)
            copy = copy.model_copy(update={"updated_at": copy.recorded_at})
            self.memory.adopt(self.owners[who], [copy], {})

    @rule()
    def restart(self) -> None:
        """Begin anew over what is stored, as after a restart."""
        shelf = open_shelf(self.store, self.embedder)
        self.memory = MemoryManager(
            index=self.store.memories,
            embedder=self.embedder,
            encoder=Bm25Encoder(),
            derive=derive,
            clock=self.clock,
        )
        self.graph = open_graph(self.store, shelf)
        preferences = PreferenceService(accounts=self.store.accounts, clock=self.clock, audit=self.store.audit)
        self.health: MemoryHealth = open_upkeep(self.store, shelf, self.memory, self.graph, preferences, self.clock)[0]

    @rule(who=st.integers(0, 1), said=TEXTS, target=changes)
    def add(self, who: int, said: tuple[str, int]) -> Any:
        """Write a memory by hand."""
        memory = self.memory.add(self.owners[who], said[0].format(PLACES[who][said[1]]))
        self.forgotten[who].discard(memory.id)
        return multiple()

    @rule(who=st.integers(0, 1), said=TEXTS, forgets=st.booleans(), target=messages)
    def say(self, who: int, said: tuple[str, int], forgets: bool) -> Any:
        """Say something in a chat, or ask to forget it."""
        text = said[0].format(PLACES[who][said[1]])
        message = Message(
            id=MessageId(new_id()),
            conversation_id=CONVERSATION,
            user_id=self.owners[who],
            role=MessageRole.USER,
            text=f"Forget that {text}" if forgets else text,
            created_at=self.clock(),
        )
        for change in self.memory.remember(self.owners[who], message):
            if change.kind is ChangeKind.FORGET:
                self.forgotten[who].add(change.memory_id)
        return who, message

    @rule(said=messages, target=changes)
    def see(self, said: tuple[int, Message]) -> Any:
        """Look at what a message changed, which remembering it again tells without doing it again."""
        who, message = said
        before = self.state(who)
        changes = self.memory.remember(self.owners[who], message)
        assert self.state(who) == before
        return multiple(*((who, change) for change in changes))

    @rule(change=changes)
    def undo(self, change: tuple[int, MemoryChange]) -> None:
        """Take a change back, once or again."""
        who, made = change
        self.memory.undo(self.owners[who], made)
        state = self.state(who)
        found = self.store.memories.get(self.owners[who], [made.memory_id])
        if made.kind is ChangeKind.FORGET and found and found[0].status is not MemoryStatus.DELETED:
            self.forgotten[who].discard(made.memory_id)
        before = {key: memory.version for key, memory in state.items()}
        self.memory.undo(self.owners[who], made)
        assert {key: memory.version for key, memory in self.state(who).items()} == before

    @rule(who=st.integers(0, 1), which=st.integers(0, 99), said=TEXTS)
    def edit(self, who: int, which: int, said: tuple[str, int]) -> None:
        """Give a true memory another text."""
        if memory := self.choose(who, which, MemoryStatus.ACTIVE):
            text = said[0].format(PLACES[who][said[1]])
            edited = self.memory.edit(self.owners[who], memory.id, text, expected_version=memory.version)
            assert edited.text == text

    @rule(who=st.integers(0, 1), which=st.integers(0, 99))
    def forget(self, who: int, which: int) -> None:
        """Delete a memory by hand."""
        if memory := self.choose(who, which, MemoryStatus.ACTIVE):
            self.memory.forget(self.owners[who], memory.id)
            self.forgotten[who].add(memory.id)

    @rule(who=st.integers(0, 1), which=st.integers(0, 99))
    def restore(self, who: int, which: int) -> None:
        """Bring a deleted memory back."""
        if memory := self.choose(who, which, MemoryStatus.DELETED):
            self.memory.restore(self.owners[who], memory.id)
            self.forgotten[who].discard(memory.id)

    @rule(said=consumes(messages))
    def withdraw(self, said: tuple[int, Message]) -> None:
        """Delete a message."""
        who, message = said
        self.memory.withdraw(self.owners[who], [message.id])

    @rule(who=st.integers(0, 1), back=st.booleans())
    def mend(self, who: int, back: bool) -> None:
        """Make every repair that is proposed, and perhaps take them back at once."""
        owner = self.owners[who]
        before = {key: (m.text, m.status, m.superseded_by, m.confirmations) for key, m in self.state(who).items()}
        repairs = [each.id for each in self.health.look(owner).repairs if each.made_at is None]
        self.health.make(owner, repairs)
        if back:
            self.health.take_back(owner, repairs)
            after = {key: (m.text, m.status, m.superseded_by, m.confirmations) for key, m in self.state(who).items()}
            assert after == before

    @invariant()
    def versions_and_state_agree(self) -> None:
        """Each change made one version; who replaced whom is there; a true memory has not ended."""
        for who in (0, 1):
            state = self.state(who)
            for memory in state.values():
                assert [entry.version for entry in memory.history] == list(range(1, memory.version))
                assert memory.updated_at == (memory.history[-1].changed_at if memory.history else memory.recorded_at)
                if memory.status is MemoryStatus.SUPERSEDED:
                    assert memory.superseded_by in state
                if memory.status is MemoryStatus.ACTIVE:
                    assert memory.superseded_by is None
                    assert memory.valid_to is None

    @invariant()
    def nothing_forgotten_returns(self) -> None:
        """What was forgotten and not brought back is in no list, answer or neighbourhood."""
        for who, owner in enumerate(self.owners):
            gone = self.forgotten[who]
            if not gone:
                continue
            # A message that was deleted took its episode along.
            assert {memory.status for memory in self.store.memories.get(owner, list(gone))} <= {MemoryStatus.DELETED}
            shown = {memory.id for memory in self.memory.list(owner, limit=256).items}
            for place in PLACES[who]:
                shown |= {item.memory.id for item in self.memory.recall(owner, f"what about {place}?")}
                shown |= self.graph.memory_ids(owner, place)
            assert shown.isdisjoint(gone)

    @invariant()
    def owners_are_apart(self) -> None:
        """Nobody has, finds or is told of what only the other speaks of."""
        for who, owner in enumerate(self.owners):
            others = PLACES[1 - who]
            texts = [memory.text for memory in self.state(who).values()]
            texts += [item.memory.text for item in self.memory.recall(owner, f"what about {others[0]}?")]
            assert not [text for text in texts if any(place in text for place in others)]
            assert self.graph.neighbourhood(owner, others[0]) is None

    def state(self, who: int) -> dict[MemoryId, Memory]:
        """Return everything that is stored of an owner but messages."""
        found = self.store.memories.page(self.owners[who], EVERYTHING, limit=256).items
        return {memory.id: memory for memory in found if memory.type is not MemoryType.CONVERSATION}

    def choose(self, who: int, which: int, status: MemoryStatus) -> Memory | None:
        """Return some memory that stands so."""
        standing = [memory for memory in self.state(who).values() if memory.status is status]
        in_order = sorted(standing, key=lambda memory: (memory.recorded_at, memory.text, memory.id))
        return in_order[which % len(in_order)] if in_order else None


def live(examples: int, steps: int) -> None:
    """Run so many lives of so many steps; one that fails is told as it was, since making it shorter takes minutes."""
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Life, settings=profile)


def test_any_sequence():
    """A few short lives."""
    live(4, 12)


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_many_sequences():
    """Many long lives."""
    live(150, 40)


@pytest.mark.parametrize("facts", [4, pytest.param(FACTS, marks=[pytest.mark.deep, pytest.mark.timeout(900)])])
def test_threads_that_add_the_same_facts_leave_each_once(facts: int, make_world):
    """32 threads add the same facts, each in its own order: each fact is there once, and every saying is counted."""
    world = make_world(derive=derive)
    texts = [f"My book number {number} is about {place}" for number, place in enumerate(PLACES[0] * 20)][:facts]
    threads = 32

    def add_all(seed: int) -> None:
        for text in random.Random(seed).sample(texts, len(texts)):
            world.memory.add(world.owner, text)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(add_all, range(threads)))
    found = world.memory.list(world.owner, limit=256).items
    assert sorted(memory.text for memory in found) == sorted(texts)
    assert {memory.confirmations for memory in found} == {threads}
