"""Backups of a store on a Qdrant server, over the wire, and what puts them back."""

from contextlib import closing
from pathlib import Path

import pytest

from optimus.errors import StoreError
from optimus.keys import load_keys
from optimus.restoring import restore
from optimus.settings import load_settings
from optimus.storage.backup import write_backup
from tests.fakes.qdrant_server import FakeQdrant
from tests.unit.test_backups import opened, populate, quiet


@pytest.mark.parametrize("by_grpc", [True, False])
def test_a_servers_store_comes_back(tmp_path: Path, by_grpc: bool):
    """Into another server and into an embedded store: memories are read again, and the audit log is whole."""
    path, folders = tmp_path / "server.backup", {"data_dir": tmp_path / "data", "key_dir": tmp_path / "keys"}
    with closing(FakeQdrant()) as first, closing(FakeQdrant()) as second:
        here = first.settings(**folders, qdrant_prefer_grpc=by_grpc)
        with opened(here) as services:
            owner = populate(services)
            told = {memory.text for memory in services.memory.list(owner).items}
            write_backup(services.store, load_keys(here), path, made_at=services.clock(), progress=quiet)
        other = load_settings(data_dir=tmp_path / "other", key_dir=tmp_path / "keys")
        for there in (second.settings(**folders, qdrant_prefer_grpc=by_grpc), other):
            restore(there, path, progress=quiet)
            with opened(there) as services:
                assert {memory.text for memory in services.memory.list(owner).items} == told
                assert services.store.audit.verify().is_whole
                assert [user.id for user in services.store.accounts.users()] == [owner]


def test_a_backup_that_is_cut_off_leaves_no_half_file(tmp_path: Path):
    """What failed is raised, and no file stands where the backup was to be."""
    path = tmp_path / "server.backup"
    with closing(FakeQdrant()) as fake:
        here = fake.settings(data_dir=tmp_path / "data", key_dir=tmp_path / "keys")
        with opened(here) as services:
            populate(services)

            def cut(done: int, total: int) -> None:
                del done, total
                raise StoreError

            with pytest.raises(StoreError):
                write_backup(services.store, load_keys(here), path, made_at=services.clock(), progress=cut)
    assert not path.exists()
