from datetime import timedelta

import pytest

from optimus.errors import InvalidCredentialsError, PermissionDeniedError
from optimus.models import Role
from optimus.overview import LOGGED
from optimus.services import wire
from optimus.settings import Settings
from optimus.storage.store import open_store
from tests.fakes.embedding import HashEmbedder
from tests.world import KEYS, PASSWORD, HandClock, World, stranger


def fail_to_sign_in(world: World, username: str = "ada") -> None:
    """Try a wrong password."""
    with pytest.raises(InvalidCredentialsError):
        world.services.auth.sign_in(username=username, password="x", network="n", captcha=None, user_agent="")


@pytest.mark.parametrize("name", ["collections", "counters", "kinds", "log"])
def test_only_an_admin_sees_the_whole(world, name):
    """Every reading is refused to a user."""
    with pytest.raises(PermissionDeniedError):
        getattr(world.services.overview, name)(stranger())


def test_the_counters_count_everybody_and_forget_with_time(world):
    """True memories without messages, conversations, answers and failures of a day and of a week."""
    world.say("I live in Lisbon")
    fail_to_sign_in(world)
    counters = world.services.overview.counters(world.principal)
    assert (counters.users, counters.locked, counters.sessions) == (1, 0, 1)
    assert (counters.conversations, counters.memories) == (1, 1)
    assert (counters.answers.day, counters.answers.week) == (1, 1)
    assert (counters.failed_sign_ins.day, counters.failed_sign_ins.week) == (1, 1)
    world.clock.now += timedelta(days=2)
    counters = world.services.overview.counters(world.principal)
    assert (counters.answers.day, counters.answers.week) == (0, 1)
    assert (counters.failed_sign_ins.day, counters.failed_sign_ins.week) == (0, 1)


def test_the_collections_are_all_there_with_their_sizes(world):
    """Seven collections; those that are searched by meaning are marked."""
    world.say("I live in Lisbon")
    states = {state.name: state for state in world.services.overview.collections(world.principal)}
    assert len(states) == 7
    assert states["memories"].points == 2
    assert {name for name, state in states.items() if state.has_vectors} == {"memories", "memories_entities"}


def test_the_log_is_newest_first_and_names_who_did_what_to_whom(world):
    """A typed name that nobody has is not told, and what was said is nowhere."""
    auth, overview = world.services.auth, world.services.overview
    world.say("I'm allergic to zebrawood")
    bob = auth.people.create(world.principal, username="bob", role=Role.USER).user.id
    fail_to_sign_in(world, "bob")
    fail_to_sign_in(world, "somebody-else")
    entries = overview.log(world.principal)
    assert [(entry.kind, entry.username, entry.by) for entry in entries[:3]] == [
        ("auth.sign_in_failed", None, None),
        ("auth.sign_in_failed", "bob", None),
        ("admin.user_created", "bob", "ada"),
    ]
    text = "".join(entry.model_dump_json() for entry in entries)
    assert "zebrawood" not in text
    assert "somebody-else" not in text
    assert {entry.kind for entry in overview.log(world.principal, kind="auth.sign_in_failed")} == {
        "auth.sign_in_failed"
    }
    assert [entry.kind for entry in overview.log(world.principal, about=bob)] == [
        "auth.sign_in_failed",
        "admin.user_created",
    ]
    assert "admin.user_created" in [entry.kind for entry in overview.log(world.principal, about=world.owner)]
    assert overview.log(world.principal, kind="answer") == []


def test_the_log_ends_after_two_hundred(world):
    """The newest are kept."""
    for _ in range(LOGGED + 5):
        world.services.auth.end_other_sessions(world.principal)
    entries = world.services.overview.log(world.principal)
    assert len(entries) == LOGGED
    assert entries[0].at > entries[-1].at


def test_the_embedded_engine_answers_the_same_questions(tmp_path):
    """Counts, sizes and the log about one account come from the real engine as well."""
    clock = HandClock()
    settings = Settings.model_validate({"data_dir": tmp_path, "setup_code": None})
    store = open_store(settings, KEYS, clock=clock)
    opened = wire(settings, KEYS, store, clock=clock, password_cost=4, embedder=HashEmbedder())
    opened.auth.create_admin(code=None, username="ada", password=PASSWORD)
    ticket = opened.auth.sign_in(username="ada", password=PASSWORD, network="", captcha=None, user_agent="")
    ada = opened.auth.principal(opened.auth.open_session(ticket).token)
    assert ada
    bob = opened.auth.people.create(ada, username="bob", role=Role.USER).user.id
    assert [entry.kind for entry in opened.overview.log(ada, about=bob)] == ["admin.user_created"]
    assert next(entry.by for entry in opened.overview.log(ada, about=ada.user_id)) == "ada"
    assert opened.overview.counters(ada).users == 2
    assert len(opened.overview.collections(ada)) == 7
    opened.close()
