"""No file handle left, or a disk that is read-only: refused in words, nothing is called damaged, and all goes on."""

from __future__ import annotations

import errno
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import pytest

from optimus.errors import ConfigurationError, StoreError, StoreUnavailableError
from optimus.models import UserId, new_id
from optimus.settings import Settings, load_settings
from optimus.storage.audit_records import AuditAction
from optimus.storage.durability import GroupCommit
from optimus.storage.store import Store, open_store
from tests.unit.storage.conftest import SIZE
from tests.unit.storage.test_memory_index import memory_of, point, query
from tests.world import KEYS

ADA = UserId(new_id())
SAID = memory_of(ADA, "I live in Lisbon")


@contextmanager
def no_handles() -> Iterator[None]:
    """Let this process open no file more; those that are open stay open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An embedded store that somebody has written to."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("refused") / "data")
    with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
        store.memories.put(ADA, [point(SAID)])
    return settings


def acts(store: Store) -> list[Callable[[], object]]:
    """Return writes that need the disk: a synced one, a new person's key, the audit log, the engine's segments."""
    bob = UserId(new_id())
    assert store.commit
    return [
        lambda: store.work.set_setting("a", {"n": 1}),
        lambda: store.memories.put(bob, [point(memory_of(bob, "I own a boat"))]),
        lambda: store.audit.record(AuditAction.EXPORT, actor=ADA),
        store.commit._flush,
    ]


def test_without_a_handle_writes_are_refused_and_go_on_once_there_is_one(settings: Settings):
    """Whose key is open reads on; no refusal speaks of damage; each write works as soon as a handle is free."""
    with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
        if store.ahead:
            store.ahead.wait()
        assert store.memories.get(ADA, [SAID.id]) == [SAID]
        for act in acts(store):
            with no_handles():
                with pytest.raises(StoreError) as refused:
                    act()
                assert store.memories.get(ADA, [SAID.id]) == [SAID]
                assert SAID.id in {key for leg in store.memories.legs(ADA, query("Lisbon")).values() for key in leg}
            assert refused.value.user_message == StoreUnavailableError.user_message
            act()
        assert store.audit.verify().is_whole
    with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
        assert store.work.setting("a") == {"n": 1}
        assert store.memories.get(ADA, [SAID.id]) == [SAID]


def test_a_start_without_handles_is_no_damage(settings: Settings):
    """Optimus does not start and says why, instead of offering repairs of what is whole; the next start is as ever."""
    with no_handles(), pytest.raises(ConfigurationError, match="Too many open files"):
        open_store(settings, KEYS, vector_size=SIZE)
    with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
        assert store.memories.get(ADA, [SAID.id]) == [SAID]


@pytest.mark.parametrize("cause", [OSError(errno.EMFILE, "Too many open files"), Exception("IO Error: (os error 24)")])
def test_a_log_that_cannot_be_trimmed_for_want_of_a_handle_is_trimmed_later(cause: Exception):
    """Whether the system says so or the engine, no write is refused for it."""
    tries: list[Event] = [Event(), Event()]
    waiting = iter(tries)

    def flush() -> None:
        this = next(waiting)
        this.set()
        if this is tries[0]:
            raise StoreUnavailableError("flush") from cause

    commit = GroupCommit(sync=lambda: None, flush=flush, window_s=60, idle_s=0.01)
    commit.wait()
    assert tries[0].wait(10)
    commit.wait()
    assert tries[1].wait(10)
    commit.require()
    commit.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, where this user may make one."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no file system may be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_start_on_a_read_only_disk_is_no_damage(disk: Path):
    """It is said that the disk is read-only; once it is not, everything is there."""
    settings = load_settings(data_dir=disk / "data")
    with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
        store.memories.put(ADA, [point(SAID)])
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(ConfigurationError, match="Read-only file system"):
        open_store(settings, KEYS, vector_size=SIZE)
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
        assert store.memories.get(ADA, [SAID.id]) == [SAID]
