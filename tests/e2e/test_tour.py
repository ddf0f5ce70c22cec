"""Pictures of the running application, for the README and for looking at: `pytest -m tour`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from benchmarks._filling import Amounts, fill
from tests.e2e import person
from tests.e2e.server import AppServer
from tests.e2e.test_quality import SECTIONS

pytestmark = pytest.mark.tour

ROOT = Path(__file__).parent.parent.parent
IMAGES = ROOT / "docs" / "images"
LOOKS = ROOT / "test-results" / "tour"
WIDE = ViewportSize(width=1200, height=760)
NARROW = ViewportSize(width=400, height=800)
DRAWN = """() => {
  const seen = (place) => place.getBoundingClientRect().top < innerHeight;
  const all = (name) => [...document.querySelectorAll(`[data-testid="${name}"]`)].filter(seen);
  return all("stSkeleton").length === 0 &&
    all("stDataFrame").every((table) => table.querySelector("canvas")?.offsetWidth > 150) &&
    all("stPlotlyChart").every((chart) => chart.querySelector(".main-svg"));
}"""
"""Whether the tables and charts in sight have been drawn into the places that are kept for them."""
TITLES = {"memory": "Memory", "analytics": "Analytics", "settings": "Settings", "admin": "Admin"}
CHAT = (
    "I'm allergic to peanuts and live in Lisbon",
    "My sister Maria is a nurse",
    "I moved to Porto",
)


def take(page: Page, path: Path) -> None:
    """Save a picture once the page has settled."""
    path.parent.mkdir(parents=True, exist_ok=True)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_function(DRAWN)
    page.evaluate("() => document.fonts.ready.then(() => new Promise((done) => setTimeout(done, 300)))")
    page.screenshot(path=path, animations="disabled")
    assert path.stat().st_size > 10_000


@pytest.fixture(params=["light", "dark"])
def themed(request, browser: Browser) -> Iterator[tuple[str, Page]]:
    """A wide page in each theme."""
    context = browser.new_context(viewport=WIDE, color_scheme=request.param, locale="en-GB")
    yield request.param, context.new_page()
    context.close()


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Iterator[tuple[AppServer, str]]:
    """An application with two years of use, and the cookie of its admin."""
    folder = tmp_path_factory.mktemp("full") / "data"
    cookie = fill(folder, Amounts(memories=0, conversations=0, answers=900), sessions=1, seed=1)[0]
    server = AppServer(folder).start()
    for name in ("grace", "alan", "barbara"):
        server.add_user(name)
    yield server, cookie
    server.stop()


def test_pictures_for_a_newcomer(app: AppServer, themed):
    """Set-up, the empty pages and sign-in, in both themes, wide and narrow."""
    theme, page = themed
    page.goto(f"{app.url}/?setup=test-setup-code")
    expect(page.get_by_role("button", name="Create account")).to_be_visible()
    take(page, LOOKS / f"setup-{theme}.png")
    person.set_up(page, app.url, username="Ada")
    take(page, LOOKS / f"chat-empty-{theme}.png")
    page.get_by_text("Connect a model", exact=True).last.click()
    expect(page.get_by_role("button", name="Test and connect")).to_be_visible()
    take(page, LOOKS / f"connect-{theme}.png")
    look_around(page, app.url, f"empty-{theme}")
    page.set_viewport_size(WIDE)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    take(page, LOOKS / f"sign-in-{theme}.png")


def test_pictures_of_a_life(full: tuple[AppServer, str], themed):
    """Every page with something on it; the wide ones are those of the documentation."""
    (app, cookie), (theme, page) = full, themed
    name, _, value = cookie.partition("=")
    page.context.add_cookies([{"name": name, "value": value, "url": app.url}])
    page.goto(app.url)
    for text in CHAT if theme == "light" else ():
        person.say(page, text)
    person.new_chat(page)
    person.say(page, "My wife is Joana. Her birthday is on 12 June")
    person.say(page, "Where do I live?")
    page.get_by_text("Why this answer?").last.click()
    suffix = "" if theme == "light" else "-dark"
    take(page, IMAGES / f"chat{suffix}.png")
    page.set_viewport_size(NARROW)
    take(page, LOOKS / f"chat-narrow-{theme}.png")
    page.set_viewport_size(WIDE)
    look_around(page, app.url, f"full-{theme}")
    for title in TITLES:
        (LOOKS / f"{title}-full-{theme}.png").replace(IMAGES / f"{title}{suffix}.png")
    assert all((IMAGES / f"{title}{suffix}.png").stat().st_size for title in ("chat", *TITLES))


def look_around(page: Page, url: str, state: str) -> None:
    """Take a picture of each page beside the chat and of its sections, wide and narrow."""
    for path, title in TITLES.items():
        for size, narrow in ((WIDE, ""), (NARROW, "-narrow")):
            page.set_viewport_size(size)
            page.goto(f"{url}/{path}")
            expect(page.get_by_role("heading", name=title).first).to_be_visible()
            take(page, LOOKS / f"{path}-{state}{narrow}.png")
            for section, content in SECTIONS.get(path, {}).items():
                page.get_by_test_id("stMain").get_by_text(section, exact=True).first.click()
                expect(page.get_by_text(content).first).to_be_visible()
                take(page, LOOKS / f"{path}-{section.replace(' ', '-').lower()}-{state}{narrow}.png")
