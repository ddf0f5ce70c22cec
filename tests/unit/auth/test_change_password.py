"""Changing one's own password, and ending one's other sessions."""

import pytest

from optimus.auth.hashing import PasswordHasher
from optimus.auth.service import AuthService
from optimus.errors import (
    ConflictError,
    InvalidCredentialsError,
    NotFoundError,
    PasswordRejectedError,
    PermissionDeniedError,
    SessionEndedError,
    SignInBusyError,
    TooManyAttemptsError,
)
from optimus.models import Principal, UserId, new_id
from tests.unit.auth.conftest import NETWORK, PASSWORD, sign_in

NEW = "kettle-orchard-17-windy lantern"


def enter(auth: AuthService, username: str = "ann", password: str = PASSWORD) -> tuple[str, Principal]:
    """Sign in; return the token and who it makes."""
    token = auth.open_session(sign_in(auth, username, password)).token
    principal = auth.principal(token)
    assert principal
    return token, principal


def change(auth: AuthService, principal: Principal, *, current: str = PASSWORD, new: str = NEW) -> str:
    """Change a password from the usual network; return the ticket of the session that follows."""
    return auth.change_password(principal, current=current, new=new, network=NETWORK)


def test_the_new_password_counts_and_the_old_one_no_longer(auth):
    """After the change only the new password signs in."""
    _, principal = enter(auth)
    change(auth, principal)
    with pytest.raises(InvalidCredentialsError):
        sign_in(auth)
    assert sign_in(auth, password=NEW)


def test_all_sessions_end_and_a_new_one_begins_here(auth, world):
    """Every browser of the account is signed out at once; this one goes on under an id that nobody knew before."""
    world.add_user(auth, "bob")
    others = [enter(auth)[0] for _ in range(2)]
    strangers, _ = enter(auth, "bob")
    token, principal = enter(auth)
    ticket = change(auth, principal)
    assert [auth.principal(other) for other in (*others, token)] == [None, None, None]
    fresh = auth.principal(auth.open_session(ticket).token)
    assert fresh.user_id == principal.user_id
    assert fresh.session_id != principal.session_id
    assert [session.id for session in auth.sessions(principal.user_id)] == [fresh.session_id]
    assert world.entries[-1].data["sessions_ended"] == 2
    assert auth.principal(strangers) is not None


def test_a_ticket_of_the_old_password_opens_nothing(auth):
    """Whoever signed in with the old password and has not opened the session yet is kept out."""
    _, principal = enter(auth)
    ticket = sign_in(auth)
    change(auth, principal)
    with pytest.raises(SessionEndedError):
        auth.open_session(ticket)


def test_a_sign_in_that_the_change_overtakes_fails(auth, monkeypatch):
    """An old password that is replaced while it is being verified leads to no session."""
    _, principal = enter(auth)
    verify = PasswordHasher.verify

    def overtaken(hasher, password, **stored):
        monkeypatch.setattr(PasswordHasher, "verify", verify)
        is_right = hasher.verify(password, **stored)
        auth.change_password(principal, current=PASSWORD, new=NEW, network="elsewhere")
        return is_right

    monkeypatch.setattr(PasswordHasher, "verify", overtaken)
    with pytest.raises(InvalidCredentialsError):
        sign_in(auth)
    assert auth.sessions(principal.user_id) == []


def test_a_session_that_ends_while_its_ticket_is_used_stays_ended(auth, world, monkeypatch):
    """Of a change and an opening at the same moment, the opening brings nothing back."""
    _, principal = enter(auth)
    ticket = sign_in(auth)
    take = world.accounts.take_ticket

    def overtaken(ticket_hash):
        taken = take(ticket_hash)
        session = world.accounts.session
        reads: list[str] = []

        def reading(session_id):
            found = session(session_id)
            if not reads:
                reads.append(session_id)
                change(auth, principal)
            return found

        monkeypatch.setattr(world.accounts, "session", reading)
        return taken

    monkeypatch.setattr(world.accounts, "take_ticket", overtaken)
    with pytest.raises(SessionEndedError):
        auth.open_session(ticket)


