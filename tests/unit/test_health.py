"""What admins see of the running system: true numbers, an own sentence for what is wrong, and no content."""

from datetime import timedelta

import pytest
from qdrant_client import models

from optimus import health
from optimus.doctor import Verdict
from optimus.errors import PermissionDeniedError, ProviderBusyError, StoreUnavailableError
from optimus.models import Role, new_id
from optimus.services import wire
from optimus.settings import Settings
from optimus.storage import link as link_module
from optimus.storage.overview import _bits
from optimus.storage.records import Event, EventData
from optimus.storage.store import open_store
from optimus.storage.table import Table
from tests.fakes.embedding import HashEmbedder
from tests.fakes.qdrant_server import FakeQdrant
from tests.unit.privacy.support import newcomer
from tests.world import KEYS, PASSWORD, HandClock, stranger


def states(world) -> dict[str, Verdict]:
    """Return how each thing is."""
    return {check.name: check.verdict for check in health.look(world.services, world.principal)}


def answer(world, state: str, *, provider: str = "openai", minutes_ago: int = 0) -> None:
    """Record an answer of a provider."""
    at = world.clock.now - timedelta(minutes=minutes_ago)
    data: EventData = {"model": f"{provider}:m", "state": state}
    world.services.store.events.append(Event(id=new_id(), user_id=world.owner, kind="answer", at=at, data=data))


def test_a_healthy_system_says_so_of_everything(world):
    """Six things are looked at, none of them is wrong, and the detail holds no content."""
    world.say("I'm allergic to zebrawood")
    checks = health.look(world.services, world.principal)
    assert [check.name for check in checks] == [
        "store",
        "saving to disk",
        "embedder",
        "providers",
        "jobs",
        "backups",
        "search",
        "disk",
        "records",
    ]
    assert {check.verdict for check in checks} == {Verdict.OK}
    assert "zebrawood" not in "".join(check.model_dump_json() for check in checks)


@pytest.mark.parametrize("read", [health.look, health.jobs])
def test_only_who_manages_the_system_looks(world, read):
    """A user is refused."""
    with pytest.raises(PermissionDeniedError):
        read(world.services, stranger())


def test_a_store_that_is_away_is_a_problem_with_its_way_out_and_the_rest_is_still_told(world, monkeypatch):
    """One thing that fails hides nothing of the others."""

    def down(*_args, **_kwargs):
        raise StoreUnavailableError("down")

    monkeypatch.setattr(world.services.store.client, "get_collections", down)
    found = {check.name: check for check in health.look(world.services, world.principal)}
    assert found["store"].verdict is Verdict.PROBLEM
    assert found["store"].fix == StoreUnavailableError.user_message
    assert found["disk"].verdict is Verdict.OK


def test_a_provider_whose_answers_fail_is_named(world):
    """Half of the answers of the last hour, and it is named; older failures and other providers count nothing."""
    for _ in range(3):
        answer(world, "failed", minutes_ago=90)
        answer(world, "complete", provider="groq")
    assert states(world)["providers"] is Verdict.OK
    answer(world, "complete")
    answer(world, "failed")
    check = next(c for c in health.look(world.services, world.principal) if c.name == "providers")
    assert (check.verdict, check.detail) == (Verdict.WARNING, "OpenAI: 1 of 2 answers failed")


def test_jobs_are_counted_by_kind_and_status(world):
    """Settings and finished work are no jobs, what names no status waits, and what failed is told with its time."""
    store = world.services.store
    world.services.system.change(world.principal, max_memories=5)
    assert health.jobs(world.services, world.principal).states == ()
    for kind, status in (("extraction", "failed"), ("extraction", "running"), ("extraction", "done"), ("intent", None)):
        table = Table(client=store.client, collection=store.names.work, kind=kind, sync=store.sync)
        when = {"updated_at": world.clock().isoformat()}
        table.insert(new_id(), when | ({"status": status} if status else {"purpose": "erase"}))
    jobs = health.jobs(world.services, world.principal)
    assert [(state.kind, state.status, state.count) for state in jobs.states] == [
        ("extraction", "failed", 1),
        ("extraction", "running", 1),
        ("intent", "waiting", 1),
    ]
    assert [(job.kind, job.at is not None) for job in jobs.failures] == [("extraction", True)]
    assert states(world)["jobs"] is Verdict.WARNING


