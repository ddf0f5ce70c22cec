"""Mem0's own extraction in the place of ours: what the model is sent, and what becomes of its answer."""

import json
from datetime import timedelta

import pytest

from optimus.models import MemoryType
from optimus.storage.jobs import JobState
from tests.fakes.providers import FakeProvider
from tests.unit.test_extraction import BEAGLE, SAID, choice, current, provider, state, work
from tests.world import World, running_world

__all__ = ["choice", "provider"]
SECRET = "sk-proj-" + "a1B2" * 12


@pytest.fixture
def world(tmp_path):
    """Where the settings ask for Mem0's extraction."""
    with running_world(tmp_path, memory_pipeline="mem0") as opened:
        yield opened


def answers(fake: FakeProvider, *texts: str, raw: str | None = None) -> None:
    """Let the model answer Mem0 with these memories."""
    rows = [{"id": str(n), "text": text, "attributed_to": "user"} for n, text in enumerate(texts)]
    found = json.dumps({"memory": rows}) if raw is None else raw
    fake.answer = lambda request: "Hello." if request.body.get("stream") else found


def sent(fake: FakeProvider) -> list[str]:
    """Return the prompts of all calls that look for memories, instructions included."""
    calls = [request.body for request in fake.bodies() if not request.body.get("stream")]
    return ["\n".join(message["content"] for message in body["messages"]) for body in calls]


def test_mem0s_findings_are_kept_like_any_models(world: World, provider, choice):
    """Its own instructions are sent; what it finds is a memory of the message, named after the model, and counted."""
    answers(provider, BEAGLE)
    _, message, _ = world.say(SAID, choice=choice)
    assert work(world) == 1
    assert state(world, message) is JobState.DONE
    assert "## New Messages" in sent(provider)[0]
    (memory,) = [each for each in world.services.memory.list(world.owner).items if each.text == BEAGLE]
    assert (memory.provenance.extractor, memory.provenance.message_id) == ("compatible:gpt-6-luna", message.id)
    events = [event for event in world.services.store.events.of(world.owner) if event.kind == "extraction"]
    assert [event.data["input_tokens"] for event in events] == [11]


def test_the_model_sees_what_is_known_and_no_secret(world: World, provider, choice):
    """Known memories stand in Mem0's prompt; a key that the user wrote is masked before it leaves."""
    answers(provider)
    world.services.memory.add(world.owner, "Maria works at the hospital in Porto", MemoryType.FACT)
    world.say(f"Maria told me of the hospital in Porto again. My key is {SECRET}", choice=choice)
    work(world)
    (prompt,) = sent(provider)
    assert "Maria works at the hospital in Porto" in prompt
    assert SECRET not in prompt


def test_what_mem0_makes_up_is_not_kept(world: World, provider, choice):
    """A finding that the user's words do not carry is dropped, as with our own extraction."""
    answers(provider, "User owns a yacht in Monaco", BEAGLE)
    world.say(SAID, choice=choice)
    work(world)
    assert "User owns a yacht in Monaco" not in current(world)
    assert BEAGLE in current(world)


@pytest.mark.parametrize("raw", ["", "I found nothing.", '{"memory": "none"}', '{"memory": ["beagle"]}', '{"mem'])
def test_an_answer_that_mem0_cannot_read_is_tried_again(world: World, provider, choice, raw: str):
    """Mem0 itself takes it for nothing; here it never counts as that."""
    answers(provider, raw=raw)
    _, message, _ = world.say(SAID, choice=choice)
    work(world)
    assert state(world, message) is JobState.RETRY
    answers(provider, BEAGLE)
    world.clock.now += timedelta(hours=2)
    work(world)
    assert state(world, message) is JobState.DONE


def test_nothing_found_is_nothing(world: World, provider, choice):
    """An empty list, in a fence as models like to write it, ends the job without memories."""
    answers(provider, raw='```json\n{"memory": []}\n```')
    _, message, _ = world.say("Good morning to you", choice=choice)
    work(world)
    assert state(world, message) is JobState.NOTHING
