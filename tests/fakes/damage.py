"""What a failing disk or a careless hand does to a folder: one file is changed, anywhere, by a seed."""

import os
import random
from pathlib import Path

KINDS = ("flip", "flip", "flip", "zero", "truncate", "empty", "delete", "stray")
PAGE = 4096


def copy(source: Path, target: Path) -> Path:
    """Copy a folder with the holes of its files."""
    for path in sorted(source.rglob("*")):
        copied = target / path.relative_to(source)
        if path.is_dir():
            copied.mkdir(parents=True)
            continue
        copied.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as old, copied.open("wb") as new:
            for offset, chunk in written(old.fileno()):
                new.seek(offset)
                new.write(chunk)
            new.truncate(path.stat().st_size)
        copied.chmod(path.stat().st_mode)
    return target


def written(handle: int) -> list[tuple[int, bytes]]:
    """Return the parts of a file that are no holes, each with its place."""
    size, offset, parts = os.fstat(handle).st_size, 0, []
    while offset < size:
        try:
            offset = os.lseek(handle, offset, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(handle, offset, os.SEEK_HOLE)
        parts.append((offset, os.pread(handle, end - offset, offset)))
        offset = end
    return parts


def corrupt(folder: Path, seed: int) -> tuple[str, Path]:
    """Damage one file below a folder; return how and which."""
    chance = random.Random(seed)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_blocks]
    path, kind = chance.choice(files), chance.choice(KINDS)
    size = path.stat().st_size
    if kind == "delete":
        path.unlink()
    elif kind == "stray":
        path.with_name(f"{path.name}-{seed}").write_bytes(chance.randbytes(50))
    elif kind == "truncate":
        os.truncate(path, chance.randrange(size) if size else 0)
    elif kind == "empty":
        os.truncate(path, 0)
    else:
        _overwrite(path, chance, kind)
    return kind, path


def _overwrite(path: Path, chance: random.Random, kind: str) -> None:
    """Flip one bit, mostly of what is not zero, or zero the page around it."""
    handle = os.open(path, os.O_RDWR)
    try:
        offset, part = chance.choice(written(handle) or [(0, b"\0")])
        used = [index for index, value in enumerate(part) if value]
        at = chance.choice(used) if used and chance.random() < 0.8 else chance.randrange(len(part))
        if kind == "flip":
            os.pwrite(handle, bytes([part[at] ^ (1 << chance.randrange(8))]), offset + at)
        else:
            start = (offset + at) // PAGE * PAGE
            os.pwrite(handle, bytes(min(PAGE, os.fstat(handle).st_size - start)), start)
    finally:
        os.close(handle)
