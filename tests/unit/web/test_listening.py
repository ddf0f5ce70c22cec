"""Where a process listens, found by looking at its own sockets."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from optimus.web.listening import Listening, find_listening


class _Healthy(BaseHTTPRequestHandler):
    """Answers /healthz as Optimus does."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    """Says nothing about callers that speak another protocol."""

    def handle_error(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def _serving(host: str, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve in this process; yield the port."""
    with _Server((host, 0), _Healthy) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def _certificate(folder: Path) -> Path:
    """Write a key and a certificate for `example.org` that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.org")])
    begin = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=2))
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    path = folder / "both.pem"
    path.write_bytes(pem)
    return path


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_address_is_found_among_the_sockets(host):
    """A server on loopback or on all addresses is found at 127.0.0.1, past sockets that nobody serves."""
    with _serving(host) as port, socket.socket() as bound, socket.socket(socket.AF_UNIX):
        bound.bind(("127.0.0.1", 0))
        assert find_listening(Event()) == Listening(url=f"http://127.0.0.1:{port}", is_loopback=True)


def test_tls_is_recognized(tmp_path):
    """A server that speaks TLS, with a certificate for another name, is found by https."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(tmp_path))
    with _serving("127.0.0.1", context) as port:
        assert find_listening(Event()) == Listening(url=f"https://127.0.0.1:{port}", is_loopback=True)


def test_a_unix_socket_is_named(tmp_path):
    """Where there is only a Unix socket, its path is found, and no address."""
    path = str(tmp_path / "optimus.sock")
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(path)
        listener.listen()
        assert find_listening(Event()) == Listening(unix_socket=path)


def test_nobody_waits_for_a_server_that_stops():
    """A process that ends before it listens is not waited for, and neither is one that never listens."""
    stopping = Event()
    assert find_listening(stopping, patience_s=0.01) == Listening()
    stopping.set()
    assert find_listening(stopping, patience_s=60) == Listening()
