import json
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest
from qdrant_client import models

from optimus.errors import StoreUnavailableError
from optimus.models import UserId, new_id
from optimus.settings import load_settings
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction, AuditFilter
from optimus.storage.store import Store, open_memory_store, open_store
from optimus.storage.table import KIND
from tests.unit.storage.conftest import KEYS, SIZE, SteppingClock

COUNT = 600
ANN, BOB = UserId(new_id()), UserId(new_id())
FIRST, MIDDLE, LAST = 1, 300, COUNT


@dataclass
class Log:
    """A store with an audit log, and what somebody can do who holds the store only."""

    store: Store
    head: Path

    @property
    def audit(self) -> AuditLog:
        return self.store.audit

    def rows(self) -> dict[int, tuple[str, dict[str, Any]]]:
        """Return the stored records by number, with their ids."""
        return {row.payload["seq"]: (row.id, row.payload) for row in self.audit._records.find()}

    def put(self, point_id: str, payload: dict[str, Any]) -> None:
        """Write a record past the log."""
        point = models.PointStruct(id=point_id, vector={}, payload={**payload, KIND: "audit"})
        self.store.client.upsert(self.store.names.events, points=[point])

    def remove(self, *seqs: int) -> None:
        """Delete records past the log."""
        ids: list[Any] = [point_id for seq, (point_id, _) in self.rows().items() if seq in seqs]
        self.store.client.delete(self.store.names.events, points_selector=models.PointIdsList(points=ids))

    def fill(self, count: int) -> None:
        """Record memory acts and wait for the last one's note."""
        for _ in range(count - 1):
            self.audit.record(AuditAction.MEMORY_CREATED, actor=ANN, subject=ANN, item=new_id())
        self.audit.record(AuditAction.ROLE_CHANGE, actor=ANN, subject=BOB, data={"role": "admin"})


@pytest.fixture(name="log")
def _log(tmp_path):
    """An empty log in memory, whose end is noted beside a key."""
    store = open_memory_store(KEYS, clock=SteppingClock(), vector_size=SIZE)
    head = tmp_path / "audit.head"
    store.audit._end._path = head
    yield Log(store, head)
    store.close()


def delete(log: Log, seq: int) -> None:
    """Take a record out."""
    log.remove(seq)


def edit(log: Log, seq: int) -> None:
    """Give a record another actor."""
    point_id, payload = log.rows()[seq]
    log.put(point_id, payload | {"actor": BOB})


def reorder(log: Log, seq: int) -> None:
    """Swap a record with its neighbour, numbers included."""
    rows = log.rows()
    other = seq - 1 if seq == COUNT else seq + 1
    (first_id, first), (second_id, second) = rows[seq], rows[other]
    log.put(first_id, second | {"seq": seq})
    log.put(second_id, first | {"seq": other})


def truncate(log: Log, seq: int) -> None:
    """Cut everything off from a record on, and take the note in the store back to the record before."""
    before = log.rows().get(seq - 1)
    log.remove(*range(seq, COUNT + 1))
    noted = {"seq": seq - 1, "hash": before[1]["hash"] if before else "", "mark": "?"}
    log.audit._end._table.put(stable_head_id(log), noted)


def stable_head_id(log: Log) -> str:
    """Return the id of the note in the store."""
    return str(log.audit._end._table.find()[0].id)


def insert(log: Log, seq: int) -> None:
    """Put a second record with the same number beside the chain."""
    _, payload = log.rows()[seq]
    log.put(new_id(), payload | {"actor": BOB})


def hide(log: Log, seq: int) -> None:
    """Pass who did it off as erased."""
    point_id, payload = log.rows()[seq]
    log.put(point_id, payload | {"actor": None, "network": None, "browser": None, "who_salt": None})


@pytest.mark.parametrize("seq", [FIRST, MIDDLE, LAST])
@pytest.mark.parametrize("tamper", [delete, edit, reorder, truncate, insert, hide])
def test_what_is_done_to_the_store_past_the_log_is_found_where_it_was_done(log, tamper, seq):
    """Deleted, edited, reordered, cut off, inserted or hidden: at the first, a middle and the last record."""
    log.fill(COUNT)
    assert log.audit.verify().is_whole
    tamper(log, seq)
    report = log.audit.verify()
    assert not report.is_whole
    assert report.broken == (seq - 1 if tamper is reorder and seq == LAST else seq)
    assert str(report.broken) in report.sentence


