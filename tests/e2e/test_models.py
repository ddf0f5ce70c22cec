"""Connecting a model in the browser, and what happens while it answers: against a model server on loopback."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Locator, Page

from tests.e2e import person
from tests.e2e.expecting import expect
from tests.e2e.server import AppServer
from tests.fakes.providers import FakeProvider, Fault, FaultKind, refused_url, running_provider

ANSWER = "One two three four five six."
BEGINNING = "One two"
HELD_AFTER = 3
"""Events: the role, then two words."""
KEY = "sk-right-4711"


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A model server that answers six words."""
    with running_provider() as fake:
        fake.answer = lambda _request: ANSWER
        yield fake


def found(text: str) -> str:
    """Return what a model writes that found one fact in a message."""
    entry = {"source": 1, "text": text, "type": "fact", "entities": ["Rufus"], "confidence": 0.9, "importance": 0.8}
    usual = {"language": "en", "event_date": None, "instructs_assistant": False, "decision": "add", "known": None}
    return json.dumps({"memories": [entry | usual]})


@pytest.fixture
def page(page: Page) -> Page:
    """A page that shows the whole card: a list of options closes when something scrolls."""
    page.set_viewport_size({"width": 1280, "height": 1200})
    return page


@pytest.fixture
def connected(shared_app: AppServer, page: Page, provider: FakeProvider) -> Page:
    """The chat of a new user who has connected the model server."""
    person.arrive(page, shared_app)
    connect(page, f"{provider.url}/v1")
    expect(picker(page)).to_have_value(re.compile("^gpt-6-luna"))
    return page


def picker(page: Page) -> Locator:
    """Return the box that shows the chosen model."""
    return page.get_by_label("Model", exact=True)


def pick(page: Page, box: str, option: str) -> None:
    """Choose an option of a select box; the list closes where the page still moves, and is then opened again."""
    wanted = page.get_by_role("option", name=option)
    for _ in range(5):
        page.get_by_label(box, exact=True).click()
        with suppress(AssertionError):
            expect(wanted).to_be_visible(timeout=2_000)
            break
    wanted.click()


def connect(page: Page, address: str, key: str = "") -> Locator:
    """Fill the card of an empty chat and send it; return the card."""
    card = page.get_by_test_id("stExpander").filter(has_text="Connect a model")
    if not card.get_by_label("Provider").is_visible():
        card.get_by_text("Connect a model").click()
        card.get_by_role("button", name="Test and connect").click(trial=True)
        pick(page, "Provider", "OpenAI-compatible server")
    card.get_by_label("Address").fill(address)
    card.get_by_label("API key, if the server wants one").fill(key)
    card.get_by_role("button", name="Test and connect").click()
    return card


def begin(page: Page, text: str = "Count") -> None:
    """Send a message and wait until its answer has begun, and no more than that."""
    person.chat_input(page).fill(text)
    person.chat_input(page).press("Enter")
    expect(person.answers(page)).to_contain_text(BEGINNING)
    expect(person.stop_button(page)).to_be_visible()
    expect(page.get_by_text("Hello, ")).to_have_count(0)
    expect(page.get_by_test_id("stMain").get_by_test_id("stExpander")).to_have_count(0)


def expect_once(page: Page, answer: str) -> None:
    """Expect one question with one answer, whole and not doubled."""
    expect(person.stop_button(page)).to_have_count(0)
    expect(person.answers(page)).to_have_count(1)
    expect(person.answers(page).get_by_test_id("stMarkdown").first).to_have_text(answer)
    expect(page.get_by_label("Chat message from user")).to_have_count(1)


def test_a_wrong_address_or_key_is_named_and_the_form_kept(shared_app: AppServer, page: Page, provider: FakeProvider):
    """What is wrong is said under the form, which keeps what was typed; once it is right, the model is chosen."""
    provider.key = KEY
    person.arrive(page, shared_app)
    unreachable = f"{refused_url()}/v1"
    card = connect(page, unreachable, "sk-wrong")
    expect(card.get_by_text("The model's server cannot be reached.")).to_be_visible()
    expect(card.get_by_label("Address")).to_have_value(unreachable)
    connect(page, f"{provider.url}/v1", "sk-wrong")
    expect(card.get_by_text("The provider refused the API key.")).to_be_visible()
    expect(card.get_by_label("API key")).to_have_value("sk-wrong")
    connect(page, f"{provider.url}/v1", KEY)
    expect(picker(page)).to_have_value(re.compile("^gpt-6-luna"))
    expect(card).to_have_count(0)
    person.say(page, "Count")
    expect_once(page, ANSWER)


