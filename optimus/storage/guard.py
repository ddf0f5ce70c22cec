"""The last step before an engine: complete validation, errors in our own terms, and the care each engine needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import grpc  # type: ignore[import-untyped]
import httpx
from qdrant_client import models
from qdrant_client.client_base import QdrantBase
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from optimus.errors import (
    AlreadyExistsError,
    NotFoundError,
    StoreDeniedError,
    StoreRejectedError,
    StoreUnavailableError,
)
from optimus.storage.durability import GroupCommit
from optimus.storage.edge_convert import existing_ids
from optimus.storage.validation import (
    VectorLayout,
    known_vector_names,
    validate_payload,
    validate_points,
    validate_vectors,
)
from optimus.storage.walls import COLLECTION_WRITES, POINT_WRITES, SELECTOR_ARGUMENTS, Wall, selected

_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 400, 401, 403, 404
_TIMEOUT, _CONFLICT, _TOO_MANY = 408, 409, 429
_REFUSED_BY_GRPC = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
)
_ADDING = frozenset({*POINT_WRITES, "create_collection"}) - {"delete", "delete_vectors", "delete_payload"}
_CLOSED_CHANNEL = "closed channel"
"""What gRPC says, as a ValueError, about a call after the end."""
_DENIED_BY_GRPC = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


class MarkingGuard(Wall):
    """For the embedded engine, which validates and translates by itself: note every write for the group commit.

    What could not become durable, or would add to a disk that is nearly full, is refused before the engine sees it.
    """

    def __init__(
        self, inner: QdrantBase, *, commit: GroupCommit, admit: Callable[[str], None] = lambda _: None
    ) -> None:
        """Take what makes writes durable, and who refuses one that adds, by its collection, before it is made."""
        super().__init__(inner)
        self._commit = commit
        self._admit = admit

    def _pass(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        is_write = call in POINT_WRITES or call in COLLECTION_WRITES
        if is_write:
            self._commit.require()
        if call in _ADDING:
            self._admit(collection_name)
        answer = super()._pass(call, collection_name, arguments)
        if is_write:
            self._commit.mark()
        return answer


class ValidatingGuard(Wall):
    """For the other engines: refuse what the embedded one refuses, with the same errors."""

    def __init__(self, inner: QdrantBase) -> None:
        super().__init__(inner)
        self._layouts: dict[str, VectorLayout] = {}

    def get_collections(self, **kwargs: Any) -> Any:
        """List the collections."""
        with engine_errors():
            return super().get_collections(**kwargs)

    def _pass(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        with engine_errors():
            checked = self._checked(call, collection_name, arguments)
        return self._send(call, collection_name, checked)

    def _send(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        """Hand what was checked to the engine."""
        with engine_errors():
            return super()._pass(call, collection_name, arguments)

    def _checked(self, call: str, collection_name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if call == "upsert":
            points = validate_points(arguments["points"], self._layout(collection_name))
            return {**arguments, "points": points}
        if call == "update_vectors":
            vectors = validate_vectors(arguments["points"], self._layout(collection_name))
            return {**arguments, "points": vectors}
        if call in ("set_payload", "overwrite_payload"):
            payload = validate_payload(arguments["payload"], path=arguments.get("key"))
            return {**arguments, "payload": payload}
        if call == "retrieve":
            return {**arguments, "ids": existing_ids(arguments["ids"])}
        if call == "delete_vectors":
            known_vector_names(arguments["vectors"], self._layout(collection_name))
        if call in SELECTOR_ARGUMENTS and selected(arguments[SELECTOR_ARGUMENTS[call]])[0] == []:
            raise StoreRejectedError("a write without points")
        if arguments.get("limit", 1) < 1:
            raise StoreRejectedError("a read without a limit above 0")
        if call in COLLECTION_WRITES:
            self._layouts.pop(collection_name, None)
        return arguments

    def _layout(self, collection_name: str) -> VectorLayout:
        layout = self._layouts.get(collection_name)
        if layout is None:
            info = self._send("get_collection", collection_name, {})
            layout = self._layouts[collection_name] = VectorLayout.of(info.config.params)
        return layout


class MemoryGuard(ValidatingGuard):
    """For qdrant-client's engine in memory: one call at a time, and nothing that it would only warn about."""

    def __init__(self, inner: QdrantBase) -> None:
        super().__init__(inner)
        self._one_at_a_time = RLock()

    def _pass(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        if call in ("create_payload_index", "delete_payload_index"):
            return models.UpdateResult(status=models.UpdateStatus.COMPLETED)
        if call == "query_points":
            arguments = {**arguments, "search_params": _idf_only(arguments.get("search_params"))}
        if call == "query_batch_points":
            requests = [
                request.model_copy(update={"params": _idf_only(request.params)}) for request in arguments["requests"]
            ]
            arguments = {**arguments, "requests": requests}
        with self._one_at_a_time:
            return super()._pass(call, collection_name, arguments)


@contextmanager
def engine_errors() -> Iterator[None]:
    """Turn what qdrant-client raises into our errors.

    Raises:
        NotFoundError: what the call names does not exist.
        AlreadyExistsError: what it would make does.
        StoreDeniedError: the server refuses our key.
        StoreRejectedError: the call itself is wrong.
        StoreUnavailableError: no answer, in time or at all.
    """
    try:
        yield
    except UnexpectedResponse as exc:
        raise _refusal(exc) from exc
    except grpc.RpcError as exc:
        raise _grpc_refusal(exc) from exc
    except (ResponseHandlingException, ApiException, QdrantException, httpx.HTTPError, OSError) as exc:
        raise StoreUnavailableError(f"the store does not answer: {type(exc).__name__}") from exc
    except RuntimeError as exc:
        raise StoreUnavailableError("the store is closed") from exc
    except KeyError as exc:
        raise NotFoundError("no such point") from exc
    except (ValueError, TypeError) as exc:
        if _CLOSED_CHANNEL in str(exc):
            raise StoreUnavailableError("the store is closed") from exc
        raise StoreRejectedError(f"the store refuses the call: {type(exc).__name__}") from exc


def _refusal(exc: UnexpectedResponse) -> Exception:
    status = exc.status_code or 0
    if status == _NOT_FOUND:
        return NotFoundError("the store does not know what the call names")
    if status == _CONFLICT:
        return AlreadyExistsError("the store has what the call would make")
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return StoreDeniedError(f"the store refuses the key: {status}")
    if _BAD_REQUEST <= status < _TOO_MANY and status != _TIMEOUT:
        return StoreRejectedError(f"the store refuses the call: {status}")
    return StoreUnavailableError(f"the store answers with {status}")


def _grpc_refusal(exc: Any) -> Exception:
    code = exc.code() if hasattr(exc, "code") else None
    if code is grpc.StatusCode.NOT_FOUND:
        return NotFoundError("the store does not know what the call names")
    if code is grpc.StatusCode.ALREADY_EXISTS:
        return AlreadyExistsError("the store has what the call would make")
    if code in _DENIED_BY_GRPC:
        return StoreDeniedError(f"the store refuses the key: {code}")
    if code in _REFUSED_BY_GRPC:
        return StoreRejectedError(f"the store refuses the call: {code}")
    return StoreUnavailableError(f"the store answers with {code}")


def _idf_only(params: models.SearchParams | None) -> models.SearchParams | None:
    """Keep the one search parameter that an exact engine heeds."""
    return models.SearchParams(idf=params.idf) if params is not None and params.idf is not None else None
