"""A Qdrant server as the engine: the connection, the version that it must have, and the care that it needs."""

from __future__ import annotations

import re
import ssl
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from qdrant_client import QdrantClient, models
from qdrant_client.client_base import QdrantBase

from optimus.errors import ConfigurationError, StoreDeniedError, StoreUnavailableError
from optimus.settings import Settings
from optimus.storage.batches import parts_of, token_of
from optimus.storage.client import taken_from
from optimus.storage.edge_schema import index_params, index_type
from optimus.storage.guard import ValidatingGuard, engine_errors
from optimus.storage.link import QUICK_S, ServerLink
from optimus.storage.table import WRITE_ID
from optimus.storage.walls import COLLECTION_READS, POINT_READS, POINT_WRITES

MINIMUM_VERSION = (1, 19)
"""An older server drops what it does not know in silence. 1.17 brought `update_mode`, without which every conditional
write wins; 1.19 the statistics of a tenant's own words, and conditions that are judged once, not again when the log
is replayed after a crash. 1.19 is also the oldest version that qdrant-client 1.20 supports."""
_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_REST_PORT = 6333
_GRPC_OPTIONS: dict[str, Any] = {"grpc.initial_reconnect_backoff_ms": 200, "grpc.max_reconnect_backoff_ms": 1000}
"""A server that was restarted is found again within seconds; by default gRPC may wait two minutes."""
_WAITED_FOR = frozenset(
    {*POINT_WRITES, "create_payload_index", "delete_payload_index", "create_vector_name", "delete_vector_name"}
)
_REPEATABLE = frozenset({*POINT_READS, *COLLECTION_READS, *POINT_WRITES, "create_payload_index"}) - {"upsert"}
_READS = frozenset({*POINT_READS, *COLLECTION_READS})
_PROOF_TIMEOUT_S = 2
"""Seconds that reading may take whether a write was applied; it comes after the write has used its own time."""
_PROBE_TIMEOUT_S = 2
_LENIENT = models.StrictModeConfig(enabled=False)
"""Managed servers refuse filters on fields without an index; a few of ours have none, and so have some of Mem0's."""
_DONE = models.UpdateResult(status=models.UpdateStatus.COMPLETED)


