"""Images of a data folder as a power loss may leave it: of the logs there is only what had been synced."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from threading import Condition, Thread

import pytest

from optimus.settings import load_settings
from optimus.storage import integrity
from optimus.storage.folder import STORE_FOLDER
from optimus.storage.rescue import Repair, RepairJournal
from optimus.storage.store import open_store
from tests.fakes.damage import copy
from tests.faults.synced_writer import THREADS, is_critical, is_there
from tests.unit.storage.conftest import SIZE
from tests.world import KEYS

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
NEWEST = 400
Acts = Counter[int]
"""How many acts each thread was told to be done."""


class Writer:
    """A process that writes, how far it has come, and images of what it leaves on the disk."""

    def __init__(self, place: Path) -> None:
        self.folder, self._aside = place / "data", place / "aside"
        self._acts: Acts = Counter()
        self._grew = Condition()
        command = [sys.executable, "-m", "tests.faults.synced_writer", str(self.folder), str(self._aside)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, more: int) -> Acts:
        """Return once so many acts more were told, with all that were."""
        with self._grew:
            wanted = self._acts.total() + more
            assert self._grew.wait_for(lambda: self._acts.total() >= wanted, PATIENCE_S)
            return Counter(self._acts)

    def image(self, target: Path) -> Path:
        """Stop the process for a moment and copy what it has; what was not synced of its logs is zero, or not there."""
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            copy(self.folder, target)
            synced = copy(self._aside, target.with_name(f"{target.name}-synced"))
        finally:
            os.kill(self._process.pid, signal.SIGCONT)
        for log in (target / STORE_FOLDER).glob("*/shard/wal/*"):
            kept = synced / log.relative_to(target)
            size = log.stat().st_size
            if kept.exists():
                kept.replace(log)
            else:
                log.write_bytes(b"")
            os.truncate(log, size)
        return target

    def close(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.communicate()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._grew:
                self._acts[int(line.split()[0])] += 1
                self._grew.notify_all()


def safe(told: Acts) -> list[tuple[int, int]]:
    """Return the acts that a power loss must not take: each critical one, and what its thread had done before it.

    Of each thread the newest are enough: what is older was in images before.
    """
    last = {thread: max((n for n in range(told[thread]) if is_critical(n)), default=-1) for thread in range(THREADS)}
    return [(thread, number) for thread, end in last.items() for number in range(max(0, end - NEWEST), end + 1)]


def lose_power(place: Path, images: int, seed: int) -> int:
    """Take images at random moments; return how many acts had to be in the last one. Each image opens, and has them."""
    chance, expected = random.Random(seed), []
    with closing(Writer(place)) as writer:
        for number in range(images):
            told = writer.wait_for(chance.randrange(1, 150))
            image = writer.image(place / f"image-{number}")
            expected = safe(told)
            with closing(open_store(load_settings(data_dir=image), KEYS, vector_size=SIZE)) as store:
                assert [each for each in expected if not is_there(store, *each)] == []
            assert {note.repair for note in RepairJournal(image).notes()} <= {Repair.NOTICED}
            for left in (image, image.with_name(f"{image.name}-synced")):
                shutil.rmtree(left)
    return len(expected)


@pytest.fixture(autouse=True)
def _the_machine_starts_anew(monkeypatch: pytest.MonkeyPatch):
    """Let each image be opened in another run of the machine than the one in which it was written."""
    monkeypatch.setattr(integrity, "boot_id", lambda: "the next one")


def test_a_power_loss_takes_nothing_that_waited_for_the_disk(tmp_path: Path):
    """Nor anything that was written before it; the store opens as after any other end."""
    assert lose_power(tmp_path, 1, seed=1) > 0


@pytest.mark.deep
@pytest.mark.timeout(1800)
def test_many_power_losses_take_nothing_that_waited_for_the_disk(tmp_path: Path):
    """The same for a hundred images."""
    assert sum(lose_power(tmp_path / str(run), 10, seed=run) for run in range(2, 12)) > 0
