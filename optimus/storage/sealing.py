"""The sealing wall: sensitive payload fields leave for the engine as AES-256-GCM under the owner's key.

What is sealed is bound to its collection, owner, point and field, so that it opens nowhere else. Vectors and BM25
weights stay readable by whoever holds the store.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from qdrant_client import models
from qdrant_client.client_base import QdrantBase

from optimus.errors import SealError, StoreRejectedError
from optimus.models import UserId
from optimus.storage.filters import OWNER_FIELD, all_of, has_ids, owned_by
from optimus.storage.keyring import NONCE_BYTES, Keyring
from optimus.storage.validation import point_id as canonical_id
from optimus.storage.walls import (
    FILTER_ARGUMENTS,
    SELECTOR_ARGUMENTS,
    Wall,
    as_points,
    filters_of,
    selected,
    with_field,
)

TAG = "sealed:1:"
_PAGE = 256
_OPENED_READS = ("query_points", "query_batch_points", "scroll", "retrieve")


@dataclass(frozen=True, slots=True)
class SealedFields:
    """Which payload fields of a collection are sealed; `name` is the collection's own, without any prefix."""

    name: str
    fields: frozenset[str]


class SealingWall(Wall):
    """Seal on the way in, open on the way out; nothing may search or sort by a sealed field."""

    def __init__(self, inner: QdrantBase, *, keyring: Keyring, sealed: Mapping[str, SealedFields]) -> None:
        super().__init__(inner)
        self._keyring = keyring
        self._sealed = dict(sealed)

    def _pass(self, call: str, collection_name: str, arguments: dict[str, Any]) -> Any:
        fields = self._sealed.get(collection_name)
        if fields is None:
            return super()._pass(call, collection_name, arguments)
        _check_filters(call, arguments, fields)
        if call == "upsert":
            points = [self._seal_point(point, fields) for point in as_points(arguments["points"])]
            return super()._pass(call, collection_name, {**arguments, "points": points})
        if call in ("set_payload", "overwrite_payload") and _touches(arguments, fields):
            return self._change_each(call, collection_name, arguments, fields)
        if call in _OPENED_READS:
            return self._read(call, collection_name, arguments, fields)
        return super()._pass(call, collection_name, arguments)

    def _read(self, call: str, collection_name: str, arguments: dict[str, Any], fields: SealedFields) -> Any:
        opener = _Opener(self._keyring, fields)
        if call == "query_batch_points":
            if all(_leaves_out(request.with_payload, fields) for request in arguments["requests"]):
                return super()._pass(call, collection_name, arguments)
            selections = [with_field(request.with_payload, OWNER_FIELD) for request in arguments["requests"]]
            requests = [
                request.model_copy(update={"with_payload": selector})
                for request, (selector, _) in zip(arguments["requests"], selections, strict=True)
            ]
            answers = super()._pass(call, collection_name, {**arguments, "requests": requests})
            for answer, (_, cut) in zip(answers, selections, strict=True):
                opener.open_all(answer.points, cut)
            return answers
        selector, cut = with_field(arguments.get("with_payload", True), OWNER_FIELD)
        answer = super()._pass(call, collection_name, {**arguments, "with_payload": selector})
        if call == "scroll":
            return opener.open_all(answer[0], cut), answer[1]
        if call == "retrieve":
            return opener.open_all(answer, cut)
        opener.open_all(answer.points, cut)
        return answer

    def _change_each(self, call: str, collection_name: str, arguments: dict[str, Any], fields: SealedFields) -> Any:
        """Write sealed fields point by point, since each is bound to its point; the selection still guards each."""
        if arguments.get("key"):
            raise StoreRejectedError("sealed fields are set at the top of the payload only")
        name = SELECTOR_ARGUMENTS[call]
        ids, where = selected(arguments[name])
        if ids is not None:
            where = all_of(models.HasIdCondition(has_id=ids))
        answer: Any = models.UpdateResult(status=models.UpdateStatus.COMPLETED)
        for point_id, owner in list(self._owners(collection_name, where)):
            payload = self._seal_payload(arguments["payload"], owner, point_id, fields)
            only = all_of(has_ids(point_id), owned_by(owner), *([where] if where else []))
            changed = {**arguments, "payload": payload, name: models.FilterSelector(filter=only)}
            answer = super()._pass(call, collection_name, changed)
        return answer

    def _owners(self, collection_name: str, where: models.Filter | None) -> Iterator[tuple[Any, UserId]]:
        offset = None
        while True:
            records, offset = self._inner.scroll(
                collection_name=collection_name,
                scroll_filter=where,
                limit=_PAGE,
                offset=offset,
                with_payload=[OWNER_FIELD],
            )
            yield from ((record.id, _owner(record.payload)) for record in records)
            if offset is None:
                return

    def _seal_point(self, point: models.PointStruct, fields: SealedFields) -> models.PointStruct:
        payload = point.payload or {}
        if fields.fields.isdisjoint(payload):
            return point
        sealed = self._seal_payload(payload, _owner(payload), point.id, fields)
        return point.model_copy(update={"payload": sealed})

    def _seal_payload(
        self, payload: dict[str, Any], owner: UserId, point_id: Any, fields: SealedFields
    ) -> dict[str, Any]:
        if payload.get(OWNER_FIELD, owner) != owner:
            raise SealError("a sealed record cannot change its owner")
        cipher = AESGCM(self._keyring.dek(owner))
        place = _place(fields, owner, canonical_id(point_id))
        sealed = dict(payload)
        for field in fields.fields & payload.keys():
            if payload[field] is not None:
                sealed[field] = _seal(cipher, payload[field], place + field)
        return sealed


