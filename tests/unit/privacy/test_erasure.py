"""Nothing is left of an erased account, whatever happens meanwhile; everybody else's is as it was."""

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import PointStruct

from optimus.errors import (
    InvalidCredentialsError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    SealError,
    StoreUnavailableError,
    TooManyAttemptsError,
)
from optimus.llm_handler.requests import ModelChoice
from optimus.memory_manager.manager import MemoryManager
from optimus.models import MemoryType, Principal, Role, UserId, new_id
from optimus.privacy.erased import ErasureList
from optimus.privacy.jobs import ImportJob
from optimus.privacy.receipts import ReceiptSigner
from optimus.privacy.service import PrivacyService
from optimus.services import Services, build_services, wire
from optimus.settings import Settings
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction, AuditEntry, AuditFilter
from optimus.storage.collections import collection_specs
from optimus.storage.records import Connection
from optimus.storage.store import Store, open_store
from optimus.storage.tenancy import acting_as
from tests.fakes.embedding import HashEmbedder
from tests.fakes.providers import running_provider
from tests.unit.privacy.support import NETWORK, data_of, everything_of, export, live, newcomer
from tests.world import KEYS, PASSWORD, World

STEPS = range(8)


def raw(store: Store) -> list[tuple[str, dict[str, Any]]]:
    """Return every record of every collection as the engine holds it, opened for nobody."""
    backend = store.keyring._records._backend
    found = []
    for spec in collection_specs(store.names):
        offset = None
        while True:
            records, offset = backend.scroll(
                collection_name=spec.name, limit=200, offset=offset, with_payload=True, with_vectors=True
            )
            found += [(spec.name, {"id": r.id, "payload": r.payload, "vector": vectors_of(r.vector)}) for r in records]
            if offset is None:
                break
    return found


def erasures(services: Services) -> tuple[AuditEntry, ...]:
    """Return what the audit log tells of erasures."""
    return services.store.audit.page(AuditFilter(actions=frozenset({AuditAction.ERASURE}))).items


def vectors_of(vectors: Any) -> dict[str, str]:
    """Return the vectors of a record by name; an engine may give them in any order."""
    named = vectors if isinstance(vectors, dict) else {"": vectors}
    return {name: str(named[name]) for name in sorted(named)}


def traces(store: Store, owner: UserId, username: str) -> list[str]:
    """Return the collections in which the id or the name of somebody still stands somewhere."""
    return [name for name, record in raw(store) if owner in str(record) or f"'{username}'" in str(record)]


def of_others(store: Store, owners: set[UserId]) -> list[str]:
    """Return the records that belong to some accounts, as they are stored, in a fixed order.

    The audit log is a chain of its own, in which others are named as well.
    """
    own = [record for _, record in raw(store) if record["payload"].get("user_id") in owners]
    return sorted(json.dumps(record, sort_keys=True) for record in own if record["payload"].get("kind") != "audit")


@pytest.fixture
def bystander(world: World) -> Principal:
    """An admin with a life of their own, told before anything else."""
    other = newcomer(world.services, "bystander", role=Role.ADMIN)
    world.services.memory.add(other.user_id, "I live in Bergen")
    return other


