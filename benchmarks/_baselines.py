"""What Optimus is compared with on the same turns: Mem0's own search, keywords alone, meaning alone."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
import qdrant_edge as edge
from qdrant_client import QdrantClient

from optimus.embedding import Embedder
from optimus.models import new_id

Found = list[frozenset[str]]
"""The turns behind each result, best first."""


class Baseline(Protocol):
    """Something that is told a conversation and then finds turns of it."""

    def hear(self, turns: Sequence[tuple[str, str]]) -> None:
        """Forget what was heard and take in another conversation: ids and texts."""

    def search(self, query: str, limit: int) -> Found:
        """Return the best `limit` turns."""


class Keywords:
    """BM25 over the turns' texts, with the stemmer and stop words that Optimus uses as well."""

    def __init__(self) -> None:
        self._engine = edge.Bm25(edge.Bm25Config(language="english"))
        self._ids: list[str] = []
        self._places: dict[int, list[tuple[int, float]]] = {}

    def hear(self, turns: Sequence[tuple[str, str]]) -> None:
        """Index a conversation."""
        self._ids = [key for key, _ in turns]
        places: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for place, (_, text) in enumerate(turns):
            weights = self._engine.embed_document(text)
            for term, weight in zip(weights.indices, weights.values, strict=True):
                places[term].append((place, weight))
        self._places = dict(places)

    def search(self, query: str, limit: int) -> Found:
        """Return the turns with the highest sums of weights."""
        scores: dict[int, float] = defaultdict(float)
        for term in self._engine.embed_query(query).indices:
            having = self._places.get(term, ())
            rarity = math.log(1 + (len(self._ids) - len(having) + 0.5) / (len(having) + 0.5))
            for place, weight in having:
                scores[place] += weight * rarity
        best = sorted(scores, key=lambda place: (-scores[place], place))
        return [frozenset({self._ids[place]}) for place in best[:limit]]


class Meaning:
    """The cosine of exact vectors of the model that Optimus uses as well."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._ids: list[str] = []
        self._vectors = np.empty((0, 0), np.float32)

    def hear(self, turns: Sequence[tuple[str, str]]) -> None:
        """Embed a conversation."""
        self._ids = [key for key, _ in turns]
        self._vectors = np.array(self._embedder.embed([text for _, text in turns]), np.float32)

    def search(self, query: str, limit: int) -> Found:
        """Return the turns nearest in meaning."""
        scores = self._vectors @ np.array(self._embedder.embed([query])[0], np.float32)
        return [frozenset({self._ids[place]}) for place in np.argsort(-scores, kind="stable")[:limit]]


class Mem0Search:
    """A plain `mem0.Memory` over qdrant-client's local mode: added without inference, found by its own search.

    It gets the same model, and the same keyword weights in place of those that it would download.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._memory: Any = None
        self._owner = new_id()

    def hear(self, turns: Sequence[tuple[str, str]]) -> None:
        """Add a conversation to an empty store."""
        self._memory = plain_mem0(self._embedder)
        for key, text in turns:
            self._memory.add(text, user_id=self._owner, infer=False, metadata={"turn": key})

    def search(self, query: str, limit: int) -> Found:
        """Return what Mem0's search returns, with its own defaults otherwise."""
        answer = self._memory.search(query, top_k=limit, filters={"user_id": self._owner})
        return [frozenset({item["metadata"]["turn"]}) for item in answer["results"]]


@contextmanager
def quiet_mem0() -> Iterator[None]:
    """Let Mem0 be imported without telemetry, without its log, and with a home that is removed again."""
    with TemporaryDirectory(prefix="optimus-benchmark-mem0-") as home:
        os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=home)
        logging.getLogger("mem0").setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Payload indexes have no effect", UserWarning)
            yield


def plain_mem0(embedder: Embedder, llm: Any = None) -> Any:
    """Return `mem0.Memory` with its own code throughout, and the parts that it is given to work with.

    `llm` answers `generate_response`; without one, memories can only be added without inference.
    """
    from mem0 import Memory  # noqa: PLC0415
    from mem0.configs.base import MemoryConfig  # noqa: PLC0415
    from mem0.memory.storage import SQLiteManager  # noqa: PLC0415
    from mem0.vector_stores.qdrant import Qdrant  # noqa: PLC0415

    dims = embedder.dimensions
    client = QdrantClient(":memory:")
    settings = {"collection_name": "mem0", "embedding_model_dims": dims, "client": client}
    memory = Memory.__new__(Memory)
    memory.config = MemoryConfig(vector_store={"provider": "qdrant", "config": settings})
    memory.embedding_model = _Embedding(embedder)
    memory.vector_store = Qdrant(collection_name="mem0", embedding_model_dims=dims, client=client)
    memory.vector_store._bm25_encoder = _KeywordWeights()  # noqa: SLF001 - else it looks for one to download
    memory.llm, memory.custom_instructions, memory.reranker = llm, None, None
    memory._entity_store = None  # noqa: SLF001 - built on first use
    memory.db = SQLiteManager(":memory:")
    memory.collection_name, memory.api_version = "mem0", memory.config.version
    memory.entity_store._bm25_encoder = _KeywordWeights()  # noqa: SLF001 - the same
    return memory


class _Embedding:
    """The embedder as Mem0 calls it."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.config = SimpleNamespace(embedding_dims=embedder.dimensions)

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """Return the vector of a text."""
        del memory_action
        return self._embedder.embed([text])[0]

    def embed_batch(self, texts: Sequence[str], memory_action: str | None = None) -> list[list[float]]:
        """Return the vectors of texts."""
        del memory_action
        return self._embedder.embed(texts)


class _KeywordWeights:
    """The keyword weights as Mem0 asks for them."""

    def __init__(self) -> None:
        self._engine = edge.Bm25(edge.Bm25Config(language="english"))

    def embed(self, documents: Sequence[str]) -> Iterator[SimpleNamespace]:
        """Yield the weights of texts, and of queries, too."""
        for text in documents:
            weights = self._engine.embed_document(text)
            yield SimpleNamespace(indices=np.asarray(weights.indices), values=np.asarray(weights.values))
