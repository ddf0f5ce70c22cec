"""Stores to test against: in memory, and embedded in a temporary folder with the way to close and open it again."""

import math
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from qdrant_client import models

from optimus.keys import Keys
from optimus.models import new_id
from optimus.settings import Settings, load_settings
from optimus.storage.collections import collection_specs
from optimus.storage.filters import equals
from optimus.storage.store import Store, open_memory_store, open_store
from optimus.storage.tenancy import across_tenants
from tests.fakes.qdrant_server import FakeQdrant
from tests.fakes.real_server import REAL, SERVER_URL, real_settings

SIZE = 8
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEYS = Keys(jwt=b"j" * 32, pepper=b"p" * 32, master=b"m" * 32)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let qdrant-client say that a key goes to a test server over http."""
    for item in items:
        if "tests/unit/storage" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"))


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
    settings: Settings
    clock: SteppingClock = field(default_factory=SteppingClock)
    store: Store | None = None
    is_closed: bool = False

    @property
    def folder(self) -> Path:
        return self.settings.data_dir

    def open(self) -> Store:
        if self.engine == "memory":
            self.store = self.store or open_memory_store(KEYS, clock=self.clock, vector_size=SIZE)
        else:
            self.close()
            self.store = open_store(self.settings, KEYS, clock=self.clock, vector_size=SIZE)
        self.is_closed = False
        return self.store

    def close(self) -> None:
        if self.store is not None:
            self.store.close()
            self.is_closed = True


@pytest.fixture(scope="session")
def embedded_place(tmp_path_factory):
    """One embedded store for all tests: making the collections costs more than emptying them."""
    place = Place("embedded", load_settings(data_dir=tmp_path_factory.mktemp("embedded") / "data"))
    place.open()
    yield place
    place.close()


@pytest.fixture(scope="session")
def grpc_place():
    """One store on a server that is a fake: all of the wire, little of the engine."""
    yield from served("grpc")


@pytest.fixture(scope="session")
def rest_place():
    """The same by REST."""
    yield from served("rest")


def served(wire: str) -> Iterator[Place]:
    """Open a store on a fake server by one of its wires, for as long as it is wanted."""
    server = FakeQdrant()
    place = Place(wire, server.settings(qdrant_prefer_grpc=wire == "grpc"))
    place.open()
    yield place
    place.close()
    server.close()


@pytest.fixture(scope="session")
def server_places():
    """Stores on the real server that the environment names, by REST and by gRPC; their collections go afterwards."""
    places: dict[str, Place] = {}

    def place_of(name: str) -> Place:
        if name not in places:
            settings = real_settings(name, collection_prefix=f"test_{uuid4().hex[:12]}_")
            places[name] = Place(name, settings)
        return places[name]

    yield place_of
    for place in places.values():
        store = place.open()
        with across_tenants():
            for spec in collection_specs(store.names):
                store.client.delete_collection(spec.name)
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


@pytest.fixture(params=["memory", "embedded", "grpc", "rest", *(REAL if SERVER_URL in os.environ else ())])
def place(request):
    """Each store, empty: two engines, a server's two wires, and the server itself where the environment names one."""
    if request.param == "memory":
        place = Place("memory", load_settings())
        yield place
        place.close()
    elif request.param in REAL:
        yield emptied(request.getfixturevalue("server_places")(request.param))
    else:
        yield emptied(request.getfixturevalue(f"{request.param}_place"))


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
