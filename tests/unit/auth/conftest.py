"""A world to sign in to: an empty store in memory, a clock that is moved by hand, cheap bcrypt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from optimus.auth.service import AuthService
from optimus.keys import Keys
from optimus.models import Role, SessionId, User, UserId, UserStatus, new_id
from optimus.settings import Settings
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditEntry
from optimus.storage.records import StoredUser
from optimus.storage.store import open_memory_store

PASSWORD = "violin-harbour-94-mossy kettle"
NETWORK = "192.0.2.7"
COST = 4


@dataclass
class HandClock:
    """Stands still until it is moved."""

    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time at which it was left."""
        return self.now

    def pass_(self, **time: float) -> None:
        """Let time pass: `clock.pass_(minutes=5)`."""
        self.now += timedelta(**time)


@dataclass
class World:
    """The store, and services over it that a test may open as often as a server restarts."""

    accounts: AccountRepository
    clock: HandClock
    audit: AuditLog
    keys: Keys = field(default_factory=lambda: Keys(jwt=b"j" * 32, pepper=b"p" * 32, master=b"m" * 32))

    @property
    def entries(self) -> list[AuditEntry]:
        """What the audit log holds, the oldest first."""
        return list(reversed(self.audit.page(limit=256).items))

    def service(self, **settings: Any) -> AuthService:
        """Return a service as a new process would make it, whatever the machine's environment says."""
        usual = {"setup_code": None, "session_profile": "default", "max_sessions": 5}
        return AuthService(
            accounts=self.accounts,
            keys=self.keys,
            settings=Settings(**(usual | settings)),
            clock=self.clock,
            password_cost=COST,
            audit=self.audit,
        )

    def add_user(self, auth: AuthService, username: str = "ann", role: Role = Role.USER) -> User:
        """Store an account with the usual password."""
        user = StoredUser(
            id=UserId(new_id()),
            username=username,
            role=role,
            created_at=self.clock.now,
            password_hash=auth._hasher.hash(PASSWORD),
            pepper_id=auth._hasher.pepper_id,
            password_changed_at=self.clock.now,
        )
        self.accounts.add_user(user)
        return user.to_user()

    def change_user(self, user: User, *, status: UserStatus = UserStatus.ACTIVE, role: Role = Role.USER) -> None:
        """Store another status or role."""
        stored = self.accounts.user(user.id)
        assert stored is not None
        self.accounts.update_user(stored.model_copy(update={"status": status, "role": role}))


@pytest.fixture
def world() -> Iterator[World]:
    """An empty world."""
    clock = HandClock()
    store = open_memory_store(clock=clock)
    yield World(accounts=store.accounts, clock=clock, audit=store.audit)
    store.close()


@pytest.fixture
def auth(world: World) -> AuthService:
    """The service of a world with one account, ann."""
    service = world.service()
    world.add_user(service)
    return service


def sign_in(
    auth: AuthService, username: str = "ann", password: str = PASSWORD, network: str = NETWORK, **rest: Any
) -> str:
    """Sign in with what is usual where nothing else is said; return the ticket."""
    return auth.sign_in(
        username=username, password=password, network=network, **({"captcha": None, "user_agent": ""} | rest)
    )


def session_of(auth: AuthService, token: str) -> SessionId:
    """Return the id of the session that `token` names."""
    principal = auth.principal(token)
    assert principal is not None
    return principal.session_id
