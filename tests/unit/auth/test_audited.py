"""What signing in and administration leave in the audit log, and what they do without it."""

from collections.abc import Callable

import pytest

from optimus.auth.service import AuthService
from optimus.errors import AlreadyExistsError, InvalidCredentialsError, StoreUnavailableError, TooManyAttemptsError
from optimus.models import Principal, Role, UserId
from tests.unit.auth.conftest import NETWORK, PASSWORD, World, sign_in


@pytest.fixture(name="admin")
def _admin(auth: AuthService, world: World) -> Principal:
    """Ada, an administrator who is signed in."""
    world.add_user(auth, "ada", Role.ADMIN)
    principal = auth.principal(auth.open_session(sign_in(auth, "ada")).token)
    assert principal
    return principal


@pytest.fixture(name="ann")
def _ann(world: World) -> UserId:
    """The id of ann, a user."""
    ann = world.accounts.user_by_name("ann")
    assert ann
    return ann.id


def failing(*_args: object, **_kwargs: object) -> None:
    """Stand in for an audit log that cannot be written."""
    raise StoreUnavailableError("down")


def test_the_failure_that_leads_to_a_wait_is_told(auth, world):
    """The fifth failure is followed by an entry about the wait; tries during it leave none."""
    for _ in range(7):
        with pytest.raises((InvalidCredentialsError, TooManyAttemptsError)):
            sign_in(auth, password="wrong")
        world.clock.pass_(seconds=61)
    actions = [entry.action for entry in world.entries]
    assert actions == ["auth.sign_in_failed"] * 5 + ["auth.locked_out"]


def test_without_an_audit_log_nobody_gets_in_and_failures_still_count(auth, world, monkeypatch):
    """A sign-in that cannot be recorded is refused; a failure is answered and counted as ever."""
    monkeypatch.setattr(world.audit, "_append", failing)
    with pytest.raises(StoreUnavailableError):
        sign_in(auth)
    for _ in range(2):
        with pytest.raises(InvalidCredentialsError):
            sign_in(auth, password="wrong")
    monkeypatch.undo()
    assert world.entries == []
    assert len(world.accounts.limit(auth._subject("ann", NETWORK).pair).failures) == 2


def test_an_act_that_cannot_be_recorded_is_not_done(auth, world, admin, ann, monkeypatch):
    """Without the audit log no role, lock, session or code changes, and nobody is added."""
    before = world.accounts.users()

    monkeypatch.setattr(world.audit, "_append", failing)
    acts: list[Callable[[], object]] = [
        lambda: auth.people.create(admin, username="bob", role=Role.USER),
        lambda: auth.people.change_role(admin, ann, Role.ADMIN),
        lambda: auth.people.lock(admin, ann),
        lambda: auth.people.unlock(admin, ann),
        lambda: auth.people.end_sessions(admin, ann),
        lambda: auth.people.reset_password(admin, ann),
        lambda: auth.create_admin(code=None, username="boss", password=PASSWORD),
    ]
    for act in acts:
        with pytest.raises(StoreUnavailableError):
            act()
    assert world.accounts.users() == before


def test_an_act_that_fails_after_all_is_told(auth, world, admin):
    """The entry was made before the act; when the act fails, another one says so."""
    with pytest.raises(AlreadyExistsError):
        auth.people.create(admin, username="ann", role=Role.USER)
    made, failed = world.entries[-2:]
    assert (made.action, failed.action) == ("admin.user_created", "admin.not_done")
    assert failed.data == {"record": made.seq}
    assert failed.actor == admin.user_id


def test_an_own_account_that_cannot_be_recorded_is_not_made(world, monkeypatch):
    """Without the audit log nobody registers."""
    world.add_user(world.service())
    before = world.accounts.users()
    registration = world.service().registration
    monkeypatch.setattr(registration, "_is_open", lambda: True)
    monkeypatch.setattr(world.audit, "_append", failing)
    with pytest.raises(StoreUnavailableError):
        registration._add("bob", PASSWORD)
    assert world.accounts.users() == before
