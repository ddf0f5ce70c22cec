"""What the pages do with what they are given: one service call for an action, its sentence if it fails."""

from streamlit.testing.v1 import AppTest

from optimus.chat import ChatService
from optimus.errors import ConflictError, StoreUnavailableError
from optimus.memory_manager.manager import MemoryManager
from optimus.models import MessageState, new_id
from tests.pages.conftest import SignIn, run_app
from tests.world import PASSWORD, World

TEXT = "I like tea"


def open_memory(world: World, sign_in: SignIn) -> AppTest:
    """Open the memory page as the world's user."""
    sign_in(world.principal)
    return run_app().switch_page("../../pages/memory.py").run()


def click(app: AppTest, key: str) -> AppTest:
    """Click the first button whose key begins so."""
    return next(button for button in app.button if (button.key or "").startswith(key)).click().run()


def fail(error: Exception) -> object:
    """Return a method that raises."""

    def raising(*_args: object, **_kwargs: object) -> None:
        raise error

    return raising


def test_a_memory_that_cannot_be_stored_keeps_what_was_typed(world: World, sign_in: SignIn, monkeypatch):
    """The error's own sentence stands on the page, and the text stays in the form."""
    app = open_memory(world, sign_in)
    monkeypatch.setattr(MemoryManager, "add", fail(StoreUnavailableError("down")))
    app.text_area[0].set_value(TEXT)
    next(button for button in app.button if button.label == "Add").click().run()
    assert [error.value for error in app.error] == [StoreUnavailableError.user_message]
    assert app.text_area[0].value == TEXT


def test_an_edit_that_somebody_else_made_first_is_said(world: World, sign_in: SignIn, monkeypatch):
    """A memory that changed in between is not overwritten; the editor stays open with the sentence."""
    added = world.services.memory.add(world.owner, TEXT)
    app = open_memory(world, sign_in)
    app.query_params["memory"] = added.id
    app = click(app.run(), "edit_")
    monkeypatch.setattr(MemoryManager, "edit", fail(ConflictError("version")))
    app.text_area[0].set_value("I like coffee")
    next(button for button in app.button if button.label == "Save").click().run()
    assert [error.value for error in app.error] == [ConflictError.user_message]
    assert app.text_area[0].value == "I like coffee"


def test_an_undo_or_retry_that_fails_says_so(world: World, sign_in: SignIn, monkeypatch):
    """An error of an action that returns nothing is shown, not drawn over by the next run."""
    conversation, _, reply = world.say("I'm allergic to peanuts")
    stopped = reply.model_copy(update={"state": MessageState.STOPPED})
    world.services.store.conversations.update_message(stopped)
    sign_in(world.principal)
    app = run_app()
    app.query_params["chat"] = conversation.id
    app.run()
    for key, method in (("undo_", "undo"), ("retry_", "retry")):
        monkeypatch.setattr(ChatService, method, fail(StoreUnavailableError("down")))
        click(app, key)
        assert [error.value for error in app.error] == [StoreUnavailableError.user_message], key


def test_an_address_that_names_no_chat_is_said(world: World, sign_in: SignIn):
    """Whatever stands in the address instead of a chat leads to a sentence and a new chat, and is cleared away."""
    sign_in(world.principal)
    for name, sentence in (("../../etc/passwd", "That chat was not found."), (new_id(), "That was not found.")):
        app = run_app()
        app.query_params["chat"] = name
        app.run()
        assert [error.value.startswith(sentence) for error in app.error] == [True]
        assert "chat" not in app.query_params
        assert [title.value for title in app.title] == ["Hello, ada"]


def test_signing_in_with_the_right_and_the_wrong_password(world: World, sign_in: SignIn, closed: list[str]):
    """A wrong password is answered with one sentence; the right one hands a ticket to the browser, never a token."""
    app = run_app()
    app.text_input(key="sign_in_username").set_value("ada")
    app.text_input(key="sign_in_password").set_value("not the password at all")
    app.button[0].click().run()
    assert [error.value for error in app.error] == ["The username or the password is not right."]
    assert closed == []
    app.text_input(key="sign_in_password").set_value(PASSWORD)
    app.button[0].click().run()
    assert closed == ["open True"]


def test_signing_out_ends_the_stored_session(world: World, sign_in: SignIn, closed: list[str]):
    """The button ends the session in the store, then lets the browser forget the cookie."""
    sign_in(world.principal)
    app = run_app()
    assert len(world.services.auth.sessions(world.owner)) == 1
    app.button(key="sign_out").click().run()
    assert world.services.auth.sessions(world.owner) == []
    assert closed == ["close"]
