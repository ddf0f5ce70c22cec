"""Rescue: what is damaged is named, repairs keep the originals and tell what is missing, and only the code decides."""

import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from optimus import doctor, process
from optimus.audit import AuditAction
from optimus.cli import main
from optimus.errors import (
    InvalidInputError,
    OptimusError,
    SetupError,
    StoreFullError,
    StoreUnavailableError,
    TooManyAttemptsError,
)
from optimus.rescue import CODE_FILE, RescueDesk, record_repairs, unsettled
from optimus.restoring import open_desk
from optimus.services import Services, build_services
from optimus.settings import Settings, load_settings
from optimus.storage.audit import AuditLog
from optimus.storage.filters import has_ids
from optimus.storage.inspection import StoreDamagedError
from optimus.storage.integrity import SEALED
from optimus.storage.rescue import QUARANTINE, Repair
from tests.fakes.damage import copy
from tests.world import PASSWORD, HandClock

MEMORIES, CHATS, ACCOUNTS = "optimus_memories", "optimus_conversations", "optimus_accounts"
TEXTS = ("I live in Lisbon", "I own a boat", "I play the violin")


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory) -> Path:
    """A data folder with an account and three memories, closed in order."""
    folder = tmp_path_factory.mktemp("lived-in") / "data"
    with closing(opened(load_settings(data_dir=folder))) as services:
        user = services.auth.create_admin(code=None, username="ada", password=PASSWORD)
        for text in TEXTS:
            services.memory.add(user.id, text)
    return Path(folder)


@pytest.fixture
def settings(lived_in, tmp_path) -> Settings:
    """A copy of that folder."""
    return load_settings(data_dir=copy(lived_in, tmp_path / "data"))


@pytest.fixture
def desk(settings) -> Iterator[RescueDesk]:
    """A desk over the folder, which nobody has open."""
    desk = RescueDesk(settings, clock=HandClock())
    yield desk
    desk.end()


def opened(settings: Settings) -> Services:
    """Start everything on a folder."""
    return build_services(settings, password_cost=4)


def shard(settings: Settings, collection: str) -> Path:
    """Return where the engine keeps a collection."""
    return settings.data_dir / "store" / collection / "shard"


def lose_records(settings: Settings, collection: str) -> None:
    """Remove a file without which the engine opens, and silently has fewer records."""
    next(shard(settings, collection).rglob("mutable_id_tracker.versions")).unlink()


def ruin_log(settings: Settings, collection: str) -> None:
    """Empty the write-ahead log, so that the engine does not open."""
    (shard(settings, collection) / "wal" / "open-1").write_bytes(b"")


def ruin_segment(settings: Settings, collection: str) -> None:
    """Truncate a file that the engine maps into memory, which would end the process that reads it."""
    next(shard(settings, collection).rglob("payload_storage/page_0.dat")).write_bytes(b"")


def memories(services: Services) -> int:
    """Return how many memories the one account has."""
    user = services.store.accounts.users()[0]
    return services.store.memories.count(user.id)


def test_lost_records_are_counted_and_can_be_accepted(settings, desk):
    """Fewer records than there were is damage; once accepted, log, doctor and audit tell how many are missing."""
    with closing(opened(settings)) as services:
        before = memories(services)
    lose_records(settings, MEMORIES)
    with pytest.raises(StoreDamagedError, match=MEMORIES):
        opened(settings)
    (part,) = desk.look()
    assert part.holds == "memories"
    assert "It had 3 records" in part.state
    note = desk.repair(MEMORIES, Repair.ACCEPT)
    assert (note.before, note.repair) == (3, Repair.ACCEPT)
    assert note.after is not None
    assert note.after < 3
    assert next((settings.data_dir / note.kept).rglob("payload_storage"))
    with closing(opened(settings)) as services:
        assert memories(services) < before
        assert services.store.audit.tally()[AuditAction.STORE_REPAIRED] == 1
        check = doctor.records(settings)
        assert check.verdict is doctor.Verdict.WARNING
        assert "3 records before" in check.detail
        record_repairs(settings, services.store.audit)
        assert services.store.audit.tally()[AuditAction.STORE_REPAIRED] == 1
    assert desk.settle() == 1
    assert doctor.records(settings).verdict is doctor.Verdict.OK