def test_a_wrong_current_password_changes_nothing_and_counts_like_a_sign_in(auth, world):
    """Five wrong ones, here and at the sign-in together, and both wait; the password stays as it was."""
    _, principal = enter(auth)
    for _ in range(3):
        with pytest.raises(InvalidCredentialsError) as caught:
            change(auth, principal, current="not the password at all")
        assert caught.value.user_message == "The current password is not right."
        world.clock.pass_(minutes=1.5)
    for _ in range(2):
        with pytest.raises(InvalidCredentialsError):
            sign_in(auth, password="wrong")
        world.clock.pass_(minutes=1.5)
    with pytest.raises(TooManyAttemptsError):
        change(auth, principal)
    with pytest.raises(TooManyAttemptsError):
        sign_in(auth)
    world.clock.pass_(minutes=15)
    assert sign_in(auth)


@pytest.mark.parametrize("new", ["short", "password password", "a" * 40, "ann-ann-ann-ann-ann", PASSWORD])
def test_a_new_password_that_cannot_be_taken_is_refused_before_anything_is_counted(auth, new):
    """The rules are those of the set-up, the present password is no new one, and such a try is none."""
    _, principal = enter(auth)
    for _ in range(6):
        with pytest.raises(PasswordRejectedError):
            change(auth, principal, new=new)
    assert change(auth, principal)


def test_an_overloaded_server_counts_no_failure(auth, monkeypatch):
    """Whoever is sent away because of load has all tries left, and the old password."""
    _, principal = enter(auth)

    def busy(*_, **__):
        raise SignInBusyError

    monkeypatch.setattr(PasswordHasher, "verify", busy)
    for _ in range(6):
        with pytest.raises(SignInBusyError):
            change(auth, principal)
    monkeypatch.undo()
    assert change(auth, principal)


def test_two_changes_at_once_make_one_password(auth, world, monkeypatch):
    """A change that another one overtook is refused; the other one counts."""
    _, principal = enter(auth)
    hash_password = PasswordHasher.hash

    def overtaken(hasher, password):
        monkeypatch.setattr(PasswordHasher, "hash", hash_password)
        change(auth, principal)
        return hasher.hash(password)

    monkeypatch.setattr(PasswordHasher, "hash", overtaken)
    with pytest.raises(ConflictError):
        change(auth, principal, new=NEW + " two")
    assert sign_in(auth, password=NEW)


def test_events_tell_of_the_change_and_hold_nothing_personal(auth, world):
    """A change and a failed try leave an entry in the audit log each, without any password, name or address."""
    _, principal = enter(auth)
    with pytest.raises(InvalidCredentialsError):
        change(auth, principal, current="secret-not-right-at-all")
    enter(auth)
    change(auth, principal)
    noted = [entry for entry in world.entries if "password" in entry.action]
    assert [entry.action for entry in noted] == ["auth.password_change_failed", "auth.password_changed"]
    assert {entry.subject for entry in noted} == {principal.user_id}
    assert noted[1].data["sessions_ended"] == 1
    text = "".join(entry.model_dump_json() for entry in noted)
    assert not any(word in text for word in ("secret", PASSWORD, NEW, "ann", NETWORK))


def test_a_one_time_code_is_not_changed_here(auth, world):
    """Whoever signed in with a one-time code chooses the first own password instead."""
    _, principal = enter(auth)
    stored = world.accounts.user(principal.user_id)
    world.accounts.update_user(stored.model_copy(update={"must_change_password": True}))
    with pytest.raises(PermissionDeniedError):
        change(auth, principal)


def test_an_account_that_is_gone_changes_nothing(auth):
    """A principal without an account is told that the session has ended."""
    _, principal = enter(auth)
    ghost = principal.model_copy(update={"user_id": UserId(new_id())})
    with pytest.raises(SessionEndedError):
        change(auth, ghost)
    with pytest.raises(SessionEndedError):
        auth.account(ghost)
    assert auth.account(principal).username == "ann"


def test_other_sessions_end_one_by_one_or_all_at_once(auth, world):
    """One's own sessions can be ended, all but this one together; nobody else's can."""
    world.add_user(auth, "bob")
    tokens = [enter(auth)[0] for _ in range(3)]
    token, principal = enter(auth)
    strangers, bob = enter(auth, "bob")
    first = auth.principal(tokens[0])
    with pytest.raises(NotFoundError):
        auth.end_session(bob.user_id, first.session_id)
    auth.end_session(principal.user_id, first.session_id)
    assert auth.principal(tokens[0]) is None
    assert auth.end_other_sessions(principal) == 2
    assert auth.end_other_sessions(principal) == 0
    assert [auth.principal(each) for each in tokens] == [None] * 3
    assert auth.principal(token) == principal
    assert auth.principal(strangers) == bob
    assert [entry.data.get("count") for entry in world.entries if entry.action == "auth.session_ended"] == [None, 2, 0]
