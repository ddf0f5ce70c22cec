"""What a user chose about models and memory, and that chats honour it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import SecretStr

from optimus.errors import ConflictError, InvalidInputError, NotFoundError
from optimus.llm_handler.connections import server_name
from optimus.llm_handler.offline import replies
from optimus.models import ChangeKind, MemoryStatus, MemoryType, MessageState, Role, UserId, new_id
from optimus.storage.records import Connection, MemoryFilter, UserPreferences
from tests.fakes.providers import FakeProvider, running_provider
from tests.world import World, stranger

EVERYTHING = MemoryFilter(types=frozenset(MemoryType), statuses=frozenset(MemoryStatus))
MODELS = ("gpt-6-luna", "gpt-6.1-terra")


@pytest.fixture
def provider():
    """A model server on loopback."""
    with running_provider() as fake:
        yield fake


def choose(world: World, owner: UserId | None = None, **changes: Any) -> UserPreferences:
    """Choose what is usual where nothing else is said."""
    usual: dict[str, Any] = {"remembers": True, "recalls": True, "max_memories": 20, "never_store": ()}
    return world.services.preferences.choose_memory(owner or world.owner, **(usual | changes))


def stored(world: World) -> list[str]:
    """Return the texts of all that the memory holds of the owner, whatever its kind and status."""
    return [memory.text for memory in world.services.store.memories.page(world.owner, EVERYTHING, limit=100).items]


def connect(
    world: World, url: str = "http://127.0.0.1:9/v1", key: str = "sk-test-key-4711", models: tuple[str, ...] = MODELS
) -> str:
    """Store a connection and return its id."""
    connection = Connection(
        id=new_id(),
        user_id=world.owner,
        provider="compatible",
        label="compatible",
        base_url=url,
        api_key=SecretStr(key) if key else None,
        models=models,
        created_at=world.clock(),
    )
    world.services.store.accounts.save_connection(connection)
    return connection.id


def test_nothing_chosen_means_the_defaults(world: World):
    """A new user remembers and recalls everything, and leaves the model to Optimus."""
    chosen = world.services.preferences.of(world.owner)
    assert chosen == UserPreferences(user_id=world.owner)
    assert (chosen.remembers, chosen.recalls, chosen.max_memories, chosen.never_store) == (True, True, 20, frozenset())


def test_choices_are_kept_and_are_the_owners_own(world: World):
    """What was chosen reads back the same; another user still has the defaults."""
    eve = stranger().user_id
    made = choose(world, remembers=False, max_memories=3, never_store={MemoryType.NOTE, MemoryType.FACT})
    assert world.services.preferences.of(world.owner) == made
    assert made.never_store == {MemoryType.NOTE, MemoryType.FACT}
    assert world.services.preferences.of(eve) == UserPreferences(user_id=eve)
    choose(world, eve, recalls=False)
    assert world.services.preferences.of(world.owner) == made


def test_a_change_over_an_old_version_is_refused(world: World):
    """Of two writers who read the same version the second one is told."""
    accounts = world.services.store.accounts
    for _ in range(2):
        read = accounts.preferences(world.owner)
        accounts.save_preferences(read.model_copy(update={"recalls": False}))
        with pytest.raises(ConflictError):
            accounts.save_preferences(read.model_copy(update={"recalls": True}))
    assert accounts.preferences(world.owner).recalls is False


def test_changes_at_once_are_all_made(world: World):
    """A model chosen in one tab and memory switched off in another are both kept."""
    service = world.services.preferences
    with ThreadPoolExecutor(2) as pool:
        model = pool.submit(service.choose_model, world.owner, model="offline:assistant", connection_id=None)
        memory = pool.submit(choose, world, recalls=False)
        assert {model.result().version, memory.result().version} == {1, 2}
    chosen = service.of(world.owner)
    assert (chosen.default_model, chosen.recalls) == ("offline:assistant", False)


@pytest.mark.parametrize("number", [-1, 21, 10_000])
def test_a_number_out_of_range_changes_nothing(world: World, number):
    """An answer uses 0 to 20 memories, whatever a browser sends."""
    with pytest.raises(InvalidInputError) as caught:
        choose(world, recalls=False, max_memories=number)
    assert "between 0 and 20" in caught.value.user_message
    assert world.services.preferences.of(world.owner).version == 0


def test_no_memories_at_all_is_a_number_too(world: World):
    """With 0 memories an answer is made without any, and says that it did not look."""
    world.say("I live in Lisbon")
    choose(world, max_memories=0)
    _, _, reply = world.say("Where do I live?")
    assert reply.used == ()
    assert replies.NOT_LOOKED_UP in reply.text


def test_the_profile_is_kept(world: World):
    """A name without surplus space and a time zone that exists are kept beside the other choices."""
    choose(world, max_memories=3)
    chosen = world.services.preferences.choose_profile(world.owner, display_name="  Ada \t L. ", time_zone="Asia/Tokyo")
    assert (chosen.display_name, chosen.time_zone, chosen.max_memories) == ("Ada L.", "Asia/Tokyo", 3)
    assert world.services.preferences.of(stranger().user_id).display_name == ""
    chosen = world.services.preferences.choose_profile(world.owner, display_name="", time_zone=None)
    assert (chosen.display_name, chosen.time_zone) == ("", None)


@pytest.mark.parametrize(
    ("name", "zone"),
    [("x" * 61, None), ("\x1b[2J", None), ("a\u202eb", None), ("", "Mars/Base"), ("", "../../etc/passwd"), ("", "")],
)
def test_a_profile_that_cannot_be_is_refused(world: World, name, zone):
    """A name that is too long or cannot be shown, or a place that is not known, changes nothing."""
    with pytest.raises(InvalidInputError):
        world.services.preferences.choose_profile(world.owner, display_name=name, time_zone=zone)
    assert world.services.preferences.of(world.owner).version == 0


def test_with_memory_off_nothing_is_saved(world: World):
    """Neither the message nor a fact of it is kept, the answer says so, and the chat itself goes on."""
    choose(world, remembers=False)
    conversation, message, reply = world.say("I'm allergic to peanuts")
    assert stored(world) == []
    assert message.saved == ()
    assert replies.KEPT_NOTHING in reply.text
    _, _, asked = world.say("What am I allergic to?")
    assert replies.NOTHING_KEPT_YET in asked.text
    world.services.chat.delete(world.owner, conversation.id, forget=True)


def test_with_memory_off_a_language_model_promises_nothing(world: World, provider: FakeProvider):
    """What a model is told about memory follows what the user chose."""
    connect(world, f"{provider.url}/v1")
    choice = world.services.connections.preferred(world.owner)
    for remembers, recalls in ((True, True), (False, False)):
        choose(world, remembers=remembers, recalls=recalls)
        world.say("Hello there, machine", choice=choice)
    usual, off = (str(body.body["messages"][0]["content"]) for body in provider.bodies())
    assert "do not promise to remember" not in usual
    assert "do not promise to remember" in off
    assert "switched off" in off


def test_what_was_said_while_memory_was_off_stays_out_of_it(world: World):
    """Switched on again, memory keeps what comes, and takes nothing said before as its surroundings."""
    choose(world, remembers=False)
    conversation, _, _ = world.say("My locker is full of zebras")
    choose(world)
    world.say("I live in Lisbon", conversation=conversation)
    assert sorted(stored(world)) == ["I live in Lisbon", "I live in Lisbon"]
    assert world.services.memory.recall(world.owner, "zebras") == []


def test_with_recall_off_answers_use_no_memories(world: World):
    """Memories are kept and not looked up; switched on again they are there."""
    world.say("I live in Lisbon")
    choose(world, recalls=False)
    _, _, reply = world.say("Where do I live?")
    assert reply.used == ()
    assert replies.NOT_LOOKED_UP in reply.text
    _, _, overview = world.say("What do you know about me?")
    assert replies.NOT_LOOKED_UP in overview.text
    choose(world)
    assert "Lisbon" in world.say("Where do I live?")[2].text


def test_an_answer_uses_no_more_memories_than_allowed(world: World, provider: FakeProvider):
    """A language model gets the best memories, at most as many as the user allows."""
    for fact in ("I like apples", "I like pears", "I like plums", "I like cherries"):
        world.say(fact)
    connect(world, f"{provider.url}/v1")
    choose(world, max_memories=2)
    _, _, reply = world.say("Which fruit do I like?", choice=world.services.connections.preferred(world.owner))
    assert len(reply.used) == 2


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (MemoryType.FACT, "I live in Lisbon"),
        (MemoryType.PREFERENCE, "I love sushi"),
        (MemoryType.RELATIONSHIP, "My sister Maria is a nurse"),
        (MemoryType.NOTE, "Remember that the spare key is under the mat"),
    ],
)
def test_a_kind_that_is_never_kept_leaves_no_trace(world: World, kind, text):
    """Neither the memory nor the message that says it is stored; another user's choice changes nothing."""
    choose(world, stranger().user_id, never_store=set(MemoryType))
    _, message, _ = world.say(text)
    assert [change.kind for change in message.saved] == [ChangeKind.ADD]
    world.services.chat.undo(world.owner, message.id, message.saved[0].memory_id)
    before = stored(world)
    choose(world, never_store={kind})
    _, message, reply = world.say(text)
    assert message.saved == ()
    assert replies.KEPT_NOTHING in reply.text
    assert stored(world) == before


