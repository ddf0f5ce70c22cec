"""The cheapest model that can do what is asked for: by price, context, tools and images, with the reason said."""

from functools import partial

import pytest

from optimus.errors import InvalidInputError, ProviderBusyError
from optimus.llm_handler.agents import _Extra
from optimus.llm_handler.breakers import FAILURES
from optimus.llm_handler.requests import CHEAPEST, OFFLINE_MODEL, ModelChoice, ModelRef
from optimus.llm_handler.routing import UNKNOWN_WINDOW, Needs, lacks, route, with_cheapest
from optimus.models import MessageState
from optimus.prompt import MAX_MEMORY_TOKENS
from tests.fakes.providers import running_provider
from tests.unit.test_attachments import connected
from tests.unit.test_chat import connect
from tests.world import World


def offered(model: str, *, is_local: bool = False) -> ModelChoice:
    """Return a model as the picker offers it."""
    ref = ModelRef.parse(model)
    return ModelChoice(ref=ref, title=ref.name, provider_title=ref.provider, free=is_local, is_local=is_local)


OFFLINE = offered(str(OFFLINE_MODEL), is_local=True)
SONNET, HAIKU = offered("anthropic:claude-sonnet-5-5"), offered("anthropic:claude-haiku-5-5")
OSS, LLAMA = offered("groq:openai/gpt-oss-20b"), offered("compatible:llama3.2:3b", is_local=True)
SMALL = Needs(tokens=1_000)


def picked(*choices: ModelChoice, needs: Needs = SMALL, without: tuple[ModelChoice, ...] = ()) -> ModelChoice:
    """Route between choices of which some do not answer."""
    return route([*choices, OFFLINE], needs, is_usable=lambda each: each not in without, answer_tokens=500)


def test_the_lowest_price_wins_and_is_said():
    """The reason names the model, how many could do it, what for and about how much it costs."""
    found = picked(SONNET, OSS, HAIKU)
    assert found.ref == OSS.ref
    assert found.why.startswith("Picked openai/gpt-oss-20b · groq: the cheapest of 3 models that can do this ")
    assert "(about 1,000 tokens); about $0.00" in found.why


def test_what_runs_here_is_cheaper_than_anything():
    """A model on this machine costs nothing, and an unknown price is the last resort."""
    assert picked(OSS, LLAMA).ref == LLAMA.ref
    assert "it costs nothing" in picked(OSS, LLAMA).why
    unknown = offered("compatible:llama3.2:3b")
    assert picked(unknown, SONNET).ref == SONNET.ref
    assert "the only model that can do this" in picked(unknown).why
    assert "its price is not known" in picked(unknown).why


@pytest.mark.parametrize(
    ("needs", "wanted"),
    [
        (Needs(tokens=UNKNOWN_WINDOW + 1), OSS),
        (Needs(tokens=200_000), HAIKU),
        (Needs(tokens=1_000, images=True), HAIKU),
        (Needs(tokens=1_000, documents=True), HAIKU),
    ],
)
def test_who_cannot_do_it_is_passed_over(needs, wanted):
    """A context that is too small or not known, or no eyes for images and files, leave a cheaper model out."""
    assert picked(SONNET, OSS, HAIKU, LLAMA, needs=needs).ref == wanted.ref
    assert lacks(wanted, needs) == ""


def test_who_does_not_answer_or_refuses_tools_is_passed_over():
    """A resting provider, or a server without tools where they are needed, is not picked."""
    assert picked(OSS, HAIKU, without=(OSS,)).ref == HAIKU.ref


def test_names_that_cannot_chat_are_no_candidates():
    """What a key opens beside the models that Optimus names, and a server's embedding models, are left out."""
    cheap = offered("openai:text-embedding-3-small")
    here = offered("compatible:nomic-embed-text", is_local=True)
    assert picked(cheap, here, SONNET).ref == SONNET.ref


@pytest.mark.parametrize("choices", [(), (OSS,)])
def test_nobody_able_is_an_error_of_ours(choices):
    """It says what is missing instead of asking a model that cannot."""
    with pytest.raises(InvalidInputError, match="no able model"):
        picked(*choices, needs=Needs(tokens=1_000, images=True))


def test_the_picker_has_it_only_where_there_is_something_to_pick():
    """It stands first beside named models, and not over the offline assistant alone."""
    assert with_cheapest([OFFLINE]) == [OFFLINE]
    assert [choice.ref for choice in with_cheapest([OSS, OFFLINE])] == [CHEAPEST, OSS.ref, OFFLINE_MODEL]
    assert with_cheapest([OSS])[0].name == "Cheapest that can do it"


def test_a_chat_is_answered_by_what_was_picked_and_says_why(world: World):
    """The answer names the real model; it can be the choice of new chats; a server that rests leaves nobody."""
    connections = world.services.connections
    with running_provider() as fake:
        real = connect(world, fake.url)
        cheapest = connections.pickable(world.owner)[0]
        connections.prefer(world.owner, cheapest)
        assert connections.preferred(world.owner) == cheapest
        conversation, _, reply = world.say("Hello there", choice=cheapest)
        assert (reply.state, reply.model) == (MessageState.COMPLETE, str(real.ref))
        assert reply.routed
        assert reply.routed.startswith("Picked gpt-6-luna · compatible: the only model that can do this (about ")
        assert reply.routed.endswith(" tokens, tools); it costs nothing.")
        given = world.services.chat.estimate(world.owner, conversation.id, choice=cheapest)
        assert given.choice.ref == real.ref
        world.services.models._agent._without.add((_Extra.TOOLS, f"{real.ref}@somewhere"))
        with pytest.raises(InvalidInputError):
            world.say("And now", choice=cheapest)
    assert len(world.services.chat.messages(world.owner, conversation.id)) == 2


def test_who_rests_or_has_no_room_for_the_chat_is_not_picked(world: World):
    """The cheapest is passed over while it is left alone, and where the chat with its memories is too much for it."""
    with running_provider() as fake:
        small, large = connected(world, fake, "gpt-6-luna"), connected(world, fake, "openai/gpt-oss-20b", "groq")
        cheapest = world.services.connections.pickable(world.owner)[0]
        resolve = partial(world.services.router.resolve, world.owner, cheapest)
        assert resolve("Hello", ()).ref == small.ref
        assert resolve("x" * 4 * UNKNOWN_WINDOW, ()).ref == large.ref
        assert resolve("x" * 4 * (UNKNOWN_WINDOW - MAX_MEMORY_TOKENS), ()).ref == large.ref
        breakers = world.services.models.breakers
        for _ in range(FAILURES):
            breakers.note((small.ref.provider, small.connection_id), ProviderBusyError("busy"))
        assert resolve("Hello", ()).ref == large.ref
