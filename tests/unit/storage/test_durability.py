import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

import pytest

from optimus.errors import StoreUnavailableError
from optimus.models import UserId, new_id
from optimus.settings import Settings
from optimus.storage.durability import WINDOW_S, GroupCommit
from optimus.storage.records import Connection, LimitRecord, UserPreferences
from optimus.storage.store import Store, open_store
from tests.unit.storage.conftest import SIZE, START
from tests.unit.storage.test_accounts import session_of, stored_user, ticket_for
from tests.world import KEYS


class CountingDisk:
    """A disk whose sync waits until it is let through."""

    def __init__(self) -> None:
        self.syncs = 0
        self.flushed = Event()
        self.started = Semaphore(0)
        self.let_through = Event()
        self.error: OSError | StoreUnavailableError | None = None

    def sync(self) -> None:
        """Count, wait, and fail if told so."""
        self.syncs += 1
        self.started.release()
        assert self.let_through.wait(10)
        if self.error:
            raise self.error


@pytest.fixture
def disk():
    """A disk that answers at once unless a test holds it."""
    disk = CountingDisk()
    disk.let_through.set()
    return disk


@pytest.fixture
def commit(disk):
    """A commit thread over the disk, with a window that no test waits for."""
    commit = GroupCommit(sync=disk.sync, flush=disk.flushed.set, window_s=60)
    yield commit
    disk.let_through.set()
    commit.close()


def test_one_sync_serves_all_who_wait(disk, commit):
    """Writers that wait while a sync runs share the next one."""
    disk.let_through.clear()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(commit.wait)
        assert disk.started.acquire(timeout=10)
        others = [pool.submit(commit.wait) for _ in range(8)]
        while commit._wanted < 9:
            pass
        assert not any(waiter.done() for waiter in (first, *others))
        disk.let_through.set()
        for waiter in (first, *others):
            waiter.result(timeout=10)

    assert disk.syncs == 2


def test_writes_that_nobody_waits_for_are_synced_within_the_window(disk):
    """A noted write is on disk after the window at the latest."""
    commit = GroupCommit(sync=disk.sync, flush=disk.flushed.set, window_s=0.01)
    commit.mark()

    assert disk.started.acquire(timeout=10)
    commit.close()


def test_log_is_trimmed_when_nobody_writes(disk):
    """After a quiet time the engine flushes, once."""
    commit = GroupCommit(sync=disk.sync, flush=disk.flushed.set, window_s=60, idle_s=0.01)
    commit.wait()

    assert disk.flushed.wait(10)
    disk.flushed.clear()
    commit.close()
    assert not disk.flushed.is_set()


def test_log_is_not_trimmed_while_somebody_writes(disk):
    """Without a quiet time nothing pauses the writers."""
    commit = GroupCommit(sync=disk.sync, flush=disk.flushed.set, window_s=60, idle_s=60)
    commit.wait()
    commit.wait()
    commit.close()

    assert not disk.flushed.is_set()


def test_nothing_is_synced_without_a_write(disk, commit):
    """An idle store leaves the disk alone."""
    assert not disk.started.acquire(timeout=0.05)


def test_the_lag_is_the_age_of_the_oldest_unsynced_write(disk, commit):
    """A write waits until its own sync is over; one that comes while a sync runs goes on waiting."""
    assert commit.lag_s() == 0
    disk.let_through.clear()
    with ThreadPoolExecutor(1) as pool:
        commit.mark()
        assert commit.lag_s() > 0
        waiter = pool.submit(commit.wait)
        assert disk.started.acquire(timeout=10)
        commit.mark()
        disk.let_through.set()
        waiter.result(timeout=10)
        assert commit.lag_s() > 0
        commit.wait()
    assert commit.lag_s() == 0


def test_the_lag_grows_after_a_failed_sync(disk, commit):
    """What could not be synced is never called safe again."""
    disk.error = OSError("full")
    commit.mark()
    with pytest.raises(StoreUnavailableError):
        commit.wait()
    earlier = commit.lag_s()
    assert 0 < earlier < commit.lag_s()


def test_closing_syncs_what_is_open(disk):
    """Closing waits for a last sync; afterwards nobody can wait any more."""
    commit = GroupCommit(sync=disk.sync, flush=disk.flushed.set, window_s=60)
    commit.mark()
    commit.close()
    commit.close()

    assert disk.syncs == 1
    with pytest.raises(StoreUnavailableError):
        commit.wait()


