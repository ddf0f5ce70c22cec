"""What a stranger, an old cookie and a revoked user get to see: nothing."""

from playwright.sync_api import Page

from tests.e2e import person
from tests.e2e.expecting import expect
from tests.e2e.server import AppServer
from tests.e2e.stream import StreamClient, pressed

SECRET = "I'm allergic to zebrawood"


def cookie_of(page: Page) -> str:
    """Return the session cookie as a header."""
    cookies = [cookie for cookie in page.context.cookies() if cookie["name"] == "optimus"]
    assert len(cookies) == 1
    assert cookies[0]["httpOnly"]
    assert cookies[0]["sameSite"] == "Strict"
    return f"optimus={cookies[0]['value']}"


def test_deep_links_on_a_fresh_server_show_the_sign_in_page(app: AppServer, page: Page):
    """The first request after a start may be a deep link; it shows the form, and leads back after signing in."""
    person.set_up(page, app.url)
    person.say(page, SECRET)
    app.stop()
    restarted = AppServer(app.data_dir, port=app.port).start()
    try:
        for path in ("memory", "analytics", "settings", "admin", ""):
            with StreamClient(app.url) as stranger:
                shown = stranger.run(page=path)
            assert b"Sign in to Optimus" in shown
            assert b"zebrawood" not in shown
        page.context.clear_cookies()
        person.sign_in(page, app.url, path="/memory?x=1")
        expect(page.get_by_role("heading", name="Memory")).to_be_visible()
        assert page.url == f"{app.url}/memory?x=1"
    finally:
        restarted.stop()


def test_another_sessions_id_without_its_cookie_shows_nothing(shared_app: AppServer, page: Page):
    """Taking up a live or a disconnected session by its id gives a stranger an empty session of their own."""
    person.arrive(page, shared_app)
    person.say(page, SECRET)
    cookie = cookie_of(page)
    with StreamClient(shared_app.url, cookie=cookie) as owner:
        assert b"zebrawood" in owner.run(page="memory")
        victim = owner.session_id
        for thief_cookie in ("", "optimus=forged", "other=1"):
            with StreamClient(shared_app.url, cookie=thief_cookie, session_id=victim) as thief:
                shown = thief.run(page="memory")
                assert b"zebrawood" not in thief.received
                assert b"Sign in to Optimus" in shown
                assert thief.session_id != victim
    with StreamClient(shared_app.url, session_id=victim) as late_thief:
        late_thief.run(page="memory")
        assert b"zebrawood" not in late_thief.received
    with StreamClient(shared_app.url, cookie=cookie, session_id=victim) as owner:
        assert b"zebrawood" in owner.run(page="memory")
        assert owner.session_id == victim


def test_a_revoked_users_button_press_does_nothing(shared_app: AppServer, page: Page):
    """After signing out elsewhere, a button of a page that is still open changes nothing and shows the form."""
    username = person.arrive(page, shared_app)
    person.say(page, SECRET)
    cookie = cookie_of(page)
    with StreamClient(shared_app.url, cookie=cookie) as old_tab:
        page.goto(f"{shared_app.url}/memory")
        person.pick(page, SECRET)
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("1 memory deleted.")).to_be_visible()
        old_tab.run("memory")
        undo = pressed(old_tab.widget("undo_forget"))
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        shown = old_tab.run("memory", undo)
        assert b"Sign in to Optimus" in shown
        assert b"zebrawood" not in shown
    with StreamClient(shared_app.url, cookie=cookie) as replay:
        assert b"zebrawood" not in replay.run(page="memory")
    person.sign_in(page, shared_app.url, username=username, path="/memory")
    expect(page.get_by_text("1 memory deleted.")).to_be_visible()
    expect(person.memory(page, SECRET)).to_have_count(0)


def test_no_token_in_reach_of_scripts_and_no_foreign_request(shared_app: AppServer, page: Page):
    """No script, storage or address holds the token, nothing is fetched from elsewhere, no policy is broken."""
    foreign: list[str] = []
    violations: list[str] = []
    page.on("request", lambda request: None if _is_own(request.url, shared_app.url) else foreign.append(request.url))
    page.on("console", lambda m: violations.append(m.text) if "Content Security Policy" in m.text else None)
    shared_app.add_user("toni")
    person.sign_in(page, shared_app.url, username="toni")
    person.say(page, "I prefer window seats")
    page.goto(f"{shared_app.url}/memory")
    expect(person.memory(page, "I prefer window seats")).to_have_count(1)
    token = cookie_of(page).removeprefix("optimus=")
    reachable = page.evaluate(
        "() => document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + location.href"
    )
    assert token not in reachable
    assert foreign == []
    assert violations == []


def _is_own(url: str, base: str) -> bool:
    return url.startswith((base, base.replace("http", "ws", 1), "data:", "blob:"))
