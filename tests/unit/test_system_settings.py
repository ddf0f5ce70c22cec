"""What admins decide for everybody: at once, with a record, and never against the environment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from optimus.errors import (
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    OptimusError,
    PermissionDeniedError,
)
from optimus.llm_handler.requests import OFFLINE_MODEL
from optimus.models import MessageState, Principal, Role
from optimus.storage.audit_records import AuditAction, AuditFilter
from optimus.storage.work import WorkRepository
from optimus.system_settings import MAX_AGE, SystemSettings
from tests.fakes.providers import running_provider
from tests.unit.test_chat import connect
from tests.world import World, running_world, stranger


def bob_of(world: World) -> Principal:
    """Return a second admin, who exists in the store."""
    user = world.services.auth.people.create(world.principal, username="bob", role=Role.ADMIN).user
    stored = world.services.store.accounts.user(user.id)
    assert stored
    world.services.store.accounts.update_user(stored.model_copy(update={"must_change_password": False}))
    return world.principal.model_copy(update={"user_id": user.id, "username": "bob"})


def test_without_a_decision_registration_is_closed_and_nothing_else_is_limited(world):
    """A fresh Optimus lets nobody in by itself, and limits nobody."""
    assert world.services.system.current() == SystemSettings()
    assert not world.services.system.is_registration_open()


def test_a_change_counts_at_once_and_for_the_next_start(world):
    """Who reads next, here or in another process on the same store, reads the new value."""
    changed = world.services.system.change(world.principal, messages_per_day=5, is_registration_open=True)
    assert (changed.messages_per_day, changed.is_registration_open) == (5, True)
    assert world.services.system.current() == changed
    assert world.services.store.work.setting("system")["messages_per_day"] == 5
    assert world.services.system.change(world.principal, messages_per_day=None).messages_per_day is None


def test_a_change_of_another_process_is_seen_within_two_seconds(world):
    """What is kept in memory is never older."""
    system, work = world.services.system, world.services.store.work
    system.current()
    assert work.change_setting("system", {"max_memories": 7}, version=0)
    assert system.current().max_memories is None
    world.clock.now += MAX_AGE + timedelta(seconds=1)
    assert system.current().max_memories == 7


def test_only_an_admin_of_this_moment_changes_anything(world: World):
    """A user is refused, and so is an admin who was demoted since the page was drawn."""
    bob = bob_of(world)
    world.services.auth.people.change_role(world.principal, bob.user_id, Role.USER)
    for principal in (stranger(), bob):
        with pytest.raises(PermissionDeniedError):
            world.services.system.change(principal, is_registration_open=True)
    assert world.services.system.current() == SystemSettings()


@pytest.mark.parametrize(
    "changes",
    [
        {"messages_per_day": 0},
        {"tokens_per_day": -5},
        {"max_memories": 10**12},
        {"allowed_providers": {"nobody"}},
        {"default_model": "no-colon"},
        {"default_model": "nobody:model"},
        {"default_model": "openai:gpt-6.1-sol", "allowed_providers": {"groq"}},
        {"unknown_field": 1},
    ],
    ids=str,
)
def test_an_impossible_value_is_refused_and_changes_nothing(world, changes):
    """Widgets limit what is typed, but the service decides."""
    with pytest.raises(InvalidInputError):
        world.services.system.change(world.principal, **({"max_memories": 3} | changes))
    assert world.services.system.current() == SystemSettings()


def test_the_environment_wins_and_says_so(tmp_path):
    """A fixed value counts whatever is stored, names its variable, and cannot be changed here."""
    with running_world(
        tmp_path, registration="open", allowed_providers="openai, offline", messages_per_day=9, default_model="openai:x"
    ) as world:
        system = world.services.system
        current = system.current()
        assert (current.is_registration_open, current.messages_per_day) == (True, 9)
        assert current.allowed_providers == frozenset({"openai"})
        assert system.fixed == {
            "is_registration_open": "OPTIMUS_REGISTRATION",
            "default_model": "OPTIMUS_DEFAULT_MODEL",
            "allowed_providers": "OPTIMUS_ALLOWED_PROVIDERS",
            "messages_per_day": "OPTIMUS_MESSAGES_PER_DAY",
        }
        with pytest.raises(InvalidInputError) as caught:
            system.change(world.principal, is_registration_open=False, max_memories=4)
        assert "OPTIMUS_REGISTRATION" in caught.value.user_message
        assert system.change(world.principal, max_memories=4).max_memories == 4
        assert system.current().messages_per_day == 9


def test_a_provider_that_does_not_exist_stops_the_start(tmp_path):
    """A misspelt provider in the environment would allow nothing without a word."""
    with pytest.raises(ConfigurationError) as caught, running_world(tmp_path, allowed_providers="opnai"):
        pass
    assert "opnai" in caught.value.user_message


def test_every_change_is_in_the_log_with_who_and_from_what_to_what(world):
    """One entry for each setting that changed, none for one that stayed."""
    system = world.services.system
    system.change(world.principal, max_memories=10, allowed_providers=frozenset({"groq", "openai"}))
    system.change(world.principal, max_memories=10)
    log = world.services.audit.entries(world.principal, AuditFilter(actions=frozenset({AuditAction.SETTING_CHANGE})))
    noted = [named.entry for named in log.items]
    assert {(str(e.data["setting"]), e.data["before"], e.data["after"]) for e in noted} == {
        ("max_memories", None, 10),
        ("allowed_providers", None, "groq, openai"),
    }
    assert {entry.actor for entry in noted} == {world.owner}


def test_parallel_changes_of_different_settings_are_all_made(world):
    """Two admins who save different things at the same moment undo nothing of each other."""
    system = world.services.system
    changes = [{"messages_per_day": 11}, {"tokens_per_day": 12}, {"max_memories": 13}, {"is_registration_open": True}]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda change: again(lambda: system.change(world.principal, **change)), changes))
    assert system.current() == SystemSettings(
        messages_per_day=11, tokens_per_day=12, max_memories=13, is_registration_open=True
    )


def again(call, tries: int = 20):
    """Repeat a call that others overtake."""
    for _ in range(tries):
        try:
            return call()
        except ConflictError:
            continue
    raise AssertionError


def test_a_store_that_does_not_answer_allows_nothing(world, monkeypatch):
    """Nobody guesses that registration is open or a provider allowed."""

    def down(*_):
        raise ConflictError("down")

    monkeypatch.setattr(WorkRepository, "setting", down)
    for ask in (world.services.system.is_registration_open, lambda: world.services.system.allows("openai")):
        with pytest.raises(OptimusError):
            ask()


def test_a_provider_that_is_not_allowed_is_out_of_reach(world):
    """It vanishes from pickers; its test and a message to it are refused with a sentence, and nothing is sent."""
    services = world.services
    with running_provider() as fake:
        choice = connect(world, fake.url)
        services.system.change(world.principal, allowed_providers=frozenset({"groq"}))
        assert [each.ref for each in services.connections.choices(world.owner)] == [OFFLINE_MODEL]
        assert [entry.key for entry in services.connections.offered(world.principal)] == ["groq"]
        assert services.connections.local_servers() == []
        tested = services.connections.test_again(world.owner, choice.connection_id)
        refused = services.connections.connect(world.principal, provider="openai", base_url=None, key="k" * 20)
        assert (tested.ok, refused.ok) == (False, False)
        assert "not allowed" in tested.message
        _, message, reply = world.say("Hello", choice=choice)
        assert message.text == "Hello"
        assert reply.state is MessageState.FAILED
        assert "not allowed" in reply.error
        assert fake.requests == []
        services.system.change(world.principal, allowed_providers=None)
        _, _, reply = world.say("Hello", choice=choice)
        assert reply.state is MessageState.COMPLETE


def test_an_answer_that_is_being_written_stops_when_its_provider_is_forbidden(world):
    """What was written stays; the offline assistant's answers and other providers' go on."""
    with running_provider() as fake:
        fake.answer = lambda _request: "one two three four five six"
        fake.hold_after = 3
        choice = connect(world, fake.url)
        turn = world.services.chat.send(world.owner, "Count", conversation_id=None, choice=choice)
        running = world.services.chat.generation(world.owner, turn.conversation.id)
        next(part for part in running.follow() if part)
        world.services.system.change(world.principal, allowed_providers=frozenset({"compatible"}))
        assert not running.is_stopped
        world.services.system.change(world.principal, allowed_providers=frozenset())
        assert running.wait(10)
        reply = world.services.chat.messages(world.owner, turn.conversation.id)[1]
        assert reply.state is MessageState.STOPPED
        assert "one" in reply.text


def test_the_default_model_is_that_of_new_chats_of_who_chose_none(world):
    """An own choice wins over it; where it is not on offer, the first connected one is taken."""
    services = world.services
    with running_provider() as fake:
        choice = connect(world, fake.url)
        assert services.connections.preferred(world.owner) == choice
        services.system.change(world.principal, default_model=str(OFFLINE_MODEL))
        assert services.connections.preferred(world.owner).ref == OFFLINE_MODEL
        services.connections.prefer(world.owner, choice)
        assert services.connections.preferred(world.owner) == choice
