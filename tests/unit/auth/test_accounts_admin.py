from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from optimus.auth.first_password import CODE_LIFETIME
from optimus.auth.permissions import Action, authorize
from optimus.auth.service import AuthService
from optimus.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidCredentialsError,
    InvalidInputError,
    NotFoundError,
    OptimusError,
    PasswordRejectedError,
    PermissionDeniedError,
    SessionEndedError,
)
from optimus.models import Principal, Role, UserId, UserStatus, new_id
from tests.unit.auth.conftest import PASSWORD, sign_in

OWN = "granite-otter-58-lantern plum"


@pytest.fixture(name="admin")
def _admin(auth, world) -> Principal:
    """Ada, an administrator who is signed in; her account is younger than ann's."""
    world.clock.pass_(seconds=1)
    world.add_user(auth, "ada", Role.ADMIN)
    return enter(auth, "ada")


@pytest.fixture(name="ann")
def _ann(auth: AuthService, admin: Principal) -> UserId:
    """The id of ann, a user with the usual password."""
    return next(info.user.id for info in auth.people.all(admin) if info.user.username == "ann")


def enter(auth: AuthService, username: str, password: str = PASSWORD) -> Principal:
    """Sign in and return who acts."""
    principal = auth.principal(auth.open_session(sign_in(auth, username, password)).token)
    assert principal
    return principal


def admins(auth, world) -> list[str]:
    """Return the names of the active administrators."""
    users = world.accounts.users()
    return [user.username for user in users if user.role is Role.ADMIN and user.status is UserStatus.ACTIVE]


def acts(auth: AuthService, principal: Principal, target: UserId) -> dict[str, Callable[[], object]]:
    """Return everything that the desk does, as calls by `principal`."""
    people = auth.people
    return {
        "all": lambda: people.all(principal),
        "create": lambda: people.create(principal, username="new", role=Role.USER),
        "change_role": lambda: people.change_role(principal, target, Role.ADMIN),
        "lock": lambda: people.lock(principal, target),
        "unlock": lambda: people.unlock(principal, target),
        "end_sessions": lambda: people.end_sessions(principal, target),
        "reset_password": lambda: people.reset_password(principal, target),
    }


ACTS = ["all", "create", "change_role", "lock", "unlock", "end_sessions", "reset_password"]


@pytest.mark.parametrize("name", ACTS)
def test_only_who_may_manage_users_does(auth, world, admin, ann, name):
    """A user, and an administrator who was demoted or locked since, are refused; nothing changes."""
    eve = world.add_user(auth, "eve", Role.ADMIN)
    demoted = enter(auth, "eve")
    world.change_user(eve, role=Role.USER)
    bob = world.add_user(auth, "bob", Role.ADMIN)
    locked = enter(auth, "bob")
    world.change_user(bob, role=Role.ADMIN, status=UserStatus.LOCKED)
    ann_herself = enter(auth, "ann")
    before = world.accounts.users()
    for principal in (ann_herself, demoted, locked):
        with pytest.raises(PermissionDeniedError):
            acts(auth, principal, ann)[name]()
    assert world.accounts.users() == before


@pytest.mark.parametrize("name", sorted(set(ACTS) - {"all", "create"}))
def test_an_account_that_does_not_exist_is_not_found(auth, admin, name):
    """An id that nobody has ends in a sentence."""
    with pytest.raises(NotFoundError) as caught:
        acts(auth, admin, UserId(new_id()))[name]()
    assert "account" in caught.value.user_message


def test_the_list_tells_role_status_sessions_and_last_use(auth, world, admin, ann):
    """The oldest first, with live sessions only; an account that was never used has no last use."""
    world.clock.pass_(minutes=5)
    enter(auth, "ann")
    enter(auth, "ann")
    issued = auth.people.create(admin, username="bob", role=Role.USER)
    listed = {info.user.username: info for info in auth.people.all(admin)}
    assert list(listed) == ["ann", "ada", "bob"]
    assert [listed[name].sessions for name in listed] == [2, 1, 0]
    assert listed["ann"].seen_at == world.clock.now
    assert listed["bob"].seen_at is None
    assert listed["bob"].code_expires_at == world.clock.now + CODE_LIFETIME
    enter(auth, "bob", issued.code)
    assert [info.code_used for info in auth.people.all(admin)] == [False, False, True]
    auth.people.lock(admin, ann)
    assert auth.people.all(admin)[0].sessions == 0
    assert auth.people.all(admin)[0].seen_at == world.clock.now


