"""The chain of audit records: what is hashed, what an erasure may blank, and how a break shows.

A record's hash is an HMAC over its public part, the hash of the record before it, and two commitments: one to who
did it, one to whom it concerns. A commitment is an HMAC over a salt and the values, so a part can be erased later
together with its salt: the chain still holds, and nothing left tells the values. A blanked part carries a proof that
only the key's holder can make, so blanking is no way to hide who did something.

The key is not in the store. Whoever holds only the store can neither change a record nor make one that fits.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from optimus.models import UserId

PARTS = {"who": ("actor", "network", "browser"), "whom": ("user_id", "item")}
"""The private fields of a record, by the part that commits to them; the first of each names an account."""
_SALT_BYTES = 16


class Link(NamedTuple):
    """A record's place in the chain."""

    seq: int
    hash: str


START = Link(0, "")
"""What the first record follows."""


@dataclass(frozen=True, slots=True)
class AuditChain:
    """Makes and checks records under one key; reads and writes nothing."""

    key: bytes = field(repr=False)

    def sealed(self, fields: dict[str, Any], *, at: datetime, after: Link) -> dict[str, Any]:
        """Return `fields` (`type`, `data` and the private ones) as the record that follows `after`."""
        record = {**fields, "seq": after.seq + 1, "prev": after.hash, "at": at.isoformat()}
        for part in PARTS:
            record[f"{part}_salt"] = secrets.token_hex(_SALT_BYTES)
            record[part] = self._commitment(record, part)
        return record | {"hash": self._hash(record)}

    def flaw(self, record: dict[str, Any], after: Link) -> str | None:
        """Return what is wrong with the record that stands after `after`, in words; None where nothing is."""
        if record.get("seq") != after.seq + 1 or isinstance(record["seq"], bool):
            return "another record stands in its place"
        if record.get("prev") != after.hash:
            return "it does not follow the record before it"
        if not _same(record.get("hash"), self._hash(record)):
            return "it was changed"
        if not all(self._is_true(record, part) for part in PARTS):
            return "whom it names was changed"
        return None

    def blanked(self, record: dict[str, Any], owner: UserId) -> dict[str, Any]:
        """Return a record without the parts that name `owner`; a part that was tampered with gets no proof.

        What an unknown actor did to the owner's account says where somebody was, and goes with it.
        """
        blank = dict(record)
        for part, fields in PARTS.items():
            named = record.get(fields[0]) or record.get("user_id")
            if named == owner:
                proof = self._erasure(record, part) if self._is_true(record, part) else ""
                blank |= {**dict.fromkeys(fields), f"{part}_salt": None, f"{part}_erased": proof}
        return blank

    def head_mark(self, link: Link) -> str:
        """Return the mark that proves a noted end of the chain."""
        return self._mac("head", link.seq, link.hash)

    def _is_true(self, record: dict[str, Any], part: str) -> bool:
        if record.get(f"{part}_salt") is not None:
            return _same(record.get(part), self._commitment(record, part))
        is_blank = all(record.get(name) is None for name in PARTS[part])
        return is_blank and _same(record.get(f"{part}_erased"), self._erasure(record, part))

    def _hash(self, record: dict[str, Any]) -> str:
        public = (record.get(name) for name in ("seq", "prev", "at", "type", "data", *PARTS))
        return self._mac("record", *public)

    def _commitment(self, record: dict[str, Any], part: str) -> str:
        return self._mac(part, record[f"{part}_salt"], *(record.get(name) for name in PARTS[part]))

    def _erasure(self, record: dict[str, Any], part: str) -> str:
        return self._mac("erased", record.get("seq"), part, record.get(part))

    def _mac(self, *values: Any) -> str:
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hmac.digest(self.key, text.encode(), "sha256").hex()


def _same(stored: object, expected: str) -> bool:
    return isinstance(stored, str) and hmac.compare_digest(stored.encode(errors="replace"), expected.encode())
