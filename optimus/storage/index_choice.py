"""How dense vectors are indexed, quantized and searched."""

from __future__ import annotations

from typing import Literal

from qdrant_client import models

from optimus.models import Value
from optimus.settings import Settings


class IndexChoice(Value):
    """How dense vectors are indexed and searched; see the settings of the same names."""

    quantization: Literal["two-bit", "one-bit", "off"] = "two-bit"
    hnsw_m: int = 16
    """Links of a point in its tenant's own graph; there is no graph over all tenants."""
    hnsw_ef_construct: int = 100
    """Candidates that each of these links is chosen from."""
    full_scan_kb: int = 10_000
    """Of fewer kB of vectors no graph is made: they are compared one by one."""
    vectors_on_disk: bool = True
    oversampling: float = 4.0
    """Candidates of the quantized vectors that are scored again with the originals, per wanted result."""
    search_ef: int = 256

    def search_params(self) -> models.SearchParams:
        """Return how a dense search runs: over quantized vectors, the best again over the originals."""
        quantization = models.QuantizationSearchParams(rescore=True, oversampling=self.oversampling)
        return models.SearchParams(hnsw_ef=self.search_ef, quantization=quantization)

    def links(self) -> models.HnswConfigDiff:
        """Return how the graphs are made."""
        return models.HnswConfigDiff(
            m=0,
            payload_m=self.hnsw_m,
            ef_construct=self.hnsw_ef_construct,
            full_scan_threshold=self.full_scan_kb,
        )

    def vectors(self, size: int) -> models.VectorParams:
        """Return how the originals of vectors with `size` numbers are kept."""
        return models.VectorParams(size=size, distance=models.Distance.COSINE, on_disk=self.vectors_on_disk)

    def binary(self) -> models.BinaryQuantization | None:
        """Return how vectors are quantized; None where they are not."""
        if self.quantization == "off":
            return None
        bits = models.BinaryQuantizationEncoding
        encoding = bits.TWO_BITS if self.quantization == "two-bit" else bits.ONE_BIT
        return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True, encoding=encoding))


DEFAULTS = IndexChoice()


def index_choice(settings: Settings) -> IndexChoice:
    """Return what the settings say about indexes."""
    return IndexChoice.model_validate({name: getattr(settings, name) for name in IndexChoice.model_fields})
