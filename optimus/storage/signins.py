"""What signing in leaves behind: sessions, one-time tickets, failure counts, check questions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from qdrant_client import QdrantClient

from optimus.errors import AlreadyExistsError
from optimus.models import Clock, SessionId, UserId, stable_id
from optimus.storage.filters import between, equals, has_ids, one_of, owned_by
from optimus.storage.records import CaptchaRecord, LimitRecord, StoredSession, Ticket
from optimus.storage.table import VERSION, Row, Table

LIMIT_KEPT = timedelta(days=1)
"""How long a failure count outlives its last failure."""
UNUSED, USED = 1, 2
"""Versions of what can be used once."""


class SignInRecords:
    """The part of the accounts repository that signing in writes. Sessions, tickets and counts survive power loss."""

    def __init__(self, *, client: QdrantClient, collection: str, sync: Callable[[], None], clock: Clock) -> None:
        self._clock = clock
        self._sessions = Table(client=client, collection=collection, kind="session", sync=sync)
        self._tickets = Table(client=client, collection=collection, kind="ticket", sync=sync)
        self._limits = Table(client=client, collection=collection, kind="limit", sync=sync)
        self._captchas = Table(client=client, collection=collection, kind="captcha", sync=sync)

    def save_session(self, session: StoredSession) -> None:
        """Store a session, or store it anew.

        Raises:
            AlreadyExistsError: another user's session has this id.
        """
        payload = session.model_dump(mode="json", exclude={"id"})
        if not self._sessions.put(session.id, payload, owned_by(session.user_id), critical=True):
            raise AlreadyExistsError("a session of another user has this id")

    def session(self, session_id: SessionId) -> StoredSession | None:
        """Return a session, also an expired one; None where it has ended."""
        row = self._sessions.get(session_id)
        return row.decode(StoredSession) if row else None

    def sessions_of(self, user_id: UserId) -> list[StoredSession]:
        """Return a user's sessions, the oldest first."""
        found = [row.decode(StoredSession) for row in self._sessions.find(owned_by(user_id))]
        return sorted(found, key=lambda session: session.created_at)

    def all_sessions(self) -> list[StoredSession]:
        """Return everybody's sessions, expired ones too."""
        return [row.decode(StoredSession) for row in self._sessions.find()]

    def count_sessions(self) -> int:
        """Return how many sessions have not expired, everybody's."""
        return self._sessions.count(between("expires_at", self._clock(), None))

    def end_session(self, session_id: SessionId) -> None:
        """Delete a session; ending one that is gone is no error."""
        self._sessions.delete(has_ids(session_id), critical=True)

    def end_sessions_of(self, user_id: UserId) -> None:
        """Delete all sessions of a user."""
        self._sessions.delete(owned_by(user_id), critical=True)

    def end_all_sessions(self) -> None:
        """Delete everybody's sessions and the tickets to new ones."""
        self._tickets.delete(critical=True)
        self._sessions.delete(critical=True)

    def touch_session(self, session_id: SessionId, seen_at: datetime) -> None:
        """Note when a session was last used; an ended session stays ended."""
        self._sessions.patch({"seen_at": seen_at.isoformat()}, has_ids(session_id))

    def note_proven(self, session_id: SessionId, proven_at: datetime) -> None:
        """Note that the password was given again in a session; an ended session stays ended."""
        self._sessions.patch({"proven_at": proven_at.isoformat()}, has_ids(session_id))

    def put_ticket(self, ticket: Ticket) -> None:
        """Store a one-time ticket under the hash of its secret."""
        payload = ticket.model_dump(mode="json") | {VERSION: UNUSED}
        self._tickets.insert(stable_id("ticket", ticket.hash), payload, critical=True)

    def take_ticket(self, ticket_hash: str) -> Ticket | None:
        """Use a ticket up. Of any number of parallel takers exactly one gets it; an expired one is nobody's."""
        row = self._take(self._tickets, stable_id("ticket", ticket_hash))
        ticket = row.decode(Ticket) if row else None
        return ticket if ticket and ticket.expires_at > self._clock() else None

    def limit(self, key: str) -> LimitRecord:
        """Return the failures counted against `key`; an empty record with version 0 where there are none."""
        row = self._limits.get(stable_id("limit", key))
        return row.decode(LimitRecord) if row else LimitRecord(key=key)

    def save_limit(self, record: LimitRecord) -> bool:
        """Store a count over the version that was read; False where somebody was faster, and nothing is stored."""
        point_id = stable_id("limit", record.key)
        expires_at = max(record.failures, default=self._clock()) + LIMIT_KEPT
        payload = record.model_dump(mode="json") | {VERSION: record.version + 1, "expires_at": expires_at.isoformat()}
        if record.version == 0:
            return self._limits.insert(point_id, payload, critical=True)
        return self._limits.replace(point_id, payload, equals(VERSION, record.version), critical=True)

    def forget_limits(self, account: str) -> None:
        """Delete every count that was kept for an account, and the check questions that it was asked."""
        mine = equals("account", account)
        keys = [row.payload["key"] for row in self._limits.each(mine)]
        if keys:
            self._captchas.delete(one_of("key", keys))
        self._limits.delete(mine, critical=True)

    def put_captcha(self, captcha: CaptchaRecord) -> None:
        """Store a check question."""
        payload = captcha.model_dump(mode="json") | {VERSION: UNUSED}
        self._captchas.insert(stable_id("captcha", captcha.id), payload)

    def take_captcha(self, captcha_id: str) -> CaptchaRecord | None:
        """Use a check question up; None where it is unknown, used or expired."""
        row = self._take(self._captchas, stable_id("captcha", captcha_id))
        captcha = row.decode(CaptchaRecord) if row else None
        return captcha if captcha and captcha.expires_at > self._clock() else None

    def purge_expired(self) -> int:
        """Delete what has expired; return how many records went."""
        expired = between("expires_at", None, self._clock())
        purged = 0
        for table in (self._sessions, self._tickets, self._limits, self._captchas):
            purged += table.count(expired)
            table.delete(expired)
        return purged

    def _take(self, table: Table, point_id: str) -> Row | None:
        row = table.get(point_id, equals(VERSION, UNUSED))
        if row is None or not table.replace(point_id, {**row.payload, VERSION: USED}, equals(VERSION, UNUSED)):
            return None
        table.delete(has_ids(point_id), critical=True)
        return row
