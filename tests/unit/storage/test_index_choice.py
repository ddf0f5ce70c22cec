"""What the settings say about indexes reaches the engine, at creation and in every search."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import models
from qdrant_client.http.models import QueryResponse

from optimus.models import UserId, new_id
from optimus.settings import Settings, load_settings
from optimus.storage.bm25 import SparseWeights
from optimus.storage.collections import CollectionNames
from optimus.storage.edge import open_embedded
from optimus.storage.index_choice import DEFAULTS, IndexChoice
from optimus.storage.integrity import data_of
from optimus.storage.memory_index import MemoryIndex
from optimus.storage.records import MemoryFilter, QueryVectors
from optimus.storage.store import open_store
from tests.world import KEYS

NAMES = CollectionNames()


@pytest.mark.parametrize("on_disk", [True, False])
def test_originals_lie_where_the_settings_say_and_quantized_vectors_in_memory(tmp_path, on_disk: bool):
    """So does the engine's own file say, for both kinds of vectors; payloads lie on the disk."""
    chosen = {"vectors_on_disk": on_disk, "hnsw_m": 24, "hnsw_ef_construct": 80, "full_scan_kb": 9_000}
    settings = Settings.model_validate({"data_dir": tmp_path, **chosen})
    store = open_store(settings, KEYS)
    config: Any = store.client.get_collection(NAMES.memories).config
    store.close()
    assert config.params.on_disk_payload
    assert config.quantization_config.binary.always_ram
    engine = json.loads(next((tmp_path / "store" / NAMES.memories).rglob("edge_config.json")).read_text())
    vectors = engine["vectors"]
    assert {name: bool(vector.get("on_disk")) for name, vector in vectors.items()} == {"": on_disk, "ctx": on_disk}
    links = engine["hnsw_config"]
    assert (links["m"], links["payload_m"], links["ef_construct"], links["full_scan_threshold"]) == (0, 24, 80, 9_000)


def test_a_search_scores_the_best_again_with_whole_vectors():
    """Both searches by meaning do, as widely as the settings say; so the shortened vectors cost nothing found."""
    asked: list[Any] = []

    class Backend:
        def query_batch_points(self, _: str, requests: list[Any]) -> list[Any]:
            asked.extend(requests)
            return [QueryResponse(points=[]) for _ in requests]

    choice = IndexChoice(oversampling=3.0, search_ef=99)
    index = MemoryIndex(backend=Backend(), collection="c", sync=lambda: None, choice=choice)  # type: ignore[arg-type]
    query = QueryVectors(dense=[0.1], sparse=SparseWeights(indices=[1], values=[1.0]))
    index.legs(UserId(new_id()), query, MemoryFilter(), 7)
    by_meaning = [each.params for each in asked if each.using in ("", "ctx")]
    assert len(by_meaning) == 2
    for params in by_meaning:
        assert params == choice.search_params() != DEFAULTS.search_params()
        assert (params.hnsw_ef, params.quantization.rescore, params.quantization.oversampling) == (99, True, 3.0)


def test_a_full_disk_is_named_at_the_start(tmp_path, monkeypatch):
    """It is not the folder's owner that is wrong; and nothing is lost."""
    open_embedded(tmp_path).close()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("optimus.storage.edge_registry.write_contents", full)
    backend = open_embedded(tmp_path)
    with pytest.raises(Exception, match="is full"):
        backend.create_collection("c", vectors_config={}, sparse_vectors_config={"none": models.SparseVectorParams()})
    backend.close()


def test_the_written_parts_of_a_file_come_in_whole_blocks(tmp_path, monkeypatch):
    """However small the blocks of the file system are: else a copy on another one would look changed."""
    path: Path = tmp_path / "file"
    path.write_bytes(b"a" * 5_000 + bytes(20_000))
    seek = os.lseek

    def small_blocks(handle: int, offset: int, whence: int) -> int:
        if whence == os.SEEK_HOLE:
            return 5_120
        return 5_120 * 10**6 if whence == os.SEEK_DATA and offset >= 5_120 else seek(handle, offset, whence)

    monkeypatch.setattr("os.lseek", small_blocks)
    with path.open("rb") as file:
        offset, chunk = next(data_of(file.fileno()))
    assert (offset, len(chunk)) == (0, 8_192)


def test_the_defaults_are_those_of_the_settings():
    """Who opens a store without settings gets the same indexes."""
    settings = load_settings()
    assert {name: getattr(settings, name) for name in IndexChoice.model_fields} == DEFAULTS.model_dump()
