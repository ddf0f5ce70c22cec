"""What the memory engine needs of the store: memories with their vectors, and the four legs of a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

from qdrant_client import models
from qdrant_client.client_base import QdrantBase

from optimus.errors import ConflictError, NotFoundError
from optimus.models import Memory, MemoryId, MemoryType, ScorePart, UserId, is_uuid
from optimus.storage.collections import CTX, DENSE
from optimus.storage.filters import OWNER_FIELD, all_of, has_ids, owned_by
from optimus.storage.index_choice import DEFAULTS, IndexChoice
from optimus.storage.memory_filter import (
    CHANGED,
    LEGS,
    RECORDED,
    WANTED,
    at_version,
    memory_conditions,
    moment,
    search_requests,
)
from optimus.storage.memory_payload import memory_to_payload, recorded_at
from optimus.storage.memory_points import memory_of, outline_of, point_of, vectors_of
from optimus.storage.records import (
    LastUse,
    MemoryFilter,
    MemoryOutline,
    MemoryPage,
    MemoryPoint,
    MemoryText,
    QueryVectors,
    StoredVectors,
)
from optimus.storage.table import PAGE, WRITE_ID, StripedLocks
from optimus.storage.tenancy import acting_as


class MemoryIndex:
    """The `memories` collection. Every method takes the owner; what is another's looks missing.

    It talks to the tenancy wall, not to the client in front of it, which copies every query vector by vector.
    """

    def __init__(
        self, *, backend: QdrantBase, collection: str, sync: Callable[[], None], choice: IndexChoice = DEFAULTS
    ) -> None:
        self._searched = choice.search_params()
        self._backend = backend
        self._collection = collection
        self._sync = sync
        self._locks = StripedLocks()
        self._watchers: list[Callable[[UserId, Sequence[MemoryId]], None]] = []

    def watch(self, watcher: Callable[[UserId, Sequence[MemoryId]], None]) -> None:
        """Call `watcher` with the owner and the ids after every write that goes through this index."""
        self._watchers.append(watcher)

    def _tell(self, owner: UserId, ids: Sequence[MemoryId]) -> None:
        for watcher in self._watchers:
            watcher(owner, ids)

    def put(self, owner: UserId, points: Sequence[MemoryPoint], *, expected_version: int | None = None) -> None:
        """Write memories with their vectors in one atomic write.

        With an `expected_version`, memories that exist already are replaced only at that version, and new ones are
        added; if one of the existing ones is at another, the write is taken back as far as it went.

        Raises:
            ConflictError: an existing memory is not at the expected version, or its id is somebody else's.
        """
        if not points:
            return
        token = uuid4().hex
        ids = [point.memory.id for point in points]
        guard = None if expected_version is None else all_of(at_version(expected_version))
        with acting_as(owner), self._locks.of(owner):
            existing = {str(record.id) for record in self._retrieve(ids, payload=[OWNER_FIELD])}
            ready = [point_of(point, token) for point in points]
            self._backend.upsert(self._collection, points=ready, update_filter=guard)
            self._tell(owner, ids)
            written = self._written(ids, token)
            if len(written) < len(set(ids)):
                added = sorted(written - existing)
                if added:
                    self._delete(owner, added)
                raise ConflictError("a memory is not at the expected version")

    def replace(self, owner: UserId, memory: Memory, expected_version: int) -> None:
        """Write a changed memory over the version that was read, in one step; its vectors stay.

        Raises:
            ConflictError: the memory was changed in between.
            NotFoundError: it is missing or somebody else's.
        """
        token = uuid4().hex
        payload = memory_to_payload(memory) | {WRITE_ID: token}
        where = all_of(owned_by(owner), has_ids(memory.id), at_version(expected_version))
        with acting_as(owner), self._locks.of(owner):
            self._backend.overwrite_payload(
                self._collection, payload=payload, points=models.FilterSelector(filter=where)
            )
            self._tell(owner, [memory.id])
            won = memory.id in self._written([memory.id], token)
        if not won:
            if not self.get(owner, [memory.id]):
                raise NotFoundError("memory")
            raise ConflictError("the memory is not at the expected version")

    def get(self, owner: UserId, ids: Sequence[MemoryId]) -> list[Memory]:
        """Return those of the memories that exist and are the owner's, in the order asked for."""
        wanted = list(dict.fromkeys(point_id for point_id in ids if is_uuid(point_id)))
        with acting_as(owner):
            found = {str(record.id): memory_of(record) for record in self._retrieve(wanted)}
        return [found[point_id] for point_id in wanted if point_id in found]

    def vectors(self, owner: UserId, ids: Sequence[MemoryId]) -> dict[MemoryId, StoredVectors]:
        """Return the dense vectors of those of the memories that exist, are the owner's, and have vectors in use."""
        wanted = [point_id for point_id in ids if is_uuid(point_id)]
        with acting_as(owner):
            records = self._retrieve(wanted, payload=[OWNER_FIELD], vectors=[DENSE, CTX])
        return {MemoryId(str(record.id)): made for record in records if (made := vectors_of(record.vector))}

    def page(
        self, owner: UserId, where: MemoryFilter | None = None, limit: int = 50, offset: int | None = None
    ) -> MemoryPage:
        """Return one page of memories, the newest recorded first; `limit` is at most 256."""
        limit, start = min(limit, PAGE), offset or 0
        conditions = memory_conditions(owner, where or MemoryFilter())
        with acting_as(owner):
            total = self._count(conditions)
            items = self._window(conditions, start, limit) if start < total else []
        end = start + len(items)
        return MemoryPage(items=tuple(items), next_offset=end if items and end < total else None, total=total)

    def count(self, owner: UserId, where: MemoryFilter | None = None) -> int:
        """Return how many memories match, exactly."""
        with acting_as(owner):
            return self._count(memory_conditions(owner, where or MemoryFilter()))

    def outline(self, owner: UserId, where: MemoryFilter | None = None) -> list[MemoryOutline]:
        """Return kind and time of all memories that match, in no order, without opening what is sealed."""
        conditions = memory_conditions(owner, where or MemoryFilter())
        with acting_as(owner):
            return [outline_of(record) for record in self._records(conditions, [OWNER_FIELD, "type", RECORDED])]

    def tally(self, owner: UserId, where: MemoryFilter | None = None) -> dict[MemoryType, int]:
        """Return how many memories of each kind match, exactly; kinds without any are left out."""
        conditions = memory_conditions(owner, where or MemoryFilter())
        with acting_as(owner):
            total = self._count(conditions)
            found = self._backend.facet(
                self._collection, key="type", facet_filter=all_of(*conditions), limit=len(MemoryType), exact=True
            )
        counts = {MemoryType(str(hit.value)): hit.count for hit in found.hits}
        untyped = total - sum(counts.values())
        return counts | ({MemoryType.FACT: counts.get(MemoryType.FACT, 0) + untyped} if untyped else {})

    def changed_last(self, owner: UserId, where: MemoryFilter, limit: int = 1) -> list[Memory]:
        """Return the memories that were changed last, the newest change first."""
        order = models.OrderBy(key=CHANGED, direction=models.Direction.DESC)
        conditions = memory_conditions(owner, where)
        with acting_as(owner):
            records, _ = self._backend.scroll(
                self._collection, scroll_filter=all_of(*conditions), limit=limit, order_by=order, with_payload=WANTED
            )
        return [memory_of(record) for record in records]

    def replace_all(self, owner: UserId, memories: Sequence[Memory]) -> frozenset[MemoryId]:
        """Write the next versions of memories, each over the version before it; their vectors stay.

        Return which ones were written: another was changed in between, or is not the owner's.
        """
        token = uuid4().hex
        with acting_as(owner), self._locks.of(owner):
            for memory in memories:
                where = all_of(owned_by(owner), has_ids(memory.id), at_version(memory.version - 1))
                payload = memory_to_payload(memory) | {WRITE_ID: token}
                self._backend.overwrite_payload(
                    self._collection, payload=payload, points=models.FilterSelector(filter=where)
                )
            self._tell(owner, [memory.id for memory in memories])
            return frozenset(MemoryId(key) for key in self._written([memory.id for memory in memories], token))

    def note_use(self, owner: UserId, ids: Sequence[MemoryId], use: LastUse) -> None:
        """Count one more use of memories, without a new version; those missing or somebody else's are passed over.

        The caller keeps writers of the same memories apart: a change that read them before and is written after
        takes the count back.
        """
        wanted = [point_id for point_id in dict.fromkeys(ids) if is_uuid(point_id)]
        with acting_as(owner):
            by_count: dict[int, list[str]] = {}
            for record in self._retrieve(wanted, payload=[OWNER_FIELD, "uses"]):
                by_count.setdefault((record.payload or {}).get("uses") or 0, []).append(str(record.id))
            for uses, same in by_count.items():
                self._backend.set_payload(
                    self._collection,
                    payload=use.model_dump(mode="json") | {"uses": uses + 1},
                    points=models.FilterSelector(filter=all_of(owned_by(owner), has_ids(*same))),
                )

    def delete(self, owner: UserId, ids: Sequence[MemoryId]) -> None:
        """Purge memories for good; those that are missing or somebody else's are passed over."""
        wanted = [point_id for point_id in ids if is_uuid(point_id)]
        if wanted:
            with acting_as(owner):
                self._delete(owner, wanted)
            self._tell(owner, wanted)

    def texts(
        self, owner: UserId, where: MemoryFilter | None = None, *, ids: Sequence[MemoryId] | None = None
    ) -> list[MemoryText]:
        """Return the words of all memories that match, or of those of `ids` that do, in no order."""
        conditions = [*memory_conditions(owner, where or MemoryFilter()), *([] if ids is None else [has_ids(*ids)])]
        with acting_as(owner):
            records = self._records(conditions, [OWNER_FIELD, "data", "type", RECORDED])
            return [MemoryText(*outline_of(record), (record.payload or {}).get("data") or "") for record in records]

    def nearest(
        self, owner: UserId, dense: Sequence[float], where: MemoryFilter, limit: int
    ) -> list[tuple[MemoryId, float]]:
        """Return ids and cosines of the memories that are nearest in meaning, nearest first."""
        conditions = all_of(*memory_conditions(owner, where))
        meaning = models.NearestQuery(nearest=list(dense))
        near: dict[str, Any] = {"query": meaning, "using": DENSE, "limit": limit, "with_payload": [OWNER_FIELD]}
        near |= {"search_params": self._searched, "query_filter": conditions}
        with acting_as(owner):
            found = self._backend.query_points(self._collection, **near)
        return [(MemoryId(str(point.id)), point.score) for point in found.points]

    def legs(
        self, owner: UserId, query: QueryVectors, where: MemoryFilter | None = None, limit: int = 100
    ) -> dict[ScorePart, dict[MemoryId, float]]:
        """Search four ways, by the text and by its surroundings, by meaning and by words: ids and scores, best first.

        Nothing is read of what was found: a caller reads those that it wants. Word statistics are those of the owner's
        own memories. A query without words leaves the keyword legs empty.
        """
        conditions = all_of(*memory_conditions(owner, where or MemoryFilter()))
        requests = search_requests(owner, query, conditions, limit, self._searched)
        with acting_as(owner):
            answers = self._backend.query_batch_points(self._collection, requests=list(requests.values()))
        found: dict[ScorePart, dict[MemoryId, float]] = {part: {} for part in LEGS}
        for part, answer in zip(requests, answers, strict=True):
            found[part] = {MemoryId(str(hit.id)): hit.score for hit in answer.points}
        return found

    def _count(self, conditions: list[models.Condition]) -> int:
        return self._backend.count(self._collection, count_filter=all_of(*conditions), exact=True).count

    def _window(self, conditions: list[models.Condition], start: int, limit: int) -> list[Memory]:
        """Return the memories at `start` and after, those of one moment by id.

        The engine sorts by time but leaves open who comes first at one moment, so it only tells from when to when;
        the moments at both ends are then read whole.
        """
        between_pages = self._backend.query_points(
            self._collection,
            query=models.OrderByQuery(order_by=models.OrderBy(key=RECORDED, direction=models.Direction.DESC)),
            query_filter=all_of(*conditions),
            limit=limit,
            offset=start,
            with_payload=[RECORDED],
        ).points
        if not between_pages:
            return []
        newest, oldest = (recorded_at(point.payload or {}) for point in (between_pages[0], between_pages[-1]))
        newer = self._count([*conditions, moment(after=newest)])
        found = list(map(memory_of, self._records([*conditions, moment(since=oldest, until=newest)], WANTED)))
        found.sort(key=lambda memory: memory.id)
        found.sort(key=lambda memory: memory.recorded_at, reverse=True)
        return found[start - newer : start - newer + limit]

    def _records(self, conditions: list[models.Condition], payload: Any) -> Iterator[models.Record]:
        offset: Any = None
        while True:
            records, offset = self._backend.scroll(
                self._collection, scroll_filter=all_of(*conditions), limit=PAGE, offset=offset, with_payload=payload
            )
            yield from records
            if offset is None:
                return

    def _retrieve(self, ids: Sequence[str], *, payload: Any = WANTED, vectors: Any = False) -> list[models.Record]:
        if not ids:
            return []
        return self._backend.retrieve(self._collection, ids=list(ids), with_payload=payload, with_vectors=vectors)

    def _written(self, ids: Sequence[str], token: str) -> set[str]:
        records = self._retrieve(ids, payload=[WRITE_ID])
        return {str(record.id) for record in records if (record.payload or {}).get(WRITE_ID) == token}

    def _delete(self, owner: UserId, ids: Sequence[str]) -> None:
        where = all_of(owned_by(owner), has_ids(*ids))
        self._backend.delete(self._collection, points_selector=models.FilterSelector(filter=where))
