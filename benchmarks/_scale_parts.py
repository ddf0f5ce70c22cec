"""The processes of `scale`: one that fills a store, one that serves it, one that holds all vectors as float32.

`python -m benchmarks._scale_parts PART` reads the job from standard input and answers with one JSON object.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks._many_memories import LARGE, ManyMemories, Plan, load
from benchmarks._process import Ticker, usage
from benchmarks._progress import progress
from optimus.keys import load_keys
from optimus.memory_manager.ranking import LEG_LIMIT, foremost
from optimus.models import Memory, MemoryId, MemoryType, UserId, utc_now
from optimus.prompt import MAX_MEMORIES
from optimus.settings import Settings, load_settings
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.folder import STORE_FOLDER
from optimus.storage.memory_index import MemoryIndex
from optimus.storage.optimizing import changed_points
from optimus.storage.records import MemoryFilter, MemoryPoint, QueryVectors
from optimus.storage.store import Store, open_store
from optimus.storage.tenancy import across_tenants

NEAREST = 10
COMPARED = 200
"""Of how many queries the nearest are compared with the exact ones; half of them ask the large user."""
_LARGE_QUERIES = 300
_WARMING = 20
_ROUNDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a part works on."""

    folder: str
    plan: Plan

    @property
    def settings(self) -> Settings:
        """The settings of the store, which stands below the folder."""
        return load_settings(data_dir=Path(self.folder) / "data", key_dir=None, qdrant_url=None, qdrant_api_key=None)


def fill(job: Job) -> dict[str, Any]:
    """Write all memories through the product's index, at most 200 of one user at a time."""
    many = load(job.plan, Path(job.folder))
    texts = job.plan.sentences()
    encoder = Bm25Encoder()
    with _opened(job) as store:
        started = perf_counter()
        for number, (user, count) in enumerate(progress("insert", job.plan.blocks())):
            store.memories.put(job.plan.owner(user), _points(many, texts, encoder, number, user, count))
        elapsed_s = perf_counter() - started
    return {"insert_per_s": job.plan.points / elapsed_s}


def serve(job: Job) -> dict[str, Any]:
    """Search, write and delete as a serving process does; the memory is measured after the searches alone."""
    many = load(job.plan, Path(job.folder))
    vectors, texts = many.queries.tolist(), job.plan.sentences()[job.plan.texts :]
    encoder = Bm25Encoder()
    queries = [
        QueryVectors(dense=dense, sparse=encoder.encode_query(text)) for dense, text in zip(vectors, texts, strict=True)
    ]
    gc.collect()
    before = usage().own_ram
    with _opened(job) as store:
        _see_that_all_are_there(store, job)
        if store.ahead:
            store.ahead.wait()
        search = _Search(store.memories, job.plan, queries)
        search.times_ms(_WARMING)
        gc.collect()
        gc.freeze()
        engine = search.times_ms(job.plan.queries)
        ram = usage().own_ram - before
        large = search.times_ms(min(_LARGE_QUERIES, job.plan.queries), only=LARGE)
        found = [search.nearest(number, _asked(job.plan, number)) for number in range(min(COMPARED, job.plan.queries))]
        longest_ms = _longest_pause(store, job, many, search)
        whole = _with_embedding(store, job.plan, texts)
    return {
        "engine": engine,
        "large": large,
        "with_embedding": whole,
        "found": found,
        "ram": ram,
        "longest_pause_ms": longest_ms,
    }


def _see_that_all_are_there(store: Store, job: Job) -> None:
    """Refuse to measure half a store.

    Raises:
        RuntimeError: memories are missing, or the index was not built for all.
    """
    with across_tenants():
        found = store.client.count(store.names.memories, exact=True).count
    unbuilt = changed_points(job.settings.data_dir / STORE_FOLDER)
    if found != job.plan.points or unbuilt:
        raise RuntimeError(f"{found} of {job.plan.points} memories are there, {unbuilt} records are not indexed")


def hold(job: Job) -> dict[str, Any]:
    """Hold all vectors as float32, find the exact nearest, and measure the memory after as many searches."""
    many = load(job.plan, Path(job.folder))
    blocks = job.plan.blocks()
    before = usage().own_ram
    dense, ctx = (np.empty((job.plan.points, 384), np.float32) for _ in range(2))
    ids: list[str] = []
    rows: dict[int, list[int]] = {}
    for number, (user, count) in enumerate(progress("float32", blocks)):
        block = many.block(number, count)
        rows.setdefault(user, []).extend(range(len(ids), len(ids) + count))
        dense[len(ids) : len(ids) + count], ctx[len(ids) : len(ids) + count] = block.dense, block.ctx
        ids += block.ids
    exact = []
    for number in range(min(COMPARED, job.plan.queries)):
        own = np.asarray(rows[_asked(job.plan, number)])
        best = np.argsort(-(dense[own] @ many.queries[number]))[:NEAREST]
        exact.append([ids[row] for row in own[best]])
    return {"exact": exact, "vectors": dense.nbytes + ctx.nbytes, "ram": usage().own_ram - before}


def _asked(plan: Plan, number: int) -> int:
    """Return the number of the user that a compared query asks."""
    return LARGE if number % 2 else 1 + number % plan.users


