"""Which search model made the stored vectors, where they are, and whether they are being made anew."""

from __future__ import annotations

from typing import Any

from qdrant_client.client_base import QdrantBase

from optimus.models import Value
from optimus.storage.collections import DENSE
from optimus.storage.memory_place import MemoryPlace
from optimus.storage.migrations import EMBEDDING
from optimus.storage.work import WorkRepository

JOB = "reembedding"
"""The setting that tells of a copy that is not finished, or was cancelled."""


class SearchModel(Value):
    """What makes vectors."""

    name: str
    dimensions: int


class CopyJob(SearchModel):
    """A copy that is being made: for which model, from where to where."""

    source: str = ""
    target: str = ""
    cancelled: bool = False


class ModelRecord:
    """What the store knows of the model that made its vectors."""

    def __init__(self, *, work: WorkRepository, place: MemoryPlace) -> None:
        self.place = place
        self._work = work

    def made_by(self) -> SearchModel | None:
        """Return the model that made the stored vectors."""
        stored = self._work.setting(EMBEDDING)
        return SearchModel(name=str(stored["name"]), dimensions=int(stored["dimensions"])) if stored else None

    def use(self, model: SearchModel) -> None:
        """Say which model makes the vectors of queries and new memories; call it before anything is written.

        Where another one made those that are stored, searches go by words alone until `run` has ended.
        """
        stored = self._work.setting(EMBEDDING)
        if stored is None:
            self._work.set_setting(EMBEDDING, model.model_dump())
        self.place.is_searchable = stored is None or self.made_by() == model
        if stored is not None and not self.place.is_searchable and not stored.get("incomplete"):
            self._work.set_setting(EMBEDDING, stored | {"incomplete": True})

    def is_due(self, model: SearchModel) -> bool:
        """Tell whether vectors are another model's, are missing, or a copy was not tidied up after."""
        stored = self._work.setting(EMBEDDING) or {}
        job = self.job()
        unfinished = job is not None and not job.cancelled
        return unfinished or bool(stored.get("incomplete")) or self.made_by() not in (None, model)

    def is_cancelled(self, model: SearchModel) -> bool:
        """Tell whether somebody cancelled it for this model: it then waits to be begun again."""
        job = self.job()
        return job is not None and job.cancelled and (job.name, job.dimensions) == (model.name, model.dimensions)

    def job(self) -> CopyJob | None:
        """Return the copy that is not finished, or was cancelled."""
        stored = self._work.setting(JOB)
        return CopyJob.model_validate(stored) if stored else None

    def save(self, job: CopyJob) -> None:
        """Store how it stands with a copy; returns after a sync to disk."""
        self._work.set_setting(JOB, job.model_dump())


def find_memories(engine: QdrantBase, work: WorkRepository, place: MemoryPlace, vector_size: int) -> int:
    """Find where the memories are, as a store is opened; return the size of their vectors.

    A store whose record of it is lost has them in the collection of the lowest number: that one is whole, whatever a
    copy was cut off at.
    """
    stored = work.setting(EMBEDDING) or {}
    job = CopyJob.model_validate(work.setting(JOB) or {"name": "", "dimensions": 0})
    there = {each.name for each in engine.get_collections().collections}
    ours = sorted((name for name in there if place.names.plain(name) == place.names.memories), key=number_of)
    wanted = str(stored.get("collection") or place.names.memories)
    place.collection = wanted if wanted in ours or not ours else ours[0]
    place.target = job.target if job.target in ours and job.target != place.collection else None
    size = int(stored.get("dimensions") or vector_size)
    names = place.names.memories_entities
    if stored.get("collection") and names in there and _size(engine, names) != size:
        engine.delete_collection(collection_name=names)
    return size


def _size(engine: QdrantBase, collection: str) -> int:
    vectors: Any = engine.get_collection(collection_name=collection).config.params.vectors
    return int(vectors[DENSE].size if isinstance(vectors, dict) else vectors.size)


def number_of(collection: str) -> int:
    """Return the number in the name of a collection of memories; 1 where it has none."""
    number = collection.rpartition("_")[2]
    return int(number) if number.isdigit() else 1
