"""A Qdrant server as the engine: how it is reached, what it must be, and what its errors become."""

from contextlib import closing
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from pydantic import SecretStr
from qdrant_client import models

from optimus.errors import (
    AlreadyExistsError,
    ConfigurationError,
    NotFoundError,
    StoreDeniedError,
    StoreRejectedError,
    StoreUnavailableError,
)
from optimus.settings import load_settings
from optimus.storage.client import EngineClient
from optimus.storage.collections import CollectionNames, collection_specs, create_collections
from optimus.storage.filters import has_ids
from optimus.storage.link import ServerLink
from optimus.storage.server import ServerGuard, open_server, server_backend
from optimus.storage.store import open_store
from tests.fakes.certificates import SERIAL, Authority
from tests.fakes.qdrant_server import FakeQdrant
from tests.unit.storage.conftest import KEYS, SIZE

Code = grpc.StatusCode
BOTH_WIRES = pytest.mark.parametrize("by_grpc", [True, False], ids=["grpc", "rest"])


@pytest.fixture
def server():
    """A server without collections."""
    fake = FakeQdrant()
    yield fake
    fake.close()


@pytest.fixture
def guard(server):
    """The guard before it, by gRPC."""
    opened = open_server(server.settings(qdrant_timeout_s=1))
    yield opened
    opened.close()


@BOTH_WIRES
def test_a_store_opens_and_works(server, by_grpc):
    """Collections and their indexes are made, a record is written and read, and a second opening finds them."""
    settings = server.settings(qdrant_prefer_grpc=by_grpc)
    for _ in range(2):
        store = open_store(settings, KEYS, vector_size=SIZE)
        health = store.check()
        store.close()
        assert health.engine == "server"
        assert set(health.collections) == {spec.name for spec in collection_specs(store.names)}
        for spec in collection_specs(store.names):
            indexes = server.engine.indexes[spec.name]
            assert set(indexes) == {"user_id", *spec.indexes}
            assert indexes["user_id"].params.is_tenant is True
            assert not any(indexes[name].params.enable_hnsw for name in spec.indexes)


@BOTH_WIRES
def test_a_bare_index_request_takes_no_tenant_mark(server, by_grpc):
    """Mem0 asks for its indexes at each start: a server forgets the mark then, so the request does not reach it."""
    settings = server.settings(qdrant_prefer_grpc=by_grpc)
    store = open_store(settings, KEYS, vector_size=SIZE)
    memories, indexes = store.names.memories, server.engine.indexes[store.names.memories]

    store.client.create_payload_index(memories, "user_id", field_schema=models.PayloadSchemaType.KEYWORD)
    store.client.create_payload_index(memories, "agent_id", field_schema=models.PayloadSchemaType.KEYWORD)
    store.close()
    assert indexes["user_id"].params.is_tenant is True
    assert indexes["agent_id"].params.enable_hnsw is False

    unguarded = server_backend(settings)
    unguarded.create_payload_index(memories, "user_id", field_schema=models.PayloadSchemaType.KEYWORD)
    unguarded.close()
    assert indexes["user_id"].params is None


def test_what_can_be_no_id_is_missing(store):
    """A malformed id finds and deletes nothing, on a server as elsewhere."""
    assert store.probe.get("no id") is None
    store.probe.delete(has_ids("no id"))


def test_every_write_waits_until_it_is_applied(server):
    """What is read after a write holds it, whoever wrote and however the call was made."""
    store = open_store(server.settings(), KEYS, vector_size=SIZE)
    store.check()
    store.client.upsert(store.names.work, [models.PointStruct(id=1, vector={}, payload={})], wait=False)
    store.close()

    writes = [
        request for name, request in server.calls if name in ("Upsert", "Delete", "SetPayload", "CreateFieldIndex")
    ]
    assert {type(request).__name__ for request in writes} >= {"UpsertPoints", "DeletePoints"}
    assert all(request.wait for request in writes)


def test_collections_are_made_without_strict_mode(server):
    """A managed server would refuse filters on fields that have no index."""
    open_store(server.settings(), KEYS, vector_size=SIZE).close()

    made = [request for name, request in server.calls if name == "Create"]
    assert len(made) == len(collection_specs(CollectionNames()))
    assert all(request.strict_mode_config.HasField("enabled") for request in made)
    assert not any(request.strict_mode_config.enabled for request in made)


