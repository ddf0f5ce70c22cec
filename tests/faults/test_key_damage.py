"""Damaged or missing key files are named, never replaced where they stand, and no nonce is used twice under a key."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from optimus.errors import ConfigurationError, InvalidCredentialsError, StoreError
from optimus.models import UserId, new_id
from optimus.services import Services, build_services
from optimus.settings import Settings, load_settings
from optimus.storage import keyring, sealing
from optimus.storage.store import open_memory_store
from tests.fakes.damage import copy
from tests.fakes.embedding import HashEmbedder
from tests.unit.privacy.support import NETWORK
from tests.unit.storage.conftest import SIZE
from tests.unit.storage.test_memory_index import memory_of, point
from tests.world import PASSWORD

PEOPLE = ("ada", "bob")
MASTER, PEPPER, SESSIONS, DATA_KEY, AUDIT = "master.key", "pepper.key", "jwt.key", "data key", "audit.head"


def _flipped(content: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << chance.randrange(7))]) + content[place + 1 :]


DAMAGES: dict[str, Callable[[bytes, random.Random], bytes | None]] = {
    "flipped": _flipped,
    "cut short": lambda content, chance: content[: chance.randrange(len(content))],
    "zeroed": lambda content, _: bytes(len(content)),
    "empty": lambda _content, _chance: b"",
    "gone": lambda _content, _chance: None,
}


def opened(settings: Settings) -> Services:
    """Open everything as the application does."""
    return build_services(settings, password_cost=4, embedder=HashEmbedder())


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    """A data folder in which two people keep something, and its key files by what they are."""
    folder = tmp_path_factory.mktemp("keys") / "data"
    with closing(opened(load_settings(data_dir=folder))) as services:
        for name in PEOPLE:
            user = services.auth.create_admin(code=None, username=name, password=PASSWORD)
            services.memory.add(user.id, f"The key of {name} is under the mat")
        (ada,) = [user.id for user in services.store.accounts.users() if user.username == "ada"]
        key = services.settings.keys_folder / services.store.keyring._files.name(keyring._id(ada))  # type: ignore[union-attr]
    files = {path.name: path for path in folder.rglob("*.key")} | {DATA_KEY: key}
    files[AUDIT] = next(folder.rglob("*audit.head"))
    return folder, {name: path.relative_to(folder) for name, path in files.items()}


def what_came(settings: Settings, caplog: pytest.LogCaptureFixture) -> str:
    """Return what a start on damaged keys led to; it raises where it is neither whole nor said."""
    try:
        services = opened(settings)
    except ConfigurationError as error:
        return "refused" if " key" in error.user_message else error.user_message
    with closing(services):
        users = services.store.accounts.owners()
        unread = {owner for owner in users if not _reads(services, owner)}
        if unread:
            assert len(unread) == 1
            assert len(services.store.keyring.faults(users)) == 1
            return "one cannot be read"
        if not _signs_in(services):
            assert f"{len(PEOPLE)} accounts have passwords from another pepper" in caplog.text
            return "nobody signs in, told"
        return "whole" if services.store.audit.verify().is_anchored else "the audit log is not anchored"


def _reads(services: Services, owner: UserId) -> bool:
    try:
        (memory,) = services.memory.list(owner).items
    except StoreError:
        return False
    return memory.text.startswith("The key of")


def _signs_in(services: Services) -> bool:
    try:
        services.auth.sign_in(username="bob", password=PASSWORD, network=NETWORK, captcha=None, user_agent="test")
    except InvalidCredentialsError:
        return False
    return True


def damage(lived_in: tuple[Path, dict[str, Path]], target: Path, name: str, kind: str, seed: int) -> tuple[Path, bytes]:
    """Damage one key file of a copy; return where it is, and what it holds now."""
    source, files = lived_in
    path = copy(source, target) / files[name]
    content = DAMAGES[kind](path.read_bytes(), random.Random(seed))
    if content is None:
        path.unlink()
        return path, b""
    path.write_bytes(content)
    return path, content


EXPECTED = {
    MASTER: {"refused"},
    PEPPER: {"refused", "nobody signs in, told"},
    SESSIONS: {"refused", "whole"},
    DATA_KEY: {"one cannot be read", "whole"},
    AUDIT: {"whole", "the audit log is not anchored"},
}


@pytest.mark.parametrize(("name", "kind"), [(MASTER, "gone"), (PEPPER, "flipped"), (DATA_KEY, "cut short")])
def test_a_damaged_key_file_is_told(lived_in, tmp_path: Path, caplog, name: str, kind: str):
    """Each has its own sentence, and stays as it is for whoever can repair it."""
    path, content = damage(lived_in, tmp_path / "data", name, kind, seed=1)
    assert what_came(load_settings(data_dir=tmp_path / "data"), caplog) in EXPECTED[name]
    if kind != "gone" and name != AUDIT:
        assert path.read_bytes() == content


@pytest.mark.deep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "kind"), list(product(EXPECTED, DAMAGES)))
def test_every_damage_of_every_key_file_is_told(lived_in, tmp_path: Path, caplog, name: str, kind: str):
    """The same for each kind of damage in several places."""
    for seed in range(4):
        place = tmp_path / str(seed)
        path, content = damage(lived_in, place, name, kind, seed)
        caplog.clear()
        assert what_came(load_settings(data_dir=place), caplog) in EXPECTED[name], f"{name} {kind} {seed}"
        if kind != "gone" and name != AUDIT:
            assert path.read_bytes() == content


class CountingCipher:
    """Stands in for the cipher, and keeps which nonces each key was used with."""

    used: ClassVar[Counter[tuple[bytes, bytes]]] = Counter()

    def __init__(self, key: bytes) -> None:
        self._key, self._cipher = key, AESGCM(key)

    def encrypt(self, nonce: bytes, data: bytes, bound: bytes) -> bytes:
        self.used[self._key, nonce] += 1
        return self._cipher.encrypt(nonce, data, bound)

    def decrypt(self, nonce: bytes, data: bytes, bound: bytes) -> bytes:
        return self._cipher.decrypt(nonce, data, bound)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[tuple[bytes, bytes]]]:
    """Count the uses of each key with each nonce, wherever something is sealed or wrapped."""
    monkeypatch.setattr(CountingCipher, "used", Counter())
    for module in (sealing, keyring):
        monkeypatch.setattr(module, "AESGCM", CountingCipher)
    yield CountingCipher.used
    assert set(CountingCipher.used.values()) == {1}
    assert {len(nonce) for _, nonce in CountingCipher.used} == {keyring.NONCE_BYTES}


def seal_much(count: int) -> None:
    """Seal the same text under one key again and again, from several threads."""
    cipher: AESGCM = vars(sealing)["AESGCM"](bytes(32))

    def seal(_: int) -> None:
        sealing._seal(cipher, "I live in Lisbon", "bound")

    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(seal, range(count), chunksize=1_000):
            pass


def test_no_nonce_comes_twice_under_a_key(counted):
    """Wherever the same is sealed again and again, records are written over, or keys are wrapped."""
    memory_store, owner = open_memory_store(vector_size=SIZE), UserId(new_id())
    memory = memory_of(owner)
    for version in range(20):
        memory_store.memories.put(owner, [point(memory.model_copy(update={"version": version + 1}))])
    for _ in range(20):
        memory_store.keyring.dek(UserId(new_id()))
    assert counted.total() > 60
    seal_much(20_000)
    assert counted.total() > 20_000


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_no_nonce_comes_twice_in_a_million(counted):
    """The same for a million."""
    seal_much(1_000_000)
    assert counted.total() == 1_000_000
