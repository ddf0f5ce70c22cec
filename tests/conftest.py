"""What all tests share."""

from collections.abc import Iterator

import pytest

from tests.world import World, running_world


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    """A whole Optimus in memory, with one user signed in."""
    with running_world(tmp_path) as opened:
        yield opened
