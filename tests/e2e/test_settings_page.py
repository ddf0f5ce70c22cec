"""The settings page: password, sessions, models, memory and looks, as a person changes them."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.e2e import person
from tests.e2e.expecting import expect
from tests.e2e.server import PASSWORD, AppServer
from tests.fakes.providers import FakeProvider, running_provider

NEW_PASSWORD = "kettle-orchard-17-windy lantern"
FACT = "I'm allergic to peanuts"
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(18, 19, 26)"
"""The backgrounds of the two themes."""
KEY = "sk-very-secret-0815-4711"


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A model server that wants a key."""
    with running_provider() as fake:
        fake.key = KEY
        yield fake


def open_section(page: Page, app: AppServer, section: str) -> None:
    """Open a section of the settings by its address."""
    page.goto(f"{app.url}/settings?section={section}")
    expect(page.get_by_role("tab", name=section)).to_have_attribute("aria-selected", "true")


def fill_password(page: Page, current: str, new: str) -> None:
    """Fill the form and send it."""
    page.get_by_label("Current password").fill(current)
    page.get_by_label("New password").fill(new)
    page.get_by_role("button", name="Change password").click()


def switch(page: Page, label: str) -> None:
    """Turn a switch of the memory section and save."""
    person.wait_at_rest(page)
    page.get_by_text(label, exact=True).click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()


