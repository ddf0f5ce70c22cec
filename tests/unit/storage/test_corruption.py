"""Damage to the data folder is never served: the records are whole, or it is said that they are not."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from optimus.models import UserId, new_id
from optimus.settings import load_settings
from optimus.storage.audit_records import AuditAction
from optimus.storage.collections import collection_specs
from optimus.storage.folder import STORE_FOLDER
from optimus.storage.inspection import StoreDamagedError
from optimus.storage.rescue import RepairJournal
from optimus.storage.store import Store, open_store
from tests.fakes.damage import copy, corrupt
from tests.unit.storage.conftest import KEYS, SIZE, SteppingClock
from tests.unit.storage.test_memory_index import memory_of, point

ROOT = Path(__file__).parents[3]
Records = dict[str, dict[str, str]]


def fill(data_dir: Path, *, is_killed: bool) -> None:
    """Write, edit and delete in every kind of collection; then close in order, or print the truth and die."""
    store = open_store(load_settings(data_dir=data_dir), KEYS, clock=SteppingClock(), vector_size=SIZE)
    owners = [UserId(new_id()) for _ in range(3)]
    for half in range(2):
        memories = [memory_of(owners[n % 3], f"I own number {n}", minutes=n) for n in range(half * 30, half * 30 + 30)]
        for number, memory in enumerate(memories):
            store.memories.put(memory.user_id, [point(memory, number)])
            store.work.set_setting(f"setting {number}", {"half": half})
        for memory in memories[:5]:
            store.memories.delete(memory.user_id, [memory.id])
        for _ in range(10):
            store.audit.record(AuditAction.SIGNED_IN, actor=None)
        if store.commit is not None and not half:
            store.commit._flush()
    sys.stdout.write(json.dumps(records(store)))
    sys.stdout.flush()
    if is_killed:
        os._exit(9)
    store.close()


def records(store: Store) -> Records:
    """Return every record of every collection as the engine holds it, below the walls."""
    engine = store.keyring._records._backend
    found: Records = {}
    for spec in collection_specs(store.names):
        points, offset = engine.scroll(collection_name=spec.name, limit=10_000, with_payload=True)
        assert offset is None
        found[spec.name] = {str(each.id): json.dumps(each.payload, sort_keys=True) for each in points}
    return found


@pytest.fixture(scope="module", params=["closed", "killed"])
def lived_in(request, tmp_path_factory) -> tuple[Path, Records]:
    """A data folder after some use, closed in order or left by a killed process, with what it holds."""
    folder = tmp_path_factory.mktemp(request.param) / "data"
    program = (
        "from pathlib import Path; from tests.unit.storage.test_corruption import fill; "
        f"fill(Path({str(folder)!r}), is_killed={request.param == 'killed'})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return folder, json.loads(done.stdout)


def outcome(data_dir: Path, truth: Records) -> str:
    """Open a store; return `equal`, `equal, told`, `told`, `rescue`, or what went wrong."""
    try:
        store = open_store(load_settings(data_dir=data_dir), KEYS, clock=SteppingClock(), vector_size=SIZE)
    except StoreDamagedError as error:
        return "rescue" if error.damages and all(damage.detail for damage in error.damages) else "rescue without a word"
    found = records(store)
    store.close()
    told = bool(RepairJournal(data_dir).notes())
    if found == truth:
        return "equal, told" if told else "equal"
    return "told" if told else "SILENT"


def check(lived_in: tuple[Path, Records], place: Path, seeds: range) -> Counter[str]:
    """Damage a copy with every seed; return how often what came of it. Nothing else may come of it."""
    source, truth = lived_in
    seen: Counter[str] = Counter()
    for seed in seeds:
        data_dir = copy(source, place / str(seed))
        kind, path = corrupt(data_dir / STORE_FOLDER, seed)
        came = outcome(data_dir, truth)
        assert came in {"equal", "equal, told", "told", "rescue"}, f"seed {seed}: {kind} {path}: {came}"
        seen[came] += 1
        shutil.rmtree(data_dir)
    return seen


def test_an_untouched_folder_opens_as_it_was(lived_in, tmp_path):
    """Without damage nothing is missing and nothing is reported, however the last process ended."""
    source, truth = lived_in
    assert outcome(copy(source, tmp_path / "data"), truth) == "equal"


def test_damage_is_never_served(lived_in, tmp_path):
    """After a few damages of each kind: all records are equal, or the start says what is wrong."""
    assert check(lived_in, tmp_path, range(6)).total() == 6


@pytest.mark.deep
@pytest.mark.timeout(1800)
def test_much_damage_is_never_served(lived_in, tmp_path, capsys):
    """The same 250 times for each way in which a process may have ended."""
    seen = check(lived_in, tmp_path, range(1000, 1250))
    with capsys.disabled():
        sys.stdout.write(f"\n{lived_in[0].parent.name}: {dict(seen)}\n")
