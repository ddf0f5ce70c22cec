"""Make the vectors of all memories anew, for another search model, while everybody goes on.

The memories are copied into a collection of their own, with what is sealed as it is: that is bound to the record, not
to the collection. What changes meanwhile is noted and copied again; what is deleted is deleted in the copy at once.
Once nothing is left to copy, writers wait for the one record that says both which model made the vectors and where
they are. Before that record the old collection is the store, after it the new one; there is nothing in between. So a
crash anywhere leaves a whole store, and the next run compares what is there with the copy and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from qdrant_client import models
from qdrant_client.client_base import QdrantBase

from optimus.errors import NotFoundError, SealError, StoreRejectedError, StoreUnavailableError
from optimus.models import Memory
from optimus.storage.collections import BM25, BM25_CTX, CTX, DENSE, CollectionNames, Spread, collection_specs, create
from optimus.storage.failpoints import reached
from optimus.storage.index_choice import IndexChoice
from optimus.storage.memory_place import MemoryPlace
from optimus.storage.memory_points import memory_of
from optimus.storage.migrations import EMBEDDING
from optimus.storage.records import StoredVectors
from optimus.storage.search_model import JOB, CopyJob, ModelRecord, SearchModel, number_of
from optimus.storage.table import PAGE
from optimus.storage.tenancy import across_tenants
from optimus.storage.work import WorkRepository

BATCH = 32
"""Memories of one batch: the writers of memories wait while it is stored."""
_TRIES = 5

Vectorize = Callable[[Sequence[Memory]], list[StoredVectors]]
"""Returns the dense vectors of memories of any owners, in order."""
Step = Callable[[int, int], None]
"""Is told how many records are done, and of how many; it may raise to stop the copy."""


class _Client(Protocol):
    def retrieve(self, collection_name: str, ids: Any, **kwargs: Any) -> Any: ...


class Renewal(ModelRecord):
    """Knows which model made the stored vectors, and makes them anew with another."""

    def __init__(
        self,
        *,
        engine: QdrantBase,
        client: _Client,
        place: MemoryPlace,
        work: WorkRepository,
        spread: Spread | None,
        choice: IndexChoice,
        sync: Callable[[], None],
    ) -> None:
        """Take `engine`, which is below all walls, and `client`, which is above them and opens what is sealed."""
        super().__init__(work=work, place=place)
        self._engine = engine
        self._client = client
        self._spread = spread or Spread()
        self._choice = choice
        self._sync = sync

    def run(self, model: SearchModel, vectorize: Vectorize, step: Step) -> None:
        """Make all vectors anew, or go on with it; return when they are in use.

        Raises:
            StoreError: the store does not answer, or is full; what is copied stays, and another run goes on.
            EmbeddingError: the model cannot be used.
        """
        if (left := self.job()) is not None and left.target == self.place.collection:
            self._tidy(left)
        if left is not None and self.place.is_unsure:
            self._switch_again(left)
            return
        if not self.is_due(model):
            return
        job = self._begin(model)
        self.place.watch()
        try:
            self._copy(job, vectorize, step)
        finally:
            self.place.unwatch()
        self._tidy(job)

    def cancel(self, model: SearchModel) -> None:
        """Throw a copy away; the memories stay as they are. Not while `run` runs.

        Raises:
            StoreError: the store does not answer, or has not said yet which collection the memories are.
        """
        if self.place.is_unsure:
            raise StoreUnavailableError("it is not known where the memories lie")
        job = self.job() or CopyJob(**model.model_dump())
        if job.target and job.target == self.place.collection:
            self._tidy(job)
            return
        self.save(job.model_copy(update={"cancelled": True}))
        reached("reembed.cancelled")
        self._discard(job.target)
        self.save(CopyJob(**model.model_dump(), cancelled=True))

    def _begin(self, model: SearchModel) -> CopyJob:
        """Return the copy to go on with, its collection made."""
        job, here = self.job(), self.place.collection
        is_same = job is not None and not job.cancelled and (job.name, job.dimensions) == (model.name, model.dimensions)
        if job is None or not is_same:
            if job is not None:
                self._discard(job.target)
            job = CopyJob(**model.model_dump(), source=here, target=_following(here, self.place.names.memories))
            self._discard(job.target)
            self.save(job)
            reached("reembed.intended")
        spec = next(spec for spec in collection_specs(self.place.names) if spec.name == self.place.names.memories)
        copy = replace(spec, name=job.target)
        create(self._engine, copy, job.dimensions, self._spread, self._choice)
        self.place.target = job.target
        reached("reembed.created")
        return job

    def _copy(self, job: CopyJob, vectorize: Vectorize, step: Step) -> None:
        """Copy everything, then what was written meanwhile, until nothing is left, and switch."""
        is_missed = True
        for _ in range(_TRIES):
            if is_missed:
                self._copy_all(job, vectorize, step)
            is_missed = self._catch_up(job, vectorize, step)
            if job.target == self.place.collection:
                return
        raise StoreUnavailableError("the copy of the memories never became equal to them")

    def _copy_all(self, job: CopyJob, vectorize: Vectorize, step: Step) -> None:
        self._drop_gone(job)
        done, total = 0, self._count(job.source)
        step(done, total)
        for page in _pages(self._engine, job.source):
            for start in range(0, len(page), BATCH):
                batch = page[start : start + BATCH]
                self._copy_some(job, [str(record.id) for record in batch], vectorize)
                reached("reembed.batch")
                done += len(batch)
                step(min(done, total), total)

    def _catch_up(self, job: CopyJob, vectorize: Vectorize, step: Step) -> bool:
        """Copy what was written since, until nothing is left, and switch; tell where that was not enough."""
        while True:
            with self.place.staying, self.place.turns.alone():
                noted, is_missed = self.place.take_noted()
                if is_missed:
                    return True
                if not noted:
                    if self._count(job.source) != self._count(job.target):
                        return True
                    self._switch(job)
                    return False
            for start in range(0, len(noted), BATCH):
                step(total := self._count(job.source), total)
                self._copy_some(job, noted[start : start + BATCH], vectorize)

    def _switch(self, job: CopyJob) -> None:
        self._sync()
        reached("reembed.copied")
        self.place.is_unsure = True
        made = {"name": job.name, "dimensions": job.dimensions, "collection": job.target}
        self._work.set_setting(EMBEDDING, made)
        reached("reembed.switched")
        self.place.move()

    def _switch_again(self, job: CopyJob) -> None:
        """Switch where the last try was not answered: nothing but deletions has been let through since."""
        self._drop_gone(job)
        with self.place.staying, self.place.turns.alone():
            if self._count(job.source) != self._count(job.target):
                raise StoreUnavailableError("the copy of the memories is not equal to them")
            self._switch(job)
        self._tidy(job)

    def _tidy(self, job: CopyJob) -> None:
        """Delete the old collection, and Mem0's own names beside memories, which it makes anew as it goes."""
        with suppress(NotFoundError):
            self._engine.delete_collection(collection_name=job.source)
        reached("reembed.dropped")
        renew_names(self._engine, self.place.names, job.dimensions, self._spread, self._choice)
        reached("reembed.renewed")
        self._work.drop_setting(JOB)

    def _discard(self, target: str) -> None:
        if target and target != self.place.collection:
            with self.place.turns.alone():
                self.place.target = None
            with suppress(NotFoundError):
                self._engine.delete_collection(collection_name=target)
            reached("reembed.discarded")

    def _copy_some(self, job: CopyJob, ids: list[str], vectorize: Vectorize) -> None:
        """Copy those of the records that the copy does not hold as they are, unless they change meanwhile."""
        before, there = self._payloads(job.source, ids), self._payloads(job.target, ids)
        stale = [key for key, payload in before.items() if there.get(key) != payload]
        memories = self._opened(stale)
        made = dict(zip(memories, vectorize(list(memories.values())), strict=True)) if memories else {}
        with self.place.turns.alone():
            records = self._retrieve(job.source, stale, with_vectors=[BM25, BM25_CTX]) if stale else []
            points = [
                models.PointStruct(id=record.id, vector=_vectors(record, made), payload=record.payload)
                for record in records
                if record.payload == before[str(record.id)]
            ]
            if points:
                self._engine.upsert(collection_name=job.target, points=points)

    def _opened(self, ids: list[str]) -> dict[str, Memory]:
        """Return the memories; one that does not open is left out, and copied without dense vectors."""
        try:
            with across_tenants():
                records = self._client.retrieve(self.place.names.memories, ids=ids, with_payload=True) if ids else []
            return {str(record.id): memory_of(record) for record in records}
        except (SealError, StoreRejectedError):
            if len(ids) == 1:
                return {}
            return {key: memory for each in ids for key, memory in self._opened([each]).items()}

    def _drop_gone(self, job: CopyJob) -> None:
        """Delete from the copy what is not there any more: a crash may have come between the two deletions."""
        for page in _pages(self._engine, job.target):
            ids = [str(record.id) for record in page]
            with self.place.turns.alone():
                gone = sorted(set(ids) - set(self._payloads(job.source, ids)))
                if gone:
                    selector: Any = models.PointIdsList(points=list(gone))
                    self._engine.delete(collection_name=job.target, points_selector=selector)

    def _payloads(self, collection: str, ids: list[str]) -> dict[str, Any]:
        return {str(record.id): record.payload for record in self._retrieve(collection, ids)} if ids else {}

    def _retrieve(self, collection: str, ids: list[str], *, with_vectors: Any = False) -> list[Any]:
        found: list[Any] = self._engine.retrieve(
            collection_name=collection, ids=ids, with_payload=True, with_vectors=with_vectors
        )
        return found

    def _count(self, collection: str) -> int:
        return self._engine.count(collection_name=collection, exact=True).count


def renew_names(
    engine: QdrantBase, names: CollectionNames, dimensions: int, spread: Spread, choice: IndexChoice
) -> None:
    """Begin Mem0's own collection of names anew."""
    with suppress(NotFoundError):
        engine.delete_collection(collection_name=names.memories_entities)
    spec = next(spec for spec in collection_specs(names) if spec.name == names.memories_entities)
    create(engine, spec, dimensions, spread, choice)


def _following(collection: str, first: str) -> str:
    return f"{first}_{number_of(collection) + 1}"


def _vectors(record: Any, made: dict[str, StoredVectors]) -> dict[str, Any]:
    kept = record.vector if isinstance(record.vector, dict) else {}
    vectors = made.get(str(record.id))
    return kept if vectors is None else {**kept, DENSE: vectors.dense, CTX: vectors.ctx or vectors.dense}


def _pages(engine: QdrantBase, collection: str) -> Iterator[list[Any]]:
    offset: Any = None
    while True:
        records, offset = engine.scroll(collection_name=collection, limit=PAGE, offset=offset, with_payload=False)
        yield records
        if offset is None:
            return
