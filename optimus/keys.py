"""The three secret keys: from the settings, or from files that are made once on the first start.

`jwt` signs session tokens, `pepper` goes into password hashes, `master` wraps the users' data keys. They are kept
apart from the store, and never go into a backup of it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from optimus.errors import ConfigurationError
from optimus.settings import MIN_SECRET_CHARS, Settings

_GENERATED_BYTES = 48
_MASTER_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys in use; none of them shows when the value is printed."""

    jwt: bytes = field(repr=False)
    pepper: bytes = field(repr=False)
    master: bytes = field(repr=False)
    """Exactly 32 bytes, whatever the secret's own length."""


def load_keys(settings: Settings) -> Keys:
    """Read the keys; a key that is neither set nor on disk is made and kept, readable by its owner only.

    Raises:
        ConfigurationError: a key file is short, unreadable, or open to others; the text says what to do.
    """
    return Keys(
        jwt=_secret(settings.jwt_secret, settings.keys_folder / "jwt.key"),
        pepper=_secret(settings.pepper, settings.keys_folder / "pepper.key"),
        master=_derived(_secret(settings.master_key, settings.keys_folder / "master.key")),
    )


def _derived(secret: bytes) -> bytes:
    """Return the 32 bytes that AES-256 takes (HKDF, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=_MASTER_BYTES, salt=None, info=b"optimus master key").derive(secret)


def _secret(configured: SecretStr | None, path: Path) -> bytes:
    if configured is not None:
        return configured.get_secret_value().encode()
    try:
        if not path.exists():
            _generate(path)
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it is not text"
        raise ConfigurationError(
            f"The key file {path} cannot be used: {reason}. Give it to the user that runs Optimus, or set "
            "OPTIMUS_KEY_DIR to another folder."
        ) from exc
    if sys.platform != "win32" and mode & _OTHERS:
        raise ConfigurationError(f"The key file {path} can be read by other users: run `chmod 600 {path}`.")
    if len(text) < MIN_SECRET_CHARS:
        raise ConfigurationError(
            f"The key file {path} is too short: put the old one back, or remove it to start with a new key. "
            "With a new master key, what was stored cannot be read any more."
        )
    return text.encode()


def _generate(path: Path) -> None:
    """Write a new key whole or not at all; of two processes that try, both end with the same key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(_GENERATED_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
