"""The running summary of a long chat: made in the background, counted, given only where it may be, and deleted."""

from concurrent.futures import wait

import pytest

from optimus import chat
from optimus.errors import NotFoundError
from optimus.models import Conversation, Memory, MessageState
from optimus.summaries import LeftOut
from tests.fakes.providers import FakeProvider, Request, running_provider
from tests.unit.llm.test_faults import status
from tests.unit.test_attachments import connected
from tests.world import World, running_world

LONG = " and so on" * 30


@pytest.fixture
def small(tmp_path):
    """A world in which only some 300 tokens of earlier messages go along, and no model looks for memories."""
    with running_world(tmp_path, history_tokens=300) as world:
        world.services.connections.prefer_extraction(world.owner, None, never=True)
        yield world


@pytest.fixture
def provider():
    """A model server that answers chats, and writes summaries."""
    with running_provider() as fake:
        fake.answer = lambda request: "Fine." if request.body.get("stream") else "They plan a trip by train."
        yield fake


def talk(world: World, choice, turns: int, conversation: Conversation | None = None) -> Conversation:
    """Have a chat with long messages, each after the summary of the one before."""
    for number in range(turns):
        conversation, _, reply = world.say(f"Part {number}{LONG}", conversation=conversation, choice=choice)
        assert reply.state is MessageState.COMPLETE
        settle(world)
    assert conversation
    return conversation


def told_long_ago(world: World, choice, monkeypatch) -> tuple[Conversation, Memory]:
    """Have a chat whose first message, older than what a prompt looks at, made a memory that no answer used."""
    monkeypatch.setattr(chat, "HISTORY_MESSAGES", 14)
    world.services.preferences.choose_memory(
        world.owner, remembers=True, recalls=False, max_memories=20, never_store=(), uses_tools=False
    )
    conversation, _, _ = world.say("I'm allergic to peanuts")
    conversation = talk(world, choice, 12, conversation)
    assert world.services.chat.conversation(world.owner, conversation.id).summary
    return conversation, next(m for m in world.services.memory.list(world.owner).items if "peanuts" in m.text)


def settle(world: World) -> None:
    """Wait for the summaries that are being made."""
    pending = list(world.services.chat._writer._summaries.pending)
    wait(pending, timeout=20)


def summaries(fake: FakeProvider) -> list[Request]:
    """Return the requests for summaries."""
    return [each for each in fake.bodies() if not each.body.get("stream")]


def test_what_no_longer_fits_goes_along_in_short(small, provider):
    """The summary is sent as data, counted as a part of the prompt, and its cost is recorded."""
    choice = connected(small, provider, "gpt-6-luna")
    conversation = talk(small, choice, 7)
    assert summaries(provider)
    assert "Part 0" in summaries(provider)[0].text
    kept = small.services.chat.conversation(small.owner, conversation.id).summary
    assert kept
    assert kept.text == "They plan a trip by train."
    before = small.services.chat.estimate(small.owner, conversation.id, choice=choice)
    _, _, reply = small.say("Go on", conversation=conversation, choice=choice)
    assert reply.parts
    assert before.summary_tokens == reply.parts.summary
    sent = provider.chats()[-1].body["messages"][-1]["content"]
    assert "<earlier>\nThey plan a trip by train.\n</earlier>" in sent
    assert "Part 0" not in str(provider.chats()[-1].body["messages"][:-1])
    assert reply.parts
    assert reply.parts.summary > 0
    assert reply.parts.left_out > 0
    settle(small)
    events = small.services.store.events.of(small.owner, conversation.created_at, small.clock())
    assert {e.data["input_tokens"] for e in events if e.kind == "summary"} == {11}
    names = small.services.store.names
    assert "summary" in names.sealed[names.conversations].fields


def test_a_later_summary_is_made_from_the_one_before(small, provider):
    """It is renewed only where enough is new, and reads only what is new beside itself."""
    choice = connected(small, provider, "gpt-6-luna")
    talk(small, choice, 8)
    asked = summaries(provider)
    assert 1 < len(asked) < 5
    assert "They plan a trip by train." in asked[-1].text
    assert "Part 0" not in asked[-1].text


