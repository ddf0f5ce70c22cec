"""Accounts from an admin's and a user's side: made, used, locked, and out of reach for everybody else."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e import person
from tests.e2e.expecting import expect
from tests.e2e.server import AppServer
from tests.e2e.stream import StreamClient

OWN = "granite-otter-58-lantern plum"
ROW_HEIGHT = 36


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Iterator[AppServer]:
    """A running application with few accounts, so that all of them are in sight; `root` is an admin."""
    server = AppServer(tmp_path_factory.mktemp("office") / "data").start()
    server.add_user("root")
    yield server
    server.stop()


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


def select_newest(page: Page) -> None:
    """Select the last row of the table."""
    select_row(page, int(page.get_by_text(re.compile(r"^\d+ users\. Select")).inner_text().split()[0]) - 1)


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


def test_a_user_is_made_signs_in_chats_and_is_locked(office: AppServer, page: Page, elsewhere: Page):
    """From a one-time code to an own password and a chat; locked, the next click shows the sign-in form; erased."""
    person.enter(page, office.url, "root")
    open_admin(page, office)
    code = add_user(page, "bob")
    elsewhere.goto(f"{office.url}/memory")
    person.fill_sign_in(elsewhere, "bob", code)
    choose_password(elsewhere, code)
    expect(elsewhere.get_by_text("not the one-time code")).to_be_visible()
    elsewhere.goto(f"{office.url}/memory")
    expect(elsewhere.get_by_role("heading", name="Choose your password")).to_be_visible()
    expect(elsewhere.get_by_role("link", name="Chat")).to_have_count(0)
    choose_password(elsewhere, OWN)
    expect(elsewhere.get_by_role("heading", name="Memory")).to_be_visible()
    elsewhere.goto(office.url)
    person.say(elsewhere, "I live in Lisbon")
    expect(elsewhere.get_by_text("Saved: I live in Lisbon")).to_be_visible()
    select_newest(page)
    change(page, "Lock")
    expect(page.get_by_role("button", name="Unlock", exact=True)).to_be_visible()
    elsewhere.get_by_role("button", name="New chat").click()
    expect(elsewhere.get_by_role("heading", name="Sign in to Optimus")).to_be_visible()
    expect(elsewhere.get_by_text("I live in Lisbon")).to_have_count(0)
    person.fill_sign_in(elsewhere, "bob", OWN)
    expect(elsewhere.get_by_text("is not right")).to_be_visible()
    change(page, "Unlock")
    expect(page.get_by_role("button", name="Lock", exact=True)).to_be_visible()
    person.sign_in(elsewhere, office.url, username="bob", password=OWN)
    page.get_by_role("button", name="Erase", exact=True).click()
    page.get_by_label("To confirm, type the username").fill("bo")
    page.get_by_role("button", name="Erase everything").click()
    expect(page.get_by_text("exactly as it stands above")).to_be_visible()
    page.get_by_label("To confirm, type the username").fill("bob")
    page.get_by_role("button", name="Erase everything").click()
    expect(page.get_by_text("The account is erased.")).to_be_visible()
    elsewhere.reload()
    expect(elsewhere.get_by_role("heading", name="Sign in to Optimus")).to_be_visible()


def test_a_code_is_shown_once_and_replaces_the_password(office: AppServer, page: Page, elsewhere: Page):
    """A reset signs the user out and shows a code that is gone with its dialog, and works as the password once."""
    person.enter(page, office.url, "root")
    office.add_user("bea")
    person.enter(elsewhere, office.url, "bea")
    open_admin(page, office)
    select_newest(page)
    page.get_by_role("button", name="New sign-in code").click()
    page.get_by_role("button", name="Make the code").click()
    shown = page.get_by_role("dialog").locator("code")
    expect(shown).to_be_visible()
    code = shown.inner_text()
    page.keyboard.press("Escape")
    expect(page.get_by_text(code)).to_have_count(0)
    elsewhere.reload()
    expect(elsewhere.get_by_role("heading", name="Sign in to Optimus")).to_be_visible()
    person.fill_sign_in(elsewhere, "bea", code.lower())
    choose_password(elsewhere, OWN)
    expect(person.chat_input(elsewhere)).to_be_visible()
    page.get_by_text("Log", exact=True).click()
    expect(page.get_by_text("passwords and addresses are not recorded")).to_be_visible()


def test_a_normal_user_never_gets_to_the_admin_page(office: AppServer, page: Page, elsewhere: Page):
    """Not by the menu, the address or a page switch; one who is demoted there loses it at the next click."""
    person.enter(page, office.url, "root")
    open_admin(page, office)
    code = add_user(page, "tom")
    elsewhere.goto(f"{office.url}/admin")
    person.fill_sign_in(elsewhere, "tom", code)
    choose_password(elsewhere, OWN)
    expect(elsewhere.get_by_text("Page not found")).to_be_visible()
    elsewhere.goto(office.url)
    expect(elsewhere.get_by_role("link", name="Memory")).to_be_visible()
    expect(elsewhere.get_by_role("link", name="Admin")).to_have_count(0)
    elsewhere.goto(f"{office.url}/admin")
    expect(elsewhere.get_by_text("Page not found")).to_be_visible()
    cookie = f"optimus={elsewhere.context.cookies()[0]['value']}"
    with StreamClient(office.url, cookie=cookie) as switching:
        assert b"Add a user" not in switching.run(page="admin")
        assert b"Add a user" not in switching.run(page="admin")
    select_newest(page)
    change(page, "Make admin")
    person.sign_in(elsewhere, office.url, username="tom", password=OWN)
    open_admin(elsewhere, office)
    change(page, "Make user")
    elsewhere.get_by_text("Numbers", exact=True).click()
    expect(elsewhere.get_by_text("Active sessions")).to_have_count(0)
    expect(elsewhere.get_by_role("link", name="Admin")).to_have_count(0)


def answer_check(page: Page) -> None:
    """Answer the check question of the registration form."""
    field = page.get_by_label("Check question")
    question = field.get_attribute("aria-label") or ""
    found = re.search(r"(\d+) (plus|minus|times) (\d+)", question)
    assert found
    left, sign, right = found.groups()
    results = {"plus": int(left) + int(right), "minus": int(left) - int(right), "times": int(left) * int(right)}
    field.fill(str(results[sign]))


def test_registration_is_opened_used_limited_and_two_are_locked_at_once(app: AppServer, page: Page, elsewhere: Page):
    """From the switch to an own account, its refused second message, and the end of its session."""
    person.set_up(page, app.url)
    open_admin(page, app)
    add_user(page, "bob")
    page.get_by_text("System", exact=True).click()
    page.get_by_text("Let people create their own account").click()
    page.get_by_label("Messages per user and day", exact=True).fill("1")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    elsewhere.goto(app.url)
    elsewhere.get_by_role("button", name="Create account").click()
    expect(elsewhere.get_by_role("heading", name="Create your account")).to_be_visible()
    elsewhere.get_by_label("Name for the account").fill("zoe")
    elsewhere.get_by_label("New password").fill(OWN)
    answer_check(elsewhere)
    elsewhere.get_by_role("button", name="Create account").click()
    expect(person.chat_input(elsewhere)).to_be_visible()
    expect(elsewhere.get_by_role("link", name="Admin")).to_have_count(0)
    person.say(elsewhere, "I live in Lisbon")
    person.chat_input(elsewhere).fill("I like tea")
    person.chat_input(elsewhere).press("Enter")
    expect(elsewhere.get_by_text("Today's limit of 1 message is used up")).to_be_visible()
    expect(person.chat_input(elsewhere)).to_have_value("I like tea")
    page.get_by_text("Users", exact=True).click()
    for row in (1, 2):
        select_row(page, row)
    expect(page.get_by_text("2 users")).to_be_visible()
    change(page, "Lock")
    expect(page.get_by_role("button", name="Unlock", exact=True)).to_be_visible()
    elsewhere.get_by_role("button", name="New chat").click()
    expect(elsewhere.get_by_role("heading", name="Sign in to Optimus")).to_be_visible()


def test_health_numbers_and_log_hold_no_content(office: AppServer, page: Page):
    """The doctor's checks, the counters and the log are there; what was said is in none of them."""
    person.enter(page, office.url, "root")
    person.say(page, "I'm allergic to zebrawood")
    open_admin(page, office)
    page.get_by_text("Health", exact=True).click()
    expect(page.get_by_text("Engine: embedded")).to_be_visible()
    expect(page.get_by_text("Embedder")).to_be_visible()
    page.get_by_text("Numbers", exact=True).click()
    for label in ("Users", "Active sessions", "Conversations", "Memories"):
        metric = page.get_by_test_id("stMetric").filter(has_text=label)
        expect(metric).to_contain_text(re.compile("[1-9]"))
    expect(page.get_by_test_id("stMetric").filter(has_text="Answers").first).to_contain_text(re.compile("[1-9]"))
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
    with StreamClient(office.url, cookie=cookie) as admin:
        assert b"zebrawood" not in admin.run(page="admin")