def test_two_processes_may_begin_at_once(server):
    """A collection that appears between looking and making is the wanted one."""

    class LateGuard(ServerGuard):
        def get_collections(self, **_):
            return models.CollectionsResponse(collections=[])

    link = ServerLink(reach=lambda: None, timeout_s=1)
    client = EngineClient(LateGuard(server_backend(server.settings()), link=link))
    for _ in range(2):
        create_collections(client, CollectionNames(), SIZE)
    client.close()
    assert len(server.engine.names()) == len(collection_specs(CollectionNames()))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (Code.UNAVAILABLE, StoreUnavailableError),
        (Code.DEADLINE_EXCEEDED, StoreUnavailableError),
        (Code.INTERNAL, StoreUnavailableError),
        (Code.RESOURCE_EXHAUSTED, StoreUnavailableError),
        (Code.UNIMPLEMENTED, StoreUnavailableError),
        (Code.UNAUTHENTICATED, StoreDeniedError),
        (Code.PERMISSION_DENIED, StoreDeniedError),
        (Code.NOT_FOUND, NotFoundError),
        (Code.ALREADY_EXISTS, AlreadyExistsError),
        (Code.INVALID_ARGUMENT, StoreRejectedError),
        (Code.FAILED_PRECONDITION, StoreRejectedError),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_each_status_is_one_of_our_errors(server, guard, code, error):
    """Nothing of gRPC passes the guard, and each error has a sentence for the screen."""
    server.failure = code

    with pytest.raises(error) as raised:
        guard.get_collection(collection_name="any")
    assert type(raised.value) is error
    assert raised.value.user_message.endswith(".")
    assert "StatusCode" not in raised.value.user_message


def test_a_server_that_hangs_is_unavailable(server, guard):
    """A call ends at the timeout, and the next one works once the server answers again."""
    server.answers.clear()

    with pytest.raises(StoreUnavailableError, match="DEADLINE_EXCEEDED"):
        guard.get_collections()
    server.answers.set()
    assert guard.get_collections().collections == []


@BOTH_WIRES
def test_a_read_of_a_server_that_hangs_does_not_wait_for_the_longest_time(server, by_grpc):
    """With a minute for any call, a page still learns within seconds that the server is away, the next ones at once."""
    opened = open_server(server.settings(qdrant_prefer_grpc=by_grpc, qdrant_timeout_s=60))
    server.answers.clear()
    began = len(server.calls)

    for _ in range(20):
        with pytest.raises(StoreUnavailableError):
            opened.collection_exists("any")
    assert opened.link.is_away
    assert len(server.calls) - began < 10
    server.answers.set()
    opened.close()


@BOTH_WIRES
def test_a_closed_store_is_unavailable(server, by_grpc):
    """A late call of a background thread is no defect of what it wanted to write."""
    opened = open_server(server.settings(qdrant_prefer_grpc=by_grpc))
    opened.close()

    with pytest.raises(StoreUnavailableError):
        opened.get_collections()


@BOTH_WIRES
@pytest.mark.parametrize("key", [None, "wrong"])
def test_a_refused_key_is_said_at_the_start(server, by_grpc, key):
    """No key or a wrong one ends in a sentence that names the setting, and shows no key."""
    server.api_key = "right"

    with pytest.raises(ConfigurationError, match="OPTIMUS_QDRANT_API_KEY") as raised:
        open_store(server.settings(qdrant_prefer_grpc=by_grpc, qdrant_api_key=key), KEYS, vector_size=SIZE)
    assert "wrong" not in str(raised.value)


@BOTH_WIRES
def test_a_key_is_sent_and_may_be_withdrawn(server, by_grpc):
    """The right key opens; a call after it was changed on the server is denied."""
    server.api_key = "right"
    opened = open_server(server.settings(qdrant_prefer_grpc=by_grpc, qdrant_api_key=SecretStr("right")))

    server.api_key = "another"
    with pytest.raises(StoreDeniedError):
        opened.get_collections()
    opened.close()


@BOTH_WIRES
@pytest.mark.parametrize("version", ["1.15.4", "1.18.3", "v1.9.0"])
def test_an_old_server_is_refused(server, by_grpc, version):
    """It would ignore conditions without a word; the sentence says what it is and what is needed."""
    server.version = version

    with pytest.raises(ConfigurationError, match=rf"{version}, but Optimus needs 1\.19 or later"):
        open_store(server.settings(qdrant_prefer_grpc=by_grpc), KEYS, vector_size=SIZE)
    assert server.engine.names() == []


