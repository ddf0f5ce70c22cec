"""A browser that keeps no cookie: said in words, with what was typed still there."""

from playwright.sync_api import Page

from tests.e2e import person
from tests.e2e.expecting import expect
from tests.e2e.server import PASSWORD, SETUP_CODE, AppServer

OPEN = "**/session/open"


def test_setting_up_and_signing_in_without_a_cookie(app: AppServer, page: Page):
    """Set-up says that the account exists, sign-in that the cookie was not kept; the name stays; allowed, both end."""
    page.goto(f"{app.url}/?setup={SETUP_CODE}&problem=cookie")
    username, password = page.get_by_label("Username"), page.get_by_label("Password", exact=True)
    username.fill("ada")
    expect(page.get_by_text("cookie")).to_have_count(0)
    password.fill(PASSWORD)
    page.route(OPEN, lambda route: route.fulfill(status=204))
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Sign in to Optimus")).to_be_visible()
    expect(page.get_by_text("Your account is made, but your browser did not keep the sign-in cookie.")).to_be_visible()
    expect(username).to_have_value("ada")
    person.fill_sign_in(page, "ada", PASSWORD)
    expect(page.get_by_text("You gave the right password, but your browser did not keep")).to_be_visible()
    expect(username).to_have_value("ada")
    expect(password).to_have_value(PASSWORD)
    page.unroute(OPEN)
    page.route(OPEN, lambda route: route.abort())
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("The connection to Optimus was lost.")).to_be_visible()
    page.unroute(OPEN)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(person.chat_input(page)).to_be_visible()
    assert "optimus" in [cookie["name"] for cookie in page.context.cookies()]


def test_a_sign_out_that_the_browser_cannot_finish_is_said(shared_app: AppServer, page: Page):
    """The session has ended all the same: the sign-in form stands there, with the sentence."""
    person.arrive(page, shared_app)
    page.route("**/session/close", lambda route: route.abort())
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to Optimus")).to_be_visible()
    expect(page.get_by_text("The connection to Optimus was lost.")).to_be_visible()
