"""Conversations: begun, found again, renamed and deleted; and what stands under an answer."""

import re

from playwright.sync_api import Locator, Page

from tests.e2e import person
from tests.e2e.expecting import expect
from tests.e2e.server import AppServer

FACT = "I'm allergic to peanuts"
SUGGESTION = "I'm allergic to peanuts and live in Lisbon"


def listed(page: Page, title: str) -> Locator:
    """Return a conversation in the sidebar, open or not."""
    return page.get_by_test_id("stSidebar").get_by_role("button", name=title, exact=True)


def choose(page: Page, title: str, action: str) -> Locator:
    """Open the menu of the conversation that is open, choose an action, and return its dialog."""
    page.get_by_test_id("stSidebar").get_by_role("button", name=title).click()
    page.get_by_role("menuitem", name=action).click()
    expect(page.get_by_test_id("stDialog")).to_be_visible()
    return page.get_by_test_id("stDialog")


def remembered(page: Page, app: AppServer, text: str) -> Locator:
    """Open the memory page and return a memory with this text."""
    page.goto(f"{app.url}/memory")
    expect(page.get_by_label("Search", exact=True)).to_be_visible()
    return page.get_by_text(text, exact=True)


def test_a_suggestion_begins_a_chat_named_after_it(shared_app: AppServer, page: Page):
    """A suggestion is sent like a message; its text is the chat's title, and the address names the chat."""
    person.arrive(page, shared_app)
    expect(page.get_by_text("Your chats will be listed here.")).to_be_visible()
    expect(page.get_by_test_id("stBottom").get_by_placeholder("Message Optimus")).to_be_visible()
    page.get_by_role("button", name=SUGGESTION).click()
    expect(page.get_by_label("Chat message from user")).to_have_text(re.compile(re.escape(SUGGESTION)))
    expect(person.answers(page)).to_have_count(1)
    expect(page.get_by_text("Saved: I'm allergic to peanuts")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?chat=[0-9a-f-]{36}$"))
    expect(listed(page, SUGGESTION)).to_be_visible()
    page.reload()
    expect(person.answers(page)).to_have_count(1)
    expect(page.get_by_role("button", name=SUGGESTION)).to_have_count(1)


def test_chats_are_opened_from_the_list_and_by_their_address(shared_app: AppServer, page: Page):
    """Each chat shows its own messages, whether it is opened from the sidebar, by its address or in a second tab."""
    person.arrive(page, shared_app)
    person.say(page, "Good morning")
    morning = page.url
    person.new_chat(page)
    assert "chat=" not in page.url
    person.say(page, "Good evening")
    assert page.url != morning
    listed(page, "Good morning").click()
    expect(page).to_have_url(morning)
    expect(page.get_by_label("Chat message from user")).to_have_text(re.compile("Good morning"))
    second = page.context.new_page()
    second.goto(morning)
    expect(second.get_by_label("Chat message from user")).to_have_text(re.compile("Good morning"))
    expect(listed(second, "Good evening")).to_be_visible()


def test_signing_out_in_one_tab_ends_the_other(shared_app: AppServer, page: Page):
    """After signing out in one tab, the next click in another tab of the browser leads to the sign-in form."""
    person.arrive(page, shared_app)
    person.say(page, FACT)
    second = page.context.new_page()
    second.goto(page.url)
    expect(person.answers(second)).to_have_count(1)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    second.get_by_role("button", name="New chat").click()
    expect(second.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(second.get_by_text("peanuts")).to_have_count(0)


def test_a_chat_is_renamed(shared_app: AppServer, page: Page):
    """An empty name is refused in the dialog; a new one stands in the list from then on, Markdown and all."""
    person.arrive(page, shared_app)
    person.say(page, "Good morning")
    dialog = choose(page, "Good morning", "Rename")
    name = dialog.get_by_label("Name", exact=True)
    expect(name).to_have_value("Good morning")
    name.fill("  ")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("Please give the chat a name.")).to_be_visible()
    name.fill("Plans *for* [June]")
    name.press("Enter")
    expect(page.get_by_test_id("stDialog")).to_have_count(0)
    expect(page.get_by_test_id("stSidebar").get_by_text("Plans *for* [June]", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_test_id("stSidebar").get_by_text("Plans *for* [June]", exact=True)).to_be_visible()


def test_a_deleted_chat_leaves_its_facts_unless_told_otherwise(shared_app: AppServer, page: Page):
    """Deleting removes a chat and keeps what was learned; “Also forget” takes that, too."""
    person.arrive(page, shared_app)
    for fact, forget in ((FACT, False), ("I live in Lisbon", True)):
        person.say(page, fact)
        address = page.url
        dialog = choose(page, fact, "Delete")
        if forget:
            dialog.get_by_text("Also forget what was learned only from this chat").click()
        dialog.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_test_id("stDialog")).to_have_count(0)
        expect(page.get_by_test_id("stChatMessage")).to_have_count(0)
        expect(listed(page, fact)).to_have_count(0)
        assert "chat=" not in page.url
        page.goto(address)
        expect(page.get_by_text("That was not found. It may have been deleted.")).to_be_visible()
    expect(remembered(page, shared_app, FACT)).to_have_count(1)
    expect(page.get_by_text("I live in Lisbon", exact=True)).to_have_count(0)


def test_why_this_answer_lists_the_memories_used(shared_app: AppServer, page: Page):
    """Under an answer stands which memories it was given, each with its kind; without any, nothing stands there."""
    person.arrive(page, shared_app)
    person.say(page, FACT)
    expect(page.get_by_text("Why this answer?")).to_have_count(0)
    person.new_chat(page)
    assert "peanuts" in person.ask(page, "What am I allergic to?")
    why = person.answers(page).last
    why.get_by_text(re.compile("^Why this answer")).click()
    expect(why.get_by_text(re.compile(f"{FACT}.*fact · .*match", re.DOTALL))).to_be_visible()


def test_enter_sends_and_shift_enter_breaks_the_line(shared_app: AppServer, page: Page):
    """Shift+Enter adds a line to the message; Enter sends it and empties the box."""
    person.arrive(page, shared_app)
    box = person.chat_input(page)
    box.fill("First line")
    box.press("Shift+Enter")
    box.press_sequentially("**second** <b>line</b>")
    box.press("Enter")
    sent = page.get_by_label("Chat message from user")
    expect(sent).to_have_count(1)
    expect(sent.get_by_text("First line\n**second** <b>line</b>")).to_be_visible()
    expect(box).to_have_value("")
