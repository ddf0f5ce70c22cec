"""From `streamlit run app.py` to the first usable page: on an empty data folder as a newcomer waits for it, or filled.

On a filled one (`--memories`) the page is the chat of somebody who is signed in. Its first start, which also builds the
search index where that is due, is a figure of its own.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks._application import LIMIT_S, application
from benchmarks._filling import Amounts, fill, fill_many
from benchmarks._websocket import page_session
from benchmarks.report import Report, Result

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

NEWCOMER = "Create account"
"""The button that a newcomer waits for."""
_LOOK_S = 0.05

Drawn = Callable[[str, str], None]
"""Waits until the page at an address is usable for who has a cookie, or for a newcomer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how often to start, and how the page is looked at."""
    parser.add_argument("--runs", type=int, default=3, help="counted starts, after one to warm the disk")
    parser.add_argument("--memories", type=int, default=0, help="that are there before, shared out to 20 users")
    parser.add_argument("--seed", type=int, default=1, help="what the memories are made from")
    parser.add_argument("--no-browser", action="store_true", help="take the page over the websocket, without Chromium")


def run(arguments: argparse.Namespace) -> Report:
    """Start, wait, stop, several times; report the median of each figure."""
    with tempfile.TemporaryDirectory(prefix="optimus-start-") as kept, _viewer(arguments) as (drawn, how):
        filled = Path(kept) if arguments.memories else None
        cookie = _filled(filled, arguments) if filled else ""
        first = _start_once(drawn, filled, cookie)
        timings = [_start_once(drawn, filled, cookie) for _ in range(arguments.runs)]
    ready, page = (statistics.median(column) for column in zip(*timings, strict=True))
    results = {"ready_s": page, "readyz_s": ready, "ready_s_max": max(timing[1] for timing in timings)}
    if filled:
        results["ready_s/first"] = first[1]
    return Report(
        benchmark="start",
        parameters={"runs": arguments.runs, "memories": arguments.memories, "page_drawn_by": how},
        results=[Result(name=name, value=value, unit="s") for name, value in results.items()],
    )


def _filled(folder: Path, arguments: argparse.Namespace) -> str:
    """Put the memories into a store; return the cookie header of an administrator."""
    fill_many(folder, arguments.memories, seed=arguments.seed)
    return fill(folder, Amounts(memories=0, conversations=0, answers=0), sessions=1, seed=arguments.seed)[0]


def _start_once(drawn: Drawn, filled: Path | None, cookie: str) -> tuple[float, float]:
    """Return the seconds until `/readyz` answers, and until it does and the first page is drawn.

    The page is opened as soon as the server takes requests, as by somebody who waits for it.
    """
    with ExitStack() as ends:
        folder = filled or Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="optimus-start-")))
        started = time.perf_counter()
        with application(folder) as running, ThreadPoolExecutor(1) as pool:
            answered = pool.submit(running.wait_until, "/readyz")
            running.wait_until("/healthz")
            drawn(running.url, cookie)
            page_at, ready_at = time.perf_counter(), answered.result()
        return ready_at - started, max(page_at, ready_at) - started


@contextmanager
def _viewer(arguments: argparse.Namespace) -> Iterator[tuple[Drawn, str]]:
    """Yield how a page is waited for: in Chromium, started beforehand, or over the websocket alone."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - absent without the development requirements
    except ImportError:
        path = None
    if path is None or arguments.no_browser:
        yield _draw_over_websocket, "websocket"
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER_ARGUMENTS)

        def draw(url: str, cookie: str) -> None:
            context = browser.new_context()
            if cookie:
                name, _, value = cookie.partition("=")
                context.add_cookies([{"name": name, "value": value, "url": url}])
            page = context.new_page()
            page.goto(url)
            usable = page.get_by_test_id("stChatInputTextArea") if cookie else page.get_by_role("button", name=NEWCOMER)
            usable.wait_for(timeout=LIMIT_S * 1000)
            context.close()

        yield draw, "chromium"
        browser.close()


def _draw_over_websocket(url: str, cookie: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    with page_session(url, cookie=cookie) as session:
        session.open("")
        while cookie and not session.takes_messages:
            if time.monotonic() > deadline:
                raise RuntimeError("the chat page was not drawn in time")
            time.sleep(_LOOK_S)
            session.rerun()
