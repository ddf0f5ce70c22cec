"""The audit log in the store: appended record by record, never changed but by an erasure, and checked as a chain.

Records have numbers without gaps, and ids that follow from them: of several that append at once each number has one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import ValidationError
from qdrant_client import QdrantClient, models

from optimus.errors import ConflictError, StoreError
from optimus.models import Clock, UserId, stable_id
from optimus.storage.audit_chain import PARTS, START, AuditChain, Link
from optimus.storage.audit_end import BESIDE_KEY, ChainEnd
from optimus.storage.audit_records import (
    AuditAction,
    AuditEntry,
    AuditFilter,
    AuditPage,
    AuditReport,
    AuditRestore,
)
from optimus.storage.collections import CollectionNames
from optimus.storage.filters import any_of, at_most, between, equals, has_ids, one_of, owned_by
from optimus.storage.keyring import Keyring
from optimus.storage.records import EventData
from optimus.storage.table import PAGE, WRITE_ID, Row, Table

MAX_TEXT_CHARS = 100
_KEY_OWNER = UserId(stable_id("audit log"))
_TRIES = 200

_log = logging.getLogger(__name__)


class AuditLog:
    """Appends, reads, checks, and blanks what names an erased account; safe for any number of threads."""

    def __init__(
        self,
        *,
        client: QdrantClient,
        names: CollectionNames,
        keyring: Keyring,
        head_file: Path | None,
        sync: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._records = Table(client=client, collection=names.events, kind="audit", sync=sync)
        self._keyring = keyring
        self._sync = sync
        self._clock = clock
        self._tail: Link | None = None
        self._appending = Lock()
        self._end = ChainEnd(
            table=Table(client=client, collection=names.work, kind="audit_head", sync=sync),
            path=head_file,
            chain=self._chain,
            sync=sync,
        )

    def record(
        self,
        action: AuditAction,
        *,
        actor: UserId | None,
        subject: UserId | None = None,
        item: str | None = None,
        data: EventData | None = None,
    ) -> int:
        """Append a record and return its number; it is on disk, unless it is of a kind that nobody waits for.

        Args:
            action: What was done.
            actor: Who did it; None where nobody was signed in.
            subject: Whom it concerns.
            item: What it was done to, such as a memory's id.
            data: Numbers and words of closed sets, never anything that was typed. `network` (a keyed mark) and
                `browser` count as part of who it was, and are erased with them.

        Raises:
            StoreError: it is not recorded; what is still to be done must not be done.
        """
        told = _harmless(data or {})
        private: EventData = {"actor": actor, "user_id": subject, "item": item}
        private |= {name: told.pop(name, None) for name in ("network", "browser")}
        with self._appending:
            link = self._append({"type": action.value, "data": told, **private})
        if action.is_awaited:
            self._sync()
            self._end.note(link)
        else:
            self._end.note_later(link)
        return link.seq

    def note(self, action: AuditAction, *, actor: UserId | None, **details: Any) -> None:
        """Append a record of what has happened already, or must happen anyway; a failure goes to the process's log."""
        try:
            self.record(action, actor=actor, **details)
        except StoreError:
            _log.exception("the audit log missed %s", action.value)

    def note_foreign(self, wanted: str) -> None:
        """Append that the engine gave out another's record than the one of the account that was asked for."""
        self.note(AuditAction.FOREIGN_RECORD, actor=None, subject=UserId(wanted))

    @contextmanager
    def around(self, action: AuditAction, *, actor: UserId | None, **details: Any) -> Iterator[None]:
        """Record an act before it is done; if it then fails, record that as well.

        Raises:
            StoreError: it could not be recorded, and was not begun.
        """
        seq = self.record(action, actor=actor, **details)
        try:
            yield
        except BaseException:
            self.note(AuditAction.NOT_DONE, actor=actor, subject=details.get("subject"), data={"record": seq})
            raise

    def page(self, where: AuditFilter | None = None, *, limit: int = 50, offset: int = 0) -> AuditPage:
        """Return entries, the newest first; `limit` is at most 256."""
        conditions = _conditions(where or AuditFilter())
        rows = self._records.newest("seq", *conditions, limit=min(limit, PAGE), offset=offset)
        entries = tuple(entry for row in rows if (entry := _entry(row)))
        return AuditPage(items=entries, total=self._records.count(*conditions))

    def tally(self, where: AuditFilter | None = None) -> dict[str, int]:
        """Return how many entries of each action there are."""
        return self._records.tally("type", *_conditions(where or AuditFilter()))

    def forget(self, owner: UserId) -> int:
        """Blank the parts of all records that name `owner`; return how many. The chain still holds.

        Raises:
            ConflictError: records were changed all the time.
        """
        blanked = 0
        for _ in range(_TRIES):
            rows = self._records.find(any_of(owned_by(owner), equals("actor", owner)), limit=PAGE)
            if not rows:
                self._sync()
                return blanked
            for row in rows:
                blank = self._chain().blanked(row.payload, owner)
                unchanged = equals(WRITE_ID, str(row.payload[WRITE_ID]))
                blanked += self._records.replace(row.id, blank, unchanged)
        raise ConflictError("audit records are changed all the time")

    def verify(self, newest: int | None = None) -> AuditReport:
        """Check the chain from its first record, or only the `newest` ones; stop at the first flaw.

        Raises:
            StoreError: it cannot be read.
        """
        noted = self._end.read()
        last = max(self._last_stored().seq, *(link.seq for link in noted.links.values()), 0)
        first = max(1, last - newest + 1) if newest else 1
        flaw = self._first_flaw(first, last, dict(noted.links))
        if flaw is None and not newest:
            flaw = self._stray(last)
        read = last - first + 1 if flaw is None else flaw[0] - first
        broken, reason = flaw or (None, noted.flaw)
        is_anchored = not self._end.is_file_kept or BESIDE_KEY in noted.links or not last
        records = max(read, 0)
        told = self.page(AuditFilter(actions=frozenset({AuditAction.RESTORE})), limit=PAGE).items
        restores = tuple(map(AuditRestore.of, told))
        return AuditReport(records=records, broken=broken, reason=reason, is_anchored=is_anchored, restores=restores)

    def note_restore(self, last: Link, *, made_at: datetime, earlier: dict[str, Any] | None) -> None:
        """Go on from the last record of a backup that was put back, with a record that says so.

        `earlier` is the note beside the master key as it was before: it tells how far the log had come. The note is
        taken back to the new record, which only who holds the keys can do.

        Raises:
            StoreError: it is not recorded.
        """
        before = self._end.proven(earlier) if earlier is not None else None
        lost = None if before is None else max(before.seq - last.seq, 0)
        data: EventData = {"backup_of": made_at.isoformat(timespec="seconds"), "lost_records": lost}
        self._tail = last
        self.record(AuditAction.RESTORE, actor=None, data=data)

    def end(self) -> Link:
        """Return the last record, once it is on disk."""
        self._sync()
        return self._last_stored()

    def _first_flaw(self, first: int, last: int, noted: dict[str, Link]) -> tuple[int, str] | None:
        after = self._link_at(first - 1) if first > 1 else START
        for start in range(first, last + 1, PAGE):
            for seq, record in self._window(start, min(start + PAGE, last + 1)):
                if record is None:
                    return seq, "it is missing"
                flaw = self._chain().flaw(record, after)
                if flaw:
                    return seq, flaw
                after = Link(seq, str(record["hash"]))
                for place, link in noted.items():
                    if link.seq == seq and link != after:
                        return seq, f"it is not the record that {place} tells of"
        return None

    def close(self) -> None:
        """Note the end of the chain; closing twice does nothing."""
        self._end.close()

    def _chain(self) -> AuditChain:
        return AuditChain(self._keyring.dek(_KEY_OWNER))

    def _append(self, fields: dict[str, Any]) -> Link:
        tail = self._tail or self._resumed()
        for _ in range(_TRIES):
            record = self._chain().sealed(fields, at=self._clock(), after=tail)
            self._tail = None
            if self._records.insert(_id_of(record["seq"]), record):
                self._tail = Link(record["seq"], record["hash"])
                return self._tail
            tail = max(self._link_at(tail.seq + 1), self._last_stored())
        raise ConflictError("the audit log grows too fast")

    def _resumed(self) -> Link:
        """Return the end to go on from: never before a noted one, so that what was cut off leaves a gap."""
        return max(self._last_stored(), *self._end.read().links.values(), START)

    def _last_stored(self) -> Link:
        rows = self._records.newest("seq", limit=1)
        return Link(int(rows[0].payload["seq"]), str(rows[0].payload.get("hash"))) if rows else START

    def _link_at(self, seq: int) -> Link:
        row = self._records.get(_id_of(seq))
        return Link(seq, str(row.payload.get("hash")) if row else "")

    def _window(self, start: int, end: int) -> Iterator[tuple[int, dict[str, Any] | None]]:
        ids = {seq: _id_of(seq) for seq in range(start, end)}
        found = {row.id: row.payload for row in self._records.find(has_ids(*ids.values()))}
        yield from ((seq, found.get(point_id)) for seq, point_id in ids.items())

    def _stray(self, last: int) -> tuple[int, str] | None:
        """Return the number of a record that claims a place in the chain from outside it."""
        if self._records.count(at_most("seq", last)) == last:
            return None
        claims = [(row.id, int(row.payload["seq"])) for row in self._records.find(at_most("seq", last))]
        stray = min((seq for point_id, seq in claims if point_id != _id_of(seq)), default=None)
        return None if stray is None else (stray, "a second record claims its place")


