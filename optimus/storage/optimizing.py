"""Build the search indexes of an embedded store that nobody has open, in a process of its own.

The engine holds the whole process while it builds, for minutes where a store is large, so a serving process never does
it. The store is inspected first, as at every start; where it is damaged, nothing is done. Then each collection is
copied, its copy is optimized with what the settings choose now, and if that has the same records, it is sealed as after
an orderly stop and takes the original's place by two renames. A crash or a kill at any point leaves one whole
collection: what was on the way is put right by whoever opens the store next.

    root/.copying-<collection>    being copied and optimized; never read by anybody else
    root/.optimized-<collection>  whole and on the disk, about to take the original's place
    root/.replaced-<collection>   the original, about to be deleted
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal, cast

import qdrant_edge as edge

from optimus.errors import OptimusError, StoreBrokenError, StoreLockedError, StoreUnavailableError
from optimus.models import Value, utc_now
from optimus.settings import Settings
from optimus.storage.collections import CollectionNames, chosen_config
from optimus.storage.edge_registry import (
    COPYING,
    OPTIMIZED,
    REPLACED,
    clear_leftovers,
    lock_folder,
    read_config,
    write_config,
)
from optimus.storage.edge_schema import to_edge_config
from optimus.storage.edge_shard import engine_errors, sync_path, sync_tree
from optimus.storage.folder import STORE_FOLDER, disk_blocks
from optimus.storage.index_choice import IndexChoice, index_choice
from optimus.storage.inspection import StoreDamagedError, copy_folder, inspect
from optimus.storage.integrity import CHANGES_FILE, Tally, changes_of, seal, write_state
from optimus.storage.rescue import RepairJournal, notes_of
from optimus.storage.trial import try_here

SERVER_OPTIMIZES = "A Qdrant server builds its search indexes by itself; there is nothing to do."
SPARE = 1.2
"""Free disk space that a collection needs beside itself, as a multiple of its own size."""
_WISH = ".optimize"
_LOCKED = 3
"""The child's exit code where another process has the store open."""
_PR_SET_PDEATHSIG = 1
"""Linux' number of the wish to be killed when the parent dies (`prctl(2)`)."""


class Step(Value):
    """How far an optimization has come."""

    collection: str
    """Its own name, without any prefix."""
    step: Literal["copying", "building", "saving", "done"]
    number: int
    """Which of the collections, from 1."""
    of: int
    points: int = 0

    @property
    def share(self) -> float:
        """How much is done, 0-1: by collections, and within one by its steps."""
        return (self.number - 1 + _SHARES[self.step]) / self.of


_SHARES = {"copying": 0.0, "building": 0.2, "saving": 0.9, "done": 1.0}


class Order(Value):
    """What the child is told to do."""

    root: str
    prefix: str
    choice: IndexChoice
    at_least: int = 0
    """Only collections with so many changed points."""


def changed_points(root: Path) -> int:
    """Return how many points were written or deleted since the collections of a store were optimized.

    The count is kept at every flush; what a killed process wrote after its last one is not in it.
    """
    return sum(changes_of(path.parent) for path in root.glob(f"[!.]*/{CHANGES_FILE}"))


def wish(root: Path) -> None:
    """Have every collection of a store optimized before it is opened the next time."""
    (root / _WISH).touch(mode=0o600)


def due_order(settings: Settings) -> Order | None:
    """Return what to optimize before the embedded store opens; None where nothing is due.

    Due is a store in which more points than the settings allow were changed since the last time, or of which somebody
    wished it.
    """
    root = settings.data_dir / STORE_FOLDER
    if settings.qdrant_url or not root.is_dir():
        return None
    is_wished = (root / _WISH).exists()
    is_grown = 0 < settings.optimize_after < changed_points(root)
    return order_for(settings, at_least=0 if is_wished else 1) if is_wished or is_grown else None


def order_for(settings: Settings, *, at_least: int = 0) -> Order:
    """Return the order to optimize the embedded store as the settings choose."""
    return Order(
        root=str((settings.data_dir / STORE_FOLDER).resolve()),
        prefix=settings.collection_prefix,
        choice=index_choice(settings),
        at_least=at_least,
    )


def optimize_in_child(order: Order, follow: Callable[[Step], None]) -> None:
    """Optimize a store in a process of its own, and tell each step.

    Raises:
        StoreLockedError: another process has the store open.
        StoreUnavailableError: it did not work; the store is as it was.
    """
    command = [sys.executable, "-m", "optimus.storage.optimizing"]
    child = subprocess.Popen(  # noqa: S603 - our own module, without a shell
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
    )
    try:
        orders, steps = cast("IO[str]", child.stdin), cast("IO[str]", child.stdout)
        with orders:
            orders.write(order.model_dump_json())
        with steps:
            for line in steps:
                follow(Step.model_validate_json(line))
        code = child.wait()
    except BaseException:
        child.kill()
        child.wait()
        raise
    if code == _LOCKED:
        raise StoreLockedError(f"{order.root} is in use")
    if code:
        raise StoreUnavailableError(f"optimizing ended with {code}", user_message=_FAILED)