def test_a_new_account_gets_a_code_that_only_its_owner_can_turn_into_a_password(auth, world, admin):
    """The code signs in, allows nothing but choosing a password, and that password signs in from then on."""
    issued = auth.people.create(admin, username=" Bob ", role=Role.USER)
    assert (issued.user.username, issued.user.role) == ("Bob", Role.USER)
    bob = enter(auth, "bob", issued.code)
    assert bob.must_change_password
    for action in Action:
        if action is not Action.CHANGE_OWN_PASSWORD:
            with pytest.raises(PermissionDeniedError):
                authorize(bob, action)
    token = auth.open_session(auth.choose_password(bob, OWN, user_agent="")).token
    fresh = auth.principal(token)
    assert fresh is not None
    assert not fresh.must_change_password
    assert fresh.session_id != bob.session_id
    assert [session.id for session in auth.sessions(fresh.user_id)] == [fresh.session_id]
    assert authorize(fresh, Action.USE_CHAT) is fresh
    assert enter(auth, "bob", OWN).user_id == issued.user.id
    with pytest.raises(InvalidCredentialsError):
        sign_in(auth, "bob", issued.code)


def test_a_code_may_be_typed_as_people_type(auth, admin):
    """Case, spaces and hyphens do not matter."""
    code = auth.people.create(admin, username="bob", role=Role.USER).code
    assert enter(auth, "bob", f" {code.lower().replace('-', ' ')} ")


def test_two_codes_are_never_the_same_and_never_stored(auth, world, admin):
    """The store, its log and the event hold no code."""
    codes = {auth.people.create(admin, username=f"user{n}", role=Role.USER).code for n in range(20)}
    assert len(codes) == 20
    stored = "".join(user.model_dump_json() for user in world.accounts.users())
    noted = "".join(entry.model_dump_json() for entry in world.entries)
    assert not any(code in stored + noted or code.replace("-", "") in stored + noted for code in codes)
    issued = auth.people.create(admin, username="last", role=Role.USER)
    assert issued.code not in repr(issued)


def test_a_code_signs_in_once(auth, admin):
    """Of ten parallel tries from ten networks exactly one gets in, and later ones are ordinary failures."""
    code = auth.people.create(admin, username="bob", role=Role.USER).code

    def attempt(number: int) -> str | None:
        try:
            return sign_in(auth, "bob", code, network=str(number))
        except InvalidCredentialsError:
            return None

    with ThreadPoolExecutor(10) as pool:
        tickets = [ticket for ticket in pool.map(attempt, range(10)) if ticket]
    assert len(tickets) == 1
    assert attempt(11) is None


def test_a_code_expires_after_a_day(auth, world, admin):
    """Late sign-ins fail like wrong passwords; whoever came in time has to choose in time, too."""
    early = auth.people.create(admin, username="early", role=Role.USER).code
    late = auth.people.create(admin, username="late", role=Role.USER).code
    world.clock.now += CODE_LIFETIME - timedelta(seconds=1)
    principal = enter(auth, "early", early)
    world.clock.pass_(seconds=1)
    with pytest.raises(InvalidCredentialsError):
        sign_in(auth, "late", late)
    with pytest.raises(SessionEndedError) as caught:
        auth.choose_password(principal, OWN, user_agent="")
    assert "new one" in caught.value.user_message


def test_the_own_password_obeys_the_rules_and_is_not_the_code(auth, admin):
    """Short and common ones and the code itself are refused with a reason, and can be tried again."""
    code = auth.people.create(admin, username="bob", role=Role.USER).code
    bob = enter(auth, "bob", code)
    for refused in ("short", "password12345678", "bob-bob-bob-bob-bob", code, code.lower()):
        with pytest.raises(PasswordRejectedError):
            auth.choose_password(bob, refused, user_agent="")
    assert auth.choose_password(bob, OWN, user_agent="")


