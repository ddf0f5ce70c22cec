"""Every page, as a guest, a user and an admin see it: no serious barrier, no console error, no external request."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from tests.e2e import person
from tests.e2e.expecting import expect
from tests.e2e.server import PASSWORD, AppServer

SERIOUS = {"serious", "critical"}
PAGES = {"": "Hello", "memory": "Memory", "analytics": "Analytics", "settings": "Settings", "admin": "Admin"}

SECTIONS = {
    "settings": {
        "Sessions": "Activity",
        "Models": "Your connections",
        "Memory": "Remember what I say",
        "Your data": "Download my data",
    },
    "admin": {
        "System": "Registration",
        "Health": "Work in the background",
        "Numbers": "Active sessions",
        "Log": "passwords and addresses are not recorded",
    },
}
"""The sections of a page, each with something that stands in it."""


class Watched:
    """A page whose console and requests are written down."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self._url = url
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("request", self._requested)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text}")

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((self._url, self._url.replace("http", "ws"), "data:", "blob:")):
            self.complaints.append(f"request: {request.url}")


@pytest.fixture(params=["light", "dark"])
def watched(request, browser: Browser, shared_app: AppServer) -> Iterator[Watched]:
    """A page in each theme."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, color_scheme=request.param)
    context.set_default_timeout(20_000)
    yield Watched(context.new_page(), shared_app.url)
    context.close()


def barriers(page: Page) -> list[str]:
    """Return what axe finds serious on a page."""
    return [
        f"{found['id']}: {node['html'][:200]} ({node['any'][0]['message'] if node['any'] else ''})"
        for found in Axe().run(page).response["violations"]
        if found["impact"] in SERIOUS
        for node in found["nodes"]
    ]


def test_every_page_is_accessible_and_quiet(watched: Watched, shared_app: AppServer):
    """Guest, chat, every page and section of an admin: axe, the console and the network have no complaint."""
    page, found = watched.page, {}
    page.goto(shared_app.url)
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    found["sign-in"] = barriers(page)
    person.sign_in(page, shared_app.url, username="root", password=PASSWORD)
    person.say(page, "I'm allergic to peanuts and live in Lisbon")
    found["answer"] = barriers(page)
    for path, title in PAGES.items():
        page.goto(f"{shared_app.url}/{path}")
        expect(page.get_by_role("heading", name=title).first).to_be_visible()
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        found[path or "chat"] = barriers(page)
        for section in SECTIONS.get(path, ()):
            page.get_by_test_id("stMain").get_by_text(section, exact=True).first.click()
            expect(page.get_by_text(SECTIONS[path][section]).first).to_be_visible()
            found[f"{path}, {section}"] = barriers(page)
    assert not {name: each for name, each in found.items() if each}
    assert not watched.complaints