def test_nothing_is_left(world: World, bystander: Principal):
    """No collection holds an id, a name, a count or a word of the account; another one's records are unchanged."""
    services, store = world.services, world.services.store
    live(world)
    with pytest.raises(InvalidCredentialsError):
        services.auth.sign_in(username="ada", password="wrong", network="x", captcha=None, user_agent="")
    services.auth.people.end_sessions(world.principal, bystander.user_id)
    with acting_as(world.owner):
        entity = PointStruct(id=new_id(), vector={"": [0.1] * 384}, payload={"user_id": world.owner, "data": "Maria"})
        store.client.upsert(store.names.memories_entities, points=[entity])
        edge = PointStruct(id=new_id(), vector={}, payload={"user_id": world.owner, "subject": "Maria"})
        store.client.upsert(store.names.relations, points=[edge])
    before = of_others(store, {bystander.user_id})
    held = everything_of(services, world.owner)
    assert {name for name, number in held.items() if not number} == {"work"}
    receipt = services.privacy.erase_account(world.principal, PASSWORD, typed_name=" ADA ", network=NETWORK)
    assert receipt.records == held
    assert not any(everything_of(services, world.owner).values())
    assert traces(store, world.owner, "ada") == []
    after = of_others(store, {bystander.user_id})
    assert after == before
    assert services.audit.verify().is_whole
    assert services.auth.principal("anything") is None
    with pytest.raises(SealError):
        services.memory.add(world.owner, "I am back")
    with pytest.raises(InvalidCredentialsError):
        services.auth.sign_in(username="ada", password=PASSWORD, network=NETWORK, captcha=None, user_agent="")
    assert services.analytics.report(world.owner, days=None, zone=world.clock().tzinfo).total.answers == 0  # type: ignore[arg-type]


def test_only_who_knows_the_password_and_means_it_erases(world: World, bystander: Principal):
    """Another name, a wrong password and too many of them are refused with a sentence; nothing is erased."""
    privacy, live_before = world.services.privacy, everything_of(world.services, world.owner)
    with pytest.raises(InvalidInputError, match="InvalidInputError") as refused:
        privacy.erase_account(world.principal, PASSWORD, typed_name="bystander", network=NETWORK)
    assert "Type your username" in refused.value.user_message
    for _ in range(5):
        with pytest.raises(InvalidCredentialsError) as wrong:
            privacy.erase_account(world.principal, "not the password", typed_name="ada", network="elsewhere")
        assert wrong.value.user_message == "The current password is not right."
    with pytest.raises(TooManyAttemptsError):
        privacy.erase_account(world.principal, PASSWORD, typed_name="ada", network="elsewhere")
    held = everything_of(world.services, world.owner)
    assert held["memories"] == live_before["memories"]
    assert world.services.auth.account(world.principal).username == "ada"


def test_the_last_admin_stays(world: World):
    """The only active administrator cannot be erased, by nobody; a second one makes it possible."""
    privacy = world.services.privacy
    with pytest.raises(PermissionDeniedError) as refused:
        privacy.erase_account(world.principal, PASSWORD, typed_name="ada", network=NETWORK)
    assert "only active admin" in refused.value.user_message
    assert world.services.auth.account(world.principal)
    newcomer(world.services, "second", role=Role.ADMIN)
    privacy.erase_account(world.principal, PASSWORD, typed_name="ada", network=NETWORK)


def test_an_admin_erases_somebody_else(world: World):
    """An administrator can, a user cannot; one's own account and a foreign id are refused; the log says it happened."""
    services = world.services
    user = newcomer(services, "bob")
    services.memory.add(user.user_id, "I live in Bergen")
    assert services.memory.list(user.user_id, query="berg").total == 1
    with pytest.raises(PermissionDeniedError):
        services.privacy.erase_user(user, world.owner)
    with pytest.raises(InvalidInputError):
        services.privacy.erase_user(world.principal, world.owner)
    world.clock.now += timedelta(minutes=6)
    with pytest.raises(PermissionDeniedError, match="fresh"):
        services.privacy.erase_user(world.principal, user.user_id)
    services.auth.proof.give(world.principal, password=PASSWORD, network=NETWORK)
    receipt = services.privacy.erase_user(world.principal, user.user_id)
    assert receipt.requested_by == "admin"
    assert user.user_id not in services.memory._search._known
    assert traces(services.store, user.user_id, "bob") == []
    with pytest.raises(NotFoundError):
        services.privacy.erase_user(world.principal, user.user_id)
    (entry,) = erasures(services)
    assert (entry.subject, entry.actor, entry.item) == (None, world.owner, receipt.id)
    assert services.audit.verify().is_whole


