"""The way to a server: what is tried again and how often, what is proven, and how a server that was away is found."""

from collections.abc import Callable, Iterator
from threading import Event

import pytest

from optimus.breaker import BreakerState
from optimus.errors import NotFoundError, StoreUnavailableError
from optimus.storage.link import ATTEMPTS, FAILURES, FIRST_WAIT_S, LONGEST_WAIT_S, QUICK_S, ServerLink

TIMEOUT_S = 10.0


class Server:
    """Fails as often as it is told, and remembers how long it was waited for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.outcomes: list[object] = []
        self.calls = 0
        self.takes_s = 0.0
        self.is_up = True
        self.back = Event()

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def call(self) -> object:
        self.calls += 1
        self.now += self.takes_s
        outcome = self.outcomes.pop(0) if self.outcomes else "done"
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def fail(self, times: int) -> None:
        self.outcomes += [StoreUnavailableError("away")] * times

    def reach(self) -> None:
        if not self.is_up:
            raise StoreUnavailableError("away")


@pytest.fixture
def server():
    """A server that answers."""
    return Server()


@pytest.fixture
def link(server) -> Iterator[ServerLink]:
    """The way to it, whose waiting takes no time."""
    link = ServerLink(reach=server.reach, timeout_s=TIMEOUT_S, clock=server.clock, wait=server.wait, rest_s=0.0)
    link.on_return(server.back.set)
    yield link
    link.close()


def test_a_call_is_tried_again_with_growing_pauses(server, link):
    """Three failures are survived; each pause is longer than the last, with jitter, and none is long."""
    server.fail(ATTEMPTS - 1)
    assert link.repeat(server.call) == "done"
    assert server.calls == ATTEMPTS
    first, second, third = server.waits
    assert FIRST_WAIT_S <= first < second < third <= LONGEST_WAIT_S
    assert first != FIRST_WAIT_S


def test_tries_are_bounded(server, link):
    """What fails every time fails for good after four tries."""
    server.fail(100)
    with pytest.raises(StoreUnavailableError):
        link.repeat(server.call)
    assert server.calls == ATTEMPTS


def test_a_refusal_is_an_answer(server, link):
    """It is not tried again, and it shows that the server is there."""
    server.fail(ATTEMPTS - 1)
    server.outcomes.append(NotFoundError("none"))
    with pytest.raises(NotFoundError):
        link.repeat(server.call)
    assert server.calls == ATTEMPTS
    server.fail(FAILURES - 1)
    for _ in range(FAILURES - 1):
        with pytest.raises(StoreUnavailableError):
            link.once(server.call)
    assert not link.is_away


def test_nothing_is_tried_again_after_the_calls_own_time(server, link):
    """A call that hung for its whole time fails at once: the person waits once, not four times."""
    server.takes_s = TIMEOUT_S
    server.fail(ATTEMPTS)
    with pytest.raises(StoreUnavailableError):
        link.repeat(server.call)
    assert server.calls == 1


def test_two_calls_that_hang_are_enough_to_stop_asking(server, link):
    """A server that takes connections and answers nothing costs its timeout twice, not with every page."""
    server.takes_s, server.is_up = TIMEOUT_S, False
    server.fail(2)
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            link.once(server.call)
    assert link.is_away


def test_while_it_is_away_calls_fail_at_once_and_its_return_is_noticed(server, link):
    """Nothing is sent meanwhile; the background finds it, tells who waits for it, and calls go again."""
    server.is_up = False
    server.fail(FAILURES)
    for _ in range(FAILURES):
        with pytest.raises(StoreUnavailableError):
            link.once(server.call)
    with pytest.raises(StoreUnavailableError, match="away"):
        link.repeat(server.call)
    assert server.calls == FAILURES
    assert link.breaker.state is not BreakerState.CLOSED
    server.is_up = True
    assert server.back.wait(10)
    assert link.repeat(server.call) == "done"


def test_who_waits_for_its_return_may_fail(server, link):
    """One that fails does not keep the others waiting, nor the server away."""
    told = Event()

    def failing() -> None:
        raise StoreUnavailableError("gone again")

    link.on_return(failing)
    link.on_return(told.set)
    server.fail(FAILURES)
    for _ in range(FAILURES):
        with pytest.raises(StoreUnavailableError):
            link.once(server.call)
    assert told.wait(10)
    assert not link.is_away


@pytest.mark.parametrize(
    ("outcomes", "read", "sent"),
    [
        ([], [], 1),
        (["lost"], ["applied"], 1),
        (["lost"], [None], 2),
        (["lost"], ["lost", None], 2),
        (["lost", "lost"], [None, "applied"], 2),
        (["lost"], ["lost", "applied"], 1),
    ],
    ids=str,
)
def test_a_doubtful_write_is_sent_again_only_after_a_read(server, link, outcomes, read, sent):
    """A lost answer is looked into first: what was applied is done, what was not is sent again."""
    server.outcomes = [StoreUnavailableError("lost") if each == "lost" else each for each in outcomes]

    def applied() -> object:
        found = read.pop(0)
        if found == "lost":
            raise StoreUnavailableError("lost")
        return found

    assert link.prove(server.call, applied) in ("done", "applied")
    assert server.calls == sent
    assert not read


def test_a_write_that_used_up_its_time_is_still_looked_into(server, link):
    """It is not sent again, but where it was applied it counts as done."""
    server.takes_s = TIMEOUT_S
    server.fail(1)
    assert link.prove(server.call, lambda: "applied") == "applied"
    server.fail(1)
    with pytest.raises(StoreUnavailableError):
        link.prove(server.call, lambda: None)
    assert server.calls == 2


def _slow(server: Server, seconds: float) -> Callable[[], object]:
    def read() -> object:
        server.calls += 1
        server.now += seconds
        raise StoreUnavailableError("no answer")

    return read


def test_a_server_that_hangs_is_away_after_one_read(server, link):
    """A first try without an answer, and none to a small question either: nothing is read with patience."""
    server.is_up = False
    with pytest.raises(StoreUnavailableError):
        link.read(_slow(server, QUICK_S), server.call, server.reach)
    assert server.calls == 1
    assert link.is_away
    assert server.now <= QUICK_S
    with pytest.raises(StoreUnavailableError):
        link.read(server.call, server.call, server.reach)
    assert server.calls == 1


def test_a_server_that_is_only_slow_is_waited_for(server, link):
    """Where it answers the small question, the read goes on with the time of any call."""
    assert link.read(_slow(server, QUICK_S), server.call, server.reach) == "done"
    assert not link.is_away


def test_a_read_that_fails_at_once_is_tried_again(server, link):
    """A connection that was refused says nothing of whether the server is there in a moment."""
    server.is_up = False
    assert link.read(_slow(server, 0.0), server.call, server.reach) == "done"


def test_a_closed_link_asks_nobody(server, link):
    """After the end nothing is sent, nothing is tried again, and nobody looks for the server."""
    link.close()
    calls: list[Callable[[], object]] = [lambda: link.once(server.call), lambda: link.repeat(server.call)]
    for call in calls:
        with pytest.raises(StoreUnavailableError, match="closed"):
            call()
    assert server.calls == 0
    assert server.waits == []
