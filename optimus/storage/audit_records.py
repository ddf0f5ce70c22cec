"""What the audit log takes and returns."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Self

from optimus.models import UserId, Value
from optimus.storage.records import EventData


class AuditAction(StrEnum):
    """What the audit log tells of; the word before the dot is the group that it is shown in."""

    ADMIN_CREATED = "auth.admin_created"
    SIGNED_IN = "auth.signed_in"
    SIGN_IN_FAILED = "auth.sign_in_failed"
    SETUP_FAILED = "auth.setup_failed"
    LOCKED_OUT = "auth.locked_out"
    """Too many failures: further tries have to wait."""
    SIGNED_OUT = "auth.signed_out"
    SESSION_ENDED = "auth.session_ended"
    PASSWORD_CHANGED = "auth.password_changed"  # noqa: S105 - the name of an action
    PASSWORD_CHANGE_FAILED = "auth.password_change_failed"  # noqa: S105 - the name of an action
    PASSWORD_CHOSEN = "auth.password_chosen"  # noqa: S105 - the name of an action
    REGISTERED = "auth.registered"
    """Somebody made an own account."""
    PROOF_FAILED = "auth.proof_failed"
    """A wrong password before an act that asks for it again."""
    DENIED = "auth.denied"
    """Somebody signed in reached for what the role does not allow."""
    USER_CREATED = "admin.user_created"
    ROLE_CHANGE = "admin.role_changed"
    USER_LOCKED = "admin.user_locked"
    USER_UNLOCKED = "admin.user_unlocked"
    SESSIONS_ENDED = "admin.sessions_ended"
    PASSWORD_RESET = "admin.password_reset"  # noqa: S105 - the name of an action
    SETTING_CHANGE = "admin.setting_changed"
    BACKUP = "admin.backup_made"
    RESTORE = "admin.restored"
    """A backup was put back: the log goes on from the last record that was in it."""
    MASTER_KEY_CHANGE = "admin.master_key_changed"
    RETIRED_KEYS_DESTROYED = "admin.retired_keys_destroyed"
    NOT_DONE = "admin.not_done"
    """The act that was recorded just before, by the same actor, failed."""
    EXPORT = "data.exported"
    IMPORT = "data.imported"
    ERASURE = "data.erased"
    """Of an account; names nobody, only the receipt."""
    PREFERENCE_CHANGE = "settings.changed"
    MODEL_CONNECTED = "settings.model_connected"
    MODEL_REMOVED = "settings.model_removed"
    MEMORY_SEARCHED = "memory.searched"
    TOOL_REFUSED = "memory.tool_refused"
    """By the model that wrote an answer, with a tool."""
    MEMORY_CREATED = "memory.created"
    MEMORY_CONFIRMED = "memory.confirmed"
    """Said again, perhaps in better words."""
    MEMORY_REPLACED = "memory.replaced"
    """Ended by a newer one."""
    MEMORY_EDITED = "memory.edited"
    MEMORY_FORGOTTEN = "memory.forgotten"
    MEMORY_RESTORED = "memory.restored"
    MEMORY_UNDONE = "memory.undone"
    MEMORY_WITHDRAWN = "memory.withdrawn"
    """Messages were deleted, and with them what came only from them."""
    MEMORY_WITHHELD = "memory.withheld"
    """To whom it is never sent was chosen."""
    MEMORY_PURGED = "memory.purged"
    """Its time in the bin was over."""
    REEMBEDDED = "store.search_renewed"
    """All memories are made searchable anew, by another search model."""
    REEMBEDDING_CANCELLED = "store.search_renewal_cancelled"
    STORE_REPAIRED = "store.repaired"
    """Damage was found at a start, or repaired before it."""
    FOREIGN_RECORD = "store.foreign_record"
    """The engine gave out a record of another account than it was asked for; it was not passed on."""
    LOG_CHECKED = "audit.checked"
    LOG_EXPORTED = "audit.exported"

    @property
    def group(self) -> str:
        """The word before the dot."""
        return self.value.partition(".")[0]

    @property
    def is_awaited(self) -> bool:
        """Whether the record is on disk before the act goes on; those of memories follow within a second."""
        return self.group != "memory"


class AuditEntry(Value):
    """A record of the audit log as it is read; what an erasure blanked is None."""

    seq: int
    at: datetime
    action: str
    """An `AuditAction`, or what a newer Optimus has recorded."""
    actor: UserId | None
    """Who did it; None where nobody was signed in."""
    subject: UserId | None
    """Whom it concerns."""
    item: str | None
    """What it was done to, such as a memory's id."""
    is_erased: bool
    """Whether an erased account was actor or subject."""
    data: EventData
    """Numbers and names; `network` and `browser` belong to the actor."""


class AuditFilter(Value):
    """Which entries of the audit log; None means any."""

    actions: frozenset[str] | None = None
    about: UserId | None = None
    """Only those that concern this account or that it caused."""
    since: datetime | None = None
    until: datetime | None = None
    """Before this moment."""


class AuditPage(Value):
    """One page of the audit log, the newest entry first."""

    items: tuple[AuditEntry, ...]
    total: int


class AuditRestore(Value):
    """A place where the log goes on from a backup."""

    seq: int
    """The record that tells of it."""
    at: datetime
    made_at: str
    """When the backup was made."""
    lost: int | None
    """How many records had followed in the log before; None where no note beside the master key told."""

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Return what a record of a restore tells."""
        lost = entry.data.get("lost_records")
        known = lost if isinstance(lost, int) else None
        return cls(seq=entry.seq, at=entry.at, made_at=str(entry.data.get("backup_of")), lost=known)

    @property
    def sentence(self) -> str:
        """What was done, for people."""
        lost = "" if self.lost is None else f"; {self.lost:,} later records of the log before are not in it"
        return f" Record {self.seq:,} tells that the backup of {self.made_at[:16]} UTC was put back here{lost}."


class AuditReport(Value):
    """What a check of the audit log found."""

    records: int
    """How many were read and are whole."""
    broken: int | None = None
    """The number of the first record that is missing, changed or out of place."""
    reason: str | None = None
    """What is wrong, in words; None where nothing is."""
    is_anchored: bool = True
    """Whether the end was compared with the note beside the master key."""
    restores: tuple[AuditRestore, ...] = ()
    """Where backups were put back, the newest first."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.reason is None

    @property
    def sentence(self) -> str:
        """The finding for people."""
        if self.broken is not None:
            return (
                f"The audit log is broken at record {self.broken:,}: {self.reason}. Whole before it: {self.records:,}."
            )
        if self.reason is not None:
            return f"The audit log is not to be trusted: {self.reason}."
        anchor = "" if self.is_anchored else " No note beside the master key says where it ends."
        restored = "".join(restore.sentence for restore in self.restores)
        return (
            f"The audit log is whole: {self.records:,} in all, none changed, missing or out of place.{anchor}{restored}"
        )
