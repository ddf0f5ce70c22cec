"""The face of signing in: everything that pages, routes and commands ask about accounts and sessions."""

from __future__ import annotations

from collections.abc import Callable

from optimus.auth.captcha import CaptchaAnswer, CaptchaChallenge
from optimus.auth.codes import as_copied
from optimus.auth.desks import open_desks
from optimus.auth.hashing import DEFAULT_COST
from optimus.auth.limits import Subject
from optimus.auth.names import check_username, username_key
from optimus.auth.permissions import Action, authorize
from optimus.auth.sessions import SessionInfo, SignedToken, browser_name
from optimus.errors import InvalidCredentialsError, InvalidInputError, SessionEndedError, SignInBusyError
from optimus.keys import Keys
from optimus.metrics import Metrics
from optimus.models import Clock, Principal, SessionId, User, UserId, UserStatus
from optimus.settings import Settings
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction
from optimus.storage.records import EventData, StoredUser

_COUNTED_NAME_CHARS = 200


class AuthService:
    """Signs people in and out and proves who acts; the audit log gets no password, username or address."""

    def __init__(
        self,
        *,
        accounts: AccountRepository,
        keys: Keys,
        settings: Settings,
        clock: Clock,
        audit: AuditLog,
        password_cost: int = DEFAULT_COST,
        is_registration_open: Callable[[], bool] = lambda: False,
        metrics: Metrics | None = None,
    ) -> None:
        desks = open_desks(
            accounts=accounts,
            keys=keys,
            settings=settings,
            clock=clock,
            password_cost=password_cost,
            audit=audit,
            is_registration_open=is_registration_open,
        )
        self._accounts = accounts
        self._audit = audit
        self._metrics = metrics or Metrics()
        self._hasher = desks.hasher
        self._limiter = desks.limiter
        self._captchas = desks.captchas
        self._sessions = desks.sessions
        self._setup = desks.setup
        self.passwords = desks.changes
        self._first_passwords = desks.first_passwords
        self.proof = desks.proof
        """Who gave their own password again lately."""
        self.people = desks.people
        """What an administrator does with everybody's accounts."""
        self.registration = desks.registration
        """What people do who make their own account; `register` signs them in, too."""
        self.departures = desks.departures

    def needs_setup(self) -> bool:
        """Tell whether no account exists yet."""
        return self._setup.is_needed()

    def setup_code(self) -> str:
        """Return the code that makes the first administrator; it is dead once an account exists."""
        return self._setup.code

    def create_admin(self, *, code: str | None, username: str, password: str, network: str = "") -> User:
        """Make the first administrator with the set-up code, or any administrator with `code=None`.

        `code=None` is for the server's own terminal only. See `SetupDesk.create_admin`.

        Raises:
            SetupError: the code is wrong, the set-up is over, or another one runs at this moment.
            TooManyAttemptsError: too many wrong codes from this network.
            SignInBusyError: the server is busy with other passwords.
            InvalidInputError: the username cannot be used.
            PasswordRejectedError: the password is too short or too common.
            AlreadyExistsError: the username is taken.
        """
        return self._setup.create_admin(code=code, username=username, password=password, network=network)

    def register(
        self, *, username: str, password: str, network: str, captcha: CaptchaAnswer | None, user_agent: str
    ) -> str:
        """Make an own account and return the ticket for its first session; see `RegistrationDesk.register`."""
        user = self.registration.register(username=username, password=password, network=network, captcha=captcha)
        return self._sessions.issue_ticket(user.id, user_agent=user_agent)

    def sign_in(
        self, *, username: str, password: str, network: str, captcha: CaptchaAnswer | None, user_agent: str
    ) -> str:
        """Return a one-time ticket of 30 seconds, to be exchanged by `open_session`.

        An unknown user, a locked account and a wrong password give the same error after the same work. Where the
        audit log cannot take it, nobody gets in.

        Raises:
            InvalidCredentialsError: one of the three.
            CaptchaError: this account and network have failed before, and the check question was not answered.
            TooManyAttemptsError: they have failed too often; the password was not looked at.
            SignInBusyError: too many sign in at this moment; the try was not counted.
        """
        subject = self._subject(username, network)
        with self._metrics.sign_in():
            with self._limiter.turn(subject):
                user = self._proven_user(subject, username, password, captcha)
                self.passwords.renew(user, password)
            ticket = self._sessions.issue_ticket(user.id, user_agent=user_agent)
            self._refuse_if_replaced(user)
            told: EventData = {"network": subject.mark, "browser": browser_name(user_agent)}
            self._audit.record(AuditAction.SIGNED_IN, actor=user.id, subject=user.id, data=told)
        return ticket

    def captcha_for(self, username: str, network: str) -> CaptchaChallenge | None:
        """Return the question that the next try needs; None if it needs none or has to wait anyway.

        Repeated calls return the same question until it is answered or expires.
        """
        subject = self._subject(username, network)
        if self._limiter.wait_s(subject) or not self._limiter.needs_check(subject):
            return None
        return self._captchas.ask(subject.pair)

    def retry_after(self, username: str, network: str) -> int:
        """Return how many seconds the next try has to wait; 0 if it may be made now."""
        return self._limiter.wait_s(self._subject(username, network))

    def open_session(self, ticket: str) -> SignedToken:
        """Exchange a ticket for the token of its session; beyond the allowed number the oldest session ends.

        Raises:
            SessionEndedError: the ticket is unknown, used or too old, or the account was locked meanwhile.
        """
        return self._sessions.open(ticket)

    def principal(self, token: str | None, *, is_use: bool = True) -> Principal | None:
        """Return who acts with `token`, or None: role, status and session are read from the store at each call.

        Args:
            token: What the browser sent.
            is_use: Whether somebody acts; a mere look does not prolong a session.

        Raises:
            StoreError: the store does not answer; nobody counts as signed in.
        """
        found = self._sessions.current(token, is_use=is_use)
        if found is None:
            return None
        user, session = found
        return Principal(
            user_id=user.id,
            username=user.username,
            role=user.role,
            session_id=session.id,
            must_change_password=user.must_change_password,
        )

    def choose_password(self, principal: Principal, password: str, *, user_agent: str) -> str:
        """Replace the one-time code that `principal` signed in with; return a ticket for a new session.

        All sessions of the account end. See `FirstPasswordDesk.replace`.

        Raises:
            PermissionDeniedError: the account has an own password already.
            SessionEndedError: the account is gone, or the code has expired meanwhile.
            PasswordRejectedError: the password is too short or too common, or is the code itself.
            SignInBusyError: the server is busy with other passwords.
            ConflictError: the account was changed meanwhile.
        """
        user = self._first_passwords.replace(principal, password)
        self._accounts.end_sessions_of(user.id)
        self._note(AuditAction.PASSWORD_CHOSEN, user.id)
        return self._sessions.issue_ticket(user.id, user_agent=user_agent)

    def change_password(
        self, principal: Principal, *, current: str, new: str, network: str, user_agent: str = ""
    ) -> str:
        """Replace one's own password and end all sessions; return a ticket for a new one. See `PasswordChangeDesk`.

        Raises:
            PermissionDeniedError: a one-time code has to be replaced first.
            PasswordRejectedError: the new password is too short or too common, or is the present one.
            InvalidCredentialsError: the present password is wrong; this counts like a failed sign-in.
            TooManyAttemptsError: it was wrong too often; it was not looked at.
            SignInBusyError: the server is busy with other passwords; the try was not counted.
            ConflictError: the account was changed meanwhile.
        """
        subject = self._subject(principal.username, network)
        source: EventData = {"network": subject.mark}
        try:
            user = self.passwords.change(principal, current=current, new=new, subject=subject)
        except InvalidCredentialsError:
            self._note(AuditAction.PASSWORD_CHANGE_FAILED, principal.user_id, source)
            raise
        ended = self._sessions.end_others(user.id, principal.session_id)
        self._accounts.end_sessions_of(user.id)
        self._note(AuditAction.PASSWORD_CHANGED, user.id, source | {"sessions_ended": ended})
        return self._sessions.issue_ticket(user.id, user_agent=user_agent)

    def account(self, principal: Principal) -> User:
        """Return the account that acts.

        Raises:
            SessionEndedError: it is gone.
        """
        user = self._accounts.user(principal.user_id)
        if user is None:
            raise SessionEndedError("the account is gone")
        return user.to_user()

    def sign_out(self, session_id: SessionId) -> None:
        """End a session; signing out twice is no error."""
        session = self._accounts.session(session_id)
        self._accounts.end_session(session_id)
        if session is not None:
            self._note(AuditAction.SIGNED_OUT, session.user_id)

    def sessions(self, owner: UserId) -> list[SessionInfo]:
        """Return the owner's live sessions, the last used first."""
        return self._sessions.of(owner)

    def end_session(self, owner: UserId, session_id: SessionId) -> None:
        """End one of the owner's sessions.

        Raises:
            NotFoundError: it has ended already, or is somebody else's.
        """
        self._sessions.end(owner, session_id)
        self._note(AuditAction.SESSION_ENDED, owner)

    def end_other_sessions(self, principal: Principal) -> int:
        """End all of one's own sessions but this one; return how many ended."""
        authorize(principal, Action.MANAGE_OWN_SESSIONS)
        ended = self._sessions.end_others(principal.user_id, principal.session_id)
        self._note(AuditAction.SESSION_ENDED, principal.user_id, {"count": ended})
        return ended

    def _proven_user(self, subject: Subject, username: str, password: str, captcha: CaptchaAnswer | None) -> StoredUser:
        """Return the account whose password it is; the failure is counted before the password is looked at."""
        self._limiter.refuse_while_waiting(subject)
        if self._limiter.needs_check(subject):
            self._captchas.check(captcha, subject.pair)
        reservation = self._limiter.reserve(subject)
        user = self._find(username)
        stored, pepper_id = (user.password_hash, user.pepper_id) if user else (None, None)
        copied = as_copied(password)
        typed = copied if user and user.must_change_password else password
        try:
            is_right = self._hasher.verify(typed, stored=stored, pepper_id=pepper_id)
        except SignInBusyError:
            self._limiter.refund(reservation)
            raise
        if user is None or not is_right or not self._may_enter(user):
            self._limiter.confirm(subject)
            self._note_failure(subject, user)
            raise InvalidCredentialsError
        self._limiter.clear(subject)
        return user

    def _may_enter(self, user: StoredUser) -> bool:
        return user.status is UserStatus.ACTIVE and self._first_passwords.take(user)

    def _refuse_if_replaced(self, proven: StoredUser) -> None:
        """Keep the ticket back where the password was replaced while it was being proven.

        Whoever replaces it from now on ends the session that the ticket would open.
        """
        present = self._accounts.user(proven.id)
        if present is None or not present.keeps_password_of(proven):
            raise InvalidCredentialsError

    def _find(self, username: str) -> StoredUser | None:
        try:
            return self._accounts.user_by_name(check_username(username))
        except InvalidInputError:
            return None

    def _subject(self, username: str, network: str) -> Subject:
        return self._limiter.subject(username_key(username[:_COUNTED_NAME_CHARS]), network)

    def _note_failure(self, subject: Subject, user: StoredUser | None) -> None:
        """Tell of a failed sign-in, by somebody unknown, and of the wait that it may have led to."""
        about, source = user.id if user else None, {"network": subject.mark}
        self._audit.note(AuditAction.SIGN_IN_FAILED, actor=None, subject=about, data=source)
        if self._limiter.wait_s(subject):
            self._audit.note(AuditAction.LOCKED_OUT, actor=None, subject=about, data=source)

    def _note(self, action: AuditAction, owner: UserId, data: EventData | None = None) -> None:
        self._audit.note(action, actor=owner, subject=owner, data=data)
