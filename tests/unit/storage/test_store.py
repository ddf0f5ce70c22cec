import errno
import gc
import os
import re
import subprocess
import sys
from contextlib import closing
from copy import copy, deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from optimus.errors import (
    ConfigurationError,
    NotFoundError,
    StoreLockedError,
    StoreRejectedError,
    StoreUnavailableError,
)
from optimus.models import new_id, stable_id
from optimus.settings import load_settings
from optimus.storage.client import taken_from
from optimus.storage.collections import CollectionNames, collection_specs, create_collections
from optimus.storage.filters import all_of, owned_by
from optimus.storage.folder import prepare_data_folder
from optimus.storage.migrations import FORMAT
from optimus.storage.records import Event
from optimus.storage.store import open_store
from optimus.storage.tenancy import across_tenants, acting_as
from tests.unit.storage.conftest import KEYS, SIZE, START, vector

OPEN_AND_SAY_WHY_NOT = """
import sys
from pathlib import Path
from optimus.errors import StoreLockedError
from optimus.keys import Keys
from optimus.settings import load_settings
from optimus.storage.store import open_store
keys = Keys(jwt=b"j" * 32, pepper=b"p" * 32, master=b"m" * 32)
try:
    open_store(load_settings(data_dir=Path(sys.argv[1])), keys, vector_size=8).close()
except StoreLockedError as exc:
    print(exc.user_message)
"""
WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from optimus.keys import Keys
from optimus.settings import load_settings
from optimus.storage.store import open_store
keys = Keys(jwt=b"j" * 32, pepper=b"p" * 32, master=b"m" * 32)
store = open_store(load_settings(data_dir=Path(sys.argv[1])), keys, vector_size=8)
store.work.set_setting("written", {"by": "the process that died"})
os.kill(os.getpid(), signal.SIGKILL)
"""

START_AS_SOMEBODY_ELSE = """
import os, sys
from pathlib import Path
from optimus.errors import ConfigurationError
from optimus.services import build_services
from optimus.settings import load_settings
settings = load_settings(data_dir=Path(sys.argv[1]))
os.setuid(65534)
try:
    build_services(settings)
except ConfigurationError as exc:
    print(exc.user_message)
"""


def run(program: str, folder: Path) -> str:
    """Run a program in a process of its own and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode in (0, -9), done.stderr
    return done.stdout


def test_check_leaves_nothing_behind(store):
    """The probe proves that the store writes, reads and syncs, and is gone afterwards."""
    first, second = store.check(), store.check()

    assert first.engine == store.engine
    assert set(first.collections) == {spec.name for spec in collection_specs(store.names)}
    assert second.collections == first.collections


def test_check_of_a_closed_store_fails(embedded):
    """A store that is closed does not look healthy."""
    store = embedded.open()
    embedded.close()

    with pytest.raises(StoreUnavailableError):
        store.check()


def test_closing_twice_does_nothing(place, store):
    """Closing again, by hand or by the collector, is no error."""
    place.close()
    place.close()
    store.client.close()
    with pytest.raises(StoreUnavailableError):
        store.check()


def test_second_process_gets_a_plain_message(embedded):
    """A second process on the same folder is told so, and the first goes on."""
    store = embedded.open()

    assert "Another Optimus already uses this data folder" in run(OPEN_AND_SAY_WHY_NOT, embedded.folder)
    assert store.check()


def test_second_store_in_one_process_is_refused(embedded):
    """The folder has one owner also within a process."""
    embedded.open()

    with pytest.raises(StoreLockedError):
        open_store(load_settings(data_dir=embedded.folder), KEYS, vector_size=SIZE)


def test_killed_process_leaves_an_open_folder(embedded):
    """After a process was killed the next one opens the folder by itself and finds what was written."""
    embedded.close()

    run(WRITE_AND_DIE, embedded.folder)

    assert embedded.open().work.setting("written") == {"by": "the process that died"}


def test_data_folder_is_private(embedded):
    """Nobody but the owner can look into the data folder."""
    embedded.open()

    assert Path(embedded.folder).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("obstacle", ["a file", "a file inside", "a folder as lock"])
