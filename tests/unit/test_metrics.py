"""What is counted, and that nothing personal becomes a label."""

import asyncio
import time

import pytest

from optimus.breaker import BreakerState
from optimus.errors import (
    InvalidCredentialsError,
    NotFoundError,
    OptimusError,
    ProviderError,
    ProviderRateLimitError,
    ProviderTimeoutError,
    StoreUnavailableError,
    TenancyError,
)
from optimus.llm_handler.catalogue import CATALOGUE
from optimus.llm_handler.requests import ModelChoice, ModelRef
from optimus.metrics import (
    OTHER,
    PROVIDER_ERRORS,
    SIGN_INS,
    STORE_ERRORS,
    JobStatus,
    MemoryStage,
    Metrics,
    SignIn,
)
from optimus.models import MemoryId, MessageState, Usage, UserStatus, new_id
from optimus.services import new_metrics
from optimus.settings import Settings
from optimus.storage.collections import CollectionNames, collection_specs
from optimus.storage.store import open_store
from optimus.storage.table import Table
from optimus.storage.walls import COLLECTION_READS, COLLECTION_WRITES, POINT_READS, POINT_WRITES
from tests.fakes.providers import running_provider
from tests.unit.test_chat import connect
from tests.world import KEYS, PASSWORD, World

CLOSED: dict[str, set[str]] = {
    "outcome": set(SignIn),
    "provider": {entry.key for entry in CATALOGUE.all()} | {OTHER},
    "model": {name for entry in CATALOGUE.all() for name in entry.models} | {OTHER},
    "direction": {"input", "output"},
    "kind": {*PROVIDER_ERRORS.values(), *STORE_ERRORS.values(), OTHER},
    "stage": set(MemoryStage),
    "operation": {*POINT_READS, *POINT_WRITES, *COLLECTION_READS, *COLLECTION_WRITES},
    "collection": {spec.name for spec in collection_specs(CollectionNames(prefix=""))} | {OTHER},
    "status": set(UserStatus),
    "state": {*MessageState, *JobStatus, *BreakerState},
}
MAX_SERIES = 3_000


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return the present value of one series."""
    return metrics.registry.get_sample_value(f"optimus_{name}", labels)


def samples(metrics: Metrics):
    """Return all series of Optimus itself."""
    return [s for family in metrics.registry.collect() for s in family.samples if s.name.startswith("optimus_")]


def work(world: World) -> None:
    """Do a little of everything, with names and texts that must not show up anywhere."""
    world.say("My sister Ottilie is allergic to walnuts")
    secret = ModelChoice(
        ref=ModelRef(provider="compatible", name="private-model-of-ottilie"),
        title="x",
        provider_title="x",
        free=True,
        is_local=True,
    )
    world.say("What is Ottilie allergic to?", choice=secret)
    for name in ("ottilie", "ada"):
        with pytest.raises(OptimusError):
            world.services.auth.sign_in(
                username=name, password="wrong-ottilie", network="10.9.8.7", captcha=None, user_agent="u"
            )
    memory = world.services.memory
    kept = memory.add(world.owner, "Ottilie plays the oboe")
    memory.edit(world.owner, kept.id, "Ottilie plays the flute", expected_version=kept.version)
    memory.forget(world.owner, kept.id)
    memory.restore(world.owner, kept.id)
    memory.list(world.owner)


def test_every_label_is_from_a_closed_set(world: World):
    """Whatever was typed, said or connected, each label's value is one that the code knows."""
    work(world)
    text, _ = world.services.scrape()
    for word in ("ottilie", "ada", "10.9.8.7", "private", "walnut", world.owner):
        assert word not in text.decode().lower()
    for sample in samples(world.services.store.metrics):
        for label, found in sample.labels.items():
            assert label == "le" or found in CLOSED[label], sample


def test_the_number_of_series_is_bounded():
    """All providers, models, stages, operations and collections together stay under a few thousand series."""
    metrics = new_metrics()
    for entry in CATALOGUE.all():
        for name in (*entry.models, *(f"typed-{number}" for number in range(500))):
            metrics.note_call(entry.key, name, state=MessageState.COMPLETE, usage=Usage(), cost_usd=0.1)
    for number in range(500):
        metrics.note_call(f"typed-{number}", "x", state=MessageState.FAILED, usage=Usage(), cost_usd=None)
    for stage in MemoryStage:
        with metrics.memory_stage(stage):
            pass
    for operation in CLOSED["operation"]:
        for collection in CLOSED["collection"]:
            with metrics.store_operation(operation, collection):
                pass
    assert len(samples(metrics)) < MAX_SERIES


