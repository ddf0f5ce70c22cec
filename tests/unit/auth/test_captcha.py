from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from optimus.auth.captcha import LIFETIME, CaptchaAnswer, CaptchaChallenge, CaptchaDesk
from optimus.auth.service import AuthService
from optimus.errors import CaptchaError, InvalidCredentialsError
from tests.unit.auth.conftest import NETWORK, sign_in

_SIGNS = {"plus": int.__add__, "minus": int.__sub__, "times": int.__mul__}


def _solve(challenge: CaptchaChallenge, change: int = 0) -> CaptchaAnswer:
    first, sign, second = challenge.question.removeprefix("What is ").removesuffix("?").split()
    return CaptchaAnswer(id=challenge.id, answer=str(_SIGNS[sign](int(first), int(second)) + change))


def _fail(auth: AuthService, times: int = 1, **rest: Any) -> None:
    for _ in range(times):
        with pytest.raises(InvalidCredentialsError):
            sign_in(auth, password="wrong", **rest)


@pytest.fixture(name="desk")
def _desk(world):
    return CaptchaDesk(accounts=world.accounts, key=b"k" * 32, clock=world.clock)


def _is_taken(desk: CaptchaDesk, answer: CaptchaAnswer | None, subject: str = "ann") -> bool:
    try:
        desk.check(answer, subject)
    except CaptchaError:
        return False
    return True


def test_questions_are_solvable_and_differ(desk):
    """Each question is a small sum in words whose right answer is taken."""
    questions = set()
    for number in range(60):
        challenge = desk.ask(f"subject {number}")
        questions.add(challenge.question)
        assert _is_taken(desk, _solve(challenge), f"subject {number}")
    assert len(questions) > 20


def test_an_answer_is_taken_once(desk):
    """A replayed answer is refused, also by another process."""
    answer = _solve(desk.ask("ann"))
    assert _is_taken(desk, answer)
    assert not _is_taken(desk, answer)


def test_of_parallel_answers_one_is_taken(desk):
    """Twenty tries cannot share one answer."""
    answer = _solve(desk.ask("ann"))
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: _is_taken(desk, answer), range(20))) == 1


def test_a_wrong_answer_uses_the_question_up(desk):
    """Guessing on at the same question is impossible; the next question is another one."""
    challenge = desk.ask("ann")
    assert not _is_taken(desk, _solve(challenge, change=1))
    assert not _is_taken(desk, _solve(challenge))
    assert desk.ask("ann").id != challenge.id


def test_an_answer_serves_only_whom_it_was_asked(desk):
    """The question is bound to account and network."""
    assert not _is_taken(desk, _solve(desk.ask("ann")), "bob")


def test_a_question_expires(desk, world):
    """After five minutes the answer is worth nothing, and a new question is asked."""
    challenge = desk.ask("ann")
    world.clock.now += LIFETIME
    assert not _is_taken(desk, _solve(challenge))
    assert desk.ask("ann").id != challenge.id


def test_the_open_question_stays_the_same(desk):
    """Drawing the form again does not change the question under the reader's eyes."""
    assert desk.ask("ann") == desk.ask("ann")
    assert desk.ask("bob") != desk.ask("ann")


@pytest.mark.parametrize("answer", ["", "x", "-1", "\ud800", "\x00", "9" * 10_000, "٣²", "1e3"])
def test_hostile_answers_are_wrong_ones(desk, answer):
    """Nothing that is typed as an answer raises anything but the check error."""
    assert not _is_taken(desk, CaptchaAnswer(id=desk.ask("ann").id, answer=answer))
    assert not _is_taken(desk, CaptchaAnswer(id=answer, answer="1"))
    assert not _is_taken(desk, None)


@pytest.mark.parametrize("form", [" {} ", "0{}", "\t{}\n"])
def test_the_way_an_answer_is_written_does_not_matter(desk, form):
    """Spaces and leading zeros are no mistakes."""
    answer = _solve(desk.ask("ann"))
    assert _is_taken(desk, CaptchaAnswer(id=answer.id, answer=form.format(answer.answer)))


def test_after_three_failures_the_password_alone_is_not_enough(auth):
    """The fourth try needs an answer; with it the right password gets in."""
    assert auth.captcha_for("ann", NETWORK) is None
    _fail(auth, 3)
    with pytest.raises(CaptchaError):
        sign_in(auth)
    challenge = auth.captcha_for("Ann", NETWORK)
    assert challenge is not None
    assert sign_in(auth, captcha=_solve(challenge))
    assert auth.captcha_for("ann", NETWORK) is None


def test_a_new_session_or_a_restart_does_not_skip_the_question(auth, world):
    """The need for an answer is in the store, not in the visitor's session or in this process."""
    _fail(auth, 3)
    restarted = world.service()
    with pytest.raises(CaptchaError):
        sign_in(restarted)
    assert restarted.captcha_for("ann", NETWORK) is not None


def test_the_answer_of_another_network_does_not_help(auth):
    """A question that was asked elsewhere cannot be used here."""
    _fail(auth, 3)
    _fail(auth, 3, network="198.51.100.1")
    elsewhere = auth.captcha_for("ann", "198.51.100.1")
    with pytest.raises(CaptchaError):
        sign_in(auth, captcha=_solve(elsewhere))


def test_waiting_a_minute_replaces_the_answer(auth, world):
    """Nobody has to solve a sum: 60 seconds after the last failure a try without it is allowed."""
    _fail(auth, 3)
    world.clock.pass_(seconds=59)
    with pytest.raises(CaptchaError):
        sign_in(auth)
    world.clock.pass_(seconds=1)
    assert auth.captcha_for("ann", NETWORK) is None
    assert sign_in(auth)


def test_missing_answers_count_as_no_failure(auth):
    """Tries without an answer use up none of the five."""
    _fail(auth, 3)
    for _ in range(10):
        with pytest.raises(CaptchaError):
            sign_in(auth)
    assert auth.retry_after("ann", NETWORK) == 0


def test_unknown_users_are_asked_in_the_same_way(auth):
    """The question does not tell whether an account exists."""
    _fail(auth, 3, username="nobody")
    with pytest.raises(CaptchaError):
        sign_in(auth, username="nobody")
    assert auth.captcha_for("nobody", NETWORK) is not None
