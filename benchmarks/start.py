"""From `streamlit run app.py` on an empty data folder to the first usable page, as a newcomer waits for it."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.report import Report, Result

ROOT = Path(__file__).parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
POLL_S = 0.02
LIMIT_S = 120.0

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
        port = _free_port()
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        variables = {name: value for name, value in os.environ.items() if not name.startswith("OPTIMUS_")}
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - our own command on a folder made here
            command,
            cwd=ROOT,
            env=variables | {"OPTIMUS_DATA_DIR": folder},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with ThreadPoolExecutor(1) as pool:
                answered = pool.submit(_wait_until, port, "/readyz", process)
                _wait_until(port, "/healthz", process)
                drawn(f"http://127.0.0.1:{port}")
                page_at, ready_at = time.perf_counter(), answered.result()
            return ready_at - started, max(page_at, ready_at) - started
        finally:
            process.terminate()
            process.wait(30)


def _wait_until(port: int, path: str, process: subprocess.Popen[bytes]) -> float:
    """Return the moment at which `path` answers with success; look often, as a browser's user would reload."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the application ended with {process.returncode}")
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:  # noqa: PLR2004 - HTTP's OK
                return time.perf_counter()
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(POLL_S)
    raise RuntimeError("the application was not ready in time")


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
    from streamlit.proto.BackMsg_pb2 import BackMsg  # noqa: PLC0415 - only without a browser
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg  # noqa: PLC0415
    from websockets.sync.client import connect  # noqa: PLC0415
    from websockets.typing import Origin, Subprotocol  # noqa: PLC0415

    address = url.replace("http", "ws", 1) + "/_stcore/stream"
    with connect(address, subprotocols=[Subprotocol("streamlit")], origin=Origin(url), max_size=None) as socket_:
        message = BackMsg()
        message.rerun_script.query_string = ""
        socket_.send(message.SerializeToString())
        while True:
            data = socket_.recv(timeout=LIMIT_S)
            if isinstance(data, bytes) and ForwardMsg.FromString(data).WhichOneof("type") == "script_finished":
                return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
