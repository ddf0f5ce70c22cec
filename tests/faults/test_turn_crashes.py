"""A turn of a chat, or a new name for one, cut off at any step: after the next start it is there whole, or not."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from optimus.llm_handler.requests import ModelChoice
from optimus.models import MessageRole, MessageState
from optimus.storage.failpoints import Crash, armed, crash_at
from tests.fakes.providers import FakeProvider
from tests.faults.test_crashes import crash, everything, points_of, restarted
from tests.unit.llm.test_extraction import entry
from tests.unit.privacy.support import newcomer
from tests.unit.test_extraction import SAID, choice, finds, provider  # noqa: F401 - fixtures
from tests.world import World, running_world

BEFORE = "send.opened"
SENT = ("send.stored", "send.remembered", "send.touched", "send.asked")
ANSWERED = ("answer.queued", "answer.counted", "answer.stored")
FOUND = "We got a beagle called Rufus"


def send(world: World, model: ModelChoice) -> None:
    """Send a message and wait for the end of its answer, or for the death of the thread that writes it."""
    turn = world.services.chat.send(world.owner, SAID, conversation_id=None, choice=model)
    running = world.services.chat.generation(world.owner, turn.conversation.id)
    assert running is None or running.wait(60)


def told(found: FakeProvider) -> None:
    """Let the model find one memory in what is said."""
    finds(found, entry(FOUND, entities=["Rufus"]))


def calm(folder: Path, world: World) -> dict[str, Any]:
    """Return what the same turn leaves where nothing is cut off."""
    with running_world(folder) as other:
        (connection,) = world.services.store.accounts.connections(world.owner)
        other.services.store.accounts.save_connection(connection.model_copy(update={"user_id": other.owner}))
        chosen = other.services.connections.newest(other.owner, "compatible")
        assert chosen
        send(other, chosen)
        other.services.extraction.run_due()
        return everything(other.services, other.principal)


def test_every_step_of_a_turn_has_a_point(world: World, provider, choice):  # noqa: F811 - fixtures
    """What is not named here would not be tried below."""
    told(provider)
    assert points_of(lambda: send(world, choice)) == [BEFORE, *SENT, *ANSWERED]


def test_a_turn_that_was_cut_off_before_its_message_leaves_an_empty_chat(world: World, choice):  # noqa: F811
    """Nothing is said, nothing remembered and nothing queued; the chat can be written in."""
    crash(BEFORE, lambda: send(world, choice))
    with restarted(world) as services:
        (chat,) = services.chat.conversations(world.owner)
        assert services.chat.messages(world.owner, chat.id) == []
        assert not services.extraction.counts()
        assert everything(services, world.principal)["memories"] == []


@pytest.mark.parametrize("point", [*SENT, *ANSWERED])
def test_a_turn_that_was_cut_off_is_whole_after_the_start(world: World, provider, choice, point: str, tmp_path: Path):  # noqa: F811
    """Message, memories, answer and the look of a model are there once; the answer can be asked for again."""
    told(provider)
    expected = calm(tmp_path / "calm", world)
    with armed(crash_at(point)), suppress(Crash):
        send(world, choice)
    with restarted(world) as services:
        (chat,) = services.chat.conversations(world.owner)
        message, reply = services.chat.messages(world.owner, chat.id)
        assert (message.role, reply.role) == (MessageRole.USER, MessageRole.ASSISTANT)
        is_answered = point == "answer.stored"
        assert reply.state is (MessageState.COMPLETE if is_answered else MessageState.STOPPED)
        assert list(services.extraction.looks(world.owner, [message.id])) == [message.id]
        if not is_answered:
            services.chat.retry(world.owner, reply.id, choice=choice)
            running = services.chat.generation(world.owner, chat.id)
            assert running is None or running.wait(60)
        services.extraction.run_due()
        found = everything(services, world.principal)
        assert found.pop("usage") in {1, 2}
        assert found == {key: value for key, value in expected.items() if key != "usage"}
        assert services.chat.mark_interrupted() == 0
        assert services.extraction.run_due() == 0


def test_a_key_that_is_gone_stops_no_start(world: World, choice):  # noqa: F811
    """Of two turns that were cut off one can be read: that one is ended, and the other is in nobody's way."""
    crash("send.asked", lambda: send(world, choice))
    gone = newcomer(world.services, "grace").user_id
    with armed(crash_at("send.asked")), pytest.raises(Crash):
        world.services.chat.send(gone, "Hello", conversation_id=None, choice=world.offline())
    world.services.store.keyring.destroy(gone)
    with restarted(world) as services:
        (chat,) = services.chat.conversations(world.owner)
        assert services.chat.messages(world.owner, chat.id)[-1].state is MessageState.STOPPED


def test_a_new_name_that_was_cut_off_is_there(world: World):
    """A chat is renamed in one write: once it is stored, nothing is left to do."""
    conversation, _, _ = world.say("Hello")

    def rename() -> object:
        return world.services.chat.rename(world.owner, conversation.id, "Greetings")

    crash("rename.stored", rename)
    with restarted(world) as services:
        (chat,) = services.chat.conversations(world.owner)
        assert chat.title == "Greetings"
        assert len(services.chat.messages(world.owner, chat.id)) == 2