def test_answers_are_counted_with_tokens_cost_and_times():
    """A model of the catalogue has its name, another one counts as `other`; an unknown price counts apart."""
    metrics = Metrics(models={"openai": ("known",)})
    usage = Usage(input_tokens=100, output_tokens=20, first_token_ms=400, duration_ms=3000)
    metrics.note_call("openai", "known", state=MessageState.COMPLETE, usage=usage, cost_usd=0.25)
    metrics.note_call("openai", "mine", state=MessageState.STOPPED, usage=usage, cost_usd=None)
    assert value(metrics, "answers_total", provider="openai", model="known", state="complete") == 1
    assert value(metrics, "answers_total", provider="openai", model="other", state="stopped") == 1
    assert value(metrics, "tokens_total", provider="openai", model="known", direction="input") == 100
    assert value(metrics, "tokens_total", provider="openai", model="known", direction="output") == 20
    assert value(metrics, "cost_usd_total", provider="openai", model="known") == 0.25
    assert value(metrics, "cost_usd_total", provider="openai", model="other") is None
    assert value(metrics, "answers_unpriced_total", provider="openai") == 1
    assert value(metrics, "first_token_seconds_sum", provider="openai") == pytest.approx(0.8)
    assert value(metrics, "answer_seconds_count", provider="openai") == 2


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ProviderRateLimitError("x"), "rate_limit"),
        (ProviderTimeoutError("x"), "timeout"),
        (ProviderError("x"), "other"),
        (RuntimeError("x"), "other"),
    ],
)
def test_calls_of_models_that_fail_are_counted_by_kind(error, kind):
    """The error goes on unchanged; its text is nowhere."""
    metrics = Metrics(models={"openai": ()})
    with pytest.raises(type(error)), metrics.provider_call("openai"):
        raise error
    assert value(metrics, "provider_errors_total", provider="openai", kind=kind) == 1


def test_a_stopped_answer_is_no_error():
    """Stop cancels the call; that is what the person wanted."""
    metrics = Metrics(models={"openai": ()})
    with pytest.raises(asyncio.CancelledError), metrics.provider_call("openai"):
        raise asyncio.CancelledError
    assert not [s for s in samples(metrics) if s.name == "optimus_provider_errors_total"]


def test_sign_ins_are_counted_by_outcome(world: World):
    """A right password, a wrong one, a missing answer to the check question and the wait are told apart."""
    metrics, auth = world.services.store.metrics, world.services.auth
    seen = set()
    for _ in range(12):
        with pytest.raises(OptimusError) as caught:
            auth.sign_in(username="ada", password="wrong", network="n", captcha=None, user_agent="u")
        seen.add(SIGN_INS[type(caught.value)])
    auth.sign_in(username="ada", password=PASSWORD, network="other", captcha=None, user_agent="u")
    assert seen >= {SignIn.WRONG, SignIn.CHECK}
    counted = {outcome: value(metrics, "sign_ins_total", outcome=outcome) or 0 for outcome in SignIn}
    assert counted[SignIn.SUCCEEDED] == 2
    assert sum(number for outcome, number in counted.items() if outcome is not SignIn.SUCCEEDED) == 12
    with pytest.raises(ValueError, match="own"), metrics.sign_in():
        raise ValueError("own fault")
    assert value(metrics, "sign_ins_total", outcome="failed") == 1


def test_failures_of_the_store_are_counted_and_replies_are_not():
    """A record that is missing is a reply; a store that is away and a call without its owner are failures."""
    metrics = Metrics()
    for error in (NotFoundError("x"), StoreUnavailableError("x"), TenancyError("x")):
        with pytest.raises(type(error)), metrics.store_operation("upsert", "memories"):
            raise error
    found = {s.labels["kind"]: s.value for s in samples(metrics) if s.name == "optimus_store_errors_total"}
    assert found == {"unavailable": 1, "isolation": 1}
    assert value(metrics, "store_seconds_count", operation="upsert", collection="memories") == 3