def test_the_rest_of_a_message_is_kept_without_what_is_never_kept(world: World):
    """Of a message that says two things only the allowed one is stored, word for word nowhere else."""
    choose(world, never_store={MemoryType.FACT})
    conversation, message, _ = world.say("I live in Lisbon and I love sushi")
    assert [change.text for change in message.saved] == ["I love sushi"]
    world.say("I like green tea", conversation=conversation)
    assert not any("Lisbon" in text for text in stored(world))
    assert world.services.memory.recall(world.owner, "Lisbon") == []


def test_without_whole_messages_only_what_was_recognised_is_kept(world: World):
    """A message that says nothing recognised is not stored; of others the words are not listed."""
    choose(world, never_store={MemoryType.CONVERSATION})
    world.say("The weather was strange this morning")
    assert stored(world) == []
    _, message, _ = world.say("Well, you know what, I live in Lisbon")
    assert [change.text for change in message.saved] == ["I live in Lisbon"]
    assert set(stored(world)) == {"I live in Lisbon"}
    assert (
        world.services.memory.list(world.owner, where=MemoryFilter(types=frozenset({MemoryType.CONVERSATION}))).items
        == ()
    )
    assert "Lisbon" in world.say("Where do I live?")[2].text


def test_forgetting_works_whatever_is_never_kept(world: World):
    """A chat that may keep no facts can still forget one."""
    world.say("I live in Lisbon")
    choose(world, never_store={MemoryType.FACT, MemoryType.NOTE})
    world.say("Forget that I live in Lisbon")
    assert world.services.memory.list(world.owner).items == ()


