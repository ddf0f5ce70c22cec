"""From `streamlit run app.py` on an empty data folder to the first usable page, as a newcomer waits for it."""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks._application import application
from benchmarks._websocket import page_session
from benchmarks.report import Report, Result

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

Drawn = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how often to start, and how the page is looked at."""
    parser.add_argument("--runs", type=int, default=3, help="counted starts, after one to warm the disk")
    parser.add_argument("--no-browser", action="store_true", help="take the page over the websocket, without Chromium")


def run(arguments: argparse.Namespace) -> Report:
    """Start, wait, stop, several times; report the median of each figure."""
    with _viewer(use_browser=not arguments.no_browser) as (drawn, how):
        _start_once(drawn)
        timings = [_start_once(drawn) for _ in range(arguments.runs)]
    ready, page = (statistics.median(column) for column in zip(*timings, strict=True))
    return Report(
        benchmark="start",
        parameters={"runs": arguments.runs, "page_drawn_by": how},
        results=[
            Result(name="ready_s", value=page, unit="s"),
            Result(name="readyz_s", value=ready, unit="s"),
            Result(name="ready_s_max", value=max(timing[1] for timing in timings), unit="s"),
        ],
    )


def _start_once(drawn: Drawn) -> tuple[float, float]:
    """Return the seconds until `/readyz` answers, and until it does and the first page is drawn.

    The page is opened as soon as the server takes requests, as by somebody who waits for it.
    """
    with tempfile.TemporaryDirectory(prefix="optimus-start-") as folder:
        started = time.perf_counter()
        with application(Path(folder)) as running, ThreadPoolExecutor(1) as pool:
            answered = pool.submit(running.wait_until, "/readyz")
            running.wait_until("/healthz")
            drawn(running.url)
            page_at, ready_at = time.perf_counter(), answered.result()
        return ready_at - started, max(page_at, ready_at) - started


@contextmanager
def _viewer(*, use_browser: bool) -> Iterator[tuple[Drawn, str]]:
    """Yield how a page is waited for: in Chromium, started beforehand, or over the websocket alone."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - absent without the development requirements
    except ImportError:
        path = None
    if path is None or not use_browser:
        yield _draw_over_websocket, "websocket"
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER_ARGUMENTS)

        def draw(url: str) -> None:
            page = browser.new_page()
            page.goto(url)
            page.get_by_role("button", name="Create account").wait_for()
            page.close()

        yield draw, "chromium"
        browser.close()


def _draw_over_websocket(url: str) -> None:
    with page_session(url) as session:
        session.open("")
