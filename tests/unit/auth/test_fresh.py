"""The gravest acts need the acting admin's own password, given in this session in the last five minutes."""

import pytest

from optimus.errors import InvalidCredentialsError, PermissionDeniedError, TooManyAttemptsError
from optimus.models import Role, SessionId, new_id
from tests.unit.auth.conftest import NETWORK, PASSWORD, sign_in


@pytest.fixture(name="admin")
def _admin(auth, world):
    """Ada, an administrator who signed in six minutes ago."""
    world.add_user(auth, "ada", Role.ADMIN)
    principal = auth.principal(auth.open_session(sign_in(auth, "ada")).token)
    assert auth.proof.is_fresh(principal)
    world.clock.pass_(minutes=6)
    return principal


@pytest.fixture(name="grave")
def _grave(auth, admin, world):
    """Everything that needs a fresh proof, as calls."""
    ann = world.accounts.user_by_name("ann").id
    people = auth.people
    return {
        "make an admin": lambda: people.create(admin, username="new", role=Role.ADMIN),
        "promote": lambda: people.change_role(admin, ann, Role.ADMIN),
        "reset": lambda: people.reset_password(admin, ann),
    }


@pytest.mark.parametrize("act", ["make an admin", "promote", "reset"])
def test_grave_acts_wait_for_the_password(auth, world, admin, grave, act):
    """Six minutes after signing in they are refused and change nothing; with the password given again they work."""
    before = world.accounts.users()
    with pytest.raises(PermissionDeniedError) as caught:
        grave[act]()
    assert "password" in caught.value.user_message
    assert world.accounts.users() == before
    auth.proof.give(admin, password=PASSWORD, network=NETWORK)
    grave[act]()
    assert world.accounts.users() != before


def test_everything_else_goes_on_without(auth, world, admin):
    """Making a user, demoting, locking, unlocking and signing out need no second proof."""
    ann, people = world.accounts.user_by_name("ann").id, auth.people
    people.create(admin, username="new", role=Role.USER)
    people.change_role(admin, ann, Role.USER)
    people.lock(admin, ann)
    people.unlock(admin, ann)
    people.end_sessions(admin, ann)
    assert {user.username for user in world.accounts.users()} == {"ada", "ann", "new"}
    assert not auth.proof.is_fresh(admin)


def test_a_proof_counts_for_its_own_session_and_ten_minutes(auth, world, admin):
    """Another session of the same admin has its own; after five minutes it is used up."""
    auth.proof.give(admin, password=PASSWORD, network=NETWORK)
    other = admin.model_copy(update={"session_id": SessionId(new_id())})
    assert not auth.proof.is_fresh(other)
    ann = world.accounts.user_by_name("ann")
    assert not auth.proof.is_fresh(admin.model_copy(update={"user_id": ann.id}))
    world.clock.pass_(minutes=4)
    assert auth.proof.is_fresh(admin)
    world.clock.pass_(minutes=1)
    assert not auth.proof.is_fresh(admin)


def test_a_wrong_password_proves_nothing_and_counts_like_a_failed_sign_in(auth, world, admin):
    """Five wrong ones and the password is not looked at any more; the log has the failures without it."""
    for _ in range(5):
        with pytest.raises(InvalidCredentialsError):
            auth.proof.give(admin, password="not it at all", network=NETWORK)
    with pytest.raises(TooManyAttemptsError):
        auth.proof.give(admin, password=PASSWORD, network=NETWORK)
    assert not auth.proof.is_fresh(admin)
    noted = [entry for entry in world.entries if entry.action == "auth.proof_failed"]
    assert len(noted) == 5
    assert "not it at all" not in "".join(entry.model_dump_json() for entry in noted)


def test_a_one_time_code_proves_nothing_here(auth):
    """Whoever has still to choose a password cannot try any at this door."""
    principal = auth.principal(auth.open_session(sign_in(auth)).token)
    principal = principal.model_copy(update={"must_change_password": True})
    with pytest.raises(PermissionDeniedError):
        auth.proof.give(principal, password=PASSWORD, network=NETWORK)
