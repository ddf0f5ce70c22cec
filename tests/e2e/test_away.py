"""A Qdrant server that is away, at the start and later; and what an ordered end leaves behind."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from optimus.keys import load_keys
from optimus.settings import load_settings
from optimus.storage.folder import STORE_FOLDER
from optimus.storage.store import open_store
from tests.e2e import person
from tests.e2e.expecting import expect
from tests.e2e.server import AppServer
from tests.fakes.faults import Proxy
from tests.fakes.qdrant_server import FakeQdrant

SOON_S = 10
"""How soon everything is to work again once the server is back."""
AWAY = "The memory store does not answer at the moment."
STARTING = "Optimus is starting and waits for its memory store"


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[tuple[AppServer, Proxy]]:
    """An application that is about to start, and the way to its Qdrant server, which nothing passes yet."""
    qdrant = FakeQdrant(is_faulty=True)
    assert qdrant.faults
    qdrant.faults.proxy.refuse()
    app = AppServer(
        tmp_path / "data", OPTIMUS_QDRANT_URL=qdrant.rest.url, OPTIMUS_QDRANT_GRPC_PORT=str(qdrant.grpc_port)
    )
    yield app, qdrant.faults.proxy
    if app.process is not None:
        app.stop()
    qdrant.close()


def status(app: AppServer, path: str) -> tuple[int, str]:
    """Return how a route answers."""
    answer = httpx.get(f"{app.url}{path}", timeout=30)
    return answer.status_code, answer.text


def test_optimus_waits_for_its_store_and_goes_on_by_itself(proxy: tuple[AppServer, Proxy], page: Page):
    """Started without its server it says so and then starts; later on, a page says so, and loses nothing typed."""
    app, way = proxy
    app.launch()
    assert app.said("waits for its store", 60), app.output
    assert status(app, "/healthz")[0] == 200
    code, told = status(app, "/readyz")
    assert (code, json.loads(told)["status"]) == (503, "unavailable")
    assert json.loads(told)["reason"].startswith(STARTING)
    page.goto(app.url)
    page.get_by_text(STARTING).wait_for()

    back = time.monotonic()
    way.accept()
    assert app.said("Optimus is ready", SOON_S), app.output
    page.get_by_role("button", name=re.compile("Create account|Sign in")).first.wait_for(timeout=SOON_S * 1000)
    assert time.monotonic() - back < SOON_S
    person.arrive(page, app)
    person.say(page, "I live in Lisbon")

    way.refuse()
    person.chat_input(page).fill("My sister Maria is a nurse")
    person.chat_input(page).press("Enter")
    page.get_by_text(AWAY).wait_for()
    assert status(app, "/healthz")[0] == 200
    assert status(app, "/readyz")[0] == 503

    back = time.monotonic()
    way.accept()
    expect(person.chat_input(page)).to_have_value("My sister Maria is a nurse")
    assert time.monotonic() - back < SOON_S
    assert status(app, "/readyz")[0] == 200
    person.chat_input(page).press("Enter")
    expect(page.get_by_text("Saved: My sister Maria is a nurse")).to_be_visible()
    expect(page.get_by_test_id("stChatMessage").get_by_text("My sister Maria is a nurse", exact=True)).to_have_count(1)


def test_an_ordered_end_writes_out_everything(tmp_path: Path):
    """After SIGTERM what was saved is in the segments: it is all there without the logs that a crash would need."""
    app = AppServer(tmp_path / "data").start()
    app.add_user("ada")
    app.stop()
    for log in (app.data_dir / STORE_FOLDER).glob("*/shard/wal"):
        log.rename(log.with_name("wal-aside"))
        log.mkdir()
    settings = load_settings(data_dir=app.data_dir)
    store = open_store(settings, load_keys(settings))
    assert store.accounts.user_by_name("ada") is not None
    assert store.audit.verify().is_whole
    store.close()
