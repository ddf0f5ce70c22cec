"""Put a backup back into an empty store, from the file's checks to the record in the audit log."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

from optimus.embedding import MiniLmEmbedder
from optimus.errors import BackupError
from optimus.keys import Keys, load_keys
from optimus.models import Clock, utc_now
from optimus.rescue import RescueDesk
from optimus.rescue_words import Backup
from optimus.services import new_metrics, wire
from optimus.settings import Settings
from optimus.storage.audit_chain import Link
from optimus.storage.backup import Restored, check, restore_records
from optimus.storage.backup_file import BackupReader, Manifest, Progress
from optimus.storage.migrations import RESTORING
from optimus.storage.store import open_store

BACKUP_FILES = "optimus-*.backup"


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


class FolderBackups:
    """The backups that were made by themselves, for the rescue mode."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def newest(self) -> Backup | None:
        """Return the newest backup of the folder, if there is one."""
        folder = self._settings.backup_dir
        for path in sorted(folder.glob(BACKUP_FILES) if folder else (), reverse=True):
            with suppress(BackupError), BackupReader(path) as reader:
                return Backup(name=path.name, at=reader.manifest.made_at)
        return None

    def check(self, backup: Backup) -> None:
        """Make sure that a backup is whole and fits the keys.

        Raises:
            BackupError: it will not do.
        """
        with BackupReader(self._path(backup)) as reader:
            check(reader, load_keys(self._settings), MiniLmEmbedder.dimensions)

    def restore(self, backup: Backup) -> None:
        """Make the store anew from a backup; there is none at present.

        Raises:
            OptimusError: it could not be done.
        """
        restore(self._settings, self._path(backup), progress=lambda _done, _total: None)

    def _path(self, backup: Backup) -> Path:
        return (self._settings.backup_dir or Path()) / backup.name


def open_desk(settings: Settings) -> RescueDesk:
    """Return a desk for the embedded store of the settings."""
    return RescueDesk(settings, backups=FolderBackups(settings))
