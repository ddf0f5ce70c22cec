"""Limits on messages, tokens and memories: refused by the service, with a sentence that says how it ends."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from optimus.allowance import Allowance
from optimus.errors import LimitReachedError
from optimus.llm_handler.requests import GenerationResult, ModelChoice, ModelRef
from optimus.models import MessageState, Usage
from optimus.usage import Asked
from tests.world import World, stranger

PAID = ModelChoice(
    ref=ModelRef(provider="openai", name="m"), title="m", provider_title="OpenAI", free=False, is_local=False
)


def limit(world, **limits: int | None) -> None:
    """Set limits as an admin."""
    world.services.system.change(world.principal, **limits)


def allowance_of(world: World) -> Allowance:
    """Return the counter that the world's chat uses."""
    found: Allowance = world.services.chat._allowance
    return found


def given(tokens: int) -> Asked:
    """Return what a paid model is given."""
    return Asked(choice=PAID, prompt_tokens=tokens, memory_tokens=0, history_tokens=0)


def ended(tokens: int) -> GenerationResult:
    """Return an answer that took tokens."""
    return GenerationResult(text="x", state=MessageState.COMPLETE, usage=Usage(input_tokens=tokens))


def test_messages_beyond_the_limit_are_refused_until_midnight(world):
    """Nothing of the message is stored; the sentence says when it begins anew, and then it does."""
    world.say("one")
    limit(world, messages_per_day=2)
    world.clock.now = datetime(2026, 3, 1, 22, 10, tzinfo=UTC)
    conversation, _, _ = world.say("two")
    with pytest.raises(LimitReachedError) as caught:
        world.say("three", conversation=conversation)
    assert caught.value.user_message == (
        "Today's limit of 2 messages is used up. It begins anew in about 2 hours, at midnight UTC."
    )
    assert len(world.services.chat.messages(world.owner, conversation.id)) == 2
    world.clock.now += timedelta(hours=2)
    world.say("three", conversation=conversation)


def test_an_answer_written_again_counts_as_well(world):
    """Stop and try again is no way around the limit."""
    conversation, _, reply = world.say("one")
    stopped = reply.model_copy(update={"state": MessageState.STOPPED})
    world.services.store.conversations.update_message(stopped)
    limit(world, messages_per_day=1)
    with pytest.raises(LimitReachedError):
        world.services.chat.retry(world.owner, reply.id, choice=world.offline())
    assert world.services.chat.messages(world.owner, conversation.id)[1].state is MessageState.STOPPED


def test_deleting_a_chat_gives_nothing_back_and_nobody_else_is_counted(world):
    """The count is the account's own, apart from what is stored of its chats."""
    conversation, _, _ = world.say("one")
    limit(world, messages_per_day=1)
    world.services.chat.delete(world.owner, conversation.id, forget=True)
    with pytest.raises(LimitReachedError):
        world.say("two")
    allowance_of(world).take(stranger().user_id, given(1))


def test_parallel_messages_never_exceed_the_limit(world):
    """Of twenty at once exactly as many get through as are allowed."""
    limit(world, messages_per_day=7)

    def take(_: int) -> bool:
        try:
            allowance_of(world).take(world.owner, given(1))
        except LimitReachedError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take, range(20))) == 7


def test_tokens_are_estimated_before_and_corrected_after(world):
    """What an answer took replaces its estimate; the offline assistant answers on when they are used up."""
    limit(world, tokens_per_day=100)
    counter = allowance_of(world)
    counter.take(world.owner, given(60))
    with pytest.raises(LimitReachedError):
        counter.take(world.owner, given(60))
    counter.settle(world.owner, given(60), ended(10))
    assert counter.used(world.owner).tokens == 10
    counter.take(world.owner, given(60))
    counter.settle(world.owner, given(60), ended(95))
    with pytest.raises(LimitReachedError) as caught:
        counter.take(world.owner, given(1))
    assert "100 tokens" in caught.value.user_message
    assert "midnight" in caught.value.user_message
    world.say("still answered")


def test_an_answer_that_failed_before_it_began_costs_nothing(world):
    """The estimate is given back."""
    limit(world, tokens_per_day=100)
    counter = allowance_of(world)
    counter.take(world.owner, given(60))
    counter.settle(world.owner, given(60), GenerationResult(text="", state=MessageState.FAILED))
    assert counter.used(world.owner).tokens == 0


def test_memories_beyond_the_limit_are_refused_and_room_can_be_made(world):
    """By hand with a sentence, in a chat with a notice; replacing and forgetting go on, restoring is no way around."""
    memory = world.services.memory
    first = memory.add(world.owner, "I live in Lisbon")
    memory.add(world.owner, "I like green tea")
    limit(world, max_memories=2)
    with pytest.raises(LimitReachedError) as caught:
        memory.add(world.owner, "I play the violin")
    assert caught.value.user_message == "You may keep 2 memories, and you have as many. Delete some to make room."
    turn = world.services.chat.send(world.owner, "My dog is Rex", conversation_id=None, choice=world.offline())
    assert turn.notice
    assert "not remembered" in turn.notice
    world.say("I moved to Porto")
    assert {m.text for m in memory.list(world.owner).items} == {"I moved to Porto", "I like green tea"}
    tea = next(m for m in memory.list(world.owner).items if "tea" in m.text)
    memory.forget(world.owner, tea.id)
    memory.add(world.owner, "I play the violin")
    for gone in (tea, first):
        with pytest.raises(LimitReachedError):
            memory.restore(world.owner, gone.id)
    assert memory.list(world.owner).total == 2
