"""The master key changes while everything stays readable; what is destroyed is gone for good."""

import base64
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from optimus import doctor, key_rotation
from optimus.cli import main
from optimus.errors import ConfigurationError, SealError, StoreUnavailableError
from optimus.keys import load_keys, retired_masters
from optimus.models import UserId, new_id, stable_id
from optimus.privacy.receipts import Receipt, ReceiptSigner
from optimus.services import build_services
from optimus.settings import Settings, load_settings
from optimus.storage.inspection import copy_folder
from optimus.storage.integrity import data_of
from optimus.storage.keyshelf import KeyEntry
from optimus.storage.records import Connection
from optimus.storage.store import Store, open_store
from tests.unit.storage.conftest import SIZE
from tests.world import PASSWORD

OLD, NEW = "an0ther-l0ng-and-random-Value-0f-mine", "the-next-l0ng-and-random-Value-0f-mine"
Opened = tuple[Store, key_rotation.KeyRotation]


@contextmanager
def opened(settings: Settings) -> Iterator[Opened]:
    """Open the embedded store of some settings with what changes its master key."""
    keys = load_keys(settings)
    with closing(open_store(settings, keys, vector_size=SIZE)) as store:
        parts = {"keyring": store.keyring, "audit": store.audit}
        yield store, key_rotation.KeyRotation(settings=settings, keys=keys, **parts)  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an embedded store with its keys beside it."""
    return load_settings(data_dir=tmp_path / "data")


def connect(store: Store, owner: UserId, key: str) -> None:
    """Store something sealed."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    connection = Connection(id=new_id(), user_id=owner, provider="x", label="x", api_key=key, created_at=at)  # type: ignore[arg-type]
    store.accounts.save_connection(connection)


def sealed_text(store: Store, owner: UserId) -> str:
    """Return what `connect` stored."""
    key = store.accounts.connections(owner)[0].api_key
    assert key is not None
    return key.get_secret_value()


def all_bytes(folder: Path) -> list[bytes]:
    """Return the content of every file, its holes left out."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                found.append(b"".join(chunk for _, chunk in data_of(file.fileno())))
    return found


def rotate(rotation: key_rotation.KeyRotation) -> None:
    """Change the master key from the beginning to the end, in small batches."""
    rotation.begin()
    after = None
    while (batch := rotation.advance(after, 2)).after:
        after = batch.after
    rotation.finish()


def test_everything_opens_under_the_new_key_only(settings):
    """After a change, also in the same process, all is readable; the old key alone opens nothing."""
    people = [UserId(new_id()) for _ in range(5)]
    before = load_keys(settings).master
    with opened(settings) as (store, rotation):
        for person in people:
            connect(store, person, f"of {person}")
        rotate(rotation)
        connect(store, UserId(new_id()), "later")
        assert store.audit.verify().is_whole
    assert load_keys(settings).master != before
    (retired,) = retired_masters(settings)
    assert retired.stat().st_mode & 0o777 == 0o600
    with opened(settings) as (store, rotation):
        assert [sealed_text(store, person) for person in people] == [f"of {person}" for person in people]
        assert rotation.destroy_retired() == 1
    assert retired_masters(settings) == []
    (settings.keys_folder / "master.key").unlink()
    with pytest.raises(ConfigurationError, match="master key"), opened(settings):
        pass


@pytest.mark.parametrize("step", ["begun", "half", "wrapped", "linked"])
def test_a_crash_at_any_step_leaves_a_store_that_opens(settings, step, monkeypatch):
    """Whatever was done when the process died, the next start reads everything and ends the change."""
    people = [UserId(new_id()) for _ in range(5)]
    before = load_keys(settings).master
    with opened(settings) as (store, rotation):
        for person in people:
            connect(store, person, f"of {person}")
        rotation.begin()
        if step != "begun":
            rotation.advance(None, 2 if step == "half" else 100)
        if step == "linked":
            monkeypatch.setattr(Path, "replace", _dies)
            with suppress(KeyboardInterrupt):
                rotation.finish()
            monkeypatch.undo()
    with opened(settings) as (store, rotation):
        assert load_keys(settings).former
        assert [sealed_text(store, person) for person in people] == [f"of {person}" for person in people]
        rotation.resume()
        assert not rotation.is_unfinished
        assert rotation.resume() == 0
    assert load_keys(settings).master != before
    assert len(retired_masters(settings)) == 1


def _dies(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_folder_that_cannot_be_written_changes_nothing(settings, monkeypatch):
    """Where the next key cannot be kept, the change is refused with a sentence and the old key stays."""
    with opened(settings) as (_, rotation):
        before = load_keys(settings)
        monkeypatch.setattr("optimus.keys.os.link", _refuses)
        with pytest.raises(ConfigurationError, match="cannot be written"):
            rotation.begin()
        monkeypatch.undo()
        assert load_keys(settings) == before
        assert not rotation.is_unfinished


def _refuses(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_keys_of_the_settings_change_with_old_and_new_side_by_side(tmp_path):
    """With both keys in the settings everything opens, and after the change the new one alone does."""
    folder, owner = tmp_path / "data", UserId(new_id())
    with opened(load_settings(data_dir=folder, master_key=OLD)) as (store, rotation):
        connect(store, owner, "mine")
        with pytest.raises(ConfigurationError, match="OPTIMUS_MASTER_KEY_OLD"):
            rotation.begin()
    with opened(load_settings(data_dir=folder, master_key=NEW, master_key_old=OLD)) as (store, rotation):
        assert sealed_text(store, owner) == "mine"
        rotate(rotation)
    with opened(load_settings(data_dir=folder, master_key=NEW)) as (store, _):
        assert sealed_text(store, owner) == "mine"


def test_old_receipts_stay_genuine(settings):
    """A receipt from before the change is verified after it, also once the old master key is destroyed."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    unsigned = Receipt(id="r", erased_at=at, requested_by="owner", records={}, account="a", salt="s")
    text = ReceiptSigner(master=load_keys(settings).master).sign(unsigned).to_json()
    with opened(settings) as (_, rotation):
        rotate(rotation)
        rotation.destroy_retired()
    signer = ReceiptSigner(master=load_keys(settings).master, folder=settings.keys_folder)
    assert signer.verify(text).id == "r"


