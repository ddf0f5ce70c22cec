"""Pictures of the running application, for the README and for looking at: `pytest -m tour`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.e2e import person
from tests.e2e.server import AppServer

pytestmark = [pytest.mark.browser, pytest.mark.tour]

ROOT = Path(__file__).parent.parent.parent
IMAGES = ROOT / "docs" / "images"
LOOKS = ROOT / "test-results" / "tour"
WIDE = ViewportSize(width=1200, height=760)
NARROW = ViewportSize(width=400, height=800)
CHAT = (
    "I'm allergic to peanuts and live in Lisbon",
    "My sister Maria is a nurse",
    "I moved to Porto",
)


def take(page: Page, path: Path) -> None:
    """Save a picture once the page has settled."""
    path.parent.mkdir(parents=True, exist_ok=True)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.evaluate("() => document.fonts.ready")
    page.screenshot(path=path, animations="disabled")
    assert path.stat().st_size > 10_000


@pytest.fixture(params=["light", "dark"])
def themed(request, browser: Browser) -> Iterator[tuple[str, Page]]:
    """A wide page in each theme."""
    context = browser.new_context(viewport=WIDE, color_scheme=request.param, locale="en-GB")
    yield request.param, context.new_page()
    context.close()


def test_pictures_of_every_page(app: AppServer, themed):
    """Set-up, empty and full chat, memory and sign-in are drawn, in both themes, wide and narrow."""
    theme, page = themed
    page.goto(f"{app.url}/?setup=test-setup-code")
    expect(page.get_by_role("button", name="Create account")).to_be_visible()
    take(page, LOOKS / f"setup-{theme}.png")
    person.set_up(page, app.url, username="Ada")
    take(page, LOOKS / f"chat-empty-{theme}.png")
    page.get_by_text("Connect a model", exact=True).last.click()
    expect(page.get_by_role("button", name="Test and connect")).to_be_visible()
    take(page, LOOKS / f"connect-{theme}.png")
    page.goto(f"{app.url}/memory")
    expect(page.get_by_text("Nothing is remembered yet")).to_be_visible()
    take(page, LOOKS / f"memory-empty-{theme}.png")
    page.goto(app.url)
    for text in CHAT:
        person.say(page, text)
    person.say(page, "Where do I live?")
    page.get_by_text("Why this answer?").last.click()
    take(page, IMAGES / f"chat{'' if theme == 'light' else '-dark'}.png")
    page.set_viewport_size(NARROW)
    take(page, LOOKS / f"chat-narrow-{theme}.png")
    page.goto(f"{app.url}/memory")
    expect(person.memory(page, "My sister Maria is a nurse")).to_have_count(1)
    take(page, LOOKS / f"memory-narrow-{theme}.png")
    page.set_viewport_size(WIDE)
    take(page, IMAGES / f"memory{'' if theme == 'light' else '-dark'}.png")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    take(page, LOOKS / f"sign-in-{theme}.png")
