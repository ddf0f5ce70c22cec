"""Answers that ended while the store was away are stored later, in order and once."""

from threading import Event

import pytest

from optimus.endings import Endings
from optimus.errors import NotFoundError, StoreUnavailableError


class Shelf:
    """Takes results while it is there."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.is_away = False
        self.filled = Event()

    def write(self, result: str) -> None:
        if self.is_away:
            raise StoreUnavailableError("away")
        if result == "gone":
            raise NotFoundError("conversation")
        self.stored.append(result)
        self.filled.set()


@pytest.fixture
def shelf():
    """Where results go."""
    return Shelf()


def keep(endings: Endings[str], shelf: Shelf, *results: str) -> None:
    """Let results end while the shelf is away."""
    shelf.is_away = True
    for result in results:
        with pytest.raises(StoreUnavailableError):
            endings.store(shelf.write, result)


def test_what_was_kept_is_stored_in_order_and_once(shelf):
    """Nothing is lost, a second catching up finds nothing, and what can never be stored holds nothing up."""
    endings: Endings[str] = Endings(pause_s=60)
    endings.store(shelf.write, "first")
    keep(endings, shelf, "second", "gone", "third")
    with pytest.raises(StoreUnavailableError):
        endings.catch_up()
    shelf.is_away = False
    assert endings.catch_up() == 2
    assert endings.catch_up() == 0
    assert shelf.stored == ["first", "second", "third"]
    endings.close()


def test_nobody_has_to_ask_for_it(shelf):
    """A store that was away for a moment only is found again without anything else happening."""
    endings: Endings[str] = Endings(pause_s=0.01)
    keep(endings, shelf, "only")
    shelf.is_away = False
    assert shelf.filled.wait(10)
    assert shelf.stored == ["only"]
    endings.close()
