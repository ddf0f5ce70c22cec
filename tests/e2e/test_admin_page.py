"""Accounts from an admin's and a user's side: made, used, locked, and out of reach for everybody else."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e import person
from tests.e2e.server import AppServer
from tests.e2e.stream import StreamClient

pytestmark = pytest.mark.browser

OWN = "granite-otter-58-lantern plum"
ROW_HEIGHT = 36


@pytest.fixture
def other(browser: Browser):
    """A page of another browser profile."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def open_admin(page: Page, app: AppServer) -> None:
    """Go to the admin page and wait for it."""
    page.goto(f"{app.url}/admin")
    expect(page.get_by_role("heading", name="Admin")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()


def add_user(page: Page, username: str) -> str:
    """Add a user on the admin page and return the one-time code."""
    page.get_by_role("button", name="Add a user").click()
    page.get_by_label("Username").fill(username)
    page.get_by_role("button", name="Add", exact=True).click()
    code = page.get_by_role("dialog").locator("code")
    expect(code).to_be_visible()
    shown = code.inner_text()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    return shown


def select_row(page: Page, row: int) -> None:
    """Select a row of the table; the grid is drawn on a canvas, so by its place."""
    grid = page.get_by_test_id("stDataFrame").locator(".dvn-scroller")
    grid.click(position={"x": 15, "y": ROW_HEIGHT * (row + 1) + ROW_HEIGHT // 2})


def change(page: Page, label: str) -> None:
    """Press an action on the selected account and confirm it."""
    page.get_by_role("button", name=label, exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=label, exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def choose_password(page: Page, password: str) -> None:
    """Fill the form of the first sign-in."""
    expect(page.get_by_role("heading", name="Choose your password")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Save and continue").click()


def test_a_user_is_made_signs_in_chats_and_is_locked(app: AppServer, page: Page, other: Page):
    """From a one-time code to an own password and a chat; locked, the next click shows the sign-in form; erased."""
    person.set_up(page, app.url)
    open_admin(page, app)
    code = add_user(page, "bob")
    other.goto(f"{app.url}/memory")
    person.fill_sign_in(other, "bob", code)
    choose_password(other, code)
    expect(other.get_by_text("not the one-time code")).to_be_visible()
    other.goto(f"{app.url}/memory")
    expect(other.get_by_role("heading", name="Choose your password")).to_be_visible()
    expect(other.get_by_role("link", name="Chat")).to_have_count(0)
    choose_password(other, OWN)
    expect(other.get_by_role("heading", name="Memory")).to_be_visible()
    other.goto(app.url)
    person.say(other, "I live in Lisbon")
    expect(other.get_by_text("Saved: I live in Lisbon")).to_be_visible()
    select_row(page, 1)
    change(page, "Lock")
    expect(page.get_by_role("button", name="Unlock", exact=True)).to_be_visible()
    other.get_by_role("button", name="New chat").click()
    expect(other.get_by_role("heading", name="Sign in to Optimus")).to_be_visible()
    expect(other.get_by_text("I live in Lisbon")).to_have_count(0)
    person.fill_sign_in(other, "bob", OWN)
    expect(other.get_by_text("is not right")).to_be_visible()
    change(page, "Unlock")
    expect(page.get_by_role("button", name="Lock", exact=True)).to_be_visible()
    person.sign_in(other, app.url, username="bob", password=OWN)
    page.get_by_role("button", name="Erase", exact=True).click()
    page.get_by_label("To confirm, type the username").fill("bo")
    page.get_by_role("button", name="Erase everything").click()
    expect(page.get_by_text("exactly as it stands above")).to_be_visible()
    page.get_by_label("To confirm, type the username").fill("bob")
    page.get_by_role("button", name="Erase everything").click()
    expect(page.get_by_text("The account is erased.")).to_be_visible()
    other.reload()
    expect(other.get_by_role("heading", name="Sign in to Optimus")).to_be_visible()


def test_a_code_is_shown_once_and_replaces_the_password(app: AppServer, page: Page, other: Page):
    """A reset signs the user out and shows a code that is gone with its dialog, and works as the password once."""
    person.set_up(page, app.url)
    app.add_user("bea")
    person.sign_in(other, app.url, username="bea")
    open_admin(page, app)
    select_row(page, 1)
    page.get_by_role("button", name="New sign-in code").click()
    page.get_by_role("button", name="Make the code").click()
    shown = page.get_by_role("dialog").locator("code")
    expect(shown).to_be_visible()
    code = shown.inner_text()
    page.keyboard.press("Escape")
    expect(page.get_by_text(code)).to_have_count(0)
    other.reload()
    expect(other.get_by_role("heading", name="Sign in to Optimus")).to_be_visible()
    person.fill_sign_in(other, "bea", code.lower())
    choose_password(other, OWN)
    expect(person.chat_input(other)).to_be_visible()
    page.get_by_text("Log", exact=True).click()
    expect(page.get_by_text("passwords and addresses are not recorded")).to_be_visible()


def test_a_normal_user_never_gets_to_the_admin_page(app: AppServer, page: Page, other: Page):
    """Not by the menu, the address or a page switch; one who is demoted there loses it at the next click."""
    person.set_up(page, app.url)
    open_admin(page, app)
    code = add_user(page, "bob")
    other.goto(f"{app.url}/admin")
    person.fill_sign_in(other, "bob", code)
    choose_password(other, OWN)
    expect(other.get_by_text("Page not found")).to_be_visible()
    other.goto(app.url)
    expect(other.get_by_role("link", name="Memory")).to_be_visible()
    expect(other.get_by_role("link", name="Admin")).to_have_count(0)
    other.goto(f"{app.url}/admin")
    expect(other.get_by_text("Page not found")).to_be_visible()
    cookie = f"optimus={other.context.cookies()[0]['value']}"
    with StreamClient(app.url, cookie=cookie) as switching:
        assert b"Add a user" not in switching.run(page="admin")
        assert b"Add a user" not in switching.run(page="admin")
    select_row(page, 1)
    change(page, "Make admin")
    person.sign_in(other, app.url, username="bob", password=OWN)
    open_admin(other, app)
    change(page, "Make user")
    other.get_by_text("Numbers", exact=True).click()
    expect(other.get_by_text("Active sessions")).to_have_count(0)
    expect(other.get_by_role("link", name="Admin")).to_have_count(0)


def answer_check(page: Page) -> None:
    """Answer the check question of the registration form."""
    field = page.get_by_label("Check question")
    question = field.get_attribute("aria-label") or ""
    found = re.search(r"(\d+) (plus|minus|times) (\d+)", question)
    assert found
    left, sign, right = found.groups()
    results = {"plus": int(left) + int(right), "minus": int(left) - int(right), "times": int(left) * int(right)}
    field.fill(str(results[sign]))


def test_registration_is_opened_used_limited_and_two_are_locked_at_once(app: AppServer, page: Page, other: Page):
    """From the switch to an own account, its refused second message, and the end of its session."""
    person.set_up(page, app.url)
    open_admin(page, app)
    add_user(page, "bob")
    page.get_by_text("System", exact=True).click()
    page.get_by_text("Let people create their own account").click()
    page.get_by_label("Messages per user and day", exact=True).fill("1")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    other.goto(app.url)
    other.get_by_text("Create account").first.click()
    other.get_by_label("Name for the account").fill("zoe")
    other.get_by_label("New password").fill(OWN)
    answer_check(other)
    other.get_by_role("button", name="Create account").click()
    expect(person.chat_input(other)).to_be_visible()
    expect(other.get_by_role("link", name="Admin")).to_have_count(0)
    person.say(other, "I live in Lisbon")
    person.chat_input(other).fill("I like tea")
    person.chat_input(other).press("Enter")
    expect(other.get_by_text("Today's limit of 1 message is used up")).to_be_visible()
    expect(person.chat_input(other)).to_have_value("I like tea")
    page.get_by_text("Users", exact=True).click()
    for row in (1, 2):
        select_row(page, row)
    expect(page.get_by_text("2 users")).to_be_visible()
    change(page, "Lock")
    expect(page.get_by_role("button", name="Unlock", exact=True)).to_be_visible()
    other.get_by_role("button", name="New chat").click()
    expect(other.get_by_role("heading", name="Sign in to Optimus")).to_be_visible()


def test_health_numbers_and_log_hold_no_content(app: AppServer, page: Page):
    """The doctor's checks, the counters and the log are there; what was said is in none of them."""
    person.set_up(page, app.url)
    person.say(page, "I'm allergic to zebrawood")
    open_admin(page, app)
    page.get_by_text("Health", exact=True).click()
    expect(page.get_by_text("Engine: embedded")).to_be_visible()
    expect(page.get_by_text("Embedder")).to_be_visible()
    page.get_by_text("Numbers", exact=True).click()
    for label in ("Users", "Active sessions", "Conversations", "Memories"):
        metric = page.get_by_test_id("stMetric").filter(has_text=label)
        expect(metric).to_contain_text("1")
    expect(page.get_by_test_id("stMetric").filter(has_text="Answers").first).to_contain_text("1")
    page.get_by_text("Log", exact=True).click()
    page.get_by_role("button", name="Check the log").click()
    expect(page.get_by_text("The audit log is whole")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    saved = Path(download.value.path()).read_text(encoding="utf-8-sig")
    assert "auth.signed_in" in saved
    assert "memory.created" in saved
    assert "zebrawood" not in saved
    cookie = f"optimus={page.context.cookies()[0]['value']}"
    with StreamClient(app.url, cookie=cookie) as admin:
        assert b"zebrawood" not in admin.run(page="admin")
