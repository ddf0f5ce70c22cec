"""The REST routes of the fake Qdrant server, as far as Optimus and Mem0 call them."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, TypeAdapter
from qdrant_client.http import models

from optimus.errors import AlreadyExistsError, NotFoundError, StoreRejectedError
from tests.fakes.certificates import ServerFiles
from tests.fakes.faults import Faults
from tests.fakes.qdrant_engine import Engine

_READING = frozenset({"points", "points/scroll", "points/count", "points/query", "points/query/batch", "facet"})
"""What changes nothing though it is posted."""
_DONE = models.UpdateResult(operation_id=1, status=models.UpdateStatus.COMPLETED)


class Server(Protocol):
    """What the routes need of the server that they belong to."""

    engine: Engine
    api_key: str | None
    version: str
    answers: Event
    faults: Faults | None


class _NoAnswer:
    """Stands for gRPC's context where a fault is wanted: whatever the status, the connection ends without an answer."""

    def abort(self, status: Any, reason: str) -> None:
        """End the connection."""
        raise ConnectionAbortedError(reason)


class RestServer:
    """Serve the routes on a free port of loopback."""

    def __init__(self, server: Server, tls: ServerFiles | None = None) -> None:
        self.paths: list[str] = []
        """What was asked for, in order."""

        class Handler(_Handler):
            fake, paths = server, self.paths

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            # The handshake is made by the thread that serves the call: a client that fails it must not stop the others.
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address."""
        return f"{self._scheme}://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        """Stop serving."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Find the route, parse the body, and answer as a server does."""

    fake: Server
    paths: list[str]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def handle(self) -> None:
        """Serve the calls of a connection; one whose handshake fails has none."""
        with suppress(ssl.SSLError, ConnectionResetError):
            super().handle()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        self.paths.append(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            status, answer = 200, self._answer(urlsplit(self.path).path, body)
        except ConnectionAbortedError:
            self.close_connection = True
            return
        except PermissionError as exc:
            status, answer = 401, _error(exc)
        except NotFoundError as exc:
            status, answer = 404, _error(exc)
        except AlreadyExistsError as exc:
            status, answer = 409, _error(exc)
        except (StoreRejectedError, ValueError, TypeError) as exc:
            status, answer = 400, _error(exc)
        sent = json.dumps(answer, default=_plain).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        with suppress(BrokenPipeError, ConnectionResetError):
            self.end_headers()
            self.wfile.write(sent)

    def _answer(self, path: str, body: bytes) -> Any:
        if path == "/":
            return {"title": "qdrant - vector search engine", "version": self.fake.version}
        self.fake.answers.wait()
        if self.fake.api_key is not None and self.headers.get("api-key") != self.fake.api_key:
            raise PermissionError("Must provide an API key or an Authorization bearer token")
        engine = self.fake.engine
        if path == "/aliases":
            return _result({"aliases": []})
        if path == "/collections":
            return _result({"collections": [{"name": name} for name in engine.names()]})
        collection, _, rest = path.removeprefix("/collections/").partition("/")
        if rest.startswith(("index/", "vectors/")):
            return _result(self._of_name(collection, rest, body))
        accepts, act = _ROUTES[self.command, rest]
        wanted = TypeAdapter(accepts).validate_json(body or b"null")
        if self.fake.faults is None:
            return _result(act(engine, unquote(collection), wanted))
        is_reading = self.command == "GET" or (self.command == "POST" and rest in _READING)
        name = "Get" if is_reading else f"{self.command} {rest}"
        apply = partial(act, engine, unquote(collection), wanted)
        return _result(self.fake.faults.between(name, _NoAnswer(), apply))

    def _of_name(self, collection: str, rest: str, body: bytes) -> models.UpdateResult:
        engine, name = self.fake.engine, unquote(rest.partition("/")[2])
        if rest.startswith("index/"):
            engine.delete_index(collection, name)
        elif self.command == "DELETE":
            engine.call("delete_vector_name", collection, vector_name=name)
        else:
            config: Any = TypeAdapter(models.VectorNameConfig).validate_json(body)
            engine.call("create_vector_name", collection, vector_name=name, vector_name_config=config)
        return _DONE


def _result(result: Any) -> dict[str, Any]:
    return {"result": result, "status": "ok", "time": 0.0}


def _error(exc: Exception) -> dict[str, Any]:
    return {"status": {"error": str(exc)}, "time": 0.0}


def _plain(value: BaseModel) -> Any:
    return value.model_dump(mode="json", exclude_none=True)


def _upsert(engine: Engine, collection: str, change: Any) -> models.UpdateResult:
    points = change.batch if isinstance(change, models.PointsBatch) else change.points
    guards = {"update_filter": change.update_filter, "update_mode": change.update_mode}
    engine.call("upsert", collection, points=points, **guards)
    return _DONE


def _update_vectors(engine: Engine, collection: str, change: models.UpdateVectors) -> models.UpdateResult:
    engine.call("update_vectors", collection, points=change.points, update_filter=change.update_filter)
    return _DONE


def _by_selector(call: str) -> Callable[[Engine, str, Any], models.UpdateResult]:
    def act(engine: Engine, collection: str, selector: Any) -> models.UpdateResult:
        engine.call(call, collection, points_selector=selector)
        return _DONE

    return act


def _changed(call: str, *fields: str) -> Callable[[Engine, str, Any], models.UpdateResult]:
    def act(engine: Engine, collection: str, change: Any) -> models.UpdateResult:
        selector = models.FilterSelector(filter=change.filter) if change.filter is not None else change.points
        arguments = {"vectors" if field == "vector" else field: getattr(change, field) for field in fields}
        engine.call(call, collection, points=selector, **arguments)
        return _DONE

    return act


def _create(engine: Engine, collection: str, config: models.CreateCollection) -> bool:
    engine.create(collection, config.vectors, config.sparse_vectors)
    return True


def _create_index(engine: Engine, collection: str, wanted: models.CreateFieldIndex) -> models.UpdateResult:
    engine.create_index(collection, wanted.field_name, wanted.field_schema)
    return _DONE


def _scroll(engine: Engine, collection: str, wanted: models.ScrollRequest) -> dict[str, Any]:
    points, following = engine.scroll(collection, wanted)
    return {"points": points, "next_page_offset": following}


def _query(engine: Engine, collection: str, wanted: models.QueryRequest) -> dict[str, Any]:
    return {"points": engine.query(collection, wanted)}


def _query_batch(engine: Engine, collection: str, wanted: models.QueryRequestBatch) -> list[dict[str, Any]]:
    return [_query(engine, collection, request) for request in wanted.searches]


_ROUTES: dict[tuple[str, str], tuple[Any, Callable[[Engine, str, Any], Any]]] = {
    ("GET", ""): (None, lambda engine, name, _: engine.describe(name)),
    ("GET", "exists"): (None, lambda engine, name, _: {"exists": name in engine.names()}),
    ("PUT", ""): (models.CreateCollection, _create),
    ("DELETE", ""): (None, lambda engine, name, _: engine.delete(name)),
    ("PUT", "index"): (models.CreateFieldIndex, _create_index),
    ("PUT", "points"): (models.PointInsertOperations, _upsert),
    ("POST", "points"): (models.PointRequest, lambda engine, name, wanted: engine.retrieve(name, wanted)),
    ("POST", "points/scroll"): (models.ScrollRequest, _scroll),
    ("POST", "points/count"): (models.CountRequest, lambda engine, name, wanted: engine.count(name, wanted)),
    ("POST", "points/query"): (models.QueryRequest, _query),
    ("POST", "points/query/batch"): (models.QueryRequestBatch, _query_batch),
    ("POST", "facet"): (models.FacetRequest, lambda engine, name, wanted: engine.facet(name, wanted)),
    ("POST", "points/delete"): (models.PointsSelector, _by_selector("delete")),
    ("POST", "points/payload/clear"): (models.PointsSelector, _by_selector("clear_payload")),
    ("POST", "points/payload"): (models.SetPayload, _changed("set_payload", "payload", "key")),
    ("PUT", "points/payload"): (models.SetPayload, _changed("overwrite_payload", "payload")),
    ("POST", "points/payload/delete"): (models.DeletePayload, _changed("delete_payload", "keys")),
    ("PUT", "points/vectors"): (models.UpdateVectors, _update_vectors),
    ("POST", "points/vectors/delete"): (models.DeleteVectors, _changed("delete_vectors", "vector")),
    ("POST", "points/batch"): (
        models.UpdateOperations,
        lambda engine, name, wanted: engine.update_batch(name, wanted.operations),
    ),
}
