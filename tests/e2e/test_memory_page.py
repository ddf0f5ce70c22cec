"""The memory page as a person uses it: find, select, delete, bring back, export, look closer, correct."""

import json
from pathlib import Path

from playwright.sync_api import FilePayload, Page

from tests.e2e import person
from tests.e2e.expecting import expect
from tests.e2e.server import AppServer

ALLERGY, SEATS, BOILER = "I'm allergic to peanuts", "I prefer window seats", "The boiler was serviced in March"


def open_memory(page: Page) -> None:
    """Open the page from the menu."""
    page.get_by_role("link", name="Memory").click()
    expect(page.get_by_role("heading", name="Memory")).to_be_visible()


def add(page: Page, text: str) -> None:
    """Add a memory and wait until it is listed and the form is empty again."""
    page.get_by_label("Add a memory").fill(text)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(person.memory(page, text)).to_have_count(1)
    expect(page.get_by_label("Add a memory")).to_have_value("")


def exported(page: Page, button: str) -> bytes:
    """Press an export button and return the file."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    return Path(waiting.value.path()).read_bytes()


def test_from_a_search_to_the_answer_that_used_it(shared_app: AppServer, page: Page):
    """Search as one types, filter, export and delete the selected, undo after a reload, and follow the last use."""
    person.arrive(page, shared_app)
    person.say(page, ALLERGY)
    person.say(page, "What am I allergic to?")
    chat = page.url
    open_memory(page)
    add(page, SEATS)
    add(page, BOILER)
    page.get_by_label("Search", exact=True).press_sequentially("boiler")
    expect(person.memory(page, SEATS)).to_have_count(0)
    expect(person.memory(page, BOILER)).to_have_count(1)
    page.get_by_label("Search", exact=True).fill("")
    expect(person.memory(page, SEATS)).to_have_count(1)
    page.get_by_role("radio", name="Preferences").click()
    expect(person.memory(page, BOILER)).to_have_count(0)
    expect(page).to_have_url(f"{shared_app.url}/memory?kind=preference")
    page.get_by_role("radio", name="All").click()
    person.pick(page, SEATS, BOILER)
    written = json.loads(exported(page, "Export 2 as JSON"))
    assert {memory["text"] for memory in written["memories"]} == {SEATS, BOILER}
    assert SEATS in exported(page, "Export 2 as CSV").decode()
    page.get_by_role("button", name="Delete 2").click()
    expect(person.memory(page, SEATS)).to_have_count(0)
    page.reload()
    page.get_by_role("button", name="Undo").click()
    expect(person.memory(page, SEATS)).to_have_count(1)
    expect(person.memory(page, BOILER)).to_have_count(1)
    person.pick(page, ALLERGY)
    expect(page.get_by_text("in 1 answer so far")).to_be_visible()
    page.get_by_role("link", name="Used in").click()
    expect(page).to_have_url(chat)
    expect(person.answers(page)).to_have_count(2)


def test_adding_and_correcting(shared_app: AppServer, page: Page):
    """A secret is refused and stays in the form; Cancel changes nothing; Save does, and the old wording is kept."""
    person.arrive(page, shared_app)
    open_memory(page)
    expect(page.get_by_text("Nothing is remembered yet.")).to_be_visible()
    expect(page.get_by_role("link", name="Start a chat")).to_be_visible()
    secret = "My card is 4111 1111 1111 1111"
    page.get_by_label("Add a memory").fill(secret)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("Secrets are not stored.")).to_be_visible()
    expect(page.get_by_label("Add a memory")).to_have_value(secret)
    add(page, "I live in Lisbon")
    person.pick(page, "I live in Lisbon")
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Edit this memory").fill("I live in Faro")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Edit this memory")).to_have_value("I live in Lisbon")
    page.get_by_label("Edit this memory").fill("I live in Porto")
    page.get_by_role("button", name="Save").click()
    expect(person.memory(page, "I live in Porto")).to_have_count(1)
    page.get_by_text("Versions (2)").click()
    expect(page.get_by_text("You changed it")).to_be_visible()


def test_a_document_is_added_answers_with_its_heading_and_is_deleted(shared_app: AppServer, page: Page):
    """A file is remembered part by part; the answer names the heading; Delete and Undo act on all of it."""
    person.arrive(page, shared_app)
    page.goto(f"{shared_app.url}/memory")
    page.get_by_text("Documents", exact=True).last.click()
    text = b"# Leave\n\nEverybody has 31 days of holiday in a year.\n\n# Illness\n\nCall Petra before nine."
    file = FilePayload(name="handbook.md", mimeType="text/markdown", buffer=text)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(file)
    page.get_by_role("button", name="Remember it").click()
    expect(page.get_by_text("2 parts · added")).to_be_visible()
    page.goto(shared_app.url)
    assert "31 days" in person.ask(page, "How many days of holiday are there?")
    expect(person.answers(page).last).to_contain_text("handbook.md, Leave")
    page.goto(f"{shared_app.url}/memory")
    page.get_by_text("Documents", exact=True).last.click()
    person.wait_at_rest(page)
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("2 memories deleted.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("2 parts · added")).to_be_visible()
