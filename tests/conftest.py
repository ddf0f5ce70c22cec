"""What all tests share."""

import gc
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from qdrant_client.embed import type_inspector

from optimus.auth import passwords
from tests.world import World, running_world

_IN_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 8 * 1024**3


def pytest_configure() -> None:
    """Let tests share what thousands of them would make anew, and keep their files in memory where there is room.

    They sync so often that the disk would set their pace.
    """
    type_inspector.ModelSchemaParser = cache(type_inspector.ModelSchemaParser)  # type: ignore[attr-defined, assignment]
    passwords._estimate = cache(passwords._estimate)
    if _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > _ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_IN_MEMORY))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark browser tests and run their files last: Playwright keeps a loop in the thread where others start one.

    Of them the files with most tests come first, so that no worker is left alone with a long one.
    """
    browsing = [item for item in items if "browser" in getattr(item, "fixturenames", ())]
    for item in browsing:
        item.add_marker("browser")
    counts = Counter(item.path for item in browsing)
    items.sort(key=lambda item: (item.path in counts, -counts[item.path]))


def pytest_collection_finish() -> None:
    """Collect garbage less often, and never among what the collected tests consist of."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    """A whole Optimus in memory, with one user signed in."""
    with running_world(tmp_path) as opened:
        yield opened
