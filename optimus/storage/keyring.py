"""One data key per user, wrapped by the master key; without it the user's sealed records are noise."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from qdrant_client.client_base import QdrantBase

from optimus.errors import ConfigurationError, SealError, StoreUnavailableError
from optimus.keys import Keys
from optimus.models import Clock, UserId, is_uuid, stable_id
from optimus.storage.failpoints import reached
from optimus.storage.keyshelf import FileShelf, KeyEntry, KeyShelf, RecordShelf

NONCE_BYTES = 12
"""NIST SP 800-38D, section 8.2.2: a random 96-bit nonce."""
KEY_BYTES = 32
BATCH = 256
_MASTER_CHECK = UserId("master-check")
IN_FILES = "in_files"
"""Says on the record that checks the master key that the data keys are files."""

Masters = tuple[bytes, ...]
"""Master keys: the first wraps, each opens."""


class Keyring:
    """Keep the wrapped keys on a shelf and the opened ones in memory.

    The shelf is below the walls: they need its keys to do their work. `masters` is asked again whenever a key does
    not open or a new one is made, because another process may have changed the master key.
    """

    def __init__(
        self,
        *,
        records: RecordShelf,
        files: FileShelf | None = None,
        masters: Callable[[], Masters],
        sync: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._records = records
        self._files = files
        self._shelf = files or records
        self._masters = masters
        self._ring = masters()
        self._sync = sync
        self._clock = clock
        self._opened: dict[str, bytes] = {}
        self._lost: frozenset[UserId] = frozenset()
        self._lock = Lock()

    def dek(self, owner: UserId) -> bytes:
        """Return the owner's data key; make, wrap and store it on first use.

        Raises:
            SealError: the key was destroyed, or no master key opens it.
        """
        return self._key(owner, create=True)

    def existing(self, owner: UserId) -> bytes:
        """Return the owner's data key, to open what was sealed with it.

        Raises:
            SealError: there is none, it was destroyed, or no master key opens it.
        """
        return self._key(owner, create=False)

    def destroy(self, owner: UserId) -> None:
        """Destroy the owner's data key for good: what it sealed stays closed, and no new one is made.

        What is left in its place does not name the owner; only who knows the id can find it.
        """
        with self._lock:
            self._opened.pop(owner, None)
            fields = {"wrapped": "", "destroyed_at": self._clock().isoformat()}
            self._shelf.destroy(KeyEntry(_id(owner), fields))
            self._sync()

    def check_master(self) -> None:
        """Make sure that the master key is the one that this store was begun with, and the data keys are where it is.

        Keys that are records of an embedded store, from an older version or a backup, are moved to files.

        Raises:
            ConfigurationError: it is another one, or the folder of data keys is gone.
        """
        check = self._records.read(_id(_MASTER_CHECK))
        if self._files and self._files.is_missing and check and check.fields.get(IN_FILES):
            raise ConfigurationError(
                "The folder with the users' data keys is missing: put the old key folder back, whole, or set "
                "OPTIMUS_KEY_DIR to it. Without it what was stored cannot be read."
            )
        try:
            self._key(_MASTER_CHECK, create=True)
        except SealError:
            raise ConfigurationError(
                "The master key is not the one that sealed this store: put the old OPTIMUS_MASTER_KEY or master.key "
                "back, or use another OPTIMUS_DATA_DIR."
            ) from None
        if self._files:
            self._files.prepare()
            self._move(self._files)

    def entries(self) -> Iterator[KeyEntry]:
        """Yield every kept key as it is kept, wrapped: what a backup holds, and `accounts` takes back as records."""
        yield from _all(self._records)
        if self._files:
            yield from _all(self._files)

    def expect(self, owners: Callable[[], Iterable[UserId]]) -> None:
        """Note whose keys there have to be: where the file of one is gone no new one is made, which could open nothing.

        A server keeps keys beside its accounts, so none is missing there, and `owners` is not asked.
        """
        if self._files:
            self._lost = frozenset(owner for owner in owners() if not self._files.has(_id(owner)))

    def faults(self, owners: Iterable[UserId]) -> list[str]:
        """Return the names of the files with keys of these owners that are missing or open nothing."""
        return [] if self._files is None else [self._files.name(_id(owner)) for owner in owners if self._fails(owner)]

    def rewrap(self, after: str | None = None, limit: int = BATCH) -> tuple[int, str | None]:
        """Wrap a batch of keys anew that are not under the first master key; return how many, and where to go on.

        The data keys stay the same, so nothing has to be sealed again and nobody has to wait. Returns after a sync.

        Raises:
            SealError: no master key opens one of them.
        """
        page, following = self._shelf.page(after, limit)
        changed = sum(self._rewrap(entry) for entry in page)
        if following is None and self._files:
            check = self._records.read(_id(_MASTER_CHECK))
            changed += bool(check and self._rewrap(check))
        if changed:
            self._sync()
        return changed, following

    def count(self) -> int:
        """Return how many keys are kept."""
        return sum(bool(entry.wrapped) for entry in self.entries())

    def reload(self) -> None:
        """Take the master keys as they are now."""
        with self._lock:
            self._ring = self._masters()

    def _move(self, files: FileShelf) -> None:
        kept = _id(_MASTER_CHECK)
        moved = [entry for entry in _all(self._records) if entry.id != kept]
        for entry in moved:
            files.add(entry)
        for entry in moved:
            self._records.remove(entry.id)
        check = self._records.read(kept)
        if check and not check.fields.get(IN_FILES):
            self._records.swap(check, KeyEntry(kept, {**check.fields, IN_FILES: True}))
        self._sync()

    def _key(self, owner: UserId, *, create: bool) -> bytes:
        opened = self._opened.get(owner)
        if opened is not None:
            return opened
        if not is_uuid(owner) and owner != _MASTER_CHECK:
            raise SealError("a key belongs to a UUID")
        shelf = self._records if owner == _MASTER_CHECK else self._shelf
        with self._lock:
            entry = shelf.read(_id(owner))
            if entry is None and create and owner not in self._lost:
                shelf.add(self._made(owner))
                self._sync()
                entry = shelf.read(_id(owner))
            if entry is None or not entry.wrapped:
                raise SealError("the owner has no data key")
            self._opened[owner] = self._unwrap(owner, entry.wrapped)
            return self._opened[owner]

    def _fails(self, owner: UserId) -> bool:
        try:
            entry = self._shelf.read(_id(owner))
            return entry is None or not entry.wrapped or not self._unwrap(owner, entry.wrapped)
        except (SealError, StoreUnavailableError):
            return True

    def _made(self, owner: UserId) -> KeyEntry:
        self._ring = self._masters()
        fields = {"wrapped": self._wrap(owner, os.urandom(KEY_BYTES)), "user_id": owner}
        return KeyEntry(_id(owner), fields | {"created_at": self._clock().isoformat()})

    def _rewrap(self, entry: KeyEntry) -> bool:
        owner = UserId(str(entry.fields.get("user_id", "")))
        if not entry.wrapped or _unwrapped(self._ring[0], owner, entry.wrapped) is not None:
            return False
        shelf = self._records if owner == _MASTER_CHECK else self._shelf
        with self._lock:
            wrapped = self._wrap(owner, self._unwrap(owner, entry.wrapped))
            is_kept = shelf.swap(entry, KeyEntry(entry.id, {**entry.fields, "wrapped": wrapped}))
        reached("rotate.wrapped")
        return is_kept

    def _wrap(self, owner: UserId, key: bytes) -> str:
        nonce = os.urandom(NONCE_BYTES)
        return b64encode(nonce + AESGCM(self._ring[0]).encrypt(nonce, key, _bound_to(owner))).decode()

    def _unwrap(self, owner: UserId, wrapped: str) -> bytes:
        for master in chain(self._ring, chain.from_iterable(asked() for asked in (self._masters,))):
            key = _unwrapped(master, owner, wrapped)
            if key is not None:
                return key
        raise SealError("the master key does not open a data key")


def open_keyring(
    backend: QdrantBase,
    collection: str,
    keys: Keys,
    folder: Path | None,
    *,
    sync: Callable[[], None],
    clock: Clock,
) -> Keyring:
    """Return the keyring of a store; the wrapped keys are files in `folder`, or without one records."""
    return Keyring(
        records=RecordShelf(backend=backend, collection=collection),
        files=FileShelf(folder) if folder else None,
        masters=keys.masters,
        sync=sync,
        clock=clock,
    )


def _all(shelf: KeyShelf) -> Iterator[KeyEntry]:
    after: str | None = None
    while True:
        page, after = shelf.page(after, BATCH)
        yield from page
        if after is None:
            return


def _unwrapped(master: bytes, owner: UserId, wrapped: str) -> bytes | None:
    try:
        sealed = b64decode(wrapped, validate=True)
        return AESGCM(master).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(owner))
    except (InvalidTag, ValueError):
        return None


def _id(owner: UserId) -> str:
    return stable_id("key", owner)


def _bound_to(owner: UserId) -> bytes:
    return f"optimus\x1fkey\x1f{owner}".encode()
