"""Addresses that try to lead a call of a model inside: none of them is connected to, however it is written.

The corpus goes through both checks as a call does: the address as it was entered, and what its host leads to when it
is connected to.
"""

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from optimus.errors import InvalidInputError
from optimus.llm_handler import Credentials
from optimus.llm_handler.addresses import check_base_url, host_of
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.pinning import PinningBackend
from optimus.llm_handler.requests import ModelRef
from optimus.models import MessageState
from tests.fakes.providers import Fault, FaultKind
from tests.unit.llm.support import KEY, Ending, ended, make_request
from tests.unit.llm.test_faults import ENDPOINTS

METADATA = [
    "169.254.169.254",
    "169.254.169.254.",
    "169.254.170.2",
    "169.254.0.1",
    "169.254.43518",
    "169.16689662",
    "169.0xfea9fe",
    "169.254.0xa9fe",
    "2852039166",
    "0xa9fea9fe",
    "0xA9FEA9FE",
    "025177524776",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "0251.254.169.254",
    "0xa9.254.169.254",
    "0000251.0376.251.376",
    "0xa9.0376.43518",
    "169。254。169。254",
    "169．254．169．254",
    "169｡254｡169｡254",
    "①⑥⑨.②⑤④.①⑥⑨.②⑤④",
    "１６９.254.169.254",
    "%31%36%39.254.169.254",
    "169%2e254%2e169%2e254",
    "169.254.169.254%00",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::FFFF:A9FE:A9FE]",
    "[0:0:0:0:0:ffff:a9fe:a9fe]",
    "[0::ffff:a9fe:a9fe]",
    "[::169.254.169.254]",
    "[::a9fe:a9fe]",
    "[::ffff:0:169.254.169.254]",
    "[::ffff:0:a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:1234:5678::5601:5601]",
    "[fe80::a9fe:a9fe]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[febf::1]",
    "[fe80::5efe:169.254.169.254]",
    "[2620:4f:8000::5efe:a9fe:a9fe]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "metadata",
    "metadata.google.internal",
    "metadata.google.internal.",
    "METADATA.GOOGLE.INTERNAL",
    "metadata.google.internal。",
    "instance-data",
    "instance-data.ec2.internal",
    "0",
    "0.0.0.0",
    "0x0",
    "00000000",
    "0.1.2.3",
    "[::]",
    "[0::0]",
    "[::0.0.0.0]",
    "[::ffff:0.0.0.0]",
    "224.0.0.1",
    "239.255.255.250",
    "[ff02::1]",
    "[ff05::1:3]",
]
"""Hosts that nobody may name."""

INSIDE = [
    "10.0.0.1",
    "10.1",
    "10.0.1",
    "0xa000001",
    "0x0a.0.0.1",
    "012.0.0.1",
    "167772161",
    "172.16.0.9",
    "172.31.255.255",
    "192.168.1.20",
    "192.168.276",
    "3232235796",
    "0xc0a80114",
    "192。168。1。20",
    "192．168．1．20",
    "１９２.168.1.20",
    "100.64.0.1",
    "100.127.255.255",
    "198.18.0.1",
    "192.0.0.1",
    "192.0.0.170",
    "192.88.99.1",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "240.0.0.1",
    "255.255.255.255",
    "4294967295",
    "1.1",
    "[::ffff:10.0.0.1]",
    "[::ffff:a00:1]",
    "[::10.0.0.1]",
    "[::a00:1]",
    "[::ffff:0:10.0.0.1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b:1::a00:1]",
    "[2002:a00:1::]",
    "[2002:c0a8:114::1]",
    "[2001:0:0:0:0:0:f5ff:fffe]",
    "[2620:4f:8000::200:5efe:a00:1]",
    "[fc00::1]",
    "[fd00::1]",
    "[fdff:ffff::1]",
    "[fec0::1]",
    "[100::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[4000::1]",
    "[2001:2::1]",
    "[2001:10::1]",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.1",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0x7f.0.0.0x1",
    "0",
    "127.0.0.1.",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:0:0:0:0:80ff:fffe]",
    "[::1%25lo]",
    "ⓛocalhost",
    "ｌｏｃａｌｈｏｓｔ",
    "loc\xadalhost",
    "%6c%6f%63%61%6c%68%6f%73%74",
    "127.0.0.1%20",
    "256.256.256.256",
    "4294967296",
    "1.2.3.4.5",
    "[127.0.0.1]",
    "[v1.fe80::a]",
    "a..b",
    ".example.com",
    "*",
    "xn--bad\u200b",
]
"""Hosts that only the settings may name, or nobody."""

