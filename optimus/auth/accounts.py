"""What an administrator does with accounts: make, promote, lock, sign out, give a new code.

Each call proves the right again, from the store and not only from the principal, so that of two administrators who
take each other's rights away at the same moment one is left. Nothing here reaches what an account has written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

from optimus.auth.first_password import FirstPasswordDesk, OneTimeCode
from optimus.auth.fresh import FreshProof
from optimus.auth.names import check_username
from optimus.auth.permissions import Action, authorize, authorize_now
from optimus.auth.sessions import SessionDesk
from optimus.auth.turns import Turns
from optimus.errors import ConflictError, NotFoundError, PermissionDeniedError
from optimus.models import Clock, Principal, Role, User, UserId, UserStatus, Value, new_id
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction
from optimus.storage.records import EventData, StoredUser

CLAIM_S = 30
"""How long one change of rights keeps others out, should its process die."""
_OTHERS_CHANGE = "Somebody else changes accounts at this moment. Please try again."


class AccountInfo(Value):
    """An account as an administrator sees it: never a credential, never content."""

    user: User
    sessions: int
    seen_at: datetime | None
    code_expires_at: datetime | None
    """Until when a one-time code, not yet replaced by an own password, counts; None where there is none."""
    code_used: bool
    """The code has signed somebody in, who has not chosen a password yet."""


class AccountDesk:
    """Manages everybody's accounts for those who may; what the audit log cannot take is not done."""

    def __init__(
        self,
        *,
        accounts: AccountRepository,
        sessions: SessionDesk,
        codes: FirstPasswordDesk,
        proof: FreshProof,
        clock: Clock,
        audit: AuditLog,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._codes = codes
        self._proof = proof
        self._clock = clock
        self._audit = audit
        self._turns = Turns()

    def all(self, principal: Principal) -> list[AccountInfo]:
        """Return every account, the oldest first.

        Raises:
            PermissionDeniedError: the principal may not manage users.
        """
        self._prove(principal)
        live = self._sessions.live_counts()
        return [
            AccountInfo(
                user=user.to_user(),
                sessions=live[user.id] if user.status is UserStatus.ACTIVE else 0,
                seen_at=user.seen_at,
                code_expires_at=user.code_expires_at if user.must_change_password else None,
                code_used=user.code_used,
            )
            for user in self._accounts.users()
        ]

    def create(self, principal: Principal, *, username: str, role: Role) -> OneTimeCode:
        """Make an account and return the code with which its owner signs in once, within 24 hours.

        Raises:
            PermissionDeniedError: the principal may not manage users, or makes an admin without a fresh proof.
            InvalidInputError: the username cannot be used.
            AlreadyExistsError: the username is taken.
            SignInBusyError: the server is busy with other passwords.
        """
        self._prove(principal)
        if role is Role.ADMIN:
            self._proof.require(principal)
        now = self._clock()
        blank = StoredUser(
            id=UserId(new_id()),
            username=check_username(username),
            role=role,
            created_at=now,
            password_hash="",
            pepper_id="",
            password_changed_at=now,
        )
        user, code = self._codes.with_code(blank)
        with self._recorded(AuditAction.USER_CREATED, principal, user.id, {"role": role.value}):
            self._accounts.add_user(user)
        return code

    def change_role(self, principal: Principal, user_id: UserId, role: Role) -> User:
        """Give an account another role; it counts at the account's next run.

        Whoever becomes an admin is signed out first: a session that somebody else got hold of gains no right.

        Raises:
            PermissionDeniedError: the principal may not manage users, makes an admin without a fresh proof, or the
                last active admin would be gone.
            NotFoundError: there is no such account.
            ConflictError: somebody changes accounts at this moment.
        """
        with self._changing_rights(principal):
            user = self._find(user_id)
            if user.role is role:
                return user.to_user()
            if role is Role.ADMIN:
                self._proof.require(principal)
                self._accounts.end_sessions_of(user_id)
            else:
                self._keep_an_admin(user)
            with self._recorded(AuditAction.ROLE_CHANGE, principal, user_id, {"role": role.value}):
                changed = self._accounts.update_user(user.model_copy(update={"role": role}))
        return changed.to_user()

    def lock(self, principal: Principal, user_id: UserId) -> User:
        """Keep an account out and end its sessions.

        Raises:
            PermissionDeniedError: the principal may not manage users, it is the own account, or the last active admin.
            NotFoundError: there is no such account.
            ConflictError: somebody changes accounts at this moment.
        """
        with self._changing_rights(principal):
            user = self._find(user_id)
            if user_id == principal.user_id:
                raise PermissionDeniedError("own account", user_message="You cannot lock your own account.")
            self._keep_an_admin(user)
            with self._recorded(AuditAction.USER_LOCKED, principal, user_id):
                changed = self._accounts.update_user(user.model_copy(update={"status": UserStatus.LOCKED}))
                self._accounts.end_sessions_of(user_id)
        return changed.to_user()

    def unlock(self, principal: Principal, user_id: UserId) -> User:
        """Let a locked account sign in again.

        Raises:
            PermissionDeniedError: the principal may not manage users.
            NotFoundError: there is no such account.
            ConflictError: somebody changes accounts at this moment.
        """
        with self._changing_rights(principal):
            unlocked = self._find(user_id).model_copy(update={"status": UserStatus.ACTIVE})
            with self._recorded(AuditAction.USER_UNLOCKED, principal, user_id):
                changed = self._accounts.update_user(unlocked)
        return changed.to_user()

    def end_sessions(self, principal: Principal, user_id: UserId) -> int:
        """Sign an account out everywhere; return how many sessions ended.

        Raises:
            PermissionDeniedError: the principal may not manage users.
            NotFoundError: there is no such account.
        """
        self._prove(principal)
        self._find(user_id)
        ended = self._sessions.live_counts()[user_id]
        with self._recorded(AuditAction.SESSIONS_ENDED, principal, user_id, {"count": ended}):
            self._accounts.end_sessions_of(user_id)
        return ended

    def reset_password(self, principal: Principal, user_id: UserId) -> OneTimeCode:
        """Replace a forgotten password by a one-time code, and end the account's sessions.

        One's own is refused: a session that somebody else got hold of must not be enough to take an account over.

        Raises:
            PermissionDeniedError: the principal may not manage users, has no fresh proof, or it is the own account.
            NotFoundError: there is no such account.
            ConflictError: somebody changes accounts at this moment.
            SignInBusyError: the server is busy with other passwords.
        """
        if user_id == principal.user_id:
            raise PermissionDeniedError("own account", user_message="Change your own password in the settings.")
        with self._changing_rights(principal):
            self._proof.require(principal)
            user, code = self._codes.with_code(self._find(user_id))
            with self._recorded(AuditAction.PASSWORD_RESET, principal, user_id):
                self._accounts.update_user(user)
                self._accounts.end_sessions_of(user_id)
        return code

    @contextmanager
    def leaving(self, principal: Principal, user_id: UserId) -> Iterator[StoredUser]:
        """Hold the account that `principal` erases, one's own or another: nobody changes rights meanwhile.

        Raises:
            PermissionDeniedError: the principal may not manage users or has no fresh proof, or the last active admin
                would be gone.
            NotFoundError: there is no such account.
            ConflictError: somebody changes accounts at this moment.
        """
        with self._alone():
            if user_id == principal.user_id:
                authorize(principal, Action.ERASE_OWN_ACCOUNT)
            else:
                self._prove(principal)
                self._proof.require(principal)
            user = self._find(user_id)
            self._keep_an_admin(user)
            yield user

    @contextmanager
    def _changing_rights(self, principal: Principal) -> Iterator[None]:
        with self._alone():
            self._prove(principal)
            yield

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only one who changes rights, in this process and in every other one on the store."""
        claim = new_id()
        with self._turns.hold("rights"):
            if not self._accounts.claim_setup(claim, CLAIM_S):
                raise ConflictError("rights are being changed", user_message=_OTHERS_CHANGE)
            try:
                yield
            finally:
                self._accounts.release_setup(claim)

    def _prove(self, principal: Principal) -> None:
        authorize_now(self._accounts, principal, Action.MANAGE_USERS)

    def _keep_an_admin(self, user: StoredUser) -> None:
        others = (other for other in self._accounts.users() if other.id != user.id)
        if _is_active_admin(user) and not any(_is_active_admin(other) for other in others):
            raise PermissionDeniedError(
                "the last active admin",
                user_message="This is the only active admin. Make somebody else an admin first.",
            )

    def _find(self, user_id: UserId) -> StoredUser:
        user = self._accounts.user(user_id)
        if user is None:
            raise NotFoundError("account", user_message="That account was not found. It may have been deleted.")
        return user

    def _recorded(
        self, action: AuditAction, principal: Principal, target: UserId, data: EventData | None = None
    ) -> AbstractContextManager[None]:
        return self._audit.around(action, actor=principal.user_id, subject=target, data=data)


def _is_active_admin(user: StoredUser) -> bool:
    """Tell whether an account can administer now; one whose one-time code may run out unused cannot."""
    return user.role is Role.ADMIN and user.status is UserStatus.ACTIVE and not user.must_change_password
