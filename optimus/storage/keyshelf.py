"""Where wrapped data keys are kept: as records of the store, or as files beside the master key.

An engine goes on holding old bytes of a record in its segments and its log. So the embedded store keeps the keys in
files, which are overwritten when they are destroyed: afterwards the master key opens nothing of their owner any more.
A Qdrant server may be shared by machines that keep no files, and holds them as records.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from qdrant_client import models
from qdrant_client.client_base import QdrantBase

from optimus.errors import StoreUnavailableError
from optimus.keys import replace_file, sync_folder
from optimus.storage.filters import all_of, equals, has_ids
from optimus.storage.folder import lacks_handles
from optimus.storage.table import KIND

_ENDING = ".json"
_UNREADABLE = "The data key in {} cannot be read: put the old file back, or restore a backup."


class KeyEntry(NamedTuple):
    """A kept key by its id; one that was destroyed holds an empty `wrapped` and names no owner."""

    id: str
    fields: dict[str, Any]

    @property
    def wrapped(self) -> str:
        """The key under the master key, in Base64."""
        return str(self.fields["wrapped"])


class KeyShelf(Protocol):
    """Keeps entries by id."""

    def read(self, key_id: str) -> KeyEntry | None:
        """Return an entry, or None where there never was one."""

    def add(self, entry: KeyEntry) -> None:
        """Keep an entry unless its id is taken."""

    def swap(self, old: KeyEntry, new: KeyEntry) -> bool:
        """Put `new` in the place of `old`, if that is still what is kept; tell whether it is there now."""

    def destroy(self, entry: KeyEntry) -> None:
        """Put an entry without a key in the place of whatever is kept."""

    def page(self, after: str | None, limit: int) -> tuple[list[KeyEntry], str | None]:
        """Return entries in a fixed order from `after` on, and where the next page begins."""


class RecordShelf:
    """Entries as records of kind `key`."""

    def __init__(self, *, backend: QdrantBase, collection: str) -> None:
        self._backend = backend
        self._collection = collection

    def read(self, key_id: str) -> KeyEntry | None:
        """Return an entry, or None where there never was one."""
        found = self._backend.retrieve(collection_name=self._collection, ids=[key_id])
        return KeyEntry(key_id, found[0].payload or {}) if found else None

    def add(self, entry: KeyEntry) -> None:
        """Keep an entry unless its id is taken."""
        self._write(entry, mode=models.UpdateMode.INSERT_ONLY)

    def swap(self, old: KeyEntry, new: KeyEntry) -> bool:
        """Put `new` in the place of `old`, if that is still what is kept; tell whether it is there now."""
        self._write(new, equals("wrapped", old.wrapped), mode=models.UpdateMode.UPDATE_ONLY)
        kept = self.read(new.id)
        return kept is not None and kept.wrapped == new.wrapped

    def destroy(self, entry: KeyEntry) -> None:
        """Put an entry without a key in the place of whatever is kept."""
        self._write(entry)

    def page(self, after: str | None, limit: int) -> tuple[list[KeyEntry], str | None]:
        """Return entries in the order of their ids from `after` on, and where the next page begins."""
        where = all_of(equals(KIND, "key"))
        records, following = self._backend.scroll(
            collection_name=self._collection, scroll_filter=where, limit=limit, offset=after
        )
        entries = [KeyEntry(str(record.id), record.payload or {}) for record in records]
        return entries, None if following is None else str(following)

    def remove(self, key_id: str) -> None:
        """Delete an entry that is kept elsewhere now."""
        where = all_of(equals(KIND, "key"), has_ids(key_id))
        self._backend.delete(collection_name=self._collection, points_selector=models.FilterSelector(filter=where))

    def _write(self, entry: KeyEntry, *conditions: models.Condition, mode: models.UpdateMode | None = None) -> None:
        point = models.PointStruct(id=entry.id, vector={}, payload={**entry.fields, KIND: "key"})
        self._backend.upsert(
            collection_name=self._collection,
            points=[point],
            update_mode=mode,
            update_filter=all_of(equals(KIND, "key"), *conditions),
        )


class FileShelf:
    """Entries as files of mode 0600, one each; whatever is written is on disk when the call returns.

    One process holds the store, and its keyring calls one at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def is_missing(self) -> bool:
        """Whether there is no such folder."""
        return not self._folder.is_dir()

    def read(self, key_id: str) -> KeyEntry | None:
        """Return an entry, or None where there never was one.

        Raises:
            StoreUnavailableError: the file cannot be read.
        """
        try:
            return KeyEntry(key_id, _fields(self._path(key_id).read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as exc:
            if lacks_handles(exc):
                raise StoreUnavailableError("no file handle is left to read a data key") from None
            sentence = _UNREADABLE.format(self.name(key_id))
            raise StoreUnavailableError(f"{sentence} ({type(exc).__name__})", user_message=sentence) from None

    def has(self, key_id: str) -> bool:
        """Tell whether there is a file of an entry, whatever it holds."""
        return self._path(key_id).exists()

    def name(self, key_id: str) -> str:
        """Return the name of an entry's file, below its folder."""
        return f"{self._folder.name}/{self._path(key_id).name}"

    def add(self, entry: KeyEntry) -> None:
        """Keep an entry unless its id is taken.

        Raises:
            StoreUnavailableError: the disk refuses.
        """
        if self.read(entry.id) is None:
            self._write(entry)

    def swap(self, old: KeyEntry, new: KeyEntry) -> bool:
        """Put `new` in the place of `old`, if that is still what is kept; tell whether it is there now."""
        kept = self.read(old.id)
        if kept is None or kept.wrapped != old.wrapped:
            return False
        self._write(new)
        return True

    def destroy(self, entry: KeyEntry) -> None:
        """Put an entry without a key in the place of whatever is kept; the old bytes are overwritten."""
        self._write(entry)

    def page(self, after: str | None, limit: int) -> tuple[list[KeyEntry], str | None]:
        """Return entries in the order of their ids from `after` on, and where the next page begins."""
        names = sorted(path.name.removesuffix(_ENDING) for path in self._folder.glob(f"*{_ENDING}"))
        ahead = [name for name in names if after is None or name >= after]
        entries = [entry for name in ahead[:limit] if (entry := self.read(name))]
        return entries, ahead[limit] if len(ahead) > limit else None

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            StoreUnavailableError: it cannot be made.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self._folder.parent)
        except OSError as exc:
            raise StoreUnavailableError(f"the folder of data keys cannot be made: {type(exc).__name__}") from None

    def _path(self, key_id: str) -> Path:
        return self._folder / f"{key_id}{_ENDING}"

    def _write(self, entry: KeyEntry) -> None:
        try:
            replace_file(self._path(entry.id), json.dumps(entry.fields).encode())
        except OSError as exc:
            raise StoreUnavailableError(f"a data key cannot be written: {type(exc).__name__}") from None


def _fields(content: bytes) -> dict[str, Any]:
    fields = json.loads(content)
    if isinstance(fields, dict) and isinstance(fields.get("wrapped"), str):
        return fields
    raise ValueError("no data key")
