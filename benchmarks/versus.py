"""Searching and adding against Mem0: over qdrant-client's local mode, which Mem0 uses by default, and over our client.

Engine time: every side takes the vectors of texts and queries from the same table, made before the clock starts, so
that embedding costs none of them anything. A search is the whole way from a query to the best 10: ours is the recall
that chat uses (four ways, the best 80 of each, the foremost of all read, opened and ranked), Mem0's its `search`.
Our addition is one call of the memory manager for 100 memories, Mem0's one call of `add` without inference for 100,
five times each, in turns.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Self

import numpy as np
from qdrant_client import QdrantClient

from benchmarks._many_memories import sentences
from benchmarks._progress import progress, say
from benchmarks._scale_parts import bring
from benchmarks.report import Report, Result
from optimus.keys import load_keys
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.mem0 import EngineMemory
from optimus.memory_manager.rules.derivation import derive
from optimus.memory_manager.shelf import Shelf
from optimus.models import Memory, MemoryId, MemoryType, UserId, new_id, utc_now
from optimus.settings import load_settings
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.collections import collection_specs
from optimus.storage.records import QueryVectors
from optimus.storage.store import Store, open_store
from optimus.storage.tenancy import across_tenants, acting_as

SIZES = (2_000, 20_000)
ADDED = 100
_TURNS = 5
_AT_ONCE = 200
_TOP = 10
_DIMENSIONS = 384
_WARMING = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the size of the run."""
    parser.add_argument("--url", help="a Qdrant server, to compare gRPC with REST; its data stay as they are")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="memories of the one user")
    parser.add_argument("--queries", type=int, default=50, help="searches of each side")
    parser.add_argument("--seed", type=int, default=1, help="what the data are made from")


def run(arguments: argparse.Namespace) -> Report:
    """Measure each size, then the addition, then the server where there is one."""
    texts = sentences(max(arguments.sizes) + arguments.queries + _TURNS * ADDED, arguments.seed)
    vectors = TextVectors(texts, arguments.seed)
    results: list[Result] = []
    ratio, speedup = 0.0, 0.0
    for size in arguments.sizes:
        with TemporaryDirectory(prefix="optimus-versus-") as folder, _Sides(Path(folder), vectors) as sides:
            sides.fill(texts[:size])
            gc.collect()
            gc.freeze()
            ours, same, local = sides.search_ms(texts[-arguments.queries :])
            results.append(Result(name=f"search_speedup@{size}", value=local / ours, unit="times"))
            ratio, speedup = same / ours, sides.add_speedup(texts[size : size + _TURNS * ADDED])
    results.append(Result(name="search_ratio_same_client", value=ratio, unit="times"))
    results.append(Result(name="add_speedup", value=speedup, unit="times"))
    if arguments.url:
        results += _over_the_wire(arguments.url, vectors, texts[: SIZES[0]], texts[-arguments.queries :])
    parameters = {"sizes": list(arguments.sizes), "queries": arguments.queries, "seed": arguments.seed}
    return Report(benchmark="versus", parameters=parameters | {"url": arguments.url}, results=results)


class TextVectors:
    """An embedder that looks vectors up: of each text the sum of its words' random vectors, at unit length."""

    name = "table"
    dimensions = _DIMENSIONS

    def __init__(self, texts: Sequence[str], seed: int) -> None:
        chance = np.random.default_rng(seed)
        words = {word: chance.standard_normal(_DIMENSIONS) for text in texts for word in text.split()}
        self._vectors: dict[str, list[float]] = {}
        for text in texts:
            total = np.sum([words[word] for word in text.split()], axis=0)
            self._vectors[text] = (total / np.linalg.norm(total)).tolist()

    def embed(self, texts: Sequence[str], memory_action: str | None = None) -> list[list[float]]:
        """Return the vectors of texts."""
        del memory_action
        return [self._vectors[text] for text in texts]

    def forget(self) -> None:
        """Nothing is kept beside the table."""


class _Mem0Vectors:
    """The same table as Mem0 asks its embedder."""

    def __init__(self, table: TextVectors) -> None:
        self._table = table
        self.config = argparse.Namespace(embedding_dims=_DIMENSIONS)

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        return self._table.embed([text], memory_action)[0]

    def embed_batch(self, texts: Sequence[str], memory_action: str | None = None) -> list[list[float]]:
        return self._table.embed(texts, memory_action)


