import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from optimus.auth.limits import ACCOUNT_FAILURES, MAX_FAILURES, AttemptLimiter, Subject
from optimus.auth.turns import Turns
from optimus.errors import SignInBusyError, TooManyAttemptsError


@pytest.fixture(name="limiter")
def _limiter(world):
    return AttemptLimiter(accounts=world.accounts, key=b"k" * 32, clock=world.clock)


def _fail(limiter: AttemptLimiter, subject: Subject) -> None:
    limiter.refuse_while_waiting(subject)
    limiter.reserve(subject)
    limiter.confirm(subject)


def _is_refused(limiter: AttemptLimiter, subject: Subject) -> bool:
    try:
        limiter.refuse_while_waiting(subject)
    except TooManyAttemptsError:
        return True
    return False


def test_the_sixth_failure_within_the_window_is_refused(limiter, world):
    """Five failures in 15 minutes, then a wait whose length is told, then a fresh start."""
    ann = limiter.subject("ann", "net")
    for _ in range(MAX_FAILURES):
        _fail(limiter, ann)
    with pytest.raises(TooManyAttemptsError) as caught:
        limiter.reserve(ann)
    assert caught.value.retry_after_s == 15 * 60
    assert limiter.wait_s(ann) == 15 * 60
    world.clock.pass_(minutes=14, seconds=59)
    assert limiter.wait_s(ann) == 1
    world.clock.pass_(seconds=1)
    assert limiter.wait_s(ann) == 0
    limiter.reserve(ann)


def test_the_window_slides(limiter, world):
    """At no time are there more than five failures in any 15 minutes."""
    ann = limiter.subject("ann", "net")
    made = []
    for _ in range(200):
        if not _is_refused(limiter, ann):
            _fail(limiter, ann)
            made.append(world.clock.now)
        world.clock.pass_(seconds=30)
    for start in made:
        assert sum(start <= at < start + timedelta(minutes=15) for at in made) <= MAX_FAILURES


def test_tries_while_waiting_do_not_prolong_the_wait(limiter, world):
    """Knocking at a closed door changes nothing."""
    ann = limiter.subject("ann", "net")
    for _ in range(MAX_FAILURES):
        _fail(limiter, ann)
    for _ in range(89):
        world.clock.pass_(seconds=10)
        assert _is_refused(limiter, ann)
    world.clock.pass_(seconds=10)
    assert not _is_refused(limiter, ann)


def test_another_network_and_another_account_are_free(limiter):
    """The strict count belongs to the pair of account and network."""
    for _ in range(MAX_FAILURES):
        _fail(limiter, limiter.subject("ann", "net"))
    assert not _is_refused(limiter, limiter.subject("ann", "other"))
    assert not _is_refused(limiter, limiter.subject("bob", "net"))
    assert not _is_refused(limiter, limiter.subject("ann", "net", purpose="set-up"))


def test_a_success_clears_the_pair(limiter):
    """After a success five more failures are allowed, and no check question is asked."""
    ann = limiter.subject("ann", "net")
    for _ in range(4):
        _fail(limiter, ann)
    assert limiter.needs_check(ann)
    limiter.reserve(ann)
    limiter.clear(ann)
    assert not limiter.needs_check(ann)
    for _ in range(MAX_FAILURES):
        _fail(limiter, ann)


def test_a_try_that_was_never_judged_can_be_taken_back(limiter):
    """An overloaded server does not eat up tries."""
    ann = limiter.subject("ann", "net")
    for _ in range(20):
        limiter.refund(limiter.reserve(ann))
    assert limiter.wait_s(ann) == 0
    assert not limiter.needs_check(ann)


def test_the_count_outlives_the_process(limiter, world):
    """The counts are in the store, so a restart gives no fresh tries."""
    for _ in range(MAX_FAILURES):
        _fail(limiter, limiter.subject("ann", "net"))
    restarted = AttemptLimiter(accounts=world.accounts, key=b"k" * 32, clock=world.clock)
    assert _is_refused(restarted, restarted.subject("ann", "net"))


