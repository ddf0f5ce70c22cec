"""A stored record as one line of a backup, and back."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import numpy as np
from qdrant_client import models

from optimus.storage.collections import DENSE


def to_line(record: Any) -> dict[str, Any]:
    """Return a record as the engine gave it, ready for JSON; dense vectors keep every bit."""
    line: dict[str, Any] = {"id": record.id, "payload": record.payload or {}}
    vectors = record.vector if isinstance(record.vector, dict) else {DENSE: record.vector} if record.vector else {}
    dense = {name: vector for name, vector in vectors.items() if not isinstance(vector, models.SparseVector)}
    sparse = {name: vector for name, vector in vectors.items() if isinstance(vector, models.SparseVector)}
    if dense:
        line["dense"] = {
            name: b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode() for name, vector in dense.items()
        }
    if sparse:
        line["sparse"] = {name: [vector.indices, vector.values] for name, vector in sparse.items()}
    return line


def from_line(line: dict[str, Any]) -> models.PointStruct:
    """Return the point of a line, ready to be written.

    Raises:
        ValueError, TypeError, KeyError or AttributeError: it is no such line.
    """
    vector: dict[str, Any] = {
        name: np.frombuffer(b64decode(text, validate=True), dtype="<f4").tolist()
        for name, text in line.get("dense", {}).items()
    }
    for name, (indices, values) in line.get("sparse", {}).items():
        vector[name] = models.SparseVector(indices=indices, values=values)
    return models.PointStruct(id=line["id"], vector=vector, payload=line["payload"])
