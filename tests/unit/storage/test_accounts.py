from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from optimus.errors import AlreadyExistsError, ConflictError, NotFoundError
from optimus.models import Role, SessionId, User, UserId, UserStatus, new_id
from optimus.storage.records import CaptchaRecord, Connection, LimitRecord, StoredSession, StoredUser, Ticket
from tests.unit.storage.conftest import START

HOUR = timedelta(hours=1)


def stored_user(name: str = "Alice") -> StoredUser:
    """Return an account to store."""
    return StoredUser(
        id=UserId(new_id()),
        username=name,
        role=Role.USER,
        created_at=START,
        password_hash="$2b$hash",
        pepper_id="p1",
        password_changed_at=START,
    )


def session_of(user_id: UserId, **changes: Any) -> StoredSession:
    """Return a session to store."""
    session = StoredSession(
        id=SessionId(new_id()), user_id=user_id, created_at=START, seen_at=START, expires_at=START + HOUR
    )
    return session.model_copy(update=changes)


def ticket_for(user_id: UserId) -> Ticket:
    """Return a ticket to store."""
    return Ticket(hash="h", session_id=SessionId(new_id()), user_id=user_id, expires_at=START + HOUR)


def in_parallel(action: Callable[[int], Any], times: int = 8) -> list[Any]:
    """Return what `times` parallel calls return."""
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(action, range(times)))


def test_user_is_found_by_id_and_name_after_reopening(place, store):
    """A stored account is the same account after a restart, whichever way it is looked up."""
    user = stored_user()
    store.accounts.add_user(user)

    accounts = place.open().accounts

    assert accounts.user(user.id) == user
    assert accounts.user_by_name("aLiCe") == user
    assert accounts.users() == [user]
    assert accounts.count_users() == 1


def test_unknown_user_is_none(store):
    """Looking for an account that does not exist is no error."""
    assert store.accounts.user(new_id()) is None
    assert store.accounts.user_by_name("nobody") is None


@pytest.mark.parametrize("taken", ["Alice", "ALICE", "Ａlice"])
def test_name_is_unique_in_every_spelling(store, taken):
    """Names that differ only in case or in compatibility forms are one name."""
    store.accounts.add_user(stored_user("alice"))

    with pytest.raises(AlreadyExistsError):
        store.accounts.add_user(stored_user(taken))

    assert store.accounts.count_users() == 1


def test_one_of_parallel_registrations_wins(store):
    """Of any number of parallel accounts with one name exactly one is made."""

    def add(_):
        try:
            store.accounts.add_user(stored_user("racer"))
        except AlreadyExistsError:
            return 0
        return 1

    assert sum(in_parallel(add)) == 1
    assert store.accounts.count_users() == 1


def test_update_needs_the_version_that_was_read(place, store):
    """Of two changes to one version the second is refused, and nothing of it is stored."""
    user = stored_user()
    store.accounts.add_user(user)

    changed = store.accounts.update_user(user.model_copy(update={"role": Role.ADMIN}))
    with pytest.raises(ConflictError):
        store.accounts.update_user(user.model_copy(update={"status": UserStatus.LOCKED}))

    assert changed.version == user.version + 1
    assert place.open().accounts.user(user.id) == changed


def test_update_of_an_unknown_user_stores_nothing(store):
    """A change cannot bring an account into being."""
    with pytest.raises(ConflictError):
        store.accounts.update_user(stored_user())

    assert store.accounts.count_users() == 0


def test_password_hash_is_not_shown():
    """Neither the shown account nor the printed stored one holds the hash."""
    user = stored_user()

    assert "hash" not in repr(user)
    assert set(type(user.to_user()).model_fields) == set(User.model_fields)


def test_setup_has_one_live_claimant(store):
    """Under a race exactly one claims the set-up; giving it back lets the next one in."""
    claims = in_parallel(lambda number: store.accounts.claim_setup(f"token-{number}", 60))
    assert sum(claims) == 1

    store.accounts.release_setup("somebody else's")
    assert not store.accounts.claim_setup("late", 60)

    store.accounts.release_setup(f"token-{claims.index(True)}")
    assert store.accounts.claim_setup("late", 60)


def test_expired_setup_claim_is_taken_over(store, clock):
    """A claim whose process died does not block the set-up for ever."""
    assert store.accounts.claim_setup("dead", 60)
    clock.now += timedelta(minutes=2)

    assert sum(in_parallel(lambda number: store.accounts.claim_setup(f"next-{number}", 60))) == 1


