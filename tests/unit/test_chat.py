"""One turn of a chat: what is stored, what is answered, and what survives when something fails."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from optimus.errors import (
    EmbeddingError,
    GenerationBusyError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    StoreUnavailableError,
)
from optimus.llm_handler.requests import ModelChoice
from optimus.models import (
    MAX_MESSAGE_CHARS,
    ChangeKind,
    Memory,
    MemoryId,
    MemoryType,
    Message,
    MessageRole,
    MessageState,
    RecalledMemory,
    UserId,
    new_id,
)
from optimus.prompt import MAX_MEMORIES, memory_block, within_budget
from optimus.storage.records import Connection, MemoryFilter
from tests.fakes.providers import FakeProvider, Fault, FaultKind, refused_url, running_provider
from tests.world import World, stranger


@pytest.fixture
def provider():
    """A model server on loopback."""
    with running_provider() as fake:
        yield fake


def connect(world: World, url: str) -> ModelChoice:
    """Connect the user to a compatible server and return its model."""
    world.services.store.accounts.save_connection(
        Connection(
            id=new_id(),
            user_id=world.owner,
            provider="compatible",
            label="compatible",
            base_url=f"{url}/v1",
            api_key=SecretStr("k" * 20),
            models=("gpt-6-luna",),
            created_at=world.clock(),
        )
    )
    choice = world.services.connections.newest(world.owner, "compatible")
    assert choice
    return choice


def test_a_turn_is_stored_whole(world: World):
    """Message, saved facts, answer, model, usage and the usage event are all there after one turn."""
    conversation, message, reply = world.say("I'm allergic to peanuts")
    assert conversation.title == "I'm allergic to peanuts"
    assert [change.text for change in message.saved] == ["I'm allergic to peanuts"]
    assert reply.state is MessageState.COMPLETE
    assert "peanuts" in reply.text
    assert reply.model == "offline:assistant"
    events = world.services.store.events.of(world.owner, conversation.created_at, world.clock())
    assert [(event.kind, event.data["model"]) for event in events if event.kind == "answer"] == [
        ("answer", "offline:assistant")
    ]


def test_a_new_chat_answers_from_memory_and_says_from_what(world: World):
    """What was said in one chat answers a question in another, and the answer names the memory."""
    world.say("I live in Lisbon")
    _, _, reply = world.say("Where do I live?")
    assert "Lisbon" in reply.text
    assert "I live in Lisbon" in [use.text for use in reply.used]


def test_memories_reach_a_language_model_as_data(world: World, provider: FakeProvider):
    """A provider gets the memories in the user's turn, dated and delimited, and never in the instructions."""
    world.say("I'm allergic to peanuts")
    world.say("What am I allergic to?", choice=connect(world, provider.url))
    sent = provider.bodies()[-1].body
    system = [m for m in sent["messages"] if m["role"] in {"system", "developer"}]
    assert "peanuts" not in str(system)
    assert "<memories>" in sent["messages"][-1]["content"]
    assert "peanuts" in sent["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("   \n ", "nothing to send"), ("\x00\x07", "nothing to send"), ("x" * (MAX_MESSAGE_CHARS + 1), "at most 32,000")],
)
def test_what_cannot_be_sent_is_refused_before_anything_is_stored(world: World, text, sentence):
    """Empty and huge messages give a sentence, and no conversation comes into being."""
    with pytest.raises(InvalidInputError) as caught:
        world.say(text)
    assert sentence in caught.value.user_message
    assert world.services.chat.conversations(world.owner) == []


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault(kind=FaultKind.STATUS, status=401), "refused the API key"),
        (Fault(kind=FaultKind.STATUS, status=404), "does not offer this model"),
        (Fault(kind=FaultKind.CUT), "cut off"),
    ],
    ids=["wrong key", "no such model", "cut mid-stream"],
)
def test_a_failing_provider_loses_nothing(world: World, provider: FakeProvider, fault, sentence):
    """The message stays, what arrived stays, the error is a sentence, and trying again doubles nothing."""
    choice = connect(world, provider.url)
    provider.answer = lambda _request: "one two three four five six"
    provider.faults.extend([fault] * 2)
    conversation, message, reply = world.say("Tell me a story", choice=choice)
    assert reply.state is MessageState.FAILED
    assert sentence in (reply.error or "")
    assert bool(reply.text) is (fault.kind is FaultKind.CUT)
    assert message.text == "Tell me a story"
    provider.faults.clear()
    world.services.chat.retry(world.owner, reply.id, choice=choice)
    running = world.services.chat.generation(world.owner, conversation.id)
    assert running is None or running.wait(20)
    messages = world.services.chat.messages(world.owner, conversation.id)
    assert [m.role for m in messages] == [MessageRole.USER, MessageRole.ASSISTANT]
    assert messages[1].text == "one two three four five six"
    assert messages[1].state is MessageState.COMPLETE
    assert messages[1].error is None


