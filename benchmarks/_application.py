"""The application as the README starts it, in a process of its own on a folder of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIMIT_S = 120.0
_POLL_S = 0.02


class Application:
    """A running `streamlit run app.py`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self._port = port
        self.pid = process.pid
        self.url = f"http://127.0.0.1:{port}"

    def wait_until(self, path: str) -> float:
        """Return the moment at which `path` answers with success; looks often, as a browser's user would reload.

        Raises:
            RuntimeError: the application ended, or did not answer in time.
        """
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the application ended with {self._process.returncode}")
            connection = HTTPConnection("127.0.0.1", self._port, timeout=5)
            try:
                connection.request("GET", path)
                if connection.getresponse().status == 200:  # noqa: PLR2004 - HTTP's OK
                    return time.perf_counter()
            except OSError:
                pass
            finally:
                connection.close()
            time.sleep(_POLL_S)
        raise RuntimeError("the application was not ready in time")


@contextmanager
def application(folder: Path, **settings: str) -> Iterator[Application]:
    """Start the application on a data folder, without waiting for it, and stop it at the end.

    Args:
        folder: Its data folder.
        settings: `OPTIMUS_*` variables by the part of their name after the prefix; none of the caller's own are kept.
    """
    port = _free_port()
    variables = {name: value for name, value in os.environ.items() if not name.startswith("OPTIMUS_")}
    own = {"OPTIMUS_DATA_DIR": str(folder)} | {f"OPTIMUS_{name}": value for name, value in settings.items()}
    process = subprocess.Popen(  # noqa: S603 - our own command on a folder of the caller's
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
        cwd=ROOT,
        env=variables | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Application(process, port)
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
