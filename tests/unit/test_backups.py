"""Backups: what is put back is what was there, whatever is damaged, cut off or foreign is refused."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from optimus.cli import main
from optimus.errors import BackupError, ConfigurationError
from optimus.keys import load_keys
from optimus.models import UserId
from optimus.privacy.erased import ErasureList
from optimus.restoring import finish, restore
from optimus.services import Services, wire
from optimus.settings import Settings, load_settings
from optimus.storage.backup import ORDER, restore_records, write_backup
from optimus.storage.backup_file import BackupReader
from optimus.storage.store import open_store
from tests.fakes.embedding import HashEmbedder
from tests.world import PASSWORD, HandClock, running_world

ROOT = Path(__file__).parent.parent.parent
CANARIES = ("ocelot-canary in Lisbon", "quokka-canary for breakfast")


def quiet(done: int, total: int) -> None:
    """Follow nothing."""


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Settings with the keys apart from the data."""
    return load_settings(data_dir=tmp_path / "data", key_dir=tmp_path / "keys", collection_prefix="here_")


@pytest.fixture
def there(tmp_path) -> Settings:
    """Settings of another, empty store under the same keys."""
    return load_settings(data_dir=tmp_path / "other", key_dir=tmp_path / "keys", collection_prefix="here_")


def opened(settings: Settings, **options: object) -> closing[Services]:
    """Open an embedded Optimus with hashed vectors."""
    keys = load_keys(settings)
    store = open_store(settings, keys)
    return closing(wire(settings, keys, store, password_cost=4, embedder=HashEmbedder()))


def populate(services: Services, name: str = "ada") -> UserId:
    """Make an account that has signed in, chatted and remembers; return its owner."""
    user = services.auth.create_admin(code=None, username=name, password=PASSWORD)
    ticket = services.auth.sign_in(username=name, password=PASSWORD, network="test", captcha=None, user_agent="test")
    services.auth.open_session(ticket)
    for text in CANARIES:
        services.memory.add(user.id, f"I keep an {text}")
    services.store.work.intend("test", "00000000-0000-4000-8000-00000000000a", {"step": 1})
    return user.id


Records = dict[str, dict[str, tuple[dict[str, Any], Any]]]
"""Payload and vectors by id, by collection."""


def records(services: Services) -> Records:
    """Return every record as the engine holds it, vectors included, but those that are made anew."""
    found: Records = {}
    store = services.store
    for name in ORDER:
        page, _ = store.raw.scroll(
            collection_name=store.names.prefix + name, limit=1000, with_payload=True, with_vectors=True
        )
        found[name] = {
            str(record.id): (payload, record.vector)
            for record in page
            if (payload := record.payload or {}).get("kind") not in ("probe", "audit_head", "key")
        }
    return found


def kinds(found: Records) -> set[str]:
    """Return the kinds of the records."""
    return {payload["kind"] for rows in found.values() for payload, _ in rows.values() if "kind" in payload}


def whole_backup(settings: Settings, path: Path) -> Records:
    """Make a store with something of everything and a backup of it; return its records."""
    with opened(settings) as services:
        populate(services)
        before = records(services)
        write_backup(services.store, load_keys(settings), path, made_at=services.clock(), progress=quiet)
    return before


def test_restored_store_is_equal_record_by_record(settings, there, tmp_path):
    """Sealed memories, sessions, intents, audit and vectors come back as they were, under another prefix too."""
    path = tmp_path / "all.backup"
    before = whole_backup(settings, path)
    there = there.model_copy(update={"collection_prefix": "there_"})
    done = restore_records(there, load_keys(there), path, vector_size=384, progress=quiet)
    store = open_store(there, load_keys(there), is_restoring=True)
    with closing(wire(there, load_keys(there), store, embedder=HashEmbedder())) as services:
        after = records(services)
        store.work.drop_setting("restoring")
        assert {"user", "session", "intent", "audit", "setting"} <= kinds(before)
        assert len(before["memories"]) >= len(CANARIES)
        for name in ORDER:
            mark = {key for key in after[name] if after[name][key][0].get("name") == "restoring"}
            assert {key: row for key, row in after[name].items() if key not in mark} == before[name], name
        keys = {entry.id: entry.wrapped for entry in store.keyring.entries()}
    assert done.manifest.records == sum(map(len, before.values())) + len(keys)


