"""The daily round: what it does for whom, once a day, and that it ends when it is told to."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from optimus.errors import InvalidInputError
from optimus.models import MemoryStatus, UserId
from tests.world import World


def test_the_bin_is_emptied_when_its_time_is_over(world: World):
    """What was deleted stays for as long as its owner chose, and is gone after the next round."""
    services, owner = world.services, world.owner
    memory = services.memory.add(owner, "I like tea")
    services.memory.forget(owner, memory.id)
    services.preferences.choose_upkeep(owner, bin_days=30, checkup_days=None)
    world.clock.now += timedelta(days=29)
    assert services.upkeep.run_due()
    assert services.memory.get(owner, memory.id).status is MemoryStatus.DELETED
    world.clock.now += timedelta(days=2)
    assert services.upkeep.run_due()
    assert services.store.memories.get(owner, [memory.id]) == []
    assert services.health.last(owner) is None


def test_who_keeps_deleted_memories_keeps_them(world: World):
    """Without an end the bin is never emptied."""
    services, owner = world.services, world.owner
    memory = services.memory.add(owner, "I like tea")
    services.memory.forget(owner, memory.id)
    services.preferences.choose_upkeep(owner, bin_days=None, checkup_days=1)
    world.clock.now += timedelta(days=4_000)
    assert services.upkeep.run_due()
    assert services.memory.get(owner, memory.id).status is MemoryStatus.DELETED


def test_rounds_are_a_day_apart_and_looks_as_far_as_chosen(world: World):
    """A second round on the same day does nothing; a look is made again only when its days are over."""
    services, owner = world.services, world.owner
    services.preferences.choose_upkeep(owner, bin_days=90, checkup_days=7)
    assert services.upkeep.run_due()
    assert not services.upkeep.run_due()
    first = services.health.last(owner)
    assert first
    assert first.at
    for days, is_new in ((1, False), (7, True)):
        world.clock.now += timedelta(days=days)
        assert services.upkeep.run_due()
        last = services.health.last(owner)
        assert last
        assert last.at
        assert (last.at > first.at) is is_new


def test_a_fault_of_one_account_keeps_no_other_waiting(world: World, monkeypatch, caplog):
    """Whatever goes wrong for one account, the others are tended, and the log says nothing of what they keep."""
    upkeep, first, second = world.services.upkeep, UserId("first"), UserId("second")
    users = [SimpleNamespace(id=first), SimpleNamespace(id=second)]
    monkeypatch.setattr(world.services.store.accounts, "users", lambda: users)
    tended = []

    def tend(owner: UserId) -> None:
        tended.append(owner)
        raise ValueError("I like tea")

    monkeypatch.setattr(upkeep, "tend", tend)
    assert upkeep.run_due()
    assert tended == [first, second]
    assert "tea" not in caplog.text


def test_days_that_are_not_offered_are_refused(world: World):
    """Nonsense changes nothing."""
    with pytest.raises(InvalidInputError):
        world.services.preferences.choose_upkeep(world.owner, bin_days=0, checkup_days=7)
    assert world.services.preferences.of(world.owner).bin_days == 90


def test_an_erased_account_leaves_nothing_of_its_looks(world: World):
    """Looks and the graph are among what an erasure deletes."""
    services, owner = world.services, world.owner
    services.memory.add(owner, "My sister Maria lives in Porto")
    services.upkeep.tend(owner)
    assert services.health.last(owner)
    assert services.store.personal.counts(owner)["relations"] > 0
    services.store.personal.erase(owner)
    assert services.health.last(owner) is None
    assert services.store.personal.counts(owner)["relations"] == 0
