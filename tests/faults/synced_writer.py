"""A process that writes to an embedded store and keeps aside what of its logs was synced to disk.

Started as `python -m tests.faults.synced_writer FOLDER ASIDE`. Each log file lies below ASIDE as it was when it was
last synced. Each line that it prints, `THREAD NUMBER`, is an act of a thread that was acknowledged.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Lock, Thread, get_ident

from optimus.models import UserId, stable_id
from optimus.settings import load_settings
from optimus.storage.store import Store, open_store
from tests.fakes.damage import written
from tests.unit.storage.conftest import SIZE
from tests.unit.storage.test_memory_index import memory_of, point
from tests.world import KEYS

THREADS = 4
CRITICAL = 4
"""Every fourth act of a thread."""
FLUSH = 40
"""So often the engine writes its segments as well, which trims its logs."""


def is_critical(number: int) -> bool:
    """Tell whether an act waits for the disk."""
    return number % CRITICAL == CRITICAL - 1


def name_of(thread: int, number: int) -> str:
    """Return the id of what an act writes."""
    return stable_id("act", str(thread), str(number))


def owner_of(thread: int) -> UserId:
    """Return whose memories a thread writes."""
    return UserId(stable_id("owner", str(thread)))


def act(store: Store, thread: int, number: int) -> None:
    """Write one record: a setting that waits for the disk, else a memory or a record of work."""
    name = name_of(thread, number)
    if is_critical(number):
        store.work.set_setting(name, {"number": number})
    elif number % 2:
        memory = memory_of(owner_of(thread), f"I own number {number}", id=name)
        store.memories.put(memory.user_id, [point(memory)])
    else:
        assert store.probe.insert(name, {"name": str(number)})


def is_there(store: Store, thread: int, number: int) -> bool:
    """Tell whether what an act wrote is there as it was written."""
    name = name_of(thread, number)
    if is_critical(number):
        return store.work.setting(name) == {"number": number}
    if number % 2:
        found = store.memories.get(owner_of(thread), [name])  # type: ignore[list-item]
        return [memory.text for memory in found] == [f"I own number {number}"]
    row = store.probe.get(name)
    return row is not None and row.payload["name"] == str(number)


class Aside:
    """Stands in for `os.fsync`, and keeps what it syncs of logs."""

    def __init__(self, root: Path, aside: Path) -> None:
        self._root, self._aside = root, aside
        self._sync = os.fsync
        self._copying = Lock()

    def __call__(self, handle: int) -> None:
        """Sync a file."""
        self._sync(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path.parent.name == "wal" and path.is_file():
            with self._copying:
                self._keep(handle, self._aside / path.relative_to(self._root))

    def _keep(self, handle: int, kept: Path) -> None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_name(f"{kept.name}-{get_ident()}.passing")
        with fresh.open("wb") as file:
            for offset, chunk in written(handle):
                file.seek(offset)
                file.write(chunk)
            file.truncate(os.fstat(handle).st_size)
        fresh.replace(kept)


def main(folder: Path, aside: Path) -> None:
    """Write without end."""
    os.fsync = Aside(folder, aside)  # type: ignore[assignment]
    store = open_store(load_settings(data_dir=folder), KEYS, vector_size=SIZE)

    def live(thread: int) -> None:
        number = 0
        while True:
            act(store, thread, number)
            os.write(1, f"{thread} {number}\n".encode())
            number += 1
            if store.commit is not None and thread == 0 and number % FLUSH == 0:
                store.commit._flush()

    for thread in range(THREADS):
        Thread(target=live, args=(thread,), daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
