"""One collection with every kind of field and vector. Values are continuous, so that no two scores tie."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
from qdrant_client.http import models

from tests.contract.engines import Engine

SIZE = 160
DENSE = 16
CONTEXT = 8
TERMS = 40
COLORS = ("red", "green", "blue")

CONFIG: dict[str, Any] = {
    "vectors_config": {
        "": models.VectorParams(size=DENSE, distance=models.Distance.COSINE),
        "ctx": models.VectorParams(size=CONTEXT, distance=models.Distance.DOT),
        "far": models.VectorParams(size=CONTEXT, distance=models.Distance.EUCLID),
    },
    "sparse_vectors_config": {
        "bm25": models.SparseVectorParams(modifier=models.Modifier.IDF),
        "plain": models.SparseVectorParams(),
    },
}

INDEXES: dict[str, Any] = {
    "owner": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
    "color": "keyword",
    "n": "integer",
    "price": "float",
    "flag": "bool",
    "at": "datetime",
    "key": "uuid",
    "tags": "keyword",
    "place": "geo",
    "text": models.TextIndexParams(
        type=models.TextIndexType.TEXT, tokenizer=models.TokenizerType.WORD, lowercase=True, phrase_matching=True
    ),
}


def uuid_of(number: int) -> str:
    """Return the UUID of a number, so that UUIDs sort as the numbers do."""
    return str(UUID(int=number))


def random_numbers(seed: int) -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(seed)


def dense(generator: np.random.Generator, size: int = DENSE) -> list[float]:
    """Return a random vector."""
    return [float(number) for number in generator.normal(size=size).astype(np.float32)]


def sparse(generator: np.random.Generator, terms: int = 6) -> models.SparseVector:
    """Return a random sparse vector."""
    indices = sorted(int(index) for index in generator.choice(TERMS, size=terms, replace=False))
    return models.SparseVector(indices=indices, values=[float(v) for v in generator.uniform(0.5, 2, size=terms)])


def payload_of(number: int, generator: np.random.Generator) -> dict[str, Any]:
    """Return the payload of a point; some fields are missing, null or empty on some."""
    payload: dict[str, Any] = {
        "owner": uuid_of(number % 4),
        "color": COLORS[number % 3],
        "n": number,
        "price": round(generator.uniform(0, 100), 3),
        "flag": number % 2 == 0,
        "at": f"2024-{number % 12 + 1:02d}-{number % 28 + 1:02d}T{number % 24:02d}:00:00Z",
        "key": uuid_of(1000 + number),
        "tags": [f"t{number % 5}", f"u{number % 7}"],
        "place": {"lon": round(generator.uniform(-9, 9), 3), "lat": round(generator.uniform(40, 50), 3)},
        "text": f"the quick fox number{number} jumps over {COLORS[number % 3]} dogs",
        "nested": {"deep": {"n": number % 10}, "list": [{"a": number % 4, "b": number % 3}, {"a": 9, "b": 1}]},
        "note": None if number % 10 == 0 else "written",
        "empty": [],
    }
    if number % 6 == 0:
        del payload["price"]
    return payload


def points() -> list[models.PointStruct]:
    """Return the points: every third id is a UUID, some points lack a vector."""
    generator = random_numbers(7)
    made = []
    for number in range(1, SIZE + 1):
        vectors: dict[str, Any] = {
            "": dense(generator),
            "ctx": dense(generator, CONTEXT),
            "far": dense(generator, CONTEXT),
            "bm25": sparse(generator),
            "plain": sparse(generator),
        }
        if number % 9 == 0:
            del vectors["ctx"]
        if number % 11 == 0:
            del vectors["bm25"]
        point_id: int | str = uuid_of(number) if number % 3 == 0 else number
        made.append(models.PointStruct(id=point_id, vector=vectors, payload=payload_of(number, generator)))
    return made


def load(engine: Engine) -> str:
    """Make the collection on an engine and fill it."""
    name = engine.make(**CONFIG)
    for field, schema in INDEXES.items():
        engine.client.create_payload_index(name, field, field_schema=schema)
    engine.client.upsert(name, points(), wait=True)
    return name
