"""New keys in the place of old ones: sessions go on, passwords count and are hashed anew, a wrong order is refused."""

from dataclasses import replace

import bcrypt
import pytest

from optimus.auth.first_password import FirstPasswordDesk
from optimus.auth.hashing import PasswordHasher
from optimus.auth.tokens import TokenSigner
from optimus.errors import ConfigurationError, InvalidCredentialsError, SignInBusyError
from optimus.keys import load_keys, old_keys
from optimus.settings import load_settings
from tests.unit.auth.conftest import PASSWORD, sign_in

NEW = b"n" * 32
NEW_PASSWORD = "granite-otter-58-slow lantern"
FIRST, SECOND = "k3Jd9-sdf7Q2-lmW8x-Zp0aV-tt5Rb-93hsq", "9Wq-lzP04-mmT7c-Yv2bN-rr8Ke-61fgu-aB"


@pytest.fixture
def changed(auth, world):
    """Another process of the same world, after its session key and pepper were changed, with the old ones beside."""
    world.keys = replace(world.keys, jwt=NEW, jwt_old=world.keys.jwt, pepper=NEW, pepper_old=world.keys.pepper)
    return world.service()


def pepper_of(world) -> str:
    """Return which pepper ann's password is under."""
    stored = world.accounts.user_by_name("ann")
    assert stored
    return str(stored.pepper_id)


def test_sessions_survive_a_new_session_key_and_new_ones_have_it(auth, world):
    """A token of the old key counts while that is known; one that is made now counts without it."""
    before = auth.open_session(sign_in(auth)).token
    present, old = NEW, world.keys.jwt
    world.keys = replace(world.keys, jwt=present, jwt_old=old)
    both = world.service()
    after = both.open_session(sign_in(both)).token
    assert both.principal(before)
    assert both.principal(after)
    world.keys = replace(world.keys, jwt_old=None)
    alone = world.service()
    assert alone.principal(before) is None
    assert alone.principal(after)
    assert TokenSigner(key=old, clock=world.clock).read(after) is None
    with pytest.raises(ConfigurationError):
        TokenSigner(key=present, former=b"short", clock=world.clock)


def test_an_old_password_counts_and_is_hashed_anew_once(auth, world, changed):
    """The first sign-in moves it under the new pepper, which is all that the next one needs; a wrong one moves none."""
    before = pepper_of(world)
    with pytest.raises(InvalidCredentialsError):
        sign_in(changed, password="wrong")
    assert pepper_of(world) == before
    assert changed.passwords.under_old_pepper() == 1
    assert sign_in(changed)
    assert pepper_of(world) == changed.passwords._hasher.pepper_id != before
    assert changed.passwords.under_old_pepper() == 0
    world.keys = replace(world.keys, pepper_old=None)
    alone = world.service()
    moved = world.accounts.user_by_name("ann").version
    assert alone.principal(alone.open_session(sign_in(alone)).token)
    assert world.accounts.user_by_name("ann").version == moved


def test_without_the_old_pepper_an_old_password_is_refused(auth, world, caplog):
    """The person hears what everybody hears, the log what to set."""
    world.keys = replace(world.keys, pepper=NEW)
    with pytest.raises(InvalidCredentialsError):
        sign_in(world.service())
    assert "OPTIMUS_PEPPER_OLD" in caplog.text


def test_every_verification_costs_one_bcrypt_under_either_pepper(monkeypatch):
    """Nobody, a new and an old hash, right or wrong, and one of a third pepper do the same work."""
    old, hasher = PasswordHasher(pepper=b"o" * 32, cost=4), PasswordHasher(pepper=NEW, former=b"o" * 32, cost=4)
    third = PasswordHasher(pepper=b"t" * 32, cost=4)
    stored = [(each.hash(PASSWORD), each.pepper_id) for each in (old, hasher, third)]
    costs, check = [], bcrypt.checkpw

    def counting(typed, found):
        costs.append(found[:7])
        return check(typed, found)

    monkeypatch.setattr(bcrypt, "checkpw", counting)
    for typed in (PASSWORD, "wrong"):
        found = [hasher.verify(typed, stored=hashed, pepper_id=pepper) for hashed, pepper in [*stored, (None, None)]]
        assert found == [typed == PASSWORD, typed == PASSWORD, False, False]
    assert costs == [b"$2b$04$"] * 8


def test_a_one_time_code_from_before_the_change_is_taken_and_replaced(auth, world, changed):
    """It signs in once under the old pepper; the password that follows is under the new one."""
    desk = FirstPasswordDesk(accounts=world.accounts, hasher=auth._hasher, clock=world.clock)
    user, code = desk.with_code(world.accounts.user_by_name("ann"))
    world.accounts.update_user(user)
    principal = changed.principal(changed.open_session(sign_in(changed, password=code.code)).token)
    with pytest.raises(InvalidCredentialsError):
        sign_in(changed, password=code.code)
    changed.choose_password(principal, NEW_PASSWORD, user_agent="")
    assert pepper_of(world) == changed._hasher.pepper_id
    assert sign_in(changed, password=NEW_PASSWORD)