def test_without_one_the_oldest_messages_are_just_left_out(small, provider):
    """A failed summary and the offline assistant trim plainly, and the answer says how much did not fit."""
    choice = connected(small, provider, "gpt-6-luna")
    conversation = talk(small, choice, 2)
    for _ in range(3):
        provider.answer = lambda request: "Fine." if request.body.get("stream") else ""
        conversation = talk(small, choice, 1, conversation)
    assert small.services.chat.conversation(small.owner, conversation.id).summary is None
    reply = small.services.chat.messages(small.owner, conversation.id)[-1]
    assert reply.parts
    assert (reply.parts.summary, reply.parts.left_out > 0) == (0, True)
    before = len(provider.requests)
    small.say("What do you know about me?", conversation=conversation)
    settle(small)
    assert len(provider.requests) == before


def test_it_goes_nowhere_where_its_messages_may_not(small, provider):
    """A summary that covers what is never sent to a model is not given to it."""
    conversation, _, _ = small.say("I'm allergic to peanuts")
    choice = connected(small, provider, "gpt-6-luna")
    conversation = talk(small, choice, 5, conversation)
    assert small.services.chat.conversation(small.owner, conversation.id).summary
    found = next(m for m in small.services.memory.list(small.owner).items if "peanuts" in m.text)
    small.services.withholding.choose(small.owner, found.id, ["compatible"])
    _, _, reply = small.say("Go on", conversation=conversation, choice=choice)
    assert "<earlier>" not in provider.chats()[-1].text
    assert reply.parts
    assert reply.parts.summary == 0


def test_one_that_leaves_out_what_may_not_be_sent_is_made_once_and_used(small, provider):
    """The messages that the model never gets are not in it, so the others are told, and not anew with each answer."""
    conversation, _, _ = small.say("I'm allergic to peanuts")
    found = next(m for m in small.services.memory.list(small.owner).items if "peanuts" in m.text)
    small.services.withholding.choose(small.owner, found.id, ["compatible"])
    choice = connected(small, provider, "gpt-6-luna")
    talk(small, choice, 10, conversation)
    assert "<earlier>" in provider.chats()[-1].text
    assert "peanuts" not in "".join(each.text for each in provider.bodies())
    assert len(summaries(provider)) <= 5


def test_nor_where_what_it_tells_is_older_than_any_prompt(small, provider, monkeypatch):
    """What may not be sent counts for the summary also once it is beyond the messages that a prompt looks at."""
    choice = connected(small, provider, "gpt-6-luna")
    conversation, found = told_long_ago(small, choice, monkeypatch)
    small.services.withholding.choose(small.owner, found.id, ["compatible"])
    small.say("Go on", conversation=conversation, choice=choice)
    assert "<earlier>" not in provider.chats()[-1].text


def test_no_stand_in_gets_it_either(small, provider, monkeypatch):
    """A fallback that may not get what the summary tells of is not asked, however old that is."""
    choice = connected(small, provider, "gpt-6-luna")
    conversation, found = told_long_ago(small, choice, monkeypatch)
    other = connected(small, provider, "claude-sonnet-5-5", "anthropic")
    small.services.connections.prefer_fallbacks(small.owner, [other])
    small.services.withholding.choose(small.owner, found.id, ["anthropic"])
    provider.faults.append(status(401))
    before = len(provider.bodies())
    small.say("Go on", conversation=conversation, choice=choice)
    assert "<earlier>" in provider.bodies()[before].text
    assert not [each for each in provider.bodies()[before:] if "claude" in each.text]


def test_a_summary_that_is_none_is_paid_for_all_the_same(small, provider):
    """Where the model writes nothing, no summary is kept, and what the call took is recorded as failed."""
    provider.answer = lambda request: "Fine." if request.body.get("stream") else " "
    choice = connected(small, provider, "gpt-6-luna")
    conversation = talk(small, choice, 7)
    assert small.services.chat.conversation(small.owner, conversation.id).summary is None
    events = small.services.store.events.of(small.owner, conversation.created_at, small.clock())
    states = [(each.data["state"], each.data["input_tokens"]) for each in events if each.kind == "summary"]
    assert states
    assert set(states) == {("failed", 11)}


