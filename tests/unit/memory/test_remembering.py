from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from optimus.errors import EmbeddingError, NotFoundError, TenancyError
from optimus.memory_manager.episodes import NEIGHBOUR_CHARS
from optimus.models import (
    MAX_MESSAGE_CHARS,
    ChangeKind,
    MemoryStatus,
    MemoryType,
    MessageRole,
    ScorePart,
    UserId,
    new_id,
)
from optimus.storage.records import MemoryFilter


def test_a_message_becomes_an_episode_and_facts(world):
    """Every message is kept as an episode; what the rules see in it is kept beside it, linked both ways."""
    world.rules.fact("I live in Lisbon and I paint", says="I live in Lisbon", slot="home")
    world.rules.fact("I live in Lisbon and I paint", says="I paint")
    message = world.message("I live in Lisbon and I paint")
    changes = world.memory.remember(world.owner, message)
    assert [(change.kind, change.text) for change in changes] == [
        (ChangeKind.ADD, "I live in Lisbon"),
        (ChangeKind.ADD, "I paint"),
    ]
    assert world.episode(message.id).derived == tuple(change.memory_id for change in changes)
    home = world.stored(changes[0].memory_id)
    assert (home.sources, home.slot, home.valid_from) == ((message.id,), "home", message.created_at)
    assert world.facts() == ["I live in Lisbon", "I paint"]


def test_remembering_twice_changes_nothing(world):
    """A retry with the same message id stores nothing more and tells the same changes again."""
    world.tell("I live in Lisbon", slot="home")
    world.rules.fact("I live in Porto", slot="home")
    world.rules.fact("I live in Porto", says="I like rain")
    message = world.message("I live in Porto")
    first = world.memory.remember(world.owner, message)
    before = world.store.memories.count(world.owner, MemoryFilter(statuses=None))
    assert world.memory.remember(world.owner, message) == first
    assert world.store.memories.count(world.owner, MemoryFilter(statuses=None)) == before


def test_a_retry_tells_merges_and_forgettings_again(world):
    """A retry rebuilds every kind of change, with what was undone since marked as undone."""
    told = world.tell("I like tea")
    merging = world.message("I like tea")
    first = world.memory.remember(world.owner, merging)
    assert first[0].kind is ChangeKind.MERGE
    assert world.memory.remember(world.owner, merging) == first
    world.rules.forget("forget the tea", says="I like tea")
    forgetting = world.message("forget the tea")
    changes = world.memory.remember(world.owner, forgetting)
    assert [(change.kind, change.memory_id) for change in changes] == [(ChangeKind.FORGET, told.memory_id)]
    world.memory.undo(world.owner, changes[0])
    assert world.memory.remember(world.owner, forgetting) == (changes[0].model_copy(update={"undone": True}),)


def test_only_the_users_own_words_are_remembered(world):
    """What the assistant says makes no memory."""
    message = world.message("I live in Lisbon").model_copy(update={"role": MessageRole.ASSISTANT})
    world.rules.fact("I live in Lisbon")
    assert world.memory.remember(world.owner, message) == ()
    assert world.store.memories.count(world.owner, MemoryFilter(statuses=None)) == 0


def test_a_message_of_another_user_is_refused(world):
    """A message is stored for its writer or not at all."""
    with pytest.raises(TenancyError):
        world.memory.remember(UserId(new_id()), world.message("I live in Lisbon"))


@pytest.mark.parametrize("text", ["", "   \n "])
def test_an_empty_message_is_nothing(world, text):
    """Blank text makes no episode."""
    assert world.say(text) == ()
    assert world.store.memories.count(world.owner, MemoryFilter(statuses=None)) == 0


def test_odd_text_is_stored(world):
    """Lone surrogates, a megabyte and other scripts are taken without an error, cut to what fits."""
    for text in ("caf\ud800é", "x " * 500_000, "我住在里斯本", "\u200b🎉"):
        message = world.message(text)
        world.memory.remember(world.owner, message)
        assert 0 < len(world.episode(message.id).text) <= MAX_MESSAGE_CHARS


