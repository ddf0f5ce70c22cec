from datetime import timedelta

import pytest

from optimus.errors import InvalidCredentialsError, PermissionDeniedError
from optimus.models import Role
from optimus.services import wire
from optimus.settings import Settings
from optimus.storage.store import open_store
from tests.fakes.embedding import HashEmbedder
from tests.world import KEYS, PASSWORD, HandClock, World, stranger


def fail_to_sign_in(world: World, username: str = "ada") -> None:
    """Try a wrong password."""
    with pytest.raises(InvalidCredentialsError):
        world.services.auth.sign_in(username=username, password="x", network="n", captcha=None, user_agent="")


@pytest.mark.parametrize("name", ["collections", "counters"])
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


def test_the_embedded_engine_answers_the_same_questions(tmp_path):
    """Counts and sizes come from the real engine as well."""
    clock = HandClock()
    settings = Settings.model_validate({"data_dir": tmp_path, "setup_code": None})
    store = open_store(settings, KEYS, clock=clock)
    opened = wire(settings, KEYS, store, clock=clock, password_cost=4, embedder=HashEmbedder())
    opened.auth.create_admin(code=None, username="ada", password=PASSWORD)
    ticket = opened.auth.sign_in(username="ada", password=PASSWORD, network="", captcha=None, user_agent="")
    ada = opened.auth.principal(opened.auth.open_session(ticket).token)
    assert ada
    opened.auth.people.create(ada, username="bob", role=Role.USER)
    with pytest.raises(InvalidCredentialsError):
        opened.auth.sign_in(username="bob", password="x", network="", captcha=None, user_agent="")
    counters = opened.overview.counters(ada)
    assert (counters.users, counters.failed_sign_ins.day) == (2, 1)
    assert len(opened.overview.collections(ada)) == 7
    opened.close()