def test_an_unreachable_provider_says_so(world: World):
    """A refused connection is named as one."""
    _, _, reply = world.say("Hello there", choice=connect(world, refused_url()))
    assert reply.state is MessageState.FAILED
    assert "cannot be reached" in (reply.error or "")


def test_only_the_last_answer_can_be_written_again(world: World):
    """Neither a message nor an answer that was followed by more is written over."""
    conversation, message, reply = world.say("I live in Faro")
    world.say("And now?", conversation=conversation)
    for wrong in (message, reply):
        with pytest.raises(InvalidInputError):
            world.services.chat.retry(world.owner, wrong.id, choice=world.offline())


def test_stop_keeps_what_was_written_and_a_second_message_waits(world: World, provider: FakeProvider):
    """While an answer is written no other message is taken; after Stop its start is kept and marked."""
    provider.answer = lambda _request: "one two three four five six"
    provider.hold_after = 3
    chat, choice = world.services.chat, connect(world, provider.url)
    turn = chat.send(world.owner, "Count", conversation_id=None, choice=choice)
    running = chat.generation(world.owner, turn.conversation.id)
    assert running
    for shown in running.follow():
        if shown:
            break
    with pytest.raises(GenerationBusyError):
        chat.send(world.owner, "More", conversation_id=turn.conversation.id, choice=choice)
    chat.stop(world.owner, turn.conversation.id)
    messages = chat.messages(world.owner, turn.conversation.id)
    assert len(messages) == 2
    assert messages[1].state is MessageState.STOPPED
    assert "one" in messages[1].text
    assert chat.generation(world.owner, turn.conversation.id) is None


@pytest.mark.parametrize("error", [EmbeddingError, StoreUnavailableError])
def test_memory_out_of_reach_degrades_with_a_notice(world: World, monkeypatch, error):
    """When memory fails, the message is stored and answered, and the turn says what is missing."""

    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(world.services.memory, "remember", fail)
    monkeypatch.setattr(world.services.memory, "recall", fail)
    turn = world.services.chat.send(world.owner, "I live in Faro", conversation_id=None, choice=world.offline())
    assert turn.notice
    assert "not remembered" in turn.notice
    assert turn.message.saved == ()


def test_undo_takes_back_a_fact_and_a_replacement(world: World):
    """Undo under a message forgets what it added and brings back what it replaced; twice changes nothing."""
    conversation, _, _ = world.say("I live in Lisbon")
    _, moved, _ = world.say("I moved to Porto", conversation=conversation)
    change = moved.saved[0]
    assert change.kind is ChangeKind.SUPERSEDE
    for _ in range(2):
        world.services.chat.undo(world.owner, moved.id, change.memory_id)
    facts = world.services.memory.list(world.owner, where=MemoryFilter(types=frozenset({MemoryType.FACT}))).items
    assert [fact.text for fact in facts] == ["I live in Lisbon"]
    stored = world.services.chat.messages(world.owner, conversation.id)[2]
    assert stored.saved[0].undone


@pytest.mark.parametrize("forget", [True, False])
def test_deleting_a_chat_forgets_its_facts_only_if_asked(world: World, forget):
    """The messages go with the chat; the facts from it go only with the box ticked."""
    conversation, _, _ = world.say("I live in Lisbon")
    world.services.chat.delete(world.owner, conversation.id, forget=forget)
    assert world.services.chat.conversations(world.owner) == []
    with pytest.raises(NotFoundError):
        world.services.chat.conversation(world.owner, conversation.id)
    facts = world.services.memory.list(world.owner, where=MemoryFilter(types=frozenset({MemoryType.FACT}))).items
    assert [fact.text for fact in facts] == ([] if forget else ["I live in Lisbon"])
    assert (
        world.services.memory.list(world.owner, where=MemoryFilter(types=frozenset({MemoryType.CONVERSATION}))).items
        == ()
    )


