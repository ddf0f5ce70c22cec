"""Which cookie each Streamlit session belongs to.

A Streamlit session id alone lets anyone resume the session, with its widget state and whatever it is being sent.
So each run notes whose cookie its session belongs to, and the web layer drops the id of a connection that asks to
resume a session with another cookie, or with none: it then gets a fresh, empty session.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock

MAX_SESSIONS = 10_000


class BrowserSessions:
    """A bounded map from session id to the hash of the cookie that it was last run with."""

    def __init__(self, *, limit: int = MAX_SESSIONS) -> None:
        self._limit = limit
        self._lock = Lock()
        self._owners: OrderedDict[str, str] = OrderedDict()

    def bind(self, session_id: str, token: str | None) -> None:
        """Note that `session_id` ran with `token`; a session without a cookie cannot be resumed by id."""
        with self._lock:
            self._owners.pop(session_id, None)
            if token:
                self._owners[session_id] = _digest(token)
            while len(self._owners) > self._limit:
                self._owners.popitem(last=False)

    def may_resume(self, session_id: str, token: str | None) -> bool:
        """Tell whether a connection with `token` may take up `session_id`."""
        with self._lock:
            return token is not None and self._owners.get(session_id) == _digest(token)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


BROWSER_SESSIONS = BrowserSessions()
