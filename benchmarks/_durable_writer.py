"""A process that writes to an embedded store with many threads and says what it is about to do and what is done.

    python -m benchmarks._durable_writer FOLDER THREADS SEED

It waits for a line on standard input, opens the store, lists every record, then writes until it is killed. Lines:

    have ID HASH     a record that is there at the start; the hash is `half` where it lacks a field or a vector
    count NUMBER     of one owner's records, how many more or fewer an index tells of than there are
    ready            all of them were listed
    begin ID HASH    ID is about to become what has this hash, `-` for deleted
    done ID HASH     and it has

Each id belongs to one thread, so of each at most one write is under way.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

from qdrant_client import models

from optimus.keys import Keys
from optimus.models import UserId, stable_id
from optimus.settings import Settings
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.collections import BM25, CTX, DENSE
from optimus.storage.filters import has_ids
from optimus.storage.store import VECTOR_SIZE, Store, open_store
from optimus.storage.table import Table
from optimus.storage.tenancy import across_tenants, acting_as

KEYS = Keys(jwt=b"j" * 32, pepper=b"p" * 32, master=b"m" * 32)
GONE = "-"
HALF = "half"
KIND = "durability"
FIELDS = {"user_id", "data", "number", "type"}
FLUSH_SHARE, DELETE_SHARE, EDIT_SHARE = 0.002, 0.2, 0.35
VECTORS = 64
_ENCODER = Bm25Encoder()


def main(folder: Path, threads: int, seed: int) -> None:
    """Wait for the word, open, list, write."""
    sys.stdin.readline()
    store = open_store(Settings.model_validate({"data_dir": folder}), KEYS)
    for name in (store.names.memories, store.names.work):
        _list(store, name)
        _count(store, name)
    writers = [_writer(store, threads, seed, number) for number in range(threads)]
    _ENCODER.encode_document("the words of the first document load the others")
    say("ready")
    for number, writer in enumerate(writers):
        Thread(target=writer.run, args=(_critical(store) if number % 2 else None,), daemon=True).start()
    sys.stdin.read()


def say(*words: str) -> None:
    """Print a line whole, whatever the other threads print."""
    os.write(1, f"{' '.join(words)}\n".encode())


def payload_hash(payload: dict[str, Any]) -> str:
    """Return a hash of what was meant to be stored, without what the store adds."""
    kept = {name: value for name, value in payload.items() if name not in {"kind", "write_id"}}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:24]


@dataclass(slots=True, kw_only=True)
class Writer:
    """One thread's writes: new records, edits, deletions, and now and then a flush of everything."""

    store: Store
    owner: UserId
    chance: random.Random
    vectors: list[list[float]]
    """Made before the first write, so that a killed process was writing and not making numbers."""
    live: list[str] = field(default_factory=list)

    def run(self, critical: Table | None) -> None:
        """Write without end; with a table, each write waits for the disk."""
        put = self._put_memory if critical is None else lambda each, payload: self._put_row(critical, each, payload)
        drop = self._drop_memory if critical is None else lambda each: self._drop_row(critical, each)
        while True:
            draw = self.chance.random()
            if draw < FLUSH_SHARE and self.store.commit is not None:
                self.store.commit._flush()  # noqa: SLF001 - a flush comes by itself only after a quiet time
            elif self.live and draw < DELETE_SHARE:
                self._told(self.live.pop(self.chance.randrange(len(self.live))), None, lambda each, _: drop(each))
            elif self.live and draw < DELETE_SHARE + EDIT_SHARE:
                self._told(self.chance.choice(self.live), self._payload(), put)
            else:
                self.live.append(str(UUID(int=self.chance.getrandbits(128), version=4)))
                self._told(self.live[-1], self._payload(), put)

    def _told(self, each: str, payload: dict[str, Any] | None, act: Callable[[str, dict[str, Any]], None]) -> None:
        digest = GONE if payload is None else payload_hash(payload)
        say("begin", each, digest)
        act(each, payload or {})
        say("done", each, digest)

    def _payload(self) -> dict[str, Any]:
        words = " ".join(self.chance.choices(("harbour", "violin", "Lisbon", "peanut", "kettle", "moss"), k=12))
        return {"user_id": self.owner, "data": words, "number": self.chance.getrandbits(40), "type": "fact"}

    def _put_memory(self, each: str, payload: dict[str, Any]) -> None:
        dense = self.chance.choice(self.vectors)
        weights = _ENCODER.encode_document(payload["data"])
        sparse = models.SparseVector(indices=list(weights.indices), values=list(weights.values))
        point = models.PointStruct(id=each, vector={DENSE: dense, CTX: dense, BM25: sparse}, payload=payload)
        with acting_as(self.owner):
            self.store.client.upsert(self.store.names.memories, points=[point])

    def _drop_memory(self, each: str) -> None:
        with acting_as(self.owner):
            self.store.memories.delete(self.owner, [each])  # type: ignore[list-item]

    @staticmethod
    def _put_row(table: Table, each: str, payload: dict[str, Any]) -> None:
        table.put(each, payload, critical=True)

    @staticmethod
    def _drop_row(table: Table, each: str) -> None:
        table.delete(has_ids(each), critical=True)


def _writer(store: Store, threads: int, seed: int, number: int) -> Writer:
    chance = random.Random(seed * threads + number)  # noqa: S311 - a seed
    vectors = [[chance.gauss(0, 1) for _ in range(VECTOR_SIZE)] for _ in range(VECTORS)]
    owner = UserId(stable_id(KIND, str(seed), str(number)))
    return Writer(store=store, owner=owner, chance=chance, vectors=vectors)


def _critical(store: Store) -> Table:
    return Table(client=store.client, collection=store.names.work, kind=KIND, sync=store.sync)


def _list(store: Store, collection: str) -> None:
    wanted = {DENSE, CTX, BM25} if collection == store.names.memories else set()
    for record in _records(store, collection):
        say("have", str(record.id), payload_hash(record.payload or {}) if _is_whole(record, wanted) else HALF)


def _records(store: Store, collection: str) -> Iterator[models.Record]:
    """Yield what the writers wrote, read whole."""
    offset = None
    while True:
        with across_tenants():
            records, offset = store.client.scroll(collection, limit=256, offset=offset, with_vectors=True)
        yield from (record for record in records if "number" in (record.payload or {}))
        if offset is None:
            return


def _is_whole(record: models.Record, vectors: set[str]) -> bool:
    stored = record.vector if isinstance(record.vector, dict) else {}
    return (record.payload or {}).keys() >= FIELDS and vectors <= stored.keys()


def _count(store: Store, collection: str) -> None:
    """Compare what the index of the owners tells with the records that there are."""
    owners = Counter(str((record.payload or {})["user_id"]) for record in _records(store, collection))
    with across_tenants():
        told = store.client.facet(collection, key="user_id", limit=1000, exact=True).hits
    indexed = {str(hit.value): hit.count for hit in told}
    for owner, number in owners.items():
        say("count", str(indexed.get(owner, 0) - number))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
