"""What Optimus counts and measures of itself, in the form that Prometheus reads.

Every label takes its values from a closed set: an enumeration, the catalogue's models, the store's operations and
collections. The rest counts as `other`, so nothing that was typed becomes a label, and the series are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import wraps
from time import perf_counter
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from optimus import errors
from optimus.model_metrics import AttemptMetrics
from optimus.models import MessageState, Usage, UserStatus

OTHER = "other"
"""The value of a label for what is not in its set."""
FIRST_TOKEN_BUCKETS_S = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 20)
ANSWER_BUCKETS_S = (0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120)
MEMORY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
STORE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)

disable_created_metrics()  # type: ignore[no-untyped-call]

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound="Measured")


class SignIn(StrEnum):
    """How a try to sign in ended."""

    SUCCEEDED = "succeeded"
    WRONG = "wrong"
    """Unknown user, wrong password or locked account."""
    CHECK = "check_question"
    """The check question was not answered."""
    WAITING = "waiting"
    """Too many failures before; the password was not looked at."""
    BUSY = "busy"
    FAILED = "failed"


class MemoryStage(StrEnum):
    """What the memory engine was doing; the first five are the stages of a turn."""

    REMEMBER = "remember"
    DERIVE = "derive"
    EMBED = "embed"
    RECALL = "recall"
    RANK = "rank"
    LIST = "list"
    ADD = "add"
    EDIT = "edit"
    FORGET = "forget"
    RESTORE = "restore"
    UNDO = "undo"
    WITHDRAW = "withdraw"


class JobStatus(StrEnum):
    """Where work stands that must be finished even after a crash."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"
    OTHER = OTHER


SIGN_INS: dict[type[Exception], SignIn] = {
    errors.InvalidCredentialsError: SignIn.WRONG,
    errors.CaptchaError: SignIn.CHECK,
    errors.TooManyAttemptsError: SignIn.WAITING,
    errors.SignInBusyError: SignIn.BUSY,
}
PROVIDER_ERRORS: dict[type[Exception], str] = {
    errors.ProviderKeyError: "key",
    errors.ProviderUnreachableError: "unreachable",
    errors.ProviderPathError: "path",
    errors.ProviderTimeoutError: "timeout",
    errors.ProviderRateLimitError: "rate_limit",
    errors.ProviderBusyError: "busy",
    errors.ProviderResponseError: "response",
    errors.ProviderRejectedError: "rejected",
    errors.ModelNotFoundError: "model_not_found",
}
STORE_ERRORS: dict[type[Exception], str] = {
    errors.StoreUnavailableError: "unavailable",
    errors.StoreDeniedError: "denied",
    errors.StoreBrokenError: "broken",
    errors.StoreFullError: "full",
    errors.StoreRejectedError: "rejected",
    errors.TenancyError: "isolation",
    errors.SealError: "sealing",
}
REPLIES = (
    errors.NotFoundError,
    errors.AlreadyExistsError,
    errors.ConflictError,
    errors.InvalidInputError,
    errors.LimitReachedError,
)
"""Errors that are a reply to a call, and no failure of what was called."""


class Measured(Protocol):
    """Something that measures itself."""

    _metrics: Metrics


