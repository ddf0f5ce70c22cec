"""The content of the container image, started as the image starts it, and read by a real Prometheus."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.server import ROOT, AppServer, free_port
from tests.unit.test_deploy import DEPLOY, SERVICES, VARIABLE, image_environment, image_health_check, image_sources

TOKEN = "k3Jd9-sdf7Q2-lmW8x-Zp0aV-tt5Rb-93hsq"
WAIT_S = 30


def until(found: Callable[[], Any]) -> Any:
    """Ask again and again until the answer is true, and return it."""
    deadline = time.monotonic() + WAIT_S
    while not (answer := found()):
        assert time.monotonic() < deadline
    return answer


def container_environment() -> dict[str, str]:
    """Return what compose and the image set for Streamlit, on loopback only and with every default in place."""
    both = {**image_environment(), **SERVICES["app"]["environment"]}
    defaults = {name: VARIABLE.sub(lambda found: found[3], str(value)) for name, value in both.items()}
    kept = {name: value for name, value in defaults.items() if name.startswith(("STREAMLIT_", "FORWARDED_"))}
    return kept | {"STREAMLIT_SERVER_ADDRESS": "127.0.0.1"}


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Iterator[AppServer]:
    """The files that the image copies, and nothing else, running with the container's environment."""
    folder = tmp_path_factory.mktemp("image") / "app"
    for source in image_sources():
        target = folder / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    data = tmp_path_factory.mktemp("data") / "data"
    server = AppServer(data, folder=folder, OPTIMUS_METRICS_TOKEN=TOKEN)
    server.environment |= container_environment()
    server.start()
    yield server
    server.stop()


def test_the_image_holds_all_that_it_needs(image: AppServer):
    """From those files the app starts, says its public name, and the image's health check finds it well."""
    assert f"http://localhost:{SERVICES['app']['ports'][0].split(':')[-1]}" in image.output
    command = [part.replace("8501", str(image.port)) for part in image_health_check()]
    assert subprocess.run([sys.executable, *command[1:]], check=False).returncode == 0
    nobody = [part.replace("8501", str(free_port())) for part in image_health_check()]
    assert subprocess.run([sys.executable, *nobody[1:]], check=False, stderr=subprocess.DEVNULL).returncode != 0


def test_the_metrics_are_closed_to_a_proxy_without_the_token(image: AppServer):
    """Uvicorn trusts a proxy on loopback; what it passes on needs the token, whatever it claims to be."""
    url = f"{image.url}/metrics"
    assert b"optimus_store_up 1.0" in httpx.get(url).content
    for passed_on in ("203.0.113.9", "127.0.0.1", "::1"):
        refused = httpx.get(url, headers={"X-Forwarded-For": passed_on})
        assert refused.status_code == 401
        assert b"optimus" not in refused.content
    brought = {"X-Forwarded-For": "203.0.113.9", "Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(url, headers=brought).status_code == 200


@pytest.fixture
def proxy(image: AppServer) -> Iterator[str]:
    """A proxy on this machine that leads every name to the app, and says for whom it asks."""

    class Passing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            names = ("Accept", "Authorization", "Host")
            brought = {name: self.headers[name] for name in names if name in self.headers}
            brought["X-Forwarded-For"] = self.client_address[0]
            answer = httpx.get(image.url + urlsplit(self.path).path, headers=brought, timeout=WAIT_S)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Passing) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def prometheus(proxy: str, tmp_path) -> Iterator[str]:
    """A real Prometheus with the repository's configuration; without the package the test skips, except under CI.

    It reaches the app through a proxy on this machine, so that it needs the token from its file.
    """
    path = shutil.which("prometheus")
    if path is None:
        reason = "Prometheus is not installed; `apt-get install prometheus` lets its test run"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path / "prometheus"
    shutil.copytree(DEPLOY / "prometheus", folder)
    job = "  - job_name: optimus\n"
    text = (folder / "prometheus.yml").read_text().replace("_interval: 15s", "_interval: 1s")
    assert job in text
    (folder / "prometheus.yml").write_text(text.replace(job, f"{job}    proxy_url: {proxy}\n"))
    (folder / "token/optimus").write_text(TOKEN)
    port = free_port()
    arguments = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(
            [path, *arguments, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=subprocess.STDOUT
        )
        yield f"http://127.0.0.1:{port}"
        running.terminate()
        running.wait(20)


def rules_health(answer: dict[str, Any]) -> list[str]:
    """Return how each rule fares, or that there is none."""
    return [rule["health"] for group in answer["data"]["groups"] for rule in group["rules"]] or ["none"]


def test_a_real_prometheus_reads_the_running_app(image: AppServer, prometheus: str):
    """With the token from its file Prometheus scrapes the app; rules evaluate and the app's numbers arrive."""
    image.add_user("grace")
    transport = httpx.HTTPTransport(retries=8)
    with httpx.Client(base_url=f"{prometheus}/api/v1", transport=transport, timeout=WAIT_S) as api:

        def scraped() -> bool:
            if api.get("/status/config").status_code != 200:
                return False
            targets = api.get("/targets").json()["data"]["activeTargets"]
            return any(t["labels"]["job"] == "optimus" and t["health"] == "up" for t in targets)

        def value(query: str) -> float | None:
            found = api.get("/query", params={"query": query}).json()["data"]["result"]
            return float(found[0]["value"][1]) if found else None

        until(scraped)
        assert until(lambda: value('optimus_users{status="active"}')) == 1
        assert value("optimus_store_up") == 1
        assert (value('process_resident_memory_bytes{job="optimus"}') or 0) > 10_000_000
        until(lambda: all(health == "ok" for health in rules_health(api.get("/rules").json())))
        assert not [a for a in api.get("/alerts").json()["data"]["alerts"] if a["state"] == "firing"]


def test_the_token_file_in_the_repository_is_no_token():
    """It stands in for the secret, and as a token it would open nothing."""
    assert "token" in Path(DEPLOY / "prometheus/token/optimus").read_text()