def bring(index: MemoryIndex, owner: UserId, query: QueryVectors) -> list[Memory]:
    """Search four ways, and read and open what a chat ranks of it: all that recalling asks of the store."""
    legs = index.legs(owner, query, MemoryFilter(statuses=None), LEG_LIMIT)
    return index.get(owner, next(foremost(legs, MAX_MEMORIES)))


class _Search:
    """The search that chat uses: four ways in one user's memories."""

    def __init__(self, index: MemoryIndex, plan: Plan, queries: Sequence[QueryVectors]) -> None:
        self._index = index
        self._plan = plan
        self._queries = queries

    def times_ms(self, count: int, *, only: int | None = None) -> list[float]:
        """Return how long each of so many searches took, one user after the other."""
        return [
            self.time_ms(number, 1 + number * 7 % self._plan.users if only is None else only) for number in range(count)
        ]

    def time_ms(self, number: int, user: int) -> float:
        owner, query = self._plan.owner(user), self._queries[number % len(self._queries)]
        started = perf_counter()
        bring(self._index, owner, query)
        return (perf_counter() - started) * 1000

    def nearest(self, number: int, user: int) -> list[str]:
        """Return the ids of the nearest memories by the quantized search."""
        owner, query = self._plan.owner(user), self._queries[number]
        return [key for key, _ in self._index.nearest(owner, query.dense, MemoryFilter(), NEAREST)]


def _with_embedding(store: Store, plan: Plan, texts: Sequence[str]) -> list[float]:
    from optimus.embedding import MiniLmEmbedder  # noqa: PLC0415 - loaded after the memory was measured

    embedder, encoder = MiniLmEmbedder(), Bm25Encoder()
    embedder.warm()
    gc.collect()
    gc.freeze()
    times = []
    for number, text in enumerate([*texts[:_WARMING], *texts]):
        owner = plan.owner(1 + number * 7 % plan.users)
        asked = f"{text}?" if number < _WARMING else text
        started = perf_counter()
        query = QueryVectors(dense=embedder.embed([asked])[0], sparse=encoder.encode_query(asked))
        bring(store.memories, owner, query)
        times.append((perf_counter() - started) * 1000)
    return times[_WARMING:]


def _longest_pause(store: Store, job: Job, many: ManyMemories, search: _Search) -> float:
    """Search, write, change and delete in turn, beside a thread that ought to wake every millisecond.

    The deletions are those of a removed conversation (200 memories of one user) and of an erased account.
    """
    plan, texts = job.plan, job.plan.sentences()
    encoder, ticker = Bm25Encoder(), Ticker()
    users = [LARGE, *range(1, plan.users + 1)]
    with ticker.running():
        for number in range(_ROUNDS):
            user = users[number % min(len(users), 5)]
            owner = plan.owner(user)
            points = _points(many, texts, encoder, -1 - number, user, 200)
            search.times_ms(5)
            store.memories.put(owner, points)
            search.time_ms(number, LARGE)
            store.memories.put(owner, points[:1])
            store.memories.delete(owner, [point.memory.id for point in points])
        store.personal.erase(plan.owner(plan.users))
    return ticker.longest_ms


def _points(
    many: ManyMemories, texts: Sequence[str], encoder: Bm25Encoder, number: int, user: int, count: int
) -> list[MemoryPoint]:
    return list(_each_point(many, texts, encoder, (number, user, count)))


def _each_point(
    many: ManyMemories, texts: Sequence[str], encoder: Bm25Encoder, place: tuple[int, int, int]
) -> Iterator[MemoryPoint]:
    number, user, count = place
    owner, begin = many.plan.owner(user), utc_now()
    block = many.block(number % 2**32, count)
    dense, ctx = block.dense.tolist(), block.ctx.tolist()
    for row, (point_id, text) in enumerate(zip(block.ids, block.texts.tolist(), strict=True)):
        said, before = texts[text], texts[(text + 1) % many.plan.texts]
        at = begin - timedelta(minutes=row)
        yield MemoryPoint(
            memory=_memory(owner, point_id, said, at),
            dense=dense[row],
            ctx=ctx[row],
            bm25=encoder.encode_document(said),
            bm25_ctx=encoder.encode_document(f"{said}\n{before}"),
        )


def _memory(owner: UserId, point_id: str, text: str, at: Any) -> Memory:
    return Memory(
        id=MemoryId(point_id),
        user_id=owner,
        text=text,
        type=MemoryType.FACT,
        recorded_at=at,
        updated_at=at,
        valid_from=at,
    )


@contextmanager
def _opened(job: Job) -> Iterator[Store]:
    settings = job.settings
    settings.data_dir.mkdir(exist_ok=True)
    store = open_store(settings, load_keys(settings))
    try:
        yield store
    finally:
        store.close()


def as_text(job: Job) -> str:
    """Return a job as JSON."""
    return json.dumps(asdict(job))


def _main(part: str) -> int:
    told = json.loads(sys.stdin.read())
    job = Job(folder=told["folder"], plan=Plan(**told["plan"]))
    answer = {"fill": fill, "serve": serve, "hold": hold}[part](job)
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