def test_rename_keeps_to_one_line_and_refuses_nothing(world: World):
    """A title is one line without outer space, and never empty."""
    conversation, _, _ = world.say("Hello")
    assert world.services.chat.rename(world.owner, conversation.id, "  My \n trip ") == "My trip"
    assert world.services.chat.conversation(world.owner, conversation.id).title == "My trip"
    with pytest.raises(InvalidInputError):
        world.services.chat.rename(world.owner, conversation.id, "  ")


def test_nobody_else_reaches_a_chat(world: World):
    """Every call with another owner looks like a missing chat."""
    conversation, message, reply = world.say("I live in Lisbon")
    eve, chat = stranger().user_id, world.services.chat
    calls: list[Callable[[], object]] = [
        lambda: chat.conversation(eve, conversation.id),
        lambda: chat.messages(eve, conversation.id),
        lambda: chat.rename(eve, conversation.id, "mine"),
        lambda: chat.delete(eve, conversation.id, forget=True),
        lambda: chat.send(eve, "hi", conversation_id=conversation.id, choice=world.offline()),
        lambda: chat.retry(eve, reply.id, choice=world.offline()),
        lambda: chat.undo(eve, message.id, message.saved[0].memory_id),
    ]
    for call in calls:
        with pytest.raises(NotFoundError):
            call()
    assert chat.generation(eve, conversation.id) is None
    assert len(chat.messages(world.owner, conversation.id)) == 2


def test_answers_cut_off_by_a_stop_of_the_process_are_marked(world: World):
    """An answer that was being written when the process ended is shown as stopped after the next start."""
    conversation, _, reply = world.say("Hello")
    stored = world.services.store.conversations
    stored.update_message(stored.message(world.owner, reply.id).model_copy(update={"state": MessageState.WRITING}))
    assert world.services.chat.mark_interrupted() == 1
    assert world.services.chat.messages(world.owner, conversation.id)[1].state is MessageState.STOPPED


def test_only_an_admin_names_an_address(world: World, provider: FakeProvider):
    """A user may paste keys, but not make the server call an address of their choice."""
    connections = world.services.connections
    with pytest.raises(PermissionDeniedError):
        connections.connect(stranger(), provider="compatible", base_url=f"{provider.url}/v1", key="")
    with pytest.raises(InvalidInputError):
        connections.connect(world.principal, provider="openai", base_url="", key="  ")
    result = connections.connect(world.principal, provider="compatible", base_url=f"{provider.url}/v1", key="")
    assert result.ok, result.message
    assert connections.newest(world.owner, "compatible")
    assert connections.choices(stranger().user_id) == [world.offline()]


def recalled(text: str) -> RecalledMemory:
    """Return a recalled memory with this text."""
    from tests.world import HandClock  # noqa: PLC0415

    now = HandClock()()
    memory = Memory(
        id=MemoryId(new_id()),
        user_id=UserId(new_id()),
        text=text,
        type=MemoryType.FACT,
        recorded_at=now,
        updated_at=now,
        valid_from=now,
    )
    return RecalledMemory(memory=memory, score=0.5)


def test_memories_keep_to_their_share_of_the_prompt():
    """At most 20 memories and 2,000 tokens go into a prompt, the best first, each on one dated line."""
    assert len(within_budget([recalled("short")] * 50)) == MAX_MEMORIES
    assert len(within_budget([recalled("x" * 3_000)] * 5)) == 2
    assert len(within_budget([recalled("我住在里斯本" * 150)] * 5)) == 2
    assert memory_block([]) is None
    assert memory_block([recalled("one\n two")]) == "2026-03-01 (fact): one two"


