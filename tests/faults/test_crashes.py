"""Work of several steps, cut off after any of them: once it is taken up again, all is as if nothing had happened."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from optimus.errors import SealError
from optimus.models import MemoryStatus, Principal, Role
from optimus.privacy.erased import ErasureList
from optimus.services import Services, wire
from optimus.storage.audit_records import AuditAction
from optimus.storage.failpoints import Crash, armed, crash_at
from optimus.storage.records import MemoryFilter
from tests.fakes.embedding import HashEmbedder
from tests.fakes.providers import FakeProvider
from tests.unit.llm.test_extraction import entry
from tests.unit.privacy.support import NETWORK, content, export, live, newcomer
from tests.unit.test_extraction import SAID, choice, finds, provider  # noqa: F401 - fixtures
from tests.world import KEYS, PASSWORD, World, running_world

ERASE = (
    "erase.intended",
    "erase.note",
    "erase.list",
    "erase.remove_account",
    "import.dropped",
    "erase.stop",
    "erase.destroy_key",
    "erase.blanked",
    "erase.erase_records",
    "erase.forget",
    "erase.finish",
)
IMPORT = ("import.conversation", "import.messages", "import.memories", "import.usage", "import.settings")
AROUND = ("import.dropped", "import.kept")
"""Before and after an import: its file is kept meanwhile."""
EXTRACT = ("extract.claimed", "extract.linked", "extract.stored", "extract.derived", "extract.looked")
FOUND = "We got a beagle called Rufus"
EVERY = MemoryFilter(statuses=frozenset(MemoryStatus))


@contextmanager
def restarted(world: World) -> Iterator[Services]:
    """Begin again on the same store, as a new process does, with nothing that the old one had in memory."""
    old = world.services
    old.extraction.stop()
    old.models.close()
    fresh = wire(old.settings, KEYS, old.store, clock=world.clock, password_cost=4, embedder=HashEmbedder())
    fresh.privacy.replay()
    fresh.chat.mark_interrupted()
    fresh.extraction.recover()
    yield fresh
    fresh.models.close()


def points_of(act: Callable[[], object]) -> list[str]:
    """Do something and return the fail points that it reached, each once."""
    reached: dict[str, None] = {}
    with armed(reached.setdefault):
        act()
    return list(reached)


def crash(point: str, act: Callable[[], object]) -> None:
    """Let an act be cut off at a point."""
    with armed(crash_at(point)), pytest.raises(Crash):
        act()


def everything(services: Services, person: Principal) -> dict[str, Any]:
    """Return what somebody has: words, kinds, states and how often each, without times and ids."""
    memories = services.store.memories.page(person.user_id, EVERY, limit=256).items
    chats = services.chat.conversations(person.user_id, limit=256)
    messages = [message for chat in chats for message in services.chat.messages(person.user_id, chat.id)]
    return {
        "memories": sorted((m.text, m.type, m.status, len(m.history), len(m.derived)) for m in memories),
        "chats": sorted(chat.title for chat in chats),
        "messages": sorted((m.role, m.text, m.state, tuple(c.text for c in m.saved)) for m in messages),
        "usage": len([e for e in services.store.events.of(person.user_id) if e.kind == "answer"]),
    }


def settler(world: World) -> tuple[Principal, Callable[[], object]]:
    """Return somebody with a life, and the erasure of it."""
    newcomer(world.services, "bystander", role=Role.ADMIN)
    person = newcomer(world.services, "grace")
    world.services.memory.add(person.user_id, "I live in Lisbon")
    return person, lambda: world.services.privacy.erase_account(person, PASSWORD, typed_name="grace", network=NETWORK)


def test_every_step_of_an_erasure_has_a_point(world: World):
    """What is not named here would not be tried below."""
    assert sorted(points_of(settler(world)[1])) == sorted(ERASE)


@pytest.mark.parametrize("point", ERASE)
def test_an_erasure_that_is_cut_off_is_finished(world: World, point: str):
    """Nothing is left of the account, others keep everything, it is recorded once, and a second replay does nothing."""
    person, erase = settler(world)
    before = everything(world.services, world.principal)
    crash(point, erase)
    with restarted(world) as services:
        assert sum(services.store.personal.counts(person.user_id).values()) == 0
        assert services.store.accounts.user_by_name("grace") is None
        assert everything(services, world.principal) == before
        assert ErasureList(folder=world.services.settings.keys_folder).owners() == {person.user_id}
        assert services.store.audit.tally()[AuditAction.ERASURE] == 1
        assert services.audit.verify().is_whole
        assert services.privacy.replay() == 0
        with pytest.raises(SealError):
            services.memory.add(person.user_id, "I am back")


def traveller(world: World) -> tuple[Principal, bytes]:
    """Return somebody new, and the export of a whole life."""
    live(world)
    file = export(world.services, world.principal)
    return newcomer(world.services, "heir"), file


def bring_in(services: Services, person: Principal, file: bytes) -> None:
    """Import a file in this thread."""
    services.privacy._importer.run(person.user_id, file, lambda _: None)


def test_every_step_of_an_import_has_a_point(world: World):
    """What is not named here would not be tried below."""
    person, file = traveller(world)
    assert sorted(points_of(lambda: bring_in(world.services, person, file))) == sorted(IMPORT)


@pytest.mark.parametrize("point", IMPORT)
def test_an_import_that_is_cut_off_goes_on_with_the_same_file(world: World, point: str):
    """Importing again ends with the life that was exported, and nothing in it twice."""
    person, file = traveller(world)
    crash(point, lambda: bring_in(world.services, person, file))
    with restarted(world) as services:
        bring_in(services, person, file)
        assert everything(services, person) == everything(services, world.principal)
        assert content(export(services, person)) == content(file)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("point", IMPORT)
def test_an_import_that_is_cut_off_goes_on_at_the_next_start(world: World, point: str):
    """Nobody has to bring the file again: it was kept, sealed, and is gone once everything is in."""
    person, file = traveller(world)
    with armed(crash_at(point)):
        job = world.services.privacy.start_import(person, file, total=1)
        assert job.wait(60)
    with restarted(world) as services:
        assert kept_of(services) == 1
        assert services.privacy.resume_imports() == 1
        resumed = services.privacy.import_job(person)
        assert resumed
        assert resumed.wait(60)
        assert not resumed.error
        assert everything(services, person) == everything(services, world.principal)
        assert content(export(services, person)) == content(file)
        assert kept_of(services) == 0
        assert services.privacy.resume_imports() == 0


def kept_of(services: Services) -> int:
    """Return how many imports have not ended."""
    return len(services.privacy._files.pending())


@pytest.mark.parametrize("point", AROUND)
def test_a_file_that_was_not_kept_whole_is_not_imported(world: World, point: str):
    """An import that was cut off before its file was kept was never begun; the file can be imported anew."""
    person, file = traveller(world)
    crash(point, lambda: world.services.privacy.start_import(person, file, total=1))
    with restarted(world) as services:
        assert services.privacy.resume_imports() == 0
        job = services.privacy.start_import(person, file, total=1)
        assert job.wait(60)
        assert not job.error
        assert everything(services, person) == everything(services, world.principal)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_erasure_ends_an_import_for_good(world: World):
    """What was cut off does not go on after its account is gone, and leaves no part of the file."""
    person, file = traveller(world)
    with armed(crash_at("import.memories")):
        assert world.services.privacy.start_import(person, file, total=1).wait(60)
    with restarted(world) as services:
        services.privacy.erase_account(person, PASSWORD, typed_name="heir", network=NETWORK)
        assert kept_of(services) == 0
        assert services.privacy.resume_imports() == 0
        assert not any(services.store.personal.counts(person.user_id).values())


def look(world: World, found: FakeProvider, model: Any) -> Callable[[], object]:
    """Say something in which a model finds a memory; return its look through it."""
    finds(found, entry(FOUND, entities=["Rufus"]))
    world.say(SAID, choice=model)
    return world.services.extraction.run_due


def test_every_step_of_a_look_has_a_point(world: World, provider, choice):  # noqa: F811 - fixtures
    """What is not named here would not be tried below."""
    assert sorted(points_of(look(world, provider, choice))) == sorted(EXTRACT)


@pytest.mark.parametrize("point", EXTRACT)
def test_a_look_that_is_cut_off_is_done_again(world: World, provider, choice, point: str, tmp_path: Path):  # noqa: F811
    """What the model finds is remembered and shown once, and the job ends, as where nothing was cut off."""
    with running_world(tmp_path / "other") as calm:
        connection = world.services.store.accounts.connections(world.owner)[0]
        mine = connection.model_copy(update={"user_id": calm.owner})
        calm.services.store.accounts.save_connection(mine)
        look(calm, provider, calm.services.connections.newest(calm.owner, "compatible"))()
        expected = everything(calm.services, calm.principal)
    crash(point, look(world, provider, choice))
    with restarted(world) as services:
        assert services.extraction.run_due() == 1
        assert everything(services, world.principal) == expected
        assert any(text == FOUND for text, *_ in expected["memories"])
        assert services.extraction.run_due() == 0
