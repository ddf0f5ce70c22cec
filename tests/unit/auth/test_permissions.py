from itertools import product

import pytest

from optimus.auth.permissions import PERMISSIONS, Action, authorize, is_allowed
from optimus.errors import PermissionDeniedError, SessionEndedError
from optimus.models import Principal, Role, SessionId, UserId, new_id

ADMIN_ONLY = {
    Action.USE_ADMIN,
    Action.CONNECT_ENDPOINT,
    Action.MANAGE_USERS,
    Action.MANAGE_ALL_SESSIONS,
    Action.SEE_USAGE_OF_ALL,
    Action.READ_AUDIT,
    Action.MANAGE_SYSTEM,
}


def _somebody(role: Role) -> Principal:
    return Principal(user_id=UserId(new_id()), username="ann", role=role, session_id=SessionId(new_id()))


@pytest.mark.parametrize(("role", "action"), list(product(Role, Action)))
def test_every_pair_of_role_and_action_is_decided(role, action):
    """The table has an entry for each pair, and the decision is the intended one."""
    assert action in PERMISSIONS[role]
    intended = role is Role.ADMIN or action not in ADMIN_ONLY
    principal = _somebody(role)
    assert is_allowed(role, action) is intended
    if intended:
        assert authorize(principal, action) is principal
    else:
        with pytest.raises(PermissionDeniedError):
            authorize(principal, action)


def test_the_table_names_nothing_that_does_not_exist():
    """No entry outlives its role or action."""
    assert set(PERMISSIONS) == set(Role)
    assert all(set(actions) == set(Action) for actions in PERMISSIONS.values())


@pytest.mark.parametrize("action", list(Action))
def test_nobody_may_do_nothing(action):
    """Without a principal every action is refused."""
    with pytest.raises(SessionEndedError):
        authorize(None, action)


def test_what_the_table_does_not_name_is_refused():
    """Default deny: a role or an action that is missing has no right."""
    assert not is_allowed("owner", Action.USE_CHAT)  # type: ignore[arg-type]
    assert not is_allowed(Role.ADMIN, "fly")  # type: ignore[arg-type]


def test_the_table_cannot_be_changed_at_run_time():
    """Rights are given in the source, not by code that runs."""
    with pytest.raises(TypeError):
        PERMISSIONS[Role.USER][Action.USE_ADMIN] = True  # type: ignore[index]
