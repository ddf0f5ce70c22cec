"""Erasing an account: every record in every collection, the key of the rest, and whatever is kept in memory.

It is one job. An intent is written first; each step can be repeated; what a crash interrupts is finished at the next
start. The key goes before the records, so that nothing that still runs can write anything sealed again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from threading import Lock
from typing import Literal, Protocol

from optimus.auth.departure import DepartureDesk
from optimus.auth.names import username_key
from optimus.errors import SealError, StoreUnavailableError
from optimus.models import Clock, Principal, UserId, Value, new_id, stable_id
from optimus.privacy.erased import ErasureList
from optimus.privacy.receipts import Receipt, ReceiptSigner, account_hash
from optimus.storage.audit_records import AuditAction, AuditFilter
from optimus.storage.failpoints import reached
from optimus.storage.records import EventData
from optimus.storage.store import Store
from optimus.storage.table import PAGE

PURPOSE = "erase"
_SWEEPS = 3


class Running(Protocol):
    """What acts for an owner, or remembers something of them, outside the store."""

    def stop(self, owner: UserId) -> None:
        """Stop what runs for the owner, and wait until it has stopped."""

    def forget(self, owner: UserId) -> None:
        """Drop what is kept of the owner in this process."""


class ErasureIntent(Value):
    """An erasure that was begun: everything that is needed to finish it once the account is gone."""

    id: str
    owner: UserId
    trace: str
    """The hashed key of the account's failed tries."""
    receipt_id: str
    requested_at: datetime
    requested_by: Literal["owner", "admin", "restore"]
    by: UserId | None
    """The administrator who asked for it."""
    records: dict[str, int]
    account: str
    salt: str


class Eraser:
    """Carries out erasures, from the intent to the receipt."""

    def __init__(
        self,
        *,
        store: Store,
        departures: DepartureDesk,
        running: Running,
        erased: ErasureList,
        signer: ReceiptSigner,
        clock: Clock,
    ) -> None:
        self._store = store
        self._departures = departures
        self._running = running
        self._erased = erased
        self._signer = signer
        self._clock = clock
        self._carrying_out = Lock()
        self.steps: tuple[Callable[[ErasureIntent], None], ...] = (
            self._note,
            self._list,
            self._remove_account,
            self._stop,
            self._destroy_key,
            self._erase_records,
            self._forget,
            self._finish,
        )
        """What is done, in this order; each may be done again after a crash."""

    def erase(self, principal: Principal, owner: UserId) -> Receipt:
        """Erase an account for its owner or for an administrator.

        Raises:
            PermissionDeniedError: the principal may not, or the last active admin would be gone.
            NotFoundError: there is no such account.
            ConflictError: somebody changes accounts at this moment.
            StoreError: the store does not answer; what was begun is finished at the next start.
        """
        is_own = principal.user_id == owner
        with self._departures.leaving(principal, owner) as user:
            by = None if is_own else principal.user_id
            intent = self._intend(owner, user.username, "owner" if is_own else "admin", by)
            reached("erase.intended")
            self._note(intent)
            self._remove_account(intent)
        return self._carry_out(intent)

    def replay(self) -> int:
        """Finish what was interrupted, and erase again whom a restored backup brought back; return how many."""
        begun = self._begun()
        back = list(self._restored({intent.owner for intent in begun}))
        for intent in (*begun, *back):
            self._carry_out(intent)
        return len(begun) + len(back)

    def _begun(self) -> list[ErasureIntent]:
        return [ErasureIntent.model_validate(value) for value in self._store.work.intended(PURPOSE)]

    def sweep(self) -> int:
        """Erase what a backup brought back of erased accounts that are not in it themselves; return of how many."""
        swept = 0
        for owner in self._erased.owners():
            if any(self._store.personal.counts(owner).values()):
                self._store.keyring.destroy(owner)
                self._store.personal.erase(owner)
                swept += 1
            self._store.audit.forget(owner)
        return swept

    def _restored(self, known: set[UserId]) -> Iterator[ErasureIntent]:
        listed = self._erased.owners() - known
        for owner in sorted(self._store.accounts.owners() & listed) if listed else ():
            yield self._intend(owner, self._name(owner), "restore", None)

    def _name(self, owner: UserId) -> str:
        """Return the name of an account that a backup brought back; empty where its key is destroyed here already."""
        with suppress(SealError):
            user = self._store.accounts.user(owner)
            return user.username if user else ""
        return ""

    def _intend(
        self, owner: UserId, name: str, requested_by: Literal["owner", "admin", "restore"], by: UserId | None
    ) -> ErasureIntent:
        salt = secrets.token_hex(16)
        intent = ErasureIntent(
            id=stable_id("erasure", owner),
            owner=owner,
            trace=self._departures.trace(name),
            receipt_id=new_id(),
            requested_at=self._clock(),
            requested_by=requested_by,
            by=by,
            records=self._store.personal.counts(owner),
            account=account_hash(salt, username_key(name)),
            salt=salt,
        )
        self._store.work.intend(PURPOSE, intent.id, intent.model_dump(mode="json"))
        return intent

    def _carry_out(self, intent: ErasureIntent) -> Receipt:
        """Do what is left of an erasure; one that was finished meanwhile, in another thread, is not begun again."""
        with self._carrying_out:
            is_left = any(other.id == intent.id for other in self._begun())
            for step in self.steps if is_left else ():
                step(intent)
                reached(f"erase.{step.__name__.removeprefix('_')}")
        return self._signer.sign(
            Receipt(
                id=intent.receipt_id,
                erased_at=self._clock(),
                requested_by=intent.requested_by,
                records=intent.records,
                account=intent.account,
                salt=intent.salt,
            )
        )

    def _list(self, intent: ErasureIntent) -> None:
        self._erased.add(intent.owner, intent.requested_at)

    def _remove_account(self, intent: ErasureIntent) -> None:
        self._departures.remove(intent.owner, intent.trace)

    def _stop(self, intent: ErasureIntent) -> None:
        self._running.stop(intent.owner)

    def _destroy_key(self, intent: ErasureIntent) -> None:
        self._store.keyring.destroy(intent.owner)

    def _erase_records(self, intent: ErasureIntent) -> None:
        """Erase until nothing is found: a page that was being drawn may have written once more."""
        for _ in range(_SWEEPS):
            self._store.audit.forget(intent.owner)
            reached("erase.blanked")
            self._store.personal.erase(intent.owner)
            if not any(self._store.personal.counts(intent.owner).values()):
                return
        raise StoreUnavailableError("records of an erased account come back")

    def _forget(self, intent: ErasureIntent) -> None:
        self._running.forget(intent.owner)

    def _note(self, intent: ErasureIntent) -> None:
        """Record once that an account is erased, before it is; the record names nobody who is gone."""
        told = self._store.audit.page(AuditFilter(actions=frozenset({AuditAction.ERASURE})), limit=PAGE).items
        if all(entry.item != intent.receipt_id for entry in told):
            data: EventData = {"requested_by": intent.requested_by}
            self._store.audit.record(AuditAction.ERASURE, actor=intent.by, item=intent.receipt_id, data=data)

    def _finish(self, intent: ErasureIntent) -> None:
        self._store.work.finish(intent.id)
