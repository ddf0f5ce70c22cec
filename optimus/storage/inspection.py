"""Look at the closed collections of a folder before anybody works with them.

What was closed in order and is as it was left is opened at once. Everything else is tried in another process, and its
records are compared with what the last process noted: see `integrity` and `trial`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from optimus.errors import StoreBrokenError
from optimus.models import Value
from optimus.storage.integrity import (
    SEALED,
    STATE,
    Seal,
    State,
    Tally,
    check_seal,
    data_of,
    is_small,
    read_framed,
    read_state,
    unseal,
    write_framed,
    write_state,
)
from optimus.storage.trial import Tried, try_folders

CONTENTS = ".contents"
PASSING = ".passing-"


class Fault(StrEnum):
    """What is wrong with a collection."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    """Its own description of itself."""
    CLOSED = "closed"
    """The engine does not open it."""
    DIFFERENT = "different"
    """It opens, but its records are not those that were there."""


class Damage(Value):
    """A collection that nobody may work with as it is."""

    collection: str
    fault: Fault
    detail: str
    """For the log and the terminal; no personal text."""
    expected: int | None = None
    """How many records it had; None where that is not known."""
    found: int | None = None
    """How many can be read; None where none can."""
    since: datetime | None = None
    """When it was written to last, while it was whole."""


class Notice(Value):
    """Something that is worth telling although the collection can be used."""

    collection: str
    detail: str


class StoreDamagedError(StoreBrokenError):
    """Collections were found damaged; `damages` says which and how."""

    user_message = "Part of the memory store is damaged. `python -m optimus rescue` shows what, and how to go on."

    def __init__(self, damages: Sequence[Damage]) -> None:
        super().__init__("; ".join(f"{damage.collection}: {damage.detail}" for damage in damages))
        self.damages = tuple(damages)


@dataclass(slots=True)
class Inspection:
    """What was found: the collections that are to be opened with their tallies, and what is wrong."""

    tallies: dict[str, Tally | None] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


def inspect(root: Path, check_config: Callable[[Path], object]) -> Inspection:
    """Look at every collection of a folder that is locked and has none of them open.

    Args:
        root: The folder.
        check_config: Reads a collection's own description; raises `StoreBrokenError` where it is damaged.

    Raises:
        StoreUnavailableError: a file may not be read.
        OSError: the same.
    """
    found, doubtful = Inspection(), {}
    for name in sorted({*read_contents(root), *(path.parent.name for path in root.glob("*/shard"))}):
        folder = root / name
        if not (folder / "shard").is_dir():
            fault = Fault.MISSING if not folder.exists() else Fault.CLOSED
            found.damages.append(_damage(folder, fault, "its files are gone"))
            continue
        try:
            check_config(folder)
        except StoreBrokenError as exc:
            found.damages.append(_damage(folder, Fault.UNREADABLE, str(exc)))
            continue
        seal = check_seal(folder)
        if seal is not None and not seal.changed and (seal.tally is not None or not is_small(folder)):
            found.tallies[name] = seal.tally
        else:
            doubtful[name] = seal
    if doubtful:
        _try(root, doubtful, found)
    return found


def read_contents(root: Path) -> list[str]:
    """Return the collections that a folder is known to have; none where the list is damaged or not made yet."""
    stored = read_framed(root / CONTENTS) or {}
    return [str(name) for name in stored.get("collections", [])]


def write_contents(root: Path, names: Sequence[str]) -> None:
    """Note which collections a folder has."""
    write_framed(root / CONTENTS, {"collections": sorted(names)})


def expected_points(folder: Path) -> int | None:
    """Return how many records a collection had when it was written to last, as far as that is known."""
    tally = _known(folder, check_seal(folder)).tally
    return None if tally is None else tally.points


def since(folder: Path) -> datetime | None:
    """Return when a collection was written to last by an Optimus that found it whole."""
    times = [path.stat().st_mtime for path in (folder / STATE, folder / SEALED) if path.exists()]
    return datetime.fromtimestamp(max(times), UTC) if times else None


def _try(root: Path, doubtful: dict[str, Seal | None], found: Inspection) -> None:
    """Try what was not closed in order, or changed since; a changed one as a copy, so that it stays what it is."""
    changed = [name for name, seal in doubtful.items() if seal is not None and seal.changed]
    copies = {name: root / f"{PASSING}trial-{name}" for name in changed}
    try:
        for name, copy in copies.items():
            copy_folder(root / name, copy)
        known = {name: _known(root / name, seal) for name, seal in doubtful.items()}
        folders = [copies.get(name, root / name) for name in doubtful]
        tried = try_folders(folders, [known[name].in_flight or () for name in doubtful])
    finally:
        for copy in copies.values():
            shutil.rmtree(copy, ignore_errors=True)
    for (name, seal), answer in zip(doubtful.items(), tried, strict=True):
        _judge(root / name, seal, known[name], answer, found)


def _judge(folder: Path, seal: Seal | None, known: State, tried: Tried, found: Inspection) -> None:
    name = folder.name
    if tried.fault is not None:
        found.damages.append(_damage(folder, Fault.CLOSED, tried.fault + _changed(seal)))
        return
    difference = _difference(known, tried)
    if difference and (known.is_of_this_boot or seal is not None):
        damage = _damage(folder, Fault.DIFFERENT, difference + _changed(seal))
        found.damages.append(damage.model_copy(update={"found": tried.points}))
        return
    if difference:
        found.notices.append(Notice(collection=name, detail=f"after the machine stopped: {difference}"))
    if seal is not None and seal.changed:
        found.notices.append(Notice(collection=name, detail=f"all records are whole{_changed(seal)}"))
    if tried.rebuilt:
        named = ", ".join(tried.rebuilt)
        found.notices.append(Notice(collection=name, detail=f"an index was damaged and is built anew: {named}"))
    found.tallies[name] = tried.whole
    adopt(folder, tried)


def _known(folder: Path, seal: Seal | None) -> State:
    state = read_state(folder)
    return state if seal is None else State(tally=seal.tally, boot=state.boot)


def _difference(known: State, tried: Tried) -> str:
    """Return how the records differ from what was noted; empty where they do not, or nothing was noted."""
    if known.tally is None or known.in_flight is None:
        return ""
    if tried.tally is None:
        in_flight = len(known.in_flight)
        is_near = known.tally.points <= tried.points <= known.tally.points + in_flight
        return "" if is_near else f"{known.tally.points:,} records were there, {tried.points:,} are found"
    if tried.tally == known.tally:
        return ""
    if tried.tally.points != known.tally.points:
        return f"{known.tally.points:,} records were there, {tried.tally.points:,} are found"
    return f"some of its {known.tally.points:,} records are not what they were"


def _damage(folder: Path, fault: Fault, detail: str) -> Damage:
    expected = expected_points(folder) if folder.is_dir() else None
    return Damage(collection=folder.name, fault=fault, detail=detail, expected=expected, since=since(folder))


def _changed(seal: Seal | None) -> str:
    if seal is None or not seal.changed:
        return ""
    shown = ", ".join(seal.changed[:3]) + (" and others" if len(seal.changed) > 3 else "")  # noqa: PLR2004 - enough
    return f"; changed since the last orderly end: {shown}"


def adopt(folder: Path, tried: Tried) -> None:
    """Let what a trial has read count as what the collection holds; also for who changes its files on purpose."""
    unseal(folder)
    write_state(folder, tried.whole)


def copy_folder(source: Path, target: Path) -> None:
    """Copy a collection without the holes of its files, which would take gigabytes.

    Raises:
        OSError: the disk refuses.
    """
    shutil.copytree(source, target, copy_function=_copy_sparse)


def _copy_sparse(source: str, target: str) -> None:
    with open(source, "rb") as old, open(target, "wb") as new:  # noqa: PTH123 - copytree gives strings
        for offset, chunk in data_of(old.fileno()):
            new.seek(offset)
            new.write(chunk)
        new.truncate(Path(source).stat().st_size)
    shutil.copystat(source, target)
