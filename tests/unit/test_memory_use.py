"""When and in which answer a memory was last used."""

import pytest

from optimus.errors import NotFoundError, StoreUnavailableError
from optimus.memory_manager.manager import MemoryManager
from optimus.models import MemoryId, MessageState
from tests.world import World

TOLD = "I'm allergic to peanuts"
ASKED = "What am I allergic to?"


def told(world: World) -> MemoryId:
    """Tell a fact and return its memory."""
    _, message, _ = world.say(TOLD)
    return message.saved[0].memory_id


def test_a_memory_knows_the_answer_that_it_was_last_given_to(world: World):
    """Each answer counts once, the last one is linked, and the version stays, so that an open editor still saves."""
    memory_id = told(world)
    before = world.services.memory.get(world.owner, memory_id)
    world.say(ASKED)
    conversation, _, reply = world.say(ASKED)
    assert memory_id in [use.memory_id for use in reply.used]
    details = world.services.library.details(world.owner, memory_id)
    memory = details.memory
    assert (memory.uses, memory.last_used_in, memory.last_used_chat) == (2, reply.id, conversation.id)
    assert (memory.version, details.answer) == (before.version, reply.text)
    assert details.used_in
    assert details.used_in.id == conversation.id
    edited = world.services.memory.edit(
        world.owner, memory_id, "I'm allergic to walnuts", expected_version=before.version
    )
    assert (edited.uses, edited.last_used_in) == (2, reply.id)
    assert world.services.memory.get(world.owner, memory_id).uses == 2


def test_a_deleted_answer_leaves_only_the_date(world: World):
    """Where the chat is gone there is no link and no text, but the time of use stays."""
    memory_id = told(world)
    conversation, _, _ = world.say(ASKED)
    world.services.chat.delete(world.owner, conversation.id, forget=False)
    details = world.services.library.details(world.owner, memory_id)
    assert details.memory.last_used_at
    assert (details.used_in, details.answer) == (None, "")


def test_what_an_answer_did_not_use_is_not_counted(world: World):
    """A memory that no answer was given has no date."""
    memory_id = told(world)
    _, _, reply = world.say("Hello!")
    assert reply.used == ()
    assert world.services.memory.get(world.owner, memory_id).last_used_at is None


def test_an_answer_is_not_lost_where_its_uses_cannot_be_counted(world: World, monkeypatch, caplog):
    """The answer is stored and ends; the log says what failed, without what was said."""

    def unreachable(*_args: object, **_kwargs: object) -> None:
        raise StoreUnavailableError("down")

    told(world)
    monkeypatch.setattr(MemoryManager, "note_use", unreachable)
    _, _, reply = world.say(ASKED)
    assert reply.state is MessageState.COMPLETE
    assert "could not be counted" in caplog.text
    assert "peanuts" not in caplog.text


def test_details_of_a_missing_memory(world: World):
    """An id that nothing has, or that is none, is not found."""
    for name in ("nothing", "../x"):
        with pytest.raises(NotFoundError):
            world.services.library.details(world.owner, MemoryId(name))
