"""The running application, started as the README says, for browser and process tests."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx

from optimus.ops_client import ask_running

ROOT = Path(__file__).parent.parent.parent
SETUP_CODE = "test-setup-code"
PASSWORD = "correct-horse-battery-staple-9"
START_TIMEOUT_S = 60


def free_port() -> int:
    """Return a port on loopback that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class AppServer:
    """One `streamlit run app.py` on a data folder, with its output."""

    def __init__(self, data_dir: Path, *, port: int | None = None, folder: Path = ROOT, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.environment = environment
        self.folder = folder
        self.output = ""
        self.process: subprocess.Popen[str] | None = None
        self._grew = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def variables(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPTIMUS_", "STREAMLIT_"))}
        return clean | {
            "OPTIMUS_DATA_DIR": str(self.data_dir),
            "OPTIMUS_SETUP_CODE": SETUP_CODE,
            "PYTHONUNBUFFERED": "1",
            **self.environment,
        }

    def launch(self, command: list[str] | None = None) -> "AppServer":
        """Start the process, in the usual way or by `command`, without waiting for it to be ready."""
        command = command or [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        self.process = subprocess.Popen(
            command, cwd=self.folder, env=self.variables(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        return self

    def start(self) -> "AppServer":
        """Start the process and wait until it says that it is ready and answers."""
        self.launch()
        assert self.said(r"Optimus is ready", START_TIMEOUT_S), self.output
        transport = httpx.HTTPTransport(retries=5)
        with httpx.Client(transport=transport, timeout=START_TIMEOUT_S) as client:
            assert client.get(f"{self.url}/readyz").status_code == 200, self.output
        return self

    def said(self, pattern: str, timeout: float) -> bool:
        """Wait until the output matches; False if it does not in time or the process ends first."""
        with self._grew:
            self._grew.wait_for(lambda: re.search(pattern, self.output) or self._ended(), timeout)
        return re.search(pattern, self.output) is not None

    def add_user(self, username: str) -> None:
        """Make an account as the server's terminal would, over the ops route."""
        made = ask_running(self.data_dir, "create-admin", {"username": username, "password": PASSWORD})
        assert made == {"username": username}

    def stop(self) -> None:
        """Ask the process to end, wait for it, and check that it closed the store in order."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) in {0, -signal.SIGTERM}, self.output
        assert not (self.data_dir / "ops.json").exists(), self.output

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            with self._grew:
                self.output += line
                self._grew.notify_all()
        process.stdout.close()
        with self._grew:
            self._grew.notify_all()