def test_a_repair_that_could_not_be_recorded_is_told_again(settings, desk, monkeypatch):
    """A full disk keeps no entry of the audit log; the next start makes it."""

    def full(*_: object, **__: object) -> None:
        raise StoreFullError

    lose_records(settings, MEMORIES)
    desk.look()
    desk.repair(MEMORIES, Repair.ACCEPT)
    with monkeypatch.context() as patched:
        patched.setattr(AuditLog, "record", full)
        opened(settings).close()
    with closing(opened(settings)) as services:
        assert services.store.audit.tally()[AuditAction.STORE_REPAIRED] == 1


def test_setting_the_log_aside_keeps_what_was_written_out(settings, desk):
    """A store closed in order loses nothing with its log."""
    ruin_log(settings, MEMORIES)
    desk.look()
    note = desk.repair(MEMORIES, Repair.LOG_ASIDE)
    assert (note.before, note.after) == (3, 3)
    with closing(opened(settings)) as services:
        assert memories(services) == 3


def test_a_repair_that_does_not_help_changes_nothing(settings, desk):
    """Where the collection does not open without its log either, it is as it was, and the next way is still there."""
    ruin_segment(settings, MEMORIES)
    (part,) = desk.look()
    assert [offer.repair for offer in part.offers] == [Repair.LOG_ASIDE, Repair.QUARANTINE]
    with pytest.raises(StoreUnavailableError):
        desk.repair(MEMORIES, Repair.LOG_ASIDE)
    assert not list((settings.data_dir / QUARANTINE).iterdir())
    assert desk.look() == (part,)


def test_a_quarantined_collection_begins_empty_and_is_kept(settings, desk):
    """The damaged files are moved whole, and everything else goes on."""
    ruin_segment(settings, MEMORIES)
    desk.look()
    note = desk.repair(MEMORIES, Repair.QUARANTINE)
    assert (note.before, note.after) == (3, 0)
    assert (settings.data_dir / note.kept / "collection.json").is_file()
    assert desk.wait_until_mended(0)
    with closing(opened(settings)) as services:
        assert memories(services) == 0
        assert services.store.accounts.count_users() == 1


@pytest.mark.parametrize("is_sealed", [True, False])
def test_accounts_that_are_gone_do_not_look_like_a_first_start(settings, desk, is_sealed):
    """A collection whose folder is missing is damage; otherwise the set-up would be open to anybody with its code."""
    for folder in (settings.data_dir / "store").iterdir():
        if folder.is_dir() and not is_sealed:
            (folder / SEALED).unlink()
    shard(settings, ACCOUNTS).parent.rename(settings.data_dir / "elsewhere")
    with pytest.raises(StoreDamagedError):
        opened(settings)
    (part,) = desk.look()
    assert part.holds == "accounts"
    assert "nobody can sign in to them" in part.offers[-1].loses


def test_changed_files_with_whole_records_are_told_and_no_obstacle(settings):
    """What does not touch a record opens, and is reported until somebody calls it settled."""
    (shard(settings, MEMORIES) / "stray").write_text("x")
    with closing(opened(settings)) as services:
        assert memories(services) == 3
    (note,) = unsettled(settings)
    assert "all records are whole" in note.detail
    with closing(opened(settings)):
        assert len(unsettled(settings)) == 1


def test_a_write_in_flight_at_the_end_is_no_damage(settings):
    """Whether the last write of a killed process came through or not, both are right."""
    with closing(opened(settings)) as services:
        collection = services.store.client._client._inner._inner._inner._inner._inner._registry.get(MEMORIES)  # type: ignore[attr-defined]
        record = services.store.memories.outline(services.store.accounts.users()[0].id)[0]
        ledger = collection._ledger
        ledger.begin(collection._sums([record.id]))
        state = (settings.data_dir / "store" / MEMORIES / "state").read_bytes()
        services.store.keyring._records._backend.delete(collection_name=MEMORIES, points_selector=[record.id])
    (settings.data_dir / "store" / MEMORIES / "state").write_bytes(state)
    (settings.data_dir / "store" / MEMORIES / SEALED).unlink()
    with closing(opened(settings)) as services:
        assert memories(services) == 2
    assert not unsettled(settings)


