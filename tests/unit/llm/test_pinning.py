"""Where names lead: each address is checked when it is connected to, whatever it was a moment before."""

import logging
from typing import Any

import pytest
from pydantic import SecretStr

from optimus.errors import InvalidInputError
from optimus.llm_handler import Credentials
from optimus.llm_handler.addresses import check_resolved
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import ModelRef
from optimus.llm_handler.wire import Outside
from optimus.models import MessageState
from tests.unit.llm.support import KEY, NOW, Ending, bare_settings, ended, make_request
from tests.unit.llm.test_faults import ENDPOINTS

PRIVATE = (
    "10.0.0.1",
    "172.16.0.9",
    "192.168.1.20",
    "127.0.0.1",
    "100.64.0.1",
    "::1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
)
NEVER = (
    "169.254.169.254",
    "fe80::1",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "224.0.0.1",
    "fd00:ec2::254",
    "100.100.100.200",
)


@pytest.mark.parametrize("address", [*PRIVATE, *NEVER])
def test_a_public_name_never_leads_inside(address):
    """An address of a network's own, in any form, is refused for a name that a user gave."""
    with pytest.raises(InvalidInputError):
        check_resolved("models.example", address, is_trusted=False)


@pytest.mark.parametrize("address", NEVER)
def test_not_even_a_name_of_the_settings_leads_to_metadata(address):
    """Link-local, metadata, multicast and unspecified addresses are refused for everybody."""
    with pytest.raises(InvalidInputError):
        check_resolved("models.example", address, is_trusted=True)


@pytest.mark.parametrize(
    ("host", "address", "is_trusted"),
    [
        ("models.example", "8.8.8.8", False),
        ("models.example", "2606:4700::1111", False),
        ("ollama", "172.18.0.3", True),
        ("ollama", "127.0.0.1", True),
        ("localhost", "127.0.0.1", False),
        ("localhost", "::1", False),
        ("127.0.0.1", "127.0.0.1", False),
    ],
)
def test_where_a_name_may_lead(host, address, is_trusted):
    """Public names lead anywhere public, names of the settings into the own network, this machine to itself."""
    check_resolved(host, address, is_trusted=is_trusted)


def test_this_machine_is_this_machine():
    """The name of this machine leads nowhere else, whatever the name server says."""
    with pytest.raises(InvalidInputError):
        check_resolved("localhost", "8.8.8.8", is_trusted=False)


class Rebinding:
    """A name server that gives the answers of a list, one after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, _host, _port):
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


@pytest.fixture
def gateway_with(request):
    """Make gateways with a name server of our own."""

    def make(lookup, **settings):
        gateway = ModelGateway(settings=bare_settings(**settings), clock=lambda: NOW, outside=Outside(lookup=lookup))
        request.addfinalizer(gateway.close)
        return gateway

    return make


def ask(gateway: ModelGateway, provider: str, port: int, scheme: str = "http") -> Any:
    """Ask a model at a name on the fake's port and return the result."""
    model, suffix = ENDPOINTS[provider]
    url = f"{scheme}://models.example:{port}{suffix}"
    credentials = Credentials(base_url=url, api_key=SecretStr(KEY))
    request = make_request(model=ModelRef(provider=provider, name=model), credentials=credentials)
    return ended(gateway.start(request, Ending()))


@pytest.mark.parametrize("provider", ENDPOINTS)
def test_no_library_connects_past_the_check(provider, fake, gateway_with, caplog):
    """A name that leads to this machine is not called by any provider's library, and the sentence says why."""
    with caplog.at_level(logging.DEBUG, logger="optimus"):
        result = ask(gateway_with(Rebinding(["127.0.0.1"])), provider, fake.port, scheme="https")
    assert result.state is MessageState.FAILED
    assert "leads into a private network" in result.error
    assert not fake.requests
    assert KEY not in caplog.text


def test_one_bad_address_among_good_ones_is_enough(fake, gateway_with):
    """All addresses of a name are checked before any is called."""
    result = ask(gateway_with(Rebinding(["8.8.8.8", "127.0.0.1"])), "compatible", fake.port, scheme="https")
    assert result.state is MessageState.FAILED
    assert not fake.requests


def test_a_name_that_changes_is_checked_when_it_is_called(fake, gateway_with):
    """What a name led to once counts for nothing: the address that is checked is the one that is called."""
    lookup = Rebinding(["169.254.169.254"], ["127.0.0.1"])
    gateway = gateway_with(lookup)
    for _ in range(2):
        assert ask(gateway, "compatible", fake.port, scheme="https").state is MessageState.FAILED
    assert lookup.asked == 2
    assert not fake.requests


def test_a_name_of_the_settings_leads_into_the_own_network(fake, gateway_with):
    """Whoever runs Optimus may name a server of the own network, at that port alone."""
    lookup = Rebinding(["127.0.0.1"])
    url = f"http://models.example:{fake.port}/v1"
    gateway = gateway_with(lookup, compatible_base_url=url)
    assert ask(gateway, "compatible", fake.port).state is MessageState.COMPLETE
    assert lookup.asked == 1
    assert fake.bodies()[0].headers["host"] == f"models.example:{fake.port}"


def test_proxies_of_the_environment_are_not_used(fake, gateway_with, monkeypatch):
    """A key does not go through a proxy that a variable names."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    gateway = gateway_with(Rebinding(["127.0.0.1"]))
    assert ended(gateway.start(make_request(fake.url + "/v1"), Ending())).state is MessageState.COMPLETE
