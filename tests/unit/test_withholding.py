"""What a user never sends to a provider does not reach it: in no prompt, by no tool, not to be looked at."""

import json

import pytest
from pydantic import SecretStr

from optimus.errors import InvalidInputError, NotFoundError, StoreUnavailableError
from optimus.llm_handler.requests import ModelChoice, ModelRef
from optimus.models import Conversation, MemoryType, MessageState, Withheld, new_id
from optimus.storage.records import Connection
from optimus.withholding import ELSEWHERE, EVERY_MODEL, Receiver
from tests.fakes.providers import FakeProvider, running_provider
from tests.unit.llm.test_faults import status
from tests.world import World, stranger

PATHS = {"openai": "/v1", "anthropic": "", "compatible": "/v1"}
SECRET = "allergic to peanuts"


@pytest.fixture
def provider():
    """A model server on loopback."""
    with running_provider() as fake:
        yield fake


@pytest.fixture(autouse=True)
def _rules_only(world: World):
    """Let no model look for memories, unless a test wants it."""
    world.services.connections.prefer_extraction(world.owner, None, never=True)


def connected(world: World, fake: FakeProvider, name: str) -> ModelChoice:
    """Connect the user to a provider's interface at the fake."""
    world.services.store.accounts.save_connection(
        Connection(
            id=new_id(),
            user_id=world.owner,
            provider=name,
            label=name.title(),
            base_url=f"{fake.url}{PATHS[name]}",
            api_key=SecretStr("k" * 20),
            models=("claude-sonnet-5-5" if name == "anthropic" else "gpt-6-luna",),
            created_at=world.clock(),
        )
    )
    found = world.services.connections.newest(world.owner, name)
    assert found
    return found


def never(world: World, kind: MemoryType, to: str) -> None:
    """Choose that a kind is never sent to somebody."""
    world.services.withholding.choose_kinds(world.owner, [(kind, to)])


def mark(world: World, text: str, *to: str) -> None:
    """Choose that the memory with a text is never sent to somebody."""
    found = next(m for m in world.services.memory.list(world.owner).items if text in m.text)
    world.services.withholding.choose(world.owner, found.id, to)


@pytest.mark.parametrize("to", ["openai", EVERY_MODEL, "a provider of the past"])
def test_a_kind_is_kept_from_a_provider_with_the_messages_that_may_hold_it(world: World, provider, to):
    """Nothing of it goes along, the answer says how much was kept back; a name that nobody knows counts as all."""
    world.say("I'm allergic to peanuts")
    world.services.preferences.choose_never_send(world.owner, [(MemoryType.FACT, to)])
    _, _, reply = world.say("What should I cook?", choice=connected(world, provider, "openai"))
    assert SECRET not in provider.chats()[-1].text
    assert reply.withheld
    assert reply.withheld.to == "Openai"
    assert reply.withheld.memories >= 1
    assert reply.used == ()


def test_others_get_it_all_the_same(world: World, provider):
    """A rule about one provider changes nothing for another one, nor for the offline assistant."""
    world.say("I'm allergic to peanuts")
    never(world, MemoryType.FACT, "openai")
    _, _, reply = world.say("What should I cook?", choice=connected(world, provider, "anthropic"))
    assert SECRET in provider.chats()[-1].text
    assert reply.withheld is None
    assert SECRET in world.say("What am I allergic to?")[2].text.lower()


def test_one_memory_is_kept_back_with_what_says_it_and_what_replaces_it(world: World, provider):
    """Its message is not sent either, nor its successor; what else is remembered is."""
    world.say("I live in Lisbon")
    world.say("I like green tea")
    mark(world, "Lisbon", "openai")
    world.say("I moved to Porto")
    _, _, reply = world.say("Plan a day for me", choice=connected(world, provider, "openai"))
    told = provider.chats()[-1].text
    assert "green tea" in told
    assert "Lisbon" not in told
    assert "Porto" not in told
    assert reply.withheld
    assert reply.withheld.memories >= 1