WHOLE = (
    *(
        "http://127.0.0.1@10.0.0.1/",
        "http://127.0.0.1:80@10.0.0.1/",
        "http://user:secret@127.0.0.1/",
        "http://@127.0.0.1/",
    ),
    *("http://10.0.0.1#@127.0.0.1/", "http://10.0.0.1?@127.0.0.1/", "http://127.0.0.1%2f@10.0.0.1/"),
    *("http://127.0.0.1\\@10.0.0.1/", "http:\\\\10.0.0.1\\", "https://8.8.8.8\\.10.0.0.1/", "http:/10.0.0.1/"),
    *("http:10.0.0.1/", "http:///10.0.0.1/", "//10.0.0.1/", "///10.0.0.1/", "10.0.0.1", "127.0.0.1:11434", "localhost"),
    *("https://8.8.8.8:443:80/", "https://8.8.8.8:0/", "https://8.8.8.8:65536/", "https://8.8.8.8:99999/"),
    *(
        "https://8.8.8.8:-1/",
        "https://8.8.8.8:8x/",
        "https://[::1",
        "https://::1/",
        "https://[::1]]/",
        "https://[[::1]]/",
    ),
    *("https://8.8.8.8\r\nHost: x/", "https://8.8.8.8/\r\nX: y", "https://8.8.8.8\t.example/", "https://8.8.8.8\0/"),
    *("https://10.0.0.1 .example/", "https://exa mple.com/", "https://example.com%0d%0aHost:x/", "https://e%00x.com/"),
    *("file:///etc/passwd", "file://127.0.0.1/etc/passwd", "ftp://8.8.8.8/", "gopher://127.0.0.1:6379/_x"),
    *("dict://127.0.0.1:11211/", "ws://8.8.8.8/", "jar:https://8.8.8.8!/", "data:text/plain,x", "javascript:alert(1)"),
    *("unix:///var/run/docker.sock", "http+unix://%2fvar%2frun/", "ldap://127.0.0.1/", "https+unix://x/", "https://"),
    *(
        "https://8.8.8.8/?to=http://10.0.0.1",
        "https://8.8.8.8/#x",
        "https://8.8.8.8/v1?",
        "https://" + "a." * 300 + "com",
    ),
)
"""Addresses that are wrong in another place than the host."""

NAMES = (
    *("169.254.169.254.nip.io", "127.0.0.1.evil.example", "localhost.evil.example", "localhost.localdomain"),
    *("ip6-localhost", "foo.localhost", "router.local", "printer", "kubernetes.default.svc", "vault.internal"),
    *(
        "0b1111111.0.0.1",
        "1e2",
        "10.0.0.1e0",
        "xn--fiqs8s",
        "bücher.example",
        "models.example.",
        "MODELS.example",
        "exam_ple.com",
    ),
)
"""Names that can be entered: what they lead to decides."""
LED = (
    *(
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "192.168.1.20",
        "169.254.169.254",
        "::ffff:a9fe:a9fe",
        "::7f00:1",
        "::",
        "fe80::1%2",
    ),
    *(
        "64:ff9b:1::a00:1",
        "::ffff:0:a00:1",
        "fec0::1",
        "fd00::1",
        "100.64.0.1",
        "0.0.0.0",
        "168.63.129.16",
        "2002:7f00:1::",
    ),
)


class Connections:
    """Stands for the HTTP library's network and notes whom it would connect to."""

    ConnectError = ConnectTimeout = ConnectionError

    def __init__(self) -> None:
        self.made: list[str] = []
        self.AnyIOBackend = lambda: SimpleNamespace(connect_tcp=self.connect)

    async def connect(self, address: str, _port: int, **_options: Any) -> None:
        self.made.append(address)


