"""Backups that make themselves: when, how many are kept, and what a failure leaves."""

from datetime import timedelta

import pytest

from optimus.backups import BackupService
from optimus.keys import load_keys
from optimus.settings import load_settings
from tests.world import World


@pytest.fixture
def scheduled(world: World, tmp_path) -> BackupService:
    """Backups every day, of which two are kept."""
    daily = load_settings(data_dir=tmp_path, backup_dir=tmp_path / "backups", backup_every_hours=24, backup_keep=2)
    return BackupService(store=world.services.store, keys=load_keys(daily), settings=daily, clock=world.clock)


def test_schedule_and_retention_follow_the_clock(world: World, scheduled, tmp_path):
    """One backup a day is made, the two newest are kept, and other people's files are left alone."""
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "mine.backup").touch()
    names = []
    for _ in range(4):
        job = scheduled.run_due()
        assert job is not None
        assert not job.error
        names.append(job.path.name)
        assert scheduled.run_due() is None
        assert scheduled.state().next_at == scheduled.state().made_at + timedelta(days=1)
        world.clock.now += timedelta(hours=24, minutes=1)
    assert sorted(path.name for path in folder.iterdir()) == ["mine.backup", *names[-2:]]
    assert scheduled.state().size == (folder / names[-1]).stat().st_size


def test_failed_backup_is_told_and_tried_again_in_an_hour(world: World, scheduled, tmp_path):
    """A folder that cannot be used is named; the next try comes an hour later and clears the failure."""
    (tmp_path / "backups").touch()
    job = scheduled.run_due()
    assert job is not None
    assert "cannot be made" in job.error
    assert scheduled.state().error == job.error
    assert scheduled.run_due() is None
    (tmp_path / "backups").unlink()
    world.clock.now += timedelta(minutes=61)
    assert scheduled.run_due().error == ""
    assert scheduled.state().error == ""


def test_stopped_backup_leaves_nothing(world: World, tmp_path):
    """A backup that is stopped leaves no file."""
    job = world.services.backups._begin()
    job.stop()
    world.services.backups._run(job, tmp_path / "x.backup", None)
    assert job.error.startswith("The backup was stopped")
    assert not list(tmp_path.glob("*x.backup*"))