@pytest.mark.parametrize(
    ("quantization", "bits"),
    [
        (None, None),
        (models.BinaryQuantization(binary=models.BinaryQuantizationConfig()), 1),
        (
            models.BinaryQuantization(
                binary=models.BinaryQuantizationConfig(encoding=models.BinaryQuantizationEncoding.ONE_AND_HALF_BITS)
            ),
            1.5,
        ),
        (
            models.BinaryQuantization(
                binary=models.BinaryQuantizationConfig(encoding=models.BinaryQuantizationEncoding.TWO_BITS)
            ),
            2,
        ),
        (models.ScalarQuantization(scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8)), 8),
        (
            models.ProductQuantization(
                product=models.ProductQuantizationConfig(compression=models.CompressionRatio.X16)
            ),
            2,
        ),
        (
            models.TurboQuantization(turbo=models.TurboQuantQuantizationConfig(bits=models.TurboQuantBitSize.BITS1_5)),
            1.5,
        ),
        (models.TurboQuantization(turbo=models.TurboQuantQuantizationConfig()), 4),
    ],
)
def test_every_quantization_is_known_by_its_bits(quantization, bits):
    """The saving is computed from what the collection is configured with."""
    assert _bits(quantization) == bits


def test_the_real_engine_tells_sizes_and_when_it_saved(tmp_path):
    """Two-bit vectors take a sixteenth; bytes on disk are those that were written, and the last sync is told."""
    clock = HandClock()
    settings = Settings.model_validate({"data_dir": tmp_path, "setup_code": None})
    store = open_store(settings, KEYS, clock=clock)
    opened = wire(settings, KEYS, store, clock=clock, password_cost=4, embedder=HashEmbedder())
    opened.auth.create_admin(code=None, username="ada", password=PASSWORD)
    ticket = opened.auth.sign_in(username="ada", password=PASSWORD, network="", captcha=None, user_agent="")
    ada = opened.auth.principal(opened.auth.open_session(ticket).token)
    assert ada
    opened.memory.add(ada.user_id, "I live in Lisbon")
    sizes = {state.name: state for state in opened.overview.collections(ada)}
    memories = sizes["memories"]
    assert memories.quantization == "binary, 2 bits"
    assert memories.original_bytes == 2 * 384 * 4
    assert memories.quantized_bytes == 2 * 384 * 2 / 8
    assert memories.saving == 1 - 1 / 16
    assert (memories.disk_bytes or 0) > 10_000
    assert (sizes["events"].saving, sizes["events"].quantization) == (None, None)
    assert [(person.account.user.username, person.memories) for person in opened.overview.people(ada)] == [("ada", 1)]
    store.sync()
    check = next(check for check in health.look(opened, ada) if check.name == "saving to disk")
    assert check.detail.startswith("last saved 0 s ago")
    opened.close()


def test_the_way_to_a_server_and_damage_are_told(tmp_path):
    """While a server is away its breaker says so, at once; a damaged collection is named; the metrics tell both."""
    fake = FakeQdrant()
    services = wire(
        settings := fake.settings(data_dir=tmp_path),
        KEYS,
        store := open_store(settings, KEYS),
        password_cost=4,
        embedder=HashEmbedder(),
    )
    admin = newcomer(services, "ada", role=Role.ADMIN)

    def said() -> str:
        return next(check.detail for check in health.look(services, admin) if check.name == "store")

    def gauge(state: str) -> float | None:
        services.scrape()
        return store.metrics.registry.get_sample_value("optimus_store_breaker", {"state": state})

    assert said().endswith("breaker closed")
    assert (gauge("closed"), gauge("open")) == (1, 0)
    link = store.link
    assert link
    link.close()
    link.breaker.failed(weight=link_module.FAILURES)
    assert "the Qdrant server is away" in said()
    assert (gauge("closed"), gauge("open")) == (0, 1)
    services.close()
    fake.close()


def test_a_damaged_collection_is_a_problem_with_its_way_out(world, monkeypatch):
    """Whoever looks after the system learns which one refuses writes."""
    monkeypatch.setattr(type(world.services.store), "broken", lambda _: ("optimus_memories",))
    check = next(c for c in health.look(world.services, world.principal) if c.name == "store")
    assert (check.verdict, check.detail) == (Verdict.PROBLEM, "damaged: optimus_memories")
    assert "doctor" in (check.fix or "")


def test_a_provider_that_is_left_alone_is_named(world):
    """Admins read which provider does not answer, and no address of anybody's connection."""
    for _ in range(5):
        world.services.models.breakers.note(("groq", None), ProviderBusyError("down"))
    found = {check.name: check for check in health.look(world.services, world.principal)}["providers"]
    assert found.verdict is Verdict.WARNING
    assert "Groq" in found.detail
    world.services.models.breakers.note(("groq", None), None)
    assert states(world)["providers"] is Verdict.OK
