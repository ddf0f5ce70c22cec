"""Stores to test against: in memory, and embedded in a temporary folder with the way to close and open it again."""

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from qdrant_client import models

from optimus.keys import Keys
from optimus.models import new_id
from optimus.settings import load_settings
from optimus.storage.collections import collection_specs
from optimus.storage.filters import equals
from optimus.storage.store import Store, open_memory_store, open_store
from optimus.storage.tenancy import across_tenants

SIZE = 8
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEYS = Keys(jwt=b"j" * 32, pepper=b"p" * 32, master=b"m" * 32)


class SteppingClock:
    """A clock that moves one second with every reading, and further on demand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass
class Place:
    """Where a store lives, so that a test can close it and look again."""

    engine: str
    folder: Path
    clock: SteppingClock = field(default_factory=SteppingClock)
    store: Store | None = None
    is_closed: bool = False

    def open(self) -> Store:
        if self.engine == "memory":
            self.store = self.store or open_memory_store(KEYS, clock=self.clock, vector_size=SIZE)
        else:
            self.close()
            settings = load_settings(data_dir=self.folder)
            self.store = open_store(settings, KEYS, clock=self.clock, vector_size=SIZE)
        self.is_closed = False
        return self.store

    def close(self) -> None:
        if self.store is not None:
            self.store.close()
            self.is_closed = True


@pytest.fixture(scope="session")
def embedded_place(tmp_path_factory):
    """One embedded store for all tests: making the collections costs more than emptying them."""
    place = Place("embedded", tmp_path_factory.mktemp("embedded") / "data")
    place.open()
    yield place
    place.close()


def emptied(place: Place) -> Place:
    """Remove every record but the keys, and set the clock back."""
    place.clock.now = START
    store = place.open() if place.store is None or place.is_closed else place.store
    keys = models.Filter(must_not=[equals("kind", "key")])
    with across_tenants():
        for spec in collection_specs(store.names):
            store.client.delete(spec.name, points_selector=models.FilterSelector(filter=keys))
    return place


@pytest.fixture
def embedded(embedded_place):
    """The embedded store, empty."""
    return emptied(embedded_place)


@pytest.fixture(params=["memory", "embedded"])
def place(request):
    """Either store, empty."""
    if request.param == "embedded":
        yield request.getfixturevalue("embedded")
        return
    place = Place("memory", Path())
    yield place
    place.close()


@pytest.fixture
def store(place):
    """The open store of `place`."""
    return place.store if place.store is not None and not place.is_closed else place.open()


@pytest.fixture
def clock(place):
    """The clock of `place`."""
    return place.clock


@pytest.fixture
def memory_store():
    """A store in memory, for rules that no engine changes."""
    store = open_memory_store(KEYS, clock=SteppingClock(), vector_size=SIZE)
    yield store
    store.close()


def vector(seed: int) -> list[float]:
    """Return a unit vector that depends on the seed only."""
    numbers = random.Random(seed)
    raw = [numbers.gauss(0, 1) for _ in range(SIZE)]
    length = math.sqrt(sum(value * value for value in raw))
    return [value / length for value in raw]


@pytest.fixture
def alice():
    """The id of one user."""
    return new_id()


@pytest.fixture
def bob():
    """The id of another user."""
    return new_id()
