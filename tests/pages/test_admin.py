"""The admin page: for admins of this very run only, and what it decides counts for everybody at once."""

import re

import pytest

from optimus import process
from optimus.errors import PermissionDeniedError
from optimus.models import Role
from optimus.overview import CollectionState
from optimus.ui import guard
from tests.fakes.providers import Fault, FaultKind, running_provider
from tests.pages.conftest import SignIn, run_alone, run_app, texts
from tests.world import PASSWORD, running_world, stranger

ADMIN = "../../pages/admin.py"
OWN = "granite-otter-58-lantern plum"


@pytest.fixture
def really(world, monkeypatch):
    """Sign an account in with a real session, and use its token as this connection's cookie."""

    def enter(username, password=PASSWORD):
        auth = world.services.auth
        ticket = auth.sign_in(username=username, password=password, network="", captcha=None, user_agent="")
        token = auth.open_session(ticket).token
        monkeypatch.setattr(guard, "connection_token", lambda: token)
        principal = auth.principal(token)
        assert principal
        return principal.user_id

    return enter


def second_admin(world, username: str = "bob") -> None:
    """Make another admin with the usual password."""
    world.services.auth.create_admin(code=None, username=username, password=PASSWORD)


def open_section(world, sign_in: SignIn, section: str):
    """Open a section of the admin page as the world's admin."""
    sign_in(world.principal)
    app = run_app().switch_page(ADMIN).run()
    app.query_params["section"] = section
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize("section", ["Users", "System", "Health", "Numbers", "Log"])
def test_every_section_is_drawn_and_holds_no_content(world, sign_in: SignIn, section: str):
    """With one user as with several; what was said is in none of them."""
    world.say("I'm allergic to zebrawood")
    app = open_section(world, sign_in, section)
    assert not app.error
    second_admin(world)
    app.run()
    assert not app.error
    tables = "".join(str(table.value.to_dict()) for table in (*app.dataframe, *app.table))
    assert "zebrawood" not in texts(app) + tables


def collection(name: str, **told: object) -> CollectionState:
    """Return a collection that is not searched by meaning, but for what is told."""
    known = {"name": name, "points": 7, "segments": 1, "indexed_vectors": 0, "has_vectors": False}
    known |= {"disk_bytes": None, "original_bytes": 0, "quantized_bytes": None, "quantization": None}
    return CollectionState.model_validate(known | told)


def test_health_lists_the_collections_with_sizes_and_saving(world, sign_in: SignIn, monkeypatch):
    """A row for each collection as the store tells it, and the saving of all; what is not known is left empty."""
    searched = {"points": 2048, "segments": 3, "indexed_vectors": 1500, "has_vectors": True, "disk_bytes": 5 * 1024**2}
    quantized = {"original_bytes": 1024**2, "quantized_bytes": 65536, "quantization": "binary, 2 bits"}
    states = (collection("accounts"), collection("memories_entities", **searched, **quantized))
    monkeypatch.setattr(type(world.services.overview), "collections", lambda *_: states)
    app = open_section(world, sign_in, "Health")
    table = next(frame.value for frame in app.dataframe if "Collection" in frame.value)
    accounts, entities = table.astype(object).where(table.notna(), None).to_dict("records")
    shown = {"Collection": "accounts", "Records": 7, "Segments": 1}
    assert accounts == dict.fromkeys(entities) | shown
    assert entities == {
        "Collection": "memories entities",
        "Records": 2048,
        "Indexed": 1500,
        "Segments": 3,
        "On disk": "5.0 MB",
        "In RAM": "64 KB",
        "Unquantized": "1.0 MB",
        "Saved": 0.9375,
        "Quantization": "binary, 2 bits",
    }
    assert any("64 KB of RAM instead of 1.0 MB: 94% saved" in caption.value for caption in app.caption)


