"""Collection configurations and payload indexes between the REST models and the embedded engine's types."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge
from qdrant_client.http import models

from optimus.errors import StoreRejectedError
from optimus.storage.edge_convert import edge_enum, rest_enum

_HNSW_DEFAULTS = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
"""The engine has no defaults of its own for these; the values are the server's."""

_OPTIMIZER_FIELDS = (
    "deleted_threshold",
    "vacuum_min_vector_number",
    "default_segment_number",
    "max_segment_size",
    "indexing_threshold",
    "prevent_unoptimized",
)

_QUANTIZATIONS: dict[str, Any] = {
    "scalar": edge.ScalarQuantizationConfig,
    "product": edge.ProductQuantizationConfig,
    "binary": edge.BinaryQuantizationConfig,
    "turbo": edge.TurboQuantQuantizationConfig,
}

_ENUMS: dict[str, Any] = {
    "memory": edge.Memory,
    "encoding": edge.BinaryQuantizationEncoding,
    "query_encoding": edge.BinaryQuantizationQueryEncoding,
    "type": edge.ScalarType,
    "compression": edge.CompressionRatio,
    "bits": edge.TurboQuantBitSize,
    "tokenizer": edge.TokenizerType,
}

_INDEXES: dict[models.PayloadSchemaType, tuple[Any, Any]] = {
    models.PayloadSchemaType.KEYWORD: (models.KeywordIndexParams, edge.KeywordIndexParams),
    models.PayloadSchemaType.INTEGER: (models.IntegerIndexParams, edge.IntegerIndexParams),
    models.PayloadSchemaType.FLOAT: (models.FloatIndexParams, edge.FloatIndexParams),
    models.PayloadSchemaType.GEO: (models.GeoIndexParams, edge.GeoIndexParams),
    models.PayloadSchemaType.TEXT: (models.TextIndexParams, edge.TextIndexParams),
    models.PayloadSchemaType.BOOL: (models.BoolIndexParams, edge.BoolIndexParams),
    models.PayloadSchemaType.DATETIME: (models.DatetimeIndexParams, edge.DatetimeIndexParams),
    models.PayloadSchemaType.UUID: (models.UuidIndexParams, edge.UuidIndexParams),
}


def to_edge_config(rest: models.CreateCollection, *, search_threads: int) -> edge.EdgeConfig:
    """Convert a collection's configuration; the log is always on.

    Raises:
        StoreRejectedError: the collection would have no vector at all.
    """
    vectors = rest.vectors or {}
    named = {"": vectors} if isinstance(vectors, models.VectorParams) else vectors
    sparse = rest.sparse_vectors or {}
    if not named and not sparse:
        raise StoreRejectedError("a collection needs at least one dense or sparse vector")
    return edge.EdgeConfig(
        vectors={name: _vector(params) for name, params in named.items()} or None,
        sparse_vectors={name: _sparse_vector(params) for name, params in sparse.items()} or None,
        on_disk_payload=rest.on_disk_payload,
        hnsw_config=_hnsw(rest.hnsw_config),
        quantization_config=_quantization(rest.quantization_config),
        optimizers=edge.EdgeOptimizersConfig(**_given(rest.optimizers_config, _OPTIMIZER_FIELDS)),
        max_search_threads=search_threads,
        payload_memory=_memory(rest.payload),
        id_tracker_memory=_memory(rest.id_tracker),
        wal_enabled=True,
    )


def to_collection_config(rest: models.CreateCollection) -> models.CollectionConfig:
    """Return the configuration as `get_collection` reports it, with the defaults filled in."""
    hnsw = _HNSW_DEFAULTS | (rest.hnsw_config.model_dump(exclude_none=True) if rest.hnsw_config else {})
    optimizers = rest.optimizers_config.model_dump(exclude_none=True) if rest.optimizers_config else {}
    return models.CollectionConfig(
        params=models.CollectionParams(
            vectors=rest.vectors, sparse_vectors=rest.sparse_vectors, on_disk_payload=rest.on_disk_payload
        ),
        hnsw_config=models.HnswConfig(**hnsw),
        optimizer_config=models.OptimizersConfig(**{"default_segment_number": 0, "flush_interval_sec": 0} | optimizers),
        quantization_config=rest.quantization_config,
        metadata=rest.metadata,
    )


def index_params(requested: Any) -> models.PayloadSchemaParams:
    """Return the full parameters of a requested index, given as a type or as parameters.

    Unless asked for, only the tenant's and the principal field get links in the vector graph: each linked field
    multiplies the time that building it takes.
    """
    if not hasattr(requested, "model_fields_set"):
        kind = models.PayloadSchemaType(requested)
        requested = _INDEXES[kind][0](type=kind.value)
    params: models.PayloadSchemaParams = requested.model_copy()
    is_linked = getattr(params, "is_tenant", None) or getattr(params, "is_principal", None)
    if params.enable_hnsw is None and not is_linked:
        params.enable_hnsw = False
    return params


def index_type(params: models.PayloadSchemaParams) -> models.PayloadSchemaType:
    """Return the kind of index that parameters describe."""
    return models.PayloadSchemaType(params.type.value)


def to_edge_index(params: models.PayloadSchemaParams) -> Any:
    """Convert the parameters of an index."""
    values = {name: getattr(params, name) for name in type(params).model_fields if name != "type"}
    given = {name: _index_value(name, value) for name, value in values.items() if value is not None}
    return _INDEXES[index_type(params)][1](**given)


