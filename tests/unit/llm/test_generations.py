import asyncio
import logging
import threading

import pytest

from optimus.errors import GenerationBusyError, ProviderBusyError, StoreUnavailableError
from optimus.llm_handler.generations import MAX_ANSWER_BYTES, Generation, Generations, conduct
from optimus.llm_handler.loop import LoopThread
from optimus.models import MessageState, UserId, new_id
from tests.unit.llm.support import Ending, ended, make_request, wait_until


class Stage:
    """Conducts generations on a real loop with a scripted writer instead of a model."""

    def __init__(self) -> None:
        self.loop = LoopThread(name="test-loop")
        self.running = Generations()
        self.go = threading.Event()

    def start(self, write, on_end, request=None):
        generation = Generation(request or make_request())
        self.running.admit(generation)
        self.loop.submit(conduct(generation, lambda: write(generation), on_end, self.running))
        return generation

    async def two_halves(self, generation):
        """Write half, wait for `go` without blocking the loop, write the rest."""
        generation.push("first ")
        await asyncio.to_thread(self.go.wait, 10)
        generation.push("second")

    async def endless(self, generation):
        """Write a little and never end."""
        generation.push("partial")
        await asyncio.Event().wait()


@pytest.fixture
def stage():
    """Run a loop and a registry of our own."""
    made = Stage()
    yield made
    made.go.set()
    made.loop.close()


def test_two_followers_and_a_late_one_read_the_same_answer(stage):
    """Whoever follows, from whenever, reads the answer from its start to its end, each once."""
    generation = stage.start(stage.two_halves, Ending())
    texts = ["", ""]
    first_read = threading.Barrier(3, timeout=10)

    def follow(number):
        for part in generation.follow():
            started = bool(texts[number])
            texts[number] += part
            if part and not started:
                first_read.wait()

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    first_read.wait()
    stage.go.set()
    for thread in threads:
        thread.join(10)
    assert texts == ["first second", "first second"]
    assert "".join(generation.follow()) == "first second"


def test_follow_gives_the_page_its_stop_points(stage):
    """While nothing arrives, an empty text still comes, so that the page's thread never hangs."""
    generation = stage.start(stage.two_halves, Ending())
    parts = generation.follow()
    while next(parts):
        pass
    assert generation.state is MessageState.WRITING


def test_follow_ends_after_a_moment(stage):
    """For no time at all, what there is comes at once and nothing more; the next moment begins with it again."""
    generation = stage.start(stage.two_halves, Ending())
    while generation.text != "first ":
        next(generation.follow())
    assert [list(generation.follow(0)) for _ in range(2)] == [["first "], ["first "]]
    assert generation.state is MessageState.WRITING


def test_the_result_is_stored_before_anybody_sees_the_end(stage):
    """While `on_end` runs, the generation is still writing, still current, and its conversation still busy."""
    seen = []
    ending = Ending()
    request = make_request()

    def look():
        seen.append(generation.state)
        seen.append(stage.running.current(request.owner, request.conversation_id) is generation)

    ending.during = look
    stage.go.set()
    ready = threading.Event()
    ending.gate = ready
    generation = stage.start(stage.two_halves, ending, request)
    assert ending.entered.wait(10)
    assert not generation.wait(0)
    ready.set()
    assert generation.wait(10)
    assert seen == [MessageState.WRITING, True]
    assert ending.results[0].text == "first second"
    assert stage.running.current(request.owner, request.conversation_id) is None


def test_stop_keeps_the_partial_answer(stage):
    """A stopped answer is stored as stopped, with what had arrived and without an error."""
    ending = Ending()
    generation = stage.start(stage.endless, ending)
    wait_until(lambda: generation.text == "partial")
    generation.stop()
    assert generation.wait(10)
    assert ending.results[0].text == "partial"
    assert ending.results[0].state is MessageState.STOPPED
    assert ending.results[0].error is None


