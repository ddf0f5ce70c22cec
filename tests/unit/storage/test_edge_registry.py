"""The store's folder: whole collections or none, whatever happens, and plain words when it cannot be used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import qdrant_edge as edge
from qdrant_client import models as m

from optimus.errors import (
    AlreadyExistsError,
    NotFoundError,
    StoreBrokenError,
    StoreRejectedError,
    StoreUnavailableError,
)
from optimus.storage import edge_registry
from optimus.storage.edge import EdgeBackend
from optimus.storage.inspection import write_contents

VECTOR = m.VectorParams(size=2, distance=m.Distance.DOT)
NAME = "things"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A closed store with one collection of one point."""
    backend = EdgeBackend(tmp_path / "store")
    backend.create_collection(NAME, VECTOR)
    backend.upsert(NAME, [m.PointStruct(id=1, vector=[1.0, 2.0], payload={})])
    backend.close()
    return tmp_path / "store"


def names(root: Path) -> list[str]:
    """Open the store and return its collections."""
    backend = EdgeBackend(root)
    found = [collection.name for collection in backend.get_collections().collections]
    backend.close()
    return found


@pytest.mark.parametrize("missing", ["collection.json", "shard", None])
def test_what_was_cut_short_is_cleared_at_the_next_start(root, missing):
    """A collection that was being made or deleted, however far, is not there afterwards, and its name is free."""
    passing = root / ".passing-0"
    (root / NAME).rename(passing)
    write_contents(root, [])
    if missing == "shard":
        shutil.rmtree(passing / missing)
    elif missing:
        (passing / missing).unlink()
    assert names(root) == []
    assert not passing.exists()
    backend = EdgeBackend(root)
    backend.create_collection(NAME, VECTOR)
    assert backend.count(NAME).count == 0
    backend.close()


def test_a_collection_is_on_the_disk_before_it_exists(tmp_path, monkeypatch):
    """Its files are synced before the rename that brings it into being."""
    steps: list[str] = []
    rename = Path.rename

    def renamed(path: Path, target: Path) -> Path:
        steps.append("renamed")
        return rename(path, target)

    monkeypatch.setattr(edge_registry, "sync_tree", lambda folder: steps.append("synced"))
    monkeypatch.setattr(Path, "rename", renamed)
    backend = EdgeBackend(tmp_path)
    backend.create_collection(NAME, VECTOR)
    backend.close()
    assert steps == ["synced", "renamed"]


def test_a_failed_creation_leaves_nothing(tmp_path, monkeypatch):
    """A full disk on the way leaves no collection and no remains."""

    def refuse(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(edge_registry, "sync_tree", refuse)
    backend = EdgeBackend(tmp_path)
    with pytest.raises(StoreUnavailableError, match="is full"):
        backend.create_collection(NAME, VECTOR)
    assert not backend.collection_exists(NAME)
    backend.close()
    assert {path.name for path in tmp_path.iterdir()} <= {".lock", ".contents"}


def test_a_collection_without_its_configuration_is_kept_and_named(root):
    """Data that Optimus did not leave half made is never cleared: the message says which file is missing."""
    (root / NAME / "collection.json").unlink()
    with pytest.raises(StoreBrokenError, match=r"collection\.json"):
        EdgeBackend(root)
    assert (root / NAME / "shard").is_dir()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 99, "config": {}, "search_threads": 1}'])
def test_an_unreadable_configuration_is_named(root, text):
    """A damaged or a newer configuration stops the start with a sentence, and the folder stays free."""
    path = root / NAME / "collection.json"
    good = path.read_text()
    path.write_text(text)
    with pytest.raises(StoreBrokenError, match=r"collection\.json"):
        EdgeBackend(root)
    path.write_text(good)
    assert names(root) == [NAME]


def test_a_damaged_collection_is_named(root):
    """Files that the engine cannot read stop the start, and the folder stays free for a repair."""
    config = root / NAME / "shard" / "edge_config.json"
    good = config.read_text()
    config.write_text("damaged")
    with pytest.raises(StoreBrokenError, match=NAME):
        EdgeBackend(root)
    config.write_text(good)
    assert names(root) == [NAME]


def test_a_folder_that_is_a_file_is_named(tmp_path):
    """The message says what is wrong with which path and what to check."""
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreUnavailableError, match="store") as caught:
        EdgeBackend(tmp_path / "store")
    assert "Check that" in caught.value.user_message


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", ".lock", ".passing-1", "a b", "x" * 129, "a\x00"])
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path, name):
    """No name leads out of the store's folder or into its own files."""
    backend = EdgeBackend(tmp_path)
    with pytest.raises(StoreRejectedError):
        backend.create_collection(name, VECTOR)
    backend.close()
    assert {path.name for path in tmp_path.iterdir()} <= {".lock", ".contents"}


def test_a_refused_creation_leaves_nothing(root):
    """Neither a taken name nor an impossible configuration changes the folder."""
    backend = EdgeBackend(root)
    with pytest.raises(AlreadyExistsError):
        backend.create_collection(NAME, VECTOR)
    with pytest.raises(StoreRejectedError):
        backend.create_collection("empty", {})
    with pytest.raises(NotFoundError):
        backend.get_collection("empty")
    assert backend.count(NAME).count == 1
    backend.close()
    assert names(root) == [NAME]


def test_a_deleted_collection_leaves_no_file(root):
    """What is deleted does not stay on the disk."""
    backend = EdgeBackend(root)
    assert backend.delete_collection(NAME)
    assert not backend.delete_collection(NAME)
    backend.close()
    assert {path.name for path in root.iterdir()} <= {".lock", ".contents"}


def test_files_of_others_are_left_alone(root):
    """A folder or file that is no collection is neither opened nor cleared."""
    (root / "lost+found").mkdir()
    (root / "notes.txt").write_text("mine")
    assert names(root) == [NAME]
    assert (root / "lost+found").is_dir()
    assert (root / "notes.txt").read_text() == "mine"


def test_the_number_of_search_threads_can_change_later(root):
    """It is a property of the process, not of the collection."""
    for threads in (2, 1):
        backend = EdgeBackend(root, search_threads=threads)
        assert backend.count(NAME).count == 1
        backend.close()
        assert json.loads((root / NAME / "shard" / "edge_config.json").read_text())["max_search_threads"] == threads


def test_the_log_is_always_on(root):
    """Without it a killed process would lose what it acknowledged."""
    assert json.loads((root / NAME / "shard" / "edge_config.json").read_text())["wal_enabled"] is True


def test_a_collection_without_a_log_is_refused(root):
    """Files from elsewhere that keep no log would lose what is acknowledged: they are not opened."""
    shutil.rmtree(root / NAME / "shard")
    vectors = edge.EdgeVectorParams(size=2, distance=edge.Distance.Dot)
    edge.EdgeShard.create(str(root / NAME / "shard"), edge.EdgeConfig(vectors=vectors, wal_enabled=False)).close()
    with pytest.raises(StoreBrokenError, match="log"):
        EdgeBackend(root)


def test_the_engine_names_itself(root):
    """The admin page shows engine and version."""
    backend = EdgeBackend(root)
    assert backend.info().title == "qdrant-edge"
    assert backend.info().version
    backend.close()
