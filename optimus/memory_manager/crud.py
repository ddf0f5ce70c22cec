"""Add, rewrite and delete one memory: the port, and its two forms, direct and through Mem0."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol

from optimus.embedding import Embedder
from optimus.memory_manager import versions
from optimus.memory_manager.shelf import Shelf
from optimus.models import Clock, Memory, UserId
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.memory_index import MemoryIndex


class MemoryCrud(Protocol):
    """Where the Memory page's single additions, edits and deletions go."""

    def add(self, owner: UserId, memory: Memory) -> None:
        """Store a new memory."""

    def update(self, owner: UserId, memory: Memory, *, expected_version: int) -> None:
        """Store the next version of a memory, with another text.

        Raises:
            ConflictError: the stored one is not at the expected version.
        """

    def delete(self, owner: UserId, memory: Memory) -> None:
        """Take a memory out of use; it stays recoverable.

        Raises:
            ConflictError: the memory was changed in between.
        """

    def warm(self) -> None:
        """Load what is slow to load."""


class DirectCrud:
    """Straight to the index, without Mem0's library: for tests, and where its import is not wanted."""

    def __init__(self, *, shelf: Shelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock

    def add(self, owner: UserId, memory: Memory) -> None:
        """Store a new memory."""
        self._shelf.write(owner, memory)

    def update(self, owner: UserId, memory: Memory, *, expected_version: int) -> None:
        """Store the next version of a memory, with another text.

        Raises:
            ConflictError: the stored one is not at the expected version.
        """
        self._shelf.write(owner, memory, expected_version=expected_version)

    def delete(self, owner: UserId, memory: Memory) -> None:
        """Take a memory out of use; it stays recoverable.

        Raises:
            ConflictError: the memory was changed in between.
        """
        self._shelf.index.replace(owner, versions.forgotten(memory, now=self._clock()), memory.version)

    def warm(self) -> None:
        """There is nothing to load."""


class LazyCrud:
    """Another `MemoryCrud` that is opened on first use: importing Mem0 costs seconds."""

    def __init__(self, open_crud: Callable[[], MemoryCrud]) -> None:
        self._open = open_crud
        self._opened: MemoryCrud | None = None
        self._lock = Lock()

    def add(self, owner: UserId, memory: Memory) -> None:
        """Store a new memory."""
        self._crud().add(owner, memory)

    def update(self, owner: UserId, memory: Memory, *, expected_version: int) -> None:
        """Store the next version of a memory, with another text.

        Raises:
            ConflictError: the stored one is not at the expected version.
        """
        self._crud().update(owner, memory, expected_version=expected_version)

    def delete(self, owner: UserId, memory: Memory) -> None:
        """Take a memory out of use; it stays recoverable.

        Raises:
            ConflictError: the memory was changed in between.
        """
        self._crud().delete(owner, memory)

    def warm(self) -> None:
        """Open it now."""
        self._crud().warm()

    def _crud(self) -> MemoryCrud:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened


def through_mem0(
    *, client: Any, collection: str, index: MemoryIndex, embedder: Embedder, encoder: Bm25Encoder, clock: Clock
) -> MemoryCrud:
    """Return the CRUD of the `memories` collection through `mem0.Memory`; the library loads on first use."""

    def open_crud() -> MemoryCrud:
        from optimus.memory_manager.mem0 import EngineMemory, Mem0Crud  # noqa: PLC0415

        shelf = Shelf(index=index, embedder=embedder, encoder=encoder)
        return Mem0Crud(EngineMemory(client=client, collection=collection, shelf=shelf, encoder=encoder, clock=clock))

    return LazyCrud(open_crud)
