"""Reading the search files into the system's cache after a start."""

import os
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


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, int, int]]:
    """Note what the system is asked for: the file's name, from where, and how much."""
    calls: list[tuple[str, int, int]] = []

    def advise(file: int, start: int, length: int, kind: int) -> None:
        assert kind == os.POSIX_FADV_WILLNEED
        calls.append((Path(f"/proc/self/fd/{file}").resolve().name, start, length))

    monkeypatch.setattr("os.posix_fadvise", advise)
    return calls


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


def test_every_search_file_is_asked_for_to_its_end_and_no_log(tmp_path, asked, monkeypatch):
    """What a search reads at random comes first."""
    lay_out(tmp_path)
    monkeypatch.setattr(read_ahead, "_available_bytes", lambda: 100 * MB)
    ReadAhead(tmp_path).wait()
    assert [(name, start) for name, start, _ in asked] == [
        ("page.dat", 0),
        ("matrix.dat", 0),
        ("matrix.dat", 8 * MB),
        ("links.bin", 0),
    ]


def test_no_more_is_asked_for_than_half_the_memory_holds(tmp_path, asked, monkeypatch):
    """A store may be larger than the memory: then what other programs have in the cache stays there."""
    lay_out(tmp_path)
    monkeypatch.setattr(read_ahead, "_available_bytes", lambda: 4 * MB)
    ReadAhead(tmp_path).wait()
    assert [name for name, _, _ in asked] == ["page.dat"]


def test_stopping_ends_it(tmp_path, monkeypatch):
    """A store that closes right after its start waits for one chunk of the disk at most."""
    lay_out(tmp_path)
    monkeypatch.setattr(read_ahead, "_available_bytes", lambda: 100 * MB)
    asking, stopping, calls = Event(), Event(), []

    def advise(*call: int) -> None:
        calls.append(call)
        asking.set()
        assert stopping.wait(10)

    monkeypatch.setattr("os.posix_fadvise", advise)
    reading = ReadAhead(tmp_path)
    assert asking.wait(10)
    with ThreadPoolExecutor() as pool:
        ending = pool.submit(reading.stop)
        while not reading.is_stopping:
            assert not ending.done()
        stopping.set()
        ending.result()
    assert len(calls) == 1


@pytest.mark.parametrize("wanted", [True, False])
def test_a_store_reads_ahead_unless_the_settings_say_no(tmp_path, asked, wanted: bool):
    """The files of a store that was there before its start are asked for."""
    settings = Settings.model_validate({"data_dir": tmp_path, "read_ahead": wanted})
    open_store(settings, KEYS).close()
    store = open_store(settings, KEYS)
    if store.ahead:
        store.ahead.wait()
    store.close()
    assert bool(asked) is wanted
