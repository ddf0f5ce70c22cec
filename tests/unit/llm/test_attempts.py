"""How persistently a model is asked: again after what passes, never twice for what has begun, within one deadline."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from optimus.llm_handler import GenerationRequest
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.generations import Generation
from optimus.llm_handler.translate import in_words
from optimus.llm_handler.wire import Outside
from optimus.models import MessageState, Usage
from tests.fakes.providers import Fault, FaultKind, refused_url
from tests.unit.llm.support import NOW, Ending, bare_settings, ended, make_request, wait_until
from tests.unit.llm.test_faults import ENDPOINTS, request_for, status


class Pauses(list[float]):
    """Takes the waits between two requests and lets none of them last."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture(scope="module")
def every_pause():
    """The waits of all tests."""
    return Pauses()


@pytest.fixture
def pauses(every_pause):
    """The waits of a test."""
    every_pause.clear()
    return every_pause


@pytest.fixture(scope="module")
def patient(every_pause):
    """One gateway with two retries for all tests that need no other: to make one takes a quarter of a second."""
    made = ModelGateway(
        settings=bare_settings(request_retries=2), clock=lambda: NOW, outside=Outside(pause=every_pause)
    )
    yield made
    made.close()


@pytest.fixture
def gateway_with(pauses):
    """Make gateways with settings of a test's own, and close them."""
    made = []

    def make(**settings):
        outside = Outside(pause=settings.pop("pause", pauses))
        made.append(ModelGateway(settings=bare_settings(**settings), clock=lambda: NOW, outside=outside))
        return made[-1]

    yield make
    for each in made:
        each.close()


def write(gateway: ModelGateway, request: GenerationRequest) -> Any:
    """Write one answer to its end and return its result."""
    return ended(gateway.start(request, Ending()))


PASSING = {
    "too many requests": status(429),
    "failing": status(500),
    "bad gateway": status(502),
    "unavailable": status(503),
    "overloaded": status(529),
    "reset": Fault(kind=FaultKind.RESET),
    "cut before the first word": Fault(kind=FaultKind.CUT, after=0),
}
LASTING = {
    "wrong key": status(401),
    "no such model": status(404),
    "bad request": status(400),
    "too long": status(413),
    "empty": Fault(kind=FaultKind.EMPTY),
    "a web page": Fault(kind=FaultKind.HTML),
}


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("provider", ENDPOINTS)
def test_what_passes_is_tried_again(provider, fault, fake, patient, pauses):
    """After two failures of a kind that passes, the third request is answered; the libraries add none of their own."""
    fake.faults.extend([PASSING[fault]] * 2)
    result = write(patient, request_for(provider, fake.url))
    assert (result.state, result.text) == (MessageState.COMPLETE, "Hello from the fake.")
    assert len(fake.bodies()) == 3
    assert 0.5 <= pauses[0] <= 1.0
    assert 1.0 <= pauses[1] <= 1.5


@pytest.mark.parametrize("fault", LASTING)
def test_what_lasts_is_not_tried_again(fault, fake, patient, pauses):
    """A failure that the same request meets again is said at once."""
    fake.faults.append(LASTING[fault])
    assert write(patient, make_request(fake.url + "/v1")).state is MessageState.FAILED
    assert (len(fake.bodies()), pauses) == (1, [])


def test_retries_have_an_end(fake, gateway_with):
    """One request and as many retries as the setting says; then the user reads what is wrong."""
    fake.faults.extend([status(500)] * 9)
    result = write(gateway_with(request_retries=3), make_request(fake.url + "/v1"))
    assert "problem on its side" in result.error
    assert len(fake.bodies()) == 4


@pytest.mark.parametrize("provider", ENDPOINTS)
def test_a_refused_connection_is_tried_again(provider, patient, pauses):
    """A server that is not there may be starting."""
    result = write(patient, request_for(provider, refused_url()))
    assert "cannot be reached" in result.error
    assert len(pauses) == 2


