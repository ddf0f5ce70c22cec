"""Collections, their indexes and their vectors are made, described and deleted alike."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from qdrant_client import models as m

VECTOR = m.VectorParams(size=4, distance=m.Distance.COSINE)
IDF = {"bm25": m.SparseVectorParams(modifier=m.Modifier.IDF)}
TENANT = m.KeywordIndexParams(type=m.KeywordIndexType.KEYWORD, is_tenant=True)

CONFIGS: dict[str, dict[str, Any]] = {
    "one vector": {"vectors_config": VECTOR},
    "named vectors": {"vectors_config": {"": VECTOR, "ctx": VECTOR}, "sparse_vectors_config": IDF},
    "sparse alone": {"vectors_config": {}, "sparse_vectors_config": IDF},
    "two-bit quantization": {
        "vectors_config": m.VectorParams(
            size=4,
            distance=m.Distance.COSINE,
            on_disk=True,
            quantization_config=m.BinaryQuantization(
                binary=m.BinaryQuantizationConfig(
                    always_ram=True,
                    encoding=m.BinaryQuantizationEncoding.TWO_BITS,
                    query_encoding=m.BinaryQuantizationQueryEncoding.SCALAR8BITS,
                )
            ),
            hnsw_config=m.HnswConfigDiff(m=24, payload_m=16),
        )
    },
    "scalar quantization": {
        "vectors_config": VECTOR,
        "quantization_config": m.ScalarQuantization(
            scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, quantile=0.99)
        ),
    },
    "tuned": {
        "vectors_config": VECTOR,
        "hnsw_config": m.HnswConfigDiff(m=0, payload_m=16),
        "optimizers_config": m.OptimizersConfigDiff(indexing_threshold=1000, default_segment_number=2),
        "on_disk_payload": True,
    },
    "half-size numbers": {
        "vectors_config": m.VectorParams(size=4, distance=m.Distance.MANHATTAN, datatype=m.Datatype.FLOAT16),
        "sparse_vectors_config": {"s": m.SparseVectorParams(index=m.SparseIndexParams(on_disk=True))},
    },
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_collection_describes_itself_as_it_was_made(writable, case):
    """The vectors of a collection are reported as given, also after a restart."""
    config = CONFIGS[case]
    name = writable.engine.make(**config)
    writable.settle()
    params = writable.engine.client.get_collection(name).config.params
    assert (params.vectors or {}) == config["vectors_config"]
    assert set(params.sparse_vectors or {}) == set(config.get("sparse_vectors_config", {}))


def test_a_collection_exists_from_making_to_deleting(writable):
    """It is listed, found and counted empty; deleted, it is gone and its name is free."""
    name = writable.engine.make(vectors_config=VECTOR)
    writable.settle()
    client = writable.engine.client
    assert client.collection_exists(name)
    assert name in {collection.name for collection in client.get_collections().collections}
    assert client.get_collection(name).points_count == 0
    client.upsert(name, [m.PointStruct(id=1, vector=[1.0, 0.0, 0.0, 0.0], payload={})])
    assert client.delete_collection(name)
    writable.settle()
    client = writable.engine.client
    assert not client.collection_exists(name)
    client.create_collection(name, vectors_config=VECTOR)
    assert client.count(name).count == 0


def test_deleting_a_missing_collection_is_no_error(writable):
    """It says that there was none."""
    assert not writable.engine.client.delete_collection(f"missing_{uuid4().hex}")


def test_a_collection_counts_its_points(writable):
    """The description follows what is written and deleted."""
    name = writable.engine.make(vectors_config=VECTOR)
    client = writable.engine.client
    client.upsert(name, [m.PointStruct(id=n, vector=[float(n), 1.0, 0.0, 0.0], payload={}) for n in range(1, 11)])
    client.delete(name, [1, 2])
    writable.settle()
    info = writable.engine.client.get_collection(name)
    assert info.points_count == 8
    assert info.status == m.CollectionStatus.GREEN


@pytest.mark.parametrize(
    "schema",
    [
        "keyword",
        m.PayloadSchemaType.INTEGER,
        "float",
        "bool",
        "datetime",
        "uuid",
        "geo",
        "text",
        TENANT,
        m.IntegerIndexParams(type=m.IntegerIndexType.INTEGER, lookup=False, range=True),
        m.DatetimeIndexParams(type=m.DatetimeIndexType.DATETIME, is_principal=True),
        m.UuidIndexParams(type=m.UuidIndexType.UUID, is_tenant=True),
        m.KeywordIndexParams(type=m.KeywordIndexType.KEYWORD, on_disk=True),
        m.TextIndexParams(
            type=m.TextIndexType.TEXT,
            tokenizer=m.TokenizerType.MULTILINGUAL,
            stopwords=m.Language.ENGLISH,
            stemmer=m.SnowballParams(type=m.Snowball.SNOWBALL, language=m.SnowballLanguage.ENGLISH),
            phrase_matching=True,
        ),
    ],
    ids=lambda schema: schema if isinstance(schema, str) else f"{schema.type}-params",
)
def test_an_index_is_made_twice_and_deleted(writable, schema):
    """Asking for the same index again is no error, and neither is deleting it."""
    name = writable.engine.make(vectors_config=VECTOR)
    for _ in range(2):
        writable.engine.client.create_payload_index(name, "field", field_schema=schema)
    writable.settle()
    client = writable.engine.client
    kind = m.PayloadSchemaType(getattr(schema, "type", schema))
    if writable.engine.name != "memory":
        assert client.get_collection(name).payload_schema["field"].data_type == kind
    client.delete_payload_index(name, "field")
    assert "field" not in client.get_collection(name).payload_schema


def test_vectors_are_added_and_removed_later(writable):
    """A new vector can be written and searched at once; a removed one is gone from the points."""
    name = writable.engine.make(vectors_config={"": VECTOR, "old": VECTOR})
    client = writable.engine.client
    client.upsert(
        name, [m.PointStruct(id=1, vector={"": [1.0, 2.0, 3.0, 4.0], "old": [1.0, 2.0, 3.0, 4.0]}, payload={"n": 1})]
    )
    dense = m.DenseVectorNameConfig(dense=m.DenseVectorConfig(size=2, distance=m.Distance.DOT))
    sparse = m.SparseVectorNameConfig(sparse=m.SparseVectorConfig(modifier=m.Modifier.IDF))
    client.create_vector_name(name, "new", dense)
    client.create_vector_name(name, "words", sparse)
    client.delete_vector_name(name, "old")
    writable.settle()
    client = writable.engine.client
    added: dict[str, Any] = {"new": [1.0, 2.0], "words": m.SparseVector(indices=[5], values=[1.0])}
    client.update_vectors(name, [m.PointVectors(id=1, vector=added)])
    found = client.retrieve(name, [1], with_vectors=True)[0]
    assert set(found.vector) == {"", "new", "words"}
    assert [hit.score for hit in client.query_points(name, [1.0, 1.0], using="new").points] == [3.0]
    assert len(client.query_points(name, added["words"], using="words").points) == 1


def test_there_are_no_aliases(writable):
    """Nobody makes aliases."""
    assert all(alias.collection_name != "x" for alias in writable.engine.client.get_aliases().aliases)