def test_records_cut_off_stay_missing_when_the_log_goes_on(log):
    """After a restart on a shortened log new records leave the gap open, however many they are."""
    log.fill(20)
    log.remove(*range(15, 21))
    log.audit._tail = None
    log.fill(10)
    assert max(log.rows()) == 30
    assert log.audit.verify().broken == 15


def test_a_lost_or_foreign_note_is_said(log):
    """Without the note beside the key the report says so; one that was not made by this log is named, and stays."""
    log.fill(3)
    log.head.unlink()
    report = log.audit.verify()
    assert report.is_whole
    assert not report.is_anchored
    assert "No note beside the master key" in report.sentence
    for foreign in ('{"seq": 2, "hash": "00", "mark": "00"}', "[]", "{", ""):
        log.head.write_text(foreign)
        log.fill(2)
        assert log.head.read_text() == foreign
        report = log.audit.verify()
        assert not report.is_whole
        assert "beside the master key" in report.sentence


def test_the_note_never_runs_ahead_of_the_disk(log, monkeypatch):
    """A record whose sync failed is not noted as the end; the next one that is on disk is."""
    log.fill(2)
    monkeypatch.setattr(log.audit, "_sync", lambda: (_ for _ in ()).throw(StoreUnavailableError("disk")))
    with pytest.raises(StoreUnavailableError):
        log.audit.record(AuditAction.EXPORT, actor=ANN)
    assert json.loads(log.head.read_text())["seq"] == 2
    monkeypatch.undo()
    assert log.audit.verify().is_whole
    log.fill(1)
    assert json.loads(log.head.read_text())["seq"] == 4


def test_records_that_nobody_waits_for_are_noted_when_the_log_closes(log):
    """The end is noted for the last memory act as well; a log that was closed is whole."""
    log.audit.record(AuditAction.MEMORY_EDITED, actor=ANN, subject=ANN)
    log.audit.close()
    log.audit.close()
    assert json.loads(log.head.read_text())["seq"] == 1


def test_eight_threads_and_two_processes_make_one_chain(log):
    """50 appends each by 8 threads, half of them through another log on the same store: no gap, no double."""
    store = log.store
    other = AuditLog(
        client=store.client,
        names=store.names,
        keyring=store.keyring,
        head_file=None,
        sync=store.sync,
        clock=SteppingClock(),
    )

    def append(thread: int) -> list[int]:
        audit = other if thread % 2 else log.audit
        actions = (AuditAction.MEMORY_CREATED, AuditAction.SIGNED_IN)
        return [audit.record(actions[number % 2], actor=ANN, subject=ANN) for number in range(50)]

    with ThreadPoolExecutor(8) as pool:
        numbers = [number for made in pool.map(append, range(8)) for number in made]
    assert sorted(numbers) == list(range(1, 401))
    other.close()
    report = log.audit.verify()
    assert (report.is_whole, report.records) == (True, 400)


def test_an_erased_account_is_nowhere_and_the_chain_holds(log):
    """Of more records than a page holds no id, item, network or browser is left; others keep theirs."""
    log.audit.record(
        AuditAction.SIGNED_IN, actor=ANN, subject=ANN, data={"network": "net-of-ann", "browser": "Ann's", "count": 1}
    )
    log.audit.record(AuditAction.SIGN_IN_FAILED, actor=None, subject=ANN, data={"network": "net-of-ann"})
    log.fill(300)
    log.audit.record(AuditAction.USER_LOCKED, actor=BOB, subject=ANN)
    assert log.audit.forget(ANN) == 303
    assert log.audit.forget(ANN) == 0
    seq = log.audit.record(AuditAction.ERASURE, actor=None, data={"receipt": "r-1"})
    stored = json.dumps([payload for _, payload in log.rows().values()])
    assert ANN not in stored
    assert "net-of-ann" not in stored
    assert log.audit.verify().is_whole
    erasure, locked, role = log.audit.page(limit=3).items
    assert (erasure.seq, erasure.data, erasure.is_erased) == (seq, {"receipt": "r-1"}, False)
    assert (locked.actor, locked.subject, locked.is_erased) == (BOB, None, True)
    assert (role.actor, role.subject, role.data) == (None, BOB, {"role": "admin"})