def test_unusable_folder_gets_a_sentence(tmp_path, obstacle):
    """A data folder that cannot be used ends in a sentence that names the folder."""
    folder = tmp_path / "data"
    if obstacle == "a file":
        folder.write_text("x")
    elif obstacle == "a file inside":
        folder.mkdir()
        (folder / "store").write_text("x")
    else:
        (folder / "store" / ".lock").mkdir(parents=True)

    with pytest.raises(ConfigurationError, match=re.escape(str(folder))):
        open_store(load_settings(data_dir=folder), KEYS, vector_size=SIZE)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_folder_gets_a_sentence(tmp_path):
    """A data folder of somebody else ends in a sentence."""
    parent = tmp_path / "closed"
    parent.mkdir(mode=0o500)

    with pytest.raises(ConfigurationError, match="OPTIMUS_DATA_DIR"):
        open_store(load_settings(data_dir=parent / "data"), KEYS, vector_size=SIZE)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root may become somebody else")
def test_a_folder_of_somebody_else_gets_a_sentence(tmp_path):
    """Below a folder that may not be entered, the sentence names the data folder, before any key is looked for."""
    tmp_path.chmod(0o700)
    folder = tmp_path / "data"

    assert f"The data folder {folder} cannot be used: Permission denied." in run(START_AS_SOMEBODY_ELSE, folder)


