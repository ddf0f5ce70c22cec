"""What all tests share."""

from collections.abc import Iterator

import pytest

from tests.world import World, running_world


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark browser tests and run their files last: Playwright keeps a loop in the thread where others start one."""
    browsing = [item for item in items if "browser" in getattr(item, "fixturenames", ())]
    for item in browsing:
        item.add_marker("browser")
    paths = {item.path for item in browsing}
    items.sort(key=lambda item: item.path in paths)


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    """A whole Optimus in memory, with one user signed in."""
    with running_world(tmp_path) as opened:
        yield opened
