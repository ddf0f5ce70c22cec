import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from optimus.errors import ConfigurationError
from optimus.keys import load_keys
from optimus.settings import load_settings

SECRET = "an0ther-l0ng-and-random-Value-0f-mine"


@pytest.fixture
def folder(tmp_path):
    """The folder of the keys."""
    return tmp_path / "keys"


@pytest.fixture
def settings(folder):
    """Settings that name the folder and no key."""
    return load_settings(key_dir=folder)


def test_missing_keys_are_made_once(settings, folder):
    """The first start makes three different keys of 32 bytes or more; the next start finds the same."""
    keys = load_keys(settings)

    assert len({keys.jwt, keys.pepper, keys.master}) == 3
    assert min(len(keys.jwt), len(keys.pepper)) >= 32
    assert len(keys.master) == 32
    assert sorted(path.name for path in folder.iterdir()) == ["jwt.key", "master.key", "pepper.key"]
    assert load_keys(settings) == keys


def test_keys_are_private(settings, folder):
    """Only the owner may read the key files and look into their folder."""
    load_keys(settings)

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_keys_stand_in_the_data_folder_by_default(tmp_path):
    """Without a folder of their own the keys are in `keys` of the data folder."""
    load_keys(load_settings(data_dir=tmp_path / "data"))

    assert (tmp_path / "data" / "keys" / "master.key").is_file()


def test_settings_win(folder):
    """A key from the settings is used, and no file is made for it."""
    keys = load_keys(load_settings(key_dir=folder, jwt_secret=SECRET, pepper=SECRET, master_key=SECRET))

    assert keys.jwt == keys.pepper == SECRET.encode()
    assert len(keys.master) == 32
    assert keys.master != SECRET.encode()[:32]
    assert not folder.exists()


def test_parallel_starts_end_with_the_same_keys(settings):
    """Of several first starts all use the keys of one."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_keys(settings), range(8)))

    assert len({(keys.jwt, keys.pepper, keys.master) for keys in found}) == 1


@pytest.mark.parametrize("content", [b"", b"short", b" " * 64, b"\xff" * 64])
def test_damaged_key_file_is_refused(settings, folder, content):
    """A key file that is short or no text is refused, never replaced: what it sealed would be lost."""
    load_keys(settings)
    (folder / "master.key").write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"master\.key"):
        load_keys(settings)

    assert (folder / "master.key").read_bytes() == content


def test_key_file_that_others_can_read_is_refused(settings, folder):
    """A key that others may have read is no key; the sentence says what to do."""
    load_keys(settings)
    (folder / "jwt.key").chmod(0o644)

    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_keys(settings)


def test_unusable_folder_gets_a_sentence(tmp_path):
    """A key folder that cannot be made ends in a sentence that names the setting."""
    blocked = tmp_path / "file"
    blocked.write_text("x")

    with pytest.raises(ConfigurationError, match="OPTIMUS_KEY_DIR"):
        load_keys(load_settings(key_dir=blocked / "keys"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_key_gets_a_sentence(settings, folder):
    """A key file of somebody else ends in a sentence."""
    load_keys(settings)
    (folder / "jwt.key").chmod(0)

    with pytest.raises(ConfigurationError, match="OPTIMUS_KEY_DIR"):
        load_keys(settings)


def test_keys_do_not_show(settings):
    """Printing the keys shows none of them."""
    assert repr(load_keys(settings)) == "Keys()"
