"""Accounts that people make for themselves, where those who run Optimus allow it."""

from __future__ import annotations

from collections.abc import Callable

from optimus.auth.captcha import CaptchaAnswer, CaptchaChallenge, CaptchaDesk
from optimus.auth.hashing import PasswordHasher
from optimus.auth.limits import AttemptLimiter, Subject
from optimus.auth.names import check_username
from optimus.auth.passwords import check_password
from optimus.errors import PermissionDeniedError
from optimus.models import Clock, Role, User, UserId, new_id
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction
from optimus.storage.records import StoredUser


class RegistrationDesk:
    """Makes users, never admins. Each try of a network counts, whatever comes of it, so that none makes many."""

    def __init__(
        self,
        *,
        accounts: AccountRepository,
        hasher: PasswordHasher,
        limiter: AttemptLimiter,
        captchas: CaptchaDesk,
        is_open: Callable[[], bool],
        clock: Clock,
        audit: AuditLog,
    ) -> None:
        self._accounts = accounts
        self._hasher = hasher
        self._limiter = limiter
        self._captchas = captchas
        self._is_open = is_open
        self._clock = clock
        self._audit = audit

    def is_open(self) -> bool:
        """Tell whether people may make accounts now; never before the first admin is there."""
        return self._is_open() and self._accounts.count_users() > 0

    def ask(self, network: str) -> CaptchaChallenge:
        """Return the check question of a network: the same one until it is answered or expires."""
        return self._captchas.ask(self._subject(network).pair)

    def register(self, *, username: str, password: str, network: str, captcha: CaptchaAnswer | None) -> User:
        """Make a user.

        What cannot be taken as it is typed is refused first and counts as no try. Whether registration is open is
        asked again right before the account is stored.

        Raises:
            PermissionDeniedError: registration is closed.
            InvalidInputError: the username cannot be used.
            PasswordRejectedError: the password is too short or too common.
            TooManyAttemptsError: there were too many tries from this network.
            CaptchaError: the check question was not answered.
            SignInBusyError: the server is busy with other passwords.
            AlreadyExistsError: the username is taken.
        """
        self._refuse_if_closed()
        shown_name = check_username(username)
        check_password(password, username=shown_name)
        subject = self._subject(network)
        with self._limiter.turn(subject):
            self._limiter.refuse_while_waiting(subject)
            self._captchas.check(captcha, subject.pair)
            self._limiter.reserve(subject)
        return self._add(shown_name, password)

    def _add(self, username: str, password: str) -> User:
        now = self._clock()
        user = StoredUser(
            id=UserId(new_id()),
            username=username,
            role=Role.USER,
            created_at=now,
            password_hash=self._hasher.hash(password),
            pepper_id=self._hasher.pepper_id,
            password_changed_at=now,
        )
        self._refuse_if_closed()
        with self._audit.around(AuditAction.REGISTERED, actor=user.id, subject=user.id):
            self._accounts.add_user(user)
        return user.to_user()

    def _refuse_if_closed(self) -> None:
        if not self.is_open():
            raise PermissionDeniedError(
                "registration is closed", user_message="Accounts are made by admins only. Please ask one."
            )

    def _subject(self, network: str) -> Subject:
        return self._limiter.subject("", network, purpose="registration")
