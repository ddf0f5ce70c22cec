"""One-time codes instead of a password, and the own password that has to replace one.

Nobody but the account's owner ever knows its password: the server makes the code, it signs in once within a day, and
then nothing is allowed but choosing a password.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from optimus.auth.codes import as_copied, random_code
from optimus.auth.hashing import PasswordHasher
from optimus.auth.passwords import check_password
from optimus.auth.permissions import Action, authorize
from optimus.errors import ConflictError, PasswordRejectedError, PermissionDeniedError, SessionEndedError
from optimus.models import Clock, Principal, User, Value
from optimus.storage.accounts import AccountRepository
from optimus.storage.records import StoredUser

CODE_LIFETIME = timedelta(hours=24)


class OneTimeCode(Value):
    """A code to be handed to the account's owner; it is shown once and only its hash is stored."""

    user: User
    code: str = Field(repr=False)
    expires_at: datetime


class FirstPasswordDesk:
    """Makes one-time codes, takes each once, and replaces them."""

    def __init__(self, *, accounts: AccountRepository, hasher: PasswordHasher, clock: Clock) -> None:
        self._accounts = accounts
        self._hasher = hasher
        self._clock = clock

    def with_code(self, user: StoredUser) -> tuple[StoredUser, OneTimeCode]:
        """Return `user` with a new code in the place of its password, not stored yet, and the code.

        Raises:
            SignInBusyError: the server is busy with other passwords.
        """
        code, now = random_code(), self._clock()
        changed = user.model_copy(
            update={
                "password_hash": self._hasher.hash(as_copied(code)),
                "pepper_id": self._hasher.pepper_id,
                "password_changed_at": now,
                "must_change_password": True,
                "code_expires_at": now + CODE_LIFETIME,
                "code_used": False,
            }
        )
        return changed, OneTimeCode(user=changed.to_user(), code=code, expires_at=now + CODE_LIFETIME)

    def take(self, user: StoredUser) -> bool:
        """Use the code of `user` up where it has one; False where it was used before, or is too old."""
        if not user.must_change_password:
            return True
        if user.code_used or self._is_over(user):
            return False
        try:
            self._accounts.update_user(user.model_copy(update={"code_used": True}))
        except ConflictError:
            return False
        return True

    def replace(self, principal: Principal, password: str) -> StoredUser:
        """Store the first own password of whoever signed in with a one-time code.

        Raises:
            PermissionDeniedError: the account has an own password already.
            SessionEndedError: the account is gone, or the code has expired meanwhile.
            PasswordRejectedError: the password is too short or too common, or is the code itself.
            SignInBusyError: the server is busy with other passwords.
            ConflictError: the account was changed meanwhile.
        """
        authorize(principal, Action.CHANGE_OWN_PASSWORD)
        user = self._accounts.user(principal.user_id)
        if user is None:
            raise SessionEndedError("the account is gone")
        if not user.must_change_password:
            raise PermissionDeniedError("no one-time code", user_message="Your password has been chosen already.")
        if self._is_over(user) or not user.code_used:
            raise SessionEndedError(
                "the one-time code is over",
                user_message="The one-time code has expired. Please ask an admin for a new one.",
            )
        check_password(password, username=user.username)
        if self._hasher.verify(as_copied(password), stored=user.password_hash, pepper_id=user.pepper_id):
            raise PasswordRejectedError(
                "the code", user_message="Choose a password of your own, not the one-time code."
            )
        return self._accounts.update_user(user.model_copy(update=self._own(password)))

    def _own(self, password: str) -> dict[str, object]:
        return {
            "password_hash": self._hasher.hash(password),
            "pepper_id": self._hasher.pepper_id,
            "password_changed_at": self._clock(),
            "must_change_password": False,
            "code_expires_at": None,
            "code_used": False,
        }

    def _is_over(self, user: StoredUser) -> bool:
        return user.code_expires_at is None or self._clock() >= user.code_expires_at
