"""Limits on messages, tokens and memories: refused by the service, with a sentence that says how it ends."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from optimus.allowance import Allowance
from optimus.costs import EXPECTED_ANSWER, Asked, answer_cost, expected_cost, expected_tokens
from optimus.errors import LimitReachedError, NotFoundError
from optimus.llm_handler.requests import GenerationResult, GivenUp, ModelChoice, ModelRef, ModelTarget
from optimus.models import MessageState, Usage
from optimus.prompt import estimated_tokens
from tests.fakes.providers import Fault, FaultKind, running_provider
from tests.world import World, stranger

PAID = ModelChoice(
    ref=ModelRef(provider="openai", name="m"), title="m", provider_title="OpenAI", free=False, is_local=False
)
PRICED = PAID.model_copy(update={"ref": ModelRef(provider="openai", name="gpt-4o")})
PRICE = 0.0075
"""Dollars for 1,000 tokens read and 500 written, by the list price of 2.50 and 10 dollars a million."""


def limit(world, **limits: float | None) -> None:
    """Set limits as an admin."""
    world.services.system.change(world.principal, **limits)


def allowance_of(world: World) -> Allowance:
    """Return the counter that the world's chat uses."""
    found: Allowance = world.services.chat._allowance
    return found


def given(tokens: int, choice: ModelChoice = PAID) -> Asked:
    """Return what a paid model is given."""
    return Asked(choice=choice, prompt_tokens=tokens, memory_tokens=0, history_tokens=0)


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
    """What an answer took replaces what was kept free for it; the offline assistant answers on without any."""
    limit(world, tokens_per_day=600)
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
    assert "600 tokens" in caught.value.user_message
    assert "midnight" in caught.value.user_message
    world.say("still answered")


def test_a_day_counts_what_answers_took_however_much_was_remembered(world):
    """What is given back is what was counted beforehand: memories that went along, and failures, take nothing off."""
    for number in range(40):
        world.services.memory.add(world.owner, f"My boat number {number} is a red kayak that lies in Lisbon")
    world.services.preferences.choose_memory(
        world.owner, remembers=False, recalls=True, max_memories=20, never_store=()
    )
    with running_provider() as provider:
        connections = world.services.connections
        connections.connect(world.principal, provider="compatible", base_url=f"{provider.url}/v1", key="")
        choice = connections.newest(world.owner, "compatible")
        replies = [world.say("Where is my red kayak?", choice=choice)[2] for _ in range(2)]
        assert all(reply.used for reply in replies)
        provider.faults.append(Fault(kind=FaultKind.STATUS, status=400))
        assert world.say("Where is my red kayak?", choice=choice)[2].state is MessageState.FAILED
    took = sum(reply.usage.input_tokens + reply.usage.output_tokens for reply in replies)
    assert allowance_of(world).used(world.owner).tokens == took > 0


def test_what_goes_along_counts_before_the_model_is_asked(world):
    """Memories are found after the message is stored: where they exceed the day, no model is asked for that answer."""
    for number in range(40):
        world.services.memory.add(world.owner, f"My boat number {number} is a red kayak that lies in Lisbon")
    limit(world, tokens_per_day=800)
    with running_provider() as provider:
        connections = world.services.connections
        connections.connect(world.principal, provider="compatible", base_url=f"{provider.url}/v1", key="")
        choice = connections.newest(world.owner, "compatible")
        _, message, reply = world.say("Where is my red kayak?", choice=choice)
        assert reply.state is MessageState.FAILED
        assert "800 tokens" in reply.error
        assert "midnight" in reply.error
        assert provider.chats() == []
        assert allowance_of(world).used(world.owner).tokens == 0
        assert world.services.chat.messages(world.owner, message.conversation_id)[0].text == message.text
        limit(world, tokens_per_day=5000)
        world.services.chat.retry(world.owner, reply.id, choice=choice)
        world.services.chat.generation(world.owner, reply.conversation_id).wait(10)
        assert len(provider.chats()) == 1