def test_an_old_password_can_be_changed_and_proven(auth, world, changed):
    """Whoever is still signed in gives the old password again, and replaces it, under the new pepper."""
    principal = changed.principal(auth.open_session(sign_in(auth)).token)
    changed.proof.give(principal, password=PASSWORD, network="n")
    changed.change_password(principal, current=PASSWORD, new=NEW_PASSWORD, network="n")
    assert pepper_of(world) == changed._hasher.pepper_id


def test_two_sign_ins_at_once_both_get_in(auth, world, changed, monkeypatch):
    """Whoever finds the hash renewed by the other has proven the same password."""
    verify = PasswordHasher.verify

    def overtaken(hasher, password, **stored):
        monkeypatch.setattr(PasswordHasher, "verify", verify)
        is_right = hasher.verify(password, **stored)
        assert sign_in(changed, network="198.51.100.9")
        return is_right

    monkeypatch.setattr(PasswordHasher, "verify", overtaken)
    assert sign_in(changed)
    assert pepper_of(world) == changed._hasher.pepper_id


def test_a_password_replaced_meanwhile_is_refused_under_either_pepper(auth, world, changed, monkeypatch):
    """A hash under another pepper counts as the same password only where the password was not changed."""
    principal = changed.principal(auth.open_session(sign_in(auth)).token)
    verify = PasswordHasher.verify

    def overtaken(hasher, password, **stored):
        monkeypatch.setattr(PasswordHasher, "verify", verify)
        is_right = hasher.verify(password, **stored)
        world.clock.pass_(seconds=1)
        changed.change_password(principal, current=PASSWORD, new=NEW_PASSWORD, network="elsewhere")
        return is_right

    monkeypatch.setattr(PasswordHasher, "verify", overtaken)
    with pytest.raises(InvalidCredentialsError):
        sign_in(changed)


def test_a_busy_server_keeps_nobody_out_for_the_new_pepper(auth, world, changed, monkeypatch):
    """What hinders the hashing anew is tried again at the next sign-in."""

    def busy(*_):
        raise SignInBusyError("full")

    before = pepper_of(world)
    with monkeypatch.context() as patched:
        patched.setattr(PasswordHasher, "hash", busy)
        assert sign_in(changed)
    assert pepper_of(world) == before
    assert sign_in(changed)
    assert pepper_of(world) != before


@pytest.mark.parametrize("name", ["jwt_secret", "pepper", "master_key"])
def test_old_keys_of_the_settings_are_as_strong_and_in_order(name, tmp_path):
    """Weak, without the new one, or the same as it: refused by name, and no value is told."""
    for values, wanted in (
        ({name: FIRST, f"{name}_old": "short"}, "too short"),
        ({f"{name}_old": SECOND}, "set the new one too"),
        ({name: FIRST, f"{name}_old": FIRST}, "is the same as"),
    ):
        with pytest.raises(ConfigurationError, match=f"OPTIMUS_{name.upper()}_OLD.*{wanted}") as caught:
            load_settings(key_dir=tmp_path, **values)
        assert FIRST not in str(caught.value)
    settings = load_settings(key_dir=tmp_path, **{name: FIRST, f"{name}_old": SECOND})
    assert old_keys(settings) == {name.removesuffix("_secret").removesuffix("_key"): f"OPTIMUS_{name.upper()}_OLD"}
    assert SECOND not in repr(settings)


@pytest.mark.parametrize("name", ["jwt", "pepper"])
def test_a_key_file_that_is_moved_is_the_old_key_and_a_copy_is_refused(name, tmp_path):
    """`jwt.key` moved to `jwt.old.key`: the next start makes a new one, and both count."""
    settings = load_settings(key_dir=tmp_path)
    before = load_keys(settings)
    present, old = tmp_path / f"{name}.key", tmp_path / f"{name}.old.key"
    old.write_bytes(present.read_bytes())
    old.chmod(0o600)
    with pytest.raises(ConfigurationError, match="instead of copying"):
        load_keys(settings)
    present.unlink()
    after = load_keys(settings)
    assert getattr(after, f"{name}_old") == getattr(before, name) != getattr(after, name)
    assert load_keys(settings) == after
    assert old_keys(settings) == {name: str(old)}
    for secret in (getattr(after, name), getattr(before, name)):
        assert secret.decode() not in repr(after)
    old.unlink()
    assert getattr(load_keys(settings), f"{name}_old") is None