def test_new_chats_begin_with_the_chosen_model(world: World):
    """The chosen model comes first, also among two connections that offer it; it is the owner's choice alone."""
    service = world.services.connections
    first, second = connect(world), connect(world)
    assert service.preferred(world.owner).connection_id == first
    wanted = next(c for c in service.choices(world.owner) if c.connection_id == second and c.title == MODELS[1])
    service.prefer(world.owner, wanted)
    assert service.preferred(world.owner) == service.default(world.owner) == wanted
    assert service.preferred(stranger().user_id) == world.offline()
    service.prefer(world.owner, None)
    assert service.default(world.owner) is None
    assert service.preferred(world.owner).connection_id == first


def test_a_chosen_model_that_is_gone_is_replaced(world: World):
    """Without its connection the choice falls to the same model elsewhere, then to what Optimus takes."""
    service = world.services.connections
    first, second = connect(world), connect(world)
    wanted = next(c for c in service.choices(world.owner) if c.connection_id == second and c.title == MODELS[1])
    service.prefer(world.owner, wanted)
    service.disconnect(world.owner, second)
    assert service.preferred(world.owner).connection_id == first
    assert service.preferred(world.owner).title == MODELS[1]
    service.disconnect(world.owner, first)
    assert service.preferred(world.owner) == world.offline()
    with pytest.raises(InvalidInputError):
        service.prefer(world.owner, wanted)


