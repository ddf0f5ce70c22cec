"""Bringing an older store up to date: in order, once, and on from where a crash cut it off."""

import pytest

from optimus import process
from optimus.errors import ConfigurationError, StoreUnavailableError
from optimus.storage.migrations import FORMAT, MIGRATIONS, Migration, Step, migrate, refuse_other_model
from optimus.storage.store import Store, open_memory_store

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


def test_vectors_of_two_models_are_never_mixed(store: Store):
    """The store remembers which model made its vectors, and refuses another."""
    refuse_other_model(store.work, "one", 384)
    refuse_other_model(store.work, "one", 384)
    with pytest.raises(ConfigurationError, match="searched with one, and this Optimus brings two"):
        refuse_other_model(store.work, "two", 384)


def test_steps_lead_from_the_first_format_to_this_one():
    """The registered steps have no gap and end at the present format."""
    version = 1
    for step in MIGRATIONS:
        assert step.before == version
        version = step.after
    assert version == FORMAT
