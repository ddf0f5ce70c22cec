"""The message box takes the files that the chosen model takes, and says what it does not."""

from streamlit.testing.v1 import AppTest

from optimus.attachments import Upload
from optimus.llm_handler.requests import CHEAPEST
from tests.fakes.providers import running_provider
from tests.pages.conftest import ROOT, SignIn, run_app, texts
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
