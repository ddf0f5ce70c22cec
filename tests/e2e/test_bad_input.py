"""Whatever a person gets wrong leads to a clear sentence, and what they typed stays."""

import re
import stat
import sys

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e import person
from tests.e2e.server import PASSWORD, AppServer


def test_setting_up_wrongly(app: AppServer, page: Page):
    """A wrong code and a short or common password are named, and the fields keep what was typed."""
    page.goto(app.url)
    page.get_by_label("Setup code").fill("not-the-code")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Username")).to_have_value("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_text("That set-up code is not right")).to_be_visible()
    expect(page.get_by_label("Setup code")).to_have_value("not-the-code")
    page.get_by_role("button", name="Suggest a passphrase").click()
    expect(page.get_by_text("It is in the password field now")).to_be_visible()
    person.set_up(page, app.url)
    page.context.clear_cookies()
    page.goto(f"{app.url}/?setup=test-setup-code")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_signing_in_wrongly_until_the_check_question(shared_app: AppServer, page: Page):
    """Wrong names and passwords get one text; after three failures comes the question; the right password waits."""
    username = person.arrive(page, shared_app)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    for _ in range(3):
        person.fill_sign_in(page, username, "wrong-password-entirely")
        expect(page.get_by_text("The username or the password is not right")).to_be_visible()
    question = page.get_by_label(re.compile("Check question"))
    expect(question).to_be_visible()
    person.fill_sign_in(page, username, PASSWORD)
    expect(page.get_by_text("answer the new check question")).to_be_visible()
    question.fill(_solve(question.get_attribute("aria-label") or ""))
    person.fill_sign_in(page, username, PASSWORD)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def _solve(question: str) -> str:
    first, operation, second = re.findall(r"(\d+) (plus|minus|times) (\d+)", question)[0]
    answers = {"plus": int(first) + int(second), "minus": int(first) - int(second), "times": int(first) * int(second)}
    return str(answers[operation])


def test_messages_that_cannot_be_sent(shared_app: AppServer, page: Page):
    """Nothing but spaces and a megabyte are refused with a sentence, and the long text stays in the box."""
    person.arrive(page, shared_app)
    long = "word " * 200_000
    person.chat_input(page).fill(long)
    person.chat_input(page).press("Enter")
    expect(page.get_by_text("at most 32,000 can be sent")).to_be_visible()
    expect(person.chat_input(page)).to_have_value(re.compile("^word word"))
    person.chat_input(page).fill("I live in \u0007Faro\u0000")
    person.chat_input(page).press("Enter")
    expect(page.get_by_text("Saved: I live in Faro")).to_be_visible()
    page.goto(f"{shared_app.url}/?chat=11111111-1111-4111-8111-111111111111")
    expect(page.get_by_text("That was not found")).to_be_visible()


def test_a_second_process_is_told_why_it_cannot_start(shared_app: AppServer):
    """A second Optimus on the same folder ends with a sentence, not with a traceback; the first goes on."""
    second = AppServer(shared_app.data_dir).launch()
    assert second.said("Another Optimus already uses this data folder", 60), second.output
    assert second.process
    assert second.process.wait(30) != 0
    assert "Traceback" not in second.output
    assert httpx.get(f"{shared_app.url}/readyz").status_code == 200


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_an_unusable_data_folder_is_named(tmp_path):
    """A data folder that cannot be made ends the start with a sentence that names it."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    server = AppServer(blocked / "data").launch()
    assert server.said("Optimus cannot start", 60), server.output
    assert server.process
    assert server.process.wait(30) != 0
    assert str(blocked) in server.output
    assert "Traceback" not in server.output


def test_the_data_folder_is_private(shared_app: AppServer):
    """The data folder, the keys and the access file are for their owner alone."""
    assert stat.S_IMODE(shared_app.data_dir.stat().st_mode) == 0o700
    for path in [*(shared_app.data_dir / "keys").rglob("*"), shared_app.data_dir / "ops.json"]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
