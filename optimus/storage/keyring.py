"""One data key per user, wrapped by the master key; without it the user's sealed records are noise."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from threading import Lock
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from qdrant_client import models
from qdrant_client.client_base import QdrantBase

from optimus.errors import ConfigurationError, SealError
from optimus.models import Clock, UserId, is_uuid, stable_id
from optimus.storage.filters import all_of, equals
from optimus.storage.table import KIND

NONCE_BYTES = 12
"""NIST SP 800-38D, section 8.2.2: a random 96-bit nonce."""
KEY_BYTES = 32
_MASTER_CHECK = "master-check"


class Keyring:
    """Keep the wrapped keys in `accounts` and the opened ones in memory.

    It talks to the backend below the walls: they need its keys to do their work.
    """

    def __init__(
        self, *, backend: QdrantBase, collection: str, master: bytes, sync: Callable[[], None], clock: Clock
    ) -> None:
        self._backend = backend
        self._collection = collection
        self._master = AESGCM(master)
        self._sync = sync
        self._clock = clock
        self._opened: dict[str, bytes] = {}
        self._lock = Lock()

    def dek(self, owner: UserId) -> bytes:
        """Return the owner's data key; make, wrap and store it on first use.

        Raises:
            SealError: the key was destroyed, or the master key does not open it.
        """
        return self._key(owner, create=True)

    def existing(self, owner: UserId) -> bytes:
        """Return the owner's data key, to open what was sealed with it.

        Raises:
            SealError: there is none, it was destroyed, or the master key does not open it.
        """
        return self._key(owner, create=False)

    def destroy(self, owner: UserId) -> None:
        """Destroy the owner's data key for good: what it sealed stays closed, and no new one is made.

        What is left in its place does not name the owner; only who knows the id can find it.
        """
        with self._lock:
            self._opened.pop(owner, None)
            self._write(owner, {"wrapped": "", "destroyed_at": self._clock().isoformat()})
            self._sync()

    def check_master(self) -> None:
        """Make sure that the master key is the one that this store was begun with.

        Raises:
            ConfigurationError: it is another one.
        """
        try:
            self._key(UserId(_MASTER_CHECK), create=True)
        except SealError:
            raise ConfigurationError(
                "The master key is not the one that sealed this store: put the old OPTIMUS_MASTER_KEY or master.key "
                "back, or use another OPTIMUS_DATA_DIR."
            ) from None

    def _key(self, owner: UserId, *, create: bool) -> bytes:
        opened = self._opened.get(owner)
        if opened is not None:
            return opened
        if not is_uuid(owner) and owner != _MASTER_CHECK:
            raise SealError("a key belongs to a UUID")
        with self._lock:
            wrapped = self._read(owner)
            if wrapped is None and create:
                wrapped = self._create(owner)
            if not wrapped:
                raise SealError("the owner has no data key")
            self._opened[owner] = self._unwrap(owner, wrapped)
            return self._opened[owner]

    def _create(self, owner: UserId) -> str | None:
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self._master.encrypt(nonce, os.urandom(KEY_BYTES), _bound_to(owner))
        made = {"wrapped": b64encode(sealed).decode(), "user_id": owner, "created_at": self._clock().isoformat()}
        self._write(owner, made, mode=models.UpdateMode.INSERT_ONLY)
        self._sync()
        return self._read(owner)

    def _unwrap(self, owner: UserId, wrapped: str) -> bytes:
        try:
            sealed = b64decode(wrapped, validate=True)
            return self._master.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(owner))
        except (InvalidTag, ValueError):
            raise SealError("the master key does not open a data key") from None

    def _read(self, owner: UserId) -> str | None:
        found = self._backend.retrieve(collection_name=self._collection, ids=[stable_id("key", owner)])
        return str((found[0].payload or {})["wrapped"]) if found else None

    def _write(self, owner: UserId, fields: dict[str, Any], *, mode: models.UpdateMode | None = None) -> None:
        payload = {KIND: "key", **fields}
        point = models.PointStruct(id=stable_id("key", owner), vector={}, payload=payload)
        self._backend.upsert(
            collection_name=self._collection,
            points=[point],
            update_mode=mode,
            update_filter=all_of(equals(KIND, "key")),
        )


def _bound_to(owner: UserId) -> bytes:
    return f"optimus\x1fkey\x1f{owner}".encode()
