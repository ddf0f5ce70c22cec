"""Files that a page hands to the browser: one time, for a minute, and only to the session that asked.

A script cannot answer a request, and what Streamlit's own download button serves is open to whoever has its address.
So a page offers a file here, and a route that checks the cookie gives it out.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from optimus.errors import NotFoundError
from optimus.models import Clock, Principal, SessionId, UserId

LIFETIME = timedelta(seconds=60)
PATH = "/download/"
MOST_OFFERED = 8
"""Per session; the oldest offer goes first."""
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file that is made while it is fetched."""

    filename: str
    """Letters, digits, dots, dashes and underscores: it stands in a header."""
    media_type: str
    chunks: Callable[[], Iterable[bytes]]
    """Makes the content, in another thread than the page's; called at most once."""


@dataclass(frozen=True, slots=True)
class _Offer:
    user_id: UserId
    session_id: SessionId
    until: datetime
    download: Download


class Downloads:
    """The files that are waiting to be fetched. Nothing of them is written anywhere."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._offers: dict[str, _Offer] = {}
        self._lock = Lock()

    def offer(self, principal: Principal, download: Download) -> str:
        """Return the address at which the principal's browser can fetch the file once, within a minute.

        Raises:
            ValueError: the file's name cannot stand in a header.
        """
        if not _FILE_NAME.fullmatch(download.filename):
            raise ValueError(f"not a file name for a header: {download.filename!r}")
        now, ticket = self._clock(), secrets.token_urlsafe(32)
        with self._lock:
            self._offers = {key: offer for key, offer in self._offers.items() if offer.until > now}
            own = [key for key, offer in self._offers.items() if offer.session_id == principal.session_id]
            for key in own[: max(0, len(own) - MOST_OFFERED + 1)]:
                del self._offers[key]
            self._offers[ticket] = _Offer(principal.user_id, principal.session_id, now + LIFETIME, download)
        return f"{PATH}{ticket}"

    def take(self, principal: Principal, ticket: str) -> Download:
        """Return the file of a ticket; it cannot be taken again.

        Raises:
            NotFoundError: there is no such ticket, its time is over, or another session asked for it.
        """
        with self._lock:
            offer = self._offers.get(ticket)
            if offer is None or (offer.user_id, offer.session_id) != (principal.user_id, principal.session_id):
                raise NotFoundError("download")
            del self._offers[ticket]
        if offer.until <= self._clock():
            raise NotFoundError("download")
        return offer.download
