"""What the routes answer to requests that no browser sends."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route

from optimus import process
from optimus.ops_access import read_access
from optimus.storage.durability import GroupCommit
from optimus.storage.folder import FreeSpace
from optimus.web.middleware import ClosedPaths
from optimus.web.ops import ACCESS_FILE, ops_routes
from optimus.web.routes import session_routes
from tests.world import World

HOST = "127.0.0.1:8501"
ORIGIN = {"Origin": f"http://{HOST}", "Host": HOST}
DEEP = "[" * 8_000
BODIES = {
    "empty": b"",
    "nested lists": DEEP.encode(),
    "closed nested lists": (DEEP + "]" * 8_000).encode(),
    "nested objects": b'{"a":' * 3_000,
    "deep argument": b'{"username":' + b"[" * 4_000 + b"]" * 4_000 + b"}",
    "huge": b"[" * 3_000_000,
    "huge number": b'{"username": ' + b"9" * 10_000 + b"}",
    "infinite": b'{"username": 1e999, "password": NaN}',
    "lone surrogate": b'{"username": "\\ud800", "password": "\\udfff"}',
    "no text": bytes(range(256)),
    "wrong kinds": b'{"username": {}, "password": [1]}',
    "null characters": b'{"username": "a\\u0000b", "password": "\\u0000"}',
}
HEADERS: dict[str, dict[str, str]] = {
    "none": {},
    "open bracket": {"Host": "[", "Origin": "http://["},
    "no host": {"Host": "", "Origin": "http://"},
    "bad port": {"Host": "localhost:99999999", "Origin": "http://localhost:99999999"},
    "odd cookie": ORIGIN | {"Cookie": 'optimus="\x7f; =; ;; optimus'},
    "long cookie": ORIGIN | {"Cookie": "optimus=" + "a." * 20_000},
    "own page": ORIGIN,
}
PATHS = (
    ("POST", "/session/open"),
    ("POST", "/session/close"),
    ("GET", "/session/check"),
    ("GET", "/chat?chat=%00%ff"),
    ("GET", "/download/%00%ff"),
    ("POST", "/ops/doctor"),
    ("POST", "/ops/create-admin"),
    ("POST", "/ops/%ED%A0%80"),
)


@pytest.fixture
def token(world: World, tmp_path: Path) -> Iterator[str]:
    """The token of a running process that takes commands."""
    process.install(world.services)
    ACCESS_FILE.open(tmp_path, None)
    access = read_access(tmp_path)
    assert access
    yield access.token
    ACCESS_FILE.close()
    process.install(None)


def ask(
    method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes = b"", peer: str = "127.0.0.1"
) -> httpx.Response:
    """Send one request to the routes as somebody at `peer`; what a route raises comes out here."""

    async def send() -> httpx.Response:
        metrics: list[BaseRoute] = [
            Route(f"{base}/_stcore/metrics", lambda _: PlainTextResponse("figures")) for base in ("", "/base")
        ]
        routes = [*session_routes(), *ops_routes(), *metrics]
        app = Starlette(routes=routes, middleware=[Middleware(ClosedPaths)])
        transport = httpx.ASGITransport(app, client=(peer, 5000))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            return await client.request(method, path, headers=headers, content=body)

    return asyncio.run(send())


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize(("method", "path"), PATHS, ids=[path for _, path in PATHS])
def test_no_body_breaks_a_route(token, method, path, body):
    """Whatever the body, an allowed caller gets an answer below 500, and what is no object is refused."""
    answer = ask(method, path, headers=ORIGIN | {"Authorization": f"Bearer {token}"}, body=body)
    assert answer.status_code < 500
    if path.startswith("/ops") and not body.startswith(b'{"username') and body:
        assert answer.status_code in (400, 413)
        assert answer.json()["error"]


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize(("method", "path"), PATHS, ids=[path for _, path in PATHS])
def test_no_header_breaks_a_route(token, method, path, headers):
    """Whatever host, origin and cookie a request names, the answer is below 500."""
    assert ask(method, path, headers=headers).status_code < 500


@pytest.mark.parametrize(
    ("peer", "claims"),
    [
        ("203.0.113.7", {}),
        ("203.0.113.7", {"Host": "127.0.0.1"}),
        ("203.0.113.7", {"X-Forwarded-For": "127.0.0.1"}),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
        ("", {"Host": "localhost"}),
    ],
)
def test_only_the_peer_decides_what_is_this_machine(token, peer, claims):
    """A command with the right token is taken from loopback alone, whatever host or forwarder the request claims."""
    allowed = {"Authorization": f"Bearer {token}"}
    body = json.dumps({}).encode()
    assert ask("POST", "/ops/no-such-command", headers=allowed, body=body).status_code == 409
    assert ask("POST", "/ops/no-such-command", headers=allowed | claims, body=body, peer=peer).status_code == 405


@pytest.mark.parametrize(
    "path", ["/_stcore/metrics", "/_stcore/metrics/", "/base/_stcore/metrics", "/_stcore%2Fmetrics"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_streamlits_own_figures_are_closed(method, path):
    """Nobody sees them, from this machine or another, by any spelling of the path."""
    assert ask(method, path).status_code == 404
    assert ask(method, path, peer="203.0.113.7").status_code == 404


@pytest.mark.usefixtures("token")
def test_ready_means_that_what_is_written_is_kept(world: World):
    """A disk that keeps nothing is 503 with its sentence; on one that is nearly full, writes are refused."""
    commit = GroupCommit(sync=lambda: None, flush=lambda: None)
    space = FreeSpace(Path(), limit=10, content=(), free=lambda _: 0)
    wired = replace(world.services, store=replace(world.services.store, commit=commit))
    process.install(wired)
    assert ask("GET", "/readyz").json() == {"status": "ready"}
    process.install(replace(wired, store=replace(wired.store, space=space)))
    assert ask("GET", "/readyz").json()["writes"] == "refused"
    commit.close()
    refused = ask("GET", "/readyz")
    assert (refused.status_code, refused.json()["status"]) == (503, "unavailable")
    assert "restarted" in refused.json()["reason"]
