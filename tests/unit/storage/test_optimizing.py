"""Search indexes are built beside the store, and nothing on the way can harm it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

import pytest
from qdrant_client import QdrantClient, models

from optimus import process
from optimus.cli import main
from optimus.errors import StoreBrokenError, StoreLockedError, StoreUnavailableError
from optimus.settings import load_settings
from optimus.storage import collections, optimizing
from optimus.storage.client import EngineClient
from optimus.storage.collections import CollectionNames, collection_specs
from optimus.storage.edge import EdgeBackend
from optimus.storage.edge_registry import COPYING, OPTIMIZED, REPLACED, read_config
from optimus.storage.edge_shard import EdgeCollection
from optimus.storage.filters import all_of, equals, owned_by
from optimus.storage.index_choice import DEFAULTS, IndexChoice
from optimus.storage.inspection import StoreDamagedError, copy_folder, inspect
from optimus.storage.integrity import Tally, check_seal, read_state, write_state
from optimus.storage.trial import Tried, try_here

OWNER = "6f2c1a8e-3b1d-4f57-9a44-0c7a5e1d2b3f"
NAMES = CollectionNames()
POINTS = 450
EXACT = models.SearchParams(exact=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with 450 memories, closed."""
    folder = tmp_path / "store"
    client = _opened(folder)
    spec = next(spec for spec in collection_specs(NAMES) if spec.name == NAMES.memories)
    collections._create(client, spec, 4, collections.Spread(), DEFAULTS)
    points = [
        models.PointStruct(
            id=number, vector={"": [1.0, number, 2.0, 3.0], "ctx": [1.0, 2.0, number, 3.0]}, payload={"user_id": OWNER}
        )
        for number in range(1, POINTS + 1)
    ]
    client.upload_points(NAMES.memories, points)
    client.close()
    return folder


def _opened(folder: Path) -> QdrantClient:
    return EngineClient(EdgeBackend(folder))


def _order(root: Path, **choice) -> optimizing.Order:
    return optimizing.Order(root=str(root), prefix=NAMES.prefix, choice=IndexChoice.model_validate(choice))


def _count(root: Path) -> int:
    client = _opened(root)
    try:
        return client.count(NAMES.memories).count
    finally:
        client.close()


def test_changes_are_counted_until_the_next_optimization(root):
    """What was written is counted over restarts, and an optimization begins anew; all points are still there."""
    assert optimizing.changed_points(root) == POINTS
    steps = list(optimizing.optimize(_order(root)))
    assert [step.step for step in steps if step.collection == "memories"] == ["copying", "building", "saving", "done"]
    assert steps[-1].share == 1
    assert optimizing.changed_points(root) == 0
    assert _count(root) == POINTS


@pytest.mark.parametrize("quantization", ["one-bit", "off"])
def test_another_choice_is_applied_by_an_optimization(root, quantization):
    """Quantization and links change with the settings, in the store's own words as well, and nothing is lost."""
    list(optimizing.optimize(_order(root, quantization=quantization, hnsw_m=24)))
    client = _opened(root)
    config = client.get_collection(NAMES.memories).config
    found = client.query_points(
        NAMES.memories, query=[1.0, 5.0, 2.0, 3.0], using="", limit=1, search_params=EXACT
    ).points
    client.close()
    quantized = config.quantization_config
    assert (quantized is None) == (quantization == "off")
    assert config.hnsw_config.payload_m == 24
    assert [point.id for point in found] == [5]


