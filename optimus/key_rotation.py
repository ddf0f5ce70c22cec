"""Changing the master key while everybody goes on: what is sealed stays as it is, only the data keys are wrapped anew.

The job is as durable as its traces. The next master key is on disk before anything is wrapped by it, and both open
from then on; each wrap names its key by opening with it; the old key retires when a whole pass finds nothing under
it. So a crash anywhere leaves a store that opens, and the next start goes on.
"""

from __future__ import annotations

import logging

from optimus.errors import ConfigurationError, ConflictError, StoreError
from optimus.keys import (
    Keys,
    begin_new_master,
    destroy_retired_masters,
    is_master_changing,
    retire_old_master,
    retired_masters,
)
from optimus.models import Value
from optimus.privacy.receipts import note_signers
from optimus.settings import Settings
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction
from optimus.storage.failpoints import reached
from optimus.storage.keyring import BATCH, Keyring

_log = logging.getLogger(__name__)


class RewrapBatch(Value):
    """What one batch did: how many keys it looked at and changed, and where the next one begins."""

    seen: int
    changed: int
    after: str | None


class KeyRotation:
    """Begins, carries on and ends the change of the master key."""

    def __init__(self, *, settings: Settings, keys: Keys, keyring: Keyring, audit: AuditLog) -> None:
        self._settings = settings
        self._keys = keys
        self._keyring = keyring
        self._audit = audit

    @property
    def is_unfinished(self) -> bool:
        """Whether a new master key waits for everything to be wrapped by it."""
        return is_master_changing(self._settings)

    def begin(self) -> int:
        """Record the change, make the next master key, and return how many keys there are to wrap.

        Raises:
            ConfigurationError: the key folder cannot be written, or the settings do not hold the old key.
            StoreError: it cannot be recorded; nothing is changed.
        """
        if not self.is_unfinished:
            note_signers(self._settings.keys_folder, self._keys.masters())
            reached("rotate.noted")
            self._audit.record(AuditAction.MASTER_KEY_CHANGE, actor=None)
            reached("rotate.recorded")
            begin_new_master(self._settings)
            reached("rotate.begun")
        self._keyring.reload()
        return self._keyring.count()

    def advance(self, after: str | None = None, limit: int = BATCH) -> RewrapBatch:
        """Wrap one batch by the new master key.

        Raises:
            StoreError: the store does not answer, or a key does not open; what was wrapped so far stays.
        """
        changed, following = self._keyring.rewrap(after, limit)
        return RewrapBatch(seen=limit, changed=changed, after=following)

    def finish(self) -> int:
        """Retire the old master key once nothing is under it; return how many retired ones there are.

        Raises:
            ConflictError: something was still under the old one; it is not any more, and another call will do.
            ConfigurationError: the key folder cannot be written.
        """
        if self._pass():
            raise ConflictError(
                "keys were wrapped meanwhile", user_message="Keys were added meanwhile. Run the command again."
            )
        reached("rotate.checked")
        retire_old_master(self._settings)
        reached("rotate.retired")
        self._keyring.reload()
        return len(retired_masters(self._settings))

    def resume(self) -> int:
        """Go on with a change that was interrupted, and take in keys of an older master; return how many were wrapped.

        What does not work now is told in the log and tried again at the next start: all that opened before still does.
        """
        if not self._keys.former:
            return 0
        try:
            changed = self._pass()
            self.finish()
        except (StoreError, ConfigurationError):
            _log.exception("the change of the master key could not go on")
            return 0
        return changed

    def destroy_retired(self) -> int:
        """Destroy the retired master keys, once nothing in the store is under them; return how many there were.

        Raises:
            StoreError: it cannot be recorded, or a key does not open; nothing is destroyed.
            ConfigurationError: the key folder cannot be written.
        """
        self._keyring.reload()
        self._pass()
        note_signers(self._settings.keys_folder, self._keys.masters())
        self._audit.record(AuditAction.RETIRED_KEYS_DESTROYED, actor=None)
        reached("rotate.told")
        destroyed = destroy_retired_masters(self._settings)
        reached("rotate.destroyed")
        self._keyring.reload()
        return destroyed

    def _pass(self) -> int:
        after, changed = None, 0
        while True:
            batch = self.advance(after)
            after, changed = batch.after, changed + batch.changed
            if after is None:
                return changed
