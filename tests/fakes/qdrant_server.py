"""A Qdrant server on loopback: qdrant-client's own gRPC services, and the REST routes, over an engine in memory.

Requests and answers pass through qdrant-client's conversions both ways, so what a test sends is what a real server
would get. Keys are checked and errors answered as a server does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any
from uuid import UUID

import grpc  # type: ignore[import-untyped]
from qdrant_client import grpc as wire
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc
from qdrant_client.http import models

from optimus.errors import AlreadyExistsError, NotFoundError, StoreRejectedError
from optimus.settings import Settings, load_settings
from tests.fakes.certificates import ServerFiles
from tests.fakes.faults import Faults, Proxy
from tests.fakes.qdrant_engine import Engine
from tests.fakes.qdrant_rest import RestServer

VERSION = "1.19.0"
_TYPES = {getattr(wire.FieldType, f"FieldType{kind.value.title()}"): kind for kind in models.PayloadSchemaType}
Answer = Any


class FakeQdrant:
    """The server. `calls` are the gRPC methods that it was asked for, in order, with what came."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        version: str = VERSION,
        is_faulty: bool = False,
        tls: ServerFiles | None = None,
    ) -> None:
        self.api_key = api_key
        self.version = version
        self.calls: list[tuple[str, Any]] = []
        self.failure: grpc.StatusCode | None = None
        """What every call but the health check is answered with, while it is set."""
        self.answers = Event()
        """Cleared, calls wait until it is set: how a test makes a deadline pass."""
        self.answers.set()
        self.engine = Engine()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=8), interceptors=[_Door(self)])
        wire.add_PointsServicer_to_server(_Points(self.engine), self._server)  # type: ignore[no-untyped-call]
        wire.add_CollectionsServicer_to_server(_Collections(self.engine), self._server)  # type: ignore[no-untyped-call]
        wire.add_QdrantServicer_to_server(_Root(self), self._server)  # type: ignore[no-untyped-call]
        self.grpc_port = _listen(self._server, tls)
        self._server.start()
        self.faults: Faults | None = None
        """What goes wrong between a client and this server; with it, clients come through a proxy."""
        if is_faulty:
            self.faults = Faults(Proxy(self.grpc_port))
            self.grpc_port = self.faults.proxy.port
        self.rest = RestServer(self, tls)

    def settings(self, **others: Any) -> Settings:
        """Return settings that lead here."""
        return load_settings(**{"qdrant_url": self.rest.url, "qdrant_grpc_port": self.grpc_port} | others)

    def close(self) -> None:
        """Stop serving, at once."""
        self.answers.set()
        if self.faults is not None:
            self.faults.proxy.close()
        self._server.stop(grace=None).wait()
        self.rest.close()
        self.engine.close()


def _listen(server: grpc.Server, tls: ServerFiles | None) -> int:
    """Let a gRPC server listen on a free port of loopback; return the port."""
    if tls is None:
        return int(server.add_insecure_port("127.0.0.1:0"))
    shown = grpc.ssl_server_credentials([(tls.key.read_bytes(), tls.certificate.read_bytes())])
    return int(server.add_secure_port("127.0.0.1:0", shown))


class _Door(grpc.ServerInterceptor):  # type: ignore[misc]
    """Check the key, count the call, and fail or wait where the test wants it."""

    def __init__(self, server: FakeQdrant) -> None:
        self._server = server

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        handler = continuation(details)
        name = details.method.rpartition("/")[2]
        key = dict(details.invocation_metadata).get("api-key")

        def handle(request: Any, context: grpc.ServicerContext) -> Answer:
            self._server.calls.append((name, request))
            if name != "HealthCheck":
                if self._server.api_key is not None and key != self._server.api_key:
                    context.abort(grpc.StatusCode.UNAUTHENTICATED, "Must provide an API key or an Authorization token")
                if self._server.failure is not None:
                    context.abort(self._server.failure, "the test wants this")
                self._server.answers.wait()
            with _status_codes(context):
                _check_ids(request)
                faults = self._server.faults
                if faults is None:
                    return handler.unary_unary(request, context)
                return faults.between(name, context, lambda: handler.unary_unary(request, context))

        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def _check_ids(message: Any) -> None:
    """Refuse an id that is no UUID, wherever in a request it stands."""
    if isinstance(message, wire.PointId) and message.WhichOneof("point_id_options") == "uuid":
        UUID(message.uuid)
    for field, value in message.ListFields():
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for inner in value if isinstance(value, Sequence) else [value]:
                _check_ids(inner)


