"""The embedded engine as the backend of a `QdrantClient`: Qdrant's own Rust engine, in this process.

One shard per collection, one folder each, one process at a time. The calls that Optimus and Mem0 make are implemented;
any other says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from qdrant_client.client_base import QdrantBase
from qdrant_client.conversions import common_types as types
from qdrant_client.http import models

from optimus.errors import ConfigurationError, StoreUnavailableError
from optimus.storage.edge_read import EdgeReads
from optimus.storage.edge_registry import EdgeRegistry
from optimus.storage.edge_schema import (
    from_edge_index,
    index_params,
    index_type,
    to_collection_config,
    to_edge_index,
    to_edge_vector_name,
    with_vector_name,
)
from optimus.storage.edge_shard import EdgeCollection, engine_errors
from optimus.storage.edge_write import EdgeWrites
from optimus.storage.folder import STORE_FOLDER, prepare_data_folder, require_room, unusable
from optimus.storage.validation import known_vector_names

_DONE = models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)


class EdgeBackend(EdgeReads, EdgeWrites):
    """The collections of one folder.

    Not fork-safe. Safe for threads: reads run side by side, the writes of one collection one after the other. Every
    call holds the GIL for its whole length, `sync` excepted.
    """

    def __init__(self, root: Path, *, search_threads: int = 1) -> None:
        """Open every collection under `root`, which is made when it is missing.

        Raises:
            StoreLockedError: another process, or this one, has the folder open.
            StoreUnavailableError: the folder cannot be read or written; the message is a plain sentence.
            StoreDamagedError: a collection cannot be opened, or does not hold what it held.
        """
        super().__init__()
        self._registry = EdgeRegistry(Path(root), search_threads=search_threads)
        self.notices = tuple(self._registry.inspection.notices)
        """What was noticed in opening that did not hinder it."""

    def sync(self) -> None:
        """Return once every write so far survives power loss, not only the end of the process.

        Raises:
            StoreUnavailableError: the disk refuses.
        """
        with engine_errors("sync"):
            for collection in self._registry.all():
                collection.sync()

    def flush(self) -> None:
        """Write out what is only in the logs, so that they can be trimmed: when idle and before a copy.

        Raises:
            StoreError: the engine or the disk refuses.
        """
        for collection in self._registry.all():
            collection.flush()

    def close(self, **_: Any) -> None:
        """Flush everything and release the folder; later calls raise, a second close does nothing."""
        self._registry.close()

    def info(self) -> types.VersionInfo:
        """Name the engine and its version."""
        return models.VersionInfo(title="qdrant-edge", version=version("qdrant-edge-py"))

    def get_collections(self, **_: Any) -> types.CollectionsResponse:
        """List the collections."""
        found = [models.CollectionDescription(name=collection.name) for collection in self._registry.all()]
        return models.CollectionsResponse(collections=found)

    def collection_exists(self, collection_name: str, **_: Any) -> bool:
        """Tell whether a collection exists."""
        return any(collection.name == collection_name for collection in self._registry.all())

    def get_aliases(self, **_: Any) -> types.CollectionsAliasesResponse:
        """Return that there are no aliases."""
        return models.CollectionsAliasesResponse(aliases=[])

    def get_collection(self, collection_name: str, **_: Any) -> types.CollectionInfo:
        """Describe a collection: configuration, indexes, and how many points, segments and indexed vectors it has.

        Raises:
            StoreError: no such collection.
        """
        collection = self._registry.get(collection_name)
        info = collection.read(lambda shard: shard.info())
        return models.CollectionInfo(
            status=models.CollectionStatus.RED if collection.is_broken else models.CollectionStatus.GREEN,
            optimizer_status=models.OptimizersStatusOneOf.OK,
            indexed_vectors_count=info.indexed_vectors_count,
            points_count=info.points_count,
            segments_count=info.segments_count,
            config=to_collection_config(collection.config),
            payload_schema={field: from_edge_index(index) for field, index in info.payload_schema.items()},
        )

    def create_collection(
        self,
        collection_name: str,
        vectors_config: types.VectorParams | Mapping[str, types.VectorParams] | None = None,
        sparse_vectors_config: Mapping[str, types.SparseVectorParams] | None = None,
        **options: Any,
    ) -> bool:
        """Make an empty collection. What concerns a cluster (shards, replicas) is ignored.

        Raises:
            AlreadyExistsError: the name is taken.
            StoreRejectedError: the name or the configuration is impossible.
        """
        kept = {name: value for name, value in options.items() if name in models.CreateCollection.model_fields}
        config = models.CreateCollection(
            vectors=dict(vectors_config) if isinstance(vectors_config, Mapping) else vectors_config,
            sparse_vectors=dict(sparse_vectors_config) if sparse_vectors_config else None,
            **kept,
        )
        self._registry.create(collection_name, config)
        return True

    def delete_collection(self, collection_name: str, **_: Any) -> bool:
        """Delete a collection with all its points; tell whether there was one."""
        return self._registry.delete(collection_name)

    def create_payload_index(
        self,
        collection_name: str,
        field_name: str,
        field_schema: Any = None,
        field_type: Any = None,
        **_: Any,
    ) -> types.UpdateResult:
        """Index a payload field.

        A bare type for a field that has an index of that type changes nothing: Mem0 asks for its indexes at every
        start, and would take the tenant mark from `user_id`.

        Raises:
            StoreError: no such collection, an impossible index.
        """
        collection = self._registry.get(collection_name)
        requested = field_schema if field_schema is not None else field_type
        is_bare = not hasattr(requested, "model_fields_set")
        with engine_errors(collection_name), collection.writing:
            params = index_params(requested)
            present = collection.read(lambda shard: shard.info()).payload_schema.get(field_name)
            known = from_edge_index(present) if present else None
            if known and known.data_type == index_type(params) and (is_bare or known.params == params):
                return _DONE
            collection.write(edge.UpdateOperation.create_field_index(field_name, to_edge_index(params)))
        return _DONE

    def delete_payload_index(self, collection_name: str, field_name: str, **_: Any) -> types.UpdateResult:
        """Remove the index of a payload field.

        Raises:
            StoreError: no such collection.
        """
        collection = self._registry.get(collection_name)
        with engine_errors(collection_name):
            collection.write(edge.UpdateOperation.delete_field_index(field_name))
        return _DONE

    def create_vector_name(
        self, collection_name: str, vector_name: str, vector_name_config: types.VectorNameConfig, **_: Any
    ) -> types.UpdateResult:
        """Add a vector to a collection; the engine learns it first, so that nothing it does not know passes us.

        Raises:
            StoreError: no such collection.
        """
        collection = self._registry.get(collection_name)
        with engine_errors(collection_name), collection.writing:
            collection.write(to_edge_vector_name(vector_name, vector_name_config))
            self._change_vectors(collection, vector_name, vector_name_config)
        return _DONE

    def delete_vector_name(self, collection_name: str, vector_name: str, **_: Any) -> types.UpdateResult:
        """Remove a vector from a collection and from all its points.

        Raises:
            StoreError: no such collection, or it has no such vector.
        """
        collection = self._registry.get(collection_name)
        with engine_errors(collection_name), collection.writing:
            known_vector_names([vector_name], collection.layout)
            self._change_vectors(collection, vector_name, None)
            collection.write(edge.UpdateOperation.delete_vector_name(vector_name))
        return _DONE

    def _change_vectors(self, collection: EdgeCollection, name: str, rest: types.VectorNameConfig | None) -> None:
        self._registry.save_config(collection, with_vector_name(collection.config, name, rest))


def open_embedded(data_dir: Path) -> EdgeBackend:
    """Open the embedded engine in a data folder, which is made when it is missing.

    Raises:
        ConfigurationError: the folder cannot be used.
        StoreLockedError: another process holds it.
        StoreDamagedError: a collection needs rescue.
    """
    prepare_data_folder(data_dir)
    try:
        (data_dir / STORE_FOLDER).mkdir(mode=0o700, exist_ok=True)
        is_new = next((data_dir / STORE_FOLDER).iterdir(), None) is None
    except OSError as exc:
        raise unusable(data_dir, exc) from exc
    if is_new:
        require_room(data_dir)
    try:
        return EdgeBackend(data_dir / STORE_FOLDER)
    except StoreUnavailableError as exc:
        raise ConfigurationError(exc.user_message) from exc


def _refuse_the_rest(backend: type[QdrantBase]) -> None:
    """Give every call that the backend does not implement a sentence that says so."""
    for name, method in vars(QdrantBase).items():
        if callable(method) and not name.startswith("_") and getattr(backend, name) is method:
            setattr(backend, name, _refusal(name))


def _refusal(name: str) -> Any:
    def refuse(*_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{name} is not offered by the embedded store; a Qdrant server has it")

    return refuse


_refuse_the_rest(EdgeBackend)
