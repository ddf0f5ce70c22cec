"""A server that others wrote: llama.cpp's, with a small real model, asked over its own HTTP interface."""

from collections.abc import Awaitable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, SecretStr, StringConstraints

from optimus.errors import ProviderResponseError, ProviderTimeoutError
from optimus.llm_handler import Credentials, GenerationRequest
from optimus.llm_handler.extraction import ExtractionRequest, MemoryExtractor, SourceMessage
from optimus.llm_handler.extraction_form import Finding
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import ModelRef
from optimus.memory_manager.masking import mask
from optimus.models import MessageState, Usage
from tests.fakes.llama_server import KEY, NAME, missing, running_llama
from tests.unit.llm.support import NOW, Ending, bare_settings, ended, make_request

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")
MODEL = ModelRef(provider="compatible", name=NAME)


@pytest.fixture(scope="module")
def llama():
    """One server for all tests: it has one place, so an answer that goes on holds up the next."""
    with running_llama() as address:
        yield Credentials(base_url=f"{address}/v1", api_key=SecretStr(KEY))


@pytest.fixture(scope="module")
def gateway():
    """A gateway with time enough for a slow machine."""
    made = ModelGateway(settings=bare_settings(request_timeout_s=60), clock=lambda: NOW)
    yield made
    made.close()


def request_to(llama: Credentials, prompt: str, **fields: Any) -> GenerationRequest:
    """Return a request to the server."""
    return make_request(model=MODEL, credentials=llama, instructions="Answer briefly.", prompt=prompt, **fields)


def test_it_is_connected_like_any_server(gateway, llama):
    """The test of a connection lists the model, and says what is wrong with a key or a path."""
    assert gateway.test("compatible", llama).models == (NAME,)
    wrong = llama.model_copy(update={"api_key": SecretStr("another")})
    assert "refused the API key" in gateway.test("compatible", wrong, NAME).message


def test_an_answer_streams_and_is_counted(gateway, llama):
    """Words arrive one by one and the server's own count of tokens is taken over."""
    generation = gateway.start(request_to(llama, "What is the capital of France?"), Ending())
    parts = [part for part in generation.follow() if part]
    result = ended(generation)
    assert (result.state, result.error) == (MessageState.COMPLETE, None)
    assert result.text.strip()
    assert "".join(parts) == result.text
    assert result.usage.input_tokens > 10
    assert result.usage.output_tokens > 1
    assert 0 < (result.usage.first_token_ms or 0) <= (result.usage.duration_ms or 0)


def test_stop_ends_the_work_of_the_server(gateway, llama):
    """Stop keeps the text so far and frees the server's one place: the next answer does not wait for the first."""
    prompt = "Write a very long story about a dragon and a knight, with many chapters."
    endless = gateway.start(request_to(llama, prompt), Ending())
    next(part for part in endless.follow() if part)
    endless.stop()
    assert endless.wait(10)
    assert endless.state is MessageState.STOPPED
    assert endless.result.text
    following = ended(gateway.start(request_to(llama, "Say hello."), Ending()))
    assert following.state is MessageState.COMPLETE


def test_a_conversation_beyond_its_memory_is_called_too_long(gateway, llama):
    """What does not fit the model is refused with a sentence that says so."""
    result = ended(gateway.start(request_to(llama, "word " * 6000), Ending()))
    assert result.state is MessageState.FAILED
    assert "too long for the model" in (result.error or "")


def test_a_wrong_key_is_refused_by_the_server_itself(gateway, llama):
    """The server's own refusal reads like everybody's."""
    wrong = llama.model_copy(update={"api_key": SecretStr("another")})
    result = ended(gateway.start(request_to(wrong, "Hello"), Ending()))
    assert "refused the API key" in (result.error or "")


class City(BaseModel):
    """What the model is to fill in; a name of any length might not end before the answer is cut off."""

    city: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    is_capital: bool


def test_json_has_the_form_that_was_asked_for(gateway, llama):
    """The server holds the model to a schema, so that what it writes can be read."""
    from pydantic_ai import Agent, NativeOutput  # noqa: PLC0415 - takes seconds

    agent = Agent(output_type=NativeOutput(City), retries={"output": 0})
    model = gateway.model(MODEL, llama)
    asking = agent.run("The capital of Portugal is Lisbon.", model=model, model_settings={"max_tokens": 80})
    result = gateway.loop.submit(_output(asking)).result(60)
    assert isinstance(result, City)
    assert result.city


async def _output(asking: Awaitable[Any]) -> Any:
    return (await asking).output


def test_looking_for_memories_gives_findings_or_says_that_it_failed(gateway, llama):
    """A small model may find nothing or break off; it never passes for a list that it did not write."""
    request = ExtractionRequest(
        model=MODEL,
        credentials=llama,
        messages=(SourceMessage(text="I moved to Lisbon", written="Sunday 2026-03-01 13:00"),),
    )
    spent: list[Usage] = []
    asked = MemoryExtractor(gateway=gateway, mask=mask, timeout_s=5.0).ask(request, spent.append)
    error = asked.exception(60)
    assert isinstance(error, ProviderResponseError | ProviderTimeoutError | None)
    assert error or all(isinstance(each, Finding) and each.source == 0 for each in asked.result())
    assert len(spent) == 1
