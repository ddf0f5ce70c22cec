"""The circuit breaker: when it opens, who may try, and when it closes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

import pytest

from optimus.breaker import Breaker, BreakerState


@dataclass
class Seconds:
    """A clock that is moved by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock():
    """The time."""
    return Seconds()


@pytest.fixture
def breaker(clock):
    """A breaker that opens at the third failure and rests for two seconds."""
    return Breaker(clock=clock, failures=3, rest_s=2.0)


def fail(breaker: Breaker, times: int) -> list[bool]:
    """Let calls fail; return which of them opened the breaker."""
    return [breaker.failed() for _ in range(times)]


def test_it_opens_at_the_last_failure_of_a_row(breaker):
    """Two failures change nothing, the third opens it, and exactly that one is told so."""
    assert fail(breaker, 2) == [False, False]
    assert breaker.admit()
    assert fail(breaker, 2) == [True, False]
    assert breaker.state is BreakerState.OPEN
    assert not breaker.admit()


def test_a_success_between_them_begins_the_count_anew(breaker):
    """Failures count in a row only."""
    fail(breaker, 2)
    breaker.succeeded()
    assert fail(breaker, 2) == [False, False]
    assert breaker.is_closed


def test_a_failure_may_count_for_more(breaker):
    """One call that took its whole time may weigh as much as several that were refused at once."""
    assert breaker.failed(weight=3)
    assert breaker.state is BreakerState.OPEN


def test_one_trial_goes_after_the_rest(breaker, clock):
    """Before the rest is over nobody goes, after it one does, and until it tells how it went nobody else."""
    fail(breaker, 3)
    assert breaker.wait_s() == 2.0
    clock.now += 1.9
    assert not breaker.admit()
    clock.now += 0.1
    assert breaker.wait_s() == 0.0
    assert [breaker.admit() for _ in range(3)] == [True, False, False]
    assert breaker.state is BreakerState.HALF_OPEN


def test_a_trial_that_works_closes_it_and_one_that_fails_opens_it_again(breaker, clock):
    """A failed trial costs another rest; it does not count as opening anew."""
    fail(breaker, 3)
    clock.now += 2
    assert breaker.admit()
    assert not breaker.failed()
    assert breaker.state is BreakerState.OPEN
    assert not breaker.admit()
    clock.now += 2
    assert breaker.admit()
    breaker.succeeded()
    assert breaker.is_closed
    assert breaker.wait_s() == 0.0
    assert fail(breaker, 2) == [False, False]


def test_a_trial_that_never_ends_does_not_keep_others_out(breaker, clock):
    """After another rest the next caller tries."""
    fail(breaker, 3)
    clock.now += 2
    assert breaker.admit()
    clock.now += 2
    assert breaker.admit()


def test_of_many_threads_one_opens_it_and_one_tries(breaker, clock):
    """Whatever runs side by side, each change of state belongs to one caller."""
    start = Barrier(8)

    def failing(_: int) -> bool:
        start.wait()
        opened: bool = breaker.failed()
        return opened

    def trying(_: int) -> bool:
        start.wait()
        admitted: bool = breaker.admit()
        return admitted

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(failing, range(8))) == 1
        clock.now += 2
        assert sum(threads.map(trying, range(8))) == 1
