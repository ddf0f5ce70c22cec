"""Complete validation of what is written, before any engine sees it.

The embedded engine logs an operation before it checks it, so a rejected write comes back after a restart, and a
malformed sparse vector can make a collection unloadable. Nothing reaches an engine that this module has not passed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
from qdrant_client.http import models

from optimus.errors import StoreRejectedError

MAX_PAYLOAD_DEPTH = 16
"""Nested containers, the payload itself included. The engine cannot read back a log entry nested 123 deep."""
MAX_PAYLOAD_KEYS = 64
"""Keys of one object."""
MAX_PAYLOAD_BYTES = 256 * 1024
"""Size of one payload as UTF-8 JSON."""
MAX_POINT_INTEGER = 2**64 - 1
MAX_SPARSE_INDEX = 2**32 - 1

_MAX_COMPONENT = 1e15
"""Vectors are stored as 32-bit floats: the sum of so large squares is still finite."""
_MIN_COMPONENT = float(np.finfo(np.float32).tiny)
_MIN_INTEGER = -(2**63)
_FIELD_NAME = re.compile(r"[A-Za-z0-9_-]+")
_PATH_SEGMENT = re.compile(r"[A-Za-z0-9_-]+(?:\[[0-9]*\])*")
_UUID = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)

DenseVector = list[float]
NamedVectors = dict[str, DenseVector | models.SparseVector]


@dataclass(frozen=True, slots=True)
class VectorLayout:
    """The vectors that a point of a collection may carry."""

    dense: Mapping[str, int]
    """Name to dimension; the default vector is named ``""``."""
    sparse: frozenset[str]

    @classmethod
    def of(cls, config: models.CollectionParams | models.CreateCollection) -> VectorLayout:
        """Read the layout of a collection's parameters, as created or as `get_collection` reports them."""
        vectors = config.vectors or {}
        named = {"": vectors} if isinstance(vectors, models.VectorParams) else vectors
        return cls(
            dense={name: params.size for name, params in named.items()},
            sparse=frozenset(config.sparse_vectors or {}),
        )


LayoutSource = VectorLayout | models.CollectionParams | models.CreateCollection


def validate_points(
    points: Sequence[models.PointStruct] | models.Batch, config: LayoutSource
) -> list[models.PointStruct]:
    """Check every point of an upsert completely and return them in one form: names to vectors, JSON payload.

    Raises:
        StoreRejectedError: any point breaks a limit; none of them may be written.
    """
    layout = _layout(config)
    listed = _points_of_batch(points) if isinstance(points, models.Batch) else list(points)
    if not listed:
        raise StoreRejectedError("an upsert needs at least one point")
    return [
        models.PointStruct.model_construct(
            id=point_id(point.id),
            vector=named_vectors(point.vector, layout),
            payload=validate_payload(point.payload or {}),
        )
        for point in listed
    ]


def validate_vectors(points: Sequence[models.PointVectors], config: LayoutSource) -> list[models.PointVectors]:
    """Check every point of a vector update completely, as `validate_points` does.

    Raises:
        StoreRejectedError: any vector breaks a limit, or a point brings none.
    """
    layout = _layout(config)
    checked = [
        models.PointVectors.model_construct(id=point_id(point.id), vector=named_vectors(point.vector, layout))
        for point in points
    ]
    if not checked or not all(point.vector for point in checked):
        raise StoreRejectedError("a vector update needs at least one vector of each point")
    return checked


def known_vector_names(names: Sequence[str], config: LayoutSource) -> list[str]:
    """Return `names` when the collection has them all.

    Raises:
        StoreRejectedError: there are none, or one is unknown.
    """
    layout = _layout(config)
    unknown = [name for name in names if name not in layout.dense and name not in layout.sparse]
    if unknown or not names:
        raise StoreRejectedError(f"unknown or no vector names: {unknown}")
    return list(names)


def validate_payload(payload: Mapping[str, Any], *, path: str | None = None) -> dict[str, Any]:
    """Return the payload as plain JSON values: times and UUIDs as text, tuples as lists.

    Keys of the payload itself are limited to letters, digits, ``_`` and ``-``: others could be stored, but never
    filtered on. `path` is the nested place where the payload will be put; its depth counts. A float of more than 15
    digits may come back changed in its last bit.

    Raises:
        StoreRejectedError: too deep, too many keys, too large, not JSON, not finite or not valid UTF-8.
    """
    depth = len(validate_path(path)) if path else 0
    for key in payload:
        if not isinstance(key, str) or not _FIELD_NAME.fullmatch(key):
            raise StoreRejectedError("a payload key has other characters than letters, digits, _ and -")
    plain: dict[str, Any] = _plain(payload, depth + 1)
    try:
        size = len(_ENCODER.encode(plain).encode())
    except ValueError as exc:
        raise StoreRejectedError(f"a payload value is not valid JSON text: {type(exc).__name__}") from None
    if size > MAX_PAYLOAD_BYTES:
        raise StoreRejectedError(f"a payload has {size} bytes; the limit is {MAX_PAYLOAD_BYTES}")
    return plain


def validate_path(path: str) -> list[str]:
    """Split the path of a payload field (`a.b[0].c`) into its segments.

    Raises:
        StoreRejectedError: the path is malformed or too deep.
    """
    segments = path.split(".")
    if len(segments) >= MAX_PAYLOAD_DEPTH or not all(_PATH_SEGMENT.fullmatch(segment) for segment in segments):
        raise StoreRejectedError("a payload path is malformed or too deep")
    return segments


def point_id(value: object) -> int | str:
    """Return a point id in its canonical form: an unsigned 64-bit integer or a lower-case, dashed UUID.

    Raises:
        StoreRejectedError: it is neither.
    """
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str) and _UUID.fullmatch(value):
        return str(UUID(value))
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_POINT_INTEGER:
        return value
    raise StoreRejectedError("a point id is neither an unsigned 64-bit integer nor a UUID")


