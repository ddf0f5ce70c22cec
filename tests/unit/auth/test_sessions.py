from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from unittest.mock import Mock

import pytest

from optimus.auth.sessions import LIFETIMES, browser_name
from optimus.auth.tokens import TokenSigner
from optimus.errors import NotFoundError, SessionEndedError, StoreError, StoreUnavailableError
from optimus.models import Role, SessionId, UserId, UserStatus, new_id
from optimus.storage.accounts import AccountRepository
from tests.unit.auth.conftest import session_of, sign_in

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(name="token")
def _token(auth):
    return auth.open_session(sign_in(auth)).token


def test_a_session_tells_who_acts(auth, token):
    """The principal has the account's id, shown name and role, and the id of the session."""
    principal = auth.principal(token)
    assert principal is not None
    assert (principal.username, principal.role) == ("ann", Role.USER)
    assert [session.id for session in auth.sessions(principal.user_id)] == [principal.session_id]


@pytest.mark.parametrize("token", [None, "", "x", "a.b.c", "\ud800", "x" * 1_000_000])
def test_without_a_good_token_nobody_acts(auth, token):
    """No cookie and a nonsense cookie are the same: signed out."""
    assert auth.principal(token) is None


def test_a_ticket_opens_one_session_once(auth):
    """Of ten parallel exchanges of one ticket exactly one gets a token."""
    ticket = sign_in(auth)

    def exchange(_):
        try:
            return auth.open_session(ticket)
        except SessionEndedError:
            return None

    with ThreadPoolExecutor(8) as pool:
        tokens = [token for token in pool.map(exchange, range(10)) if token]
    assert len(tokens) == 1
    assert auth.principal(tokens[0].token) is not None


def test_a_ticket_dies_after_thirty_seconds(auth, world):
    """Late exchanges are refused with a sentence that says what to do."""
    in_time, late = sign_in(auth), sign_in(auth)
    world.clock.pass_(seconds=29)
    assert auth.open_session(in_time)
    world.clock.pass_(seconds=1)
    with pytest.raises(SessionEndedError) as caught:
        auth.open_session(late)
    assert "sign in again" in caught.value.user_message


@pytest.mark.parametrize("ticket", ["", "x", "\ud800", "\x00", "x" * 1_000_000])
def test_hostile_tickets_are_refused(auth, ticket):
    """What the exchange route may be sent never raises anything else."""
    with pytest.raises(SessionEndedError):
        auth.open_session(ticket)


def test_the_store_holds_no_ticket(auth, world):
    """Only the hash of a ticket is stored, so a reader of the store cannot open a session."""
    ticket = sign_in(auth)
    assert world.accounts.take_ticket(ticket) is None
    assert auth.open_session(ticket)


def test_an_unused_ticket_leaves_no_session(auth, world, token):
    """A sign-in that never comes back shows nowhere, ends nobody's session and is purged."""
    principal = auth.principal(token)
    for _ in range(10):
        sign_in(auth)
    assert [session.id for session in auth.sessions(principal.user_id)] == [principal.session_id]
    world.clock.pass_(minutes=1)
    world.accounts.purge_expired()
    assert len(world.accounts.sessions_of(principal.user_id)) == 1
    assert auth.principal(token) is not None


def test_a_prepared_session_is_no_session_yet(auth, world):
    """A token that names a session whose ticket was not exchanged is refused."""
    sign_in(auth)
    user = world.accounts.user_by_name("ann")
    (prepared,) = world.accounts.sessions_of(user.id)
    signer = TokenSigner(key=world.keys.jwt, clock=world.clock)
    token = signer.sign(session_id=prepared.id, user_id=user.id, expires_at=world.clock.now + timedelta(days=1))
    assert auth.principal(token) is None


def test_each_sign_in_has_a_new_session_id(auth):
    """No id survives signing in again."""
    ids = {session_of(auth, auth.open_session(sign_in(auth)).token) for _ in range(4)}
    assert len(ids) == 4


def test_signing_out_ends_the_session_and_no_other(auth, token):
    """A replayed cookie of an ended session proves nothing; signing out twice is no error."""
    other = auth.open_session(sign_in(auth)).token
    session_id = session_of(auth, token)
    auth.sign_out(session_id)
    auth.sign_out(session_id)
    assert auth.principal(token) is None
    assert auth.principal(other) is not None


def test_a_session_belongs_to_its_user(auth, world, token):
    """A well-signed token that pairs a session with another user is refused."""
    bob = world.add_user(auth, "bob")
    signer = TokenSigner(key=world.keys.jwt, clock=world.clock)
    ends = world.clock.now + timedelta(days=1)
    assert auth.principal(signer.sign(session_id=session_of(auth, token), user_id=bob.id, expires_at=ends)) is None
    assert auth.principal(signer.sign(session_id=SessionId(new_id()), user_id=bob.id, expires_at=ends)) is None


@pytest.mark.parametrize("profile", ["default", "strict"])
def test_an_unused_session_ends(world, profile):
    """Idle: 7 days by default, 30 minutes when strict, counted from the last use."""
    auth = world.service(session_profile=profile)
    world.add_user(auth)
    token = auth.open_session(sign_in(auth)).token
    idle = LIFETIMES[profile].idle
    world.clock.now += idle - timedelta(seconds=1)
    assert auth.principal(token) is not None
    world.clock.now += idle - timedelta(seconds=1)
    assert auth.principal(token) is not None
    world.clock.now += idle
    assert auth.principal(token) is None


def test_a_page_that_only_looks_keeps_no_session_alive(auth, world, token):
    """Whoever leaves a page open, which looks every half minute, is signed out as if it were closed."""
    world.clock.pass_(minutes=29)
    strict = world.service(session_profile="strict")
    assert strict.principal(token, is_use=False) is not None
    world.clock.pass_(minutes=1)
    assert strict.principal(token, is_use=False) is None


