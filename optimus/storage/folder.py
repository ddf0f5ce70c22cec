"""The folder of the embedded store: made for its owner only, tried out, measured."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from time import monotonic
from uuid import uuid4

from optimus.errors import ConfigurationError, StoreFullError, StoreUnavailableError

_ENGINE_SAYS = re.compile(r"\b(?:os error|code:) (\d+)")
"""How the engine, which is written in Rust, names an error of the system."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_HANDLES = frozenset({errno.EMFILE, errno.ENFILE})
NO_DAMAGE = _FULL | _NO_HANDLES | {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOMEM}
"""What the system refuses without anything being wrong with what is stored."""
ASK_EVERY_S = 0.5
RESERVE_SHARE = 5

NEW_STORE_BYTES = 200 * 1024**2
"""Where a file system does not keep the holes of files, the first collections take about 90 MB."""
STORE_FOLDER = "store"
"""The embedded store's folder below the data folder."""


def prepare_data_folder(folder: Path) -> None:
    """Make the data folder, for its owner only, and see that files can be made in it.

    Raises:
        ConfigurationError: it is a file, or may not be read or written; the text names it and the way out.
    """
    trial = folder / f".trial-{uuid4()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        next(folder.iterdir(), None)
        trial.touch(mode=0o600)
        trial.unlink()
    except OSError as exc:
        raise unusable(folder, exc) from exc


def require_room(folder: Path, free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free) -> None:
    """See that a new store fits: its logs are mapped into memory, and a full disk under them would end the process.

    Raises:
        ConfigurationError: it does not; the text says how much it needs.
    """
    with suppress(OSError):
        if free(folder) < NEW_STORE_BYTES:
            raise ConfigurationError(
                f"The disk of {folder} has less than {NEW_STORE_BYTES // 1024**2} MB free, and a new store needs them. "
                "Make room, or set OPTIMUS_DATA_DIR to another folder."
            )


def system_error(error: BaseException) -> OSError | None:
    """Return what the system said where an error comes from it, also where only the engine's words tell; else None."""
    for each in (error.__cause__, error):
        if isinstance(each, OSError):
            return each
        if found := _ENGINE_SAYS.search(str(each)):
            number = int(found[1])
            return OSError(number, os.strerror(number))
    return None


def lacks_handles(error: BaseException) -> bool:
    """Tell whether something failed only because the process has as many files open as it may."""
    said = system_error(error)
    return said is not None and said.errno in _NO_HANDLES


def disk_blocks(path: Path) -> int:
    """Return how many blocks of 512 bytes a file takes; none where it has just gone."""
    try:
        return path.lstat().st_blocks
    except FileNotFoundError:
        return 0


def unusable_store(path: Path, exc: OSError) -> StoreUnavailableError:
    """Return that the system does not let the store use a path, with the way out."""
    reason = exc.strerror or type(exc).__name__
    sentence = f"The memory store cannot use {path}: {reason}. Check that it exists and belongs to the user of Optimus."
    if exc.errno in _NO_HANDLES:
        sentence = f"The memory store cannot be opened: {reason}. Allow more (`ulimit -n`), then start again."
    if exc.errno in _FULL or any(os.strerror(each) in str(exc) for each in _FULL):
        sentence = f"The disk that holds {path} is full. Make room there, then start again; nothing is lost."
    return StoreUnavailableError(sentence, user_message=sentence)


class FreeSpace:
    """Watches the free space of a folder's disk; asks the system at most twice a second.

    Between the limit and a fifth of it, only what Optimus needs to let people in and to say what happened is
    written: accounts, sessions, the audit log, jobs. Below that nothing is but deletions, since the engine's log is
    mapped into memory, and a full disk under it would end the process.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit: int,
        content: Collection[str],
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Take what to watch.

        Args:
            folder: Where.
            limit: Bytes that must be free; 0 never looks.
            content: Names of the collections that are refused first.
            free: Tells the free bytes.
            clock: Seconds that only go forward.
        """
        self._folder = folder
        self._limit = limit
        self._content = frozenset(content)
        self._ask = free
        self._clock = clock
        self._known: tuple[float, int] | None = None

    @property
    def is_short(self) -> bool:
        """Whether something is refused at present."""
        return bool(self._limit) and self._free() < self._limit

    def check(self, collection: str) -> None:
        """Let a write to a collection pass.

        Raises:
            StoreFullError: too little space is left for it.
        """
        if not self._limit:
            return
        free = self._free()
        if free < self._limit and (collection in self._content or free < self._limit // RESERVE_SHARE):
            raise StoreFullError(f"{free} bytes are free, and {self._limit} are wanted")

    def _free(self) -> int:
        """Return the free bytes; as many as are wanted where the system does not tell."""
        now, known = self._clock(), self._known
        if known is None or now - known[0] >= ASK_EVERY_S:
            try:
                known = (now, self._ask(self._folder))
            except OSError:
                known = (now, self._limit)
            self._known = known
        return known[1]


def unusable(folder: Path, exc: OSError) -> ConfigurationError:
    """Return the error of a folder that cannot be used: which, why, and the way out."""
    is_file = isinstance(exc, FileExistsError | NotADirectoryError)
    reason = "it is a file, or below one" if is_file else exc.strerror or type(exc).__name__
    return ConfigurationError(
        f"The data folder {folder} cannot be used: {reason}. Give it to the user that runs Optimus, writable, or set "
        "OPTIMUS_DATA_DIR to another folder."
    )