def test_after_an_erasure_the_master_key_opens_nothing_of_it(settings, tmp_path):
    """The wrapped key is in no file any more, so a copy of everything with the master key decrypts nothing."""
    owner, copy = UserId(new_id()), tmp_path / "copy"
    with opened(settings) as (store, rotation):
        connect(store, owner, "gone")
        rotate(rotation)
        (kept,) = [entry for entry in store.keyring.entries() if entry.fields.get("user_id") == owner]
        store.sync()
        assert any(kept.wrapped.encode() in content for content in all_bytes(settings.data_dir / "keys"))
        store.keyring.destroy(owner)
        copy_folder(settings.data_dir, copy)
    for folder in (copy, settings.data_dir):
        for wanted in (kept.wrapped.encode(), base64.b64decode(kept.wrapped)):
            assert not any(wanted in content for content in all_bytes(folder))
    with opened(load_settings(data_dir=copy)) as (store, _), pytest.raises(SealError):
        store.accounts.connections(owner)


def test_keys_that_are_records_move_to_files_and_stay_destroyed(settings):
    """Keys that a backup or an older version brings as records are taken over, but none that was destroyed since."""
    kept, gone = UserId(new_id()), UserId(new_id())
    with opened(settings) as (store, _):
        connect(store, kept, "kept")
        connect(store, gone, "gone")
        saved = [entry for entry in store.keyring.entries() if entry.fields["user_id"] != "master-check"]
        store.keyring.destroy(gone)
        shelf = store.keyring._records
        for entry in saved:
            shelf.add(KeyEntry(entry.id, entry.fields))
        name = settings.keys_folder / "optimus_data-keys"
        (name / f"{next(e.id for e in saved if e.fields['user_id'] == kept)}.json").unlink()
    with opened(settings) as (store, _):
        assert sealed_text(store, kept) == "kept"
        with pytest.raises(SealError):
            store.accounts.connections(gone)
        assert [entry.fields["user_id"] for entry in store.keyring._records.page(None, 99)[0]] == ["master-check"]


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"wrapped": "AAAA"}'])
def test_one_damaged_key_is_named_and_stops_nobody_else(settings, content: bytes | None):
    """Everybody else goes on; its owner gets no new key, which could open nothing; the doctor names the file."""
    with closing(build_services(settings, password_cost=4)) as services:
        made = [services.auth.create_admin(code=None, username=name, password=PASSWORD) for name in ("ada", "bob")]
    ada, bob = (user.id for user in made)
    file = settings.keys_folder / "optimus_data-keys" / f"{stable_id('key', ada)}.json"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with closing(build_services(settings, password_cost=4)) as services:
        [check] = [each for each in doctor.examine(services).checks if each.name == "accounts"]
        assert check.verdict is doctor.Verdict.PROBLEM
        assert f"optimus_data-keys/{file.name}" in check.detail
        assert services.store.keyring.dek(bob)
        with pytest.raises((SealError, StoreUnavailableError)):
            services.store.keyring.dek(ada)
    assert file.exists() is (content is not None)


def test_a_missing_folder_of_data_keys_is_noticed(settings):
    """A store whose data keys are gone does not open as if it were new."""
    with opened(settings):
        pass
    shutil.rmtree(settings.keys_folder / "optimus_data-keys")
    with pytest.raises(ConfigurationError, match="data keys is missing"), opened(settings):
        pass


def test_the_command_changes_the_key(tmp_path, monkeypatch, capsys):
    """`rotate-keys` works where no Optimus runs, tells its progress, and destroys old keys when it is told to."""
    monkeypatch.setenv("OPTIMUS_DATA_DIR", str(tmp_path / "data"))
    before = load_keys(load_settings()).master
    assert main(["rotate-keys"]) == 0
    assert "keys are under the new master key" in capsys.readouterr().out
    assert load_keys(load_settings()).master != before
    assert main(["rotate-keys", "--destroy-retired"]) == 0
    assert "1 retired master key is destroyed" in capsys.readouterr().out
