"""What an administrator sees of the whole: sizes and counts. Never what anybody has written."""

from __future__ import annotations

from datetime import datetime, timedelta

from optimus.auth.accounts import AccountDesk, AccountInfo
from optimus.auth.permissions import Action, authorize
from optimus.models import Clock, Principal, UserStatus, Value
from optimus.storage.audit_records import AuditAction, AuditFilter
from optimus.storage.overview import CollectionState, collection_states, memories_by_user, totals
from optimus.storage.store import Store

__all__ = ["CollectionState", "Counters", "OverviewService", "Person", "Recent"]

ANSWERED = "answer"


class Recent(Value):
    """How often something happened."""

    day: int
    """In the last 24 hours."""
    week: int
    """In the last 7 days."""


class Counters(Value):
    """How much there is, and how busy it is."""

    users: int
    locked: int
    sessions: int
    conversations: int
    memories: int
    answers: Recent
    failed_sign_ins: Recent


class Person(Value):
    """An account in the table of users."""

    account: AccountInfo
    memories: int
    """True ones, messages not counted."""


class OverviewService:
    """Reads what the admin page shows, each time for a principal who may see it."""

    def __init__(self, *, store: Store, people: AccountDesk, clock: Clock) -> None:
        self._store = store
        self._people = people
        self._clock = clock

    def collections(self, principal: Principal) -> tuple[CollectionState, ...]:
        """Return the store's collections with their sizes.

        Raises:
            PermissionDeniedError: the principal may not manage the system.
            StoreError: the store does not answer.
        """
        authorize(principal, Action.MANAGE_SYSTEM)
        return collection_states(self._store)

    def people(self, principal: Principal, *, named: str = "") -> list[Person]:
        """Return every account whose name holds `named`, whatever its case, the oldest first.

        Raises:
            PermissionDeniedError: the principal may not manage users.
            StoreError: the store does not answer.
        """
        accounts, wanted = self._people.all(principal), named.strip().casefold()
        memories = memories_by_user(self._store)
        return [
            Person(account=account, memories=memories.get(account.user.id, 0))
            for account in accounts
            if wanted in account.user.username.casefold()
        ]

    def counters(self, principal: Principal) -> Counters:
        """Count accounts, sessions, conversations, memories, answers and failed sign-ins.

        Raises:
            PermissionDeniedError: the principal may not see everybody's usage.
            StoreError: the store does not answer.
        """
        authorize(principal, Action.SEE_USAGE_OF_ALL)
        accounts = self._people.all(principal)
        now, held = self._clock(), totals(self._store)
        day = self._store.events.tally(now - timedelta(days=1))
        week = self._store.events.tally(now - timedelta(days=7))
        return Counters(
            users=len(accounts),
            locked=sum(account.user.status is UserStatus.LOCKED for account in accounts),
            sessions=sum(account.sessions for account in accounts),
            conversations=held.conversations,
            memories=held.memories,
            answers=Recent(day=day.get(ANSWERED, 0), week=week.get(ANSWERED, 0)),
            failed_sign_ins=Recent(day=self._failures(now, days=1), week=self._failures(now, days=7)),
        )

    def _failures(self, now: datetime, *, days: int) -> int:
        failed = frozenset({AuditAction.SIGN_IN_FAILED.value})
        return sum(self._store.audit.tally(AuditFilter(actions=failed, since=now - timedelta(days=days))).values())