def test_deleting_a_message_deletes_the_summary(small, provider):
    """Neither the kept one nor one that is being made at that moment tells of it any more."""
    choice = connected(small, provider, "gpt-6-luna")
    conversation = talk(small, choice, 7)
    chat = small.services.chat
    assert chat.conversation(small.owner, conversation.id).summary
    first = chat.messages(small.owner, conversation.id)[0]
    covered = [message.id for message in chat.messages(small.owner, conversation.id)[:4]]
    chat.delete_message(small.owner, first.id)
    assert chat.conversation(small.owner, conversation.id).summary is None
    keeper = chat._writer._summaries
    usage = chat.messages(small.owner, conversation.id)[-1].usage
    assert usage
    keeper._store(small.owner, conversation.id, choice, covered, (), "It told of it", usage)
    assert chat.conversation(small.owner, conversation.id).summary is None
    chat.delete(small.owner, conversation.id, forget=True)
    with pytest.raises(NotFoundError):
        chat.conversation(small.owner, conversation.id)


def test_none_is_made_once_the_tokens_of_the_day_are_used_up(small, provider):
    """A summary is not what the last tokens are for: the chat goes on without it, and nothing is asked."""
    choice = connected(small, provider, "gpt-6-luna")
    conversation = talk(small, choice, 3)
    used = small.services.allowance.used(small.owner).tokens
    before = len(summaries(provider))
    small.services.system.change(small.principal, tokens_per_day=used)
    reply = small.services.chat.messages(small.owner, conversation.id)[-1]
    messages = small.services.chat.messages(small.owner, conversation.id)
    small.services.chat._writer._summaries.renew(reply, LeftOut(messages[:4]), choice)
    settle(small)
    assert len(summaries(provider)) == before
    small.services.system.change(small.principal, tokens_per_day=None)
    small.services.chat._writer._summaries.renew(reply, LeftOut(messages[:4]), choice)
    settle(small)
    assert len(summaries(provider)) == before + 1


def test_what_is_older_than_a_prompt_looks_at_goes_along_in_short_too(tmp_path, provider, monkeypatch):
    """Also where many short messages fit by their tokens, and none of those that are looked at is left out."""
    monkeypatch.setattr(chat, "HISTORY_MESSAGES", 6)
    with running_world(tmp_path) as world:
        world.services.connections.prefer_extraction(world.owner, None, never=True)
        choice = connected(world, provider, "gpt-6-luna")
        conversation = talk(world, choice, 6)
        assert "Part 0" in summaries(provider)[0].text
        _, _, reply = world.say("Go on", conversation=conversation, choice=choice)
        assert reply.parts
        assert (reply.parts.left_out, reply.parts.summary > 0) == (6, True)
        estimate = world.services.chat.estimate(world.owner, conversation.id, choice=choice)
        assert estimate.summary_tokens == reply.parts.summary


def test_a_chat_that_is_too_long_to_be_looked_through_has_none(tmp_path, provider, monkeypatch):
    """Of what its summary would tell, some could not be checked any more; one that was made before goes nowhere."""
    monkeypatch.setattr(chat, "HISTORY_MESSAGES", 6)
    with running_world(tmp_path) as world:
        world.services.connections.prefer_extraction(world.owner, None, never=True)
        choice = connected(world, provider, "gpt-6-luna")
        conversation = talk(world, choice, 6)
        made = len(summaries(provider))
        monkeypatch.setattr("optimus.summaries.MOST_TOLD", 8)
        for _ in range(3):
            _, _, reply = world.say("Go on", conversation=conversation, choice=choice)
            assert reply.parts
            assert (reply.parts.summary, "<earlier>" in provider.chats()[-1].text) == (0, False)
        settle(world)
        assert len(summaries(provider)) == made


def test_a_long_chat_without_a_summary_is_told_in_parts(small, provider, monkeypatch):
    """No more is read at once than a model can be asked to read; the next part follows with the next message."""
    monkeypatch.setattr("optimus.summaries.MOST_READ_BYTES", 2_000)
    conversation = None
    for number in range(12):
        conversation, _, _ = small.say(f"Part {number}{LONG}", conversation=conversation)
    choice = connected(small, provider, "gpt-6-luna")
    talk(small, choice, 2, conversation)
    first, second = (each.text for each in summaries(provider))
    assert "Part 0" in first
    assert "Part 9" not in first
    assert "Part 0" not in second
    assert "Part 6" in second
