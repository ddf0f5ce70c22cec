"""Engines for the contract: one client of each for the whole run, collections per test or per run."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from tests.contract import dataset
from tests.contract.engines import EdgeEngine, Engine, FakeServerEngine, ServerEngine
from tests.fakes.real_server import REAL, real_settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let qdrant-client say what its engine in memory ignores, and that a key goes to a test server over http."""
    for item in items:
        if "tests/contract" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore:.*ocal (mode|Qdrant)"))
            item.add_marker(pytest.mark.filterwarnings("ignore:.*Payload indexes have no effect"))
            item.add_marker(pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection"))


class Loaded:
    """An engine with the common collection on it."""

    def __init__(self, engine: Engine) -> None:
        self.client = engine.client
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.collection = dataset.load(engine)


def _made(name: str, root: object) -> Engine:
    if name == "memory":
        return Engine()
    if name in ("grpc", "rest"):
        return FakeServerEngine(by_grpc=name == "grpc")
    if name in REAL:
        return ServerEngine(real_settings(name))
    return EdgeEngine(root / "store")  # type: ignore[operator]


@pytest.fixture(scope="session", params=["edge", "memory", "grpc", "rest", *REAL])
def loaded(request, tmp_path_factory) -> Iterator[Loaded]:
    """Each engine with the common collection, for reading."""
    engine = _made(request.param, tmp_path_factory.mktemp("read"))
    yield Loaded(engine)
    engine.close()


@pytest.fixture(scope="session", params=["edge", "grpc", "rest", *REAL])
def peer(request, tmp_path_factory) -> Iterator[Loaded]:
    """Each engine that has to agree with `reference`, with the common collection."""
    engine = _made(request.param, tmp_path_factory.mktemp("peer"))
    yield Loaded(engine)
    engine.close()


@pytest.fixture(scope="session")
def reference() -> Iterator[Loaded]:
    """The in-memory engine with the common collection, as the peer of the others."""
    engine = Engine()
    yield Loaded(engine)
    engine.close()


class Writable:
    """An engine to write to; `settle` is called before what was written is read."""

    def __init__(self, engine: Engine, *, is_reopened: bool) -> None:
        self.engine = engine
        self._is_reopened = is_reopened

    def settle(self) -> None:
        """Close and open the engine again, in the variant that does so."""
        if self._is_reopened:
            self.engine.reopen()


@pytest.fixture(scope="session", params=["edge", "edge-reopened", "memory", "grpc", "rest", *REAL])
def _writable(request, tmp_path_factory) -> Iterator[Writable]:
    engine = _made(request.param.removesuffix("-reopened"), tmp_path_factory.mktemp("write"))
    yield Writable(engine, is_reopened=request.param == "edge-reopened")
    engine.close()


@pytest.fixture
def writable(_writable) -> Iterator[Writable]:
    """Each engine to write to, the embedded one also with a restart before reading; collections go afterwards."""
    yield _writable
    _writable.engine.clear()
