import pytest

from optimus.embedding import MiniLmEmbedder
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.rules.derivation import derive
from optimus.models import MemoryType, UserId, new_id
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.store import open_memory_store
from tests.unit.memory.conftest import KEYS, ScriptedRules, SteppingClock, World

FACTS = [
    "I'm allergic to peanuts",
    "I live in Lisbon",
    "My sister Maria is a nurse",
    "I prefer window seats",
    "I work as a software engineer at Acme",
    "My dog is called Rex",
    "My birthday is on 12 May",
    "I love Italian food",
    "I'm learning Portuguese",
    "My car is a blue Volvo",
]


@pytest.fixture(scope="module")
def world():
    """A user who told ten things, with the real model."""
    clock, embedder = SteppingClock(), MiniLmEmbedder()
    store = open_memory_store(KEYS, clock=clock)
    rules = ScriptedRules()
    memory = MemoryManager(index=store.memories, embedder=embedder, encoder=Bm25Encoder(), derive=rules, clock=clock)
    world = World(store=store, memory=memory, rules=rules, clock=clock, embedder=embedder, owner=UserId(new_id()))
    for fact in FACTS:
        world.tell(fact)
    for chatter in ("hello!", "What is the capital of France?", "thanks a lot", "tell me a joke"):
        world.say(chatter)
    yield world
    store.close()


@pytest.mark.parametrize(
    "query",
    [
        "hello",
        "hi there!",
        "thanks",
        "ok",
        "good morning",
        "how are you?",
        "what is the capital of France?",
        "who won the world cup in 1998?",
        "write a haiku about autumn",
        "explain quantum entanglement",
        "how do I reverse a list in python?",
        "what is 17 * 23?",
        "translate 'good night' to German",
        "what's the weather like?",
    ],
)
def test_nothing_is_recalled_where_nothing_bears_on_it(world, query):
    """A greeting or a question about the world gets no personal facts, and no earlier question either."""
    assert world.recalled(query) == []


@pytest.mark.parametrize(
    ("query", "fact"),
    [
        ("what food should I avoid?", 0),
        ("am I allergic to anything?", 0),
        ("can I eat peanut butter?", 0),
        ("where do I live?", 1),
        ("what city am I in?", 1),
        ("what's my home town", 1),
        ("what does my sister do?", 2),
        ("who is Maria?", 2),
        ("do I have siblings?", 2),
        ("which seat should you book for me?", 3),
        ("what is my job?", 4),
        ("where do I work?", 4),
        ("what's my pet's name?", 5),
        ("when was I born?", 6),
        ("what cuisine do I like?", 7),
        ("suggest a restaurant for tonight", 7),
        ("which language am I studying?", 8),
        ("what do I drive?", 9),
        ("what colour is my car?", 9),
    ],
)
def test_the_fact_that_answers_is_recalled(world, query, fact):
    """Questions in other words than the fact's find it, among the first two, and little besides."""
    recalled = world.recalled(query)
    assert FACTS[fact] in recalled[:2]
    assert len(recalled) <= 4


@pytest.mark.parametrize("query", ["what do you know about me?", "who am I?", "tell me everything you remember"])
def test_a_question_about_everything_gets_everything(world, query):
    """An overview lists what is known, without messages."""
    assert sorted(world.recalled(query)) == sorted(FACTS)


def test_facts_come_instead_of_their_messages(world):
    """Where a fact was derived, its message is not returned beside it."""
    for query in ("where do I live?", "who is Maria?", "what colour is my car?"):
        types = {item.memory.type for item in world.memory.recall(world.owner, query)}
        assert MemoryType.CONVERSATION not in types


def test_what_a_message_just_said_is_not_recalled_for_it(world):
    """A statement does not get itself as a memory; what was known before comes."""
    message = world.message("I also love Italian wine")
    world.memory.remember(world.owner, message)
    recalled = world.memory.recall(world.owner, message.text, exclude_message=message.id)
    assert [item.memory.text for item in recalled][:1] == ["I love Italian food"]
    assert all(message.id not in item.memory.sources[:1] for item in recalled)
    world.memory.withdraw(world.owner, [message.id])


def test_the_rules_and_the_model_work_together():
    """Told in a chat, corrected and taken back: what is true is recalled, and what is not is not."""
    clock, embedder = SteppingClock(), MiniLmEmbedder()
    store = open_memory_store(KEYS, clock=clock)
    memory = MemoryManager(index=store.memories, embedder=embedder, encoder=Bm25Encoder(), derive=derive, clock=clock)
    told = World(store=store, memory=memory, rules=ScriptedRules(), clock=clock, embedder=embedder)
    told.say("I'm allergic to peanuts and live in Lisbon")
    told.say("my sister Maria is a nurse")
    (moved,) = told.say("I moved to Porto")
    assert moved.replaced_text == "I live in Lisbon"
    assert told.recalled("where do I live?") == ["I moved to Porto"]
    memory.undo(told.owner, moved)
    assert told.recalled("where do I live?") == ["I live in Lisbon"]
    told.say("forget that my sister is a nurse")
    assert told.recalled("what does my sister do?") == []
    assert told.recalled("what food should I avoid?") == ["I'm allergic to peanuts"]
    store.close()
