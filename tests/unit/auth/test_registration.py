"""Own accounts: only while an admin has it open, only users, few from one network, each name once."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from optimus.auth.captcha import CaptchaAnswer
from optimus.auth.limits import MAX_FAILURES, WINDOW
from optimus.auth.service import AuthService
from optimus.errors import (
    AlreadyExistsError,
    CaptchaError,
    InvalidInputError,
    OptimusError,
    PasswordRejectedError,
    PermissionDeniedError,
    TooManyAttemptsError,
)
from optimus.models import Role
from optimus.settings import Settings
from tests.unit.auth.conftest import COST, NETWORK

SETTINGS = Settings.model_validate({"setup_code": None, "session_profile": "default", "max_sessions": 5})
OWN = "granite-otter-58-lantern plum"


class Door:
    """Whether registration is open, as a test wants it."""

    is_open = True

    def __call__(self) -> bool:
        """Tell it."""
        return self.is_open


@pytest.fixture(name="door")
def _door() -> Door:
    return Door()


@pytest.fixture(name="open_auth")
def _open_auth(auth, world, door: Door):
    """A service with one account, ann, whose registration is open."""
    return AuthService(
        accounts=world.accounts,
        keys=world.keys,
        settings=SETTINGS,
        clock=world.clock,
        password_cost=COST,
        audit=world.audit,
        is_registration_open=door,
    )


def answered(auth, network: str = NETWORK):
    """Return the right answer to the question of a network."""
    challenge = auth.registration.ask(network)
    found = re.search(r"(\d+) (plus|minus|times) (\d+)", challenge.question)
    assert found
    left, sign, right = found.groups()
    results = {"plus": int(left) + int(right), "minus": int(left) - int(right), "times": int(left) * int(right)}
    return CaptchaAnswer(id=challenge.id, answer=str(results[sign]))


def register(auth, username: str = "bob", password: str = OWN, network: str = NETWORK, **rest):
    """Register with the right answer where nothing else is said; return the ticket."""
    captcha = rest["captcha"] if "captcha" in rest else answered(auth, network)
    return auth.register(username=username, password=password, network=network, captcha=captcha, user_agent="")


def test_whoever_registers_is_a_user_and_signed_in(open_auth, world):
    """The ticket opens a session of a user, never of an admin; the log has the account and no name."""
    principal = open_auth.principal(open_auth.open_session(register(open_auth)).token)
    assert (principal.username, principal.role, principal.must_change_password) == ("bob", Role.USER, False)
    noted = next(entry for entry in world.entries if entry.action == "auth.registered")
    assert noted.subject == principal.user_id
    assert "bob" not in noted.model_dump_json()


def test_closed_is_closed(auth, open_auth, world, door):
    """By default, and from the moment an admin closes it, whoever sends the form is refused and nothing is counted."""
    door.is_open = False
    for service in (auth, open_auth):
        assert not service.registration.is_open()
        with pytest.raises(PermissionDeniedError):
            register(service)
    assert world.accounts.count_users() == 1


def test_closing_it_while_somebody_registers_keeps_them_out(open_auth, world, door, monkeypatch):
    """It is asked again right before the account is stored."""
    hashed = open_auth._hasher.hash

    def closing(password):
        door.is_open = False
        return hashed(password)

    monkeypatch.setattr(open_auth._hasher, "hash", closing)
    with pytest.raises(PermissionDeniedError):
        register(open_auth)
    assert world.accounts.count_users() == 1


def test_nobody_registers_before_the_first_admin(world, door):
    """On an empty Optimus the set-up comes first, whatever the setting is."""
    empty = AuthService(
        accounts=world.accounts,
        keys=world.keys,
        settings=SETTINGS,
        clock=world.clock,
        password_cost=COST,
        audit=world.audit,
        is_registration_open=door,
    )
    with pytest.raises(PermissionDeniedError):
        register(empty)
    assert empty.needs_setup()


@pytest.mark.parametrize(
    ("username", "password", "error"),
    [
        ("", OWN, InvalidInputError),
        ("x" * 10_000, OWN, InvalidInputError),
        ("bob", "short", PasswordRejectedError),
        ("bobby-the-great-one", "bobby-the-great-one", PasswordRejectedError),
        ("bob", "a\0b" * 10, PasswordRejectedError),
    ],
    ids=["no name", "endless name", "short", "like the name", "control characters"],
)
def test_the_rules_are_those_of_the_set_up_and_such_a_try_is_none(open_auth, username, password, error):
    """What cannot be taken as typed uses neither the question nor a try up."""
    captcha = answered(open_auth)
    for _ in range(MAX_FAILURES + 1):
        with pytest.raises(error):
            register(open_auth, username, password, captcha=captcha)
    register(open_auth, captcha=captcha)


def test_the_question_is_asked_every_time_and_answered_once(open_auth, world):
    """Without, with a wrong and with a used answer nothing is made."""
    right = answered(open_auth)
    register(open_auth, captcha=right)
    challenge = open_auth.registration.ask(NETWORK)
    for captcha in (None, right, CaptchaAnswer(id=challenge.id, answer="no"), CaptchaAnswer(id="x", answer="1")):
        with pytest.raises(CaptchaError):
            register(open_auth, "eve", captcha=captcha)
    assert world.accounts.count_users() == 2


def test_one_network_makes_few_accounts_and_no_other_one_waits(open_auth, world):
    """Five tries in a quarter of an hour, whatever comes of them; then it waits, and only it."""
    for number in range(MAX_FAILURES - 1):
        register(open_auth, f"user{number}")
    with pytest.raises(AlreadyExistsError):
        register(open_auth, "ANN")
    with pytest.raises(TooManyAttemptsError):
        register(open_auth, "late")
    register(open_auth, "elsewhere", network="198.51.100.9")
    world.clock.pass_(seconds=WINDOW.total_seconds() + 1)
    register(open_auth, "late")


def test_of_many_who_want_one_name_at_the_same_moment_one_gets_it(open_auth, world):
    """The name is taken by the store's own insert, not by a look before it."""
    captchas = [(f"198.51.100.{n}", answered(open_auth, f"198.51.100.{n}")) for n in range(8)]

    def attempt(door: tuple[str, CaptchaAnswer]) -> bool:
        try:
            register(open_auth, "Zoe", network=door[0], captcha=door[1])
        except OptimusError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, captchas)) == 1
    assert sorted(user.username for user in world.accounts.users()) == ["Zoe", "ann"]
