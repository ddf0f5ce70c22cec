"""A disk that is nearly full: what is refused, what goes on, and that it resumes by itself."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from optimus import health
from optimus.doctor import Verdict
from optimus.errors import ConfigurationError, StoreFullError
from optimus.models import MemoryType, Principal, Role
from optimus.services import Services, wire
from optimus.settings import Settings, load_settings
from optimus.storage import folder
from optimus.storage.folder import ASK_EVERY_S, NEW_STORE_BYTES, FreeSpace
from optimus.storage.store import open_store
from tests.fakes.embedding import HashEmbedder
from tests.unit.privacy.support import NETWORK, newcomer
from tests.world import KEYS, PASSWORD

LIMIT = 500


class Disk:
    """A disk whose free bytes are set by hand."""

    def __init__(self) -> None:
        self.free = 1_000
        self.now = 0.0
        self.asked = 0

    def ask(self, _: Path) -> int:
        self.asked += 1
        if self.free < 0:
            raise OSError
        return self.free

    def clock(self) -> float:
        return self.now


@pytest.fixture
def disk():
    """A disk with room."""
    return Disk()


@pytest.fixture
def space(disk):
    """The watch over it."""
    return FreeSpace(Path(), limit=LIMIT, content={"memories"}, free=disk.ask, clock=disk.clock)


@pytest.mark.parametrize(
    ("free", "content", "others"),
    [(LIMIT, True, True), (LIMIT - 1, False, True), (LIMIT // 5, False, True), (LIMIT // 5 - 1, False, False)],
)
def test_content_is_refused_first_and_the_rest_in_the_reserve(disk, space, free, content, others):
    """Accounts and the audit log go on until a fifth of the limit is left, so that somebody can still be let in."""
    disk.free = free
    for name, is_taken in (("memories", content), ("accounts", others)):
        if is_taken:
            space.check(name)
        else:
            with pytest.raises(StoreFullError):
                space.check(name)
    assert space.is_short is not content


def test_the_system_is_asked_twice_a_second_at_most(disk, space):
    """A thousand writes ask once; half a second later they see the room that was made."""
    disk.free = 0
    for _ in range(1_000):
        with pytest.raises(StoreFullError):
            space.check("memories")
    assert disk.asked == 1
    disk.free, disk.now = LIMIT, ASK_EVERY_S
    space.check("memories")


def test_a_system_that_does_not_tell_stops_nobody_and_no_limit_never_asks(disk, space):
    """What cannot be known refuses nothing."""
    disk.free = -1
    space.check("memories")
    FreeSpace(Path(), limit=0, content={"memories"}, free=disk.ask).check("memories")
    assert disk.asked == 1


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Services]:
    """A whole Optimus on the embedded engine."""
    settings = load_settings(data_dir=tmp_path)
    store = open_store(settings, KEYS)
    services = wire(settings, KEYS, store, password_cost=4, embedder=HashEmbedder())
    yield services
    services.close()


def test_on_a_full_disk_people_read_and_admins_get_in_and_it_resumes(opened: Services, monkeypatch):
    """Nothing new is kept and each refusal says why; reading, signing in, deleting and the audit log go on."""
    admin: Principal = newcomer(opened, "ada", role=Role.ADMIN)
    kept = opened.memory.add(admin.user_id, "I live in Lisbon", MemoryType.FACT)
    space = opened.store.space
    assert space
    monkeypatch.setattr(space, "_ask", lambda _: space._limit - 1)
    monkeypatch.setattr(folder, "ASK_EVERY_S", 0.0)
    with pytest.raises(StoreFullError):
        opened.memory.add(admin.user_id, "I own a boat", MemoryType.FACT)
    choice = next(iter(opened.connections.choices(admin.user_id)))
    with pytest.raises(StoreFullError):
        opened.chat.send(admin.user_id, "I own a boat", conversation_id=None, choice=choice)
    assert [memory.id for memory in opened.memory.list(admin.user_id).items] == [kept.id]
    before = opened.store.audit.verify().records
    ticket = opened.auth.sign_in(username="ada", password=PASSWORD, network=NETWORK, captcha=None, user_agent="test")
    assert opened.auth.principal(opened.auth.open_session(ticket).token)
    assert opened.store.audit.verify().records == before + 1
    found = {check.name: check for check in health.look(opened, admin)}
    assert found["disk"].verdict is Verdict.PROBLEM
    assert "saving is refused below 500 MB" in found["disk"].detail
    opened.store.memories.delete(admin.user_id, [kept.id])
    monkeypatch.undo()
    space._known = None
    opened.memory.add(admin.user_id, "I own a boat", MemoryType.FACT)
    assert [memory.text for memory in opened.memory.list(admin.user_id).items] == ["I own a boat"]


def test_a_new_store_asks_for_the_room_that_it_needs(tmp_path, monkeypatch):
    """On a disk without it, nothing is begun; a store that is there opens, so that it can be read."""
    settings = Settings.model_validate({"data_dir": tmp_path})
    little = shutil.disk_usage(tmp_path)._replace(free=NEW_STORE_BYTES - 1)
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _: little)
        with pytest.raises(ConfigurationError, match="200 MB free"):
            open_store(settings, KEYS)
    open_store(settings, KEYS).close()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: little)
    open_store(settings, KEYS).close()