class _Sides:
    """One user's memories in an Optimus, and in a plain Mem0 over qdrant-client's local mode."""

    def __init__(self, folder: Path, table: TextVectors) -> None:
        self._settings = load_settings(data_dir=folder / "ours", key_dir=None, qdrant_url=None, qdrant_api_key=None)
        self._local = QdrantClient(path=str(folder / "local"))
        self._table = table
        self._encoder = Bm25Encoder()
        self.owner = UserId(new_id())

    def __enter__(self) -> Self:
        self._store = open_store(self._settings, load_keys(self._settings))
        self._manager = _manager(self._store, self._table, self._encoder)
        self._same = _mem0_on_ours(self._store, self._table, self._encoder)
        self._plain = _plain_mem0(self._local, self._table, self._encoder)
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()
        self._local.close()

    def fill(self, texts: Sequence[str]) -> None:
        """Store the same texts on both sides."""
        for start in progress(f"fill {len(texts)}", range(0, len(texts), _AT_ONCE)):
            part = texts[start : start + _AT_ONCE]
            self._manager.adopt(self.owner, _memories(self.owner, part, start), {})
            payloads = [{"data": text, "user_id": self.owner, "hash": new_id()} for text in part]
            self._plain.vector_store.insert(self._table.embed(part), payloads, [new_id() for _ in part])

    def search_ms(self, queries: Sequence[str]) -> tuple[float, float, float]:
        """Return the median search of ours, of Mem0 over our client, and of Mem0 over local mode."""
        owned = {"user_id": self.owner}

        def same(query: str) -> object:
            with acting_as(self.owner):
                return self._same.search(query, filters=owned, top_k=_TOP)

        def recall(query: str) -> object:
            return self._manager.recall(self.owner, query, limit=_TOP)

        ours, on_ours = _medians_ms([recall, same], queries)
        (local,) = _medians_ms([lambda query: self._plain.search(query, filters=owned, top_k=_TOP)], queries)
        say(f"search p50: ours {ours:.2f} ms, Mem0 on our client {on_ours:.2f} ms, Mem0 on local mode {local:.2f} ms")
        return ours, on_ours, local

    def add_speedup(self, texts: Sequence[str]) -> float:
        """Return how many times faster our one call adds than the faster of Mem0's two, by medians of turns."""
        turns = [self._added_ms(texts[start : start + ADDED]) for start in range(0, len(texts), ADDED)]
        ours, same, local = (median(times) for times in zip(*turns, strict=True))
        say(f"add {ADDED}: ours {ours:.0f} ms, Mem0 on our client {same:.0f} ms, Mem0 on local mode {local:.0f} ms")
        speedup: float = min(local, same) / ours
        return speedup

    def _added_ms(self, texts: Sequence[str]) -> tuple[float, float, float]:
        """Return how long ours, Mem0 over our client, and Mem0 over local mode take to add texts."""
        messages = [{"role": "user", "content": text} for text in texts]
        memories = _memories(self.owner, texts, len(texts))
        ours = _once_ms(lambda: self._manager.adopt(self.owner, memories, {}))
        local = _once_ms(lambda: self._plain.add(messages, user_id=self.owner, infer=False))
        with acting_as(self.owner):
            same = _once_ms(lambda: self._same.add(messages, user_id=self.owner, infer=False))
        return ours, same, local


def _asked(queries: Sequence[str], table: TextVectors, encoder: Bm25Encoder) -> dict[str, QueryVectors]:
    return {query: QueryVectors(dense=table.embed([query])[0], sparse=encoder.encode_query(query)) for query in queries}


def _manager(store: Store, table: TextVectors, encoder: Bm25Encoder) -> MemoryManager:
    return MemoryManager(index=store.memories, embedder=table, encoder=encoder, derive=derive, clock=utc_now)


def _mem0_on_ours(store: Store, table: TextVectors, encoder: Bm25Encoder) -> Any:
    shelf = Shelf(index=store.memories, embedder=table, encoder=encoder)
    collection = store.names.memories
    return EngineMemory(client=store.client, collection=collection, shelf=shelf, encoder=encoder, clock=utc_now)