def test_an_own_password_is_not_replaced_without_knowing_it(auth, admin, ann):
    """The form of the first sign-in is closed to accounts that have a password, and after it was used."""
    with pytest.raises(PermissionDeniedError):
        auth.choose_password(enter(auth, "ann"), OWN, user_agent="")
    bob = enter(auth, "bob", auth.people.create(admin, username="bob", role=Role.USER).code)
    auth.choose_password(bob, OWN, user_agent="")
    with pytest.raises(PermissionDeniedError):
        auth.choose_password(bob, "another-good-71-harvest moon", user_agent="")


def test_a_session_from_before_the_reset_cannot_choose_the_password(auth, admin, ann):
    """Only whoever used the new code may; an old principal is refused although the account waits for a password."""
    old = enter(auth, "ann")
    code = auth.people.reset_password(admin, ann).code
    with pytest.raises(SessionEndedError):
        auth.choose_password(old, OWN, user_agent="")
    assert enter(auth, "ann", code)


def test_a_password_replaced_while_it_is_proven_does_not_sign_in(auth, world, admin, ann, monkeypatch):
    """A sign-in that began with the old password gets no ticket once the reset is through."""
    issue = auth._sessions.issue_ticket

    def reset_meanwhile(user_id, *, user_agent):
        auth.people.reset_password(admin, ann)
        return issue(user_id, user_agent=user_agent)

    monkeypatch.setattr(auth._sessions, "issue_ticket", reset_meanwhile)
    with pytest.raises(InvalidCredentialsError):
        sign_in(auth)


@pytest.mark.parametrize("username", ["", "ab", "a b", "x" * 33])
def test_a_username_that_cannot_be_used_makes_no_account(auth, world, admin, username):
    """The sentence comes before anything is stored."""
    with pytest.raises(InvalidInputError):
        auth.people.create(admin, username=username, role=Role.USER)
    assert world.accounts.count_users() == 2


def test_a_taken_name_is_refused_in_any_case_of_letters(auth, admin):
    """Two accounts never share a name."""
    with pytest.raises(AlreadyExistsError):
        auth.people.create(admin, username="ANN", role=Role.ADMIN)


def test_a_role_counts_at_the_next_run(auth, admin, ann):
    """A demotion is seen by a session that is open; a promotion ends it, so that only a new one has the right."""
    token = auth.open_session(sign_in(auth)).token
    assert auth.people.change_role(admin, ann, Role.ADMIN).role is Role.ADMIN
    assert auth.principal(token) is None
    token = auth.open_session(sign_in(auth)).token
    assert auth.principal(token).role is Role.ADMIN
    assert auth.people.change_role(admin, ann, Role.USER).role is Role.USER
    assert auth.principal(token).role is Role.USER


def test_locking_ends_the_sessions_and_unlocking_brings_none_back(auth, admin, ann):
    """A locked account is out at once and cannot sign in; after unlocking it signs in anew."""
    token = auth.open_session(sign_in(auth)).token
    assert auth.people.lock(admin, ann).status is UserStatus.LOCKED
    assert auth.principal(token) is None
    with pytest.raises(InvalidCredentialsError):
        sign_in(auth)
    assert auth.people.unlock(admin, ann).status is UserStatus.ACTIVE
    assert auth.principal(token) is None
    assert sign_in(auth)


def test_ending_sessions_leaves_the_account_as_it_is(auth, admin, ann):
    """All sessions of the one account end, nobody else's, and it may sign in again."""
    tokens = [auth.open_session(sign_in(auth)).token for _ in range(3)]
    assert auth.people.end_sessions(admin, ann) == 3
    assert [auth.principal(token) for token in tokens] == [None] * 3
    assert auth.people.all(admin)[1].sessions == 1
    assert sign_in(auth)


def test_a_reset_password_is_dead_at_once(auth, admin, ann):
    """The old password and its sessions are over; a second code ends the first."""
    token = auth.open_session(sign_in(auth)).token
    first = auth.people.reset_password(admin, ann).code
    assert auth.principal(token) is None
    second = auth.people.reset_password(admin, ann).code
    for dead in (PASSWORD, first):
        with pytest.raises(InvalidCredentialsError):
            sign_in(auth, password=dead)
    assert enter(auth, "ann", second).must_change_password