def test_a_read_only_place_gets_a_sentence(tmp_path, monkeypatch):
    """A folder that exists but takes no files ends in a sentence that says so."""

    def refuse(*_args: object, **_named: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(ConfigurationError, match=f"{re.escape(str(tmp_path))} cannot be used: Read-only file system"):
        prepare_data_folder(tmp_path)


@pytest.mark.parametrize("version", [FORMAT + 1, "two", None])
def test_a_newer_format_is_refused(tmp_path, monkeypatch, version):
    """A store of a later version is not opened by this one, and the later one opens it as it was."""
    settings = load_settings(data_dir=tmp_path / "data")
    with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
        assert store.work.setting("format") == {"version": FORMAT}
        store.work.set_setting("format", {"version": version})

    with pytest.raises(ConfigurationError, match="A newer Optimus made this store"):
        open_store(settings, KEYS, vector_size=SIZE)
    if isinstance(version, int):
        monkeypatch.setattr("optimus.storage.migrations.FORMAT", version)
        with closing(open_store(settings, KEYS, vector_size=SIZE)) as store:
            assert store.work.setting("format") == {"version": version}


def test_a_store_without_a_format_is_of_the_first(embedded, alice):
    """A store from before formats were counted opens with what it holds, and is marked from then on."""
    event = Event(id=new_id(), user_id=alice, kind="turn", at=START)
    store = embedded.open()
    with across_tenants():
        store.client.delete(store.names.work, points_selector=[stable_id("setting", "format")])
    store.events.append(event)

    store = embedded.open()
    assert store.events.of(alice) == [event]
    assert store.work.setting("format") == {"version": FORMAT}


def test_other_vector_size_is_refused(embedded):
    """A model with other vectors than those stored is refused with a sentence."""
    embedded.close()

    with pytest.raises(ConfigurationError, match=r"size 8.*OPTIMUS_COLLECTION_PREFIX"):
        open_store(load_settings(data_dir=embedded.folder), KEYS, vector_size=SIZE * 2)


def test_unreachable_server_is_unavailable(tmp_path):
    """A server that does not answer is one error of ours, whatever the client raised."""
    for prefer_grpc in (True, False):
        settings = load_settings(
            data_dir=tmp_path,
            qdrant_url="http://127.0.0.1:9",
            qdrant_grpc_port=9,
            qdrant_timeout_s=1,
            qdrant_prefer_grpc=prefer_grpc,
        )
        with pytest.raises(StoreUnavailableError):
            open_store(settings, KEYS, vector_size=SIZE)


def test_collections_have_their_indexes(embedded):
    """Every field that is filtered on has an index; only the owner's links points."""
    store = embedded.open()
    for spec in collection_specs(store.names):
        info = store.client.get_collection(spec.name)
        assert set(info.payload_schema) == {"user_id", *spec.indexes}
        assert info.payload_schema["user_id"].params.is_tenant is True
    memories = store.client.get_collection(store.names.memories).config.params
    assert set(memories.vectors) == {"", "ctx"}
    assert set(memories.sparse_vectors) == {"bm25", "bm25_ctx"}


def test_creating_collections_again_changes_nothing(store, alice):
    """What exists is kept, with its records."""
    with acting_as(alice):
        store.client.upsert(
            store.names.memories,
            points=[models.PointStruct(id=new_id(), vector={"": vector(1)}, payload={"user_id": alice})],
        )
    create_collections(store.client, store.names, SIZE)

    assert store.client.count(store.names.memories, count_filter=all_of(owned_by(alice))).count == 1


def test_a_client_whose_backend_was_taken_closes_nothing():
    """A client closes its backend when it is collected, so what is left behind must not hold it any more."""
    client = QdrantClient(location=":memory:")
    backend = taken_from(client)
    del client
    gc.collect()
    backend.create_collection("any", vectors_config={})
    assert backend.collection_exists("any")


def test_copies_of_the_client_are_the_client(memory_store):
    """Mem0 copies its configuration; the copy neither opens nor closes anything."""
    client = memory_store.client

    assert copy(client) is client
    assert deepcopy({"client": client})["client"] is client
    assert isinstance(client, QdrantClient)
    assert client


@pytest.mark.parametrize(
    "broken",
    [
        {"id": "not-an-id"},
        {"vector": {"": [1.0]}},
        {"vector": {"": [float("nan")] * SIZE}},
        {"vector": {"": [0.0] * SIZE}},
        {"vector": {"unknown": [1.0] * SIZE}},
        {"payload": {"deep": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}},
        {"payload": {"x": "y" * 300_000}},
        {"payload": {str(number): 1 for number in range(80)}},
    ],
)
def test_incomplete_points_are_refused_whole(place, store, alice, broken):
    """One point that breaks a limit keeps its whole write out, also after a restart."""
    good: dict[str, Any] = {"id": new_id(), "vector": {"": vector(1)}, "payload": {}}
    points = [
        models.PointStruct.model_construct(
            id=fields["id"], vector=fields["vector"], payload={"user_id": alice, **fields["payload"]}
        )
        for fields in (good, {**good, "id": new_id(), **broken})
    ]

    with pytest.raises(StoreRejectedError):
        store.client.upsert(store.names.memories, points=points)

    assert place.open().memories.count(alice) == 0


def test_unknown_collection_is_one_error(store, alice):
    """A collection that does not exist is one error of ours on either engine."""
    with pytest.raises((NotFoundError, StoreRejectedError)):
        store.client.scroll("nothing", scroll_filter=all_of(owned_by(alice)))


def test_events_are_kept_by_time_and_owner(place, store, alice, bob):
    """Events come back oldest first, within the times asked for, of one owner; rows of a kind also of all."""
    events = [
        Event(
            id=new_id(),
            user_id=alice if number < 3 else bob,
            kind="answer",
            at=START + timedelta(hours=number),
            data={"tokens": number, "model": "m", "ok": True, "cost": 0.5, "note": None},
        )
        for number in range(4)
    ]
    for event in reversed(events):
        store.events.append(event)
    store.events.append(events[0].model_copy(update={"kind": "again"}))

    repository = place.open().events
    assert repository.of(alice) == events[:3]
    assert repository.of(bob) == events[3:]
    assert {row.id for row in repository.records_of_all("answer")} == {event.id for event in events}
    assert repository.of(alice, events[1].at, events[2].at) == [events[1]]


def test_settings_are_kept(place, store):
    """A system setting is what was set last."""
    assert store.work.setting("model") is None
    store.work.set_setting("model", {"name": "a"})
    store.work.set_setting("model", {"name": "b", "size": 8})

    assert place.open().work.setting("model") == {"name": "b", "size": 8}


def test_names_carry_the_prefix():
    """Two installations on one server keep apart by their prefix."""
    names = CollectionNames(prefix="mine_")

    assert all(spec.name.startswith("mine_") for spec in collection_specs(names))
    assert set(names.sealed) | names.unowned == {spec.name for spec in collection_specs(names)}