def test_parallel_reservations_never_exceed_the_limit(limiter):
    """The count is a compare-and-set in the store: of 60 parallel tries exactly five get through."""
    ann = limiter.subject("ann", "net")

    def one(_):
        try:
            limiter.reserve(ann)
        except TooManyAttemptsError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(one, range(60))) == MAX_FAILURES


def test_many_networks_slow_the_account_down_with_growing_waits(limiter, world):
    """From 50 failures in an hour on, every further network has to wait, longer and longer, up to 15 minutes."""
    for number in range(ACCOUNT_FAILURES):
        _fail(limiter, limiter.subject("ann", f"net {number}"))
    waits = []
    for number in range(30):
        newcomer = limiter.subject("ann", f"new {number}")
        wait = limiter.wait_s(newcomer)
        waits.append(wait)
        world.clock.pass_(seconds=wait)
        _fail(limiter, newcomer)
    assert waits[0] == 60
    assert max(waits) > 60
    assert max(waits) <= 15 * 60
    assert limiter.wait_s(limiter.subject("bob", "new")) == 0


def test_a_known_network_does_not_notice_the_attack(limiter, world):
    """Whoever signed in from a network before is not shut out by failures from elsewhere, for half a year."""
    home = limiter.subject("ann", "home")
    limiter.reserve(home)
    limiter.clear(home)
    world.clock.pass_(days=100)
    for number in range(ACCOUNT_FAILURES + 20):
        subject = limiter.subject("ann", f"net {number}")
        limiter.reserve(subject)
        limiter.confirm(subject)
    assert limiter.wait_s(limiter.subject("ann", "elsewhere")) > 0
    assert limiter.wait_s(home) == 0
    world.accounts.purge_expired()
    assert limiter.wait_s(home) == 0


def test_an_attacker_on_one_network_never_locks_the_owner_out(limiter, world):
    """Ten tries a second for 20 minutes from elsewhere: the owner, from a new network even, gets in every time."""
    attacker = limiter.subject("ann", "attacker")
    shut_out = 0
    for second in range(20 * 60):
        for _ in range(10 if second % 60 == 0 else 1):
            if not _is_refused(limiter, attacker):
                _fail(limiter, attacker)
        shut_out += _is_refused(limiter, limiter.subject("ann", "owner")) if second % 20 == 0 else 0
        world.clock.pass_(seconds=1)
    assert shut_out == 0


def test_the_store_learns_no_name_and_no_address(limiter):
    """The keys are keyed hashes: another key gives others, and neighbouring parts cannot be shifted."""
    ann = limiter.subject("ann", "192.0.2.7")
    assert "ann" not in json.dumps([ann.pair, ann.account, ann.known])
    assert len({ann.pair, ann.account, ann.known}) == 3
    assert limiter.subject("ann1", "92.0.2.7").pair != limiter.subject("ann", "192.0.2.7").pair
    assert limiter.subject("a\x1fb", "c").pair != limiter.subject("a", "b\x1fc").pair
    limiter.subject("\ud800", "\ud800")


def test_a_clock_set_back_does_not_lock_for_ever(limiter, world):
    """Failures from a future far away do not count."""
    ann = limiter.subject("ann", "net")
    for _ in range(MAX_FAILURES):
        _fail(limiter, ann)
    world.clock.pass_(days=-365)
    assert limiter.wait_s(ann) == 0


def test_waiting_for_a_turn_is_bounded_and_leaves_nothing_behind():
    """Beyond the allowed number the next one is sent away, and an idle key costs no memory."""
    turns = Turns(max_waiting=0)
    with turns.hold("ann"), pytest.raises(SignInBusyError), turns.hold("ann"):
        pass
    with turns.hold("ann"), turns.hold("bob"):
        pass
    assert turns._turns == {}
