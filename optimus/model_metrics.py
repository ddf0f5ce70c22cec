"""What is counted of the ways in which an answer is asked for: again, from another model, or not at all."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class AttemptMetrics:
    """Counters by provider. Safe from any thread; `known` makes a label of a provider's key."""

    def __init__(self, *, registry: CollectorRegistry, known: Callable[[str], str]) -> None:
        self._known = known
        labels = ("provider",)
        self._requests = Counter(
            "optimus_model_requests", "Calls of a model, each try counted.", labels, registry=registry
        )
        self._memories = Counter(
            "optimus_memories_injected", "Memories that went along with answers.", labels, registry=registry
        )
        self._retries = Counter(
            "optimus_model_retries", "Requests that were sent again before an answer began.", labels, registry=registry
        )
        self._fallbacks = Counter(
            "optimus_model_fallbacks", "Answers that were then asked of another model.", labels, registry=registry
        )
        self._resting = Gauge(
            "optimus_model_breakers_open", "Connections that are left alone for a moment.", labels, registry=registry
        )

    def note_request(self, provider: str) -> None:
        """Count a call of a model: for an answer, a summary or memories."""
        self._requests.labels(self._known(provider)).inc()

    def note_memories(self, provider: str, count: int) -> None:
        """Count the memories that went along with an answer."""
        self._memories.labels(self._known(provider)).inc(count)

    def note_retry(self, provider: str) -> None:
        """Count a request that is sent again."""
        self._retries.labels(self._known(provider)).inc()

    def note_fallback(self, provider: str) -> None:
        """Count an answer of `provider` that is asked of another model."""
        self._fallbacks.labels(self._known(provider)).inc()

    def show_resting(self, provider: str, count: int) -> None:
        """Show how many connections to `provider` are left alone."""
        self._resting.labels(self._known(provider)).set(count)