class Metrics:
    """All metrics of one Optimus. Safe from any thread; an observation takes microseconds.

    `models` is the catalogue: the names of the models that are known, by the provider's key.
    """

    def __init__(self, *, models: Mapping[str, Collection[str]] | None = None) -> None:
        self._models = {provider: frozenset(names) for provider, names in (models or {}).items()}
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._make_counters(registry)
        self._make_histograms(registry)
        self._make_gauges(registry)
        self.attempts = AttemptMetrics(registry=registry, known=self._provider)
        for outcome in SignIn:
            self.sign_ins.labels(outcome)

    def _make_counters(self, registry: CollectorRegistry) -> None:
        def counter(name: str, description: str, *labels: str) -> Counter:
            return Counter(f"optimus_{name}", description, labels, registry=registry)

        self.sign_ins = counter("sign_ins", "Tries to sign in.", "outcome")
        self.messages = counter("messages", "Messages that people sent.")
        self.answers = counter("answers", "Answers that ended.", "provider", "model", "state")
        self.tokens = counter("tokens", "Tokens, as the provider counts them.", "provider", "model", "direction")
        self.cost = counter("cost_usd", "List price of all calls in US dollars.", "provider", "model")
        self.unpriced = counter("answers_unpriced", "Calls whose price is not known.", "provider")
        self.provider_errors = counter("provider_errors", "Calls of a model that failed.", "provider", "kind")
        self.memory_errors = counter("memory_errors", "Operations on memory that failed.", "stage")
        self.store_errors = counter("store_errors", "Store operations that failed.", "operation", "collection", "kind")

    def _make_histograms(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, description: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"optimus_{name}_seconds", description, labels, registry=registry, buckets=buckets)

        self.first_token = histogram(
            "first_token", "From the request to the first token.", FIRST_TOKEN_BUCKETS_S, "provider"
        )
        self.answer = histogram("answer", "From the request to the end of the answer.", ANSWER_BUCKETS_S, "provider")
        self.memory = histogram("memory", "Operations on memory and their stages.", MEMORY_BUCKETS_S, "stage")
        self.store = histogram("store", "Operations on the store.", STORE_BUCKETS_S, "operation", "collection")
        self.sync = histogram("store_sync", "Syncs of the embedded store to disk.", STORE_BUCKETS_S)

    def _make_gauges(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, description: str, *labels: str) -> Gauge:
            return Gauge(f"optimus_{name}", description, labels, registry=registry)

        self.generations = gauge("generations_running", "Answers that are being written.")
        self.jobs = gauge("jobs", "Work that must be finished even after a crash.", "state")
        self.sessions = gauge("sessions_active", "Sessions that have not ended or expired.")
        self.users = gauge("users", "Accounts.", "status")
        self.points = gauge("store_points", "Records in the store.", "collection")
        self.store_up = gauge("store_up", "1 if the store answered at the last scrape, else 0.")
        self.breaker = gauge("store_breaker", "1 for what the breaker before a Qdrant server is at present.", "state")
        self.unsynced = gauge("store_unsynced_seconds", "How long the oldest write has waited to survive power loss.")
        self.damage = gauge("store_damage_unsettled", "Damage of the store that nobody has called settled yet.")
        self.backup_at = gauge("backup_timestamp_seconds", "When the last whole backup was made; 0 if never.")
        self.disk_free = gauge("disk_free_bytes", "Free space of the data folder's disk.")
        self.set_jobs(())
        for status in UserStatus:
            self.users.labels(status)

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics in the format that the `Accept` header asks for, and its content type."""
        encode, kind = choose_encoder(accept)
        return encode(self.registry), kind

    @contextmanager
    def sign_in(self) -> Iterator[None]:
        """Count a try to sign in by how it ends."""
        outcome: str = SignIn.SUCCEEDED
        try:
            yield
        except Exception as error:
            outcome = kind_of(error, SIGN_INS, default=SignIn.FAILED)
            raise
        finally:
            self.sign_ins.labels(outcome).inc()

    @contextmanager
    def provider_call(self, provider: str) -> Iterator[None]:
        """Count a call of a model that fails, by the kind of its error. A stopped answer is none."""
        try:
            yield
        except Exception as error:
            self.provider_errors.labels(self._provider(provider), kind_of(error, PROVIDER_ERRORS)).inc()
            raise

    def note_call(
        self, provider: str, model: str, *, state: MessageState | None, usage: Usage, cost_usd: float | None
    ) -> None:
        """Count a call that ended: its tokens, cost and times. `state` None: no answer; `cost_usd` None: not known."""
        known = self._provider(provider)
        name = model if model in self._models.get(provider, ()) else OTHER
        if state is not None:
            self.answers.labels(known, name, state).inc()
        for direction, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            self.tokens.labels(known, name, direction).inc(tokens)
        priced = self.unpriced.labels(known) if cost_usd is None else self.cost.labels(known, name)
        priced.inc(1 if cost_usd is None else cost_usd)
        for histogram, took_ms in ((self.first_token, usage.first_token_ms), (self.answer, usage.duration_ms)):
            if took_ms is not None:
                histogram.labels(known).observe(took_ms / 1000)

    @contextmanager
    def memory_stage(self, stage: MemoryStage) -> Iterator[None]:
        """Measure an operation on memory, or a part of one, and count it if it fails."""
        started = perf_counter()
        try:
            yield
        except REPLIES:
            raise
        except Exception:
            self.memory_errors.labels(stage).inc()
            raise
        finally:
            self.memory.labels(stage).observe(perf_counter() - started)

    @contextmanager
    def store_operation(self, operation: str, collection: str) -> Iterator[None]:
        """Measure a call of the store and count it if it fails; both names come from closed sets."""
        started = perf_counter()
        try:
            yield
        except REPLIES:
            raise
        except Exception as error:
            self.store_errors.labels(operation, collection, kind_of(error, STORE_ERRORS)).inc()
            raise
        finally:
            self.store.labels(operation, collection).observe(perf_counter() - started)

    def timing(self, stage: MemoryStage, function: Callable[P, R]) -> Callable[P, R]:
        """Return a function that does the same and is measured as `stage`."""

        @wraps(function)
        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            with self.memory_stage(stage):
                return function(*args, **kwargs)

        return measured

    def set_jobs(self, found: Iterable[tuple[str, int]]) -> None:
        """Show how many jobs there are, by their status."""
        counts = dict.fromkeys(JobStatus, 0)
        for status, number in found:
            counts[JobStatus(status) if status in set(JobStatus) else JobStatus.OTHER] += number
        for known, number in counts.items():
            self.jobs.labels(known).set(number)

    def _provider(self, key: str) -> str:
        return key if key in self._models else OTHER


def timed(stage: MemoryStage) -> Callable[[Callable[Concatenate[M, P], R]], Callable[Concatenate[M, P], R]]:
    """Measure a method as `stage`, in the metrics of the object that it belongs to."""

    def decorate(method: Callable[Concatenate[M, P], R]) -> Callable[Concatenate[M, P], R]:
        @wraps(method)
        def measured(self: M, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with self._metrics.memory_stage(stage):
                return method(self, *args, **kwargs)

        return measured

    return decorate


def kind_of(error: Exception, kinds: Mapping[type[Exception], str], *, default: str = OTHER) -> str:
    """Return the kind of an error, or of what it is derived from."""
    return next((kinds[base] for base in type(error).__mro__ if base in kinds), default)
