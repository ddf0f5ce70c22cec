"""Codes that people read, copy and type: 80 random bits in readable groups."""

from __future__ import annotations

import secrets

_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_GROUPS = 4
_GROUP_CHARS = 4


def random_code() -> str:
    """Return a new code, such as `7KQ2-MX4T-9HBC-PW3D`; no two of its characters look alike."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_CHARS)) for _ in range(_GROUPS))
    return "-".join(groups)


def as_copied(code: str) -> str:
    """Leave out what gets lost or added when a code is copied by hand: spaces, hyphens, case."""
    return "".join(code.split()).replace("-", "").upper()