def _id_of(seq: int) -> str:
    return stable_id("audit", str(seq))


def _conditions(where: AuditFilter) -> list[models.Condition]:
    conditions: list[models.Condition] = []
    if where.actions is not None:
        conditions.append(one_of("type", where.actions))
    if where.about is not None:
        conditions.append(any_of(owned_by(where.about), equals("actor", where.about)))
    if where.since or where.until:
        conditions.append(between("at", where.since, where.until))
    return conditions


def _entry(row: Row) -> AuditEntry | None:
    """Return a record as it is read; None where somebody has made it unreadable, which the check names."""
    payload = row.payload
    data, source = payload.get("data"), {name: payload.get(name) for name in PARTS["who"][1:]}
    if not isinstance(data, dict):
        return None
    try:
        return AuditEntry(
            seq=payload["seq"],
            at=payload["at"],
            action=payload["type"],
            actor=payload.get("actor"),
            subject=payload.get("user_id"),
            item=payload.get("item"),
            is_erased=any(payload.get(f"{part}_erased") is not None for part in PARTS),
            data=data | {name: value for name, value in source.items() if value},
        )
    except (KeyError, ValidationError):
        return None


def _harmless(data: EventData) -> EventData:
    """Return the data as one printable line each, so that no value can pass for another record."""
    return {
        name: "".join(sign if sign.isprintable() else "?" for sign in value[:MAX_TEXT_CHARS])
        if isinstance(value, str)
        else value
        for name, value in data.items()
    }
