"""The message box takes the files that the chosen model takes, and says what it does not."""

from optimus.attachments import Upload
from optimus.llm_handler.requests import CHEAPEST
from tests.fakes.providers import running_provider
from tests.pages.conftest import SignIn, run_app, texts
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