def test_earlier_messages_with_it_stay_back_when_the_model_changes(world: World, provider):
    """What was said to another model, and its answer that quotes it, do not go along to one that never gets it."""
    conversation, _, _ = world.say("I'm allergic to peanuts")
    world.say("What am I allergic to?", conversation=conversation)
    world.say("How are you?", conversation=conversation)
    mark(world, SECRET, "openai")
    choice = connected(world, provider, "openai")
    _, _, reply = world.say("Thanks, and now dinner", conversation=conversation, choice=choice)
    assert "peanuts" not in provider.chats()[-1].text
    assert "How are you?" in provider.chats()[-1].text
    assert reply.withheld
    assert reply.withheld.messages == 3


def test_with_a_kind_kept_back_only_its_own_part_of_the_chat_goes_along(world: World, provider):
    """Who never gets a kind gets no message that another model was sent, because it may hold one."""
    conversation, _, _ = world.say("A riddle, please")
    never(world, MemoryType.RELATIONSHIP, "openai")
    choice = connected(world, provider, "openai")
    world.say("Tell me a joke", conversation=conversation, choice=choice)
    assert "riddle" not in provider.chats()[-1].text
    world.say("Another one", conversation=conversation, choice=choice)
    assert "riddle" not in provider.chats()[-1].text
    assert "Tell me a joke" in provider.chats()[-1].text


def test_only_on_this_machine(world: World):
    """A rule about what is elsewhere spares a model server here; the strictest spares only the offline assistant."""
    memory = world.services.memory.add(world.owner, "I'm allergic to peanuts")
    rules = world.services.withholding
    here = Receiver(provider="compatible", title="Ollama", is_local=True)
    there = Receiver(provider="compatible", title="vLLM", is_local=False)
    offline = Receiver(provider="offline", title="Offline assistant", is_local=True, is_offline=True)
    rules.choose(world.owner, memory.id, [ELSEWHERE])
    found = world.services.memory.get(world.owner, memory.id)
    assert [rules.unsent(world.owner, [found], [who]) for who in (here, there, offline)] == [set(), {found.id}, set()]
    rules.choose(world.owner, memory.id, [EVERY_MODEL])
    found = world.services.memory.get(world.owner, memory.id)
    assert [bool(rules.unsent(world.owner, [found], [who])) for who in (here, there, offline)] == [True, True, False]


@pytest.mark.parametrize(("interface", "name"), [("anthropic", "claude-sonnet-5-5"), ("compatible", "gemma4:cloud")])
def test_what_a_server_here_passes_on_is_not_on_this_machine(world: World, provider, interface, name):
    """A gateway to a provider, and Ollama with a model of its cloud, answer here and read there."""
    world.say("I'm allergic to peanuts")
    never(world, MemoryType.FACT, ELSEWHERE)
    connected(world, provider, interface)
    (kept,) = world.services.store.accounts.connections(world.owner)
    world.services.store.accounts.save_connection(kept.model_copy(update={"models": (name,)}))
    choice = next(c for c in world.services.connections.choices(world.owner) if c.ref.name == name)
    _, _, reply = world.say("What should I cook?", choice=choice)
    assert not choice.is_local
    assert SECRET not in provider.chats()[-1].text
    assert reply.withheld


def test_a_tool_neither_tells_nor_reaches_it(world: World, provider):
    """A search leaves it out and the answer counts it; correcting it by its id finds no such memory."""
    hidden = world.services.memory.add(world.owner, "I'm allergic to peanuts")
    world.services.withholding.choose(world.owner, hidden.id, ["anthropic"])
    provider.calls.append(("search_memory", {"query": "What am I allergic to?"}))
    provider.calls.append(("correct_memory", {"memory_id": hidden.id, "text": "I eat all"}))
    choice = connected(world, provider, "anthropic")
    _, _, reply = world.say("Good morning", choice=choice)
    assert reply.state is MessageState.COMPLETE
    assert SECRET not in "".join(chat.text for chat in provider.chats())
    assert "no such memory" in provider.chats()[-1].text
    assert reply.withheld == Withheld(to="Anthropic", memories=1)
    assert world.services.memory.get(world.owner, hidden.id).text == "I'm allergic to peanuts"


def test_what_a_search_found_is_known_of_the_answer(world: World, provider):
    """An answer that was written after a search does not go along to a model that never gets what was found."""
    found = world.services.memory.add(world.owner, "I'm allergic to peanuts")
    provider.calls.append(("search_memory", {"query": "What am I allergic to?"}))
    conversation, _, reply = world.say("Hello there", choice=connected(world, provider, "anthropic"))
    assert [call.found for call in reply.tools] == [(found.id,)]
    world.services.withholding.choose(world.owner, found.id, ["openai"])
    _, _, second = world.say("Go on", conversation=conversation, choice=connected(world, provider, "openai"))
    assert second.withheld
    assert second.withheld.messages == 1


