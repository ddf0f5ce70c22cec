"""What is never sent to whom is chosen in the settings and on a memory, and an answer says what was left out."""

from optimus.models import MemoryType
from tests.pages.conftest import SignIn, run_app, texts
from tests.world import World

NAMES = ["Any language model", "Any model not on this machine", "OpenAI"]
"""How a list, which writes its choices as they are, offers who may be kept from a memory."""


def test_a_kind_is_kept_back_by_the_settings(world: World, sign_in: SignIn):
    """The choice is stored as it was saved, and shown again."""
    sign_in(world.principal)
    app = run_app()
    app.query_params["section"] = "Privacy"
    app.switch_page("../../pages/settings.py").run()
    assert not app.exception
    [field] = [each for each in app.multiselect if each.label == "Facts and plans"]
    assert field.options[:3] == NAMES
    field.set_value(["openai"])
    next(each for each in app.button if each.label == "Save").click()
    app.run()
    assert not app.exception
    assert world.services.withholding.rules(world.owner) == ((MemoryType.FACT, "openai"),)
    assert [each.value for each in app.multiselect if each.label == "Facts and plans"] == [["openai"]]


def test_one_memory_is_kept_back_on_the_memory_page(world: World, sign_in: SignIn):
    """The button on it stores whom it is never sent to, and the page says that it is not sent everywhere."""
    memory = world.services.memory.add(world.owner, "I'm allergic to peanuts")
    sign_in(world.principal)
    app = run_app()
    app.query_params["memory"] = memory.id
    app.switch_page("../../pages/memory.py").run()
    [field] = [each for each in app.multiselect if each.label == "Never send this memory to"]
    assert field.options[:3] == NAMES
    field.set_value(["remote"])
    form = f"never_send_form_{memory.id}_{memory.version}"
    next(each for each in app.button if each.label == "Save" and form in each.proto.form_id).click()
    app.run()
    assert not app.exception
    assert world.services.memory.get(world.owner, memory.id).never_send == ("remote",)
    assert "not sent everywhere" in texts(app)