class _Opener:
    """Open the records of one answer, each sealed value once: the legs of a batch overlap."""

    def __init__(self, keyring: Keyring, fields: SealedFields) -> None:
        self._keyring = keyring
        self._fields = fields
        self._ciphers: dict[UserId, AESGCM] = {}
        self._opened: dict[tuple[str, str], Any] = {}

    def open_all(self, records: list[Any], cut: Any) -> list[Any]:
        for record in records:
            record.payload = cut(self._open(record))
        return records

    def _open(self, record: Any) -> dict[str, Any]:
        payload = record.payload or {}
        sealed = [field for field in self._fields.fields if payload.get(field) is not None]
        if not sealed:
            return dict(payload)
        owner = _owner(payload)
        place = _place(self._fields, owner, record.id)
        return payload | {field: self._open_value(payload[field], owner, place + field) for field in sealed}

    def _open_value(self, value: Any, owner: UserId, bound: str) -> Any:
        if not isinstance(value, str) or not value.startswith(TAG):
            raise SealError("a field that must be sealed is not")
        seen = (bound, value)
        if seen not in self._opened:
            cipher = self._ciphers.get(owner)
            if cipher is None:
                cipher = self._ciphers[owner] = AESGCM(self._keyring.existing(owner))
            self._opened[seen] = _open(cipher, value, bound)
        return self._opened[seen]


def _seal(cipher: AESGCM, value: Any, bound: str) -> str:
    try:
        plain = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as exc:
        raise StoreRejectedError(f"a sealed value is not JSON: {type(exc).__name__}") from None
    nonce = os.urandom(NONCE_BYTES)
    return TAG + b64encode(nonce + cipher.encrypt(nonce, plain, bound.encode())).decode()


def _open(cipher: AESGCM, value: str, bound: str) -> Any:
    """Return what was sealed; a text of other characters does not open, even where base64 reads the same from it."""
    try:
        sealed = b64decode(value[len(TAG) :], validate=True)
        if TAG + b64encode(sealed).decode() != value:
            raise SealError("a sealed field is written otherwise than it was sealed")
        return json.loads(cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound.encode()).decode())
    except (InvalidTag, ValueError):
        raise SealError("a sealed field does not open") from None


def _place(fields: SealedFields, owner: UserId, point_id: Any) -> str:
    """Return where a value belongs, up to its field's name."""
    identity = point_id if isinstance(point_id, str) else str(point_id)
    return f"{fields.name}\x1f{owner}\x1f{identity}\x1f"


def _owner(payload: dict[str, Any] | None) -> UserId:
    owner = (payload or {}).get(OWNER_FIELD)
    if not isinstance(owner, str):
        raise SealError("a sealed record without an owner")
    return UserId(owner)


def _leaves_out(selector: Any, fields: SealedFields) -> bool:
    """Tell whether a payload selector asks for nothing, or for plain fields only, by their own names."""
    if not selector:
        return True
    return isinstance(selector, list) and fields.fields.isdisjoint(selector) and all(map(str.isidentifier, selector))


def _touches(arguments: dict[str, Any], fields: SealedFields) -> bool:
    path = str(arguments.get("key") or "").replace('"', "").split(".")[0].split("[")[0]
    return path in fields.fields or (not path and not fields.fields.isdisjoint(arguments["payload"] or {}))


def _check_filters(call: str, arguments: dict[str, Any], fields: SealedFields) -> None:
    filters = [*filters_of(call, arguments), arguments.get("update_filter")]
    if call in SELECTOR_ARGUMENTS:
        filters.append(selected(arguments[SELECTOR_ARGUMENTS[call]])[1])
    keys = {key for where in filters if where is not None for key in _keys(where)}
    order = arguments.get("order_by")
    keys.add(str(getattr(order, "key", order)))
    keys.add(str(arguments.get("key")) if call in FILTER_ARGUMENTS else "")
    if any(key.replace('"', "").split(".")[0].split("[")[0] in fields.fields for key in keys):
        raise StoreRejectedError("a sealed field cannot be searched or sorted by")


def _keys(condition: Any) -> Iterator[str]:
    """Yield every payload key that a filter looks at, however deep."""
    if isinstance(condition, list):
        for inner in condition:
            yield from _keys(inner)
    elif isinstance(condition, models.Filter):
        for part in (condition.must, condition.should, condition.must_not):
            yield from _keys(part)
        yield from _keys(condition.min_should.conditions if condition.min_should else None)
    elif isinstance(condition, models.FieldCondition):
        yield condition.key
    elif isinstance(condition, models.NestedCondition):
        yield condition.nested.key
    elif isinstance(condition, models.IsEmptyCondition):
        yield condition.is_empty.key
    elif isinstance(condition, models.IsNullCondition):
        yield condition.is_null.key
