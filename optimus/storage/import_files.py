"""Files that are being imported, in sealed parts of the owner's, until their import has ended."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable

from qdrant_client import QdrantClient

from optimus.models import UserId, Value, stable_id
from optimus.storage.failpoints import reached
from optimus.storage.filters import owned_by
from optimus.storage.table import Table
from optimus.storage.tenancy import acting_as
from optimus.storage.work import WorkRepository

PART_BYTES = 96 * 1024
"""Of a file in one record: with both its encodings it stays below what a payload may have."""
_PURPOSE = "import"
_READ_AT_ONCE = 8


class PendingImport(Value):
    """An import that was begun and has not ended."""

    owner: UserId
    parts: int
    records: int
    """How many records it goes through, as its preview said."""


class ImportFiles:
    """One file for each owner: an import that a crash cut off goes on with it at the next start."""

    def __init__(
        self, *, client: QdrantClient, collection: str, work: WorkRepository, sync: Callable[[], None]
    ) -> None:
        """Take the sealed collection that parts are kept in, and what knows of work that was begun."""
        self._parts = Table(client=client, collection=collection, kind="import_part", sync=sync)
        self._work = work

    def keep(self, owner: UserId, file: bytes, *, records: int) -> None:
        """Store a file in place of the owner's last one; returns after a sync to disk."""
        self.drop(owner)
        starts = range(0, len(file), PART_BYTES)
        with acting_as(owner):
            for number, start in enumerate(starts):
                text = b64encode(file[start : start + PART_BYTES]).decode()
                self._parts.insert(_part_id(owner, number), {"user_id": owner, "number": number, "text": text})
        reached("import.kept")
        pending = PendingImport(owner=owner, parts=len(starts), records=records)
        self._work.intend(_PURPOSE, _intent_id(owner), pending.model_dump(mode="json"))

    def pending(self) -> list[PendingImport]:
        """Return the imports of all owners that were begun and have not ended."""
        return [PendingImport.model_validate(value) for value in self._work.intended(_PURPOSE)]

    def read(self, pending: PendingImport) -> bytes | None:
        """Return the file of an import; None where it is not whole any more, as after an erasure.

        Raises:
            SealError: the owner's key is gone.
        """
        with acting_as(pending.owner):
            rows = list(self._parts.each(owned_by(pending.owner), page=_READ_AT_ONCE))
        parts = {row.payload["number"]: b64decode(row.payload["text"]) for row in rows}
        if parts.keys() != set(range(pending.parts)):
            return None
        return b"".join(parts[number] for number in range(pending.parts))

    def drop(self, owner: UserId) -> None:
        """Forget the owner's file: its import has ended, or will not be made."""
        with acting_as(owner):
            self._parts.delete(owned_by(owner))
        reached("import.dropped")
        self._work.finish(_intent_id(owner))


def _part_id(owner: UserId, number: int) -> str:
    return stable_id("import part", owner, str(number))


def _intent_id(owner: UserId) -> str:
    return stable_id("import", owner)
