"""Put a backup back into an empty store, from the file's checks to the record in the audit log."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from optimus.embedding import MiniLmEmbedder
from optimus.errors import BackupError
from optimus.keys import Keys, load_keys
from optimus.models import Clock, utc_now
from optimus.services import new_metrics, wire
from optimus.settings import Settings
from optimus.storage.audit_chain import Link
from optimus.storage.backup import Restored, restore_records
from optimus.storage.backup_file import Manifest, Progress
from optimus.storage.migrations import RESTORING
from optimus.storage.store import open_store


def restore(settings: Settings, path: Path, *, progress: Progress, clock: Clock = utc_now) -> Manifest:
    """Put a backup back into the empty store that the settings name; return what it held.

    Who was erased after the backup was made is erased again, everybody's sessions end, and the audit log goes on with
    a record that says what was done. Only then does the store open like any other.

    Raises:
        BackupError: the file will not do, the master key is missing or another one, or the store is not empty.
        StoreError: the store cannot be opened, or fails on the way; the restore has to be run again.
    """
    if settings.master_key is None and not (settings.keys_folder / "master.key").is_file():
        raise BackupError(
            f"There is no master key in {settings.keys_folder}: put the one back that the backup was made with, or set "
            "OPTIMUS_KEY_DIR to its folder. Nothing was written."
        )
    keys = load_keys(settings)
    done = restore_records(settings, keys, path, vector_size=MiniLmEmbedder.dimensions, progress=progress)
    finish(settings, keys, done, clock=clock)
    return done.manifest


def finish(settings: Settings, keys: Keys, done: Restored, *, clock: Clock = utc_now) -> None:
    """Do what has to follow before the store may be used; a crash on the way leaves it marked as half restored.

    Raises:
        StoreError: the store does not answer.
    """
    store = open_store(settings, keys, clock=clock, metrics=new_metrics(), is_restoring=True)
    with closing(wire(settings, keys, store, clock=clock)) as opened:
        manifest = done.manifest
        last = Link(manifest.audit_seq, manifest.audit_hash)
        store.audit.note_restore(last, made_at=manifest.made_at, earlier=done.earlier)
        store.accounts.end_all_sessions()
        opened.privacy.eraser.replay()
        opened.privacy.eraser.sweep()
        store.sync()
        store.work.drop_setting(RESTORING)