@pytest.mark.parametrize("moment", ["copying", "building", "saving"])
def test_a_kill_leaves_the_store_whole(root, moment):
    """A child that is killed at any step leaves all points behind, and no trace after the next start."""
    child = subprocess.Popen(
        [sys.executable, "-m", "optimus.storage.optimizing"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child, cast("IO[str]", child.stdin) as orders, cast("IO[str]", child.stdout) as steps:
        orders.write(_order(root).model_dump_json())
        orders.close()
        for line in steps:
            told = json.loads(line)
            if (told["collection"], told["step"]) == ("memories", moment):
                os.kill(child.pid, signal.SIGKILL)
                break
    assert _count(root) == POINTS
    assert not list(root.glob(f"{COPYING}*"))


@pytest.mark.parametrize(
    ("there", "gone"),
    [
        ([OPTIMIZED], False),
        ([OPTIMIZED, REPLACED], True),
        ([REPLACED], False),
        ([REPLACED], True),
        ([COPYING], False),
    ],
)
def test_an_exchange_that_was_cut_off_is_put_right(root, there, gone):
    """Whatever of original, finished copy and replaced original a crash leaves, one whole collection opens."""
    original = root / NAMES.memories
    for prefix in there:
        copy_folder(original, root / f"{prefix}{NAMES.memories}")
    if gone:
        shutil.rmtree(original)
    assert _count(root) == POINTS
    assert not [path for path in root.iterdir() if path.name.startswith((".copying", ".optimized", ".replaced"))]


def test_an_open_store_is_left_alone(root):
    """While somebody has the store open, the child refuses and changes nothing."""
    client = _opened(root)
    with pytest.raises(StoreLockedError):
        optimizing.optimize_in_child(_order(root), lambda _: None)
    client.close()
    assert optimizing.changed_points(root) == POINTS


def test_without_room_nothing_begins(root, monkeypatch):
    """Where a copy would not fit on the disk, a sentence says how much is missing."""
    usage = shutil.disk_usage(root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1))
    with pytest.raises(StoreUnavailableError) as caught:
        list(optimizing.optimize(_order(root)))
    assert "free disk space" in caught.value.user_message
    assert _count(root) == POINTS


def test_an_index_is_due_after_many_changes_or_on_demand(root):
    """Above the setting's number it is due, below only where somebody wished it, once."""
    many = load_settings(data_dir=root.parent, optimize_after=POINTS - 1)
    few = load_settings(data_dir=root.parent, optimize_after=POINTS)
    assert optimizing.due_order(many) is not None
    assert optimizing.due_order(few) is None
    optimizing.wish(root)
    order = optimizing.due_order(few)
    assert order is not None
    list(optimizing.optimize(order))
    assert optimizing.due_order(few) is None


def test_the_start_builds_what_is_due_and_tells_of_it(root, monkeypatch):
    """The start builds first and shows how far it is; a failure does not keep Optimus from starting."""
    seen, told = [], []
    noted = process._note_building

    def note(building):
        noted(building)
        seen.append(process.building())
        told.append(process._why_closed())

    monkeypatch.setattr(process, "_note_building", note)
    process._build_index(load_settings(data_dir=root.parent, optimize_after=1))
    shares = [building.share for building in seen[:-1] if building]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1], seen[-1]) == (0, 1, None)
    assert all("building its search index" in sentence for sentence in told[:-1])
    assert told[-1] == process.STARTING
    assert optimizing.changed_points(root) == 0
    optimizing.wish(root)
    (root / NAMES.memories / "collection.json").write_text("{}")
    process._build_index(load_settings(data_dir=root.parent))
    assert process.building() is None


def test_a_copy_keeps_holes_and_content(tmp_path):
    """A copied file has the same bytes, and takes no more of the disk than its data."""
    (tmp_path / "from").mkdir()
    with (tmp_path / "from" / "log").open("wb") as file:
        file.write(b"begin")
        file.seek(32 * 1024 * 1024)
        file.write(b"end")
    copy_folder(tmp_path / "from", tmp_path / "to")
    assert (tmp_path / "to" / "log").read_bytes() == (tmp_path / "from" / "log").read_bytes()
    assert (tmp_path / "to" / "log").stat().st_blocks * 512 < 1024 * 1024


