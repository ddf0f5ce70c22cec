from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter
from typing import Any

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimus.auth.captcha import CaptchaAnswer
from optimus.auth.hashing import PasswordHasher
from optimus.auth.service import AuthService
from optimus.errors import AuthError, CaptchaError, InvalidCredentialsError, SignInBusyError, TooManyAttemptsError
from optimus.models import UserStatus, new_id
from optimus.storage.store import open_memory_store
from tests.unit.auth.conftest import NETWORK, PASSWORD, HandClock, World, sign_in


@pytest.fixture(name="verifications")
def _verifications(monkeypatch):
    """Count what reaches bcrypt."""
    counted = []
    checkpw = bcrypt.checkpw

    def counting(password, stored):
        counted.append(stored[:7])
        return checkpw(password, stored)

    monkeypatch.setattr(bcrypt, "checkpw", counting)
    return counted


def _refusal(auth: AuthService, **rest: Any) -> AuthError:
    with pytest.raises(AuthError) as caught:
        sign_in(auth, **rest)
    return caught.value


@pytest.mark.parametrize("username", ["ann", "ANN", " Ann ", "Ａｎｎ"])
def test_the_right_password_gets_in(auth, username):
    """The name may be typed in any case and width."""
    assert auth.principal(auth.open_session(sign_in(auth, username=username)).token) is not None


def test_unknown_wrong_and_locked_are_one_answer_after_one_verification(auth, world, verifications):
    """Same error, same text, same amount of bcrypt: nothing tells which accounts exist."""
    locked = world.add_user(auth, "locked")
    world.change_user(locked, status=UserStatus.LOCKED)
    refusals = [
        _refusal(auth, username="nobody"),
        _refusal(auth, username="not a name"),
        _refusal(auth, password="wrong"),
        _refusal(auth, username="locked"),
        _refusal(auth, username="locked", password="wrong"),
    ]
    assert {type(refusal) for refusal in refusals} == {InvalidCredentialsError}
    assert len({(refusal.user_message, str(refusal)) for refusal in refusals}) == 1
    assert verifications == [b"$2b$04$"] * 5


@pytest.mark.deep
def test_unknown_and_wrong_take_the_same_time(world):
    """With bcrypt at a cost where it shows, the medians of the two differ by less than half of one verification."""
    auth = world.service()
    auth._hasher = PasswordHasher(pepper=world.keys.pepper, cost=8)
    world.add_user(auth)
    times: dict[str, list[float]] = {"ann": [], "nobody": []}
    for number in range(15):
        for username, taken in times.items():
            started = perf_counter()
            _refusal(auth, username=username, password="wrong", network=str(number))
            taken.append(perf_counter() - started)
    one_bcrypt = median(_verification_times(auth))
    assert abs(median(times["ann"]) - median(times["nobody"])) < one_bcrypt / 2


def _verification_times(auth: AuthService) -> Iterator[float]:
    for _ in range(10):
        started = perf_counter()
        auth._hasher.verify("x", stored=None, pepper_id=None)
        yield perf_counter() - started


def test_five_failures_and_then_a_wait_that_spares_bcrypt(auth, world, verifications):
    """The sixth try is refused before the password is looked at, even the right one; later it gets in."""
    for _ in range(5):
        assert isinstance(_refusal(auth, password="wrong"), InvalidCredentialsError)
        world.clock.pass_(minutes=1)
    refusal = _refusal(auth)
    assert isinstance(refusal, TooManyAttemptsError)
    assert refusal.retry_after_s == auth.retry_after("ann", NETWORK) == 10 * 60
    assert "10 minutes" in refusal.user_message
    assert auth.captcha_for("ann", NETWORK) is None
    assert len(verifications) == 5
    world.clock.pass_(minutes=10)
    assert sign_in(auth)


def test_a_live_session_survives_the_wait(auth):
    """Locking out whoever tries does not sign out whoever is in."""
    token = auth.open_session(sign_in(auth)).token
    for _ in range(3):
        _refusal(auth, password="wrong")
    assert auth.principal(token) is not None