@pytest.mark.parametrize(("key", "ending"), [("sk-secret-0815-4711", "4711"), ("short-key", ""), ("", "")])
def test_a_key_is_never_shown_beyond_its_last_four_characters(world: World, key, ending):
    """The list of connections names the last 4 characters of a key, of a short one none, and holds no more of it."""
    connection_id = connect(world, key=key)
    shown = world.services.connections.own(world.owner)
    assert [(one.id, one.key_ending, one.has_key, one.models) for one in shown] == [
        (connection_id, ending, bool(key), len(MODELS))
    ]
    assert not key or key not in repr(shown)
    assert key[:-4] == "" or key[:-4] not in shown[0].model_dump_json()
    assert world.services.connections.own(stranger().user_id) == []


def test_testing_again_takes_over_what_is_offered_now(world: World, provider: FakeProvider):
    """A test updates the list of models and keeps the day of the connection; a failed one changes nothing."""
    service = world.services.connections
    connection_id = connect(world, f"{provider.url}/v1", models=("gone",))
    before = service.own(world.owner)[0]
    assert service.test_again(world.owner, connection_id).ok
    after = service.own(world.owner)[0]
    assert after.connected_at == before.connected_at
    assert (before.models, after.models) == (1, len(MODELS))
    assert "gone" not in {choice.title for choice in service.choices(world.owner)}
    broken = connect(world)
    assert not service.test_again(world.owner, broken).ok
    assert service.own(world.owner)[1].models == len(MODELS)
    for owner, wanted in ((stranger().user_id, connection_id), (world.owner, new_id())):
        with pytest.raises(NotFoundError):
            service.test_again(owner, wanted)


def test_two_servers_of_ones_own_can_be_told_apart(world):
    """The picker names where a model runs: the usual program at a port of this machine, else host and port."""
    with running_provider() as first, running_provider() as second:
        for fake in (first, second):
            made = world.services.connections.connect(
                world.principal, provider="compatible", base_url=f"{fake.url}/v1", key=""
            )
            assert made.ok
        names = [choice.name for choice in world.services.connections.choices(world.owner)]
    assert len(set(names)) == len(names)
    assert f"gpt-6-luna · 127.0.0.1:{first.port}" in names
    assert server_name("http://localhost:11434/v1") == "Ollama"
    assert server_name("http://127.0.0.1:8000/v1") == "vLLM"
    assert server_name("https://models.example.org/v1") == "models.example.org:443"
    assert server_name(None) == ""


def test_a_server_by_address_is_called_only_while_its_owner_may_name_one(world: World, provider: FakeProvider):
    """Who is no admin any more sees the connection, and can only remove it; nothing is sent to its address."""
    connection_id = connect(world, f"{provider.url}/v1")
    services, accounts = world.services, world.services.store.accounts
    choice = next(c for c in services.connections.choices(world.owner) if c.connection_id == connection_id)
    user = accounts.user(world.owner)
    assert user is not None
    accounts.update_user(user.model_copy(update={"role": Role.USER}))
    assert choice not in services.connections.choices(world.owner)
    assert world.say("Hello", choice=choice)[2].state is MessageState.FAILED
    with pytest.raises(InvalidInputError) as caught:
        services.connections.test_again(world.owner, connection_id)
    assert "Only admins" in caught.value.user_message
    assert provider.requests == []
    assert [own.id for own in services.connections.own(world.owner)] == [connection_id]
    services.connections.disconnect(world.owner, connection_id)
    assert services.connections.own(world.owner) == []
