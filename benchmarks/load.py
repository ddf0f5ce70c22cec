"""How long each page takes to be drawn again: people at work in an application that holds years of use."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks._application import application
from benchmarks._filling import Amounts, fill
from benchmarks._websocket import PageSession, page_session
from benchmarks.report import Report, Result, percentile

PAGES = {"chat": "", "memory": "memory", "analytics": "analytics", "settings": "settings", "admin": "admin"}
"""The pages by name, with what stands in their address."""

Timings = dict[str, list[float]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how much is stored and how many look at it."""
    parser.add_argument("--sessions", type=int, default=1, help="browsers at work at the same time, all of one user")
    parser.add_argument("--memories", type=int, default=5_000)
    parser.add_argument("--conversations", type=int, default=300)
    parser.add_argument("--events", type=int, default=20_000, help="recorded answers")
    parser.add_argument("--reruns", type=int, default=20, help="of each page in each session")
    parser.add_argument("--think-s", type=float, default=5.0, help="mean pause before a rerun; none with one session")
    parser.add_argument("--seed", type=int, default=1)


def run(arguments: argparse.Namespace) -> Report:
    """Fill a store, start the application on it, and draw each page again and again in every session."""
    amounts = Amounts(memories=arguments.memories, conversations=arguments.conversations, answers=arguments.events)
    sessions: int = arguments.sessions
    think_s = arguments.think_s if sessions > 1 else 0.0
    with tempfile.TemporaryDirectory(prefix="optimus-load-") as folder:
        cookies = fill(Path(folder), amounts, sessions=sessions, seed=arguments.seed)
        with application(Path(folder), MAX_SESSIONS=str(sessions)) as running:
            running.wait_until("/readyz")
            with ThreadPoolExecutor(sessions) as pool:
                found = list(
                    pool.map(
                        lambda number: _work(
                            running.url, cookies[number], arguments.reruns, think_s, arguments.seed + number
                        ),
                        range(sessions),
                    )
                )
    parameters = {name: getattr(arguments, name) for name in ("memories", "conversations", "events", "reruns")}
    return Report(
        benchmark="load",
        parameters={"sessions": sessions, **parameters, "think_s": think_s, "seed": arguments.seed},
        results=_results(found),
    )


def _work(url: str, cookie: str, reruns: int, think_s: float, seed: int) -> tuple[Timings, int]:
    """Open every page in turn and draw it again `reruns` times.

    Returns:
        Milliseconds by page, and the errors: runs that failed or drew something else.
    """
    pauses = random.Random(seed)  # noqa: S311 - pauses are no secret
    timings: Timings = defaultdict(list)
    errors = 0
    with page_session(url, cookie=cookie) as session:
        for name, path in PAGES.items():
            title = session.open(path)
            for _ in range(reruns):
                if think_s:
                    time.sleep(pauses.uniform(0, 2 * think_s))
                started = time.perf_counter()
                errors += not _drawn_again(session, title)
                timings[name].append((time.perf_counter() - started) * 1000)
    return timings, errors


def _drawn_again(session: PageSession, title: str) -> bool:
    try:
        return session.rerun() == title
    except RuntimeError:
        return False


def _results(found: Sequence[tuple[Timings, int]]) -> list[Result]:
    pages = {name: [value for timings, _ in found for value in timings[name]] for name in PAGES}
    together = [value for values in pages.values() for value in values]
    return [
        Result(name="rerun_p50_ms", value=percentile(together, 0.5), unit="ms"),
        Result(name="rerun_p95_ms", value=percentile(together, 0.95), unit="ms"),
        *(Result(name=f"rerun_p95_ms/{name}", value=percentile(pages[name], 0.95), unit="ms") for name in PAGES),
        Result(name="errors", value=sum(errors for _, errors in found), unit=""),
    ]