def _plain_mem0(client: QdrantClient, table: TextVectors, encoder: Bm25Encoder) -> Any:
    """Return Mem0 as it comes, but for its embedder, its model and its history, which would need the network."""
    from mem0 import Memory as Mem0Memory  # noqa: PLC0415 - `optimus.memory_manager.mem0` prepares its import
    from mem0.configs.base import MemoryConfig  # noqa: PLC0415 - the same
    from mem0.vector_stores.qdrant import Qdrant  # noqa: PLC0415 - the same

    settings = {"collection_name": "plain", "embedding_model_dims": _DIMENSIONS, "client": client}
    memory = object.__new__(Mem0Memory)
    memory.config = MemoryConfig(vector_store={"provider": "qdrant", "config": settings})
    memory.vector_store = Qdrant(**settings)
    memory.vector_store._bm25_encoder = encoder  # noqa: SLF001 - else it would look for one to download
    memory.embedding_model, memory.llm, memory.db = _Mem0Vectors(table), None, _NoHistory()
    memory.collection_name, memory.api_version = "plain", memory.config.version
    memory.custom_instructions = memory.reranker = memory._entity_store = None
    memory.entity_store._bm25_encoder = encoder  # noqa: SLF001
    return memory


class _NoHistory:
    """Mem0 keeps its history in SQLite; that it costs nothing here is to its advantage."""

    def add_history(self, *_: Any, **__: Any) -> None:
        """Keep nothing."""

    batch_add_history = save_messages = add_history

    def close(self) -> None:
        """There is nothing to close."""


def _memories(owner: UserId, texts: Sequence[str], first: int) -> list[Memory]:
    now = utc_now() - timedelta(minutes=first)
    return [
        Memory(
            id=MemoryId(new_id()),
            user_id=owner,
            text=text,
            type=MemoryType.FACT,
            recorded_at=now,
            updated_at=now,
            valid_from=now,
        )
        for text in texts
    ]


def _over_the_wire(url: str, table: TextVectors, texts: Sequence[str], queries: Sequence[str]) -> list[Result]:
    """Search the same memories on a server by each wire; what was stored there goes afterwards."""
    encoder, owner, prefix = Bm25Encoder(), UserId(new_id()), f"versus_{new_id()[:8]}_"
    asked = _asked(queries, table, encoder)
    results = []
    with TemporaryDirectory(prefix="optimus-versus-") as folder:
        told: dict[str, Any] = {"data_dir": Path(folder), "qdrant_url": url, "collection_prefix": prefix}
        keys = load_keys(load_settings(**told))
        with closing(open_store(load_settings(**told), keys)) as store, _dropped(store):
            manager = _manager(store, table, encoder)
            for start in progress("fill the server", range(0, len(texts), _AT_ONCE)):
                manager.adopt(owner, _memories(owner, texts[start : start + _AT_ONCE], start), {})
            for wire in ("grpc", "rest"):
                with closing(open_store(load_settings(**told, qdrant_prefer_grpc=wire == "grpc"), keys)) as reached:
                    search = partial(_brought, reached, owner, asked)
                    (took,) = _medians_ms([search], queries)
                results.append(Result(name=f"{wire}_p50_ms", value=took, unit="ms"))
    return results


def _brought(store: Store, owner: UserId, asked: dict[str, QueryVectors], query: str) -> object:
    return bring(store.memories, owner, asked[query])


@contextmanager
def _dropped(store: Store) -> Iterator[None]:
    try:
        yield
    finally:
        with across_tenants():
            for spec in collection_specs(store.names):
                store.client.delete_collection(spec.name)


def _medians_ms(searches: Sequence[Callable[[str], object]], queries: Sequence[str]) -> list[float]:
    """Return the median of each search; each query is asked of all in turn, so that what disturbs meets all alike."""
    for query in queries[:_WARMING]:
        for search in searches:
            search(query)
    times = [[_once_ms(partial(search, query)) for search in searches] for query in queries]
    return [median(own) for own in zip(*times, strict=True)]


def _once_ms(action: Callable[[], object]) -> float:
    started = perf_counter()
    action()
    return (perf_counter() - started) * 1000