def test_finished_restore_works_and_says_what_it_did(settings, there, tmp_path):
    """After a restore memories are read, sessions are over, and the audit log is whole and tells of it."""
    path = tmp_path / "all.backup"
    with opened(settings) as services:
        owner = populate(services)
        services.backups.make(path, quiet)
        for _ in range(3):
            services.memory.add(owner, "I said this after the backup")
        last = services.store.audit.end().seq
    kept = restore(there, path, progress=quiet).audit_seq
    with opened(there) as services:
        texts = {memory.text for memory in services.store.memories.page(owner).items}
        assert all(f"I keep an {text}" in texts for text in CANARIES)
        assert services.store.accounts.all_sessions() == []
        report = services.audit.verify()
        assert report.is_whole
        assert [(each.seq, each.lost) for each in report.restores] == [(kept + 1, last - kept)]
        assert f"{last - kept} later records of the log before are not in it" in report.sentence


def test_file_holds_no_plain_text_and_no_key(settings, tmp_path):
    """Neither what people wrote nor a key can be read in a backup, which is its owner's only."""
    path = tmp_path / "all.backup"
    whole_backup(settings, path)
    keys = load_keys(settings)
    with zipfile.ZipFile(path) as file:
        text = b"".join(file.read(name) for name in file.namelist())
    for canary in CANARIES:
        assert canary.encode() not in text
    for name in ("master", "jwt", "pepper"):
        assert (settings.keys_folder / f"{name}.key").read_bytes().strip() not in text
    assert keys.master not in text
    assert keys.master.hex().encode() not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.glob("*all.backup*")] == ["all.backup"]


def rewritten(path: Path, change) -> None:
    """Write the file anew with each part as `change(name, text)` gives it; None leaves the part out."""
    with zipfile.ZipFile(path) as file:
        parts = {name: change(name, file.read(name)) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, text in parts.items():
            if text is not None:
                file.writestr(name, text)


def manifest_with(**fields: object):
    """Return a change that sets fields of the manifest."""

    def change(name: str, text: bytes) -> bytes:
        return json.dumps(json.loads(text) | fields).encode() if name == "manifest.json" else text

    return change


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "another file": lambda path: path.write_bytes(b"nothing of ours"),
    "flipped": lambda path: path.write_bytes(flipped(path)),
    "part changed": lambda path: rewritten(path, lambda n, t: t.replace(b"sealed", b"SEALED")),
    "part left out": lambda path: rewritten(path, lambda n, t: None if n.startswith("accounts") else t),
    "no manifest": lambda path: rewritten(path, lambda n, t: None if n == "manifest.json" else t),
    "newer file": lambda path: rewritten(path, manifest_with(format=2)),
    "manifest changed": lambda path: rewritten(path, manifest_with(vector_size=100)),
    "counts changed": lambda path: rewritten(path, manifest_with(counts={})),
}


