"""The Memory page: what is selected is what is acted on, and an address can name a view or a memory."""

from collections.abc import Callable, Sequence

import pytest
from streamlit.testing.v1 import AppTest

from optimus.errors import ConflictError
from optimus.memory_manager.views import MemoryView, Standing
from optimus.models import Memory, MemoryId, new_id
from optimus.storage.checkups import Problem, Repair, RepairKind
from optimus.ui import bridge, memory_table
from tests.pages.conftest import SignIn, run_app, texts
from tests.pages.test_actions import click, open_memory
from tests.world import World, stranger

TEXTS = ("I like tea", "I prefer window seats", "The boiler was serviced in March")


@pytest.fixture
def memories(world: World) -> list[Memory]:
    """Three memories of the world's user."""
    return [world.services.memory.add(world.owner, text) for text in TEXTS]


@pytest.fixture
def select(monkeypatch) -> Callable[..., None]:
    """Select rows by their text, as AppTest cannot."""
    wanted: list[str] = []
    draw = memory_table.draw_table

    def drawn(shown: Sequence[Memory]) -> list[MemoryId]:
        draw(shown)
        return [memory.id for memory in shown if memory.text in wanted]

    monkeypatch.setattr(memory_table, "draw_table", drawn)
    return lambda *chosen: wanted.__setitem__(slice(None), chosen)


def shown(app: AppTest) -> list[str]:
    """Return the texts in the table."""
    return [str(text) for table in app.dataframe for text in table.value["Memory"]]


def asked(world: World, sign_in: SignIn, **query: str) -> AppTest:
    """Open the page by an address with these words in it."""
    sign_in(world.principal)
    app = run_app().switch_page("../../pages/memory.py")
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def test_the_newest_stand_first_with_their_facts(world: World, sign_in: SignIn, memories: list[Memory]):
    """The table has text, kind, dates, source and status of each, the newest first."""
    app = open_memory(world, sign_in)
    assert shown(app) == list(reversed(TEXTS))
    first = app.dataframe[0].value.iloc[0]
    assert (first["Kind"], first["Source"], first["Status"]) == ("note", "you wrote it", "current")
    assert first["Last used"] is None
    assert "3 memories" in texts(app)


def test_what_is_selected_is_deleted_and_undo_outlives_the_tab(
    world: World, sign_in: SignIn, memories: list[Memory], select
):
    """Two are deleted in one act; a new tab offers to undo it, and both are back."""
    app = open_memory(world, sign_in)
    select(TEXTS[0], TEXTS[2])
    click(app.run(), "delete_chosen")
    select()
    another = open_memory(world, sign_in)
    assert shown(another) == [TEXTS[1]]
    assert "2 memories deleted." in texts(another)
    click(another, "undo_forget")
    assert shown(another) == list(reversed(TEXTS))
    assert not [button for button in another.button if button.key == "undo_forget"]


def test_many_are_not_deleted_without_a_question(world: World, sign_in: SignIn, select, monkeypatch):
    """From 21 on, the button asks first; nothing is deleted before the answer."""
    for number in range(21):
        world.services.memory.add(world.owner, f"The box number {number} is blue")
    app = open_memory(world, sign_in)
    select(*(f"The box number {number} is blue" for number in range(21)))
    click(app.run(), "delete_chosen")
    assert world.services.memory.list(world.owner).total == 21
    assert "21 memories will no longer be used." in texts(app)


def test_everything_that_matches_can_be_selected(world: World, sign_in: SignIn, select, monkeypatch):
    """When a whole page is selected, the rest of the view can be, too, and is acted on."""
    for number in range(52):
        world.services.memory.add(world.owner, f"The box number {number} is blue")
    downloads: list[list[bytes]] = []
    take = world.services.downloads.take
    monkeypatch.setattr(
        bridge, "download", lambda path: downloads.append(list(take(world.principal, path[10:]).chunks()))
    )
    app = open_memory(world, sign_in)
    assert len(shown(app)) == 50
    select(*(f"The box number {number} is blue" for number in range(52)))
    click(click(app.run(), "select_all"), "export_JSON")
    assert sum(chunk.count(b'"text"') for chunk in downloads[0]) == 52


def test_export_hands_the_selected_ones_to_their_owner(
    world: World, sign_in: SignIn, memories: list[Memory], select, monkeypatch
):
    """The file that is offered to this session holds what was selected and nothing else."""
    paths: list[str] = []
    monkeypatch.setattr(bridge, "download", paths.append)
    app = open_memory(world, sign_in)
    select(TEXTS[0], TEXTS[1])
    click(app.run(), "export_CSV")
    (path,) = paths
    taken = world.services.downloads.take(world.principal, path.removeprefix("/download/"))
    content = b"".join(taken.chunks()).decode()
    assert [text in content for text in TEXTS] == [True, True, False]
    assert taken.filename.endswith(".csv")