@pytest.mark.parametrize("version", ["1.19.0", "1.19.2-dev", "1.20.0", "2.0.0", "dev"])
def test_a_recent_server_is_taken(server, version):
    """Later versions and builds without a number are taken."""
    server.version = version

    with closing(open_server(server.settings())) as backend:
        assert backend.get_collections().collections == []


@BOTH_WIRES
def test_an_unreachable_server_says_what_to_check(by_grpc):
    """The sentence names the settings that lead to the server."""
    settings = load_settings(
        qdrant_url="http://127.0.0.1:9", qdrant_prefer_grpc=by_grpc, qdrant_timeout_s=1, qdrant_grpc_port=9
    )

    with pytest.raises(StoreUnavailableError) as raised:
        open_store(settings, KEYS, vector_size=SIZE)
    assert "OPTIMUS_QDRANT_URL" in raised.value.user_message
    assert ("on port 9" in raised.value.user_message) is by_grpc


@pytest.mark.parametrize("url", ["ftp://qdrant:6333", "http://qdrant:port", "http://[::1:6333", "http://qdrant:99999"])
def test_an_address_that_is_none_is_refused(url):
    """The sentence names the setting and shows how an address looks."""
    with pytest.raises(ConfigurationError, match="OPTIMUS_QDRANT_URL"):
        open_server(load_settings(qdrant_url=url))


@pytest.mark.parametrize(
    ("url", "port", "rest", "by_grpc"),
    [
        ("http://qdrant:6333", None, "http://qdrant:6333", 6334),
        ("http://qdrant", None, "http://qdrant:6333", 6334),
        ("http://qdrant:16333", None, "http://qdrant:16333", 16334),
        ("http://qdrant:7000", 7500, "http://qdrant:7000", 7500),
        ("https://abc.cloud.example.com", None, "https://abc.cloud.example.com:6333", 6334),
        ("https://example.com:443/qdrant", 6334, "https://example.com:443/qdrant", 6334),
        ("localhost:6333", None, "http://localhost:6333", 6334),
    ],
)
def test_an_address_leads_to_both_ports(url, port, rest, by_grpc):
    """The gRPC port is the one above the address's, as Qdrant and whoever maps its ports have it, unless it is set."""
    backend: Any = server_backend(load_settings(qdrant_url=url, qdrant_grpc_port=port))

    assert backend.rest_uri == rest
    assert backend._grpc_port == by_grpc
    assert backend._https is url.startswith("https")
    backend.close()


def test_a_collection_is_spread_as_the_settings_say(server):
    """Shards, copies and confirmations are asked for when a collection is made; unset, the server chooses."""
    spread = {"qdrant_shard_number": 3, "qdrant_replication_factor": 2, "qdrant_write_consistency_factor": 2}
    open_store(server.settings(**spread), KEYS, vector_size=SIZE).close()
    made = [request for name, request in server.calls if name == "Create"]
    assert {(r.shard_number, r.replication_factor, r.write_consistency_factor) for r in made} == {(3, 2, 2)}

    server.calls.clear()
    open_store(server.settings(collection_prefix="other_"), KEYS, vector_size=SIZE).close()
    made = [request for name, request in server.calls if name == "Create"]
    assert not any(r.HasField(name.removeprefix("qdrant_")) for r in made for name in spread)


def test_a_long_upsert_goes_in_batches(server, guard):
    """At most 256 points and 4 MB at a time; nothing is lost or written twice."""
    guard.create_collection(collection_name="any", vectors_config={}, sparse_vectors_config={})
    many = [models.PointStruct(id=n, vector={}, payload={}) for n in range(600)]
    large = [models.PointStruct(id=1000 + n, vector={}, payload={"text": "x" * 200_000}) for n in range(50)]
    guard.upsert(collection_name="any", points=many)
    guard.upsert(collection_name="any", points=large, update_mode=models.UpdateMode.INSERT_ONLY)

    sent = [request for name, request in server.calls if name == "Upsert"]
    assert [len(request.points) for request in sent] == [256, 256, 88, 20, 20, 10]
    assert all(request.ByteSize() <= 4 * 1024**2 for request in sent)
    assert server.engine.call("count", "any", count_filter=None, exact=True).count == 650