def flipped(path: Path) -> bytes:
    """Flip one bit in the middle of the first part."""
    with zipfile.ZipFile(path) as file:
        part = file.infolist()[0]
    content = bytearray(path.read_bytes())
    content[part.header_offset + 30 + len(part.filename) + part.compress_size // 2] ^= 4
    return bytes(content)


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_file_is_refused_and_nothing_is_written(name, settings, there, tmp_path):
    """What is cut off, changed or of another version is refused before the store is touched."""
    path = tmp_path / "all.backup"
    whole_backup(settings, path)
    DAMAGE[name](path)
    with pytest.raises(BackupError):
        restore(there, path, progress=quiet)
    assert not (there.data_dir / "store").exists()


@pytest.mark.parametrize("key", ["m" * 20 + "0123456789abcdefghij", None])
def test_wrong_or_missing_key_is_refused(key, settings, there, tmp_path):
    """Another master key, or none, is named and leaves everything as it was."""
    path = tmp_path / "all.backup"
    whole_backup(settings, path)
    elsewhere = there.model_copy(update={"key_dir": tmp_path / "none"})
    if key:
        elsewhere = load_settings(data_dir=there.data_dir, key_dir=tmp_path / "none", master_key=key)
    with pytest.raises(BackupError, match="master key"):
        restore(elsewhere, path, progress=quiet)
    assert not there.data_dir.exists()


def test_other_vector_size_and_newer_store_are_refused(settings, there, tmp_path, monkeypatch):
    """A backup for a search model of another size, or of a newer store, is refused with both figures."""
    path = tmp_path / "all.backup"
    whole_backup(settings, path)
    with pytest.raises(BackupError, match="384 numbers; the search model here makes 768"):
        restore_records(there, load_keys(there), path, vector_size=768, progress=quiet)
    monkeypatch.setattr("optimus.storage.backup.FORMAT", 0)
    with pytest.raises(BackupError, match="newer Optimus"):
        restore_records(there, load_keys(there), path, vector_size=384, progress=quiet)
    assert not there.data_dir.exists()


def test_store_in_use_is_left_alone(settings, tmp_path):
    """A backup goes into an empty store only."""
    path = tmp_path / "all.backup"
    before = whole_backup(settings, path)
    with pytest.raises(BackupError, match="empty store only"):
        restore(settings, path, progress=quiet)
    with opened(settings) as services:
        assert records(services)["memories"] == before["memories"]


def test_erased_account_does_not_come_back(settings, there, tmp_path):
    """Who was erased after the backup was made is erased again, and so is what is left of one without an account."""
    path = tmp_path / "all.backup"
    with opened(settings) as services:
        owner, orphan = populate(services), UserId("00000000-0000-4000-8000-0000000000bb")
        services.memory.add(orphan, "I have no account any more")
        write_backup(services.store, load_keys(settings), path, made_at=services.clock(), progress=quiet)
        for gone in (owner, orphan):
            ErasureList(folder=settings.keys_folder).add(gone, services.clock())
    restore(there, path, progress=quiet)
    with opened(there) as services:
        assert services.store.accounts.users() == []
        for gone in (owner, orphan):
            assert not any(services.store.personal.counts(gone).values())
        assert services.audit.verify().is_whole


def test_backup_while_writers_write_holds_what_was_there_before(settings, there, tmp_path):
    """Everything that was stored before the backup began is in it, its log is whole, and each record opens."""
    path, stopping = tmp_path / "all.backup", Event()
    with opened(settings) as services:
        owner = populate(services)
        before = {memory.id for memory in services.store.memories.page(owner).items}

        def write() -> None:
            number = 0
            while not stopping.is_set():
                services.memory.add(owner, f"I own the book with the number {(number := number + 1)}")

        threads = [Thread(target=write) for _ in range(3)]
        for thread in threads:
            thread.start()
        services.backups.make(path, quiet)
        stopping.set()
        for thread in threads:
            thread.join()
    restore(there, path, progress=quiet)
    with opened(there) as services:
        assert before <= {memory.id for memory in services.store.memories.page(owner, limit=256).items}
        assert services.audit.verify().is_whole


KILLED = """
import os, signal, sys
from pathlib import Path
from optimus.keys import load_keys
from optimus.settings import Settings, load_settings
from optimus.storage import backup, store
settings = load_settings(data_dir=Path(sys.argv[1]), key_dir=Path(sys.argv[2]), collection_prefix=sys.argv[3])
def die(done, total):
    if done * 2 > total:
        os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[4] == "backup":
    from datetime import UTC, datetime
    opened = store.open_store(settings, load_keys(settings))
    backup.write_backup(opened, load_keys(settings), Path(sys.argv[5]), made_at=datetime.now(UTC), progress=die)
else:
    backup.restore_records(settings, load_keys(settings), Path(sys.argv[5]), vector_size=384, progress=die)
"""


def killed(settings: Settings, act: str, path: Path) -> None:
    """Run an act in a process of its own that is killed half-way."""
    program = [sys.executable, "-c", KILLED, str(settings.data_dir), str(settings.key_dir)]
    done = subprocess.run([*program, settings.collection_prefix, act, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL


def test_killed_backup_leaves_no_file_of_its_name(settings, tmp_path):
    """A backup that was cut off is never taken for a whole one."""
    with opened(settings) as services:
        populate(services)
    killed(settings, "backup", tmp_path / "all.backup")
    assert not (tmp_path / "all.backup").exists()
    (left,) = tmp_path.glob(".all.backup.*.part")
    with pytest.raises(BackupError):
        BackupReader(left)


def test_killed_restore_is_noticed_and_can_be_run_again(settings, there, tmp_path):
    """A store that is half restored does not open; the restore begins anew and ends well."""
    path = tmp_path / "all.backup"
    whole_backup(settings, path)
    killed(there, "restore", path)
    with pytest.raises(ConfigurationError, match="optimus restore FILE"):
        open_store(there, load_keys(there))
    restore(there, path, progress=quiet)
    with opened(there) as services:
        assert services.audit.verify().is_whole


def test_restore_that_dies_before_its_end_leaves_the_mark(settings, there, tmp_path, monkeypatch):
    """Until erased accounts are erased again and the log tells of the restore, the store does not open."""
    path = tmp_path / "all.backup"
    whole_backup(settings, path)
    done = restore_records(there, load_keys(there), path, vector_size=384, progress=quiet)
    monkeypatch.setattr("optimus.privacy.erasure.Eraser.sweep", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        finish(there, load_keys(there), done)
    with pytest.raises(ConfigurationError, match="optimus restore FILE"):
        open_store(there, load_keys(there))


def test_backup_of_the_memory_engine_restores_into_the_embedded_one(tmp_path, there):
    """The file depends on no engine: what one wrote, another reads."""
    with running_world(tmp_path / "world") as world:
        world.say("I live in Lisbon")
        write_backup(
            world.services.store,
            load_keys(there),
            tmp_path / "all.backup",
            made_at=HandClock()(),
            progress=quiet,
        )
        expected = world.services.store.memories.page(world.owner).total
    done = restore_records(there, load_keys(there), tmp_path / "all.backup", vector_size=384, progress=quiet)
    assert done.manifest.counts["memories"] == expected


def test_commands_back_up_verify_and_restore(settings, tmp_path, monkeypatch, capsys):
    """At a terminal the three commands say what they did, and progress stands apart from the answer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPTIMUS_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("OPTIMUS_KEY_DIR", str(settings.key_dir))
    assert main(["backup", "one.backup"]) == 0
    assert "is written and checked" in capsys.readouterr().out
    assert main(["backup", "one.backup"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["verify", "one.backup"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("The backup is whole: made ")
    assert "100%" in told.err
    monkeypatch.setenv("OPTIMUS_DATA_DIR", str(tmp_path / "other"))
    assert main(["restore", "one.backup"]) == 0
    assert main(["restore", "one.backup"]) == 1
    os.truncate("one.backup", 500)
    assert main(["verify", "one.backup"]) == 1
    assert "no whole backup" in capsys.readouterr().err


def test_backup_alone_with_the_master_key_opens_what_was_sealed(settings, tmp_path):
    """On another machine, with nothing but the master key, the restored memories are read; no key is lost."""
    path = tmp_path / "all.backup"
    whole_backup(settings, path)
    there = load_settings(data_dir=tmp_path / "other", key_dir=tmp_path / "elsewhere", collection_prefix="here_")
    there.keys_folder.mkdir(mode=0o700)
    shutil.copy(settings.keys_folder / "master.key", there.keys_folder / "master.key")
    restore(there, path, progress=quiet)
    with opened(there) as services:
        owner = next(user.id for user in services.store.accounts.users())
        texts = [memory.text for memory in services.memory.list(owner).items]
    assert {f"I keep an {text}" for text in CANARIES} <= set(texts)
