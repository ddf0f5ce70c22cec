"""Where the memories lie: in `memories`, or in `memories_2` and so on once another model made their vectors anew.

Everybody else says `memories`; the walls here stand right before the engine and know better. While the vectors that
are stored were made by another model than the one in use, a search by meaning finds nothing, since the two cannot be
compared, and what is written goes without such vectors. The searches by words go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock
from typing import Any

from qdrant_client import models
from qdrant_client.client_base import QdrantBase
from qdrant_client.http.models import QueryResponse

from optimus.errors import StoreError, StoreUnavailableError
from optimus.storage.collections import CTX, DENSE, CollectionNames
from optimus.storage.walls import POINT_WRITES, SELECTOR_ARGUMENTS, Wall, as_points, selected

_BY_MEANING = (DENSE, CTX)


class Turns:
    """Many share, or one is alone; who wants to be alone goes before those who come after."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._sharing = 0
        self._is_taken = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Run beside others that share. Not to be entered twice by one thread."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_taken)
            self._sharing += 1
        try:
            yield
        finally:
            with self._changed:
                self._sharing -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Run once everybody has left, and keep the others out meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_taken)
            self._is_taken = True
            self._changed.wait_for(lambda: not self._sharing)
        try:
            yield
        finally:
            with self._changed:
                self._is_taken = False
                self._changed.notify_all()


class MemoryPlace:
    """Which collection holds the memories, whether its vectors can be searched, and what changes during a copy."""

    def __init__(self, names: CollectionNames) -> None:
        self.names = names
        self.turns = Turns()
        self.staying = Lock()
        """Held by whoever needs the memories to stay where they are for long: a backup, or the move itself."""
        self.collection = names.memories
        """Where the memories lie."""
        self.target: str | None = None
        """Where they are copied to: what is deleted is deleted there as well."""
        self.is_searchable = True
        """Whether the model in use made the vectors that are stored."""
        self.is_unsure = False
        """Whether a move was asked for and not answered: either collection may be the memories after a restart."""
        self._noted: set[str] | None = None
        self._missed = False

    def find(self, name: str) -> str:
        """Return the collection that is meant by a name."""
        return self.collection if name == self.names.memories else name

    def watch(self) -> None:
        """Begin to note what is written, for a copy."""
        self._noted, self._missed = set(), False

    def unwatch(self) -> None:
        """Note nothing more."""
        self._noted = None

    def note(self, ids: list[str] | None) -> None:
        """Note which records are being written; None where that cannot be told."""
        if self._noted is not None:
            self._missed = self._missed or ids is None
            self._noted.update(ids or ())

    def take_noted(self) -> tuple[list[str], bool]:
        """Return what was written since the last call, and whether there may be more. Only while alone."""
        noted, missed = sorted(self._noted or ()), self._missed
        self._noted, self._missed = set(), False
        return noted, missed

    def move(self) -> None:
        """Let the copy be the memories from now on. Only while alone."""
        self.collection, self.target = self.target or self.collection, None
        self.is_searchable, self.is_unsure = True, False


class PlacedWall(Wall):
    """Finds the memories wherever they lie, and shows them under their own name."""

    def __init__(self, inner: QdrantBase, *, place: MemoryPlace) -> None:
        super().__init__(inner)
        self._place = place

    def get_collections(self, **kwargs: Any) -> Any:
        """List the collections, the memories once."""
        names = [each.name for each in self._inner.get_collections(**kwargs).collections]
        own = self._place.names
        kept = [name for name in names if own.plain(name) == name and name != own.memories]
        kept += [own.memories] if self._place.collection in names else []
        return models.CollectionsResponse(collections=[models.CollectionDescription(name=name) for name in kept])

    def _pass(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        return super()._pass(call, self._place.find(collection_name), arguments)


class MemoryWall(PlacedWall):
    """Keeps vectors of two models apart, notes what is written, and deletes in a copy what is deleted."""

    def _pass(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        names = self._place.names
        if collection_name not in (names.memories, names.memories_entities):
            return super()._pass(call, collection_name, arguments)
        with self._place.turns.shared():
            if not self._place.is_searchable:
                if call == "query_batch_points":
                    return self._ask_by_words(collection_name, arguments)
                if call == "query_points" and _is_by_meaning(arguments.get("using"), arguments.get("query")):
                    return QueryResponse(points=[])
                arguments = _without_meaning(call, arguments)
            if collection_name != names.memories or call not in POINT_WRITES:
                return self._answered(call, super()._pass(call, collection_name, arguments))
            if self._place.is_unsure and call != "delete":
                raise StoreUnavailableError("it is not known where the memories lie")
            self._place.note(_written(call, arguments))
            answer = super()._pass(call, collection_name, arguments)
            if call == "delete" and self._place.target:
                self._delete_copies(self._place.target, arguments)
            return answer

    def _delete_copies(self, target: str, arguments: dict[str, Any]) -> None:
        try:
            self._inner.delete(collection_name=target, **arguments)
        except StoreError:
            self._place.note(None)
            raise

    def _ask_by_words(self, collection_name: str, arguments: dict[str, Any]) -> list[QueryResponse]:
        is_asked = [not _is_by_meaning(each.using, each.query) for each in arguments["requests"]]
        asked = [each for each, wanted in zip(arguments["requests"], is_asked, strict=True) if wanted]
        found = iter(super()._pass("query_batch_points", collection_name, {"requests": asked}) if asked else ())
        return [next(found) if wanted else QueryResponse(points=[]) for wanted in is_asked]

    def _answered(self, call: str, answer: Any) -> Any:
        """Take vectors of another model out of an answer by ids, which somebody would compare with new ones."""
        if call == "retrieve" and not self._place.is_searchable:
            for record in answer:
                vectors = record.vector if isinstance(record.vector, dict) else {}
                record.vector = {name: vector for name, vector in vectors.items() if name not in _BY_MEANING}
        return answer


def _is_by_meaning(using: str | None, query: Any) -> bool:
    """Tell whether a query asks for what is near a dense vector."""
    is_near = isinstance(query, models.NearestQuery | list) or hasattr(query, "shape")
    return is_near and (using or DENSE) in _BY_MEANING


def _without_meaning(call: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Leave the dense vectors out of what is written."""
    if call not in ("upsert", "update_vectors"):
        return arguments
    points = as_points(arguments["points"]) if call == "upsert" else list(arguments["points"])
    return {**arguments, "points": [point.model_copy(update={"vector": _sparse(point.vector)}) for point in points]}


def _sparse(vectors: Any) -> dict[str, Any]:
    named = vectors if isinstance(vectors, dict) else {}
    return {name: vector for name, vector in named.items() if name not in _BY_MEANING}


def _written(call: str, arguments: dict[str, Any]) -> list[str] | None:
    """Return the ids of what a write leaves changed; None where it goes by other fields."""
    if call == "delete":
        return []
    if call in ("upsert", "update_vectors"):
        points = as_points(arguments["points"]) if call == "upsert" else arguments["points"]
        return [str(point.id) for point in points]
    ids, where = selected(arguments[SELECTOR_ARGUMENTS[call]])
    if ids is not None:
        return [str(each) for each in ids]
    must = where.must if where is not None and isinstance(where.must, list) else []
    named = [condition.has_id for condition in must if isinstance(condition, models.HasIdCondition)]
    return [str(each) for each in named[0]] if named and named[0] is not None else None
