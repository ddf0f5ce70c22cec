"""Sessions: made when a one-time ticket is exchanged, checked against the store on every run.

A session first exists for the ticket's 30 seconds only; the exchange extends it to its full life. So a browser that
never comes back with its ticket leaves nothing behind, and each sign-in has an id that no browser knew before.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from optimus.auth.tokens import TokenSigner
from optimus.auth.turns import Turns
from optimus.errors import NotFoundError, SessionEndedError, StoreError
from optimus.models import Clock, SessionId, UserId, UserStatus, Value, new_id
from optimus.storage.accounts import AccountRepository
from optimus.storage.records import StoredSession, StoredUser, Ticket

TICKET_LIFETIME = timedelta(seconds=30)
TOUCH_EVERY = timedelta(minutes=1)

_TICKET_BYTES = 32
_MAX_TICKET_CHARS = 200
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


class Lifetimes(NamedTuple):
    """How long a session lives unused, and in all."""

    idle: timedelta
    absolute: timedelta


LIFETIMES: dict[Literal["default", "strict"], Lifetimes] = {
    "default": Lifetimes(idle=timedelta(days=7), absolute=timedelta(days=30)),
    "strict": Lifetimes(idle=timedelta(minutes=30), absolute=timedelta(hours=12)),
}


class SignedToken(Value):
    """What the cookie route sets."""

    token: str
    max_age_s: int


class SessionInfo(Value):
    """A signed-in browser as its owner sees it."""

    id: SessionId
    created_at: datetime
    seen_at: datetime
    browser: str
    """For example "Firefox on Linux"."""


class SessionDesk:
    """Makes, checks and ends sessions; every doubt, a silent store included, counts against the session."""

    def __init__(
        self,
        *,
        accounts: AccountRepository,
        signer: TokenSigner,
        lifetimes: Lifetimes,
        max_sessions: int,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._signer = signer
        self._lifetimes = lifetimes
        self._max_sessions = max_sessions
        self._clock = clock
        self._turns = Turns(max_waiting=max(32, max_sessions))

    def issue_ticket(self, user_id: UserId, *, user_agent: str) -> str:
        """Prepare a session and return the one-time ticket that opens it within 30 seconds."""
        now = self._clock()
        ends = now + TICKET_LIFETIME
        secret = secrets.token_urlsafe(_TICKET_BYTES)
        session = StoredSession(
            id=SessionId(new_id()),
            user_id=user_id,
            created_at=now,
            seen_at=now,
            expires_at=ends,
            user_agent=browser_name(user_agent),
        )
        self._accounts.save_session(session)
        self._accounts.put_ticket(
            Ticket(hash=_ticket_hash(secret), session_id=session.id, user_id=user_id, expires_at=ends)
        )
        return secret

    def open(self, secret: str) -> SignedToken:
        """Use a ticket up and return the token of its session; where there are too many, the oldest sessions end.

        Raises:
            SessionEndedError: the ticket is unknown, used or older than 30 seconds, or the account may not sign in.
        """
        ticket = self._accounts.take_ticket(_ticket_hash(secret)) if len(secret) <= _MAX_TICKET_CHARS else None
        prepared = self._accounts.session(ticket.session_id) if ticket else None
        if ticket is None or prepared is None or prepared.user_id != ticket.user_id:
            raise _late()
        if ticket.expires_at <= self._clock() or self._active_user(ticket.user_id) is None:
            raise _late()
        now = self._clock()
        session = prepared.model_copy(
            update={"created_at": now, "seen_at": now, "expires_at": now + self._lifetimes.absolute}
        )
        with self._turns.hold(session.user_id):
            if self._accounts.session(session.id) is None:
                raise _late()
            self._make_room(session.user_id)
            self._accounts.save_session(session)
        self._accounts.note_seen(session.user_id, now)
        return SignedToken(
            token=self._signer.sign(session_id=session.id, user_id=session.user_id, expires_at=session.expires_at),
            max_age_s=int(self._lifetimes.absolute.total_seconds()),
        )

    def current(self, token: str | None, *, is_use: bool) -> tuple[StoredUser, StoredSession] | None:
        """Return whose session `token` names; if `is_use`, note at most once a minute that it was used.

        A note that cannot be written ends nobody's session now; without notes it runs out the sooner.

        Raises:
            StoreError: the store does not answer; nobody counts as signed in.
        """
        claims = self._signer.read(token) if token else None
        session = self._accounts.session(claims.session_id) if claims else None
        if claims is None or session is None or session.user_id != claims.user_id or not self._is_live(session):
            return None
        user = self._active_user(session.user_id)
        if user is None:
            return None
        now = self._clock()
        if is_use and now - session.seen_at >= TOUCH_EVERY:
            with suppress(StoreError):
                self._accounts.touch_session(session.id, now)
                self._accounts.note_seen(user.id, now)
        return user, session

    def of(self, owner: UserId) -> list[SessionInfo]:
        """Return the owner's live sessions, the last used first."""
        live = sorted(self._live_sessions(owner), key=lambda session: session.seen_at, reverse=True)
        return [
            SessionInfo(
                id=session.id, created_at=session.created_at, seen_at=session.seen_at, browser=session.user_agent
            )
            for session in live
        ]

    def live_counts(self) -> Counter[UserId]:
        """Return how many live sessions each account has; those without any are left out."""
        return Counter(session.user_id for session in self._accounts.all_sessions() if self._is_live(session))

    def end(self, owner: UserId, session_id: SessionId) -> None:
        """End one of the owner's sessions.

        Raises:
            NotFoundError: it has ended already, or is somebody else's.
        """
        if session_id not in {session.id for session in self._accounts.sessions_of(owner)}:
            raise NotFoundError("session")
        self._accounts.end_session(session_id)

    def end_others(self, owner: UserId, keep: SessionId) -> int:
        """End the owner's sessions but one, those included that wait for their ticket; return how many were live."""
        with self._turns.hold(owner):
            others = [session for session in self._accounts.sessions_of(owner) if session.id != keep]
            ended = sum(map(self._is_live, others))
            for session in others:
                self._accounts.end_session(session.id)
        return ended

    def _make_room(self, user_id: UserId) -> None:
        live = sorted(self._live_sessions(user_id), key=lambda session: (session.created_at, session.id))
        excess = max(0, len(live) + 1 - self._max_sessions)
        for session in live[:excess]:
            self._accounts.end_session(session.id)

    def _live_sessions(self, user_id: UserId) -> list[StoredSession]:
        return [session for session in self._accounts.sessions_of(user_id) if self._is_live(session)]

    def _is_live(self, session: StoredSession) -> bool:
        """Tell whether a session was opened and has not run out, also by limits that were tightened since."""
        now = self._clock()
        was_opened = session.expires_at - session.created_at > TICKET_LIFETIME
        ends = min(session.expires_at, session.created_at + self._lifetimes.absolute)
        return was_opened and now < ends and now < session.seen_at + self._lifetimes.idle

    def _active_user(self, user_id: UserId) -> StoredUser | None:
        user = self._accounts.user(user_id)
        return user if user and user.status is UserStatus.ACTIVE else None


def browser_name(user_agent: str) -> str:
    """Return a short label for a User-Agent header, such as "Firefox on Linux"."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "A browser")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser


def _ticket_hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _late() -> SessionEndedError:
    return SessionEndedError("ticket refused", user_message="That took too long. Please sign in again.")
