"""Reading the search files into the system's cache after a start."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from optimus.settings import Settings
from optimus.storage import read_ahead
from optimus.storage.read_ahead import ReadAhead
from optimus.storage.store import open_store
from tests.world import KEYS

MB = 1024**2


def lay_out(folder: Path) -> None:
    """Write files as the engine lays them out: searched ones of 9 and 1 MB, an index, and the log."""
    for name, size in (
        ("segments/a/index/links.bin", 1),
        ("segments/a/vector_storage/matrix.dat", 9),
        ("segments/a/payload_storage/page.dat", 1),
        ("wal/open-1", 1),
    ):
        path = folder / "optimus_memories/shard" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(size * MB))


def test_every_search_file_is_read_to_its_end_and_no_log(tmp_path, monkeypatch):
    """The log is no part of a search."""
    lay_out(tmp_path)
    monkeypatch.setattr(read_ahead, "_available_bytes", lambda: 100 * MB)
    reading = ReadAhead(tmp_path)
    reading.wait()
    assert reading.bytes_read == 11 * MB


def test_no_more_is_read_than_half_the_memory_holds(tmp_path, monkeypatch):
    """Where not all fits, what a search reads at random comes first, before the index."""
    lay_out(tmp_path)
    monkeypatch.setattr(read_ahead, "_available_bytes", lambda: 20 * MB)
    reading = ReadAhead(tmp_path)
    reading.wait()
    assert reading.bytes_read == 10 * MB


def test_stopping_ends_it(tmp_path, monkeypatch):
    """A store that closes right after its start does not wait until all is read."""
    lay_out(tmp_path)
    measured = Event()

    def measure() -> int:
        assert measured.wait(10)
        return 100 * MB

    monkeypatch.setattr(read_ahead, "_available_bytes", measure)
    reading = ReadAhead(tmp_path)
    with ThreadPoolExecutor() as pool:
        ending = pool.submit(reading.stop)
        while not reading.is_stopping:
            assert not ending.done()
        measured.set()
        ending.result()
    assert reading.bytes_read == 0


@pytest.mark.parametrize("wanted", [True, False])
def test_a_store_reads_ahead_unless_the_settings_say_no(tmp_path, wanted: bool):
    """The files of a store that was there before its start are read."""
    settings = Settings.model_validate({"data_dir": tmp_path, "read_ahead": wanted})
    open_store(settings, KEYS).close()
    store = open_store(settings, KEYS)
    if store.ahead:
        store.ahead.wait()
    store.close()
    assert bool(store.ahead and store.ahead.bytes_read) is wanted
