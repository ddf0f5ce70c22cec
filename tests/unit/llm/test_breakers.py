"""Who does not answer is left alone for a moment: nothing is sent, and the user reads when it is tried again."""

import pytest
from prometheus_client import generate_latest

from optimus.llm_handler import GenerationResult
from optimus.llm_handler.breakers import FAILURES, REST_S
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.wire import Outside
from optimus.metrics import Metrics
from optimus.models import MessageState
from tests.fakes.providers import FakeProvider, Fault, FaultKind
from tests.unit.llm.support import NOW, Ending, bare_settings, ended, make_request
from tests.unit.llm.test_faults import status


class Stage:
    """A gateway that never retries, a clock moved by hand, and one connection to ask."""

    def __init__(self, fake: FakeProvider) -> None:
        self.now = 100.0
        self.metrics = Metrics(models={"compatible": ()})
        self.fake = fake
        self.gateway = ModelGateway(
            settings=bare_settings(),
            clock=lambda: NOW,
            outside=Outside(monotonic=lambda: self.now),
            metrics=self.metrics,
        )

    def ask(self, connection: str = "mine") -> GenerationResult:
        """Ask once over a connection and return the result."""
        request = make_request(self.fake.url + "/v1", connection_id=connection)
        return ended(self.gateway.start(request, Ending()))

    def fail(self, times, fault=None):
        """Let the server fail some calls of the connection."""
        self.fake.faults.extend([fault or status(503)] * times)
        return [self.ask() for _ in range(times)]

    def gauge(self):
        """Return the line of the metrics that tells how many connections are left alone."""
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        return next(line for line in lines if line.startswith('optimus_model_breakers_open{provider="compatible"}'))


@pytest.fixture
def stage(fake):
    """A stage of our own."""
    made = Stage(fake)
    yield made
    made.gateway.close()


def test_after_the_rest_nobody_is_left_alone(stage):
    """Who chooses among models may take it again then: somebody has to be the trial."""
    stage.fail(FAILURES)
    (resting,) = stage.gateway.breakers.resting()
    assert resting.wait_s == REST_S
    stage.now += REST_S
    assert stage.gateway.breakers.resting() == ()


def test_failures_in_a_row_end_the_asking(stage):
    """After the last allowed failure nothing is sent any more, and the user reads why and until when."""
    stage.fail(FAILURES)
    result = stage.ask()
    assert result.state is MessageState.FAILED
    assert "failed several times in a row" in result.error
    assert "Try again in 15 seconds" in result.error
    assert len(stage.fake.bodies()) == FAILURES
    assert stage.gateway.breakers.resting() == (("compatible", "mine", REST_S),)
    assert stage.gauge().endswith(" 1.0")


def test_after_the_rest_one_trial_lets_all_go_again(stage):
    """When the time is over the provider is asked, and its answer closes the breaker."""
    stage.fail(FAILURES)
    stage.now += REST_S
    assert stage.ask().state is MessageState.COMPLETE
    assert stage.gateway.breakers.resting() == ()
    assert stage.gauge().endswith(" 0.0")


def test_a_trial_that_fails_begins_another_rest(stage):
    """One failure of the trial is enough for the next rest."""
    stage.fail(FAILURES)
    stage.now += REST_S
    stage.fail(1)
    assert "left alone" in stage.ask().error


def test_another_connection_is_not_in_its_way(stage):
    """Every connection has its own breaker: one that fails holds up no other of the same provider."""
    stage.fail(FAILURES)
    assert stage.ask("yours").state is MessageState.COMPLETE


@pytest.mark.parametrize("fault", [status(401), status(404), status(400)])
def test_a_provider_that_refuses_is_one_that_works(stage, fault):
    """A wrong key, a missing model or a refused request say nothing about the provider's health."""
    stage.fail(FAILURES, fault)
    assert stage.ask().state is MessageState.COMPLETE


def test_an_answer_between_failures_starts_the_count_anew(stage):
    """Only failures in a row count, and an answer that began and broke off later is none."""
    stage.fail(FAILURES - 1)
    stage.fake.faults.append(Fault(kind=FaultKind.CUT, after=4))
    assert stage.ask().text
    stage.fail(FAILURES - 1)
    assert stage.ask().state is MessageState.COMPLETE


def test_retries_end_when_the_breaker_opens(fake):
    """An answer that is waiting to be tried again does not go on against an open breaker."""

    async def pause(_seconds):
        """Wait for nothing."""

    gateway = ModelGateway(settings=bare_settings(request_retries=9), clock=lambda: NOW, outside=Outside(pause=pause))
    fake.faults.extend([status(500)] * 20)
    result = ended(gateway.start(make_request(fake.url + "/v1"), Ending()))
    gateway.close()
    assert "problem on its side" in (result.error or "")
    assert len(fake.bodies()) == FAILURES
