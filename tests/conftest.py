"""What all tests share."""

from collections.abc import Iterator

import pytest

from tests.world import World, running_world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files with browser tests last: Playwright keeps an event loop in the main thread, which others start anew."""
    browsing = {item.path for item in items if item.get_closest_marker("browser")}
    items.sort(key=lambda item: item.path in browsing)


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    """A whole Optimus in memory, with one user signed in."""
    with running_world(tmp_path) as opened:
        yield opened
