"""A browser and a running application for each test that asks for them."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.server import AppServer

EXPECT_MS = 20_000
"""How long a condition may take to come true on a machine that is busy with other things."""
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it the tests skip, except under CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        reason = "Chromium is not installed; `apt-get install chromium` lets the browser tests run"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=EXPECT_MS)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser profile of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def shared_app(tmp_path_factory) -> Iterator[AppServer]:
    """One running application with an account already, for tests that bring their own user."""
    server = AppServer(tmp_path_factory.mktemp("shared") / "data").start()
    server.add_user("root")
    yield server
    server.stop()


@pytest.fixture
def app(tmp_path) -> Iterator[AppServer]:
    """A running application on an empty folder, for tests that set up or restart."""
    server = AppServer(tmp_path / "data").start()
    yield server
    server.stop()