@pytest.mark.parametrize("username", ["ann", "nobody"])
def test_two_hundred_parallel_wrong_tries_reach_bcrypt_at_most_five_times(auth, world, verifications, username):
    """The count is made before the verification, in this process and across processes."""
    services = [auth, world.service()]

    def one(number):
        return type(_refusal(services[number % 2], username=username, password="wrong"))

    with ThreadPoolExecutor(50) as pool:
        kinds = set(pool.map(one, range(200)))
    assert 1 <= len(verifications) <= 5
    assert kinds <= {InvalidCredentialsError, TooManyAttemptsError, CaptchaError, SignInBusyError}


def test_unknown_names_are_counted_like_known_ones(auth, world):
    """A wait or a question says nothing about an account's existence."""
    for username in ("ann", "nobody", "not a name", ""):
        for _ in range(5):
            assert isinstance(_refusal(auth, username=username, password="wrong"), InvalidCredentialsError)
            world.clock.pass_(minutes=1)
        assert isinstance(_refusal(auth, username=username), TooManyAttemptsError)


def test_an_overloaded_server_counts_no_failure(auth, monkeypatch):
    """Whoever is sent away because of load has all tries left."""

    def busy(*_, **__):
        raise SignInBusyError

    monkeypatch.setattr(auth._hasher, "verify", busy)
    for _ in range(10):
        assert isinstance(_refusal(auth), SignInBusyError)
    monkeypatch.undo()
    assert sign_in(auth)


def test_events_tell_what_happened_and_nothing_personal(auth, world):
    """Audit events name the account by id; no password, typed name or address is in them."""
    _refusal(auth, username="secret-nobody", password="secret-password", network="203.0.113.99")
    _refusal(auth, password="secret-password", network="203.0.113.99")
    token = auth.open_session(sign_in(auth)).token
    principal = auth.principal(token)
    auth.sign_out(principal.session_id)
    auth.sign_out(principal.session_id)
    actions = [entry.action for entry in world.entries]
    assert actions == ["auth.sign_in_failed", "auth.sign_in_failed", "auth.signed_in", "auth.signed_out"]
    assert [entry.subject for entry in world.entries] == [None, *[principal.user_id] * 3]
    text = "".join(entry.model_dump_json() for entry in world.entries)
    assert not any(word in text for word in ("secret", "203.0.113", "ann", NETWORK))


hostile = st.one_of(
    st.text(max_size=60),
    st.text(st.characters(categories=["Cs", "Cc", "Cf", "Co", "Cn", "Mn"]), max_size=40),
    st.sampled_from(["", "\x00", "*", "' OR 1=1 --", "../../etc/passwd", "ann\x00", "x" * 1_000_000, "\ud800", "ann"]),
)


@pytest.fixture(scope="module", name="open_auth")
def _open_auth():
    """One world for all examples; each has its own network, so that no example is shut out by others."""
    clock = HandClock()
    store = open_memory_store(clock=clock)
    world = World(accounts=store.accounts, clock=clock, audit=store.audit)
    auth = world.service()
    world.add_user(auth)
    yield auth
    store.close()


@settings(max_examples=60, deadline=None)
@given(username=hostile, password=hostile, network=hostile, answer=hostile, user_agent=hostile)
def test_hostile_input_never_gets_in_and_never_raises_anything_else(
    open_auth, username, password, network, answer, user_agent
):
    """Whatever is typed or sent ends in an error of signing in, with a sentence for the screen."""
    captcha = CaptchaAnswer(id=answer, answer=answer)
    refusal = _refusal(
        open_auth,
        username=username,
        password=password,
        network=network + new_id(),
        captcha=captcha,
        user_agent=user_agent,
    )
    assert refusal.user_message
    open_auth.captcha_for(username, network)
    open_auth.retry_after(username, network)


def test_the_right_password_among_hostile_company_still_works(open_auth):
    """The fuzz ran against a service in which signing in is possible."""
    assert sign_in(open_auth, password=PASSWORD, network="quiet")