@contextmanager
def _status_codes(context: grpc.ServicerContext) -> Iterator[None]:
    """Answer errors as a server does; a request that its own conversion refuses is an invalid argument, too."""
    try:
        yield
    except NotFoundError as exc:
        context.abort(grpc.StatusCode.NOT_FOUND, str(exc))
    except AlreadyExistsError as exc:
        context.abort(grpc.StatusCode.ALREADY_EXISTS, str(exc))
    except (StoreRejectedError, ValueError, TypeError) as exc:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(exc))


def _updated() -> Answer:
    return wire.PointsOperationResponse(result=wire.UpdateResult(operation_id=1, status=wire.UpdateStatus.Completed))


def _optional(message: Any, field: str, convert: Callable[[Any], Any]) -> Any:
    return convert(getattr(message, field)) if message.HasField(field) else None


def _same(value: Any) -> Any:
    return value


class _Points(wire.PointsServicer):
    """Points, as far as Optimus and Mem0 call them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def Upsert(self, request: Any, context: Any) -> Answer:  # noqa: N802 - the service names its methods
        self._engine.call(
            "upsert",
            request.collection_name,
            points=[GrpcToRest.convert_point_struct(point) for point in request.points],
            update_filter=_optional(request, "update_filter", GrpcToRest.convert_filter),
            update_mode=_optional(request, "update_mode", GrpcToRest.convert_update_mode),
        )
        return _updated()

    def Delete(self, request: Any, context: Any) -> Answer:  # noqa: N802
        self._selected("delete", request, request.points, name="points_selector")
        return _updated()

    def ClearPayload(self, request: Any, context: Any) -> Answer:  # noqa: N802
        self._selected("clear_payload", request, request.points, name="points_selector")
        return _updated()

    def SetPayload(self, request: Any, context: Any) -> Answer:  # noqa: N802
        payload = GrpcToRest.convert_payload(request.payload)
        key = _optional(request, "key", _same)
        self._selected("set_payload", request, request.points_selector, payload=payload, key=key)
        return _updated()

    def OverwritePayload(self, request: Any, context: Any) -> Answer:  # noqa: N802
        payload = GrpcToRest.convert_payload(request.payload)
        self._selected("overwrite_payload", request, request.points_selector, payload=payload)
        return _updated()

    def DeletePayload(self, request: Any, context: Any) -> Answer:  # noqa: N802
        self._selected("delete_payload", request, request.points_selector, keys=list(request.keys))
        return _updated()

    def DeleteVectors(self, request: Any, context: Any) -> Answer:  # noqa: N802
        self._selected("delete_vectors", request, request.points_selector, vectors=list(request.vectors.names))
        return _updated()

    def UpdateVectors(self, request: Any, context: Any) -> Answer:  # noqa: N802
        self._engine.call(
            "update_vectors",
            request.collection_name,
            points=[GrpcToRest.convert_point_vectors(point) for point in request.points],
            update_filter=_optional(request, "update_filter", GrpcToRest.convert_filter),
        )
        return _updated()

    def UpdateBatch(self, request: Any, context: Any) -> Answer:  # noqa: N802
        operations = [GrpcToRest.convert_points_update_operation(operation) for operation in request.operations]
        done = self._engine.update_batch(request.collection_name, operations)
        return wire.UpdateBatchResponse(result=[RestToGrpc.convert_update_result(result) for result in done])

    def Get(self, request: Any, context: Any) -> Answer:  # noqa: N802
        wanted = models.PointRequest(
            ids=[GrpcToRest.convert_point_id(point_id) for point_id in request.ids], **_wanted(request)
        )
        records = self._engine.retrieve(request.collection_name, wanted)
        return wire.GetResponse(result=[_retrieved(record) for record in records])

    def Scroll(self, request: Any, context: Any) -> Answer:  # noqa: N802
        page = models.ScrollRequest(
            filter=_optional(request, "filter", GrpcToRest.convert_filter),
            offset=_optional(request, "offset", GrpcToRest.convert_point_id),
            limit=_optional(request, "limit", _same),
            order_by=_optional(request, "order_by", GrpcToRest.convert_order_by),
            **_wanted(request),
        )
        records, following = self._engine.scroll(request.collection_name, page)
        return wire.ScrollResponse(
            result=[_retrieved(record) for record in records],
            next_page_offset=None if following is None else RestToGrpc.convert_extended_point_id(following),
        )

    def Count(self, request: Any, context: Any) -> Answer:  # noqa: N802
        where = _optional(request, "filter", GrpcToRest.convert_filter)
        wanted = models.CountRequest(filter=where, exact=_optional(request, "exact", _same))
        counted = self._engine.count(request.collection_name, wanted)
        return wire.CountResponse(result=RestToGrpc.convert_count_result(counted))

    def Facet(self, request: Any, context: Any) -> Answer:  # noqa: N802
        wanted = models.FacetRequest(
            key=request.key,
            filter=_optional(request, "filter", GrpcToRest.convert_filter),
            limit=_optional(request, "limit", _same),
            exact=_optional(request, "exact", _same),
        )
        facets = self._engine.facet(request.collection_name, wanted)
        return wire.FacetResponse(hits=[RestToGrpc.convert_facet_value_hit(hit) for hit in facets.hits])

    def Query(self, request: Any, context: Any) -> Answer:  # noqa: N802
        return wire.QueryResponse(result=self._query(request.collection_name, request))

    def QueryBatch(self, request: Any, context: Any) -> Answer:  # noqa: N802
        answers = [self._query(request.collection_name, single) for single in request.query_points]
        return wire.QueryBatchResponse(result=[wire.BatchResult(result=points) for points in answers])

    def CreateFieldIndex(self, request: Any, context: Any) -> Answer:  # noqa: N802
        params = _optional(request, "field_index_params", GrpcToRest.convert_payload_schema_params)
        self._engine.create_index(request.collection_name, request.field_name, params or _TYPES[request.field_type])
        return _updated()

    def DeleteFieldIndex(self, request: Any, context: Any) -> Answer:  # noqa: N802
        self._engine.delete_index(request.collection_name, request.field_name)
        return _updated()

    def CreateVectorName(self, request: Any, context: Any) -> Answer:  # noqa: N802
        name = request.vector_name
        self._engine.call(
            "create_vector_name", request.collection_name, vector_name=name, vector_name_config=_new(request)
        )
        return _updated()

    def DeleteVectorName(self, request: Any, context: Any) -> Answer:  # noqa: N802
        self._engine.call("delete_vector_name", request.collection_name, vector_name=request.vector_name)
        return _updated()

    def _selected(self, call: str, request: Any, selector: Any, *, name: str = "points", **arguments: Any) -> None:
        arguments[name] = GrpcToRest.convert_points_selector(selector)
        self._engine.call(call, request.collection_name, **arguments)

    def _query(self, collection: str, request: Any) -> list[Any]:
        points = self._engine.query(collection, GrpcToRest.convert_query_points(request))
        return [RestToGrpc.convert_scored_point(point) for point in points]


def _wanted(request: Any) -> dict[str, Any]:
    return {
        "with_payload": _optional(request, "with_payload", GrpcToRest.convert_with_payload_interface),
        "with_vector": _optional(request, "with_vectors", GrpcToRest.convert_with_vectors_selector),
    }


def _retrieved(record: models.Record) -> Any:
    return RestToGrpc.convert_retrieved_point(record.model_copy(update={"payload": record.payload or {}}))


def _new(request: Any) -> models.VectorNameConfig:
    if request.HasField("dense_config"):
        dense = request.dense_config
        distance = GrpcToRest.convert_distance(dense.distance)
        return models.DenseVectorNameConfig(dense=models.DenseVectorConfig(size=dense.size, distance=distance))
    modifier = _optional(request.sparse_config, "modifier", GrpcToRest.convert_modifier)
    return models.SparseVectorNameConfig(sparse=models.SparseVectorConfig(modifier=modifier))


class _Collections(wire.CollectionsServicer):
    """Collections, as far as Optimus and Mem0 call them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def List(self, request: Any, context: Any) -> Answer:  # noqa: N802
        names = self._engine.names()
        return wire.ListCollectionsResponse(collections=[wire.CollectionDescription(name=name) for name in names])

    def ListAliases(self, request: Any, context: Any) -> Answer:  # noqa: N802
        return wire.ListAliasesResponse()

    def Get(self, request: Any, context: Any) -> Answer:  # noqa: N802
        info = self._engine.describe(request.collection_name)
        return wire.GetCollectionInfoResponse(result=RestToGrpc.convert_collection_info(info))

    def CollectionExists(self, request: Any, context: Any) -> Answer:  # noqa: N802
        exists = request.collection_name in self._engine.names()
        return wire.CollectionExistsResponse(result=wire.CollectionExists(exists=exists))

    def Create(self, request: Any, context: Any) -> Answer:  # noqa: N802
        vectors = _optional(request, "vectors_config", GrpcToRest.convert_vectors_config)
        sparse = _optional(request, "sparse_vectors_config", GrpcToRest.convert_sparse_vector_config)
        self._engine.create(request.collection_name, vectors, sparse)
        return wire.CollectionOperationResponse(result=True)

    def Delete(self, request: Any, context: Any) -> Answer:  # noqa: N802
        return wire.CollectionOperationResponse(result=self._engine.delete(request.collection_name))


class _Root(wire.QdrantServicer):
    """The health check, which tells the version and wants no key."""

    def __init__(self, server: FakeQdrant) -> None:
        self._server = server

    def HealthCheck(self, request: Any, context: Any) -> Answer:  # noqa: N802
        return wire.HealthCheckReply(title="qdrant - vector search engine", version=self._server.version)
