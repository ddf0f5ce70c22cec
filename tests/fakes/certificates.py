"""An authority that was made up for a test, and certificates of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SERIAL = 7
"""Of the authority's own certificate."""
_YEARS = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """What a server shows, and the key to it, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """An authority; `path` is the file of its certificate, which a client may trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made up")])
        builder = self._builder(self._name, self._key).serial_number(SERIAL)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
        usage |= {"encipher_only": False, "decipher_only": False, "digital_signature": True}
        builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        self.path = self._written("authority.pem", builder.sign(self._key, hashes.SHA256()))

    def server(self, address: str) -> ServerFiles:
        """Certify a server at an IP address."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")])
        alternatives = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        builder = self._builder(name, key).serial_number(SERIAL + 1).add_extension(alternatives, critical=False)
        certificate = self._written("server.pem", builder.sign(self._key, hashes.SHA256()))
        path = self._folder / "server.key"
        encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        path.write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
        return ServerFiles(certificate, path)

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        whose = x509.CertificateBuilder(self._name, name, key.public_key())
        return whose.not_valid_before(now - timedelta(days=1)).not_valid_after(now + _YEARS)

    def _written(self, name: str, certificate: x509.Certificate) -> Path:
        path = self._folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path