def test_secrets_are_masked_before_vectors_are_made(world):
    """A credential reaches neither the model nor the store, and no fact is made of it."""
    text = "My password is hunter2 and my key is sk-ant-REDACTED"
    world.rules.script["My password is [masked secret] and my key is [masked secret]"] = []
    message = world.message(text)
    world.memory.remember(world.owner, message)
    world.memory.recall(world.owner, "is my password hunter2?")
    seen = " ".join(text for call in world.embedder.calls for text in call)
    assert "sk-ant" not in seen
    assert "sk-ant" not in world.episode(message.id).text
    assert "hunter2" not in world.episode(message.id).text


def test_a_candidate_with_a_masked_secret_is_dropped(world):
    """No derived memory is made of a credential."""
    world.rules.fact("My pin is 4711", says="unused")
    world.rules.script["My pin is [masked secret]"] = [
        world.rules.script["My pin is 4711"][0].__class__(text="My pin is [masked secret]", type=MemoryType.FACT)
    ]
    assert world.say("My pin is 4711") == ()
    assert world.facts() == []


def test_the_context_is_the_last_two_messages(world):
    """The neighbours' vectors pull the context vector, and their words are found; long ones are cut."""
    before = [world.message(text) for text in ("far away", "about the harbour", "z" * 5000)]
    world.memory.remember(world.owner, world.message("yes exactly that"), before=before)
    assert "far away" not in {text for call in world.embedder.calls for text in call}
    assert "z" * NEIGHBOUR_CHARS in {text for call in world.embedder.calls for text in call}
    legs = world.memory._shelf.search(world.owner, "harbour", MemoryFilter(), limit=10)
    assert [each.text for each in world.memory._shelf.read(world.owner, legs)] == ["yes exactly that"]
    (key,) = legs[ScorePart.KEYWORD_CONTEXT]
    assert legs[ScorePart.KEYWORD] == {}
    assert legs[ScorePart.CONTEXT][key] > legs[ScorePart.DENSE][key]


def test_a_failing_model_stores_nothing(make_world):
    """Without vectors there is no half-made memory: the error reaches the caller."""

    class Broken:
        name, dimensions = "broken", 64

        def embed(self, texts):
            raise EmbeddingError("no model")

    world = make_world(embedder=Broken())
    with pytest.raises(EmbeddingError):
        world.say("I live in Lisbon")
    assert world.store.memories.count(world.owner, MemoryFilter(statuses=None)) == 0


def test_threads_that_say_the_same_make_one_memory(world):
    """Thirty-two messages at once with the same ten facts leave ten facts, each said thirty-two times."""
    facts = [f"I own boat number {number}" for number in range(10)]
    for fact in facts:
        world.rules.fact("all", says=fact, slot=f"boat.{fact[-1]}")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: world.say("all"), range(32)))
    page = world.memory.list(world.owner, limit=100)
    assert sorted(memory.text for memory in page.items) == facts
    assert {memory.confirmations for memory in page.items} == {32}


def test_owners_never_meet(make_world):
    """What one user said is not found, listed, read, changed or undone by another."""
    alice, bob = make_world(), make_world()
    change = alice.tell("I live in Lisbon")
    assert bob.recalled("where do I live in Lisbon") == []
    assert bob.facts() == []
    attempts: list[Callable[[], object]] = [
        lambda: bob.memory.get(bob.owner, change.memory_id),
        lambda: bob.memory.edit(bob.owner, change.memory_id, "Hacked", expected_version=1),
        lambda: bob.memory.forget(bob.owner, change.memory_id),
        lambda: bob.memory.restore(bob.owner, change.memory_id),
        lambda: bob.memory.undo(bob.owner, change),
    ]
    for attempt in attempts:
        with pytest.raises(NotFoundError):
            attempt()
    assert alice.stored(change.memory_id).status is MemoryStatus.ACTIVE
