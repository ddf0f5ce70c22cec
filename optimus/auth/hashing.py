"""Password hashes: bcrypt over a peppered HMAC, a few at a time.

The stored form is `hmac-sha384+bcrypt:` and `bcrypt(base64(HMAC-SHA-384(pepper, NFC(password))))`. The HMAC yields 64
ASCII bytes whatever the password is, so bcrypt's limit of 72 bytes and its trouble with NUL never matter; see
"Pre-Hashing Passwords with bcrypt" in the OWASP Password Storage Cheat Sheet. NFC makes a password typed on another
keyboard compare equal; apart from that it is verified exactly as received.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

import bcrypt

from optimus.errors import SignInBusyError

DEFAULT_COST = 12
MAX_PASSWORD_CHARS = 1_024
MAX_WAITING = 32
MAX_WAIT_S = 15.0

_SCHEME = "hmac-sha384+bcrypt:"
_BCRYPT64 = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_DIGEST_CHARS = 31

_log = logging.getLogger(__name__)


class HashingGate:
    """Lets a few computations run at once and a bounded number wait, so that sign-ins never take all processors."""

    def __init__(self, *, slots: int, max_waiting: int = MAX_WAITING, max_wait_s: float = MAX_WAIT_S) -> None:
        self._slots = threading.BoundedSemaphore(slots)
        self._places = threading.BoundedSemaphore(slots + max_waiting)
        self._max_wait_s = max_wait_s

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Hold one of the slots.

        Raises:
            SignInBusyError: too many wait already, or it took too long.
        """
        if not self._places.acquire(blocking=False):
            raise SignInBusyError("the queue is full")
        try:
            if not self._slots.acquire(timeout=self._max_wait_s):
                raise SignInBusyError("no slot became free in time")
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._places.release()


class PasswordHasher:
    """Hashes with one pepper, verifies with it or the former one; a verification costs one bcrypt in every case."""

    def __init__(
        self,
        *,
        pepper: bytes,
        former: bytes | None = None,
        cost: int = DEFAULT_COST,
        gate: HashingGate | None = None,
    ) -> None:
        self._cost = cost
        self._gate = gate or HashingGate(slots=max(1, (os.cpu_count() or 1) - 1))
        self._dummy = _unmatched_hash(cost)
        self._peppers = {_name(each): each for each in (former, pepper) if each is not None}
        self.pepper_id = _name(pepper)
        """Names the pepper without telling it; stored beside each hash."""
        self.former_id = _name(former) if former is not None else None
        """Names the pepper that is being replaced, where one is."""

    def hash(self, password: str) -> str:
        """Return what is stored of a password that the rules have accepted.

        Raises:
            SignInBusyError: the server hashes too many passwords already.
        """
        digest = self._digest(password, self.pepper_id)
        with self._gate.passing():
            return _SCHEME + bcrypt.hashpw(digest, bcrypt.gensalt(self._cost)).decode("ascii")

    def verify(self, password: str, *, stored: str | None, pepper_id: str | None) -> bool:
        """Tell whether `password` belongs to `stored`; None stands for an unknown user and takes the same time.

        A password that no rule would have accepted (empty, too long, with control characters or lone surrogates) is
        an ordinary wrong one.

        Raises:
            SignInBusyError: the server verifies too many passwords already.
        """
        known = stored is not None and self._is_ours(stored, pepper_id)
        made_with = pepper_id if known and pepper_id is not None else self.pepper_id
        expected = stored.removeprefix(_SCHEME) if stored is not None and known else self._dummy
        fits = len(password) <= MAX_PASSWORD_CHARS
        digest = self._digest(password if fits else "", made_with)
        with self._gate.passing():
            try:
                matches = bcrypt.checkpw(digest, expected.encode("ascii"))
            except ValueError:
                _log.error("a stored password hash is damaged")
                return False
        return matches and known and fits

    def _is_ours(self, stored: str, pepper_id: str | None) -> bool:
        if not stored.startswith(_SCHEME) or not stored.isascii():
            _log.error("a stored password hash has an unknown scheme")
            return False
        if pepper_id not in self._peppers:
            _log.error("a stored password hash was made with another pepper: set OPTIMUS_PEPPER_OLD to it")
            return False
        return True

    def _digest(self, password: str, pepper_id: str) -> bytes:
        text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
        return base64.b64encode(hmac.digest(self._peppers[pepper_id], text, hashlib.sha384))


def _name(pepper: bytes) -> str:
    return hmac.digest(pepper, b"optimus pepper id", "sha256").hex()[:16]


def _unmatched_hash(cost: int) -> str:
    """Return a well-formed bcrypt hash of no known password, without the time that making one takes."""
    tail = "".join(secrets.choice(_BCRYPT64) for _ in range(_DIGEST_CHARS))
    return bcrypt.gensalt(cost).decode("ascii") + tail
