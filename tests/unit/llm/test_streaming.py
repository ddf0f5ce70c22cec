import asyncio
import threading
from collections.abc import Iterator

import pytest

from optimus.errors import GenerationBusyError
from optimus.llm_handler import PromptTurn
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.loop import AT_ONCE, Turnstile, leave
from optimus.llm_handler.turns import MEMORY_CLOSE, MEMORY_OPEN
from optimus.models import MessageRole, MessageState, UserId, new_id
from tests.fakes import wire_formats
from tests.unit.llm.support import KEY, NOW, Ending, bare_settings, ended, make_request, wait_until


def read_until(parts: Iterator[str], text: str) -> str:
    """Read from a follower until it has said `text`."""
    seen = ""
    while seen != text:
        seen += next(parts)
    return seen


def test_text_is_shown_as_it_arrives(gateway, fake):
    """The first words are there while the server still writes, and the rest follows."""
    fake.hold_after = 3
    generation = gateway.start(make_request(fake.url + "/v1"), Ending())
    parts = generation.follow()
    assert read_until(parts, "Hello from ") == "Hello from "
    assert generation.state is MessageState.WRITING
    fake.release()
    assert "".join(parts) == "the fake."
    assert ended(generation).state is MessageState.COMPLETE


def test_the_first_token_is_neither_lost_nor_late(gateway, fake, answer):
    """An answer of one single piece arrives whole, and its time is measured."""
    fake.answer = lambda _request: "One"
    result = answer(make_request(fake.url + "/v1"))
    assert result.text == "One"
    assert 0 < result.usage.first_token_ms <= result.usage.duration_ms


def test_usage_is_what_the_provider_counted(fake, answer):
    """Tokens come from the provider's own count, once."""
    usage = answer(make_request(fake.url + "/v1")).usage
    assert (usage.input_tokens, usage.output_tokens) == (wire_formats.INPUT_TOKENS, wire_formats.OUTPUT_TOKENS)


def test_stop_closes_the_connection_and_keeps_the_text(gateway, fake):
    """Stop ends the provider's work too: its connection is closed in the middle of the stream."""
    fake.answer = lambda _request: "word " * 500
    fake.hold_after = 4
    ending = Ending()
    generation = gateway.start(make_request(fake.url + "/v1"), ending)
    read_until(generation.follow(), "word word word ")
    generation.stop()
    assert generation.wait(10)
    fake.release()
    assert ending.results[0].text == "word word word "
    assert ending.results[0].state is MessageState.STOPPED
    assert fake.left.wait(10)


def test_a_refreshed_page_finds_its_answer_again(gateway, fake):
    """After a page change the running answer is found by owner and conversation, and followed from its start."""
    fake.hold_after = 3
    request = make_request(fake.url + "/v1")
    first = gateway.start(request, Ending())
    read_until(first.follow(), "Hello from ")
    again = gateway.current(request.owner, request.conversation_id)
    assert again is first
    assert gateway.current(UserId(new_id()), request.conversation_id) is None
    with pytest.raises(GenerationBusyError):
        gateway.start(request, Ending())
    fake.release()
    assert "".join(again.follow()) == "Hello from the fake."
    assert gateway.current(request.owner, request.conversation_id) is None


def test_parallel_answers_do_not_mix(gateway, fake):
    """Many answers at once each say only their own secret."""
    fake.answer = lambda request: f"The word is {request.body['messages'][-1]['content']} and nothing else."
    words = [f"secret{number}" for number in range(20)]
    held = [gateway.start(make_request(fake.url + "/v1", prompt=word), Ending()) for word in words]
    for word, generation in zip(words, held, strict=True):
        result = ended(generation)
        assert (result.error, result.text) == (None, f"The word is {word} and nothing else.")
    assert len({request.text for request in fake.bodies()}) == len(words)


