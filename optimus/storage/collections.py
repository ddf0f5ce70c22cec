"""The seven collections: their names, vectors, indexes, and which of their fields are sealed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from qdrant_client import models
from qdrant_client.client_base import QdrantBase

from optimus.errors import AlreadyExistsError, ConfigurationError
from optimus.settings import Settings
from optimus.storage.filters import OWNER_FIELD
from optimus.storage.index_choice import DEFAULTS, IndexChoice
from optimus.storage.sealing import SealedFields

DENSE, CTX, BM25, BM25_CTX = "", "ctx", "bm25", "bm25_ctx"
NO_VECTOR = "none"
"""The sparse vector that no record uses: a collection needs at least one vector."""


@dataclass(frozen=True, slots=True)
class CollectionNames:
    """The names of the collections under one prefix."""

    prefix: str = "optimus_"

    @property
    def memories(self) -> str:
        """Episodes and derived memories with their vectors."""
        return f"{self.prefix}memories"

    @property
    def memories_entities(self) -> str:
        """Mem0's entity records; Mem0 makes the name by itself."""
        return f"{self.prefix}memories_entities"

    @property
    def relations(self) -> str:
        """The graph: what memories name and state, and the people and things that they name."""
        return f"{self.prefix}relations"

    @property
    def conversations(self) -> str:
        """Conversations and their messages."""
        return f"{self.prefix}conversations"

    @property
    def accounts(self) -> str:
        """Users, sessions, tickets, limits, keys, connections, preferences."""
        return f"{self.prefix}accounts"

    @property
    def events(self) -> str:
        """Usage and audit."""
        return f"{self.prefix}events"

    @property
    def work(self) -> str:
        """Jobs, intents and system settings."""
        return f"{self.prefix}work"

    def plain(self, name: str) -> str:
        """Return the name by which everybody knows a collection: the memories lie in `memories_2`, too."""
        stem, _, number = name.rpartition("_")
        return stem if stem == self.memories and number.isdigit() else name

    @property
    def unowned(self) -> frozenset[str]:
        """The collections outside the tenancy wall; their repositories name the owner themselves."""
        return frozenset({self.accounts, self.events, self.work})

    @property
    def content(self) -> frozenset[str]:
        """The collections of what people say, the first to be refused where the disk is nearly full."""
        return frozenset({self.memories, self.memories_entities, self.relations, self.conversations})

    @property
    def sealed(self) -> dict[str, SealedFields]:
        """Which payload fields are sealed, by collection."""
        memory = {"data", "text_lemmatized", "hash", "history", "entities", "relations", "slot", "title", "heading"}
        account = frozenset({"username", "display_name", "time_zone", "api_key", "base_url", "label"})
        message = frozenset({"title", "text", "zone", "saved", "used", "error", "instructions", "tools"})
        message |= {"withheld", "thinking", "attachments", "summary"}
        return {
            self.memories: SealedFields("memories", frozenset(memory)),
            self.memories_entities: SealedFields("memories_entities", frozenset(memory)),
            self.relations: SealedFields("relations", frozenset(memory | {"name"})),
            self.conversations: SealedFields("conversations", message),
            self.accounts: SealedFields("accounts", account),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSpec:
    """How a collection is made."""

    name: str
    indexes: Mapping[str, models.PayloadSchemaType]
    dense: tuple[str, ...] = ()
    sparse: tuple[str, ...] = (NO_VECTOR,)
    quantized: bool = field(default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a server spreads a new collection over its nodes; None leaves it to the server. The engine here ignores it.

    The server's defaults, one shard per node and one copy, are right for one node: more shards only cost there, and
    copies need other nodes. In a cluster, two copies outlive the loss of a node, and a write confirmed by both is
    not lost with the one that took it.
    """

    shards: int | None = None
    copies: int | None = None
    confirmed: int | None = None


def spread_of(settings: Settings) -> Spread:
    """Return what the settings say about how a server spreads collections."""
    confirmed = settings.qdrant_write_consistency_factor
    return Spread(shards=settings.qdrant_shard_number, copies=settings.qdrant_replication_factor, confirmed=confirmed)


def collection_specs(names: CollectionNames) -> tuple[CollectionSpec, ...]:
    """Return how every collection is made.

    Each field that records are searched or sorted by has an index. A version is only compared on a record that is
    named by its id, and needs none; Mem0 makes the indexes of its own fields.
    """
    word, time = models.PayloadSchemaType.KEYWORD, models.PayloadSchemaType.DATETIME
    number = models.PayloadSchemaType.INTEGER
    told = ("type", "status", "slot_key", "source", "extractor", "conversation_id", "message_id", "document_id")
    memory = dict.fromkeys(told, word) | {"created_at": time, "updated_at": time}
    memory["importance"] = models.PayloadSchemaType.FLOAT
    record = {"kind": word}
    account = dict.fromkeys(("account", "key", "pepper_id", "status"), word) | {"expires_at": time}
    return (
        CollectionSpec(
            name=names.memories,
            indexes=memory,
            dense=(DENSE, CTX),
            sparse=(BM25, BM25_CTX),
            quantized=True,
        ),
        CollectionSpec(
            name=names.memories_entities,
            indexes={},
            dense=(DENSE,),
            sparse=(BM25,),
            quantized=True,
        ),
        CollectionSpec(name=names.relations, indexes=record | {"status": word, "keys": word}),
        CollectionSpec(
            name=names.conversations,
            indexes=record | {"conversation_id": word, "state": word, "created_at": time, "updated_at": time},
        ),
        CollectionSpec(name=names.accounts, indexes=record | account),
        CollectionSpec(name=names.events, indexes=record | {"type": word, "at": time, "actor": word, "seq": number}),
        CollectionSpec(name=names.work, indexes=record | {"status": word, "at": time, "updated_at": time}),
    )


def create_collections(
    client: QdrantBase,
    names: CollectionNames,
    vector_size: int,
    spread: Spread | None = None,
    choice: IndexChoice = DEFAULTS,
) -> None:
    """Create what is missing of the collections and their indexes; what exists is kept.

    Another process may begin with the same server at the same moment.

    Raises:
        ConfigurationError: an existing collection holds vectors of another size.
    """
    existing = {collection.name for collection in client.get_collections().collections}
    for spec in collection_specs(names):
        if spec.name in existing:
            _check_size(client, spec, vector_size)
        create(client, spec, vector_size, spread or Spread(), choice)


def create(client: QdrantBase, spec: CollectionSpec, vector_size: int, spread: Spread, choice: IndexChoice) -> None:
    """Create one collection with its indexes; one that exists is kept."""
    if not client.collection_exists(spec.name):
        with suppress(AlreadyExistsError):
            _create(client, spec, vector_size, spread, choice)
    _create_indexes(client, spec)


def _create(client: QdrantBase, spec: CollectionSpec, vector_size: int, spread: Spread, choice: IndexChoice) -> None:
    client.create_collection(
        spec.name,
        vectors_config={name: choice.vectors(vector_size) for name in spec.dense},
        sparse_vectors_config={name: _sparse(name) for name in spec.sparse},
        hnsw_config=choice.links(),
        quantization_config=choice.binary() if spec.quantized else None,
        on_disk_payload=True,
        shard_number=spread.shards,
        replication_factor=spread.copies,
        write_consistency_factor=spread.confirmed,
    )


def chosen_config(
    config: models.CreateCollection, name: str, names: CollectionNames, choice: IndexChoice
) -> models.CreateCollection:
    """Return a stored configuration with what the settings choose now; collections of others stay as they are."""
    spec = next((spec for spec in collection_specs(names) if spec.name == names.plain(name)), None)
    if spec is None:
        return config
    vectors: Any = config.vectors
    if isinstance(vectors, dict):
        on_disk = {"on_disk": choice.vectors_on_disk}
        vectors = {key: value.model_copy(update=on_disk) for key, value in vectors.items()}
    quantization = choice.binary() if spec.quantized else None
    update = {"vectors": vectors, "hnsw_config": choice.links(), "quantization_config": quantization}
    return config.model_copy(update=update)


def _sparse(name: str) -> models.SparseVectorParams:
    return models.SparseVectorParams(modifier=None if name == NO_VECTOR else models.Modifier.IDF)


def _create_indexes(client: QdrantBase, spec: CollectionSpec) -> None:
    known: Any = client.get_collection(spec.name).payload_schema
    if OWNER_FIELD not in known:
        tenant = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
        client.create_payload_index(spec.name, field_name=OWNER_FIELD, field_schema=tenant)
    for name, kind in spec.indexes.items():
        if name not in known:
            client.create_payload_index(spec.name, field_name=name, field_schema=_without_links(kind))


def _without_links(kind: models.PayloadSchemaType) -> Any:
    """Return index parameters without a search graph of their own: only the tenant field has one."""
    if kind is models.PayloadSchemaType.KEYWORD:
        return models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, enable_hnsw=False)
    if kind is models.PayloadSchemaType.INTEGER:
        return models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, lookup=True, range=True)
    if kind is models.PayloadSchemaType.FLOAT:
        return models.FloatIndexParams(type=models.FloatIndexType.FLOAT, enable_hnsw=False)
    return models.DatetimeIndexParams(type=models.DatetimeIndexType.DATETIME, enable_hnsw=False)


def _check_size(client: QdrantBase, spec: CollectionSpec, vector_size: int) -> None:
    vectors = client.get_collection(spec.name).config.params.vectors or {}
    named = vectors if isinstance(vectors, dict) else {DENSE: vectors}
    for name in spec.dense:
        size = named[name].size if name in named else 0
        if size != vector_size:
            raise ConfigurationError(
                f"The collection {spec.name} has vectors of size {size}, not {vector_size}: go back to the model "
                "that made them, or use another OPTIMUS_COLLECTION_PREFIX or OPTIMUS_DATA_DIR."
            )
