"""Who may do what: one table, one function, refusal by default.

Nobody, an administrator included, has a permission for the memories or chats of another account: no such action
exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from optimus.errors import PermissionDeniedError, SessionEndedError
from optimus.models import Principal, Role, UserStatus
from optimus.storage.accounts import AccountRepository


class Action(StrEnum):
    """What a page, a route or a command does for somebody, always with the acting account's own data.

    Only the actions from `USE_ADMIN` on reach beyond it.
    """

    USE_CHAT = "use chat"
    USE_MEMORY = "use memory"
    USE_ANALYTICS = "use analytics"
    USE_SETTINGS = "use settings"
    CONNECT_OWN_MODEL = "connect own model"
    CHANGE_OWN_PASSWORD = "change own password"  # noqa: S105 - the name of an action
    MANAGE_OWN_SESSIONS = "manage own sessions"
    EXPORT_OWN_DATA = "export own data"
    ERASE_OWN_ACCOUNT = "erase own account"
    USE_ADMIN = "use admin"
    CONNECT_ENDPOINT = "connect endpoint"
    MANAGE_USERS = "manage users"
    MANAGE_ALL_SESSIONS = "manage all sessions"
    SEE_USAGE_OF_ALL = "see usage of all"
    READ_AUDIT = "read audit"
    MANAGE_SYSTEM = "manage system"


_OWN = (
    Action.USE_CHAT,
    Action.USE_MEMORY,
    Action.USE_ANALYTICS,
    Action.USE_SETTINGS,
    Action.CONNECT_OWN_MODEL,
    Action.CHANGE_OWN_PASSWORD,
    Action.MANAGE_OWN_SESSIONS,
    Action.EXPORT_OWN_DATA,
    Action.ERASE_OWN_ACCOUNT,
)
_ADMINISTRATION = (
    Action.USE_ADMIN,
    Action.CONNECT_ENDPOINT,
    Action.MANAGE_USERS,
    Action.MANAGE_ALL_SESSIONS,
    Action.SEE_USAGE_OF_ALL,
    Action.READ_AUDIT,
    Action.MANAGE_SYSTEM,
)

PERMISSIONS: Mapping[Role, Mapping[Action, bool]] = MappingProxyType(
    {
        Role.USER: MappingProxyType(dict.fromkeys(_OWN, True) | dict.fromkeys(_ADMINISTRATION, False)),
        Role.ADMIN: MappingProxyType(dict.fromkeys(_OWN, True) | dict.fromkeys(_ADMINISTRATION, True)),
    }
)
"""An entry for every pair of role and action; a pair without one is refused."""


def is_allowed(role: Role, action: Action) -> bool:
    """Tell whether accounts of `role` may do `action`; what the table does not name is refused."""
    return PERMISSIONS.get(role, {}).get(action, False)


def authorize(principal: Principal | None, action: Action) -> Principal:
    """Return the principal who may do `action`, so that the caller cannot go on without one.

    Raises:
        SessionEndedError: nobody is signed in.
        PermissionDeniedError: the role does not allow the action, or an own password has to be chosen first.
    """
    if principal is None:
        raise SessionEndedError(f"nobody is signed in for {action!r}")
    if principal.must_change_password and action is not Action.CHANGE_OWN_PASSWORD:
        raise PermissionDeniedError(
            "a one-time code allows nothing else", user_message="Please choose your own password first."
        )
    if not is_allowed(principal.role, action):
        raise PermissionDeniedError(f"{principal.role} may not {action}")
    return principal


def authorize_now(accounts: AccountRepository, principal: Principal, action: Action) -> Principal:
    """Check a right by the role and status that the store holds at this moment, not only by the principal.

    Raises:
        PermissionDeniedError: the account may not do the action now, is locked, or is gone.
    """
    authorize(principal, action)
    actor = accounts.user(principal.user_id)
    if actor is None or actor.status is not UserStatus.ACTIVE:
        raise PermissionDeniedError("the acting account is locked or gone")
    present = {"role": actor.role, "must_change_password": actor.must_change_password}
    return authorize(principal.model_copy(update=present), action)
