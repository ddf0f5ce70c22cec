"""A damaged store does not end the process: it waits in rescue mode, takes the repair, and goes on."""

import httpx
from playwright.sync_api import Page

from optimus.ops_client import ask_running
from tests.e2e.expecting import expect
from tests.e2e.person import fill_sign_in
from tests.e2e.server import PASSWORD, START_TIMEOUT_S, AppServer


def test_a_damaged_store_is_repaired_on_the_page(page: Page, tmp_path):
    """The page names the chats and asks for the terminal's code; after the repair people sign in, without a restart."""
    server = AppServer(tmp_path / "data").start()
    server.add_user("ada")
    server.stop()
    (server.data_dir / "store" / "optimus_conversations" / "shard" / "wal" / "open-1").write_bytes(b"")
    server.output = ""
    server.launch()
    assert server.said(r"RESCUE MODE", START_TIMEOUT_S), server.output
    assert httpx.get(f"{server.url}/readyz").status_code == 503
    refused = ask_running(server.data_dir, "rescue", {})
    assert refused is not None
    assert [part["holds"] for part in refused["damaged"]] == ["chats"]
    page.goto(server.url)
    page.get_by_label("Rescue code").fill((server.data_dir / "rescue.code").read_text().strip())
    page.get_by_role("button", name="Show the ways to go on").click()
    page.get_by_text("I understand what is lost").first.click()
    repair = page.get_by_role("button", name="Open it without its latest changes")
    expect(repair).to_be_enabled()
    repair.click()
    page.get_by_role("heading", name="Sign in to Optimus").wait_for()
    fill_sign_in(page, "ada", PASSWORD)
    page.get_by_role("button", name="Sign out").wait_for()
    assert not (server.data_dir / "rescue.code").exists()
    server.stop()
