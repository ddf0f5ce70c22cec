"""What all tests share."""

from collections.abc import Iterator

import pytest

from tests.world import World, running_world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the browser tests last: Playwright keeps an event loop in the main thread, which others start anew."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    """A whole Optimus in memory, with one user signed in."""
    with running_world(tmp_path) as opened:
        yield opened
