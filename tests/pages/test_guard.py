"""Every page proves for itself who is looking, and shows nothing to anybody else."""

import pytest

from optimus.auth import permissions
from optimus.auth.permissions import Action
from optimus.errors import StoreUnavailableError
from optimus.models import Principal, Role
from tests.pages.conftest import MAIN, PAGES, SignIn, run_alone, run_app, texts
from tests.world import World, stranger

SECRET = "I'm allergic to zebrawood"


def page_path(page: str) -> str:
    """Return a page as AppTest wants it: relative to the main script."""
    return f"../../pages/{page}"


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("page", PAGES)
def test_pages_are_drawn_for_each_role(world: World, sign_in: SignIn, page: str, role: Role):
    """Each page is drawn whole for a user and for an admin, below a menu with the way out."""
    world.say(SECRET)
    sign_in(world.principal.model_copy(update={"role": role}))
    app = run_app().switch_page(page_path(page)).run()
    assert not app.exception
    assert not app.error
    assert "zebrawood" in texts(app)
    assert "Sign out" in [button.label for button in app.sidebar.button]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_run_directly_shows_only_that_the_session_has_ended(world: World, sign_in: SignIn, page: str):
    """A page file that is run without anybody signed in draws one sentence and nothing else."""
    world.say(SECRET)
    app = run_alone(page)
    assert [error.value for error in app.error] == ["Your session has ended. Please sign in again."]
    assert len(app.main) == 1
    assert len(app.sidebar) == 0


@pytest.mark.parametrize(("page", "action"), [("chat.py", Action.USE_CHAT), ("memory.py", Action.USE_MEMORY)])
def test_a_role_without_the_permission_is_refused(
    world: World, sign_in: SignIn, monkeypatch, page: str, action: Action
):
    """Without the permission the page is not in the menu, cannot be switched to, and refuses to be run directly."""
    world.say(SECRET)
    rest = {role: {**table, action: False} for role, table in permissions.PERMISSIONS.items()}
    monkeypatch.setattr(permissions, "PERMISSIONS", rest)
    sign_in(world.principal)
    with pytest.raises(ValueError, match="page"):
        run_app().switch_page(page_path(page))
    app = run_alone(page)
    assert [error.value for error in app.error] == ["Your account is not allowed to do that."]
    assert len(app.main) == 1


@pytest.mark.parametrize("page", PAGES)
def test_another_account_sees_nothing_of_it(world: World, sign_in: SignIn, page: str):
    """What one account told Optimus is on no page of another one's."""
    world.say(SECRET)
    sign_in(stranger())
    app = run_app().switch_page(page_path(page)).run()
    assert not app.exception
    assert "zebrawood" not in texts(app)


def test_a_session_that_ends_between_two_runs_shows_the_form(world: World, sign_in: SignIn):
    """The principal is proven on every run: once the session has ended, the next click leads to the form."""
    world.say(SECRET)
    sign_in(world.principal)
    app = run_app().switch_page(page_path("memory.py"))
    app.query_params["memory"] = world.services.memory.list(world.owner).items[0].id
    app.run()
    delete = next(button for button in app.button if (button.key or "").startswith("delete_"))
    sign_in(None)
    delete.click().run()
    assert [title.value for title in app.title] == ["Sign in to Optimus"]
    assert "zebrawood" not in texts(app)
    assert world.services.memory.list(world.owner).total == 1


def test_the_next_account_in_a_tab_starts_with_an_empty_state(world: World, sign_in: SignIn):
    """What one account typed or chose in a tab is gone when another one is signed in there."""
    sign_in(world.principal)
    app = run_app().switch_page(page_path("memory.py")).run()
    app.text_input(key="memory_query").set_value("zebrawood").run()
    sign_in(stranger())
    app.run()
    assert app.text_input(key="memory_query").value == ""


def test_a_store_that_does_not_answer_shows_a_sentence(world: World, sign_in: SignIn, monkeypatch):
    """If the session cannot be checked, nothing of anybody is shown, and no traceback."""

    def unreachable(_self: object, _token: str | None, **_kind: object) -> Principal | None:
        raise StoreUnavailableError("down")

    sign_in(world.principal)
    monkeypatch.setattr(type(world.services.auth), "principal", unreachable)
    app = run_app()
    (said,) = app.warning
    assert said.value.startswith("**The memory store does not answer at the moment.**")
    assert not app.exception
    assert "zebrawood" not in texts(app)
    assert not app.sidebar.button


def test_what_was_typed_outlives_a_store_that_is_away(world: World, sign_in: SignIn, monkeypatch):
    """A message that was being sent, and a text in a field, stand there again once the store answers; sent once."""
    sign_in(world.principal)
    auth = type(world.services.auth)
    there = auth.principal

    def unreachable(_self: object, _token: str | None, **_kind: object) -> Principal | None:
        raise StoreUnavailableError("down")

    app = run_app()
    monkeypatch.setattr(auth, "principal", unreachable)
    app.chat_input[0].set_value(SECRET).run()
    assert app.warning
    assert not app.chat_input
    app.run()
    monkeypatch.setattr(auth, "principal", there)
    app.run()
    assert not app.warning
    assert app.chat_input[0].proto.value == SECRET
    assert world.services.chat.conversations(world.owner) == []


def test_sending_again_after_a_failure_sends_once(world: World, sign_in: SignIn, monkeypatch):
    """Where the answer to a write was lost, trying again under the same attempt adds nothing."""
    sign_in(world.principal)
    chat = world.services.chat
    touch = type(world.services.store.conversations).touch

    def lost(*_: object) -> None:
        raise StoreUnavailableError("lost")

    app = run_app()
    monkeypatch.setattr(type(world.services.store.conversations), "touch", lost)
    app.chat_input[0].set_value(SECRET).run()
    assert app.chat_input[0].proto.value == SECRET
    monkeypatch.setattr(type(world.services.store.conversations), "touch", touch)
    app.chat_input[0].set_value(SECRET).run()
    (conversation,) = chat.conversations(world.owner)
    running = chat.generation(world.owner, conversation.id)
    assert running is None or running.wait(20)
    assert [message.role for message in chat.messages(world.owner, conversation.id)] == ["user", "assistant"]
    assert world.services.memory.list(world.owner).total == 1


def test_no_page_stands_beside_the_main_script():
    """A `pages` folder beside the main script would be run before the guard, so there is none."""
    assert not (MAIN.parent / "pages").exists()