def test_failed_sync_is_final(disk, commit):
    """After one failed sync no later one is believed: the system may have dropped what it could not write."""
    disk.error = OSError("disk is gone")
    with pytest.raises(StoreUnavailableError, match="disk is gone"):
        commit.wait()

    disk.error = None
    with pytest.raises(StoreUnavailableError):
        commit.wait()


@pytest.mark.parametrize("as_the_engine_says", [True, False])
def test_a_sync_without_a_file_handle_is_tried_again(disk, commit, as_the_engine_says: bool):
    """Who waits is told; the write is synced once there is a handle, and nothing has failed for good."""
    cause = OSError(errno.EMFILE, "Too many open files")
    disk.error = StoreUnavailableError("sync") if as_the_engine_says else cause
    disk.error.__cause__ = cause
    commit.mark()
    with pytest.raises(StoreUnavailableError, match="no file handle"):
        commit.wait()
    assert commit.lag_s() > 0
    disk.error = None
    commit.require()
    commit.wait()
    assert commit.lag_s() == 0


def test_after_a_failed_sync_no_write_is_let_through(tmp_path):
    """Not even one that nobody waits for: it could be gone after the next power loss. Reading goes on."""
    store = open_store(Settings.model_validate({"data_dir": tmp_path}), KEYS)
    store.work.set_setting("before", {"size": SIZE})
    assert store.commit
    store.commit._sync = failing
    with pytest.raises(StoreUnavailableError):
        store.work.set_setting("critical", {"size": SIZE})
    with pytest.raises(StoreUnavailableError) as refused:
        store.probe.insert(new_id(), {"name": "probe"})
    assert "restarted" in refused.value.user_message
    assert store.work.setting("before") == {"size": SIZE}
    store.close()


def failing() -> None:
    """Be a disk that is gone."""
    raise OSError(errno.EIO, "disk is gone")


ADA = stored_user("ada")
SESSION = session_of(ADA.id)
CONNECTION = Connection(id=new_id(), user_id=ADA.id, provider="x", label="x", created_at=START)
BEFORE: list[Callable[[Store], object]] = [
    lambda store: store.accounts.add_user(ADA),
    lambda store: store.accounts.save_session(SESSION),
    lambda store: store.accounts.put_ticket(ticket_for(ADA.id)),
    lambda store: store.work.set_setting("there", {"size": SIZE}),
    lambda store: store.work.intend("erase", new_id(), {}),
]
CRITICAL: dict[str, Callable[[Store], object]] = {
    "a new account": lambda store: store.accounts.add_user(stored_user("bob")),
    "a role or password": lambda store: store.accounts.update_user(ADA),
    "an account's end": lambda store: store.accounts.remove_user(ADA.id),
    "a new session": lambda store: store.accounts.save_session(session_of(ADA.id)),
    "a session's end": lambda store: store.accounts.end_session(SESSION.id),
    "the end of a user's sessions": lambda store: store.accounts.end_sessions_of(ADA.id),
    "the end of all sessions": lambda store: store.accounts.end_all_sessions(),
    "a ticket": lambda store: store.accounts.put_ticket(ticket_for(ADA.id).model_copy(update={"hash": "other"})),
    "a ticket that is taken": lambda store: store.accounts.take_ticket("h"),
    "a failed try": lambda store: store.accounts.save_limit(LimitRecord(key="k")),
    "a provider key": lambda store: store.accounts.save_connection(CONNECTION),
    "preferences": lambda store: store.accounts.save_preferences(UserPreferences(user_id=ADA.id)),
    "a setting": lambda store: store.work.set_setting("critical", {"size": SIZE}),
    "a setting's end": lambda store: store.work.drop_setting("there"),
    "an intent": lambda store: store.work.intend("erase", new_id(), {}),
    "a data key": lambda store: store.keyring.dek(UserId(new_id())),
    "an erasure": lambda store: store.personal.erase(ADA.id),
}


@pytest.mark.parametrize("act", CRITICAL.values(), ids=CRITICAL)
def test_critical_writes_return_after_a_sync(embedded, act: Callable[[Store], object]):
    """Whatever changes a credential or a right is on the disk when the call returns; nothing of it waits."""
    store = embedded.open()
    for each in BEFORE:
        each(store)
    store.commit._window_s = 600
    store.commit.wait()
    act(store)
    assert store.commit.lag_s() == 0


def test_other_writes_are_synced_within_a_second_and_measured(embedded):
    """Until then the figure says how long they have waited."""
    store = embedded.open()
    store.commit.wait()
    point = new_id()
    assert store.probe.insert(point, {"name": "probe"})
    assert 0 < store.commit.lag_s() < 1
    assert store.commit._window_s == WINDOW_S < 1
    store.commit.wait()
    assert store.commit.lag_s() == 0