def test_health_says_that_originals_are_in_ram_too(world, sign_in: SignIn, monkeypatch):
    """No saving is claimed where the settings keep whole vectors in RAM beside the quantized ones."""
    held = {"original_bytes": 1024**2, "quantized_bytes": 65536, "has_vectors": True, "has_originals_in_ram": True}
    states = (collection("memories", **held),)
    monkeypatch.setattr(type(world.services.overview), "collections", lambda *_: states)
    app = open_section(world, sign_in, "Health")
    table = next(frame.value for frame in app.dataframe if "Collection" in frame.value)
    assert list(table["In RAM"]) == ["1.1 MB"]
    assert any("64 KB of RAM, and their originals 1.0 MB as well" in caption.value for caption in app.caption)
    assert not any("saved" in caption.value for caption in app.caption)


def test_a_normal_user_reaches_it_neither_by_menu_nor_switch_nor_directly(world, sign_in: SignIn):
    """The page is not registered for the role, and refuses to be run by itself."""
    sign_in(world.principal.model_copy(update={"role": Role.USER}))
    with pytest.raises(ValueError, match="page"):
        run_app().switch_page(ADMIN)
    app = run_alone("admin.py")
    assert [error.value for error in app.error] == ["Your account is not allowed to do that."]
    assert len(app.main) == 1


def test_an_admin_who_is_demoted_while_signed_in_has_no_admin_page_at_the_next_run(world, really):
    """Still signed in, on another page, and nothing of the users is left on it."""
    second_admin(world)
    bob = really("bob")
    app = run_app().switch_page(ADMIN).run()
    assert "Add a user" in [button.label for button in app.button]
    world.services.auth.people.change_role(world.principal, bob, Role.USER)
    app.run()
    assert "Add a user" not in [button.label for button in app.button]
    assert len(app.dataframe) == 0
    assert [title.value for title in app.title] == ["Hello, bob"]


def test_an_admin_who_is_locked_while_signed_in_is_signed_out_at_the_next_click(world, really):
    """The button that was on the page does nothing; the sign-in form stands there."""
    second_admin(world)
    bob = really("bob")
    app = run_app().switch_page(ADMIN).run()
    app.query_params["section"] = "System"
    app.run()
    world.services.auth.people.lock(world.principal, bob)
    app.toggle[0].set_value(True)
    next(button for button in app.button if button.label == "Save").click().run()
    assert [title.value for title in app.title] == ["Sign in to Optimus"]
    assert not world.services.system.is_registration_open()


def test_users_are_found_by_a_part_of_their_name(world, sign_in: SignIn):
    """Whatever the case; nobody found says so with a way out."""
    for name in ("Robert", "bobby", "carol"):
        second_admin(world, name)
    app = open_section(world, sign_in, "Users")
    assert len(app.dataframe[0].value) == 4
    app.text_input(key="users_search").set_value("BOB").run()
    assert list(app.dataframe[0].value["Name"]) == ["bobby"]
    app.text_input(key="users_search").set_value("nobody").run()
    assert len(app.dataframe) == 0
    assert "Nobody has such a name" in app.info[0].value


def test_settings_are_saved_and_count_at_once(world, sign_in: SignIn):
    """What the form says is what the services use from then on; an unchanged form changes nothing."""
    app = open_section(world, sign_in, "System")
    save(app)
    assert world.services.system.current().allowed_providers is None
    app.toggle[0].set_value(True)
    app.multiselect[0].set_value(["groq", "openai"])
    app.number_input[0].set_value(1)
    save(app)
    current = world.services.system.current()
    assert (current.is_registration_open, current.messages_per_minute) == (True, 1)
    assert current.allowed_providers == {"groq", "openai"}
    assert app.number_input[0].value == 1
    app.number_input[0].set_value(0)
    save(app)
    assert world.services.system.current().messages_per_minute is None


def save(app) -> None:
    """Send the form."""
    next(button for button in app.button if button.label == "Save").click().run()
    assert not app.exception
    assert not app.error


def test_a_limit_that_is_reached_is_said_in_the_chat_and_the_message_is_kept(world, sign_in: SignIn):
    """The sentence stands by the box, and what was typed is in it again."""
    world.services.system.change(world.principal, messages_per_day=1)
    world.say("one")
    sign_in(world.principal)
    app = run_app()
    app.chat_input[0].set_value("two").run()
    assert "used up" in app.warning[0].value
    assert "midnight UTC" in app.warning[0].value
    world.services.system.change(world.principal, messages_per_day=None, messages_per_minute=1)
    app.chat_input[0].set_value("three").run()
    assert "a minute is reached. Try again in" in "".join(each.value for each in (*app.warning, *app.error))