@pytest.mark.parametrize(("profile", "absolute"), [("default", timedelta(days=30)), ("strict", timedelta(hours=12))])
def test_a_used_session_ends_as_well(world, profile, absolute):
    """Absolute: 30 days by default, 12 hours when strict, however busy the session is."""
    auth = world.service(session_profile=profile)
    world.add_user(auth)
    opened = auth.open_session(sign_in(auth))
    assert opened.max_age_s == absolute.total_seconds()
    started = world.clock.now
    while world.clock.now + LIFETIMES[profile].idle / 2 < started + absolute:
        world.clock.now += LIFETIMES[profile].idle / 2
        assert auth.principal(opened.token) is not None
    world.clock.now = started + absolute
    assert auth.principal(opened.token) is None


def test_a_stricter_profile_counts_at_once(auth, world, token):
    """Sessions from before the change obey the new limits."""
    world.clock.pass_(hours=11)
    assert world.service().principal(token) is not None
    world.clock.pass_(minutes=31)
    assert world.service(session_profile="strict").principal(token) is None


def test_use_is_noted_at_most_once_a_minute(auth, world, token):
    """Ten checks a second do not mean ten writes a second."""
    session_id = session_of(auth, token)
    started = world.clock.now
    for seconds, noted in ((59, 0), (1, 60), (59, 60), (2, 121)):
        world.clock.pass_(seconds=seconds)
        auth.principal(token)
        stored = world.accounts.session(session_id)
        assert stored is not None
        assert stored.seen_at == started + timedelta(seconds=noted)


def test_the_oldest_sessions_end_when_there_are_too_many(auth, world):
    """With five allowed, the sixth sign-in ends the first."""
    tokens = []
    for _ in range(7):
        tokens.append(auth.open_session(sign_in(auth)).token)
        world.clock.pass_(seconds=1)
    assert [auth.principal(token) is not None for token in tokens] == [False] * 2 + [True] * 5


@pytest.mark.parametrize("allowed", [1, 5])
def test_twenty_parallel_sign_ins_leave_no_more_than_allowed(world, allowed):
    """The number holds under a race, and the browser that came last is in."""
    auth = world.service(max_sessions=allowed)
    world.add_user(auth)
    with ThreadPoolExecutor(20) as pool:
        tokens = list(pool.map(lambda _: auth.open_session(sign_in(auth)).token, range(20)))
    assert sum(auth.principal(token) is not None for token in tokens) == allowed
    assert len(auth.sessions(world.accounts.user_by_name("ann").id)) == allowed


def test_locking_an_account_ends_its_sessions_at_the_next_check(auth, world, token):
    """Status is read from the store each time, and a ticket that is still open dies as well."""
    ticket = sign_in(auth)
    user = world.accounts.user_by_name("ann").to_user()
    world.change_user(user, status=UserStatus.LOCKED)
    assert auth.principal(token) is None
    with pytest.raises(SessionEndedError):
        auth.open_session(ticket)


def test_a_changed_role_counts_at_the_next_check(auth, world, token):
    """Role is read from the store, never from the token."""
    user = world.accounts.user_by_name("ann").to_user()
    for role in (Role.ADMIN, Role.USER):
        world.change_user(user, role=role)
        assert auth.principal(token).role is role


def test_a_user_ends_only_own_sessions(auth, world, token):
    """Somebody else's session and a missing one give the same error, and nothing ends."""
    ann, bob = world.accounts.user_by_name("ann"), world.add_user(auth, "bob")
    session_id = session_of(auth, token)
    for owner, target in ((bob.id, session_id), (ann.id, SessionId(new_id())), (UserId(new_id()), session_id)):
        with pytest.raises(NotFoundError):
            auth.end_session(owner, target)
    assert auth.principal(token) is not None
    auth.end_session(ann.id, session_id)
    assert auth.principal(token) is None


def test_the_list_names_browsers_and_starts_with_the_last_used(auth, world):
    """A person recognizes the own devices; the raw header is not kept."""
    first = auth.open_session(sign_in(auth, user_agent=FIREFOX)).token
    world.clock.pass_(minutes=5)
    auth.open_session(sign_in(auth, user_agent="curl/8"))
    world.clock.pass_(minutes=5)
    owner = auth.principal(first).user_id
    assert [session.browser for session in auth.sessions(owner)] == ["Firefox on Linux", "A browser"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/140.0 Safari/537.36", "Chrome on macOS"),
        ("", "A browser"),
        ("\ud800" * 1_000, "A browser"),
    ],
)
def test_browsers_get_short_names(header, name):
    """The label comes from a closed list, whatever the header holds."""
    assert browser_name(header) == name


@pytest.mark.parametrize("method", ["session", "user"])
def test_a_silent_store_lets_nobody_in(auth, world, token, method):
    """Fails closed: where the session or the account cannot be read, the check raises."""
    world.clock.pass_(minutes=2)
    silent = Mock(spec_set=AccountRepository, wraps=world.accounts)
    getattr(silent, method).side_effect = StoreUnavailableError
    world.accounts = silent
    with pytest.raises(StoreError):
        world.service().principal(token)


def test_a_use_that_cannot_be_noted_ends_no_session(auth, world, token):
    """Where the store reads and does not write, as on a full disk, whoever is signed in stays so."""
    world.clock.pass_(minutes=2)
    silent = Mock(spec_set=AccountRepository, wraps=world.accounts)
    silent.touch_session.side_effect = StoreUnavailableError
    world.accounts = silent
    assert world.service().principal(token)
