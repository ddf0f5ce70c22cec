"""Work that goes on in a thread while pages show how far it is."""

from __future__ import annotations

from threading import Event


class BackgroundJob:
    """One piece of work that runs or has ended. Safe from any thread."""

    def __init__(self, *, total: int = 0) -> None:
        """Take how many steps there are, where that is known already."""
        self.done, self.total = 0, total
        self.error = ""
        """Why it failed, in words for its owner; empty where it did not."""
        self._stopping = Event()
        self._ended = Event()

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or not."""
        return self._ended.is_set()

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end; tell whether it has come."""
        return self._ended.wait(timeout_s)

    def stop(self) -> None:
        """Ask it to end after its present step."""
        self._stopping.set()

    def end(self) -> None:
        """Say that it has ended."""
        self._ended.set()