def test_an_address_names_a_kind_and_filters(world: World, sign_in: SignIn, memories: list[Memory]):
    """A bookmarked view shows what it names; the kind stays in the address."""
    world.services.memory.forget(world.owner, memories[0].id)
    app = asked(world, sign_in, kind="preference")
    assert shown(app) == [TEXTS[1]]
    assert shown(asked(world, sign_in, status="Deleted")) == [TEXTS[0]]
    assert shown(asked(world, sign_in, source="Chat")) == []
    assert shown(asked(world, sign_in, said="2026-02-28")) == list(reversed(TEXTS[1:]))
    assert shown(asked(world, sign_in, said="2026-03-02")) == []


@pytest.mark.parametrize("name", ["kind", "status", "source", "said"])
@pytest.mark.parametrize("value", ["nonsense", "", "<b>", "9999-99-99", "../x"])
def test_an_address_that_makes_no_sense_is_ignored(
    world: World, sign_in: SignIn, memories: list[Memory], name: str, value: str
):
    """Whatever stands in the address, the page is drawn with everything current on it."""
    app = asked(world, sign_in, **{name: value})
    assert not app.exception
    assert not app.error
    assert shown(app) == list(reversed(TEXTS))


def test_an_address_names_a_memory(world: World, sign_in: SignIn, memories: list[Memory]):
    """The owner sees it whole; a foreign id, a missing one and nonsense are not found, with a way back."""
    app = asked(world, sign_in, memory=memories[1].id)
    assert [text.value for text in app.text] == [TEXTS[1]]
    assert "Not used in an answer yet." in texts(app)
    for name in (new_id(), "../../etc/passwd"):
        lost = asked(world, sign_in, memory=name)
        assert "not found" in lost.error[0].value
    assert shown(click(lost, "memory_all")) == list(reversed(TEXTS))
    sign_in(stranger())
    foreign = run_app().switch_page("../../pages/memory.py")
    foreign.query_params["memory"] = memories[1].id
    assert TEXTS[1] not in texts(foreign.run())
    assert "not found" in foreign.error[0].value


def test_an_earlier_wording_comes_back(world: World, sign_in: SignIn, memories: list[Memory]):
    """The details list what changed and why, and one click brings the earlier wording back."""
    world.services.memory.edit(world.owner, memories[2].id, "The boiler was mended in March", expected_version=1)
    app = asked(world, sign_in, memory=memories[2].id)
    assert "You changed it" in texts(app)
    assert ":red[~~serviced~~] :green[**mended**]" in texts(app)
    app = click(app, "revert_")
    assert [text.value for text in app.text] == [TEXTS[2]]
    assert "Earlier wording brought back" in texts(app)


def test_the_bin_brings_back(world: World, sign_in: SignIn, memories: list[Memory], select):
    """What was deleted is listed under Deleted and can be restored from there, without being edited."""
    owner, library = world.owner, world.services.library
    library.forget(owner, [memory.id for memory in memories])
    app = asked(world, sign_in, status="Deleted")
    select(*TEXTS[:2])
    click(app.run(), "restore_chosen")
    assert library.views.page(owner, MemoryView(standing=Standing.DELETED), limit=9).total == 1
    app = asked(world, sign_in, memory=memories[2].id)
    assert not [button for button in app.button if button.label in ("Edit", "Delete")]
    click(app, "restore_")
    assert library.views.page(owner, MemoryView(), limit=9).total == 3


def save(app: AppTest, text: str) -> AppTest:
    """Write into the open editor and save."""
    app.text_area[0].set_value(text)
    return next(button for button in app.button if button.label == "Save").click().run()


def test_the_second_of_two_edits_is_refused_and_kept(world: World, sign_in: SignIn, memories: list[Memory]):
    """Edited in two tabs, the first save counts; the second gets a sentence, keeps its text and overwrites nothing."""
    first, second = (click(asked(world, sign_in, memory=memories[0].id), "edit_") for _ in range(2))
    assert not save(first, "I like coffee").error
    for _ in range(2):
        save(second, "I like cocoa")
        assert [error.value for error in second.error] == [ConflictError.user_message]
        assert second.text_area[0].value == "I like cocoa"
        assert world.services.memory.get(world.owner, memories[0].id).text == "I like coffee"


