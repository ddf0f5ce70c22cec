"""Edited messages, answers written again, deleted messages, and what the user chose for one chat."""

import pytest

from optimus.errors import InvalidInputError, NotFoundError
from optimus.llm_handler.requests import ModelChoice, ModelRef
from optimus.models import Conversation, Message
from optimus.prompt import history_budget
from tests.fakes.providers import running_provider
from tests.unit.test_chat import connect
from tests.world import World, running_world, stranger


def shown(world: World, conversation: Conversation) -> list[str]:
    """Return the texts of the user's messages that are shown."""
    return [m.text for m in world.services.chat.messages(world.owner, conversation.id) if m.role == "user"]


def facts(world: World) -> set[str]:
    """Return what is remembered now."""
    return {memory.text for memory in world.services.memory.list(world.owner).items}


def settle(world: World, conversation: Conversation) -> None:
    """Wait until no answer is being written."""
    running = world.services.chat.generation(world.owner, conversation.id)
    assert running is None or running.wait(20)


def edit(world: World, message: Message, text: str) -> Message:
    """Say a message otherwise and wait for the answer."""
    turn = world.services.chat.edit(world.owner, message.id, text, choice=world.offline())
    settle(world, turn.conversation)
    return turn.message


def test_an_edited_message_begins_a_branch_and_changes_what_is_remembered(world: World):
    """The new words are remembered instead of the old; the old branch stays and can be shown again."""
    conversation, first, _ = world.say("I live in Lisbon")
    world.say("I like green tea", conversation=conversation)
    fresh = edit(world, first, "I live in Porto")
    assert shown(world, conversation) == ["I live in Porto"]
    assert facts(world) == {"I live in Porto", "I like green tea"}
    thread = world.services.chat.thread(world.owner, conversation.id)
    assert thread.versions[fresh.id] == (first.id, fresh.id)
    world.services.chat.show_branch(world.owner, first.id)
    assert shown(world, conversation) == ["I live in Lisbon", "I like green tea"]
    old = world.services.chat.messages(world.owner, conversation.id)[0]
    assert [change.undone for change in old.saved] == [True]
    world.say("And goes on", conversation=conversation)
    assert shown(world, conversation) == ["I live in Lisbon", "I like green tea", "And goes on"]
    world.services.chat.show_branch(world.owner, fresh.id)
    assert shown(world, conversation) == ["I live in Porto"]


def test_an_edit_in_the_middle_keeps_what_was_said_before(world: World):
    """The branch begins at the edited message; sending the same edit twice is sending it once."""
    conversation, _, _ = world.say("one")
    _, second, _ = world.say("two", conversation=conversation)
    world.say("three", conversation=conversation)
    edit(world, second, "zwei")
    edit(world, second, "zwei")
    assert shown(world, conversation) == ["one", "zwei"]
    assert len(world.services.store.conversations.messages(world.owner, conversation.id)) == 8


def test_a_whole_answer_can_be_written_again_and_the_first_stays(world: World):
    """The new answer is another version; the message is neither doubled nor remembered twice."""
    conversation, message, reply = world.say("I live in Lisbon")
    fresh = world.services.chat.retry(world.owner, reply.id, choice=world.offline())
    settle(world, conversation)
    messages, versions, _ = world.services.chat.thread(world.owner, conversation.id)
    assert [m.id for m in messages] == [message.id, fresh.id]
    assert versions == {reply.id: (reply.id, fresh.id), fresh.id: (reply.id, fresh.id)}
    world.services.chat.show_branch(world.owner, reply.id)
    assert world.services.chat.messages(world.owner, conversation.id)[-1].id == reply.id
    assert facts(world) == {"I live in Lisbon"}


def test_a_deleted_message_takes_its_answers_and_memories_along(world: World):
    """What was said before and after stays, in one line; what came only from the message is forgotten."""
    conversation, _, _ = world.say("I live in Lisbon")
    _, second, _ = world.say("I like green tea", conversation=conversation)
    world.say("I play the violin", conversation=conversation)
    world.services.chat.delete_message(world.owner, second.id)
    assert shown(world, conversation) == ["I live in Lisbon", "I play the violin"]
    assert facts(world) == {"I live in Lisbon", "I play the violin"}
    assert len(world.services.chat.messages(world.owner, conversation.id)) == 4


