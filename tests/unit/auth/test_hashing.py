import threading
import unicodedata

import bcrypt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from optimus.auth import hashing
from optimus.auth.hashing import HashingGate, PasswordHasher
from optimus.errors import SignInBusyError

PEPPER = b"p" * 32
PASSWORD = "violin-harbour-94-mossy kettle"

typeable = st.characters(exclude_categories=["Cc", "Cs"])


@pytest.fixture(scope="module", name="hasher")
def _hasher():
    return PasswordHasher(pepper=PEPPER, cost=4)


def _verify(hasher: PasswordHasher, password: str, stored: str | None) -> bool:
    return hasher.verify(password, stored=stored, pepper_id=hasher.pepper_id)


@settings(max_examples=150, deadline=None)
@given(password=st.text(typeable, min_size=15, max_size=200), place=st.integers(min_value=0), other=typeable)
def test_any_changed_character_is_refused(hasher, password, place, other):
    """A password matches whole: a change at any place is noticed, also behind bcrypt's 72 bytes."""
    place %= len(password)
    changed = password[:place] + other + password[place + 1 :]
    assume(unicodedata.normalize("NFC", changed) != unicodedata.normalize("NFC", password))
    stored = hasher.hash(password)
    assert _verify(hasher, password, stored)
    assert not _verify(hasher, changed, stored)


def test_case_and_outer_spaces_matter(hasher):
    """Nothing is folded or trimmed."""
    stored = hasher.hash(PASSWORD)
    for other in (PASSWORD.upper(), f" {PASSWORD}", f"{PASSWORD} ", PASSWORD[:-1]):
        assert not _verify(hasher, other, stored)


def test_canonically_equal_forms_match(hasher):
    """NFC: the same text typed with combining marks or with composed letters is one password."""
    assert _verify(hasher, "re\u0301sume\u0301 of a kettle", hasher.hash("résumé of a kettle"))


@pytest.mark.parametrize(
    "hostile",
    ["", "\x00", "a\x00a", "\ud800", "x" * 1_000_000, "é" * 1_025, "\n", PASSWORD + "\x00", PASSWORD + "\ud800"],
)
def test_hostile_passwords_are_ordinary_wrong_ones(hasher, hostile):
    """NUL, lone surrogates, nothing and a megabyte never match and never raise."""
    for stored in (hasher.hash(PASSWORD), hasher.hash("a"), None):
        assert not _verify(hasher, hostile, stored)


def test_nothing_matches_an_unknown_user(hasher):
    """The dummy hash has no password."""
    assert not hasher.verify(PASSWORD, stored=None, pepper_id=None)
    assert not hasher.verify("", stored=None, pepper_id=None)


def test_every_verification_costs_one_bcrypt_of_the_same_cost(hasher, monkeypatch):
    """Unknown user, wrong password, too long a password and a foreign pepper all do the same work."""
    costs = []

    def counting(password, stored):
        costs.append(stored[:7])
        return False

    stored = hasher.hash(PASSWORD)
    monkeypatch.setattr(bcrypt, "checkpw", counting)
    hasher.verify(PASSWORD, stored=None, pepper_id=None)
    hasher.verify("wrong", stored=stored, pepper_id=hasher.pepper_id)
    hasher.verify("x" * 5_000, stored=stored, pepper_id=hasher.pepper_id)
    hasher.verify(PASSWORD, stored=stored, pepper_id="another")
    hasher.verify(PASSWORD, stored="damaged", pepper_id=hasher.pepper_id)
    assert costs == [b"$2b$04$"] * 5


def test_the_dummy_hash_takes_a_real_verification():
    """It is well-formed: bcrypt computes with it instead of raising at once."""
    for _ in range(20):
        assert bcrypt.checkpw(b"x", hashing._unmatched_hash(4).encode()) is False


def test_the_pepper_is_part_of_the_hash_and_its_id_is_noticed(hasher):
    """A stolen store is useless without the pepper, and a changed pepper never verifies."""
    other = PasswordHasher(pepper=b"q" * 32, cost=4)
    stored = hasher.hash(PASSWORD)
    assert other.pepper_id != hasher.pepper_id
    assert not _verify(other, PASSWORD, stored)
    assert not other.verify(PASSWORD, stored=stored, pepper_id=hasher.pepper_id)
    assert PEPPER.hex()[:16] != hasher.pepper_id


@pytest.mark.parametrize("damaged", ["", "plain", "$2b$04$abc", "hmac-sha384+bcrypt:", "hmac-sha384+bcrypt:$2b$99$x"])
def test_a_damaged_stored_hash_matches_nothing(hasher, damaged):
    """A malformed record is a wrong password, not an exception."""
    assert not _verify(hasher, PASSWORD, damaged)


def test_the_stored_form_names_its_algorithm(hasher):
    """A later algorithm can be told apart; two hashes of one password differ by their salt."""
    first, second = hasher.hash(PASSWORD), hasher.hash(PASSWORD)
    assert first.startswith("hmac-sha384+bcrypt:$2b$04$")
    assert first != second


def test_the_gate_bounds_what_runs_and_what_waits():
    """Two slots and one waiting place: the fourth is sent away at once, and a leaver lets the waiting one in."""
    gate = HashingGate(slots=2, max_waiting=1)
    inside, leave = threading.Semaphore(0), threading.Semaphore(0)

    def work():
        with gate.passing():
            inside.release()
            leave.acquire()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
        assert inside.acquire(timeout=5)
    waiting = threading.Thread(target=work)
    waiting.start()
    while gate._places.acquire(blocking=False):
        gate._places.release()
    with pytest.raises(SignInBusyError) as caught, gate.passing():
        pass
    assert caught.value.retryable
    assert not inside.acquire(blocking=False)
    leave.release(3)
    for worker in (*workers, waiting):
        worker.join(timeout=5)
    assert inside.acquire(timeout=5)


def test_the_gate_gives_up_after_its_longest_wait():
    """A slot that never comes free ends in "try again", and the place in the queue is given back."""
    gate = HashingGate(slots=1, max_waiting=1, max_wait_s=0.01)
    with gate.passing():
        for _ in range(3):
            with pytest.raises(SignInBusyError), gate.passing():
                pass
    with gate.passing():
        pass