def test_a_receipt_proves_itself(world: World, bystander: Principal):
    """The signature holds for the file as it is, and for no other; it names nobody."""
    live(world)
    receipt = world.services.privacy.erase_account(world.principal, PASSWORD, typed_name="ada", network=NETWORK)
    text = receipt.to_json()
    assert world.services.privacy.receipts.verify(text) == receipt
    assert world.owner not in text
    assert '"ada"' not in text
    for changed in (text.replace('"owner"', '"admin"'), text.replace(receipt.id[:8], "00000000"), "{}", "", "null"):
        with pytest.raises(InvalidInputError):
            world.services.privacy.receipts.verify(changed)
    with pytest.raises(InvalidInputError, match="InvalidInputError") as refused:
        ReceiptSigner(master=b"x" * 32).verify(text)
    assert "another Optimus" in refused.value.user_message


def test_what_still_runs_brings_nothing_back(world: World, monkeypatch):
    """An answer and an import that run while the account is erased are stopped, and leave nothing."""
    services = world.services
    live(world)
    eve = newcomer(services, "eve", role=Role.ADMIN)
    going, stopping = Event(), Event()
    adopt, stop = MemoryManager.adopt, ImportJob.stop

    def slow(self: MemoryManager, *args: Any) -> None:
        going.set()
        assert stopping.wait(20)
        adopt(self, *args)

    def stop_and_tell(self: ImportJob) -> None:
        stop(self)
        stopping.set()

    monkeypatch.setattr(MemoryManager, "adopt", slow)
    monkeypatch.setattr(ImportJob, "stop", stop_and_tell)
    with running_provider() as provider:
        provider.hold_after = 3
        choice = connect(services, eve.user_id, provider.url)
        turn = services.chat.send(eve.user_id, "Tell me a story", conversation_id=None, choice=choice)
        running = services.chat.generation(eve.user_id, turn.conversation.id)
        assert running
        next(part for part in running.follow() if part)
        job = services.privacy.start_import(eve, export(services, world.principal), total=1)
        assert going.wait(20)
        services.privacy.erase_user(world.principal, eve.user_id)
        provider.release()
    assert job.is_over
    assert running.result
    assert services.privacy.import_job(eve) is None
    assert traces(services.store, eve.user_id, "eve") == []


def connect(services: Services, owner: UserId, url: str) -> ModelChoice:
    """Connect somebody to a model server and return its model."""
    services.store.accounts.save_connection(
        Connection(
            id=new_id(),
            user_id=owner,
            provider="compatible",
            label="compatible",
            base_url=f"{url}/v1",
            models=("gpt-6-luna",),
            created_at=services.clock(),
        )
    )
    choice = services.connections.newest(owner, "compatible")
    assert choice
    return choice


def test_the_list_of_erased_accounts(tmp_path: Path):
    """Each account stands in it once, only the owner of the file may read it, and a torn line does no harm."""
    erased, owner = ErasureList(folder=tmp_path / "keys"), UserId("4c8ee6cb-47b5-4f9f-a3f5-4ab5ffe7fd43")
    assert erased.owners() == set()
    for day in (1, 2):
        erased.add(owner, datetime(2026, 3, day, tzinfo=UTC))
    file = tmp_path / "keys" / "erased.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [json.loads(line)["user"] for line in file.read_text().splitlines()] == [owner]
    file.write_text(file.read_text() + '{"user": "4c8e')
    assert erased.owners() == {owner}