def test_the_chosen_model_stays_until_it_is_disconnected(connected: Page, shared_app: AppServer):
    """The picked model stays over chats and pages; disconnecting takes it away and the offline assistant answers."""
    page = connected
    pick(page, "Model", "gpt-6.1-terra")
    person.say(page, "Count")
    person.new_chat(page)
    expect(picker(page)).to_have_value(re.compile("^gpt-6.1-terra"))
    page.get_by_role("link", name="Memory").click()
    expect(page.get_by_role("heading", name="Memory")).to_be_visible()
    page.get_by_role("link", name="Chat", exact=True).click()
    expect(picker(page)).to_have_value(re.compile("^gpt-6.1-terra"))
    page.get_by_role("button", name="Connect", exact=True).click()
    page.get_by_test_id("stDialog").get_by_role("button", name="Disconnect").click()
    expect(page.get_by_test_id("stDialog")).to_have_count(0)
    expect(picker(page)).to_have_value("Offline assistant")
    expect(page.get_by_text("Connect a model").first).to_be_visible()


def test_what_a_model_finds_appears_under_the_message(connected: Page, provider: FakeProvider):
    """The answer comes first; what the model then finds in the message is added to its card by itself, with Undo."""
    fact = "We got a beagle called Rufus"
    provider.answer = lambda request: ANSWER if request.body.get("stream") else found(fact)
    person.say(connected, "We finally got a beagle called Rufus")
    expect(connected.get_by_text(f"Saved: {fact}")).to_be_visible()
    expect(connected.get_by_text("Looking for more")).to_have_count(0)
    connected.get_by_role("button", name="Undo").last.click()
    expect(connected.get_by_text(f"Undone: {fact}")).to_be_visible()


def test_stop_keeps_what_was_written(connected: Page, provider: FakeProvider):
    """The only Stop ends the answer and keeps its beginning, with a note; “Try again” writes the whole of it."""
    page = connected
    provider.hold_after = HELD_AFTER
    begin(page)
    expect(person.chat_input(page)).to_be_disabled()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_role("button", name=re.compile("stop", re.IGNORECASE))).to_have_count(1)
    person.stop_button(page).click()
    expect(page.get_by_text("Stopped. This is what was written until then.")).to_be_visible()
    expect_once(page, BEGINNING)
    provider.release()
    provider.hold_after = None
    page.reload()
    expect_once(page, BEGINNING)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Stopped.")).to_have_count(0)
    expect_once(page, ANSWER)


def test_refreshing_and_leaving_in_the_middle_of_an_answer_lose_nothing(connected: Page, provider: FakeProvider):
    """F5, another page and back: the page goes on with the running answer; in the end it is there once, and whole."""
    page = connected
    provider.hold_after = HELD_AFTER
    begin(page)
    page.reload()
    expect(person.answers(page)).to_contain_text(BEGINNING)
    expect(person.stop_button(page)).to_be_visible()
    page.get_by_role("link", name="Memory").click()
    expect(page.get_by_role("heading", name="Memory")).to_be_visible()
    page.go_back()
    expect(person.answers(page)).to_contain_text(BEGINNING)
    page.get_by_role("link", name="Memory").click()
    expect(page.get_by_role("heading", name="Memory")).to_be_visible()
    provider.release()
    page.get_by_role("link", name="Chat", exact=True).click()
    page.get_by_test_id("stSidebar").get_by_role("button", name="Count").click()
    expect_once(page, ANSWER)
    page.reload()
    expect_once(page, ANSWER)
    assert len(provider.chats()) == 1


def test_an_answer_that_is_cut_off_can_be_written_again(connected: Page, provider: FakeProvider):
    """A cut connection leaves the text so far with a sentence; “Try again” shows the whole answer in its place."""
    page = connected
    provider.faults.append(Fault(kind=FaultKind.CUT, after=HELD_AFTER))
    person.say(page, "Count")
    expect(page.get_by_text("The answer was cut off.")).to_be_visible()
    expect_once(page, BEGINNING)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("The answer was cut off.")).to_have_count(0)
    expect_once(page, ANSWER)
    person.say(page, "And again")
    expect(person.answers(page)).to_have_count(2)
    assert provider.chats()[-1].text.count("One two") == 1
