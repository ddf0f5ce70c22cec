"""The signed token in the session cookie: it names a session and proves nothing else.

Role, status and the end of the session are read from the store, never from here. The rules are those of RFC 8725:
one algorithm, every claim required, `typ` checked, no key chosen by the header.
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Any

import jwt

from optimus.errors import ConfigurationError
from optimus.models import Clock, SessionId, UserId, Value, is_uuid

ALGORITHM = "HS256"
TYPE = "optimus-session+jwt"
ISSUER = "optimus"
AUDIENCE = "optimus-web"
LEEWAY = timedelta(seconds=30)
MIN_KEY_BYTES = 32
MAX_TOKEN_CHARS = 2_048

_CLAIMS = ("exp", "iat", "nbf", "jti", "sub", "iss", "aud")


class Claims(Value):
    """What a valid token says."""

    session_id: SessionId
    user_id: UserId
    issued_at: int
    expires_at: int
    """Seconds since the epoch, like `issued_at`."""


class TokenSigner:
    """Makes session tokens with one key, and reads those made with it or with the key before it.

    Raises:
        ConfigurationError: a key is shorter than 32 bytes.
    """

    def __init__(self, *, key: bytes, former: bytes | None = None, clock: Clock) -> None:
        self._keys = (key,) if former is None else (key, former)
        if min(map(len, self._keys)) < MIN_KEY_BYTES:
            raise ConfigurationError(f"A key of the session tokens is shorter than {MIN_KEY_BYTES} bytes.")
        self._clock = clock

    def sign(self, *, session_id: SessionId, user_id: UserId, expires_at: datetime) -> str:
        """Return a token for a session that starts now."""
        return self._encode(
            Claims(
                session_id=session_id,
                user_id=user_id,
                issued_at=int(self._clock().timestamp()),
                expires_at=int(expires_at.timestamp()),
            ),
            self._keys[0],
        )

    def read(self, token: str) -> Claims | None:
        """Return the claims of a valid token, else None.

        A token counts only if it is, character for character, what `sign` makes of its claims with one of the keys.
        That leaves no room for a second reading: no other header field, no doubled key, no claim of another type, no
        other encoding. Both keys are tried, since no header may choose one.
        """
        claims = next(filter(None, (self._proven(token, key) for key in self._keys)), None)
        if claims is None:
            return None
        now = self._clock()
        too_early = claims.issued_at > (now + LEEWAY).timestamp()
        too_late = claims.expires_at <= (now - LEEWAY).timestamp()
        return None if too_early or too_late else claims

    def _proven(self, token: str, key: bytes) -> Claims | None:
        claims = self._decode(token, key)
        is_whole = claims is not None and hmac.compare_digest(self._encode(claims, key).encode(), token.encode())
        return claims if is_whole else None

    def _decode(self, token: str, key: bytes) -> Claims | None:
        if len(token) > MAX_TOKEN_CHARS or not token.isascii():
            return None
        try:
            payload = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={
                    "require": list(_CLAIMS),
                    "strict_aud": True,
                    "enforce_minimum_key_length": True,
                    # The times are compared with the injected clock in `read`.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            return None
        return _claims(payload)

    def _encode(self, claims: Claims, key: bytes) -> str:
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": claims.user_id,
            "jti": claims.session_id,
            "iat": claims.issued_at,
            "nbf": claims.issued_at,
            "exp": claims.expires_at,
        }
        return jwt.encode(payload, key, algorithm=ALGORITHM, headers={"typ": TYPE})


def _claims(payload: dict[str, Any]) -> Claims | None:
    times = (payload["iat"], payload["exp"])
    ids = (payload["jti"], payload["sub"])
    if not all(type(time) is int and 0 < time < 1 << 40 for time in times) or not all(map(is_uuid, ids)):
        return None
    return Claims(
        session_id=SessionId(payload["jti"]),
        user_id=UserId(payload["sub"]),
        issued_at=payload["iat"],
        expires_at=payload["exp"],
    )
