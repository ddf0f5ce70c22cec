"""A browser and a running application for each test that asks for them."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.e2e.expecting import PATIENCE_S
from tests.e2e.server import AppServer

WINDOW = ViewportSize(width=1280, height=860)
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # All pages in one process, which a page kept open keeps alive: it has read the interface's scripts already, and
    # shows a page with half the work.
    "--renderer-process-limit=1",
    "--disable-site-isolation-trials",
    "--disable-features=IsolateOrigins,site-per-process",
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
    expect.set_options(timeout=PATIENCE_S * 1000)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def profiles(browser: Browser) -> Iterator[list[BrowserContext]]:
    """Two browser profiles for all tests: what they have loaded of the interface stays, which saves half of a visit."""
    contexts = [browser.new_context(viewport=WINDOW) for _ in range(2)]
    for context in contexts:
        context.set_default_timeout(PATIENCE_S * 1000)
        context.new_page()
    yield contexts
    for context in contexts:
        context.close()


@pytest.fixture
def page(profiles: list[BrowserContext]) -> Iterator[Page]:
    """A page of a browser that knows nobody."""
    yield from visit(profiles[0])


@pytest.fixture
def elsewhere(profiles: list[BrowserContext]) -> Iterator[Page]:
    """A page of another browser."""
    yield from visit(profiles[1])


def visit(profile: BrowserContext) -> Iterator[Page]:
    """Give a page to a test, and forget afterwards everything that the test left in the browser."""
    yield profile.new_page()
    for opened in profile.pages[1:]:
        if opened.url.startswith("http"):
            opened.evaluate("() => localStorage.clear()")
        opened.close()
    profile.clear_cookies()


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
