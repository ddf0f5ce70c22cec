"""The Analytics page in the browser: empty, after a first chat, and its download."""

import csv
import io
from pathlib import Path

from playwright.sync_api import Page

from tests.e2e import person
from tests.e2e.expecting import expect
from tests.e2e.server import AppServer


def open_analytics(page: Page) -> None:
    """Go to the page by its menu entry."""
    page.get_by_role("link", name="Analytics").click()
    expect(page.get_by_role("heading", name="Analytics")).to_be_visible()


def metric(page: Page, label: str):
    """Return the card with this label."""
    return page.get_by_test_id("stMetric").filter(has_text=label)


def test_a_first_day_of_use_is_shown(shared_app: AppServer, page: Page):
    """Empty, the page names a next step; after two messages it counts, draws, lists and saves them as CSV."""
    foreign: list[str] = []
    page.on("request", lambda request: foreign.append(request.url))
    username = person.arrive(page, shared_app)
    open_analytics(page)
    expect(page.get_by_text("There is nothing to show yet.")).to_be_visible()
    page.get_by_role("link", name="Start a chat").click()
    person.say(page, "I live in Lisbon")
    person.say(page, "Where do I live?")
    open_analytics(page)
    expect(metric(page, "Messages")).to_contain_text("2")
    expect(metric(page, "Cost")).to_contain_text("$0.00")
    for chart in ("answers", "tokens", "times", "growth"):
        expect(page.locator(f".st-key-{chart}_chart .js-plotly-plot")).to_be_visible()
    expect(page.get_by_role("table", name="Most used memories")).to_contain_text("I live in Lisbon")
    expect(page.get_by_role("table", name="Answers, tokens and cost by model")).to_contain_text("Offline assistant")
    page.get_by_text("All", exact=True).click()
    expect(metric(page, "Answers").first).to_contain_text("2")
    page.get_by_text("Show the totals of every user").click()
    expect(page.get_by_role("table", name="Answers, tokens and cost by user")).to_contain_text(username)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["model"] for row in rows] == ["offline:assistant"] * 2
    assert "Lisbon" not in text
    assert not [url for url in foreign if not url.startswith((shared_app.url, "data:", "blob:"))]