def test_a_stand_in_that_may_not_get_it_is_not_asked(world: World):
    """Where the chosen model fails, a fallback answers only if it may be given the same."""
    with running_provider() as first, running_provider() as second:
        chosen, other = connected(world, first, "anthropic"), connected(world, second, "openai")
        world.services.connections.prefer_fallbacks(world.owner, [other])
        world.say("I'm allergic to peanuts")
        mark(world, SECRET, "openai")
        first.faults.append(status(401))
        _, _, reply = world.say("What should I cook?", choice=chosen)
        assert reply.state is MessageState.FAILED
        assert not second.requests
        mark(world, SECRET)
        first.faults.append(status(401))
        assert world.say("What should I cook?", choice=chosen)[2].state is MessageState.COMPLETE
        assert SECRET in second.chats()[-1].text


def test_a_model_that_looks_for_memories_is_not_shown_it(world: World, provider):
    """The message that says it is left to the rules; known memories and messages around others stay out as well."""
    choice = connected(world, provider, "compatible")
    provider.answer = lambda request: "Hello." if request.body.get("stream") else '{"memories": []}'
    world.services.connections.prefer_extraction(world.owner, choice)
    world.services.memory.add(world.owner, "I'm allergic to peanuts")
    mark(world, SECRET, "compatible")
    conversation, message, _ = world.say("I'm allergic to peanuts", choice=choice)
    _, other, _ = world.say("Peanuts again? My cousin Ann visits us", conversation=conversation, choice=choice)
    world.services.extraction.run_due()
    shown = [each for each in provider.bodies() if not each.body.get("stream")]
    sent = [json.loads(each.body["messages"][-1]["content"]) for each in shown]
    assert [each["text"] for document in sent for each in document["messages"]] == [other.text]
    assert not any(SECRET in str(document["known"]) + str(document["around"]) for document in sent)
    looks = world.services.extraction.looks(world.owner, [message.id, other.id])
    assert {look.is_under_way or look.is_put_off for look in looks.values()} == {False}


def test_where_it_cannot_be_told_nothing_is_sent(world: World, provider, monkeypatch):
    """A store that does not answer keeps memories and earlier messages back, rather than letting one through."""
    conversation: Conversation = world.say("I'm allergic to peanuts")[0]
    choice = connected(world, provider, "openai")

    def away(*_args: object, **_named: object) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(world.services.withholding, "judge", away)
    _, _, reply = world.say("What should I cook?", conversation=conversation, choice=choice)
    assert reply.state is MessageState.FAILED
    assert not provider.requests


def test_choices_are_checked_and_ones_own(world: World):
    """Who is not on the list is refused, and another's memory looks missing."""
    rules, memory = world.services.withholding, world.services.memory.add(world.owner, "I play the violin")
    with pytest.raises(InvalidInputError):
        rules.choose_kinds(world.owner, [(MemoryType.FACT, "nobody")])
    with pytest.raises(InvalidInputError):
        rules.choose(world.owner, memory.id, ["nobody"])
    with pytest.raises(NotFoundError):
        rules.choose(stranger().user_id, memory.id, ["openai"])
    assert list(rules.receivers())[:4] == [EVERY_MODEL, ELSEWHERE, "openai", "anthropic"]
    assert rules.receivers()["openai"] == "OpenAI"
    assert "offline" not in rules.receivers()


def test_a_shared_model_is_called_where_its_rules_were_judged(world: World, provider):
    """A user's own server with a model of the same name never gets what was meant for the shared one here."""
    connected(world, provider, "compatible")
    shared = ModelChoice(
        ref=ModelRef(provider="compatible", name="gpt-6-luna"), title="", provider_title="", free=True, is_local=True
    )
    endpoints = world.services.models._endpoints
    endpoints._settings = endpoints._settings.model_copy(update={"compatible_base_url": "http://127.0.0.1:9/v1"})
    found = world.services.connections.credentials(world.owner, shared)
    assert found
    assert found.base_url == "http://127.0.0.1:9/v1"