def test_a_message_is_not_lost_when_its_answer_cannot_start(world: World, monkeypatch):
    """If the model layer refuses to start, the answer is stored as failed, with the sentence."""

    def busy(*_args, **_kwargs):
        raise GenerationBusyError

    monkeypatch.setattr(world.services.models, "start", busy)
    turn = world.services.chat.send(world.owner, "Hello", conversation_id=None, choice=world.offline())
    messages: list[Message] = world.services.chat.messages(world.owner, turn.conversation.id)
    assert [m.state for m in messages] == [MessageState.COMPLETE, MessageState.FAILED]
    assert "still being written" in (messages[1].error or "")


def test_the_offline_assistant_names_only_the_memories_that_it_quotes(world: World):
    """Under an offline answer stand the memories in it, not whatever else was found."""
    for text in ("My sister Maria is a nurse", "I live in Lisbon", "I prefer window seats"):
        world.say(text)
    _, _, reply = world.say("Where do I live?")
    assert [use.text for use in reply.used] == ["I live in Lisbon"]
    _, _, greeting = world.say("Hello!")
    assert greeting.used == ()


def test_a_message_in_the_moment_between_stored_and_ended_is_taken(world: World, monkeypatch):
    """Whoever writes again when the answer is on the page, but not yet put away, is not told to wait."""
    conversation, _, _ = world.say("Hello")

    class Ending:
        """An answer that ends when it is waited for."""

        def wait(self, timeout: float) -> bool:
            return timeout > 0

    monkeypatch.setattr(world.services.models, "current", lambda _owner, _conversation: Ending())
    turn = world.services.chat.send(world.owner, "Again", conversation_id=conversation.id, choice=world.offline())
    assert turn.message.text == "Again"


def test_a_model_is_given_all_of_the_little_that_is_known(world: World, provider: FakeProvider):
    """As long as little was said, a language model gets all of it, what matches first; for a greeting nothing."""
    for text in ("My sister Maria is a nurse", "I live in Lisbon", "The ferry was late again"):
        world.say(text)
    choice = connect(world, provider.url)
    _, _, reply = world.say("Where do I live?", choice=choice)
    texts = [use.text for use in reply.used]
    assert texts[0] == "I live in Lisbon"
    assert {"My sister Maria is a nurse", "The ferry was late again"} <= set(texts)
    assert reply.used[0].parts
    assert not reply.used[-1].parts
    _, _, greeting = world.say("Hello!", choice=choice)
    assert greeting.used == ()


def test_a_model_is_given_a_choice_where_a_user_wants_fewer(world: World, provider: FakeProvider):
    """Whoever lets fewer memories into an answer gets no more than these, however little is known."""
    for text in ("My sister Maria is a nurse", "I live in Lisbon", "The ferry was late again"):
        world.say(text)
    world.services.preferences.adopt(world.owner, {"max_memories": 1})
    _, _, reply = world.say("Where do I live?", choice=connect(world, provider.url))
    assert [use.text for use in reply.used] == ["I live in Lisbon"]


def test_a_long_memory_gives_way_to_shorter_ones():
    """What does not fit is passed over; where it is all there is, only the tokens count."""
    given = [recalled("a"), recalled("x" * 9_000), recalled("b")]
    assert [found.memory.text for found in within_budget(given)] == ["a", "b"]
    assert len(within_budget([recalled("short")] * 50, is_all=True)) == 50
    assert len(within_budget([recalled("x" * 3_000)] * 5, is_all=True)) == 2


def test_where_somebody_works_stands_beside_what_they_are(world: World):
    """A profession and a workplace answer two questions; who is retired has neither."""
    for text in ("My sister Maria is a nurse", "My sister Maria works at Santa Marta"):
        world.say(text)
    assert {m.text for m in world.services.memory.list(world.owner).items} == {
        "My sister Maria is a nurse",
        "My sister Maria works at Santa Marta",
    }
    world.say("My sister Maria is retired")
    assert [m.text for m in world.services.memory.list(world.owner).items] == ["My sister Maria is retired"]


def test_what_is_over_is_told_no_more(world: World):
    """Who left university studies nothing."""
    world.say("I'm studying law")
    world.say("I dropped out of university")
    assert [m.text for m in world.services.memory.list(world.owner).items] == ["I dropped out of university"]