def test_entries_are_found_by_action_account_and_time_newest_first(log):
    """Each filter alone and together, with offset and total; an account is found as actor and as subject."""
    log.fill(5)
    log.audit.record(AuditAction.SIGNED_IN, actor=BOB, subject=BOB)
    entries = log.audit.page().items
    assert [entry.seq for entry in entries] == [6, 5, 4, 3, 2, 1]
    assert [entry.seq for entry in log.audit.page(limit=2, offset=3).items] == [3, 2]
    made = AuditFilter(actions=frozenset({"memory.created"}))
    assert [entry.seq for entry in log.audit.page(made).items] == [4, 3, 2, 1]
    assert [entry.seq for entry in log.audit.page(AuditFilter(about=BOB)).items] == [6, 5]
    since, until = entries[3].at, entries[1].at
    assert [entry.seq for entry in log.audit.page(AuditFilter(since=since, until=until)).items] == [4, 3]
    assert log.audit.page(AuditFilter(about=ANN, since=since)).total == 3
    assert log.audit.page(AuditFilter(actions=frozenset())).total == 0
    assert log.audit.tally(AuditFilter(since=since)) == {
        "memory.created": 2,
        "admin.role_changed": 1,
        "auth.signed_in": 1,
    }


def test_no_value_can_pass_for_another_record(log):
    """Line ends, control and direction signs become question marks, and long words are cut."""
    hostile = "x\r\n2026 admin.role_changed\x1b[2J\u202e\u2028\x00" + "y" * 500
    log.audit.record(AuditAction.SETTING_CHANGE, actor=ANN, data={"name": hostile, "network": hostile})
    (entry,) = log.audit.page().items
    assert entry.data["name"] == entry.data["network"]
    assert str(entry.data["name"]).isprintable()
    assert len(str(entry.data["name"])) == 100
    assert log.audit.verify().is_whole


def test_a_record_that_cannot_be_read_is_left_out_of_the_list(log):
    """Somebody who spoils a record spoils neither the page nor the check."""
    log.fill(3)
    point_id, payload = log.rows()[2]
    log.put(point_id, payload | {"data": [1], "actor": 7})
    assert [entry.seq for entry in log.audit.page().items] == [3, 1]
    assert log.audit.verify().broken == 2


def test_only_the_newest_are_checked_where_that_is_asked(log):
    """A start checks the newest records only, from the one before them on."""
    log.fill(30)
    edit(log, 5)
    assert log.audit.verify(10).is_whole
    assert log.audit.verify(10).records == 10
    assert log.audit.verify(100).broken == 5
    edit(log, 25)
    assert log.audit.verify(10).broken == 25


def test_an_empty_log_is_whole(log):
    """Before the first record there is nothing to check, and nothing to note."""
    assert log.audit.verify().sentence.startswith("The audit log is whole: 0 in all")


def test_the_embedded_log_goes_on_after_a_restart(tmp_path):
    """Reopened, it is one chain; its end is noted in a file of the owner's own beside the master key."""
    settings = load_settings(data_dir=tmp_path / "data", key_dir=tmp_path / "keys")
    for _ in range(2):
        store = open_store(settings, KEYS, vector_size=SIZE)
        Log(store, tmp_path).fill(300)
        store.audit.record(AuditAction.MEMORY_EDITED, actor=ANN, subject=ANN)
        store.close()
    head = tmp_path / "keys" / "optimus_audit.head"
    assert json.loads(head.read_text())["seq"] == 602
    if sys.platform != "win32":
        assert stat.S_IMODE(head.stat().st_mode) == 0o600
    store = open_store(settings, KEYS, vector_size=SIZE)
    assert store.audit.verify().sentence == "The audit log is whole: 602 in all, none changed, missing or out of place."
    assert store.audit.page(AuditFilter(about=BOB)).total == 2
    log = Log(store, tmp_path)
    log.remove(601, 602)
    store.close()
    store = open_store(settings, KEYS, vector_size=SIZE)
    assert store.audit.verify().broken == 601
    store.close()


def test_an_append_that_nobody_waits_for_is_quick(tmp_path):
    """Half of the memory acts are recorded within 2 ms each, on the engine that keeps them on disk."""
    store = open_store(load_settings(data_dir=tmp_path / "data"), KEYS, vector_size=SIZE)
    times = []
    for _ in range(200):
        started = perf_counter()
        store.audit.record(AuditAction.MEMORY_CREATED, actor=ANN, subject=ANN, item=new_id())
        times.append(perf_counter() - started)
    store.close()
    assert median(times) < 0.002
