"""Who may read the metrics."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import Response

from optimus import process
from optimus.web.monitoring import read_metrics
from tests.world import World, running_world

TOKEN = "k3Jd9-sdf7Q2-lmW8x-Zp0aV-tt5Rb-93hsq"
HERE = ("127.0.0.1", 50000)
ELSEWHERE = ("172.18.0.1", 50000)


def ask(client=HERE, host="127.0.0.1:8501", **headers: str) -> Response:
    """Send one request to the route."""
    raw = [(b"host", host.encode())]
    raw += [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/metrics", "query_string": b"", "headers": raw, "client": client}
    return asyncio.run(read_metrics(Request(scope)))


@pytest.fixture
def installed(world: World):
    """A world without a token, as the services of this process."""
    process.install(world.services)
    yield world
    process.install(None)


@pytest.fixture
def with_token(tmp_path):
    """A world with a token, as the services of this process."""
    with running_world(tmp_path, metrics_token=TOKEN) as world:
        process.install(world.services)
        yield world
        process.install(None)


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost:8501", "[::1]:8501", "localhost"])
def test_this_machine_reads_without_a_token(installed, host):
    """A program on this machine gets the metrics in Prometheus' text format."""
    answer = ask(host=host)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert b"optimus_messages_total 0.0" in answer.body


def test_the_format_is_the_one_that_is_asked_for(installed):
    """A Prometheus that prefers OpenMetrics gets it."""
    answer = ask(accept="application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert bytes(answer.body).endswith(b"# EOF\n")


PASSED_ON = [
    {"x_forwarded_for": "127.0.0.1"},
    {"x_forwarded_for": ""},
    {"x_forwarded_proto": "https"},
    {"x_forwarded_host": "localhost"},
    {"x_real_ip": "127.0.0.1"},
    {"forwarded": "for=127.0.0.1"},
    {"via": "1.1 proxy"},
    {"host": "optimus.example.com"},
    {"host": ""},
    {"client": ELSEWHERE},
    {"client": ELSEWHERE, "host": "localhost"},
    {"client": None},
]


@pytest.mark.parametrize("request_", PASSED_ON, ids=str)
def test_others_find_nothing_without_a_token_in_the_settings(installed, request_):
    """Another machine, a proxy on this one and a page whose name leads here get 404, whatever they bring."""
    assert ask(**request_).status_code == 404
    assert ask(**request_, authorization="Bearer ").status_code == 404
    assert ask(**request_, authorization="Bearer None").status_code == 404


@pytest.mark.parametrize("request_", PASSED_ON, ids=str)
def test_others_need_the_token(with_token, request_):
    """With a token in the settings they get 401 until they bring it."""
    refused = ask(**request_)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert b"optimus" not in refused.body
    assert ask(**request_, authorization=f"Bearer {TOKEN}").status_code == 200


@pytest.mark.parametrize(
    "brought", [TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer", "Bearer \xff\xfe", ""]
)
def test_a_wrong_token_is_refused(with_token, brought):
    """Nearly right, of another scheme, empty, or not even text: refused."""
    assert ask(client=ELSEWHERE, authorization=brought).status_code == 401


def test_before_the_store_is_open_nobody_reads():
    """While Optimus starts, who may read is not known yet."""
    process.install(None)
    assert ask().status_code == 503
