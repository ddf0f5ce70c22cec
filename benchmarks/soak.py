"""Whether an application that is used for long goes on as it began: memory, open files, threads and errors.

Each browser goes from page to page, draws each again and talks to the offline assistant on the chat page, then comes
again on a connection of its own. What the process uses is looked at all the while; growth is that from the end of the
warm-up to the end, by the medians of a tenth of the time at each.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from threading import Event

from benchmarks._application import application
from benchmarks._filling import Amounts, fill, sentence
from benchmarks._process import Usage, usage
from benchmarks._progress import progress
from benchmarks._websocket import PageSession, page_session
from benchmarks.load import PAGES
from benchmarks.report import Report, Result

WARM_UP = 0.25
"""The share of the time in which caches fill, and nothing is measured."""
ENDS = 0.1
"""The share of the looks that the beginning and the end of the measured time are each taken from."""
_LOOKS = 200
_QUESTIONS = ("What do you know about me?", "What does my sister like?", "Who sells old maps?")


@dataclass(slots=True)
class Done:
    """What a browser has done."""

    turns: int = 0
    reruns: int = 0
    errors: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how long, by how many, and what is there before."""
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--sessions", type=int, default=3, help="browsers at work at the same time, all of one user")
    parser.add_argument("--memories", type=int, default=2_000)
    parser.add_argument("--turns", type=int, default=3, help="messages that a browser sends between its rounds")
    parser.add_argument("--think-s", type=float, default=1.0, help="mean pause before each step")
    parser.add_argument("--seed", type=int, default=1)


def run(arguments: argparse.Namespace) -> Report:
    """Fill a store, let browsers work on it for the whole time, and watch the process."""
    amounts = Amounts(memories=arguments.memories, conversations=50, answers=500)
    sessions: int = arguments.sessions
    with tempfile.TemporaryDirectory(prefix="optimus-soak-") as folder:
        cookies = fill(Path(folder), amounts, sessions=sessions, seed=arguments.seed)
        limits = {"MAX_SESSIONS": str(sessions), "MESSAGES_PER_MINUTE": "10000"}
        with application(Path(folder), **limits) as running, ThreadPoolExecutor(sessions) as pool:
            running.wait_until("/readyz")
            over = Event()
            browsers = [Browser(running.url, cookie, arguments, over, number) for number, cookie in enumerate(cookies)]
            working = [pool.submit(browser.work) for browser in browsers]
            try:
                looks = _watched(running.pid, arguments.minutes * 60, working)
            finally:
                over.set()
            done = [each.result() for each in working]
    names = ("minutes", "sessions", "memories", "turns", "think_s", "seed")
    parameters = {name: getattr(arguments, name) for name in names}
    return Report(benchmark="soak", parameters=parameters, results=_results(looks, done))


class Browser:
    """Somebody at work until it is over."""

    def __init__(self, url: str, cookie: str, arguments: argparse.Namespace, over: Event, number: int) -> None:
        self._url = url
        self._cookie = cookie
        self._turns: int = arguments.turns
        self._think_s: float = arguments.think_s
        self._over = over
        self._chance = random.Random(arguments.seed + number)  # noqa: S311 - data for measuring
        self._done = Done()

    def work(self) -> Done:
        """Come again and again; return what was done."""
        while not self._over.is_set():
            with page_session(self._url, cookie=self._cookie) as session:
                self._round(session)
        return self._done

    def _round(self, session: PageSession) -> None:
        for path in PAGES.values():
            title = self._step(partial(session.open, path))
            self._done.reruns += self._step(session.rerun, title) is not None
            if path == PAGES["chat"]:
                for _ in range(self._turns):
                    self._done.turns += self._step(partial(session.say, self._words())) is not None
                    self._step(session.rerun)

    def _step(self, step: Callable[[], str], wanted: str | None = None) -> str | None:
        """Do a step after a pause and return the title that it drew; once it is over, do nothing any more.

        What fails, or draws another page than the wanted one, is counted and returns None.
        """
        if self._over.wait(self._chance.uniform(0, 2 * self._think_s)):
            return None
        try:
            title = step()
        except RuntimeError:
            title = None
        if title is None or (wanted is not None and title != wanted):
            self._done.errors += 1
            return None
        return title

    def _words(self) -> str:
        return sentence(self._chance) if self._chance.random() < 0.5 else self._chance.choice(_QUESTIONS)  # noqa: PLR2004 - every other


def _watched(pid: int, seconds: float, working: Sequence[Future[Done]]) -> list[Usage]:
    """Return what the process used, look by look, from the end of the warm-up on; stop early where a browser fails."""
    looks = []
    for number in progress("soak", range(_LOOKS)):
        time.sleep(seconds / _LOOKS)
        if any(each.done() for each in working):
            break
        if number >= WARM_UP * _LOOKS:
            looks.append(usage(pid))
    return looks


def _results(looks: Sequence[Usage], done: Sequence[Done]) -> list[Result]:
    count = max(1, int(ENDS * len(looks)))
    first, last = looks[:count], looks[-count:]

    def grown(of: Callable[[Usage], int]) -> float:
        before, after = (median(map(of, part)) for part in (first, last))
        return after / before - 1

    def more(of: Callable[[Usage], int]) -> float:
        return median(map(of, last)) - median(map(of, first))

    return [
        Result(name="rss_growth", value=grown(lambda look: look.resident), unit="share"),
        Result(name="own_ram_growth", value=grown(lambda look: look.own_ram), unit="share"),
        Result(name="own_ram_mb", value=median(look.own_ram for look in last) / 1e6, unit="MB"),
        Result(name="file_growth", value=more(lambda look: look.files), unit=""),
        Result(name="thread_growth", value=more(lambda look: look.threads), unit=""),
        Result(name="turns", value=sum(each.turns for each in done), unit=""),
        Result(name="reruns", value=sum(each.reruns for each in done), unit=""),
        Result(name="errors", value=sum(each.errors for each in done), unit=""),
    ]
