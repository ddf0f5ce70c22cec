"""Who may read the audit log, and what of it: administrators all of it, everybody else what they did themselves."""

from __future__ import annotations

from collections.abc import Iterable

from optimus.auth.permissions import Action, authorize
from optimus.models import Principal, UserId, Value
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction, AuditEntry, AuditFilter, AuditPage, AuditReport
from optimus.storage.table import PAGE

__all__ = [
    "ANOTHER",
    "OWN_ENTRIES",
    "AuditAction",
    "AuditEntry",
    "AuditFilter",
    "AuditReport",
    "AuditService",
    "NamedEntry",
    "NamedPage",
]

OWN_ENTRIES = 50
"""How many entries a user's own activity has."""
MAX_EXPORTED = 10_000
ANOTHER = UserId("")
"""Stands for whoever else acted on one's own account."""


class NamedEntry(Value):
    """An entry with names in the place of ids, where the accounts still exist."""

    entry: AuditEntry
    actor: str | None
    """The name of who did it; empty where the account is gone, None where nobody was signed in."""
    subject: str | None
    """The name of whom it concerns; the same holds."""


class NamedPage(Value):
    """One page of the log for people."""

    items: tuple[NamedEntry, ...]
    total: int


class AuditService:
    """Reads and checks the log for a principal who may; what is recorded goes through `log`."""

    def __init__(self, *, log: AuditLog, accounts: AccountRepository) -> None:
        self.log = log
        self.record = log.record
        """Append a record of what is about to be done; see `AuditLog.record`."""
        self.note = log.note
        """Append a record of what has happened anyway; see `AuditLog.note`."""
        self.around = log.around
        """Record an act, then do it; see `AuditLog.around`."""
        self.forget = log.forget
        """Blank what names an erased account; see `AuditLog.forget`."""
        self._accounts = accounts

    def entries(
        self, principal: Principal, where: AuditFilter | None = None, *, limit: int = 50, offset: int = 0
    ) -> NamedPage:
        """Return everybody's entries, the newest first; `limit` is at most 256.

        Raises:
            PermissionDeniedError: the principal may not read the log.
            StoreError: the store does not answer.
        """
        authorize(principal, Action.READ_AUDIT)
        page = self.log.page(where, limit=limit, offset=offset)
        return NamedPage(items=self._named(page.items), total=page.total)

    def export(self, principal: Principal, where: AuditFilter | None = None) -> tuple[NamedEntry, ...]:
        """Return all entries that match, the newest 10,000 at most; the log tells who took them.

        Raises:
            PermissionDeniedError: the principal may not read the log.
            StoreError: the store does not answer, or the export could not be recorded.
        """
        authorize(principal, Action.READ_AUDIT)
        self.record(AuditAction.LOG_EXPORTED, actor=principal.user_id)
        found: list[AuditEntry] = []
        while len(found) < MAX_EXPORTED:
            page: AuditPage = self.log.page(where, limit=PAGE, offset=len(found))
            found += page.items
            if not page.items or len(found) >= page.total:
                break
        return self._named(found[:MAX_EXPORTED])

    def own(self, principal: Principal) -> tuple[AuditEntry, ...]:
        """Return the newest entries that the principal caused or that concern the principal.

        Who else acted is not told, only that somebody did.

        Raises:
            StoreError: the store does not answer.
        """
        authorize(principal, Action.USE_SETTINGS)
        owner = principal.user_id
        page = self.log.page(AuditFilter(about=owner), limit=OWN_ENTRIES)
        return tuple(entry if entry.actor in (owner, None) else _without_actor(entry) for entry in page.items)

    def check(self, principal: Principal) -> AuditReport:
        """Check the whole log; the log tells who did.

        Raises:
            PermissionDeniedError: the principal may not read the log.
            StoreError: the store does not answer.
        """
        authorize(principal, Action.READ_AUDIT)
        self.note(AuditAction.LOG_CHECKED, actor=principal.user_id)
        return self.log.verify()

    def verify(self) -> AuditReport:
        """Check the whole log, for the operator at the server's own terminal.

        Raises:
            StoreError: the store does not answer.
        """
        return self.log.verify()

    def _named(self, entries: Iterable[AuditEntry]) -> tuple[NamedEntry, ...]:
        names = {user.id: user.username for user in self._accounts.users()}

        def name(user_id: UserId | None, entry: AuditEntry) -> str | None:
            if user_id is None:
                return "" if entry.is_erased else None
            return names.get(user_id, "")

        return tuple(
            NamedEntry(entry=entry, actor=name(entry.actor, entry), subject=name(entry.subject, entry))
            for entry in entries
        )


def _without_actor(entry: AuditEntry) -> AuditEntry:
    data = {key: value for key, value in entry.data.items() if key not in {"network", "browser"}}
    return entry.model_copy(update={"actor": ANOTHER, "data": data})