def named_vectors(vectors: object, config: LayoutSource) -> NamedVectors:
    """Return a point's vectors by name, each checked against the collection's layout.

    Raises:
        StoreRejectedError: unknown name, wrong kind, wrong dimension, zero, not finite, malformed.
    """
    layout = _layout(config)
    named = vectors if isinstance(vectors, Mapping) else {"": vectors}
    return {name: _stored_vector(vector, name, layout) for name, vector in named.items()}


def query_vector(vector: object, name: str, config: LayoutSource) -> DenseVector | models.SparseVector:
    """Check the vector of a query as a stored one is checked; it may be zero.

    Raises:
        StoreRejectedError: unknown name, wrong kind, wrong dimension, not finite, malformed.
    """
    layout = _layout(config)
    if name in layout.sparse:
        return _sparse(vector, name)
    return _dense(vector, name, layout)


def _layout(config: LayoutSource) -> VectorLayout:
    return config if isinstance(config, VectorLayout) else VectorLayout.of(config)


def _points_of_batch(batch: models.Batch) -> list[models.PointStruct]:
    vectors: Any = batch.vectors
    by_name: dict[str, Any] = vectors if isinstance(vectors, dict) else {"": vectors}
    payloads: Sequence[Any] = batch.payloads if batch.payloads is not None else [None] * len(batch.ids)
    lengths = {len(batch.ids), len(payloads), *(len(column) for column in by_name.values())}
    if len(lengths) > 1:
        raise StoreRejectedError("the columns of a batch differ in length")
    return [
        models.PointStruct.model_construct(
            id=batch.ids[row], vector={name: column[row] for name, column in by_name.items()}, payload=payloads[row]
        )
        for row in range(len(batch.ids))
    ]


def _stored_vector(vector: object, name: str, layout: VectorLayout) -> DenseVector | models.SparseVector:
    if name in layout.sparse:
        return _sparse(vector, name)
    dense = _dense(vector, name, layout)
    if not any(abs(number) >= _MIN_COMPONENT for number in dense):
        raise StoreRejectedError(f"vector {name!r} is zero")
    return dense


def _dense(vector: object, name: str, layout: VectorLayout) -> DenseVector:
    size = layout.dense.get(name)
    if size is None:
        raise StoreRejectedError(f"unknown vector name {name!r}")
    if isinstance(vector, np.ndarray):
        vector = vector.tolist()
    if not isinstance(vector, list):
        raise StoreRejectedError(f"vector {name!r} wants a list of numbers")
    if len(vector) != size:
        raise StoreRejectedError(f"vector {name!r} wants {size} numbers, not {len(vector)}")
    _check_finite(vector, name)
    return vector


def _sparse(vector: object, name: str) -> models.SparseVector:
    if not isinstance(vector, models.SparseVector):
        raise StoreRejectedError(f"vector {name!r} wants a sparse vector")
    indices, values = vector.indices, vector.values
    if len(indices) != len(values):
        raise StoreRejectedError(f"sparse vector {name!r} has {len(indices)} indices and {len(values)} values")
    if len(set(indices)) != len(indices):
        raise StoreRejectedError(f"sparse vector {name!r} names an index twice")
    if not all(isinstance(index, int) and 0 <= index <= MAX_SPARSE_INDEX for index in indices):
        raise StoreRejectedError(f"sparse vector {name!r} has an index outside 32 bits")
    _check_finite(values, name)
    return vector


def _check_finite(numbers: list[float], name: str) -> None:
    try:
        array = np.asarray(numbers, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise StoreRejectedError(f"vector {name!r} holds something else than numbers") from None
    if array.ndim != 1 or not np.abs(array).max(initial=0.0) <= _MAX_COMPONENT:
        raise StoreRejectedError(f"vector {name!r} is nested, not finite or too long")


def _plain(value: Any, depth: int) -> Any:
    convert = _SCALARS.get(type(value)) or next((to for kind, to in _SCALARS.items() if isinstance(value, kind)), None)
    if convert is not None:
        return convert(value)
    if not isinstance(value, Mapping | list | tuple):
        raise StoreRejectedError(f"a payload value of type {type(value).__name__} cannot be stored")
    if depth > MAX_PAYLOAD_DEPTH:
        raise StoreRejectedError(f"a payload is nested deeper than {MAX_PAYLOAD_DEPTH}")
    if isinstance(value, Mapping):
        return _plain_object(value, depth)
    return [_plain(item, depth + 1) for item in value]


def _plain_object(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    if len(value) > MAX_PAYLOAD_KEYS:
        raise StoreRejectedError(f"a payload object has {len(value)} keys; the limit is {MAX_PAYLOAD_KEYS}")
    if not all(isinstance(key, str) for key in value):
        raise StoreRejectedError("a payload key is not text")
    return {str.__str__(key): _plain(item, depth + 1) for key, item in value.items()}


def _plain_integer(value: int) -> int:
    if not _MIN_INTEGER <= value <= MAX_POINT_INTEGER:
        raise StoreRejectedError("a payload integer does not fit 64 bits")
    return int(value)


def _plain_number(value: float) -> float:
    if not math.isfinite(value):
        raise StoreRejectedError("a payload number is not finite")
    return float(value)


_SCALARS: dict[type[Any], Callable[[Any], Any]] = {
    str: str.__str__,
    bool: bool,
    int: _plain_integer,
    float: _plain_number,
    type(None): lambda value: value,
    date: lambda value: value.isoformat(),
    UUID: str,
}
"""Found by the exact type, which is quick, else tried in this order: a bool is an int too, a datetime a date."""