def test_stop_before_the_writing_began_counts(stage):
    """Stop pressed at once is not lost."""
    generation = Generation(make_request())
    stage.running.admit(generation)
    generation.stop()
    ending = Ending()
    stage.loop.submit(conduct(generation, lambda: stage.endless(generation), ending, stage.running))
    assert generation.wait(10)
    assert ending.results[0].state is MessageState.STOPPED


def test_stop_after_the_end_changes_nothing(stage):
    """A late Stop leaves a complete answer complete."""
    stage.go.set()
    generation = stage.start(stage.two_halves, Ending())
    assert generation.wait(10)
    generation.stop()
    assert generation.state is MessageState.COMPLETE


def test_a_failing_writer_leaves_text_and_sentence(stage):
    """What arrived before a failure is stored together with the sentence for the screen."""

    async def fail(generation):
        generation.push("half ")
        raise ProviderBusyError("detail for the log")

    ending = Ending()
    generation = stage.start(fail, ending)
    assert generation.wait(10)
    assert ending.results[0].state is MessageState.FAILED
    assert ending.results[0].text == "half "
    assert ending.results[0].error == ProviderBusyError.user_message


def test_a_failing_store_ends_the_generation_as_failed(stage, caplog):
    """When storing fails, followers see a failed end with the store's sentence, and no content is logged."""

    def refuse(_result):
        raise StoreUnavailableError("secret words of the answer")

    request = make_request()
    stage.go.set()
    with caplog.at_level(logging.DEBUG):
        generation = stage.start(stage.two_halves, refuse, request)
        assert "".join(generation.follow()) == "first second"
    assert generation.state is MessageState.FAILED
    assert ended(generation).error == StoreUnavailableError.user_message
    assert stage.running.current(request.owner, request.conversation_id) is None
    assert "secret" not in caplog.text
    assert "first" not in caplog.text
    assert "StoreUnavailableError" in caplog.text


def test_one_answer_at_a_time_in_a_conversation(stage):
    """A second start in a busy conversation is refused, and possible again after the end."""
    request = make_request()
    generation = stage.start(stage.two_halves, Ending(), request)
    with pytest.raises(GenerationBusyError):
        stage.running.admit(Generation(request))
    stage.go.set()
    assert generation.wait(10)
    stage.running.admit(Generation(request))


def test_a_user_writes_a_bounded_number_of_answers(stage):
    """The fourth answer of one user waits for a sentence, another user's does not."""
    owner = UserId(new_id())
    for _ in range(3):
        stage.running.admit(Generation(make_request(owner=owner)))
    with pytest.raises(GenerationBusyError, match="user busy") as refused:
        stage.running.admit(Generation(make_request(owner=owner)))
    assert "3 answers" in refused.value.user_message
    stage.running.admit(Generation(make_request()))


def test_a_foreign_conversation_looks_empty(stage):
    """Knowing a conversation's id is not enough to find its answer."""
    request = make_request()
    generation = stage.start(stage.two_halves, Ending(), request)
    assert stage.running.current(UserId(new_id()), request.conversation_id) is None
    assert stage.running.current(request.owner, request.conversation_id) is generation


def test_an_endless_answer_is_ended_with_what_fits(stage):
    """An answer never outgrows what one record of the store can hold."""

    async def flood(generation):
        while True:
            generation.push("ä" * 1000)
            await asyncio.sleep(0)

    ending = Ending()
    generation = stage.start(flood, ending)
    assert generation.wait(10)
    stored = ending.results[0]
    assert stored.state is MessageState.FAILED
    assert "too long" in (stored.error or "")
    assert 0 < len(stored.text.encode()) <= MAX_ANSWER_BYTES


def test_closing_the_loop_ends_every_follower(stage):
    """Nobody waits for ever on an answer whose loop is gone."""
    generation = stage.start(stage.endless, Ending())
    wait_until(lambda: generation.text == "partial")
    stage.loop.close()
    assert generation.wait(10)
    assert generation.state is MessageState.STOPPED