_FAILED = "The search index could not be built. Nothing was lost: the store is as it was. The log says what happened."


def optimize(order: Order) -> Iterator[Step]:
    """Optimize the collections of a store in this process, and yield each step.

    Raises:
        StoreLockedError: another process has the store open.
        StoreError: a collection cannot be optimized, or there is no room; what is done stays done.
    """
    root, names = Path(order.root), CollectionNames(prefix=order.prefix)
    handle = lock_folder(root)
    try:
        tallies = _inspected(root)
        due = [root / name for name in sorted(tallies) if changes_of(root / name) >= order.at_least]
        for number, folder in enumerate(due, 1):
            at = {"collection": folder.name.removeprefix(order.prefix), "number": number, "of": len(due)}
            for step, points in _optimize_one(folder, tallies[folder.name], names, order.choice):
                yield Step.model_validate({**at, "step": step, "points": points})
        (root / _WISH).unlink(missing_ok=True)
    finally:
        os.close(handle)


def _inspected(root: Path) -> dict[str, Tally | None]:
    """Return the collections with the tallies of their records, after the same inspection as at every opening.

    Raises:
        StoreDamagedError: a collection needs rescue; what is damaged is not written to.
    """
    clear_leftovers(root)
    found = inspect(root, read_config)
    if found.notices:
        RepairJournal(root.parent).add(*notes_of(found.notices, utc_now))
    if found.damages:
        raise StoreDamagedError(found.damages)
    return found.tallies


def _optimize_one(
    folder: Path, tally: Tally | None, names: CollectionNames, choice: IndexChoice
) -> Iterator[tuple[str, int]]:
    root = folder.parent
    copy = root / f"{COPYING}{folder.name}"
    stored, threads = read_config(folder)
    wanted = chosen_config(stored, folder.name, names, choice)
    _check_room(folder)
    yield "copying", 0
    try:
        copy_folder(folder, copy)
        with engine_errors(folder.name):
            shard = edge.EdgeShard.load(str(copy / "shard"), to_edge_config(wanted, search_threads=threads))
            points = shard.count(edge.CountRequest(exact=True))
            yield "building", points
            shard.optimize()
            yield "saving", points
            shard.flush()
            shard.close()
        write_config(copy, wanted, threads)
        (copy / CHANGES_FILE).unlink(missing_ok=True)
        _prove(copy, points, tally)
        sync_tree(copy)
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    _exchange(folder, copy)
    yield "done", 0


def _prove(copy: Path, points: int, tally: Tally | None) -> None:
    """Compare what an optimized copy holds with what was there, and seal it like a collection that was closed.

    Raises:
        StoreBrokenError: it does not open, or has other records.
    """
    tried = try_here(copy)
    is_same = tried.points == points and (tally is None or tried.whole in (None, tally))
    if tried.fault is not None or not is_same:
        raise StoreBrokenError(f"the optimized copy is not what was there: {tried.fault or 'other records'}")
    known = tally or tried.whole
    write_state(copy, known)
    seal(copy, known)


def _exchange(folder: Path, copy: Path) -> None:
    """Let a finished copy take its original's place."""
    optimized, replaced = (folder.parent / f"{prefix}{folder.name}" for prefix in (OPTIMIZED, REPLACED))
    copy.rename(optimized)
    sync_path(folder.parent)
    folder.rename(replaced)
    sync_path(folder.parent)
    optimized.rename(folder)
    sync_path(folder.parent)
    shutil.rmtree(replaced)


def _check_room(folder: Path) -> None:
    needed = SPARE * 512 * sum(disk_blocks(path) for path in folder.rglob("*"))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreUnavailableError(
            f"no room to optimize {folder.name}",
            user_message=f"Building the search index of {folder.name} takes {needed / 1e9:.1f} GB of free disk space "
            f"for a while, and {free / 1e9:.1f} GB are free.",
        )


def _die_with_parent() -> None:
    """Ask Linux to end this process with its parent, which no thread could do while the engine works."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> int:
    """Do the order on standard input and tell each step on standard output, one JSON object a line."""
    _die_with_parent()
    order = Order.model_validate_json(sys.stdin.read())
    try:
        for step in optimize(order):
            sys.stdout.write(f"{step.model_dump_json()}\n")
            sys.stdout.flush()
    except StoreLockedError:
        return _LOCKED
    except OptimusError as error:
        sys.stderr.write(f"{error.user_message} ({error})\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
