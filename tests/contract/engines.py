"""The engines under contract, behind one small face."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from qdrant_client import QdrantClient
from qdrant_client.http import models

from optimus.settings import Settings
from optimus.storage.client import EngineClient
from optimus.storage.edge import EdgeBackend
from optimus.storage.server import ServerGuard, open_server
from tests.fakes.qdrant_server import FakeQdrant


class Engine:
    """A client with the collections that a test made on it."""

    name = "memory"

    def __init__(self) -> None:
        self.client = self.open()
        self._made: list[str] = []

    def open(self) -> QdrantClient:
        """Connect."""
        return QdrantClient(":memory:")

    def make(self, **config: Any) -> str:
        """Create a collection of a name that nobody else uses."""
        name = f"contract_{uuid4().hex}"
        self.client.create_collection(name, **config)
        self._made.append(name)
        return name

    def reopen(self) -> None:
        """Close the engine and open it again, where that means something."""

    def clear(self) -> None:
        """Delete what was made."""
        while self._made:
            self.client.delete_collection(self._made.pop())

    def close(self) -> None:
        """Clear and disconnect."""
        self.clear()
        self.client.close()


class EdgeEngine(Engine):
    """The embedded engine in a folder."""

    name = "edge"

    def __init__(self, root: Path) -> None:
        self.root = root
        super().__init__()

    def open(self) -> QdrantClient:
        """Open the folder."""
        return EngineClient(EdgeBackend(self.root))

    def reopen(self) -> None:
        """Close the folder and open it again: what a restart would find."""
        self.client.close()
        self.client = self.open()


class BatchingGuard(ServerGuard):
    """The guard that stands before a server, with the one call that the contract holds and Optimus never makes."""

    def batch_update_points(self, collection_name: str, update_operations: Any, **_: Any) -> Any:
        """Pass the call on."""
        return self._pass("batch_update_points", collection_name, {"update_operations": update_operations})


class ServerEngine(Engine):
    """A server behind the guard that Optimus puts before it."""

    name = "server"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def open(self) -> QdrantClient:
        """Connect as the settings say."""
        opened = open_server(self.settings)
        return EngineClient(BatchingGuard(opened._inner, link=opened.link))


class FakeServerEngine(ServerEngine):
    """A server on loopback: all of the wire between, little of the engine behind."""

    def __init__(self, *, by_grpc: bool) -> None:
        self.server = FakeQdrant()
        super().__init__(self.server.settings(qdrant_prefer_grpc=by_grpc))

    def close(self) -> None:
        """Disconnect, and stop the server."""
        super().close()
        self.server.close()


def plain(vector: Any) -> Any:
    """Return a vector, or vectors by name, in a form that compares: numbers rounded, sparse ones as a mapping."""
    if isinstance(vector, dict):
        return {name: plain(value) for name, value in vector.items()}
    if isinstance(vector, models.SparseVector):
        return {index: round(value, 4) for index, value in zip(vector.indices, vector.values, strict=True)}
    return [round(number, 4) for number in vector] if vector is not None else None


def contents(client: QdrantClient, collection: str) -> dict[Any, tuple[Any, Any]]:
    """Return everything that a collection holds: id to payload and vectors."""
    points, following = client.scroll(collection, limit=1000, with_vectors=True)
    assert following is None
    return {point.id: (point.payload or {}, plain(point.vector)) for point in points}


def found(points: list[Any], places: int = 3) -> list[tuple[Any, float]]:
    """Return ids with rounded scores, best first."""
    return [(point.id, round(point.score, places)) for point in points]
