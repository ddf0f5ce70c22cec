"""The memory page: everything that is remembered can be found, corrected, deleted and brought back."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e import person
from tests.e2e.server import AppServer

pytestmark = pytest.mark.browser

LITERAL = "<b>Bold</b> & **stars** in [a link](https://example.org) for $5 and :red[more]"
FRUIT = ("apples", "pears", "plums", "quinces", "figs", "dates", "limes", "lemons", "kiwis", "grapes", "melons")
NUTS = ("walnuts", "almonds", "pecans", "cashews", "acorns", "hazels", "chestnuts", "pistachios", "cobnuts", "pinoli")


def open_memory(page: Page, app: AppServer) -> None:
    """Sign in as a new user and open the page."""
    person.arrive(page, app)
    page.get_by_role("link", name="Memory").click()
    expect(page.get_by_role("heading", name="Memory")).to_be_visible()


def add(page: Page, text: str) -> None:
    """Add a memory and wait until it is listed and the form is empty again."""
    page.get_by_label("Add a memory").fill(text)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(row(page, text)).to_have_count(1)
    expect(page.get_by_label("Add a memory")).to_have_value("")


def rows(page: Page) -> Locator:
    """Return the memories that are listed."""
    return page.locator("[class*=st-key-memory_][data-testid=stVerticalBlock]").filter(
        has=page.locator("[class*=st-key-delete_]")
    )


def row(page: Page, text: str) -> Locator:
    """Return the memory with this text."""
    return rows(page).filter(has=page.get_by_text(text, exact=True))


def press(page: Page, text: str, action: str) -> None:
    """Press one of a memory's buttons: `edit`, `delete` or `source`."""
    row(page, text).locator(f"[class*=st-key-{action}_]").get_by_role("button").click()


def search(page: Page, words: str) -> None:
    """Search for words."""
    page.get_by_label("Search").fill(words)
    page.get_by_label("Search").press("Enter")


def test_adding_and_what_cannot_be_added(shared_app: AppServer, page: Page):
    """An empty page says what to do; a text is added as typed; nothing and a secret are refused and the text stays."""
    open_memory(page, shared_app)
    expect(page.get_by_text("Nothing is remembered yet.")).to_be_visible()
    expect(page.get_by_role("link", name="Start a chat")).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Please write what is to be remembered.")).to_be_visible()
    secret = "My card is 4111 1111 1111 1111"
    page.get_by_label("Add a memory").fill(secret)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Secrets are not stored.")).to_be_visible()
    expect(page.get_by_label("Add a memory")).to_have_value(secret)
    add(page, LITERAL)
    expect(rows(page).locator("b, strong, a")).to_have_count(0)
    expect(page.get_by_text("1 memory", exact=True)).to_be_visible()


def test_searching_and_kinds(shared_app: AppServer, page: Page):
    """Search narrows the list and says when nothing is found; a kind shows only its own."""
    open_memory(page, shared_app)
    add(page, "I prefer window seats")
    add(page, "The boiler was serviced in March")
    search(page, "seats on a plane")
    expect(row(page, "I prefer window seats")).to_have_count(1)
    expect(row(page, "The boiler was serviced in March")).to_have_count(0)
    search(page, "xylophone <b>")
    expect(page.get_by_text("Nothing found for “xylophone <b>”.")).to_be_visible()
    search(page, "")
    expect(rows(page)).to_have_count(2)
    page.get_by_role("radio", name="Preferences").click()
    expect(rows(page)).to_have_count(1)
    expect(row(page, "I prefer window seats")).to_have_count(1)
    page.get_by_role("radio", name="People").click()
    expect(page.get_by_text("Nothing of this kind yet.")).to_be_visible()


def test_editing(shared_app: AppServer, page: Page):
    """Cancel changes nothing, an empty text is refused, Save changes it for good."""
    open_memory(page, shared_app)
    add(page, "I live in Lisbon")
    press(page, "I live in Lisbon", "edit")
    editor = page.get_by_label("Edit this memory")
    editor.fill("I live in Faro")
    page.get_by_role("button", name="Cancel").click()
    expect(row(page, "I live in Lisbon")).to_have_count(1)
    press(page, "I live in Lisbon", "edit")
    expect(editor).to_have_value("I live in Lisbon")
    editor.fill("   ")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Please write what is to be remembered.")).to_be_visible()
    editor.fill("I live in Porto")
    page.get_by_role("button", name="Save").click()
    expect(row(page, "I live in Porto")).to_have_count(1)
    expect(editor).to_have_count(0)
    page.reload()
    expect(row(page, "I live in Porto")).to_have_count(1)
    expect(page.get_by_text("Lisbon")).to_have_count(0)


def test_deleting_and_bringing_back(shared_app: AppServer, page: Page):
    """A deleted memory is gone from list and search; Undo brings back the one that was deleted last, then the other."""
    open_memory(page, shared_app)
    add(page, "I like tea")
    add(page, "I like rain")
    press(page, "I like tea", "delete")
    expect(page.get_by_text("1 memory deleted.")).to_be_visible()
    expect(row(page, "I like tea")).to_have_count(0)
    press(page, "I like rain", "delete")
    expect(page.get_by_text("2 memories deleted.")).to_be_visible()
    expect(page.get_by_text("Nothing is remembered yet.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "I like rain")).to_have_count(1)
    expect(row(page, "I like tea")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "I like tea")).to_have_count(1)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    page.reload()
    expect(rows(page)).to_have_count(2)


def test_pages_and_where_a_memory_comes_from(shared_app: AppServer, page: Page):
    """Twenty memories stand on a page, a search begins on the first one, and a memory opens the chat it comes from."""
    person.arrive(page, shared_app)
    for things in (FRUIT, NUTS):
        person.say(page, " ".join(f"Remember that the box with {thing} is upstairs." for thing in things))
    chat = page.url
    page.get_by_role("link", name="Memory").click()
    expect(page.get_by_text("21 memories", exact=True)).to_be_visible()
    expect(rows(page)).to_have_count(20)
    first = rows(page).all_inner_texts()
    page.get_by_role("button", name="Page 2", exact=True).click()
    expect(rows(page)).to_have_count(1)
    assert not set(first) & set(rows(page).all_inner_texts())
    page.get_by_role("radio", name="Messages").click()
    expect(rows(page)).to_have_count(2)
    expect(rows(page).locator("[class*=st-key-edit_]")).to_have_count(0)
    search(page, "pistachios")
    rows(page).filter(has_text=re.compile("pistachios")).locator("[class*=st-key-source_]").get_by_role(
        "button"
    ).click()
    expect(page).to_have_url(chat)
    expect(person.answers(page)).to_have_count(2)
