"""The embedded store and the ends of processes: killed, or two of them at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from qdrant_client import models as m

from optimus.errors import StoreLockedError
from optimus.storage.edge import EdgeBackend
from tests.unit.storage.edge_writer import GROUP, NAME

ROOT = Path(__file__).parents[3]
ENOUGH = 60


def start_writer(root: Path, start: int) -> subprocess.Popen[str]:
    """Start a process that writes until it is killed."""
    command = [sys.executable, "-m", "tests.unit.storage.edge_writer", str(root), str(start)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def kill_amid_writing(root: Path, start: int) -> tuple[list[int], set[int]]:
    """Return the groups and the deletions that a writer had acknowledged when it was killed."""
    groups, deleted = [], set()
    with start_writer(root, start) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            what, number = line.split()
            if what == "wrote":
                groups.append(int(number))
            else:
                deleted.add(int(number))
            if len(groups) == ENOUGH:
                writer.kill()
    return groups, deleted


def doomed(group: int) -> set[int]:
    """Return what the writer deletes of a group; at the kill it may be deleted already, acknowledged or not."""
    return {group * GROUP} if group % 2 else set()


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path):
    """After kill -9, twice: every acknowledged group is there, whole, and what was deleted stays away."""
    root = tmp_path / "store"
    written: list[int] = []
    gone: set[int] = set()
    for _ in range(2):
        groups, deleted = kill_amid_writing(root, max(written, default=-1) + 1)
        written, gone = written + groups, gone | deleted
        backend = EdgeBackend(root)
        points, _ = backend.scroll(NAME, limit=10_000)
        counted = {int(hit.value): hit.count for hit in backend.facet(NAME, "group", limit=10_000, exact=True).hits}
        backend.close()
        found = {point.id for point in points}
        kept = {n for group in written for n in range(group * GROUP, (group + 1) * GROUP) if n not in doomed(group)}
        assert kept <= found
        assert not gone & found
        assert all(counted[group] >= GROUP - group % 2 for group in counted)
        assert sum(counted.values()) == len(points)
        written = list(counted)
    assert len(written) >= 2 * ENOUGH


def test_a_second_process_is_told_that_the_folder_is_in_use(tmp_path):
    """While one process has the store, another gets a plain error; once it is dead, nothing is left to clear."""
    root = tmp_path / "store"
    with start_writer(root, 0) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(StoreLockedError):
            EdgeBackend(root)
        writer.kill()
    EdgeBackend(root).close()


def test_a_second_opening_in_one_process_is_refused_too(tmp_path):
    """One handle per folder; closing gives it free, for an empty store as well."""
    first = EdgeBackend(tmp_path)
    with pytest.raises(StoreLockedError):
        EdgeBackend(tmp_path)
    first.create_collection("a", m.VectorParams(size=2, distance=m.Distance.DOT))
    with pytest.raises(StoreLockedError):
        EdgeBackend(tmp_path)
    first.close()
    EdgeBackend(tmp_path).close()