@contextmanager
def embedded(folder: Path) -> Iterator[Services]:
    """Open the embedded store of a folder as after a start, and close it."""
    settings = Settings.model_validate({"data_dir": folder})
    store = open_store(settings, KEYS)
    services = wire(settings, KEYS, store, password_cost=4, embedder=HashEmbedder())
    try:
        services.privacy.replay()
        yield services
    finally:
        services.close()


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_any_step_is_made_up_for(tmp_path: Path, step: int):
    """Wherever an erasure is cut off, the next start finishes it; the bystander's records are equal, byte for byte."""
    with embedded(tmp_path) as services:
        bystander = newcomer(services, "bystander", role=Role.ADMIN)
        services.memory.add(bystander.user_id, "I live in Bergen")
        ada = newcomer(services, "ada")
        services.memory.add(ada.user_id, "My sister Maria lives in Lisbon", MemoryType.FACT)
        before = of_others(services.store, {bystander.user_id})
        eraser = services.privacy.eraser
        assert len(eraser.steps) == len(STEPS)

        def crash(_intent: object) -> None:
            raise Crash

        eraser.steps = (*eraser.steps[:step], crash, *eraser.steps[step:])
        with pytest.raises(Crash):
            services.privacy.erase_account(ada, PASSWORD, typed_name="ada", network=NETWORK)
    with embedded(tmp_path) as services:
        assert traces(services.store, ada.user_id, "ada") == []
        assert of_others(services.store, {bystander.user_id}) == before
        assert services.privacy.replay() == 0
        assert ErasureList(folder=tmp_path / "keys").owners() == {ada.user_id}
        assert len(erasures(services)) == 1
        assert services.audit.verify().is_whole
        with pytest.raises(SealError):
            services.memory.add(ada.user_id, "I am back")


def test_a_crash_in_the_middle_of_deleting(world: World, bystander: Principal, monkeypatch):
    """Where the store goes away half-way, nothing counts as done, and repeating it finishes."""
    live(world)
    services, store = world.services, world.services.store
    calls = []
    delete = QdrantClient.delete

    def failing(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 8:
            raise StoreUnavailableError("gone")
        return delete(self, *args, **kwargs)

    monkeypatch.setattr(QdrantClient, "delete", failing)
    with pytest.raises(StoreUnavailableError):
        services.privacy.erase_account(world.principal, PASSWORD, typed_name="ada", network=NETWORK)
    assert services.privacy.replay() == 1
    assert traces(store, world.owner, "ada") == []


def test_a_restored_backup_is_erased_again(tmp_path: Path):
    """Who stands in the list and is back in the store is erased at the next start, and nobody else."""
    with embedded(tmp_path) as services:
        newcomer(services, "bystander", role=Role.ADMIN)
        ada = newcomer(services, "ada")
        services.memory.add(ada.user_id, "I live in Lisbon")
    ErasureList(folder=tmp_path / "keys").add(ada.user_id, services.clock() - timedelta(days=1))
    with embedded(tmp_path) as services:
        assert traces(services.store, ada.user_id, "ada") == []
        assert [user.username for user in services.store.accounts.users()] == ["bystander"]


def test_a_start_finishes_what_was_begun(tmp_path: Path, monkeypatch):
    """Building the services replays erasures before anybody can sign in."""
    replayed: list[PrivacyService] = []

    def replay(self: PrivacyService) -> int:
        replayed.append(self)
        return 0

    monkeypatch.setattr(PrivacyService, "replay", replay)
    build_services(Settings.model_validate({"data_dir": tmp_path}), password_cost=4).close()
    assert len(replayed) == 1


def test_an_export_is_recorded_and_one_s_own(world: World, monkeypatch):
    """The download stands in the account's own history; where it cannot be recorded, nothing is given out."""
    export(world.services, world.principal)
    assert data_of(export(world.services, world.principal))["audit"][0]["action"] == "data.exported"

    def failing(*_: object, **__: object) -> None:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(AuditLog, "record", failing)
    with pytest.raises(StoreUnavailableError):
        world.services.privacy.export(world.principal)


def test_an_open_browser_alone_takes_nothing_along(world: World):
    """Six minutes after signing in, the data are given out only once the password was given again."""
    world.clock.now += timedelta(minutes=6)
    with pytest.raises(PermissionDeniedError, match="fresh"):
        world.services.privacy.export(world.principal)
    world.services.auth.proof.give(world.principal, password=PASSWORD, network=NETWORK)
    assert data_of(export(world.services, world.principal))["audit"][0]["action"] == "data.exported"