def test_a_stranger_makes_an_account_only_where_it_is_open(world, sign_in: SignIn, closed: list[str]):
    """Closed, there is no form; open, a right answer makes a user and signs in, a wrong one asks a new question."""
    sign_in(None)
    app = run_app()
    assert [button.label for button in app.button] == ["Sign in"]
    world.services.system.change(world.principal, is_registration_open=True)
    app.run()
    app.button[1].click().run()
    fill_registration(app, "zoe", answer="wrong")
    assert "check question" in app.error[0].value
    assert app.text_input(key="register_username").value == "zoe"
    fill_registration(app, "ada")
    assert "taken" in app.error[0].value
    fill_registration(app, "zoe")
    assert closed == ["open True"]
    made = world.services.store.accounts.user_by_name("zoe")
    assert made is not None
    assert made.role is Role.USER


def fill_registration(app, username: str, answer: str | None = None) -> None:
    """Fill the form and send it, with the right answer where no other is given."""
    question = next(field for field in app.text_input if field.label.startswith("Check question"))
    found = re.search(r"(\d+) (plus|minus|times) (\d+)", question.label)
    assert found
    left, sign, right = found.groups()
    results = {"plus": int(left) + int(right), "minus": int(left) - int(right), "times": int(left) * int(right)}
    question.set_value(answer or str(results[sign]))
    app.text_input(key="register_username").set_value(username)
    app.text_input(key="register_password").set_value(OWN)
    app.button(key="register_send").click().run()
    assert not app.exception


def test_what_the_environment_fixes_is_shown_and_cannot_be_changed(tmp_path, request):
    """The field is there, disabled, with the name of its variable."""
    with running_world(tmp_path / "fixed", registration="open") as fixed:
        process.install(fixed.services)
        app = open_section(fixed, request.getfixturevalue("sign_in"), "System")
        assert (app.toggle[0].value, app.toggle[0].disabled) == (True, True)
        assert "OPTIMUS_REGISTRATION" in texts(app)


def test_another_search_model_is_told_of_and_prepared_for(world, sign_in: SignIn):
    """Health says that searches go by words, and its button prepares the memories; then it says nothing of it."""
    world.services.store.work.set_setting("embedding", {"name": "older", "dimensions": 384})
    world.services.reembedding.use_model()
    world.services.memory.add(world.owner, "I keep bees")
    app = open_section(world, sign_in, "Health")
    assert "The search model changed from older to hash" in texts(app)
    world.services.reembedding.cancel(world.principal)
    app.run()
    assert "This was cancelled" in texts(app)
    app.button(key="search_begin").click().run()
    assert not app.error
    assert world.services.reembedding.wait(20)
    app.run()
    assert not app.exception
    assert "search_begin" not in {button.key for button in app.button}
    assert world.services.reembedding.state().is_whole


def test_keys_of_the_settings_are_tested_from_the_admin_page(tmp_path, request):
    """Each provider of the settings has a test, which says what works or what is wrong; only admins may."""
    with running_provider() as provider:
        settings = {"openai_api_key": "sk-" + "s" * 30, "openai_base_url": f"{provider.url}/v1"}
        with running_world(tmp_path / "shared", **settings) as world:
            process.install(world.services)
            app = open_section(world, request.getfixturevalue("sign_in"), "System")
            assert [each.label for each in app.button if each.label.startswith("Test ")] == ["Test OpenAI"]
            app.button(key="shared_test_openai").click().run()
            assert "answers" in app.success[0].value
            provider.faults_for_chats.append(Fault(kind=FaultKind.STATUS, status=402))
            app.button(key="shared_test_openai").click().run()
            assert "credit is used up" in app.error[0].value
            with pytest.raises(PermissionDeniedError):
                world.services.shared_keys.providers(stranger())
            with pytest.raises(PermissionDeniedError):
                world.services.shared_keys.test(stranger(), "openai")