def test_sessions_are_listed_and_ended(place, store, alice, bob):
    """A session lives until it is ended, one by one or all of a user."""
    first, second = session_of(alice), session_of(alice, created_at=START + HOUR)
    other = session_of(bob)
    for session in (second, first, other):
        store.accounts.save_session(session)
    assert store.accounts.sessions_of(alice) == [first, second]

    store.accounts.end_session(first.id)
    assert store.accounts.session(first.id) is None
    store.accounts.end_sessions_of(alice)

    accounts = place.open().accounts
    assert accounts.sessions_of(alice) == []
    assert accounts.session(other.id) == other


def test_touching_an_ended_session_does_not_revive_it(store, alice):
    """Noting activity changes a live session and never brings an ended one back."""
    session = session_of(alice)
    store.accounts.save_session(session)
    store.accounts.touch_session(session.id, START + HOUR)
    assert store.accounts.session(session.id).seen_at == START + HOUR

    store.accounts.end_session(session.id)
    store.accounts.touch_session(session.id, START + HOUR)

    assert store.accounts.session(session.id) is None


def test_session_id_of_another_user_is_not_overwritten(store, alice, bob):
    """Nobody can put their own session over another's id."""
    session = session_of(alice)
    store.accounts.save_session(session)

    with pytest.raises(AlreadyExistsError):
        store.accounts.save_session(session.model_copy(update={"user_id": bob}))

    assert store.accounts.session(session.id) == session


def test_ticket_is_used_once(store, alice):
    """Exactly one of any number of parallel takers gets a ticket."""
    ticket = ticket_for(alice)
    store.accounts.put_ticket(ticket)

    taken = in_parallel(lambda _: store.accounts.take_ticket("h"))

    assert [found for found in taken if found] == [ticket]
    assert store.accounts.take_ticket("h") is None


def test_expired_ticket_is_nobodys(store, clock, alice):
    """A ticket that has expired opens nothing."""
    store.accounts.put_ticket(ticket_for(alice))
    clock.now += 2 * HOUR

    assert store.accounts.take_ticket("h") is None


def test_limit_counts_lose_no_failure(place, store):
    """A count is stored only over the version that was read, so parallel failures all count."""
    assert store.accounts.limit("k") == LimitRecord(key="k")
    assert store.accounts.save_limit(LimitRecord(key="k", failures=(START,)))
    assert not store.accounts.save_limit(LimitRecord(key="k", failures=(START + HOUR,)))

    read = place.open().accounts.limit("k")
    assert read == LimitRecord(key="k", failures=(START,), version=1)
    assert place.store.accounts.save_limit(read.model_copy(update={"failures": (START, START)}))
    assert not place.store.accounts.save_limit(read)


def test_captcha_is_used_once(store, clock):
    """A check question answers one try, right or wrong, and none after its time."""
    captcha = CaptchaRecord(id="c", answer_hash="a", key="k", expires_at=START + HOUR)
    store.accounts.put_captcha(captcha)
    assert store.accounts.take_captcha("c") == captcha
    assert store.accounts.take_captcha("c") is None

    store.accounts.put_captcha(captcha.model_copy(update={"id": "late"}))
    clock.now += 2 * HOUR
    assert store.accounts.take_captcha("late") is None


def test_connection_belongs_to_its_owner(place, store, alice, bob):
    """A connection comes back with its key to its owner only, and only the owner removes it."""
    connection = Connection(
        id=new_id(), user_id=alice, provider="openai", label="Mine", api_key=SecretStr("sk-canary"), created_at=START
    )
    store.accounts.save_connection(connection)
    with pytest.raises(NotFoundError):
        store.accounts.save_connection(connection.model_copy(update={"user_id": bob}))
    with pytest.raises(NotFoundError):
        store.accounts.delete_connection(bob, connection.id)

    accounts = place.open().accounts
    assert accounts.connections(alice) == [connection]
    assert accounts.connections(bob) == []
    accounts.delete_connection(alice, connection.id)
    assert accounts.connections(alice) == []


def test_purge_removes_only_what_has_expired(store, clock, alice):
    """Cleaning up leaves what is still valid."""
    live = session_of(alice, expires_at=START + 9 * HOUR)
    for session in (live, session_of(alice)):
        store.accounts.save_session(session)
    store.accounts.put_ticket(ticket_for(alice))
    clock.now += 2 * HOUR

    assert store.accounts.purge_expired() == 2
    assert store.accounts.sessions_of(alice) == [live]
