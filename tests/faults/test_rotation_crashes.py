"""The change of the master key, cut off at any step or amid writers: whatever was sealed opens, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import pytest
from qdrant_client.client_base import QdrantBase

from optimus.errors import ConfigurationError
from optimus.key_rotation import KeyRotation
from optimus.keys import load_keys, retired_masters
from optimus.metrics import Metrics
from optimus.models import UserId, new_id
from optimus.settings import Settings, load_settings
from optimus.storage.audit_records import AuditAction
from optimus.storage.client import memory_backend
from optimus.storage.collections import CollectionNames
from optimus.storage.failpoints import Crash, armed, crash_at
from optimus.storage.guard import MemoryGuard
from optimus.storage.store import Store, _assemble, open_store
from tests.unit.storage.conftest import SIZE, SteppingClock
from tests.unit.test_key_rotation import connect, rotate, sealed_text

CHANGE = ("rotate.noted", "rotate.recorded", "rotate.begun", "rotate.wrapped", "rotate.checked", "rotate.retired")
DESTROY = ("rotate.told", "rotate.destroyed")
PEOPLE = 5
WRITERS = 4


class Place:
    """Records that stay while the process that holds them dies and another one comes; the keys are beside them."""

    def __init__(self, folder: Path, *, in_files: bool) -> None:
        self.settings = load_settings(data_dir=folder)
        self._guard: QdrantBase = MemoryGuard(memory_backend())
        self._in_files = in_files
        self._dead: list[Store] = []
        """Kept, because a client that the garbage collector takes closes what is below it."""

    @contextmanager
    def started(self) -> Iterator[tuple[Store, KeyRotation]]:
        """Open the store as a new process does, with the keys as they are now."""
        store = _assemble(
            self._guard,
            "embedded" if self._in_files else "memory",
            names=CollectionNames(),
            keys=load_keys(self.settings),
            clock=SteppingClock(),
            vector_size=SIZE,
            metrics=Metrics(),
            beside=self.settings.keys_folder,
        )
        self._dead.append(store)
        yield store, rotation_of(store, self.settings)


def rotation_of(store: Store, settings: Settings) -> KeyRotation:
    """Return what changes the master key of a store."""
    return KeyRotation(settings=settings, keys=load_keys(settings), keyring=store.keyring, audit=store.audit)


@pytest.fixture(params=[True, False], ids=["files", "records"])
def place(request, tmp_path: Path) -> Place:
    """A place whose data keys are files, as beside an embedded store, or records, as on a server."""
    return Place(tmp_path, in_files=request.param)


def settled(place: Place) -> list[UserId]:
    """Let some people keep something sealed."""
    people = [UserId(new_id()) for _ in range(PEOPLE)]
    with place.started() as (store, _):
        for person in people:
            connect(store, person, f"of {person}")
    return people


def texts(store: Store, people: list[UserId]) -> list[str]:
    """Return what the people keep."""
    return [sealed_text(store, person) for person in people]


def test_every_step_of_a_change_has_a_point(place: Place):
    """What is not named here would not be tried below."""
    settled(place)
    reached: dict[str, None] = {}
    with place.started() as (_, rotation), armed(reached.setdefault):
        rotate(rotation)
        rotation.destroy_retired()
    assert list(reached) == [*CHANGE, *DESTROY]


@pytest.mark.parametrize("point", CHANGE)
def test_a_change_that_is_cut_off_goes_on_at_the_next_start(place: Place, point: str):
    """All opens in between; the change ends by itself or was never begun; afterwards the old key is not needed."""
    people, before = settled(place), load_keys(place.settings).master
    with place.started() as (_, rotation), armed(crash_at(point)), pytest.raises(Crash):
        rotate(rotation)
    with place.started() as (store, rotation):
        assert texts(store, people) == [f"of {person}" for person in people]
        rotation.resume()
        assert not rotation.is_unfinished
        is_changed = load_keys(place.settings).master != before
        assert is_changed is (point not in {"rotate.noted", "rotate.recorded"})
        if not is_changed:
            rotate(rotation)
        assert rotation.destroy_retired() == 1
        assert store.audit.verify().is_whole
    with place.started() as (store, _):
        assert texts(store, people) == [f"of {person}" for person in people]


@pytest.mark.parametrize("point", DESTROY)
def test_a_destruction_that_is_cut_off_loses_nothing(place: Place, point: str):
    """Old keys that a crash left are destroyed by the next call, and each call is in the audit log."""
    people = settled(place)
    with place.started() as (_, rotation):
        rotate(rotation)
        with armed(crash_at(point)), pytest.raises(Crash):
            rotation.destroy_retired()
    with place.started() as (store, rotation):
        assert texts(store, people) == [f"of {person}" for person in people]
        assert rotation.destroy_retired() == (point == "rotate.told")
        assert retired_masters(place.settings) == []
        assert store.audit.tally()[AuditAction.RETIRED_KEYS_DESTROYED] == 2


def test_without_the_new_key_nothing_opens(place: Place):
    """The test above could not fail if any key opened what is sealed."""
    settled(place)
    with place.started() as (_, rotation):
        rotate(rotation)
        rotation.destroy_retired()
    (place.settings.keys_folder / "master.key").unlink()
    with pytest.raises(ConfigurationError, match="master key"), place.started():
        pass


def _changes_amid_writers(settings: Settings, changes: int) -> int:
    """Change the master key again and again while people come, write and read; return how many came."""
    is_over, all_began = Event(), [Event() for _ in range(WRITERS)]
    with closing(open_store(settings, load_keys(settings), vector_size=SIZE)) as store:

        def live(begun: Event) -> dict[UserId, str]:
            kept: dict[UserId, str] = {}
            while not is_over.is_set():
                person = UserId(new_id())
                kept[person] = f"of {person}"
                connect(store, person, kept[person])
                assert texts(store, list(kept)[-3:]) == list(kept.values())[-3:]
                begun.set()
            return kept

        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(live, begun) for begun in all_began]
            try:
                for begun in all_began:
                    assert begun.wait(60)
                _change(store, settings, changes)
            finally:
                is_over.set()
        kept = {person: text for writer in writers for person, text in writer.result().items()}
    with closing(open_store(settings, load_keys(settings), vector_size=SIZE)) as store:
        assert texts(store, list(kept)) == list(kept.values())
        assert {entry.fields["user_id"] for entry in store.keyring.entries()} >= kept.keys()
    return len(kept)


def _change(store: Store, settings: Settings, changes: int) -> None:
    for _ in range(changes):
        before = load_keys(settings).master
        rotation = rotation_of(store, settings)
        rotate(rotation)
        assert rotation.destroy_retired() == 1
        assert load_keys(settings).master != before


def test_the_key_changes_while_others_write(tmp_path: Path):
    """Each retired key is destroyed at once, and still everything opens, what was written meanwhile included."""
    assert _changes_amid_writers(load_settings(data_dir=tmp_path), 2) >= WRITERS


@pytest.mark.deep
@pytest.mark.timeout(1800)
def test_the_key_changes_often_while_others_write(tmp_path: Path):
    """The same for a hundred changes."""
    assert _changes_amid_writers(load_settings(data_dir=tmp_path), 100) >= WRITERS


def _dies(*_: object) -> None:
    raise Crash


@pytest.mark.parametrize("call", ["os.link", "Path.replace"])
def test_a_change_that_is_cut_off_amid_files_goes_on(place: Place, call: str, monkeypatch: pytest.MonkeyPatch):
    """Between two files as well: before the old key is set aside, and before the new one takes its place."""
    people = settled(place)
    with place.started() as (_, rotation):
        rotation.begin()
        rotation.advance()
        monkeypatch.setattr(f"optimus.keys.{call}", _dies)
        with pytest.raises(Crash):
            rotation.finish()
        monkeypatch.undo()
    with place.started() as (store, rotation):
        assert texts(store, people) == [f"of {person}" for person in people]
        rotation.resume()
        assert not rotation.is_unfinished
        assert len(retired_masters(place.settings)) == 1