def test_only_the_code_of_the_terminal_repairs(settings, desk):
    """The code is in a file of the owner alone; wrong ones are counted by network and then wait."""
    ruin_log(settings, CHATS)
    with pytest.raises(StoreDamagedError) as caught:
        opened(settings)
    desk.begin(caught.value.damages)
    kept = settings.data_dir / CODE_FILE
    assert kept.read_text().strip() == desk.code
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    for _ in range(5):
        with pytest.raises(SetupError):
            desk.repair_with("WRONG", "here", CHATS, Repair.LOG_ASIDE)
    with pytest.raises(TooManyAttemptsError):
        desk.repair_with(desk.code, "here", CHATS, Repair.LOG_ASIDE)
    with pytest.raises(InvalidInputError):
        desk.repair_with(desk.code, "elsewhere", MEMORIES, Repair.QUARANTINE)
    assert desk.repair_with(desk.code.lower(), "elsewhere", CHATS, Repair.LOG_ASIDE).after == 0
    desk.end()
    assert not kept.exists()


def test_the_terminal_lists_and_repairs(settings, monkeypatch, capsys):
    """`rescue` names what is damaged with its ways out; a repair is done; `--settled` ends the report."""
    monkeypatch.setenv("OPTIMUS_DATA_DIR", str(settings.data_dir))
    assert main(["rescue"]) == 0
    lose_records(settings, MEMORIES)
    assert main(["rescue"]) == 1
    assert f"--accept {MEMORIES}" in capsys.readouterr().out
    assert main(["rescue", "--set-wal-aside", MEMORIES]) == 1
    assert main(["rescue", "--accept", MEMORIES]) == 0
    assert "3 records before" in capsys.readouterr().out
    assert main(["rescue", "--settled"]) == 0
    assert "Not settled" not in capsys.readouterr().out


def test_the_page_asks_for_the_code_and_repairs(settings, desk, monkeypatch):
    """Before the code only the damaged part is named; after it each way says what it costs, and works.

    After the last repair the page waits for the start, however late that comes, and does not stay.
    """
    waits = []

    def wait(timeout_s: float) -> None:
        waits.append(timeout_s)
        if len(waits) > 1:
            process.install(None)

    monkeypatch.setattr(process, "wait_for_rescue_end", wait)
    lose_records(settings, MEMORIES)
    desk.begin(tuple(desk._shop.look().damages))
    process.enter_rescue(desk)
    page = AppTest.from_file(Path(__file__).parents[2] / "optimus" / "ui" / "main.py", default_timeout=30).run()
    assert "memories" in page.error[0].value
    assert "3 records" not in "".join(element.value for element in page.markdown)
    page.text_input[0].input("WRONG")
    page.button[0].click().run()
    assert "not right" in page.error[-1].value
    page.text_input[0].input(desk.code)
    page.button[0].click().run()
    assert any("It had 3 records" in element.value.replace("\\", "") for element in page.markdown)
    page.checkbox[0].check().run()
    page.button[0].click().run()
    assert desk.wait_until_mended(0)
    assert desk.look() == ()
    assert len(waits) == 2
    assert not page.title


def test_a_deleted_record_leaves_the_tally_right(settings):
    """Writes by condition are followed like those by id: after a kill nothing is taken for damage."""
    with closing(opened(settings)) as services:
        services.store.work.set_setting("a", {"b": 1})
        services.store.probe.insert("00000000-0000-4000-8000-000000000001", {"name": "x"})
        services.store.probe.delete(has_ids("00000000-0000-4000-8000-000000000001"))
    for folder in (settings.data_dir / "store").iterdir():
        if folder.is_dir():
            (folder / SEALED).unlink()
    with closing(opened(settings)):
        assert not unsettled(settings)


def test_the_newest_backup_takes_the_stores_place(settings, tmp_path):
    """It is named with its time, checked before anything is moved, and brings back everything that was in it."""
    settings = settings.model_copy(update={"backup_dir": tmp_path / "backups"})
    with closing(opened(settings)) as services:
        assert services.backups.run_due()
    lose_records(settings, MEMORIES)
    desk = open_desk(settings)
    (part,) = desk.look()
    assert Repair.RESTORE in {offer.repair for offer in part.offers}
    (file,) = (tmp_path / "backups").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:2_000] + bytes([whole[2_000] ^ 1]) + whole[2_001:])
    with pytest.raises(OptimusError):
        desk.repair(MEMORIES, Repair.RESTORE)
    assert (settings.data_dir / "store" / MEMORIES).is_dir()
    file.write_bytes(whole)
    note = desk.repair(MEMORIES, Repair.RESTORE)
    assert (settings.data_dir / note.kept).exists()
    desk.end()
    with closing(opened(settings)) as services:
        assert memories(services) == 3