def test_deleting_the_last_row_of_the_last_page_shows_the_page_before(world: World, sign_in: SignIn, select):
    """A page that no longer exists gives way to the last one that does, not to an empty one."""
    for number in range(51):
        world.services.memory.add(world.owner, f"The box number {number} is blue")
    app = open_memory(world, sign_in)
    app.session_state["memory_pages_2"] = 2
    app.run()
    assert shown(app) == ["The box number 0 is blue"]
    select("The box number 0 is blue")
    click(app.run(), "delete_")
    assert len(shown(app)) == 50
    assert not app.info


def test_a_search_without_results_has_a_way_on(world: World, sign_in: SignIn, memories: list[Memory]):
    """What was typed is repeated as typed, and one click shows everything again."""
    app = asked(world, sign_in, kind="note")
    app.text_input(key="memory_query").set_value("zzqx **bold**").run()
    assert "Nothing found for" in app.info[0].value
    assert r"\*\*bold\*\*" in app.info[0].value
    app = click(app, "memory_clear")
    assert shown(app) == list(reversed(TEXTS))


def opened(world: World, sign_in: SignIn, key: str, **state: str) -> AppTest:
    """Open the page with an expander that is open."""
    sign_in(world.principal)
    app = run_app().switch_page("../../pages/memory.py")
    for name, value in {key: True, **state}.items():
        app.session_state[name] = value
    return app.run()


def test_what_hangs_together_stands_beside_a_memory(world: World, sign_in: SignIn, select):
    """A memory shows what names the same people; the section shows what is known of somebody, former things as such."""
    add = world.services.memory.add
    chosen, _ = add(world.owner, "My sister Maria lives in Porto"), add(world.owner, "Maria is learning Danish")
    select(chosen.text)
    app = opened(world, sign_in, f"related_{chosen.id}")
    assert "Through Maria" in texts(app)
    app = opened(world, sign_in, "people")
    app.selectbox(key="people_chosen").select("Maria").run()
    assert "also my sister" in texts(app)
    assert "Maria lives in Porto" in texts(app)


def test_the_beginning_of_a_name_finds_it(world: World, sign_in: SignIn):
    """What is typed without choosing means the first name that begins so; else it is said that nothing does."""
    world.services.memory.add(world.owner, "My sister Maria lives in Porto")
    for typed, told in (("mar", "also my sister"), ("Zoe", "No memory names “Zoe”.")):
        assert told in texts(opened(world, sign_in, "people", people_chosen=typed))


def test_health_proposes_mends_and_takes_back(world: World, sign_in: SignIn):
    """Before a look there is a button; then what was found is mended by a click, and taken back by another."""
    said = [world.services.memory.add(world.owner, text) for text in ("I like tea", "I prefer trains to planes")]
    unsure = said[0].model_copy(update={"confidence": 0.1})
    world.services.memory.adopt(world.owner, [unsure], {})
    app = opened(world, sign_in, "health")
    assert [button.label for button in app.button if button.key == "health_look"] == ["Look now"]
    click(app, "health_look")
    job = world.services.upkeep.job(world.owner)
    assert job
    assert job.wait(20)
    app = opened(world, sign_in, "health")
    assert "Only guessed" in texts(app)
    (key,) = [button.key for button in app.button if str(button.key).startswith("make_")]
    click(app, str(key))
    assert shown(opened(world, sign_in, "health")) == [said[1].text]
    app = opened(world, sign_in, "health")
    (key,) = [button.key for button in app.button if str(button.key).startswith("back_")]
    click(app, str(key))
    assert len(shown(opened(world, sign_in, "health"))) == 2


def test_health_shows_what_a_model_had_tidied(world: World, sign_in: SignIn):
    """Before any look, what was merged after a chat is listed as done by itself, with its way back."""
    memories, health = world.services.memory, world.services.health
    keep, gone = (memories.add(world.owner, text) for text in ("I gave up meat", "My plate knows no steak"))
    repair = Repair(
        id="r1",
        problem=Problem.DUPLICATE,
        kind=RepairKind.MERGE,
        keep=keep.id,
        targets=(gone.id,),
        by="compatible:m",
    )
    assert health.tidy(world.owner, [repair]) == 1
    app = opened(world, sign_in, "health")
    assert [button.label for button in app.button if button.key == "health_look"] == ["Look now"]
    assert any("by itself, after a chat" in each.value and "steak" in each.value for each in app.markdown)
    assert not [each for each in app.success if "mend" in each.value]
    click(app, "back_r1")
    assert len(memories.list(world.owner).items) == 2


def test_an_address_names_a_day_and_an_importance(world: World, sign_in: SignIn, memories: list[Memory]):
    """Filters from the address hold: nothing was known the day before, and nothing is of the highest importance."""
    assert shown(asked(world, sign_in, on="2026-02-27")) == []
    assert len(shown(asked(world, sign_in, on="2026-03-01"))) == 3
    assert shown(asked(world, sign_in, importance="Highest")) == []
