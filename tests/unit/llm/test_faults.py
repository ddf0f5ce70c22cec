import logging
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from optimus.llm_handler import Credentials
from optimus.llm_handler.requests import ModelRef
from optimus.models import MessageState
from tests.fakes import wire_formats
from tests.fakes.providers import Fault, FaultKind, refused_url
from tests.unit.llm.support import KEY, make_request

ENDPOINTS = {
    "openai": ("gpt-6-luna", "/v1"),
    "openai-chat": ("gpt-6-luna", "/v1"),
    "anthropic": ("claude-haiku-5-5", ""),
    "google": ("gemini-3.8-flash", ""),
    "groq": ("openai/gpt-oss-20b", ""),
    "mistral": ("mistral-small-latest", ""),
    "xai": ("grok-4.3", "/v1"),
    "together": ("Qwen/Qwen3.5-9B", "/v1"),
    "compatible": ("llama3.2:3b", "/v1"),
}


@dataclass(frozen=True)
class Case:
    """A failure and a part of the sentence that must follow."""

    fault: Fault
    sentence: str


def status(code: int, **headers: str) -> Fault:
    """Return a refusal with a status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(kind=FaultKind.STATUS, status=code, headers=named)


CASES = {
    "wrong key": Case(status(401), "refused the API key"),
    "forbidden": Case(status(403), "refused the API key"),
    "no such model": Case(status(404), "does not offer this model"),
    "rate limit": Case(status(429, Retry_After="7"), "Wait 7 seconds"),
    "failing": Case(status(500), "problem on its side"),
    "unavailable": Case(status(503), "problem on its side"),
    "overloaded": Case(status(529), "problem on its side"),
    "bad request": Case(status(400), "refuses this request"),
    "reset": Case(Fault(kind=FaultKind.RESET), "without an answer"),
    "cut before the first word": Case(Fault(kind=FaultKind.CUT, after=0), "without an answer"),
    "empty": Case(Fault(kind=FaultKind.EMPTY), "empty answer"),
    "bad json": Case(Fault(kind=FaultKind.BAD_JSON), ""),
    "a web page": Case(Fault(kind=FaultKind.HTML), ""),
}


def request_for(provider: str, root: str):
    """Return a request that goes to a provider's interface on the fake."""
    model, suffix = ENDPOINTS[provider]
    credentials = Credentials(base_url=root + suffix, api_key=SecretStr(KEY))
    return make_request(model=ModelRef(provider=provider, name=model), credentials=credentials)


@pytest.mark.parametrize("provider", ENDPOINTS)
def test_every_provider_answers_on_the_wire(provider, fake, answer):
    """Each interface streams a whole answer, authorized, with its tokens counted."""
    fake.key = KEY
    result = answer(request_for(provider, fake.url))
    assert (result.state, result.text, result.error) == (MessageState.COMPLETE, "Hello from the fake.", None)
    assert result.usage.input_tokens > 0
    assert result.usage.output_tokens > 0
    assert len(fake.bodies()) == 1
    assert KEY not in fake.bodies()[0].text + fake.bodies()[0].path


@pytest.mark.parametrize("provider", ENDPOINTS)
def test_a_wrong_key_is_called_a_wrong_key(provider, fake, answer):
    """Each interface refuses a key in its own way; the user reads the same sentence."""
    fake.key = "another"
    assert "refused the API key" in answer(request_for(provider, fake.url)).error


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("provider", ENDPOINTS)
def test_every_failure_becomes_a_sentence(provider, case, fake, answer, caplog):
    """Whatever fails is stored as failed, once, with a sentence that helps and without key or detail."""
    fake.faults.append(CASES[case].fault)
    with caplog.at_level(logging.DEBUG, logger="optimus"):
        result = answer(request_for(provider, fake.url))
    assert result.state is MessageState.FAILED
    assert CASES[case].sentence in result.error
    assert KEY not in result.error + caplog.text
    assert "4711" not in result.error + caplog.text
    assert len(fake.bodies()) == 1


@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.END_EARLY])
@pytest.mark.parametrize("provider", ENDPOINTS)
def test_a_cut_stream_keeps_its_text_and_is_marked(provider, kind, fake, answer):
    """A stream that breaks, or ends without the provider's word for it, is a failed answer with its text kept."""
    fake.answer = lambda _request: "one two three four five six"
    fake.faults.append(Fault(kind=kind, after=5))
    result = answer(request_for(provider, fake.url))
    assert result.state is MessageState.FAILED
    assert result.text.startswith("one two ")
    assert "cut off" in result.error


@pytest.mark.parametrize("after", [0, 5])
@pytest.mark.parametrize(("code", "sentence"), [(429, "too many requests"), (500, "problem on its side")])
@pytest.mark.parametrize("provider", ENDPOINTS)
def test_an_error_inside_a_stream_has_the_sentence_of_its_status(provider, code, sentence, after, fake, answer, caplog):
    """A provider that fails after its answer has begun is quoted by kind, and what arrived is kept."""
    fake.answer = lambda _request: "one two three four five six"
    event = wire_formats.stream_error(provider, code)
    fake.faults.append(Fault(kind=FaultKind.TOLD, after=after, event=event))
    with caplog.at_level(logging.DEBUG, logger="optimus"):
        result = answer(request_for(provider, fake.url))
    assert result.state is MessageState.FAILED
    assert sentence in result.error
    assert result.text.startswith("one two ") is bool(after)
    assert "4711" not in result.error + caplog.text


@pytest.mark.parametrize("provider", ENDPOINTS)
def test_a_server_that_is_not_there_is_named_unreachable(provider, answer):
    """A refused connection says that the server cannot be reached."""
    result = answer(request_for(provider, refused_url()))
    assert result.state is MessageState.FAILED
    assert "cannot be reached" in result.error


@pytest.mark.parametrize("provider", ENDPOINTS)
def test_a_redirect_is_not_followed(provider, fake, answer):
    """A key never goes to the address that a server points to."""
    fake.faults.append(status(307, Location=fake.url + "/elsewhere"))
    result = answer(request_for(provider, fake.url))
    assert result.state is MessageState.FAILED
    assert len(fake.requests) == 1