def test_the_newest_messages_are_read_first_and_older_ones_on_wish(world: World):
    """A thread tells whether more comes before it; a branch that is older than what is read is shown all the same."""
    chat = world.services.chat
    conversation, first, _ = world.say("one")
    world.say("two", conversation=conversation)
    world.say("three", conversation=conversation)
    thread = chat.thread(world.owner, conversation.id, most=4)
    assert [message.text for message in thread.messages if message.role == "user"] == ["two", "three"]
    assert thread.has_older
    whole = chat.thread(world.owner, conversation.id, most=6)
    assert whole.messages[0].text == "one"
    assert not whole.has_older
    edit(world, first, "other one")
    chat.show_branch(world.owner, first.id)
    thread = chat.thread(world.owner, conversation.id, most=2)
    assert [message.text for message in thread.messages if message.role == "user"] == ["one", "two", "three"]
    assert not thread.has_older


def test_messages_from_before_there_were_branches_follow_in_time(world: World):
    """A message that names no message before it follows the last such one; a branch may begin at it."""
    conversation, first, _ = world.say("one")
    world.say("two", conversation=conversation)
    store = world.services.store.conversations
    for message in store.messages(world.owner, conversation.id):
        store.update_message(message.model_copy(update={"parent": None}))
    assert shown(world, conversation) == ["one", "two"]
    edit(world, first, "uno")
    assert shown(world, conversation) == ["uno"]
    world.services.chat.show_branch(world.owner, first.id)
    assert shown(world, conversation) == ["one", "two"]


def test_branches_are_the_owners_alone(world: World):
    """Somebody else's message looks missing to every call; answers are neither edited nor deleted."""
    _, message, reply = world.say("I live in Lisbon")
    chat, eve = world.services.chat, stranger().user_id
    for call in (
        lambda: chat.edit(eve, message.id, "mine", choice=world.offline()),
        lambda: chat.delete_message(eve, message.id),
        lambda: chat.show_branch(eve, message.id),
        lambda: chat.guide(eve, message.conversation_id, instructions="mine", temperature=None),
    ):
        with pytest.raises(NotFoundError):
            call()
    with pytest.raises(InvalidInputError):
        chat.edit(world.owner, reply.id, "mine", choice=world.offline())
    with pytest.raises(InvalidInputError):
        chat.delete_message(world.owner, reply.id)


def test_instructions_and_freedom_of_a_chat_go_along_with_each_message(world: World):
    """They are kept with the conversation and reach the model, unless it refuses; a new chat may begin with them."""
    chat = world.services.chat
    place = chat.guide(world.owner, None, instructions=" Answer in Portuguese. ", temperature=0.3)
    with running_provider() as provider:
        choice = connect(world, provider.url)
        other = choice.model_copy(update={"ref": choice.ref.model_copy(update={"name": "llama-3"})})
        conversation, _, _ = world.say("Hello there", conversation=chat.conversation(world.owner, place), choice=other)
        world.say("And now?", conversation=conversation, choice=choice)
        assert "temperature" not in provider.chats()[1].body
        body = provider.chats()[0].body
    assert body["temperature"] == 0.3
    assert "Answer in Portuguese." in provider.chats()[0].text
    kept = chat.conversation(world.owner, conversation.id)
    assert (kept.title, kept.instructions, kept.temperature) == ("Hello there", "Answer in Portuguese.", 0.3)
    for wrong in ({"instructions": "x" * 4001, "temperature": None}, {"instructions": "", "temperature": 1.5}):
        with pytest.raises(InvalidInputError):
            chat.guide(world.owner, place, **wrong)


def test_only_as_much_of_the_conversation_goes_along_as_fits(tmp_path):
    """The newest messages within the setting's tokens go along, from one of the user's on; the answer tells of it."""
    with running_world(tmp_path, history_tokens=200) as world, running_provider() as provider:
        choice = connect(world, provider.url)
        conversation, _, _ = world.say("first " * 100, choice=choice)
        world.say("second " * 60, conversation=conversation, choice=choice)
        _, _, reply = world.say("third", conversation=conversation, choice=choice)
        assert len(provider.chats()[-1].body["messages"]) == 4
        assert reply.parts
        assert (reply.parts.left_out, reply.parts.history, reply.parts.message) == (2, 110, 2)
        assert reply.parts.instructions > 50


@pytest.mark.parametrize(("name", "budget"), [("gpt-4", 4096), ("unknown", 50_000)])
def test_a_model_with_a_small_window_gets_less(name: str, budget: int):
    """Half of what a model can read is left for the rest, where the price list knows its size."""
    ref = ModelRef(provider="openai", name=name)
    choice = ModelChoice(ref=ref, title=name, provider_title="OpenAI", free=False, is_local=False)
    assert history_budget(choice, 50_000) == budget
