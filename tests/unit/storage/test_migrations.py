"""Bringing an older store up to date: in order, once, and on from where a crash cut it off."""

from contextlib import closing

import pytest

from optimus import process
from optimus.errors import ConfigurationError, StoreUnavailableError
from optimus.models import UserId, new_id, stable_id
from optimus.settings import load_settings
from optimus.storage.migrations import FORMAT, MIGRATIONS, Migration, Step, migrate
from optimus.storage.records import Connection, UserPreferences
from optimus.storage.sealing import TAG
from optimus.storage.store import Store, open_memory_store, open_store
from tests.unit.storage.conftest import KEYS, SIZE, START
from tests.unit.storage.test_accounts import stored_user

RECORDS = 5


class CrashError(Exception):
    """Stands for the end of the process."""


class Journal:
    """Two steps of five records each, which crash before the record that they are told."""

    def __init__(self, crash_at: int | None = None) -> None:
        self.crash_at = crash_at
        self.written: list[str] = []
        self.calls = 0

    def steps(self) -> tuple[Migration, ...]:
        """Return the steps from 1 to 2 and from 2 to 3."""
        return (
            Migration(before=1, after=2, name="first", run=lambda step: self._run("first", step)),
            Migration(before=2, after=3, name="second", run=lambda step: self._run("second", step)),
        )

    def _run(self, name: str, step: Step) -> None:
        for number in range(step.checkpoint.get("done", 0), RECORDS):
            self.calls += 1
            if self.calls == self.crash_at:
                raise CrashError
            self.written.append(f"{name} {number}")
            step.progress(number + 1, RECORDS)
            step.save({"done": number + 1})


@pytest.fixture
def store():
    """A store in memory, of format 1."""
    opened = open_memory_store()
    opened.work.set_setting("format", {"version": 1})
    yield opened
    opened.close()


WHOLE = [f"{name} {number}" for name in ("first", "second") for number in range(RECORDS)]


@pytest.mark.parametrize("crash_at", range(1, 2 * RECORDS + 1))
def test_crash_at_each_record_is_made_up_for(store: Store, crash_at):
    """After a crash anywhere the next start goes on from the checkpoint, and each record is written once."""
    journal = Journal(crash_at)
    with pytest.raises(CrashError):
        migrate(store, steps=journal.steps(), target=3)
    migrate(store, steps=journal.steps(), target=3)
    assert journal.written == WHOLE
    assert store.work.setting("format") == {"version": 3}


def test_step_never_runs_twice(store: Store):
    """A store that is up to date is left alone."""
    journal = Journal()
    assert migrate(store, steps=journal.steps(), target=3) == 2
    assert migrate(store, steps=journal.steps(), target=3) == 0
    assert journal.written == WHOLE


def test_progress_is_told(store: Store):
    """Who waits for the start is told what is done and how far it is."""
    told: list[str] = []
    migrate(store, steps=Journal().steps(), target=2, report=told.append)
    assert told[0] == "Optimus is being updated: first."
    assert told[-1] == "Optimus is being updated: first, 5 of 5 records."


def test_store_that_no_step_leads_on_from_is_refused(store: Store):
    """A gap between the steps stops the start instead of opening a store that is half understood."""
    with pytest.raises(ConfigurationError, match="format 1"):
        migrate(store, steps=Journal().steps()[1:], target=3)
    assert store.work.setting("format") == {"version": 1}


def test_pages_show_what_is_being_done():
    """While an older store is brought up to date, a page says so at once; afterwards it waits as usual."""
    process.begin_opening()
    process.note_opening("Optimus is being updated: first, 3 of 5 records.")
    with pytest.raises(StoreUnavailableError) as shown:
        process.current(60)
    process.install(None)
    assert shown.value.user_message.startswith("Optimus is being updated: first, 3 of 5 records.")
    with pytest.raises(StoreUnavailableError) as shown:
        process.current(0)
    assert shown.value.user_message.startswith("Optimus is starting.")


def test_names_and_addresses_in_the_clear_are_sealed_by_the_next_start(tmp_path):
    """What an older version kept in the clear of a profile or connection is sealed; what nobody can open goes."""
    settings = load_settings(data_dir=tmp_path / "data", key_dir=tmp_path / "keys")
    owner, gone, connection = UserId(new_id()), UserId(new_id()), new_id()
    user = stored_user("Ada").model_copy(update={"id": owner})
    with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
        accounts = store.names.accounts
        for each in (owner, gone):
            store.accounts.save_preferences(UserPreferences(user_id=each, display_name="Ada"))
        store.accounts.add_user(user)
        ((user_point, _),) = store.accounts._users.find()
        kept = Connection(id=connection, user_id=owner, provider="x", label="x", base_url="http://x", created_at=START)
        store.accounts.save_connection(kept)
        for point, fields in (
            (stable_id("preferences", owner), {"display_name": "Ada"}),
            (stable_id("preferences", gone), {"display_name": "Gone"}),
            (connection, {"label": "x", "base_url": "http://x"}),
            (user_point, {"username": "Ada"}),
        ):
            store.raw.set_payload(collection_name=accounts, payload=fields, points=[point])
        store.keyring.destroy(gone)
        store.work.set_setting("format", {"version": 2})
    with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
        assert store.accounts.preferences(owner).display_name == "Ada"
        assert store.accounts.connections(owner) == [kept]
        assert store.accounts.users() == [user]
        assert store.accounts.preferences(gone).version == 0
        (raw,) = store.raw.retrieve(collection_name=accounts, ids=[connection])
        assert all(str((raw.payload or {})[field]).startswith(TAG) for field in ("label", "base_url"))


def test_steps_lead_from_the_first_format_to_this_one():
    """The registered steps have no gap and end at the present format."""
    version = 1
    for step in MIGRATIONS:
        assert step.before == version
        version = step.after
    assert version == FORMAT
