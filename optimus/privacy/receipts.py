"""The receipt of an erasure: what was erased and when, signed, and without a name.

The key of the signature follows from the master key (Ed25519, RFC 8032), so a receipt can be checked for as long as
that key is kept, and with the public key alone by anybody else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from optimus.errors import InvalidInputError
from optimus.models import Value

MAX_RECEIPT_BYTES = 16_384


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

    def __init__(self, *, master: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(hmac.digest(master, b"optimus erasure receipts", "sha256"))

    def sign(self, receipt: Receipt) -> Receipt:
        """Return the receipt with its signature."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        named = receipt.model_copy(update={"public_key": b64encode(raw).decode(), "signature": ""})
        return named.model_copy(update={"signature": b64encode(self._key.sign(_signed(named))).decode()})

    def verify(self, text: str) -> Receipt:
        """Return the receipt of a file, once its signature is proven to be of this Optimus.

        Raises:
            InvalidInputError: it is no receipt, was changed, or was signed with another key.
        """
        try:
            receipt = Receipt.model_validate_json(text[:MAX_RECEIPT_BYTES])
            self._key.public_key().verify(b64decode(receipt.signature, validate=True), _signed(receipt))
        except ValidationError:
            raise InvalidInputError(user_message="This is no receipt of an erasure.") from None
        except (InvalidSignature, ValueError):
            raise InvalidInputError(
                user_message="The signature is not right: the receipt was changed, or is of another Optimus."
            ) from None
        return receipt


def account_hash(salt: str, name_key: str) -> str:
    """Return what a receipt says of the account instead of its name."""
    return hashlib.sha256(f"{salt}\x1f{name_key}".encode("utf-8", "surrogatepass")).hexdigest()


def _signed(receipt: Receipt) -> bytes:
    fields: dict[str, Any] = receipt.model_dump(mode="json", exclude={"signature"})
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
