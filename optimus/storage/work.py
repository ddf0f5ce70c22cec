"""What the system remembers about itself, such as the embedding model that made the vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qdrant_client import QdrantClient

from optimus.models import stable_id
from optimus.storage.table import Table


class WorkRepository:
    """The `work` collection: named settings now, durable jobs beside them."""

    def __init__(self, *, client: QdrantClient, collection: str, sync: Callable[[], None]) -> None:
        self._settings = Table(client=client, collection=collection, kind="setting", sync=sync)

    def setting(self, name: str) -> dict[str, Any] | None:
        """Return a setting, or None where it was never set."""
        row = self._settings.get(stable_id("setting", name))
        return dict(row.payload["value"]) if row else None

    def set_setting(self, name: str, value: dict[str, Any]) -> None:
        """Store a setting over the one before; returns after a sync to disk."""
        self._settings.put(stable_id("setting", name), {"name": name, "value": value}, critical=True)
