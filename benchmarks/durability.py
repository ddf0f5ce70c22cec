"""Kill a writing process at random moments, open its store again, and compare with what it had acknowledged."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from benchmarks._durable_writer import GONE, HALF
from benchmarks.report import Report, Result

ROOT = Path(__file__).parent.parent
SHORTEST_S, LONGEST_S = 0.05, 1.0
"""Between these a process may write before it is killed."""
STORE_CYCLES = 25
"""A new store begins after so many kills, so that comparing does not take longer and longer."""
PATIENCE_S = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how often to kill, and with how many writers."""
    parser.add_argument("--cycles", type=int, default=20, help="how often a process is killed")
    parser.add_argument("--threads", type=int, default=8, help="writers in each process")
    parser.add_argument("--seed", type=int, default=1, help="what is written, and when the kill comes")


def run(arguments: argparse.Namespace) -> Report:
    """Kill, open, compare, and count."""
    count = Count()
    chance = random.Random(arguments.seed)  # noqa: S311 - a seed
    started = time.perf_counter()
    for first in range(0, arguments.cycles, STORE_CYCLES):
        with (
            tempfile.TemporaryDirectory(prefix="optimus-durability-") as folder,
            _writers(folder, arguments) as writers,
        ):
            book = Book()
            for cycle in range(first, min(first + STORE_CYCLES, arguments.cycles)):
                _cycle(next(writers), book, count, chance.uniform(SHORTEST_S, LONGEST_S))
                _progress(cycle + 1, arguments.cycles, started)
            _cycle(next(writers), book, count, None)
    return Report(
        benchmark="durability",
        parameters={"cycles": arguments.cycles, "threads": arguments.threads, "seed": arguments.seed},
        results=[
            Result(name="cycles", value=arguments.cycles, unit="kills"),
            Result(name="acknowledged", value=count.acknowledged, unit="writes"),
            Result(name="lost", value=count.lost, unit="writes"),
            Result(name="resurrected", value=count.resurrected, unit="writes"),
            Result(name="half_written", value=count.half_written, unit="records"),
            Result(name="load_failures", value=count.load_failures, unit="starts"),
        ],
    )


@dataclass(slots=True)
class Count:
    """What came of all cycles."""

    acknowledged: int = 0
    lost: int = 0
    resurrected: int = 0
    half_written: int = 0
    """Records that lack a field or a vector, and those that an index tells of too many or too few."""
    load_failures: int = 0


@dataclass(slots=True)
class Book:
    """What one store must hold: of each id the hash that was acknowledged last, and the one that was under way."""

    settled: dict[str, str] = field(default_factory=dict)
    under_way: dict[str, str] = field(default_factory=dict)

    def note(self, word: str, each: str, digest: str) -> bool:
        """Take a line of the writer; tell whether it is an acknowledgement."""
        if word == "begin":
            self.under_way[each] = digest
            return False
        self.settled[each] = digest
        self.under_way.pop(each, None)
        return True

    def compare(self, found: dict[str, str]) -> tuple[int, int]:
        """Return how many records are lost or altered, and how many came back; go on from what was found."""
        lost = resurrected = 0
        for each in self.settled.keys() | self.under_way.keys() | found.keys():
            allowed = {self.settled.get(each, GONE), self.under_way.get(each, self.settled.get(each, GONE))}
            state = found.get(each, GONE)
            if state not in allowed:
                resurrected += allowed == {GONE}
                lost += allowed != {GONE}
        self.settled, self.under_way = dict(found), {}
        return lost, resurrected


class Process:
    """One writer, whose imports may be done before its turn comes."""

    def __init__(self, folder: str, threads: int, seed: int) -> None:
        command = [sys.executable, "-m", "benchmarks._durable_writer", folder, str(threads), str(seed)]
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._ready = Event()
        self._lines: list[str] = []

    def live(self, writing_s: float | None) -> list[str] | None:
        """Let it open and write for a while, kill it, and return its lines; None where it never got ready.

        `writing_s` None: kill it before it writes.
        """
        reader = Thread(target=self._read, daemon=True)
        reader.start()
        if self._process.stdin:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        self._ready.wait(PATIENCE_S)
        if writing_s is not None and self._process.poll() is None:
            time.sleep(writing_s)
        self.end()
        reader.join()
        return self._lines if any(line == "ready\n" for line in self._lines) else None

    def end(self) -> None:
        """Kill it, if it still lives, and wait for its end."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it, and close what it was talked to through; nobody may be reading any more."""
        self.end()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe:
                    pipe.close()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.append(line)
            if line == "ready\n":
                self._ready.set()
        self._ready.set()


@contextmanager
def _writers(folder: str, arguments: argparse.Namespace) -> Iterator[Iterator[Process]]:
    """Yield the processes of one store, each started while the one before it still has its turn."""
    started: list[Process] = []

    def start() -> Iterator[Process]:
        while True:
            seed = arguments.seed * 1_000_000 + len(started)
            started.append(Process(folder, arguments.threads, seed))
            if len(started) > 1:
                yield started[-2]

    try:
        yield start()
    finally:
        for process in started:
            process.close()


def _cycle(process: Process, book: Book, count: Count, writing_s: float | None) -> None:
    lines = process.live(writing_s)
    if lines is None:
        count.load_failures += 1
        return
    told = [line.split() for line in lines if line.endswith("\n")]
    lost, resurrected = book.compare({words[1]: words[2] for words in told if words[0] == "have"})
    count.lost += lost
    count.resurrected += resurrected
    count.half_written += sum(words[0] == "have" and words[2] == HALF for words in told)
    count.half_written += sum(abs(int(words[1])) for words in told if words[0] == "count")
    count.acknowledged += sum(book.note(*words) for words in told if words[0] in {"begin", "done"})


def _progress(done: int, total: int, started: float) -> None:
    spent = time.perf_counter() - started
    left = spent / done * (total - done)
    end = "\n" if done == total else ""
    sys.stderr.write(f"\r  {done}/{total} kills, about {left:.0f} s left   {end}")
    sys.stderr.flush()
