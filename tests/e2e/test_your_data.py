"""One's own data as a person takes them along, brings them in and has them deleted."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
from playwright.sync_api import Download, Page, expect

from tests.e2e import person
from tests.e2e.server import PASSWORD, ROOT, AppServer

FACT = "I'm allergic to peanuts"


def open_data(page: Page, app: AppServer) -> None:
    """Open the section of the settings."""
    page.goto(f"{app.url}/settings?section=Your+data")
    expect(page.get_by_role("button", name="Download my data")).to_be_visible()


def saved(download: Download, folder: Path) -> Path:
    """Return the file that the browser saved."""
    path = folder / download.suggested_filename
    download.save_as(path)
    return path


def test_a_life_is_taken_along_deleted_and_brought_in_again(shared_app: AppServer, page: Page, tmp_path: Path):
    """Download, delete with the password, keep the receipt, register again, import with a preview: it remembers."""
    username = person.arrive(page, shared_app)
    person.say(page, FACT)
    open_data(page, shared_app)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download my data").click()
    export = saved(waiting.value, tmp_path)
    assert export.name.startswith("optimus-export-")
    with zipfile.ZipFile(export) as archive:
        assert FACT in archive.read("memories.md").decode()
    with httpx.Client(base_url=shared_app.url) as stranger:
        assert stranger.get(waiting.value.url.removeprefix(shared_app.url)).status_code == 404

    page.get_by_text("Delete my account").last.click()
    page.get_by_label("To confirm, type your username").fill(username)
    page.get_by_label("Your password").fill("not the password")
    page.get_by_role("button", name="Delete everything").click()
    expect(page.get_by_text("The current password is not right.")).to_be_visible()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Delete everything").click()
    expect(page.get_by_text("Your account is deleted")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save the receipt").click()
    receipt = saved(waiting.value, tmp_path)
    assert verified(shared_app, receipt).returncode == 0
    page.get_by_role("button", name="Done").click()
    person.fill_sign_in(page, username, PASSWORD)
    expect(page.get_by_text("The username or the password is not right.")).to_be_visible()

    shared_app.add_user(username)
    person.sign_in(page, shared_app.url, username=username, path="/settings?section=Your+data")
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(export)
    expect(page.get_by_text("exported on")).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Imported. Added: 1 memory, 1 chat, 2 messages.")).to_be_visible()
    page.get_by_role("button", name="OK").click()
    changed = tmp_path / "changed.zip"
    changed.write_bytes(export.read_bytes()[:-30])
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(changed)
    expect(page.get_by_text("This is not an export of Optimus.")).to_be_visible()
    page.goto(shared_app.url)
    assert "peanuts" in person.ask(page, "What am I allergic to?")


def verified(app: AppServer, receipt: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command that checks a receipt."""
    return subprocess.run(
        [sys.executable, "-m", "optimus", "verify-receipt", str(receipt)],
        cwd=ROOT,
        env=app.variables(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_receipt_that_was_changed_is_not_genuine(shared_app: AppServer, tmp_path: Path):
    """The command says in a sentence what is wrong with a file, and exits with 1."""
    file = tmp_path / "receipt.json"
    for text, sentence in (("{}", "no receipt"), (json.dumps({"format": "x"}), "no receipt")):
        file.write_text(text)
        done = verified(shared_app, file)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        assert sentence in done.stderr
    assert verified(shared_app, tmp_path / "missing.json").returncode == 1
