"""The main job, as a newcomer does it in the browser."""

from playwright.sync_api import Page

from tests.e2e import person
from tests.e2e.expecting import expect
from tests.e2e.server import AppServer

FACTS = ("I'm allergic to peanuts", "I live in Lisbon", "My sister Maria is a nurse")
QUESTIONS = (
    ("Where do I live?", "Lisbon"),
    ("What am I allergic to?", "peanuts"),
    ("What does my sister do?", "nurse"),
)


def test_a_newcomer_is_remembered_across_chats_and_restarts(app: AppServer, page: Page):
    """Set up, tell three facts, ask for them in a new chat, restart, refresh: everything is still there."""
    person.set_up(page, app.url)
    assert "setup" not in page.url
    for fact in FACTS:
        person.say(page, fact)
        expect(page.get_by_text(f"Saved: {fact}")).to_be_visible()
    person.new_chat(page)
    for question, answer in QUESTIONS:
        assert answer in person.ask(page, question)
    address = page.url
    app.stop()
    restarted = AppServer(app.data_dir, port=app.port).start()
    try:
        page.goto(address)
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        expect(person.answers(page)).to_have_count(len(QUESTIONS))
        expect(page.get_by_text("Where do I live?").first).to_be_visible()
        page.goto(f"{app.url}/memory")
        for fact in FACTS:
            expect(person.memory(page, fact)).to_have_count(1)
    finally:
        restarted.stop()


def test_a_correction_replaces_and_undo_brings_back(shared_app: AppServer, page: Page):
    """Moving house replaces the old home, and Undo under the message makes the old one true again."""
    person.arrive(page, shared_app)
    person.say(page, "I live in Lisbon")
    person.say(page, "I moved to Porto")
    expect(page.get_by_text("Replaces: I live in Lisbon")).to_be_visible()
    person.new_chat(page)
    assert "Porto" in person.ask(page, "Where do I live?")
    page.go_back()
    page.get_by_role("button", name="I live in Lisbon").click()
    expect(page.get_by_text("Replaces: I live in Lisbon")).to_be_visible()
    page.get_by_role("button", name="Undo").last.click()
    expect(page.get_by_text("Undone:")).to_be_visible()
    person.new_chat(page)
    assert "Lisbon" in person.ask(page, "Where do I live?")
