"""What an administrator sees of the whole: sizes, counts and the log of accounts. Never what anybody has written."""

from __future__ import annotations

from datetime import datetime, timedelta

from optimus.auth.accounts import AccountDesk, AccountInfo
from optimus.auth.permissions import Action, authorize
from optimus.models import Clock, Principal, UserId, UserStatus, Value
from optimus.storage.overview import CollectionState, collection_states, memories_by_user, totals
from optimus.storage.records import EventData
from optimus.storage.store import Store

__all__ = ["CollectionState", "Counters", "LogEntry", "OverviewService", "Person", "Recent"]

LOGGED = 200
"""How many entries the log shows."""
LOGGED_KINDS = ("auth.", "admin.")
ANSWERED = "answer"
FAILED_SIGN_IN = "auth.sign_in_failed"


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


class LogEntry(Value):
    """Something that happened to an account."""

    at: datetime
    kind: str
    username: str | None
    """Whom it concerns; None where no account has the name that was typed, empty where the account is gone."""
    by: str | None
    """The administrator who did it; None where nobody but the account itself acted."""
    data: EventData


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
            failed_sign_ins=Recent(day=day.get(FAILED_SIGN_IN, 0), week=week.get(FAILED_SIGN_IN, 0)),
        )

    def kinds(self, principal: Principal) -> list[str]:
        """Return the kinds of entries that the log has, sorted.

        Raises:
            PermissionDeniedError: the principal may not read the log.
            StoreError: the store does not answer.
        """
        authorize(principal, Action.READ_AUDIT)
        return sorted(kind for kind in self._store.events.tally() if kind.startswith(LOGGED_KINDS))

    def log(self, principal: Principal, *, kind: str | None = None, about: UserId | None = None) -> list[LogEntry]:
        """Return the newest entries of the log, at most 200, the newest first.

        Args:
            principal: Who reads.
            kind: Only this kind.
            about: Only entries that concern this account or that it caused.

        Raises:
            PermissionDeniedError: the principal may not read the log.
            StoreError: the store does not answer.
        """
        kinds = [known for known in self.kinds(principal) if kind in (None, known)]
        if not kinds:
            return []
        names = {user.id: user.username for user in self._store.accounts.users()}
        return [
            LogEntry(
                at=event.at,
                kind=event.kind,
                username=names.get(event.user_id, "") if event.user_id else None,
                by=names.get(UserId(str(event.data["by"])), "") if "by" in event.data else None,
                data={key: value for key, value in event.data.items() if key != "by"},
            )
            for event in self._store.events.latest(kinds, about=about, limit=LOGGED)
        ]
