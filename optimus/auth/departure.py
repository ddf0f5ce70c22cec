"""What the erasure of an account needs of signing in: the proof of the password, and no trace left behind."""

from __future__ import annotations

from contextlib import AbstractContextManager

from optimus.auth.accounts import AccountDesk
from optimus.auth.limits import AttemptLimiter
from optimus.auth.names import username_key
from optimus.auth.password_change import PasswordChangeDesk
from optimus.auth.permissions import Action, authorize
from optimus.errors import SessionEndedError
from optimus.models import Principal, UserId
from optimus.storage.accounts import AccountRepository
from optimus.storage.records import StoredUser


class DepartureDesk:
    """Lets people go: proves who they are first, and forgets how often they failed afterwards."""

    def __init__(
        self,
        *,
        accounts: AccountRepository,
        people: AccountDesk,
        changes: PasswordChangeDesk,
        limiter: AttemptLimiter,
    ) -> None:
        self._accounts = accounts
        self._people = people
        self._changes = changes
        self._limiter = limiter

    def prove(self, principal: Principal, password: str, *, network: str) -> None:
        """Ask for the password again before something that cannot be taken back.

        Raises:
            PermissionDeniedError: the principal may not erase, or has a one-time code to replace first.
            SessionEndedError: the account is gone.
            InvalidCredentialsError: the password is wrong; this counts like a failed sign-in.
            TooManyAttemptsError: it was wrong too often; it was not looked at.
            SignInBusyError: the server is busy with other passwords; the try was not counted.
        """
        authorize(principal, Action.ERASE_OWN_ACCOUNT)
        user = self._accounts.user(principal.user_id)
        if user is None:
            raise SessionEndedError("the account is gone")
        self._changes.prove(user, password, self._limiter.subject(username_key(user.username), network))

    def leaving(self, principal: Principal, user_id: UserId) -> AbstractContextManager[StoredUser]:
        """Hold the account that is to be erased; see `AccountDesk.leaving`."""
        return self._people.leaving(principal, user_id)

    def trace(self, username: str) -> str:
        """Return the hashed key under which the account's failures are counted."""
        return self._limiter.subject(username_key(username), "").account

    def remove(self, user_id: UserId, trace: str) -> None:
        """Delete the account with its sessions, tickets and counts; what is gone already is no error."""
        self._accounts.remove_user(user_id)
        self._accounts.forget_limits(trace)