def test_memories_stand_in_the_users_turn_and_never_in_the_instructions(fake, answer):
    """On the wire the memories are in the last user message, delimited, before the prompt."""
    answer(make_request(fake.url + "/v1", memory_block="I live in Porto", prompt="Where do I live?"))
    system, user = fake.bodies()[0].body["messages"]
    assert system["role"] == "system"
    assert "Porto" not in system["content"]
    assert user["role"] == "user"
    inside = user["content"].partition(MEMORY_OPEN)[2].partition(MEMORY_CLOSE)
    assert inside[0].strip() == "I live in Porto"
    assert inside[2].strip() == "Where do I live?"


def test_without_memories_the_prompt_goes_out_as_it_is(fake, answer):
    """An empty block adds nothing to the request."""
    answer(make_request(fake.url + "/v1", memory_block="  \n", prompt="Where do I live?"))
    assert fake.bodies()[0].body["messages"][-1]["content"] == "Where do I live?"


def test_history_is_sent_in_order_with_its_roles(fake, answer):
    """Earlier turns go out oldest first, as user and assistant; empty ones are left out."""
    turns = (
        PromptTurn(role=MessageRole.USER, text="First?"),
        PromptTurn(role=MessageRole.ASSISTANT, text="Second."),
        PromptTurn(role=MessageRole.ASSISTANT, text=" "),
    )
    answer(make_request(fake.url + "/v1", history=turns, prompt="Third?"))
    sent = [(each["role"], each["content"]) for each in fake.bodies()[0].body["messages"][1:]]
    assert sent == [("user", "First?"), ("assistant", "Second."), ("user", "Third?")]


def test_the_key_goes_into_the_header_only(fake, answer):
    """The key is in the authorization header and nowhere else in the request."""
    fake.key = KEY
    assert answer(make_request(fake.url + "/v1")).state is MessageState.COMPLETE
    request = fake.bodies()[0]
    assert KEY not in request.text + request.path
    assert [name for name, value in request.headers.items() if KEY in value] == ["authorization"]


def test_closing_stops_and_stores_what_runs(fake):
    """At the end of the process a running answer is stopped and stored with what had arrived."""
    own = ModelGateway(settings=bare_settings(), clock=lambda: NOW)
    fake.hold_after = 3
    ending = Ending()
    generation = own.start(make_request(fake.url + "/v1"), ending)
    read_until(generation.follow(), "Hello from ")
    closer = threading.Thread(target=own.close)
    closer.start()
    closer.join(10)
    own.close()
    assert not closer.is_alive()
    assert ending.results[0].state is MessageState.STOPPED
    assert ending.results[0].text == "Hello from "


def test_nothing_holds_ended_answers(gateway, fake, answer):
    """An ended answer leaves the registry and the list of tasks."""
    answer(make_request(fake.url + "/v1"))
    wait_until(lambda: not gateway._tasks)
    assert gateway.generations.running() == []


def test_few_calls_are_prepared_at_a_time_and_none_waits_for_another_answer(gateway, fake):
    """More answers at once than are prepared together all begin while none of them goes on."""
    fake.hold_after = 3
    requests = [make_request(fake.url + "/v1") for _ in range(3 * AT_ONCE)]
    generations = [gateway.start(request, Ending()) for request in requests]
    for generation in generations:
        read_until(generation.follow(), "Hello from ")
    fake.release()
    assert {ended(generation).text for generation in generations} == {"Hello from the fake."}


def test_a_place_in_the_turnstile_is_given_back_once():
    """Whoever leaves early lets exactly one other in, and leaving again or at the end lets in no more."""
    inside: list[int] = []

    async def call(turnstile: Turnstile, number: int, go: asyncio.Event) -> None:
        async with turnstile.enter():
            inside.append(number)
            await go.wait()
            leave()
            leave()

    async def run() -> list[list[int]]:
        turnstile, go = Turnstile(at_once=1), [asyncio.Event() for _ in range(3)]
        calls = [asyncio.create_task(call(turnstile, number, go[number])) for number in range(3)]
        seen = []
        for event in go:
            for _ in range(5):
                await asyncio.sleep(0)
            seen.append(list(inside))
            event.set()
        await asyncio.gather(*calls)
        return seen

    assert asyncio.run(run()) == [[0], [0, 1], [0, 1, 2]]