@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.END_EARLY])
def test_what_has_begun_is_never_asked_for_again(kind, fake, patient):
    """Once the first word was shown, a broken stream keeps its text and is marked; nothing is doubled."""
    fake.answer = lambda _request: "one two three four five six"
    fake.faults.append(Fault(kind=kind, after=5))
    result = write(patient, make_request(fake.url + "/v1"))
    assert result.state is MessageState.FAILED
    assert result.text.startswith("one two ")
    assert len(fake.bodies()) == 1


def http_date(seconds: int) -> str:
    """Return a time from now as a header has it."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("provider", ENDPOINTS)
def test_a_wait_that_the_provider_asks_for_is_kept(provider, code, fake, patient, pauses):
    """Retry-After is waited for, in seconds or as a date, and not cut short by the own waiting time."""
    fake.faults.extend([status(code, Retry_After="7"), status(code, Retry_After=http_date(12))])
    result = write(patient, request_for(provider, fake.url))
    assert result.state is MessageState.COMPLETE
    assert 7.0 <= pauses[0] <= 7.25
    assert 9.0 <= pauses[1] <= 12.25


@pytest.mark.parametrize(
    ("code", "asked", "told"),
    [
        (429, "21", "Wait 21 seconds"),
        (429, "600", "Wait 10 minutes"),
        (503, "7200", "Wait 2 hours"),
        (429, "a moment", "Wait, or choose"),
    ],
)
def test_a_wait_beyond_the_deadline_is_said_at_once(code, asked, told, fake, gateway_with, pauses):
    """Where the wait would end after the whole deadline, nobody waits, and the sentence says when to try again."""
    fake.faults.extend([status(code, Retry_After=asked)] * 9)
    result = write(gateway_with(request_retries=2, request_timeout_s=20), make_request(fake.url + "/v1"))
    assert told in result.error
    assert len(pauses) == (0 if asked.isdigit() else 2)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 second"), (119, "119 seconds"), (121, "3 minutes"), (172_801, "3 days")]
)
def test_waits_are_told_in_words(seconds, words):
    """A wait is rounded up and told in the unit that a person would take."""
    assert in_words(seconds) == words


def test_stop_ends_a_wait_at_once(fake, gateway_with):
    """Stop while a retry waits ends the answer, and nothing more is sent."""
    fake.faults.extend([status(429, Retry_After="15")] * 9)
    gateway = gateway_with(request_retries=2, pause=asyncio.sleep)
    generation = gateway.start(make_request(fake.url + "/v1"), Ending())
    wait_until(lambda: generation.waits_for is not None)
    assert "Asking again in 1" in generation.waits_for
    generation.stop()
    assert generation.wait(2)
    assert (generation.state, len(fake.bodies())) == (MessageState.STOPPED, 1)


def test_an_answer_must_begin_in_time(fake, gateway_with):
    """A server that never answers is given up after the first deadline, long before the whole one."""
    fake.faults.append(Fault(kind=FaultKind.HANG))
    result = write(gateway_with(first_token_timeout_s=0.2, request_retries=2), make_request(fake.url + "/v1"))
    assert "did not begin to answer in time" in result.error
    assert len(fake.bodies()) == 1


def test_an_answer_must_be_whole_in_time(fake, gateway_with):
    """An answer that stops growing keeps its text when the whole deadline is over; the first one is not in its way."""
    fake.hold_after = 3
    result = write(gateway_with(first_token_timeout_s=0.4, request_timeout_s=0.6), make_request(fake.url + "/v1"))
    assert result.text == "Hello from "
    assert "took too long" in result.error
    assert "What arrived is kept" in result.error


def test_what_failed_calls_took_is_counted_too():
    """What an answer took is the sum over all requests for it, and its times are those of the last."""
    generation = Generation(make_request())
    generation.measure(Usage(input_tokens=5, duration_ms=9.0))
    generation.ask_again()
    generation.measure(Usage(input_tokens=3, output_tokens=4, duration_ms=2.0))
    assert generation.outcome(None).usage == Usage(input_tokens=8, output_tokens=4, duration_ms=2.0)