def test_an_answer_gets_no_more_than_its_day_has_room_for(world):
    """A model is told how much it may write once the day is nearly used up; before that its own limit holds."""
    with running_provider() as provider:
        connections = world.services.connections
        connections.connect(world.principal, provider="compatible", base_url=f"{provider.url}/v1", key="")
        choice = connections.newest(world.owner, "compatible")
        for most, per_answer, told in ((50_000, None, None), (50_000, 300, 300), (2_000, 300, 300)):
            limit(world, tokens_per_day=most, tokens_per_answer=per_answer)
            world.say("Hello", choice=choice)
            assert provider.chats()[-1].body.get("max_tokens") == told
        limit(world, tokens_per_day=2_000, tokens_per_answer=None)
        world.say("Hello", choice=choice)
        assert EXPECTED_ANSWER <= provider.chats()[-1].body["max_tokens"] < 2_000


def test_an_answer_that_failed_before_it_began_costs_nothing(world):
    """The estimate is given back."""
    limit(world, tokens_per_day=600)
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


def test_dollars_are_expected_before_and_corrected_after(world):
    """What an answer is expected to cost is counted at once, replaced by its price, and refused beyond the limit."""
    limit(world, usd_per_day=0.018)
    counter = allowance_of(world)
    counter.take(world.owner, given(1000, PRICED))
    assert counter.used(world.owner).cost_usd == pytest.approx(PRICE)
    usage = Usage(input_tokens=1000, output_tokens=1000)
    counter.settle(
        world.owner, given(1000, PRICED), GenerationResult(text="x", state=MessageState.COMPLETE, usage=usage)
    )
    assert counter.used(world.owner).cost_usd == pytest.approx(0.0125)
    with pytest.raises(LimitReachedError) as caught:
        counter.take(world.owner, given(1000, PRICED))
    assert "$0.02" in caught.value.user_message
    assert "midnight UTC. The offline assistant still answers." in caught.value.user_message
    assert caught.value.until == datetime(2026, 3, 2, tzinfo=UTC)
    world.say("still answered")
    local = PAID.model_copy(update={"is_local": True})
    counter.take(world.owner, given(1000, local))


def test_an_unknown_price_is_told_and_never_counted_as_nothing(world):
    """Such a call is missing in the sum, which is said; once the dollars are used up, its model is refused, too."""
    limit(world, usd_per_day=0.01)
    counter = allowance_of(world)
    counter.take(world.owner, given(1000))
    counter.settle(world.owner, given(1000), ended(1000))
    standing = counter.standing(world.owner)
    assert standing.used.cost_usd == 0
    assert standing.unpriced == "The price of 1 call today is not known, so the day's dollars do not include it."
    counter.add(world.owner, 10, 0.01)
    with pytest.raises(LimitReachedError):
        counter.take(world.owner, given(1000))
    with pytest.raises(LimitReachedError):
        counter.require(world.owner)
    counter.add(world.owner, 10, None)
    assert counter.used(world.owner).unpriced == 2


def test_what_is_nearly_used_up_is_told(world):
    """From four fifths on there is a sentence with the share and the end, from the whole on another; before, none."""
    limit(world, usd_per_day=1.0, tokens_per_day=1000)
    counter = allowance_of(world)
    counter.add(world.owner, 100, 0.79)
    assert counter.standing(world.owner).warning == ""
    counter.add(world.owner, 0, 0.06)
    begins = "It begins anew in about 12 hours, at midnight UTC."
    assert counter.standing(world.owner).warning == f"85% of today's limit of $1.00 is used. {begins}"
    counter.add(world.owner, 900, 0.0)
    assert counter.standing(world.owner).warning == f"Today's limit of 1,000 tokens is used up. {begins}"