def test_a_delete_by_filter_is_made_in_short_calls(root, monkeypatch):
    """However many points match, no call of the engine names more than 200 of them."""
    client = _opened(root)
    calls: list[int] = []
    write_to = EdgeCollection.write_to

    def counted(self, ids, operation):
        calls.append(len(ids))
        write_to(self, ids, operation)

    monkeypatch.setattr(EdgeCollection, "write_to", counted)
    client.delete(NAMES.memories, points_selector=models.FilterSelector(filter=all_of(owned_by(OWNER))))
    left = client.count(NAMES.memories).count
    client.close()
    assert calls == [200, 200, 50]
    assert left == 0
    assert read_state(root / NAMES.memories).tally == Tally()


def test_changes_by_filter_and_by_id_are_followed(root):
    """After upserts, a delete by filter and one by ids, the noted checksum is that of the records that are left."""
    client = _opened(root)
    point_id = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
    named = {"user_id": OWNER, "type": "fact"}
    point = models.PointStruct(
        id=point_id, vector={"": [1.0, 2.0, 3.0, 4.0], "ctx": [1.0, 2.0, 3.0, 4.0]}, payload=named
    )
    client.upsert(NAMES.memories, [point])
    client.delete(NAMES.memories, points_selector=models.FilterSelector(filter=all_of(equals("type", "fact"))))
    client.delete(NAMES.memories, points_selector=models.PointIdsList(points=[1, 2]))
    client.close()
    tried = try_here(root / NAMES.memories)
    assert tried.points == POINTS - 2
    assert tried.whole == read_state(root / NAMES.memories).tally
    assert optimizing.changed_points(root) == POINTS + 4


def test_a_start_after_an_optimization_finds_everything_whole(root):
    """The optimized files count as closed in order, and their records as those that were there, with their checksum."""
    before = read_state(root / NAMES.memories).tally
    list(optimizing.optimize(_order(root, quantization="one-bit")))
    found = inspect(root, read_config)
    assert (found.damages, found.notices, found.tallies) == ([], [], {NAMES.memories: before})
    assert check_seal(root / NAMES.memories) == (before, ())
    (root / NAMES.memories / "sealed").unlink()
    assert _count(root) == POINTS


def test_a_damaged_store_is_left_to_the_rescue(root):
    """Where records are missing, nothing is optimized, and the next start still says that they are."""
    name = root / NAMES.memories
    write_state(name, Tally(POINTS + 1, 7))
    (name / "sealed").unlink()
    with pytest.raises(StoreDamagedError):
        list(optimizing.optimize(_order(root)))
    with pytest.raises(StoreDamagedError):
        _opened(root)
    assert optimizing.changed_points(root) == POINTS


def test_a_copy_with_other_records_never_takes_the_place(root, monkeypatch):
    """An optimized copy that lacks a record is thrown away; the original stays as it is."""
    monkeypatch.setattr(optimizing, "try_here", lambda _: Tried(None, POINTS, Tally(), Tally(POINTS, 1)))
    with pytest.raises(StoreBrokenError):
        list(optimizing.optimize(_order(root)))
    assert optimizing.changed_points(root) == POINTS
    assert _count(root) == POINTS


def test_the_command_builds_and_tells_how_far_it_is(root, monkeypatch, capsys):
    """`optimize` on a store that nobody has open builds at once; on a damaged one it fails and says what to do."""
    monkeypatch.setenv("OPTIMUS_DATA_DIR", str(root.parent))
    assert main(["optimize"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "The search indexes are built.\n"
    assert "memories (1 of 1): building the index of 450 records" in printed.err
    assert optimizing.changed_points(root) == 0
    (root / NAMES.memories / "collection.json").write_text("{}")
    assert main(["optimize"]) == 1
    assert "could not be built" in capsys.readouterr().err


def test_choices_are_the_settings(tmp_path):
    """Every choice of an index is a setting of the same name, with the same default."""
    assert optimizing.order_for(load_settings(data_dir=tmp_path)).choice == IndexChoice()
    chosen = load_settings(data_dir=tmp_path, quantization="one-bit", oversampling=8, search_ef=64)
    params = optimizing.order_for(chosen).choice.search_params()
    quantization = cast("models.QuantizationSearchParams", params.quantization)
    assert (quantization.rescore, quantization.oversampling, params.hnsw_ef) == (True, 8, 64)
