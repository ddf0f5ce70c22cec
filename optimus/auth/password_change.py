"""Another password in the place of the present one, for whoever knows the present one."""

from __future__ import annotations

from contextlib import suppress

from optimus.auth.hashing import PasswordHasher
from optimus.auth.limits import AttemptLimiter, Subject
from optimus.auth.passwords import check_password
from optimus.auth.permissions import Action, authorize
from optimus.errors import (
    InvalidCredentialsError,
    PasswordRejectedError,
    PermissionDeniedError,
    SessionEndedError,
    SignInBusyError,
    StoreError,
)
from optimus.models import Clock, Principal
from optimus.storage.accounts import AccountRepository
from optimus.storage.records import StoredUser


class PasswordChangeDesk:
    """Changes passwords; a wrong present one counts like a failed sign-in, so an open browser is no way to guess it."""

    def __init__(
        self, *, accounts: AccountRepository, hasher: PasswordHasher, limiter: AttemptLimiter, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._hasher = hasher
        self._limiter = limiter
        self._clock = clock

    def change(self, principal: Principal, *, current: str, new: str, subject: Subject) -> StoredUser:
        """Store a new password; a new one that cannot be taken is refused first, and counts as no try.

        Raises:
            SessionEndedError: the account is gone.
            PermissionDeniedError: a one-time code has to be replaced first.
            PasswordRejectedError: the new password is too short or too common, or is the present one.
            InvalidCredentialsError: the present password is wrong.
            TooManyAttemptsError: it was wrong too often; it was not looked at.
            SignInBusyError: the server is busy with other passwords; the try was not counted.
            ConflictError: the account was changed meanwhile.
        """
        authorize(principal, Action.CHANGE_OWN_PASSWORD)
        user = self._accounts.user(principal.user_id)
        if user is None:
            raise SessionEndedError("the account is gone")
        if user.must_change_password:
            raise PermissionDeniedError("a one-time code", user_message="Please choose your own password first.")
        check_password(new, username=user.username)
        if new == current:
            raise PasswordRejectedError("unchanged", user_message="The new password is the same as the current one.")
        self.prove(user, current, subject)
        changed = {
            "password_hash": self._hasher.hash(new),
            "pepper_id": self._hasher.pepper_id,
            "password_changed_at": self._clock(),
        }
        return self._accounts.update_user(user.model_copy(update=changed))

    def renew(self, user: StoredUser, password: str) -> None:
        """Hash a proven password anew, where its hash was made with the pepper before the present one.

        What hinders it is no reason to keep anybody out: the old hash still counts, and the next sign-in tries again.
        """
        if user.pepper_id == self._hasher.pepper_id or user.must_change_password:
            return
        with suppress(SignInBusyError, StoreError):
            renewed = {"password_hash": self._hasher.hash(password), "pepper_id": self._hasher.pepper_id}
            self._accounts.update_user(user.model_copy(update=renewed))

    def under_old_pepper(self) -> int:
        """Return how many accounts nobody could sign in to without the pepper before the present one."""
        former = self._hasher.former_id
        return self._accounts.count_users(pepper_id=former) if former else 0

    def under_no_pepper(self) -> int:
        """Return how many accounts nobody can sign in to: their passwords were made with a pepper that is gone."""
        known = self._accounts.count_users(pepper_id=self._hasher.pepper_id) + self.under_old_pepper()
        return self._accounts.count_users() - known

    def prove(self, user: StoredUser, current: str, subject: Subject) -> None:
        """Let nobody past who does not know the present password; a wrong one counts.

        Raises:
            InvalidCredentialsError: it is wrong.
            TooManyAttemptsError: it was wrong too often; it was not looked at.
            SignInBusyError: the server is busy with other passwords; the try was not counted.
        """
        with self._limiter.turn(subject):
            self._limiter.refuse_while_waiting(subject)
            reservation = self._limiter.reserve(subject)
            try:
                is_right = self._hasher.verify(current, stored=user.password_hash, pepper_id=user.pepper_id)
            except SignInBusyError:
                self._limiter.refund(reservation)
                raise
            if not is_right:
                self._limiter.confirm(subject)
                raise InvalidCredentialsError("current password", user_message="The current password is not right.")
            self._limiter.clear(subject)
