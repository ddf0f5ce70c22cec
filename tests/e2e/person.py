"""What a person does in the browser, step by step.

Steps wait with `wait_for`, which notices at once; `expect` looks again after 0.1, 0.25, 0.5 seconds and so on.
"""

import re

from playwright.sync_api import Locator, Page

from optimus.models import new_id
from tests.e2e import stream
from tests.e2e.expecting import expect
from tests.e2e.server import PASSWORD, SETUP_CODE, AppServer

USERNAME = "ada"


def set_up(page: Page, url: str, *, username: str = USERNAME, password: str = PASSWORD) -> None:
    """Open the set-up link and create the admin's account."""
    page.goto(f"{url}/?setup={SETUP_CODE}")
    expect(page.get_by_label("Setup code")).to_have_value(SETUP_CODE)
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Create account").click()
    chat_input(page).wait_for()


def arrive(page: Page, app: AppServer) -> str:
    """Open the chat as a new user who is signed in already, and return the username."""
    username = f"user-{new_id()[:8]}"
    app.add_user(username)
    enter(page, app.url, username)
    chat_input(page).wait_for()
    return username


def enter(page: Page, url: str, username: str, *, path: str = "/") -> None:
    """Open a page with the cookie of a new session, without the way through the sign-in form."""
    name, _, value = stream.sign_in(url, username).partition("=")
    page.context.add_cookies([{"name": name, "value": value, "url": url, "httpOnly": True, "sameSite": "Strict"}])
    page.goto(f"{url}{path}", wait_until="commit")
    page.get_by_role("button", name="Sign out").wait_for()


def sign_in(page: Page, url: str, *, username: str = USERNAME, password: str = PASSWORD, path: str = "/") -> None:
    """Sign in at a page and wait until it has gone."""
    page.goto(f"{url}{path}")
    fill_sign_in(page, username, password)
    page.get_by_role("button", name="Sign out").wait_for()


def fill_sign_in(page: Page, username: str, password: str) -> None:
    """Fill the form and send it, whatever comes of it."""
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def chat_input(page: Page) -> Locator:
    """Return the box that messages are typed into."""
    return page.get_by_placeholder("Message Optimus")


def say(page: Page, text: str) -> None:
    """Send a message and wait until its answer is whole."""
    before = answers(page).count()
    chat_input(page).fill(text)
    chat_input(page).press("Enter")
    answers(page).nth(before).wait_for()
    stop_button(page).wait_for(state="detached")
    chat_input(page).click(trial=True)
    expect(answers(page)).to_have_count(before + 1)


def ask(page: Page, text: str) -> str:
    """Send a message and return the text of its answer."""
    say(page, text)
    return answers(page).last.inner_text()


def memory(page: Page, text: str) -> Locator:
    """Return the cell of the memory page's table with this text; a canvas draws it, so it counts but is not visible."""
    cells = page.get_by_test_id("stDataFrame").locator("[role=gridcell]")
    return cells.filter(has_text=re.compile(f"^{re.escape(text)}$"))


def pick(page: Page, *texts: str) -> None:
    """Select memories in the table by their text, at the left of their rows."""
    table = page.get_by_test_id("stDataFrame")
    for text in texts:
        expect(memory(page, text)).to_have_count(1)
        row = int(memory(page, text).locator("xpath=..").get_attribute("aria-rowindex") or 0) - 2
        table.click(position={"x": 16, "y": 36 * (row + 1) + 18})


def answers(page: Page) -> Locator:
    """Return the assistant's messages on the page."""
    return page.get_by_label("Chat message from assistant")


def wait_at_rest(page: Page) -> None:
    """Wait until a page is drawn to its end: what is clicked while it is being drawn again may be gone by then."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()


def stop_button(page: Page) -> Locator:
    """Return the button that is there while an answer is being written; its name holds its shortcut, too."""
    return page.get_by_test_id("stBottomBlockContainer").get_by_role("button", name=re.compile("^Stop"))


def new_chat(page: Page) -> None:
    """Begin a new chat and wait until it is empty."""
    page.get_by_role("button", name="New chat").click()
    expect(page.get_by_test_id("stChatMessage")).to_have_count(0)
