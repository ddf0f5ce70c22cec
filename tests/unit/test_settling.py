"""What a model compares after a look: repetitions and what is over go, nothing else does, and all can be taken back."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from optimus.extraction import ExtractionService
from optimus.llm_handler.requests import ModelChoice
from optimus.models import MemoryType, Message
from optimus.storage.jobs import JobState
from tests.fakes.providers import FakeProvider, Request, running_provider
from tests.unit.llm.test_extraction import entry, written
from tests.unit.test_chat import connect
from tests.world import World

MEATLESS = "I gave up meat years ago"
VEGETARIAN = "No meat is on my table these days"
Groups = Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture
def provider():
    """A model server that finds nothing, and settles nothing."""
    with running_provider() as fake:
        answers(fake)
        yield fake


@pytest.fixture
def choice(world: World, provider: FakeProvider) -> ModelChoice:
    """The model of the server, connected by the user."""
    return connect(world, provider.url)


def answers(fake: FakeProvider, *found: dict[str, Any], groups: Groups | str = lambda _: []) -> None:
    """Let the model find this in every message, and make these groups of the entries that it is to compare."""

    def said(request: Request) -> str:
        if request.body.get("stream"):
            return "Hello."
        if "groups" not in request.text:
            return written(*found)
        return groups if isinstance(groups, str) else json.dumps({"groups": groups(_entries(request))})

    fake.answer = said


def compared(fake: FakeProvider) -> list[list[dict[str, Any]]]:
    """Return what the model was to compare, call by call."""
    return [_entries(each) for each in fake.bodies() if "groups" in each.text and not each.body.get("stream")]


def _entries(request: Request) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(request.body["messages"][1]["content"])["entries"]
    return found


def grouped(keep: str, *, same: Sequence[str] = (), outdated: Sequence[str] = ()) -> Groups:
    """Return an answer that names entries by what stands in their text."""

    def place(entries: Sequence[dict[str, Any]], part: str) -> int:
        return next(int(each["n"]) for each in entries if part in each["text"])

    def made(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {
                "keep": place(entries, keep),
                "same": [place(entries, part) for part in same],
                "outdated": [place(entries, part) for part in outdated],
            }
        ]

    return made


def tell(world: World, choice: ModelChoice, text: str) -> Message:
    """Say something and let the look through it come to its end."""
    world.clock.now = world.clock.now.replace(minute=(world.clock.now.minute + 1) % 60)
    _, message, _ = world.say(text, choice=choice)
    world.services.extraction.run_due()
    look = world.services.extraction.looks(world.owner, [message.id])[message.id]
    assert look.status in {JobState.DONE, JobState.NOTHING}
    return message


def true_now(world: World) -> list[str]:
    """Return what counts as true."""
    return sorted(memory.text for memory in world.services.memory.list(world.owner).items)


def told_twice(world: World, provider: FakeProvider, choice: ModelChoice, groups: Groups | str) -> Message:
    """Say one thing in two ways; return the second message."""
    answers(provider, entry(MEATLESS, entities=[], relations=[]))
    tell(world, choice, f"By the way, {MEATLESS}.")
    answers(provider, entry(VEGETARIAN, entities=[], relations=[]), groups=groups)
    return tell(world, choice, f"{VEGETARIAN}, as it happens.")


def test_what_is_said_again_is_merged_and_can_be_taken_back(world: World, provider, choice):
    """The older one stays and counts the new message; the repair is listed as the model's, and undone on request."""
    message = told_twice(world, provider, choice, grouped(MEATLESS, same=[VEGETARIAN]))
    assert true_now(world) == [MEATLESS]
    (memory,) = world.services.memory.list(world.owner).items
    assert message.id in memory.sources
    assert memory.confirmations == 2
    last = world.services.health.last(world.owner)
    assert last
    assert last.at is None
    (repair,) = last.repairs
    assert repair.by == "compatible:gpt-6-luna"
    shown = {each.id: each for each in world.services.chat.messages(world.owner, message.conversation_id)}
    assert VEGETARIAN not in [change.text for change in shown[message.id].saved]
    assert world.services.health.take_back(world.owner, [repair.id]) == 1
    assert true_now(world) == sorted([VEGETARIAN, MEATLESS])


def test_what_was_taken_back_is_not_done_again(world: World, provider, choice):
    """The same comparison, made again, leaves alone what its owner took back."""
    message = told_twice(world, provider, choice, grouped(MEATLESS, same=[VEGETARIAN]))
    last = world.services.health.last(world.owner)
    assert last
    world.services.health.take_back(world.owner, [each.id for each in last.repairs])
    jobs = world.services.store.jobs
    job = jobs.of(world.owner, [message.id])[message.id]
    jobs.save(job.model_copy(update={"status": JobState.WAITING, "attempts": 0}))
    calls = len(compared(provider))
    assert world.services.extraction.run_due() == 1
    assert len(compared(provider)) == calls + 1
    assert true_now(world) == sorted([VEGETARIAN, MEATLESS])


def test_what_is_over_comes_back_with_the_message_gone(world: World, provider, choice):
    """A new answer replaces the old one; where its message is deleted with what came from it, the old one is true."""
    old, new = "The office has free parking", "Parking at the office costs money now"
    answers(provider, entry(old, entities=[], relations=[]))
    tell(world, choice, f"{old}, which I like.")
    answers(provider, entry(new, entities=[], relations=[]), groups=grouped(new, outdated=[old]))
    message = tell(world, choice, f"{new}, sadly.")
    assert new in true_now(world)
    assert old not in true_now(world)
    world.services.chat.delete_message(world.owner, message.id)
    assert old in true_now(world)
    assert new not in true_now(world)