class ServerGuard(ValidatingGuard):
    """For a Qdrant server: writes wait until they are applied, come in batches, and are repeated where that is safe.

    A read, a delete, a write to points without a condition, and a change of a payload are the same done twice: what
    they set is absolute, and a version in their condition no longer holds the second time. An upsert with a
    condition or a mode is sent again only after a read has shown that it was not applied.
    """

    def __init__(self, inner: QdrantBase, *, link: ServerLink, quick: QdrantBase | None = None) -> None:
        """Take the connection, the way of care, and a connection that gives up soon, by which reads are tried first."""
        super().__init__(inner)
        self.link = link
        self._quick = quick

    def get_collections(self, **kwargs: Any) -> Any:
        """List the collections."""
        return self.link.repeat(lambda: super(ServerGuard, self).get_collections(**kwargs))

    def close(self, **kwargs: Any) -> None:
        """Stop looking for the server and close the connection."""
        self.link.close()
        if self._quick is not None:
            self._quick.close()
        super().close(**kwargs)

    def _pass(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        if call in _WAITED_FOR:
            arguments = {**arguments, "wait": True}
        if call == "create_collection":
            arguments = {**arguments, "strict_mode_config": _LENIENT}
        if call == "create_payload_index":
            return self._create_index(collection_name, arguments)
        return super()._pass(call, collection_name, arguments)

    def _send(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        def send() -> Any:
            return super(ServerGuard, self)._send(call, collection_name, arguments)

        if call == "upsert":
            for part in parts_of(arguments["points"], arguments.get("update_mode")):
                self._upsert(collection_name, {**arguments, "points": part})
            return _DONE
        if self._quick is not None and call in _READS:
            return self.link.read(partial(self._glance, call, collection_name, arguments), send, self._ask)
        return self.link.repeat(send) if call in _REPEATABLE else self.link.once(send)

    def _glance(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        with engine_errors():
            return getattr(self._quick, call)(collection_name=collection_name, **arguments)

    def _ask(self) -> None:
        if self._quick is not None:
            with engine_errors():
                self._quick.get_collections()

    def _upsert(self, collection: str, arguments: dict[str, Any]) -> None:
        def send() -> Any:
            return super(ServerGuard, self)._send("upsert", collection, arguments)

        points, mode = arguments["points"], arguments.get("update_mode")
        if mode is None and arguments.get("update_filter") is None:
            self.link.repeat(send)
        else:
            self.link.prove(send, lambda: _DONE if self._is_applied(collection, points, mode) else None)

    def _is_applied(self, collection: str, points: list[models.PointStruct], mode: models.UpdateMode | None) -> bool:
        """Tell whether an upsert reached the points: one write is all or nothing, so any point of it shows it.

        Where every id is taken, an insertion has nothing left to do; whose the records are, the caller reads itself.
        """
        wanted = {"ids": [point.id for point in points], "with_payload": [WRITE_ID], "timeout": _PROOF_TIMEOUT_S}
        found = super()._send("retrieve", collection, wanted)
        if mode is models.UpdateMode.INSERT_ONLY and len(found) == len({point.id for point in points}):
            return True
        sent = {token_of(point) for point in points} - {None}
        return any((record.payload or {}).get(WRITE_ID) in sent for record in found)

    def _create_index(self, collection_name: str, arguments: dict[str, Any]) -> Any:
        """Make an index, unless a bare request of its kind would only take its parameters away.

        Mem0 asks for its indexes at every start. A server would drop `user_id`'s, tenant mark included, and build
        another, while every search by owner reads all points.
        """
        requested = arguments.get("field_schema") or arguments.get("field_type")
        is_bare = not hasattr(requested, "model_fields_set")
        with engine_errors():
            params = index_params(requested)
        known = self._send("get_collection", collection_name, {}).payload_schema.get(arguments["field_name"])
        if known and known.data_type == index_type(params) and (is_bare or known.params == params):
            return _DONE
        kept = {name: value for name, value in arguments.items() if name != "field_type"}
        return super()._pass("create_payload_index", collection_name, {**kept, "field_schema": params})


def open_server(settings: Settings) -> ServerGuard:
    """Connect to the server that the settings name, once it has shown that it will do.

    Raises:
        ConfigurationError: the address is none, the server is too old, or it refuses the key.
        StoreUnavailableError: the server does not answer.
    """
    backend = server_backend(settings)
    try:
        _check(backend, settings)
    except BaseException:
        backend.close()
        raise
    return ServerGuard(backend, link=_link(settings, backend), quick=server_backend(settings, timeout_s=QUICK_S))


def _link(settings: Settings, backend: QdrantBase) -> ServerLink:
    return ServerLink(reach=partial(_reach, settings, backend), timeout_s=float(settings.qdrant_timeout_s))


def _reach(settings: Settings, backend: QdrantBase) -> None:
    """Ask by a connection of its own, which gives up soon, and then by the one that everybody uses.

    Raises:
        StoreError: the server does not answer, or refuses.
    """
    probe = server_backend(settings, timeout_s=min(_PROBE_TIMEOUT_S, settings.qdrant_timeout_s))
    try:
        for each in (probe, backend):
            with engine_errors():
                each.get_collections()
    finally:
        probe.close()


def server_backend(settings: Settings, *, timeout_s: int | None = None) -> QdrantBase:
    """Return qdrant-client's backend for the server that the settings name; nothing connects yet.

    Args:
        settings: They name it.
        timeout_s: Seconds that one call may take, instead of the settings'.

    Raises:
        ConfigurationError: the address is none, or the file of its certificate authority is not readable.
    """
    api_key = settings.qdrant_api_key
    options, verify = _tls(settings)
    try:
        client = QdrantClient(
            url=settings.qdrant_url,
            prefer_grpc=settings.qdrant_prefer_grpc,
            grpc_port=_grpc_port(settings),
            grpc_options=_GRPC_OPTIONS | options,
            api_key=api_key.get_secret_value() if api_key else None,
            timeout=timeout_s or settings.qdrant_timeout_s,
            check_compatibility=False,
            verify=verify,
        )
    except ValueError as exc:
        raise ConfigurationError(
            "OPTIMUS_QDRANT_URL is no address of a Qdrant server: it looks like http://qdrant:6333 or "
            "https://my-cluster.example.com:6333."
        ) from exc
    return taken_from(client)


def _tls(settings: Settings) -> tuple[dict[str, Any], bool | ssl.SSLContext]:
    """Return what gRPC and REST need to trust the server's certificate: the system's authorities, or the file's.

    Raises:
        ConfigurationError: the file cannot be read or holds no certificate.
    """
    path = settings.qdrant_ca_file
    if path is None:
        return {}, True
    try:
        return {"root_certificates": path.read_bytes()}, ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as exc:
        raise ConfigurationError(
            f"OPTIMUS_QDRANT_CA_FILE names {path}, which is not readable as PEM certificates: {type(exc).__name__}"
        ) from exc


def _grpc_port(settings: Settings) -> int:
    """Return the gRPC port: Qdrant's own is the one above its REST port, and so it is where both are mapped."""
    url = settings.qdrant_url or ""
    rest_port = urlsplit(url if "//" in url else f"//{url}").port
    return settings.qdrant_grpc_port or (rest_port or _REST_PORT) + 1


def _check(backend: QdrantBase, settings: Settings) -> None:
    """Ask for the version, which needs no key, and then for something that needs one."""
    try:
        with engine_errors():
            _check_version(backend.info().version)
            backend.get_collections()
    except StoreDeniedError as exc:
        raise ConfigurationError(
            "The Qdrant server refuses the API key: set OPTIMUS_QDRANT_API_KEY to one that may read and write."
        ) from exc
    except StoreUnavailableError as exc:
        raise StoreUnavailableError(str(exc), user_message=_unreachable(settings)) from exc


def _check_version(version: str) -> None:
    """Refuse a server that is too old; what is no version number is a development build."""
    found = _VERSION.match(version)
    if found and (int(found[1]), int(found[2])) < MINIMUM_VERSION:
        wanted = ".".join(map(str, MINIMUM_VERSION))
        raise ConfigurationError(
            f"The Qdrant server is version {version}, but Optimus needs {wanted} or later: an older one ignores the "
            "conditions that keep two writers apart. Upgrade the server, or unset OPTIMUS_QDRANT_URL."
        )


def _unreachable(settings: Settings) -> str:
    if settings.qdrant_prefer_grpc:
        return (
            f"The Qdrant server does not answer by gRPC on port {_grpc_port(settings)}. Check that it runs, "
            "OPTIMUS_QDRANT_URL and OPTIMUS_QDRANT_GRPC_PORT, or set OPTIMUS_QDRANT_PREFER_GRPC=false."
        )
    return "The Qdrant server does not answer. Check that it runs, and OPTIMUS_QDRANT_URL."