def led_to(text: str, answers: list[str], *, is_trusted: bool) -> list[str]:
    """Return whom a call of an address would connect to, where a name server gives these answers."""

    async def lookup(host: str, port: int) -> list[str]:
        try:
            numeric = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except OSError:
            return answers
        return [str(entry[4][0]) for entry in numeric]

    try:
        host, port = host_of(check_base_url(text, is_trusted=is_trusted))
    except InvalidInputError:
        return []
    net: Any = Connections()
    backend = PinningBackend(core=net, is_trusted=lambda *_: is_trusted, lookup=lookup)
    try:
        asyncio.run(backend.connect_tcp(host, port, timeout=1.0))
    except ConnectionError as exc:
        assert isinstance(exc.__cause__, InvalidInputError)  # noqa: PT017 - why, where it was not connected to
    return list(net.made)


def test_the_corpus_is_a_corpus():
    """It holds at least 150 forms, none of them twice in its list."""
    assert len(METADATA) + len(INSIDE) + len(WHOLE) + len(NAMES) >= 150
    assert all(len(set(each)) == len(each) for each in (METADATA, INSIDE, WHOLE, NAMES, LED))


@pytest.mark.parametrize("shape", ["http://{}/v1", "https://{}/v1", "https://{}:8443/", "HTTPS://{}"])
def test_nobody_reaches_what_is_never_a_model_server(shape):
    """Metadata, link-local, multicast and unspecified addresses stay shut, also for the settings."""
    for is_trusted in (False, True):
        reached = {host: led_to(shape.format(host), ["169.254.169.254"], is_trusted=is_trusted) for host in METADATA}
        assert {host: made for host, made in reached.items() if made} == {}


@pytest.mark.parametrize("shape", ["http://{}/v1", "https://{}/v1", "https://{}:8443/", "HTTPS://{}"])
def test_what_is_entered_leads_nowhere_inside(shape):
    """No form of an address inside a network, and no odd form of this machine's, is connected to."""
    reached = {host: led_to(shape.format(host), ["10.0.0.1"], is_trusted=False) for host in INSIDE}
    assert {host: made for host, made in reached.items() if made} == {}


@pytest.mark.parametrize("text", WHOLE)
def test_what_is_no_plain_address_is_refused(text):
    """Another scheme, a hidden host, a port that is none, or anything beside host and path is refused at once."""
    for is_trusted in (False, True):
        with pytest.raises(InvalidInputError):
            check_base_url(text, is_trusted=is_trusted)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_inside_is_not_called(name):
    """Neither is it where a public address stands beside the one inside; where all are public it is called."""
    text = f"https://{name}/v1"
    for address in LED:
        assert led_to(text, [address], is_trusted=False) == []
        assert led_to(text, ["8.8.8.8", address], is_trusted=False) == []
    assert led_to(text, ["2606:4700::1111"], is_trusted=False) == ["2606:4700::1111"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_inside(status, gateway: ModelGateway, fake):
    """Neither a test of a key nor an answer goes where a server points to: nothing knocks there."""
    with socket.create_server(("127.0.0.1", 0)) as sentinel:
        sentinel.setblocking(False)
        target = f"http://127.0.0.1:{sentinel.getsockname()[1]}/v1/models"
        for provider in ENDPOINTS:
            name, path = ENDPOINTS[provider]
            credentials = Credentials(base_url=f"{fake.url}{path}", api_key=SecretStr(KEY))
            fake.faults += [Fault(kind=FaultKind.STATUS, status=status, headers={"Location": target})] * 2
            assert not gateway.test(provider, credentials).ok
            ref = ModelRef(provider=provider, name=name)
            result = ended(gateway.start(make_request(model=ref, credentials=credentials), Ending()))
            assert result.state is MessageState.FAILED
            fake.faults.clear()
        with pytest.raises(BlockingIOError):
            sentinel.accept()