def test_a_write_that_must_be_whole_is_never_split(server, guard):
    """Points under one token are one atomic write, however many they are."""
    guard.create_collection(collection_name="any", vectors_config={}, sparse_vectors_config={})
    points = [models.PointStruct(id=n, vector={}, payload={"write_id": "t"}) for n in range(300)]
    guard.upsert(collection_name="any", points=points)
    assert [len(request.points) for name, request in server.calls if name == "Upsert"] == [300]


def test_a_whole_write_that_no_server_takes_is_refused_unsent(server, guard):
    """Neither cut nor sent: the server's refusal of its length would look like an outage, and be tried again."""
    guard.create_collection(collection_name="any", vectors_config={}, sparse_vectors_config={})
    payload = {"write_id": "t", "text": "x" * 200_000}
    points = [models.PointStruct(id=n, vector={}, payload=payload) for n in range(160)]
    with pytest.raises(StoreRejectedError):
        guard.upsert(collection_name="any", points=points)
    assert not [name for name, _ in server.calls if name == "Upsert"]
    assert not guard.link.is_away


def test_the_file_of_an_authority_is_trusted_on_both_wires(tmp_path):
    """What is no certificate is named with its setting; a good file reaches gRPC and REST."""
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    for path in (bad, tmp_path / "missing.pem"):
        with pytest.raises(ConfigurationError, match="OPTIMUS_QDRANT_CA_FILE"):
            server_backend(load_settings(qdrant_url="https://qdrant.example.com", qdrant_ca_file=path))
    good = Authority(tmp_path).path
    backend: Any = server_backend(load_settings(qdrant_url="https://qdrant.example.com", qdrant_ca_file=good))
    assert backend._grpc_options["root_certificates"] == good.read_bytes()
    assert backend._rest_args["verify"].get_ca_certs()[0]["serialNumber"] == f"{SERIAL:02}"
    backend.close()


@pytest.fixture
def secure(tmp_path):
    """The settings that lead to a server that speaks TLS only and wants a key."""
    authority = Authority(tmp_path)
    with closing(FakeQdrant(api_key="right", tls=authority.server("127.0.0.1"))) as server:
        yield server.settings(qdrant_api_key="right", qdrant_ca_file=authority.path, qdrant_timeout_s=2)


@BOTH_WIRES
@pytest.mark.filterwarnings("error:Api key is used with an insecure connection")
def test_a_store_works_over_tls_with_a_key(secure, by_grpc):
    """A whole handshake with a certificate of an authority that the settings name; the key goes along every call."""
    settings = secure.model_copy(update={"qdrant_prefer_grpc": by_grpc})
    store = open_store(settings, KEYS, vector_size=SIZE)
    health = store.check()
    store.close()
    assert (health.engine, len(health.collections)) == ("server", len(collection_specs(store.names)))

    wrong = settings.model_copy(update={"qdrant_api_key": SecretStr("wrong")})
    with pytest.raises(ConfigurationError, match="OPTIMUS_QDRANT_API_KEY"):
        open_store(wrong, KEYS, vector_size=SIZE)


@BOTH_WIRES
@pytest.mark.parametrize("trust", ["nobody's file", "another authority", "another address"])
def test_who_cannot_prove_itself_gets_no_key(tmp_path, by_grpc, trust):
    """A server with a certificate of somebody else, or for another address, is asked nothing."""
    authority, other = Authority(tmp_path), Authority(_folder(tmp_path, "other"))
    address = "127.0.0.2" if trust == "another address" else "127.0.0.1"
    file = {"nobody's file": None, "another authority": other.path}.get(trust, authority.path)
    with closing(FakeQdrant(api_key="right", tls=authority.server(address))) as server:
        told: dict[str, Any] = {"qdrant_ca_file": file, "qdrant_prefer_grpc": by_grpc}
        settings = server.settings(**told, qdrant_api_key="right", qdrant_timeout_s=1)
        with pytest.raises(StoreUnavailableError) as raised:
            open_store(settings, KEYS, vector_size=SIZE)
        assert "OPTIMUS_QDRANT_URL" in raised.value.user_message
        assert (server.calls, server.rest.paths) == ([], [])


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder
