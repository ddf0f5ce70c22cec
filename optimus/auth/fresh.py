"""Whether whoever acts has given their password lately: an open browser alone is not enough for the gravest acts."""

from __future__ import annotations

from datetime import timedelta

from optimus.auth.limits import AttemptLimiter
from optimus.auth.names import username_key
from optimus.auth.password_change import PasswordChangeDesk
from optimus.auth.permissions import Action, authorize
from optimus.errors import InvalidCredentialsError, PermissionDeniedError, SessionEndedError
from optimus.models import Clock, Principal
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction

FRESH_FOR = timedelta(minutes=5)


class FreshProof:
    """Keeps with each session when its password was given last; signing in counts."""

    def __init__(
        self,
        *,
        accounts: AccountRepository,
        passwords: PasswordChangeDesk,
        limiter: AttemptLimiter,
        clock: Clock,
        audit: AuditLog,
    ) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._limiter = limiter
        self._clock = clock
        self._audit = audit

    def is_fresh(self, principal: Principal) -> bool:
        """Tell whether the password was given in this session in the last five minutes."""
        session = self._accounts.session(principal.session_id)
        if session is None or session.user_id != principal.user_id:
            return False
        age = self._clock() - (session.proven_at or session.created_at)
        return timedelta() <= age < FRESH_FOR

    def require(self, principal: Principal) -> None:
        """Refuse to go on without a fresh proof.

        Raises:
            PermissionDeniedError: there is none.
        """
        if not self.is_fresh(principal):
            raise PermissionDeniedError("no fresh proof", user_message="Please give your own password again for this.")

    def give(self, principal: Principal, *, password: str, network: str) -> None:
        """Prove the password again; a wrong one counts like a failed sign-in.

        Raises:
            PermissionDeniedError: the principal has a one-time code to replace first.
            SessionEndedError: the account is gone.
            InvalidCredentialsError: the password is wrong.
            TooManyAttemptsError: it was wrong too often; it was not looked at.
            SignInBusyError: the server is busy with other passwords; the try was not counted.
        """
        authorize(principal, Action.USE_SETTINGS)
        user = self._accounts.user(principal.user_id)
        if user is None:
            raise SessionEndedError("the account is gone")
        try:
            self._passwords.prove(user, password, self._limiter.subject(username_key(user.username), network))
        except InvalidCredentialsError:
            self._audit.note(AuditAction.PROOF_FAILED, actor=user.id, subject=user.id)
            raise
        self._accounts.note_proven(principal.session_id, self._clock())