def from_edge_index(info: edge.PayloadIndexInfo) -> models.PayloadIndexInfo:
    """Convert what the engine says about an index; stop words and stemmers of a text index are left out."""
    kind: models.PayloadSchemaType = rest_enum(models.PayloadSchemaType, info.data_type)
    params = None
    if info.params is not None:
        rest_params = _INDEXES[kind][0]
        names = [name for name in rest_params.model_fields if name not in {"type", "stopwords", "stemmer", "scoring"}]
        values = {name: _rest_value(name, getattr(info.params, name)) for name in names}
        params = rest_params(type=kind.value, **values)
    return models.PayloadIndexInfo(data_type=kind, params=params, points=info.points)


def to_edge_vector_name(name: str, rest: models.VectorNameConfig) -> edge.UpdateOperation:
    """Convert the addition of a vector to an existing collection."""
    if isinstance(rest, models.SparseVectorNameConfig):
        return edge.UpdateOperation.create_sparse_vector(name, modifier=_modifier(rest.sparse.modifier))
    return edge.UpdateOperation.create_dense_vector(
        name, rest.dense.size, edge_enum(edge.Distance, rest.dense.distance)
    )


def with_vector_name(
    config: models.CreateCollection, name: str, rest: models.VectorNameConfig | None
) -> models.CreateCollection:
    """Return the configuration with a vector added, or with `rest` None removed."""
    vectors = config.vectors or {}
    dense = {"": vectors} if isinstance(vectors, models.VectorParams) else dict(vectors)
    sparse = dict(config.sparse_vectors or {})
    dense.pop(name, None)
    sparse.pop(name, None)
    if isinstance(rest, models.SparseVectorNameConfig):
        sparse[name] = models.SparseVectorParams(modifier=rest.sparse.modifier)
    elif rest is not None:
        dense[name] = models.VectorParams(size=rest.dense.size, distance=rest.dense.distance)
    return config.model_copy(update={"vectors": dense, "sparse_vectors": sparse})


def _vector(rest: models.VectorParams) -> edge.EdgeVectorParams:
    if rest.multivector_config is not None:
        raise NotImplementedError("multi-vectors are not offered by the embedded store")
    return edge.EdgeVectorParams(
        size=rest.size,
        distance=edge_enum(edge.Distance, rest.distance),
        on_disk=rest.on_disk,
        datatype=edge_enum(edge.VectorStorageDatatype, rest.datatype) if rest.datatype else None,
        quantization_config=_quantization(rest.quantization_config),
        hnsw_config=_hnsw(rest.hnsw_config),
        memory=_memory(rest),
    )


def _sparse_vector(rest: models.SparseVectorParams) -> edge.EdgeSparseVectorParams:
    index = rest.index or models.SparseIndexParams()
    return edge.EdgeSparseVectorParams(
        full_scan_threshold=index.full_scan_threshold,
        on_disk=index.on_disk,
        modifier=_modifier(rest.modifier),
        datatype=edge_enum(edge.VectorStorageDatatype, index.datatype) if index.datatype else None,
        memory=_memory(index),
    )


def _modifier(rest: models.Modifier | None) -> edge.Modifier | None:
    return edge.Modifier.Idf if rest is models.Modifier.IDF else None


def _memory(rest: Any) -> edge.Memory | None:
    memory = getattr(rest, "memory", None)
    return edge_enum(edge.Memory, memory) if memory is not None else None


def _hnsw(rest: models.HnswConfigDiff | None) -> edge.HnswIndexConfig | None:
    if rest is None:
        return None
    given = {name: _plain_value(name, value) for name, value in rest if value is not None}
    return edge.HnswIndexConfig(**_HNSW_DEFAULTS | given)


def _quantization(rest: Any) -> Any:
    if rest is None:
        return None
    ((kind, values),) = ((name, value) for name, value in rest)
    return _QUANTIZATIONS[kind](**{name: _plain_value(name, value) for name, value in values if value is not None})


def _given(rest: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(rest, name) for name in names if getattr(rest, name, None) is not None}


def _plain_value(name: str, value: Any) -> Any:
    return edge_enum(_ENUMS[name], value) if name in _ENUMS else value


def _index_value(name: str, value: Any) -> Any:
    if name == "stopwords":
        return _stopwords(value)
    if name == "stemmer":
        is_snowball = isinstance(value, models.SnowballParams)
        return (
            edge.SnowballParams(edge_enum(edge.SnowballLanguage, value.language))
            if is_snowball
            else (edge.DisabledStemmer())
        )
    if name == "scoring":
        return value if isinstance(value, bool) else edge.TextScoringParams()
    return _plain_value(name, value)


def _stopwords(rest: models.Language | models.StopwordsSet) -> Any:
    if isinstance(rest, models.StopwordsSet):
        languages = {edge_enum(edge.Language, language) for language in rest.languages or []}
        return edge.StopwordsSet(languages=languages or None, custom=set(rest.custom or []) or None)
    return edge_enum(edge.Language, rest)


def _rest_value(name: str, value: Any) -> Any:
    if value is None or name not in {"memory", "tokenizer"}:
        return value
    return rest_enum(models.Memory if name == "memory" else models.TokenizerType, value)
