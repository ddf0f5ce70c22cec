"""Where the end of the audit chain is noted: in the store, and in a file beside the master key.

Without a note, records cut off at the end would not be missed. Whoever holds only the store cannot take the file
back to an earlier end. A note is made after its records are on disk: it may lag behind them, never run ahead.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Lock, Thread
from typing import Any, NamedTuple

from optimus.errors import StoreError
from optimus.models import stable_id
from optimus.storage.audit_chain import AuditChain, Link
from optimus.storage.filters import at_most
from optimus.storage.table import Table

NOTE_AFTER_S = 0.9
"""How long the note may lag behind records that nobody waited for."""
IN_STORE, BESIDE_KEY = "the note of the end in the store", "the note of the end beside the master key"
_POINT_ID = stable_id("audit head")
_MAX_FILE_BYTES = 1_000

_log = logging.getLogger(__name__)


class NotedEnds(NamedTuple):
    """What is noted, by place, and what is wrong with it."""

    links: dict[str, Link]
    flaw: str | None


class ChainEnd:
    """Notes how far the chain reaches; one thread follows the records that nobody waits for."""

    def __init__(
        self, *, table: Table, path: Path | None, chain: Callable[[], AuditChain], sync: Callable[[], None]
    ) -> None:
        self._table = table
        self._path = path
        self._chain = chain
        self._sync = sync
        self._noted = 0
        self._noting = Lock()
        self._state = Condition()
        self._due: Link | None = None
        self._is_closed = False
        self._thread: Thread | None = None

    @property
    def is_file_kept(self) -> bool:
        """Whether the end is noted outside the store at all."""
        return self._path is not None

    def read(self) -> NotedEnds:
        """Return the proven notes, and what is wrong where one is not ours.

        Raises:
            StoreError: the store does not answer.
        """
        row = self._table.get(_POINT_ID)
        notes = {IN_STORE: row.payload if row else None, BESIDE_KEY: self._read_file()}
        links: dict[str, Link] = {}
        flaw = None
        for place, note in notes.items():
            link = self.proven(note) if note is not None else None
            if link is not None:
                links[place] = link
            elif note is not None:
                flaw = f"{place} was changed, or belongs to another log"
        return NotedEnds(links, flaw)

    def note(self, link: Link) -> None:
        """Note that the chain reaches to `link`, which is on disk; where that fails, the next note makes up for it.

        A file that is not ours is left alone, so that the check goes on naming it.
        """
        with self._noting:
            if link.seq <= self._noted:
                return
            noted = {"seq": link.seq, "hash": link.hash, "mark": self._chain().head_mark(link)}
            try:
                in_file = self._read_file()
                self._table.put(_POINT_ID, noted, at_most("seq", link.seq))
                if self._path and (in_file is None or self.proven(in_file)):
                    _write(self._path, noted)
                self._noted = link.seq
            except (OSError, StoreError):
                _log.warning("the end of the audit log could not be noted", exc_info=True)

    def note_later(self, link: Link) -> None:
        """Sync and note within a second, without waiting for it."""
        with self._state:
            self._due = link
            if self._thread is None and not self._is_closed:
                self._thread = Thread(target=self._follow, name="optimus-audit", daemon=True)
                self._thread.start()
            self._state.notify_all()

    def close(self) -> None:
        """Note what is due and end the thread; closing twice does nothing."""
        with self._state:
            self._is_closed = True
            self._state.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        is_over = False
        while not is_over:
            with self._state:
                self._state.wait_for(lambda: self._due or self._is_closed)
                self._state.wait_for(lambda: self._is_closed, timeout=NOTE_AFTER_S)
                link, self._due, is_over = self._due, None, self._is_closed
            if link is None:
                continue
            try:
                self._sync()
            except StoreError:
                _log.warning("the end of the audit log could not be noted", exc_info=True)
            else:
                self.note(link)

    def proven(self, note: dict[str, Any]) -> Link | None:
        """Return the end that a note tells of; None where it was changed, or belongs to another log."""
        seq, value = note.get("seq"), note.get("hash")
        if not isinstance(seq, int) or not isinstance(value, str):
            return None
        link = Link(seq, value)
        return link if note.get("mark") == self._chain().head_mark(link) else None

    def _read_file(self) -> dict[str, Any] | None:
        """Return the note in the file; None where there is none, an empty one where it cannot be read."""
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as file:
                noted = json.loads(file.read(_MAX_FILE_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}


def _write(path: Path, noted: dict[str, Any]) -> None:
    """Replace the file in one step, readable by its owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(noted, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
