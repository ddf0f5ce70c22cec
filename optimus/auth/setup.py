"""The first start: a one-time code, and exactly one administrator made with it."""

from __future__ import annotations

import hashlib
import hmac

from optimus.auth.codes import as_copied, random_code
from optimus.auth.hashing import PasswordHasher
from optimus.auth.limits import AttemptLimiter
from optimus.auth.names import check_username
from optimus.auth.passwords import check_password
from optimus.errors import SetupError, TooManyAttemptsError
from optimus.models import Clock, Role, User, UserId, new_id
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction
from optimus.storage.records import StoredUser

_WAY_OUT = "restart Optimus, or run `python -m optimus create-admin NAME` in its terminal"
CLAIM_S = 120
"""How long one set-up keeps others out; longer than a password can wait for its hash."""


class SetupDesk:
    """Makes administrators: the first one for whoever knows the code, further ones for the server's own operator."""

    def __init__(
        self,
        *,
        accounts: AccountRepository,
        hasher: PasswordHasher,
        limiter: AttemptLimiter,
        configured_code: str | None,
        clock: Clock,
        audit: AuditLog,
    ) -> None:
        self._accounts = accounts
        self._hasher = hasher
        self._limiter = limiter
        self._code = configured_code or random_code()
        self._is_random = not configured_code
        self._clock = clock
        self._counted = new_id()
        """Wrong codes are counted for this process: a restart, which its owner alone can do, begins anew."""
        self._audit = audit

    @property
    def code(self) -> str:
        """The code of this process: the configured one, or 80 random bits in readable groups."""
        return self._code

    def is_needed(self) -> bool:
        """Tell whether no account exists yet."""
        return self._accounts.count_users() == 0

    def create_admin(self, *, code: str | None, username: str, password: str, network: str) -> User:
        """Make an administrator.

        With a `code` it must be the first account of all, and of any number of parallel calls exactly one succeeds.
        `code=None` is the operator at the server's own terminal, who may also add a further administrator.

        Raises:
            SetupError: the code is wrong, the set-up is over, or another one runs at this moment.
            TooManyAttemptsError: too many wrong codes from this network.
            InvalidInputError: the username cannot be used.
            PasswordRejectedError: the password is too short or too common.
            AlreadyExistsError: the username is taken.
        """
        if code is not None:
            self._refuse_if_over()
            self._check_code(code, network)
        shown_name = check_username(username)
        check_password(password, username=shown_name)
        password_hash = self._hasher.hash(password)
        claim = new_id()
        if not self._accounts.claim_setup(claim, CLAIM_S):
            raise SetupError("claimed", user_message="Another set-up is running at this moment. Please try again.")
        try:
            if code is not None:
                self._refuse_if_over()
            return self._add(shown_name, password_hash, path="terminal" if code is None else "set-up")
        finally:
            self._accounts.release_setup(claim)

    def _add(self, username: str, password_hash: str, *, path: str) -> User:
        now = self._clock()
        user = StoredUser(
            id=UserId(new_id()),
            username=username,
            role=Role.ADMIN,
            created_at=now,
            password_hash=password_hash,
            pepper_id=self._hasher.pepper_id,
            password_changed_at=now,
        )
        with self._audit.around(AuditAction.ADMIN_CREATED, actor=None, subject=user.id, data={"path": path}):
            self._accounts.add_user(user)
        return user.to_user()

    def _refuse_if_over(self) -> None:
        if not self.is_needed():
            raise SetupError("set-up is over", user_message="Optimus is set up already. Please sign in.")

    def _check_code(self, code: str, network: str) -> None:
        """Count each network by itself: the code is long, and nobody may keep its owner out from elsewhere."""
        subject = self._limiter.subject(self._counted, network, purpose="set-up")
        with self._limiter.turn(subject):
            try:
                reservation = self._limiter.reserve(subject)
            except TooManyAttemptsError as error:
                raise TooManyAttemptsError(str(error), retry_after_s=error.retry_after_s, way_out=_WAY_OUT) from error
            if not self._is_right(code):
                self._audit.note(AuditAction.SETUP_FAILED, actor=None, data={"network": subject.pair[:16]})
                raise SetupError("wrong set-up code")
            self._limiter.refund(reservation)

    def _is_right(self, code: str) -> bool:
        read = as_copied if self._is_random else str.strip
        return hmac.compare_digest(_digest(read(code)), _digest(read(self._code)))


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()