def test_the_password_is_changed_and_counts_from_then_on(shared_app: AppServer, page: Page, elsewhere: Page):
    """A wrong current one is named; after the change other browsers are out and only the new password signs in."""
    username = person.arrive(page, shared_app)
    person.enter(elsewhere, shared_app.url, username)
    open_section(page, shared_app, "Account")
    expect(page.get_by_text("member since")).to_be_visible()
    fill_password(page, "not the password", NEW_PASSWORD)
    expect(page.get_by_text("The current password is not right.")).to_be_visible()
    fill_password(page, PASSWORD, "short")
    expect(page.get_by_test_id("stAlert").get_by_text("at least 15 characters")).to_be_visible()
    fill_password(page, PASSWORD, NEW_PASSWORD)
    expect(page.get_by_text("Your password is changed. You are signed out everywhere else.")).to_be_visible()
    expect(page.get_by_label("Current password")).to_have_value("")
    elsewhere.reload()
    expect(elsewhere.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    person.fill_sign_in(elsewhere, username, PASSWORD)
    expect(elsewhere.get_by_text("The username or the password is not right.")).to_be_visible()
    person.fill_sign_in(elsewhere, username, NEW_PASSWORD)
    expect(person.chat_input(elsewhere)).to_be_visible()
    page.reload()
    expect(page.get_by_label("Current password")).to_be_visible()


def test_a_suggested_passphrase_can_be_taken(shared_app: AppServer, page: Page):
    """The suggestion fills the field, is rated, and is taken as the new password."""
    person.arrive(page, shared_app)
    open_section(page, shared_app, "Account")
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Suggest a passphrase").click()
    expect(page.get_by_text("Strength: Very strong")).to_be_visible()
    expect(page.get_by_label("New password")).to_have_value(re.compile(r"^\w+(-\w+){5}$"))
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    expect(page.get_by_test_id("stCode")).to_have_count(0)


def test_another_session_is_ended_from_the_list(shared_app: AppServer, page: Page, elsewhere: Page):
    """The list marks this browser; ending another one signs it out, and then this one is alone."""
    username = person.arrive(page, shared_app)
    open_section(page, shared_app, "Sessions")
    expect(page.get_by_text("You are signed in nowhere else.")).to_be_visible()
    for button in ("End", "End all other sessions"):
        person.enter(elsewhere, shared_app.url, username)
        page.reload()
        expect(page.get_by_text("This one", exact=True)).to_have_count(1)
        expect(page.get_by_text(re.compile("^Started .* · last seen"))).to_have_count(2)
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_text("You are signed in nowhere else.")).to_be_visible()
        elsewhere.get_by_role("link", name="Memory").click()
        expect(elsewhere.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_with_memory_off_nothing_is_saved(shared_app: AppServer, page: Page):
    """Off, the chat says so under its input and saves nothing; on again, it saves."""
    person.arrive(page, shared_app)
    open_section(page, shared_app, "Memory")
    switch(page, "Remember what I say")
    page.get_by_role("link", name="Chat", exact=True).click()
    person.say(page, FACT)
    expect(page.get_by_text("Memory is off: nothing that you say is remembered.")).to_have_count(1)
    expect(page.get_by_text("Saved:")).to_have_count(0)
    page.get_by_role("link", name="Memory", exact=True).click()
    expect(page.get_by_text("Nothing is remembered yet.")).to_be_visible()
    page.get_by_role("link", name="Chat", exact=True).click()
    page.get_by_role("link", name="Change", exact=True).click()
    expect(page.get_by_role("tab", name="Memory")).to_have_attribute("aria-selected", "true")
    switch(page, "Remember what I say")
    page.get_by_role("link", name="Chat", exact=True).click()
    expect(page.get_by_text("Memory is off")).to_have_count(0)
    person.say(page, FACT)
    expect(page.get_by_text(f"Saved: {FACT}")).to_be_visible()


def test_answers_use_no_memories_when_told_so(shared_app: AppServer, page: Page):
    """Switched off, what is known stays known and is not used; the choice holds over a new sign-in."""
    username = person.arrive(page, shared_app)
    person.say(page, FACT)
    open_section(page, shared_app, "Memory")
    switch(page, "Use memories in answers")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    person.enter(page, shared_app.url, username)
    assert "peanuts" not in person.ask(page, "What am I allergic to?")
    expect(page.get_by_text("Memory is off: answers use no memories.")).to_be_visible()


def test_a_kind_that_is_never_remembered_is_not_saved(shared_app: AppServer, page: Page):
    """The chosen kinds stay chosen, and a message of such a kind saves nothing."""
    person.arrive(page, shared_app)
    open_section(page, shared_app, "Memory")
    page.get_by_role("button", name="Facts and plans").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.get_by_role("link", name="Chat", exact=True).click()
    person.say(page, FACT)
    expect(page.get_by_text("Saved:")).to_have_count(0)
    person.say(page, "I love sushi")
    expect(page.get_by_text("Saved: I love sushi")).to_be_visible()


def test_models_are_connected_tested_preferred_and_disconnected(
    shared_app: AppServer, page: Page, provider: FakeProvider
):
    """A connection shows its address and the end of its key; its model begins new chats until it is disconnected."""
    person.arrive(page, shared_app)
    open_section(page, shared_app, "Models")
    expect(page.get_by_text("You have not connected a model yet.")).to_be_visible()
    page.get_by_role("button", name="Connect a model").click()
    dialog = page.get_by_test_id("stDialog")
    dialog.get_by_label("Provider", exact=True).click()
    page.get_by_role("option", name="OpenAI-compatible server").click()
    dialog.get_by_label("Address").fill(f"{provider.url}/v1")
    dialog.get_by_label("API key, if the server wants one").fill(KEY)
    dialog.get_by_role("button", name="Test and connect").click()
    expect(dialog).to_have_count(0)
    expect(
        page.get_by_text(re.compile(rf"{provider.url}/v1 · key ends in 4711 · \d+ models · connected on"))
    ).to_be_visible()
    assert KEY[:-4] not in page.content()
    page.get_by_role("button", name="Test again").click()
    expect(page.get_by_text(re.compile(r"^Connected\. .* offers \d+ models"))).to_be_visible()
    page.get_by_label("Model of new chats").click()
    page.get_by_role("option", name="gpt-6.1-terra").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.goto(shared_app.url)
    expect(page.get_by_label("Model", exact=True)).to_have_value(re.compile("^gpt-6.1-terra"))
    open_section(page, shared_app, "Models")
    page.get_by_role("button", name="Disconnect").click()
    page.get_by_role("button", name="Disconnect now").click()
    expect(page.get_by_text("You have not connected a model yet.")).to_be_visible()
    page.goto(shared_app.url)
    expect(page.get_by_label("Model", exact=True)).to_have_value("Offline assistant")


def test_light_and_dark_are_switched_as_the_page_says(shared_app: AppServer, page: Page):
    """The menu that the page names is there, and choosing Dark makes the page dark."""
    person.arrive(page, shared_app)
    open_section(page, shared_app, "Appearance")
    expect(page.get_by_text("open the menu")).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", LIGHT)
    page.get_by_test_id("stMainMenu").click()
    page.get_by_role("menuitemradio", name="Dark").click()
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", DARK)
