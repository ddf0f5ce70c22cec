from streamlit.testing.v1 import AppTest

from optimus.errors import InvalidCredentialsError
from optimus.models import Principal, Role
from optimus.storage.audit_records import AuditAction
from optimus.ui import admin_log
from tests.pages.conftest import SignIn, run_alone, run_app, texts
from tests.world import World


def open_log(sign_in: SignIn, principal: Principal) -> AppTest:
    """Open the log as somebody."""
    sign_in(principal)
    app = run_app().switch_page("../../pages/admin.py").run()
    app.query_params["section"] = "Log"
    return app.run()


def shown(app: AppTest) -> list[str]:
    """Return what the table's entries say was done."""
    return list(app.dataframe[0].value["What"]) if app.dataframe else []


def test_the_log_is_filtered_by_group_person_and_day(world: World, sign_in: SignIn):
    """Each choice narrows the list; what nothing matches is said."""
    bob = world.services.auth.people.create(world.principal, username="bob", role=Role.USER).user.id
    world.services.memory.add(world.owner, "I like tea")
    app = open_log(sign_in, world.principal)
    assert shown(app)[:2] == ["Memory added", "User added"]
    assert shown(app.selectbox(key="log_user").set_value(bob).run()) == ["User added"]
    assert shown(app.selectbox(key="log_group").set_value("memory").run()) == []
    assert "Nothing like this" in texts(app)
    assert shown(app.selectbox(key="log_user").set_value("").run()) == ["Memory added"]
    today = world.clock.now.date()
    assert shown(app.date_input(key="log_since").set_value(today).run()) == ["Memory added"]
    assert shown(app.date_input(key="log_until").set_value(today).run()) == ["Memory added"]
    app.date_input(key="log_since").set_value(None).run()
    assert shown(app.date_input(key="log_until").set_value(today.replace(year=2020)).run()) == []


def test_the_log_is_paged(world: World, sign_in: SignIn, monkeypatch):
    """Beyond one page the older entries are on the next ones, and the number of all is said."""
    monkeypatch.setattr(admin_log, "PAGE_SIZE", 3)
    for _ in range(5):
        world.services.audit.record(AuditAction.SETTING_CHANGE, actor=world.owner)
    app = open_log(sign_in, world.principal)
    assert shown(app) == ["System setting changed"] * 3
    assert "7 entries" in texts(app)


def test_a_check_says_plainly_what_it_found(world: World, sign_in: SignIn, monkeypatch):
    """A whole log is said to be whole; a broken one names the first record."""
    app = open_log(sign_in, world.principal)
    app.button(key="log_check").click().run()
    assert "The audit log is whole" in app.success[0].value
    monkeypatch.setattr(type(world.services.audit.log), "_first_flaw", lambda *_: (2, "it was changed"))
    app.button(key="log_check").click().run()
    assert "broken at record 2: it was changed" in app.error[0].value


def test_a_user_reaches_no_log_and_the_try_is_recorded(world: World, sign_in: SignIn):
    """A page switch to the admin page shows nothing of anybody and leaves an entry; the own activity is in Settings."""
    user = world.principal.model_copy(update={"role": Role.USER})
    world.services.audit.record(AuditAction.SETTING_CHANGE, actor=world.owner, data={"name": "zebrawood"})
    sign_in(user)
    app = run_alone("admin.py")
    assert shown(app) == []
    assert "zebrawood" not in texts(app)
    newest = world.services.audit.log.page(limit=1).items[0]
    assert (newest.action, newest.actor) == ("auth.denied", world.owner)


def test_settings_show_the_own_activity(world: World, sign_in: SignIn):
    """Signing in and memory acts of one's own, newest first; nothing that concerns only others."""
    world.services.memory.add(world.owner, "I like tea")
    bob = world.services.auth.people.create(world.principal, username="bob", role=Role.USER).user.id
    world.services.audit.record(AuditAction.SIGNED_IN, actor=bob, subject=bob)
    try:
        world.services.auth.sign_in(username="ada", password="x", network="n", captcha=None, user_agent="")
    except InvalidCredentialsError:
        sign_in(world.principal)
    app = run_app()
    app.query_params["section"] = "Sessions"
    app = app.switch_page("../../pages/settings.py").run()
    table = app.dataframe[0].value
    assert list(zip(table["What"], table["By"], strict=True)) == [
        ("Sign-in failed", "Not signed in"),
        ("User added", "You"),
        ("Memory added", "You"),
        ("Signed in", "You"),
        ("Admin account made", "Not signed in"),
    ]
