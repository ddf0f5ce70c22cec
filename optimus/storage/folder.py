"""The folder of the embedded store: made for its owner only, tried out, measured."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from optimus.errors import ConfigurationError


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


def disk_blocks(path: Path) -> int:
    """Return how many blocks of 512 bytes a file takes; none where it has just gone."""
    try:
        return path.lstat().st_blocks
    except FileNotFoundError:
        return 0


def unusable(folder: Path, exc: OSError) -> ConfigurationError:
    """Return the error of a folder that cannot be used: which, why, and the way out."""
    is_file = isinstance(exc, FileExistsError | NotADirectoryError)
    reason = "it is a file, or below one" if is_file else exc.strerror or type(exc).__name__
    return ConfigurationError(
        f"The data folder {folder} cannot be used: {reason}. Give it to the user that runs Optimus, writable, or set "
        "OPTIMUS_DATA_DIR to another folder."
    )