def test_richer_words_give_way_to_the_old_ones_with_their_message(world: World, provider, choice):
    """Where the new one says more it stays, and what it made unnecessary returns when its message is deleted."""
    message = told_twice(world, provider, choice, grouped(VEGETARIAN, same=[MEATLESS]))
    assert true_now(world) == [VEGETARIAN]
    world.services.chat.delete_message(world.owner, message.id)
    assert true_now(world) == [MEATLESS]


@pytest.mark.parametrize("protect", ["pinned", "edited", "by hand"])
def test_what_its_owner_saw_to_is_not_replaced(world: World, provider, choice, protect):
    """A memory that was pinned, edited or written by hand stays, whatever a model says."""
    memories = world.services.memory
    if protect == "by hand":
        memories.add(world.owner, MEATLESS, type=MemoryType.FACT)
    else:
        answers(provider, entry(MEATLESS, entities=[], relations=[]))
        tell(world, choice, f"By the way, {MEATLESS}.")
        (memory,) = memories.list(world.owner).items
        if protect == "pinned":
            world.services.library.pin(world.owner, memory.id, pinned=True)
        else:
            memories.edit(world.owner, memory.id, f"{MEATLESS}, really", expected_version=memory.version)
    answers(
        provider,
        entry(VEGETARIAN, entities=[], relations=[]),
        groups=grouped(VEGETARIAN, same=[MEATLESS]),
    )
    tell(world, choice, f"{VEGETARIAN}, as it happens.")
    assert len(true_now(world)) == 2
    assert compared(provider)


def test_an_older_statement_ends_no_newer_one(world: World, provider, choice):
    """A model that gets the order wrong replaces nothing."""
    told_twice(world, provider, choice, grouped(MEATLESS, outdated=[VEGETARIAN]))
    assert true_now(world) == sorted([VEGETARIAN, MEATLESS])


@pytest.mark.parametrize(
    "answer", ["I cannot help with that.", '{"groups": [{"keep": 99, "same": [1], "outdated": []}]}']
)
def test_an_answer_that_is_none_changes_nothing(world: World, provider, choice, answer):
    """Where the model gives no such answer, or names what is not there, the message is done and all memories stay."""
    told_twice(world, provider, choice, answer)
    assert true_now(world) == sorted([VEGETARIAN, MEATLESS])


def test_nothing_near_takes_no_call(world: World, provider, choice):
    """In one language a model is only asked where something is near in meaning or shares words."""
    answers(provider, entry("I gave up meat years ago", entities=[], relations=[]))
    tell(world, choice, "By the way, I gave up meat years ago.")
    answers(provider, entry("Our office moved downtown", entities=[], relations=[]))
    tell(world, choice, "Our office moved downtown.")
    assert compared(provider) == []


def test_all_languages_are_compared(world: World, provider, choice):
    """Where memories are in several languages, a model sees those that no vector brings near."""
    answers(provider, entry("Fleisch esse ich seit Jahren nicht", entities=[], relations=[], language="de"))
    tell(world, choice, "Fleisch esse ich seit Jahren nicht, weißt du.")
    answers(
        provider,
        entry(VEGETARIAN, entities=[], relations=[]),
        groups=grouped("Fleisch", same=[VEGETARIAN]),
    )
    tell(world, choice, f"{VEGETARIAN}, as it happens.")
    assert true_now(world) == ["Fleisch esse ich seit Jahren nicht"]
    (entries,) = compared(provider)
    assert [each.get("new", False) for each in entries] == [False, True]


def test_what_a_provider_may_not_get_is_not_compared(world: World, provider, choice):
    """A memory that is never sent to the provider is in no comparison."""
    memories = world.services.memory
    kept_back = memories.add(world.owner, "I love meat pies", type=MemoryType.PREFERENCE)
    memories.add(world.owner, "Meat is eaten in my house on Sundays", type=MemoryType.FACT)
    world.services.withholding.choose(world.owner, kept_back.id, ["compatible"])
    answers(provider, entry(MEATLESS, entities=[], relations=[]))
    tell(world, choice, f"By the way, {MEATLESS}.")
    (entries,) = compared(provider)
    texts = [each["text"] for each in entries]
    assert MEATLESS in texts
    assert "Meat is eaten in my house on Sundays" in texts
    assert not any("pies" in text for text in texts)


def test_what_the_comparison_took_is_counted(world: World, provider, choice):
    """Both calls of a look are counted for its job and recorded as events."""
    told = told_twice(world, provider, choice, lambda _: [])
    job = world.services.store.jobs.of(world.owner, [told.id])[told.id]
    assert (job.input_tokens, job.output_tokens) == (22, 8)


def test_a_comparison_is_cancelled_with_the_work(world: World, provider, choice):
    """Stopping while a comparison is under way ends it; its job waits for the next start."""
    answers(provider, entry(MEATLESS, entities=[], relations=[]))
    tell(world, choice, f"By the way, {MEATLESS}.")
    extraction: ExtractionService = world.services.extraction

    def stopping(_: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        extraction.stop()
        return []

    answers(provider, entry(VEGETARIAN, entities=[], relations=[]), groups=stopping)
    _, message, _ = world.say(f"{VEGETARIAN}, as it happens.", choice=choice)
    extraction.run_due()
    assert extraction.looks(world.owner, [message.id])[message.id].status is JobState.WAITING
