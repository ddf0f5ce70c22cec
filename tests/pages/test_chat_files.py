"""The message box takes the files that the chosen model takes, and says what it does not."""

from streamlit.testing.v1 import AppTest

from optimus.attachments import Upload
from optimus.llm_handler.requests import CHEAPEST
from optimus.ui import chat_options
from tests.fakes.providers import running_provider
from tests.pages.conftest import ROOT, SignIn, run_alone, run_app, texts
from tests.unit.test_attachments import connected, picture, send
from tests.world import World


def test_a_model_without_eyes_says_so_under_the_box(world: World, sign_in: SignIn):
    """It stands there before anything is sent; for one that sees, or the cheapest that can do it, it does not."""
    with running_provider() as fake:
        blind, seeing = (connected(world, fake, name) for name in ("llama3.2:3b", "qwen2.5-vl:7b"))
        sign_in(world.principal)
        app = run_app()
        [picker] = [each for each in app.selectbox if each.label == "Model"]
        for choice, is_said in ((blind, True), (seeing, False)):
            picker.set_value(f"{choice.connection_id}|{choice.ref}").run()
            assert not app.exception
            assert ("takes no pictures" in texts(app)) is is_said
        picker.set_value(f"|{CHEAPEST}").run()
        assert "takes no pictures" not in texts(app)
        conversation, _, _ = send(world, seeing, Upload("a.png", picture()), Upload("b.txt", b"words"))
        app.query_params["chat"] = conversation.id
        app.run()
        assert not app.exception
        assert "b\\.txt" in texts(app)


def test_the_settings_say_which_models_take_pictures(world: World, sign_in: SignIn):
    """Models whose names tell are not asked about; a chosen one takes pictures from then on, until it is taken out."""
    with running_provider() as fake:
        blind, seeing = (connected(world, fake, name) for name in ("llama3.2:3b", "qwen2.5-vl:7b"))
        sign_in(world.principal)
        app = AppTest.from_file(ROOT / "pages" / "settings.py", default_timeout=20)
        app.query_params["section"] = "Models"
        app.run()
        for wanted in ([str(blind.ref)], []):
            [field] = [each for each in app.multiselect if each.label == "Models that take pictures"]
            assert str(seeing.ref) not in " ".join(field.options)
            field.set_value(wanted).run()
            assert not app.exception
            assert world.services.router.sees(world.owner, blind) is bool(wanted)


def test_files_of_a_message_that_was_refused_go_along_with_the_next(world: World, sign_in: SignIn, monkeypatch):
    """They are named over the box, can be left out, and are sent once."""
    file, sent = Upload("b.txt", b"words"), [chat_options.Draft("Look at this", (Upload("b.txt", b"words"),))]
    with running_provider() as fake:
        choice = connected(world, fake, "llama3.2:3b")
        world.services.connections.prefer(world.owner, choice)
        world.services.system.change(world.principal, messages_per_day=1)
        conversation, _, _ = world.say("hello", choice=choice)
        sign_in(world.principal)
        monkeypatch.setattr(chat_options, "draw_message_box", lambda *_, **__: sent.pop() if sent else None)
        app = run_alone("chat.py")
        app.query_params["chat"] = conversation.id
        app.run()
        assert "Kept for your next message: b\\.txt" in texts(app)
        assert len(world.services.chat.messages(world.owner, conversation.id)) == 2
        app.button(key="drop_files").click().run()
        assert "Kept for your next message" not in texts(app)
        app.session_state["optimus"].failed_files = (file,)
        world.services.system.change(world.principal, messages_per_day=None)
        sent.append(chat_options.Draft("Now?"))
        app.query_params["chat"] = conversation.id
        app.run()
        running = world.services.chat.generation(world.owner, conversation.id)
        assert running is None or running.wait(20)
        said = world.services.chat.messages(world.owner, conversation.id)[2]
        assert [each.name for each in said.attachments] == ["b.txt"]
        app.run()
        assert "Kept for your next message" not in texts(app)
