"""The three secret keys: from the settings, or from files that are made once on the first start.

`jwt` signs session tokens, `pepper` goes into password hashes, `master` wraps the users' data keys. They are kept
apart from the store, and never go into a backup of it.

A new master key is first written as `master.next.key`; from then on it wraps, and the old one still opens. Once
nothing is wrapped by the old one, that is kept as `master.<fingerprint>.retired`, because older backups need it.

The two others change by moving the present one to `jwt.old.key` or `pepper.old.key`: the next start makes a new one,
and what was made with the old one still counts while that is there.
"""

from __future__ import annotations

import contextlib
import hashlib
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
_MASTER, _NEXT, _RETIRED = "master.key", "master.next.key", "master.*.retired"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys in use; none of them shows when the value is printed."""

    jwt: bytes = field(repr=False)
    pepper: bytes = field(repr=False)
    jwt_old: bytes | None = field(default=None, repr=False)
    """The key before it, whose session tokens still count."""
    pepper_old: bytes | None = field(default=None, repr=False)
    """The pepper before it, whose password hashes still count."""
    master: bytes = field(repr=False)
    """Wraps data keys; exactly 32 bytes, whatever the secret's own length."""
    former: tuple[bytes, ...] = field(default=(), repr=False)
    """Master keys that still open what they wrapped before: the one that is being replaced, and the retired ones."""

    settings: Settings | None = field(default=None, repr=False, compare=False)
    """Where the keys came from."""

    def masters(self) -> tuple[bytes, ...]:
        """Return every master key as it is now, the one that wraps first.

        Raises:
            ConfigurationError: a key file cannot be used any more.
        """
        return load_masters(self.settings) if self.settings else (self.master, *self.former)


def load_keys(settings: Settings) -> Keys:
    """Read the keys; a key that is neither set nor on disk is made and kept, readable by its owner only.

    Raises:
        ConfigurationError: a key file is short, unreadable, or open to others, or an old key is the present one; the
            text says what to do.
    """
    master, *former = load_masters(settings)
    signing = _with_old(settings, "jwt", settings.jwt_secret, settings.jwt_secret_old)
    peppers = _with_old(settings, "pepper", settings.pepper, settings.pepper_old)
    return Keys(master=master, former=tuple(former), settings=settings, **signing, **peppers)


def load_masters(settings: Settings) -> tuple[bytes, ...]:
    """Read the master keys as they are now, the one that wraps first.

    Raises:
        ConfigurationError: a key file is short, unreadable, or open to others; the text says what to do.
    """
    folder = settings.keys_folder
    masters = [_secret(settings.master_key, folder / _MASTER)]
    if settings.master_key is not None:
        masters += [settings.master_key_old.get_secret_value().encode()] if settings.master_key_old else []
    elif (folder / _NEXT).exists():
        masters.insert(0, _secret(None, folder / _NEXT))
    return tuple(map(_derived, [*masters, *(_secret(None, path) for path in retired_masters(settings))]))


def old_keys(settings: Settings) -> dict[str, str]:
    """Return which keys are being replaced (`master`, `jwt`, `pepper`), each with where the one before it stands."""
    variables = {
        "master": settings.master_key_old and "OPTIMUS_MASTER_KEY_OLD",
        "jwt": settings.jwt_secret_old and "OPTIMUS_JWT_SECRET_OLD",
        "pepper": settings.pepper_old and "OPTIMUS_PEPPER_OLD",
    }
    files = {name: _old_file(settings, name) for name in ("jwt", "pepper")}
    found = {name: str(path) for name, path in files.items() if path.exists()}
    found |= {"master": "OPTIMUS_MASTER_KEY_OLD"} if is_master_changing(settings) else {}
    return found | {name: variable for name, variable in variables.items() if variable}


def retired_masters(settings: Settings) -> list[Path]:
    """Return the files of master keys that wrap nothing any more but in older backups."""
    return sorted(settings.keys_folder.glob(_RETIRED))


def is_master_changing(settings: Settings) -> bool:
    """Tell whether a new master key waits for everything to be wrapped by it."""
    return settings.master_key is None and (settings.keys_folder / _NEXT).exists()


def begin_new_master(settings: Settings) -> None:
    """Make the next master key beside the present one, unless there is one already.

    Raises:
        ConfigurationError: the folder cannot be written; or the key comes from the settings, and the old one does not
            stand beside it.
    """
    if settings.master_key is not None:
        if settings.master_key_old is None:
            raise ConfigurationError(
                "The master key comes from the settings. Set OPTIMUS_MASTER_KEY_OLD to the present one and "
                "OPTIMUS_MASTER_KEY to a new one, restart Optimus, and run the command again."
            )
        return
    try:
        _generate(settings.keys_folder / _NEXT)
    except OSError as exc:
        raise _unwritable(settings.keys_folder, exc) from exc


def retire_old_master(settings: Settings) -> None:
    """Let the next master key take the place of the present one, which stays as a retired one.

    Only to be called when the present one wraps nothing any more. What a crash interrupts is done by the next call.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    folder = settings.keys_folder
    if not is_master_changing(settings):
        return
    try:
        present, following = folder / _MASTER, folder / _NEXT
        if present.read_bytes() != following.read_bytes():
            mark = hashlib.sha256(_derived(_secret(None, present))).hexdigest()[:16]
            with contextlib.suppress(FileExistsError):
                os.link(present, folder / f"master.{mark}.retired")
            sync_folder(folder)
        following.replace(present)
        sync_folder(folder)
    except OSError as exc:
        raise _unwritable(folder, exc) from exc


def destroy_retired_masters(settings: Settings) -> int:
    """Overwrite and remove the retired master keys; return how many. Backups from their time cannot be read after it.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    paths = retired_masters(settings)
    try:
        for path in paths:
            with path.open("r+b") as file:
                file.write(bytes(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        sync_folder(settings.keys_folder)
    except OSError as exc:
        raise _unwritable(settings.keys_folder, exc) from exc
    return len(paths)


def _unwritable(folder: Path, exc: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The key folder {folder} cannot be written: {exc.strerror or type(exc).__name__}. Make it writable for the "
        "user that runs Optimus, and run the command again; nothing is lost."
    )


def _derived(secret: bytes) -> bytes:
    """Return the 32 bytes that AES-256 takes (HKDF, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=_MASTER_BYTES, salt=None, info=b"optimus master key").derive(secret)


def _old_file(settings: Settings, name: str) -> Path:
    return settings.keys_folder / f"{name}.old.key"


def _with_old(settings: Settings, name: str, present: SecretStr | None, old: SecretStr | None) -> dict[str, bytes]:
    """Return a key and, where there is one, the key before it, as fields of `Keys`."""
    path, old_path = settings.keys_folder / f"{name}.key", _old_file(settings, name)
    keys = {name: _secret(present, path)}
    if old is not None or old_path.exists():
        keys[f"{name}_old"] = _secret(old, old_path)
    if len(set(keys.values())) < len(keys):
        raise ConfigurationError(
            f"The key before the present one is the present one itself: move {path} to {old_path} instead of copying "
            "it, and Optimus makes a new one."
        )
    return keys


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
    sync_folder(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Put a file of mode 0600 in the place of another, whole or not at all, and overwrite what was there.

    Raises:
        OSError: the disk refuses.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        former = os.open(path, os.O_RDWR) if path.exists() else None
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(path.parent)
    if former is not None:
        with os.fdopen(former, "r+b") as file:
            file.write(bytes(os.fstat(file.fileno()).st_size))
            file.flush()
            os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return once a folder's entries are on disk."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