def test_failures_of_memory_are_counted(world: World):
    """What a person asks for in vain is no failure; an engine that fails is."""
    with pytest.raises(NotFoundError):
        world.services.memory.forget(world.owner, MemoryId("00000000-0000-4000-8000-000000000000"))
    metrics = world.services.store.metrics
    assert value(metrics, "memory_errors_total", stage="forget") is None
    with pytest.raises(InvalidCredentialsError), metrics.memory_stage(MemoryStage.RECALL):
        raise InvalidCredentialsError
    assert value(metrics, "memory_errors_total", stage="recall") == 1


def test_a_turn_leaves_its_stages(world: World):
    """One message counts once, and remembering, deriving, embedding, recalling and ranking are measured."""
    world.say("I live in Lisbon")
    world.say("Where do I live?")
    metrics = world.services.store.metrics
    assert value(metrics, "messages_total") == 2
    for stage in ("remember", "derive", "embed", "recall", "rank"):
        assert value(metrics, "memory_seconds_count", stage=stage), stage
    assert value(metrics, "answers_total", provider="offline", model="assistant", state="complete") == 2
    assert value(metrics, "store_seconds_count", operation="query_batch_points", collection="memories")


def test_what_is_asked_and_given_is_counted(world: World):
    """Each call of a model counts, also a look for memories; those that went along are counted with the answer."""
    with running_provider() as fake:
        choice = connect(world, fake.url)
        world.services.memory.add(world.owner, "I am allergic to peanuts")
        world.say("What am I allergic to?", choice=choice)
        metrics = world.services.store.metrics
        assert value(metrics, "model_requests_total", provider="compatible") == 1
        assert value(metrics, "memories_injected_total", provider="compatible") == 1
        world.services.extraction.run_due()
    assert value(metrics, "model_requests_total", provider="compatible") == 2


def test_gauges_are_what_there_is(world: World):
    """Accounts, sessions, records, running answers and the disk are read at the scrape."""
    metrics = world.services.store.metrics
    world.say("I live in Lisbon")
    world.services.scrape()
    assert value(metrics, "users", status="active") == 1
    assert value(metrics, "users", status="locked") == 0
    assert value(metrics, "sessions_active") == 1
    assert value(metrics, "store_points", collection="conversations") == 3
    assert value(metrics, "generations_running") == 0
    assert (value(metrics, "disk_free_bytes") or 0) > 0
    assert value(metrics, "store_up") == 1
    world.services.auth.sign_out(world.principal.session_id)
    world.services.scrape()
    assert value(metrics, "sessions_active") == 0


def test_a_store_that_is_away_is_said(world: World):
    """The scrape goes on and says that the store does not answer."""
    world.services.store.client.close()
    text, content_type = world.services.scrape()
    assert b"optimus_store_up 0.0" in text
    assert content_type.startswith("text/plain")


def test_the_embedded_store_shows_its_syncs(tmp_path):
    """Each sync of the embedded store is measured, and nothing waits once it is over."""
    store = open_store(Settings.model_validate({"data_dir": tmp_path}), KEYS, vector_size=8)
    try:
        store.check()
        assert store.commit
        assert value(store.metrics, "store_sync_seconds_count")
        assert store.commit.lag_s() < 2
        assert store.accounts.count_users(UserStatus.ACTIVE) == store.accounts.count_sessions() == 0
    finally:
        store.close()


def test_jobs_are_shown_by_status(world: World):
    """Work that is stored is there with its status; one that is not known counts as `other`."""
    store = world.services.store
    for kind, status in (("job", {"status": "failed"}), ("job", {"status": "made-up"}), ("intent", {})):
        Table(client=store.client, collection=store.names.work, kind=kind, sync=store.sync).put(new_id(), status)
    world.services.scrape()
    found = {s.labels["state"]: s.value for s in samples(store.metrics) if s.name == "optimus_jobs"}
    assert found == {"waiting": 1, "running": 0, "failed": 1, "other": 1}


def test_two_worlds_do_not_share_metrics():
    """Every registry is its own."""
    first, second = Metrics(), Metrics()
    first.messages.inc()
    assert value(second, "messages_total") == 0


def test_an_observation_is_cheap():
    """Measuring a call of the store takes less than 50 microseconds (the best of five rounds)."""
    metrics, rounds = new_metrics(), []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(500):
            with metrics.store_operation("upsert", "memories"):
                pass
        rounds.append((time.perf_counter() - started) / 500)
    assert min(rounds) < 50e-6
