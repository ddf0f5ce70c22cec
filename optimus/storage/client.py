"""One `QdrantClient` for everybody, Mem0 included: our walls stand in its backend, in front of either engine."""

from __future__ import annotations

from typing import Any, Self

from qdrant_client import QdrantClient
from qdrant_client.client_base import QdrantBase


class EngineClient(QdrantClient):
    """A client over a backend of our own. There is one for each store: it closes the backend when it is collected.

    Mem0 copies its configuration deeply, client included, so a copy is the client itself.
    """

    def __init__(self, backend: QdrantBase) -> None:
        super().__init__(location=":memory:")
        self._client.close()
        self._client = backend
        self._is_closed = False

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def close(self, grpc_grace: float | None = None, **kwargs: Any) -> None:
        """Close the engine; closing twice does nothing."""
        if getattr(self, "_is_closed", True):
            return
        self._is_closed = True
        super().close(grpc_grace=grpc_grace, **kwargs)


def memory_backend() -> QdrantBase:
    """Return qdrant-client's backend in memory, for tests."""
    return taken_from(QdrantClient(location=":memory:"))


def taken_from(client: QdrantClient) -> QdrantBase:
    """Take a client's backend; the empty client left behind would close it on its own collection."""
    backend = client._client  # noqa: SLF001 - the client has no other way to hand its backend over
    del client._client  # noqa: SLF001 - the same
    return backend


def behind(client: QdrantClient) -> QdrantBase:
    """Return a client's backend, walls and all: the client in front of it copies every vector of a batch by value."""
    return client._client  # noqa: SLF001 - the client has no other way to it
