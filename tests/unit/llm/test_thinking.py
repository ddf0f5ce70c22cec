"""What models let see of their thinking: read in each provider's format, shown and stored, never sent or remembered."""

import pytest
from pydantic import SecretStr

from optimus.llm_handler import Credentials
from optimus.llm_handler.generations import MAX_THOUGHT_CHARS
from optimus.llm_handler.requests import ModelRef
from optimus.models import ConversationId, MessageState
from tests.fakes.providers import Fault, FaultKind, running_provider
from tests.unit.llm.support import KEY, make_request
from tests.unit.llm.test_faults import ENDPOINTS
from tests.unit.test_chat import connect
from tests.world import World

THOUGHT = "They may mean the river."


def request_to(provider: str, url: str, **values):
    """Return a request to a provider's interface at the fake."""
    name, path = ENDPOINTS[provider]
    credentials = Credentials(base_url=f"{url}{path}", api_key=SecretStr(KEY))
    return make_request(model=ModelRef(provider=provider, name=name), credentials=credentials, **values)


@pytest.mark.parametrize("provider", ENDPOINTS)
def test_thoughts_of_every_interface_are_read_apart_from_the_answer(provider, fake, answer):
    """Summaries, thinking blocks, thought parts and reasoning fields all come out as thinking, and none as text."""
    fake.thoughts = THOUGHT
    result = answer(request_to(provider, fake.url))
    assert (result.text, result.state) == ("Hello from the fake.", MessageState.COMPLETE)
    assert result.thinking == THOUGHT


@pytest.mark.parametrize(
    ("provider", "asked"),
    [
        ("openai", '"summary": "auto"'),
        ("anthropic", "adaptive"),
        ("google", "include_thoughts"),
        ("groq", "parsed"),
        ("mistral", "reasoning_effort"),
    ],
)
def test_an_effort_is_asked_for_in_each_providers_way(provider, asked, fake, answer):
    """A chat's choice to think longer reaches the request; without one nothing is asked for."""
    answer(request_to(provider, fake.url))
    answer(request_to(provider, fake.url, effort="high"))
    plain, eager = fake.bodies()
    assert asked in eager.text
    assert asked not in plain.text


def test_who_refuses_to_tell_is_asked_without(fake, answer):
    """An account that may not see summaries still thinks and answers, and is not asked for them again."""
    refusal = "Your organization must be verified to generate reasoning summaries."
    fake.faults.append(Fault(kind=FaultKind.STATUS, status=400, message=refusal))
    assert answer(request_to("openai", fake.url, effort="low")).text == "Hello from the fake."
    answer(request_to("openai", fake.url, effort="low"))
    assert [each.body["reasoning"].get("summary") for each in fake.bodies()] == ["auto", None, None]
    assert {each.body["reasoning"]["effort"] for each in fake.bodies()} == {"low"}


def test_claude_is_told_either_how_freely_to_answer_or_to_think(fake, answer):
    """Older ones refuse both at once; thoughts that the limit of one answer leaves no room for come with the next."""
    model = ModelRef(provider="anthropic", name="claude-haiku-4-5")
    request = request_to("anthropic", fake.url, temperature=0.3).model_copy(update={"model": model})
    thinking = request.model_copy(update={"effort": "high"})
    refusal = "`max_tokens` must be greater than `thinking.budget_tokens`."
    assert answer(request).state is MessageState.COMPLETE
    fake.faults.append(Fault(kind=FaultKind.STATUS, status=400, message=refusal))
    for _ in range(2):
        assert answer(thinking).state is MessageState.COMPLETE
    sent = [("temperature" in each.body, "thinking" in each.body) for each in fake.bodies()]
    assert sent == [(True, False), (False, True), (True, False), (False, True)]


def test_endless_thoughts_are_cut(fake, answer):
    """More than a record has room for is not kept; the answer is whole."""
    fake.thoughts = "x" * (MAX_THOUGHT_CHARS + 500)
    result = answer(request_to("compatible", fake.url))
    assert len(result.thinking) == MAX_THOUGHT_CHARS
    assert result.thinking.endswith("…")
    assert result.text == "Hello from the fake."


def test_thoughts_are_stored_with_the_answer_and_go_nowhere_else(world: World):
    """They are there after the turn, sealed; neither the next prompt nor what looks for memories gets them."""
    with running_provider() as server:
        server.thoughts = THOUGHT
        choice = connect(world, server.url)
        conversation, _, reply = world.say("I swim every Monday", choice=choice)
        assert reply.thinking == THOUGHT
        assert world.services.store.conversations.message(world.owner, reply.id).thinking == THOUGHT
        world.say("And you?", conversation=conversation, choice=choice)
        world.services.extraction.run_due()
        assert len(server.bodies()) >= 3
        assert not [each for each in server.bodies() if THOUGHT in each.text]
    assert not [m for m in world.services.memory.list(world.owner).items if "river" in m.text]
    names = world.services.store.names
    assert "thinking" in names.sealed[names.conversations].fields


def test_a_chat_keeps_how_long_to_think(world: World):
    """The choice is stored with the chat, goes along with its requests, and a made-up one counts as none."""
    with running_provider() as server:
        chat = world.services.chat
        place = chat.guide(world.owner, None, instructions="", temperature=None, effort="low")
        assert chat.conversation(world.owner, place).effort == "low"
        conversation = chat.conversation(world.owner, ConversationId(place))
        world.say("Hello", conversation=conversation, choice=connect(world, server.url))
        chat.guide(world.owner, place, instructions="", temperature=None, effort="very")  # type: ignore[arg-type]
        assert chat.conversation(world.owner, place).effort is None
