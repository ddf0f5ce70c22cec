"""The receipt of an erasure: what was erased and when, signed, and without a name.

The key of the signature follows from the master key (Ed25519, RFC 8032). A receipt is checked with the public key,
also by anybody else; when the master key changes, the public key of the old one is kept beside the new one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from optimus.errors import ConfigurationError, InvalidInputError
from optimus.keys import replace_file
from optimus.models import Value

MAX_RECEIPT_BYTES = 16_384
FORMER_SIGNERS = "receipts.pub"
"""File of the key folder with the public keys of master keys that were replaced, one a line."""


class Receipt(Value):
    """What the owner of an erased account keeps."""

    format: Literal["optimus-erasure-receipt"] = "optimus-erasure-receipt"
    version: Literal[1] = 1
    id: str
    erased_at: datetime
    requested_by: Literal["owner", "admin", "restore"]
    """`restore` means that a restored backup brought the account back, and it was erased again."""
    records: dict[str, int]
    """How many records each collection held before."""
    account: str
    """SHA-256 of the salt and the username: only who knows the name can tell whose receipt it is."""
    salt: str
    public_key: str = ""
    signature: str = ""

    def to_json(self) -> str:
        """Return the file that the owner keeps."""
        return self.model_dump_json(indent=2) + "\n"


class ReceiptSigner:
    """Signs receipts with a key made from the master key, and checks them."""

    def __init__(self, *, master: bytes, former: Iterable[bytes] = (), folder: Path | None = None) -> None:
        self._key = _signing_key(master)
        self._former = frozenset(_public(_signing_key(each)) for each in (master, *former))
        self._folder = folder

    def sign(self, receipt: Receipt) -> Receipt:
        """Return the receipt with its signature."""
        named = receipt.model_copy(update={"public_key": _public(self._key), "signature": ""})
        return named.model_copy(update={"signature": b64encode(self._key.sign(_signed(named))).decode()})

    def verify(self, text: str) -> Receipt:
        """Return the receipt of a file, once its signature is proven to be of this Optimus.

        Raises:
            InvalidInputError: it is no receipt, was changed, or was signed with another key.
        """
        try:
            receipt = Receipt.model_validate_json(text[:MAX_RECEIPT_BYTES])
            self._signer_of(receipt).verify(b64decode(receipt.signature, validate=True), _signed(receipt))
        except ValidationError:
            raise InvalidInputError(user_message="This is no receipt of an erasure.") from None
        except (InvalidSignature, ValueError):
            raise InvalidInputError(
                user_message="The signature is not right: the receipt was changed, or is of another Optimus."
            ) from None
        return receipt

    def _signer_of(self, receipt: Receipt) -> Ed25519PublicKey:
        if receipt.public_key not in self._former | former_signers(self._folder):
            raise InvalidSignature
        return Ed25519PublicKey.from_public_bytes(b64decode(receipt.public_key, validate=True))


def former_signers(folder: Path | None) -> frozenset[str]:
    """Return the public keys of replaced master keys that are noted in the key folder."""
    try:
        return frozenset((folder / FORMER_SIGNERS).read_text(encoding="ascii").split()) if folder else frozenset()
    except (FileNotFoundError, UnicodeDecodeError):
        return frozenset()


def note_signers(folder: Path, masters: Iterable[bytes]) -> None:
    """Keep the public keys that receipts were signed with so far, for the time when the master keys are gone.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    known = former_signers(folder)
    noted = known | {_public(_signing_key(master)) for master in masters}
    if noted == known:
        return
    try:
        replace_file(folder / FORMER_SIGNERS, "".join(f"{each}\n" for each in sorted(noted)).encode())
    except OSError as exc:
        raise ConfigurationError(
            f"The key folder {folder} cannot be written: {exc.strerror or type(exc).__name__}. Make it writable for "
            "the user that runs Optimus, and try again; nothing was changed."
        ) from exc


def account_hash(salt: str, name_key: str) -> str:
    """Return what a receipt says of the account instead of its name."""
    return hashlib.sha256(f"{salt}\x1f{name_key}".encode("utf-8", "surrogatepass")).hexdigest()


def _signing_key(master: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hmac.digest(master, b"optimus erasure receipts", "sha256"))


def _public(key: Ed25519PrivateKey) -> str:
    return b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def _signed(receipt: Receipt) -> bytes:
    fields: dict[str, Any] = receipt.model_dump(mode="json", exclude={"signature"})
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