@pytest.mark.parametrize("state", [MessageState.COMPLETE, MessageState.STOPPED, MessageState.FAILED])
@pytest.mark.parametrize("counted", [Usage(), Usage(input_tokens=1000, output_tokens=1)])
def test_an_answer_whose_tokens_were_not_counted_to_the_end_takes_what_arrived(world, state, counted):
    """Most providers count at the end: who stops before it gets neither text nor thoughts for nothing."""
    counter = allowance_of(world)
    took = counter.take(world.owner, given(1000, PRICED))
    part = GenerationResult(text="x" * 3000, thinking="y" * 1000, state=state, usage=counted)
    counter.settle(world.owner, took, part)
    is_whole = state is MessageState.COMPLETE and counted.input_tokens > 0
    assert counter.used(world.owner).tokens == (1001 if is_whole else 2000)
    assert counter.used(world.owner).cost_usd == pytest.approx(0.0025 + (1 if is_whole else 1000) * 10e-6)


def test_an_answer_that_was_stopped_before_it_began_takes_what_was_asked(world):
    """The provider read it all the same."""
    counter = allowance_of(world)
    took = counter.take(world.owner, given(1000, PRICED))
    counter.settle(world.owner, took, GenerationResult(text="", state=MessageState.STOPPED))
    assert counter.used(world.owner).tokens == 1000
    assert counter.used(world.owner).cost_usd == pytest.approx(0.0025)


def test_a_stand_ins_price_counts_where_the_chosen_models_is_not_known(world):
    """The dollars that the model took which answered are counted, and their sum is not said to lack anything."""
    counter = allowance_of(world)
    taken = counter.take(world.owner, given(1000))
    target = ModelTarget(model=PRICED.ref, title="gpt-4o")
    usage = Usage(input_tokens=1000, output_tokens=500)
    lost = GivenUp(target=ModelTarget(model=PAID.ref, title="m"), error="It failed.", usage=Usage())
    result = GenerationResult(text="x", state=MessageState.COMPLETE, usage=usage, given_up=(lost,), target=target)
    counter.settle(world.owner, taken, result)
    assert counter.used(world.owner).cost_usd == pytest.approx(PRICE)
    assert counter.used(world.owner).unpriced == 0


def test_a_stand_in_that_took_tokens_without_a_text_has_its_own_price():
    """Whose tokens they are decides what they cost, also where the chosen model costs nothing."""
    local = PAID.model_copy(update={"is_local": True})
    usage = Usage(input_tokens=1000, output_tokens=500)
    target = ModelTarget(model=PRICED.ref, title="gpt-4o")
    failed = GenerationResult(text="", state=MessageState.FAILED, usage=usage, target=target)
    assert answer_cost(local, failed) == pytest.approx(PRICE)


def test_a_next_message_has_an_estimate(world):
    """Before anything is sent, the instructions and earlier messages are counted, and priced where that is known."""
    conversation, message, reply = world.say("I live in Lisbon")
    chat = world.services.chat
    estimate = chat.estimate(world.owner, conversation.id, choice=PRICED)
    assert estimate.history_tokens == estimated_tokens(message.text) + estimated_tokens(reply.text)
    assert estimate.instruction_tokens > 50
    cost = expected_cost(estimate)
    assert cost == pytest.approx(expected_tokens(estimate) * 2.5e-6 + 500 * 10e-6)
    assert expected_cost(chat.estimate(world.owner, None, choice=PAID)) is None
    assert expected_cost(chat.estimate(world.owner, None, choice=world.offline())) == 0
    chat.guide(world.owner, conversation.id, instructions="Answer like a pirate. " * 20, temperature=None, effort=None)
    more = chat.estimate(world.owner, conversation.id, choice=PRICED).instruction_tokens - estimate.instruction_tokens
    assert more >= 100
    with pytest.raises(NotFoundError):
        chat.estimate(stranger().user_id, conversation.id, choice=PRICED)