def test_nobody_locks_or_resets_the_own_account(auth, world, admin):
    """Also not where another administrator exists; a stolen session is not enough to take an account over."""
    world.add_user(auth, "bea", Role.ADMIN)
    for act in (auth.people.lock, auth.people.reset_password):
        with pytest.raises(PermissionDeniedError) as caught:
            act(admin, admin.user_id)
        assert "own" in caught.value.user_message
    assert enter(auth, "ada")


def test_the_last_active_admin_stays(auth, world, admin):
    """Not demoted; an administrator who is locked, or has never chosen a password, does not count as another."""
    locked = world.add_user(auth, "bea", Role.ADMIN)
    world.change_user(locked, role=Role.ADMIN, status=UserStatus.LOCKED)
    auth.people.create(admin, username="waiting", role=Role.ADMIN)
    with pytest.raises(PermissionDeniedError) as caught:
        auth.people.change_role(admin, admin.user_id, Role.USER)
    assert "only active admin" in caught.value.user_message
    auth.people.unlock(admin, locked.id)
    assert auth.people.change_role(admin, admin.user_id, Role.USER).role is Role.USER
    assert admins(auth, world) == ["bea", "waiting"]


@pytest.mark.parametrize("act", ["demote", "lock", "reset"])
def test_two_admins_who_turn_on_each_other_leave_one(auth, world, admin, act):
    """Whatever both do to the other at the same moment, from two processes: one succeeds, one admin is left."""
    world.add_user(auth, "bea", Role.ADMIN)
    other = world.service()
    pairs = [(auth, admin, enter(auth, "bea").user_id), (other, enter(auth, "bea"), admin.user_id)]

    def turn_on(pair):
        service, principal, target = pair
        calls = {
            "demote": lambda: service.people.change_role(principal, target, Role.USER),
            "lock": lambda: service.people.lock(principal, target),
            "reset": lambda: service.people.reset_password(principal, target),
        }
        try:
            calls[act]()
        except (PermissionDeniedError, ConflictError):
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(turn_on, pairs))
    assert sum(done) == 1
    active = [
        user
        for user in world.accounts.users()
        if user.role is Role.ADMIN and user.status is UserStatus.ACTIVE and not user.must_change_password
    ]
    assert len(active) == 1


def test_a_claim_that_another_process_holds_is_waited_out(auth, world, admin, ann):
    """While others change rights the answer is to try again; nothing has changed, and later it works."""
    assert world.accounts.claim_setup("another process", 30)
    with pytest.raises(ConflictError) as caught:
        auth.people.lock(admin, ann)
    assert "try again" in caught.value.user_message
    assert auth.people.all(admin)[0].user.status is UserStatus.ACTIVE
    world.clock.pass_(seconds=31)
    assert auth.people.lock(admin, ann)


def test_a_refused_act_lets_the_next_one_in(auth, admin, ann):
    """The claim is given back when an act is refused."""
    with pytest.raises(OptimusError):
        auth.people.lock(admin, admin.user_id)
    assert auth.people.lock(admin, ann)


def test_every_act_is_recorded_with_ids_only(auth, world, admin, ann):
    """One entry for each act, of the account that it concerns, with who did it; no name, code or address."""
    before = len(world.entries)
    bob = auth.people.create(admin, username="secretive", role=Role.USER).user.id
    auth.people.change_role(admin, ann, Role.ADMIN)
    auth.people.change_role(admin, ann, Role.ADMIN)
    auth.people.lock(admin, ann)
    auth.people.unlock(admin, ann)
    auth.people.end_sessions(admin, ann)
    auth.people.reset_password(admin, bob)
    made = world.entries[before:]
    assert [(entry.action, entry.subject) for entry in made] == [
        ("admin.user_created", bob),
        ("admin.role_changed", ann),
        ("admin.user_locked", ann),
        ("admin.user_unlocked", ann),
        ("admin.sessions_ended", ann),
        ("admin.password_reset", bob),
    ]
    assert {entry.actor for entry in made} == {admin.user_id}
    assert "secretive" not in "".join(entry.model_dump_json() for entry in made)
