"""How much of a large corpus of secrets is kept out of memory, and how much of other text is harmed by that."""

from collections.abc import Iterator
from random import Random

import pytest

from optimus.errors import InvalidInputError
from optimus.memory_manager.episodes import NEIGHBOUR_CHARS
from optimus.memory_manager.parts import parts_of
from optimus.memory_manager.rules.derivation import derive
from tests.corpora.credentials import pem
from tests.corpora.plain_texts import plain_texts
from tests.corpora.secret_texts import SecretText, secret_texts

SECRETS = secret_texts()
PLAIN = plain_texts()
CAUGHT = 0.99
HARMED = 0.01


@pytest.fixture
def real_world(make_world):
    """One user without memories, and the rules of the product."""
    return make_world(derive=derive)


def kept_of(world, sample: SecretText) -> Iterator[str]:
    """Say the sample; yield every text that was embedded or stored for it, and what is searched by words."""
    world.embedder.forget()
    message = world.message(sample.text)
    world.memory.remember(world.owner, message)
    for texts in world.embedder.calls:
        yield from texts
    stored = world.episode(message.id)
    for memory in (stored, *world.memory.some(world.owner, stored.derived)):
        yield from (memory.text, *memory.entities, *(str(relation) for relation in memory.relations))


def test_the_corpora_are_large_and_stay_the_same():
    """There are at least 500 different texts on each side, and each run measures the same ones."""
    assert len({sample.text for sample in SECRETS}) >= 500
    assert len(set(PLAIN)) >= 500
    assert (secret_texts(), plain_texts()) == (SECRETS, PLAIN)


def test_secrets_are_neither_embedded_nor_stored(real_world):
    """Of at least 99 % of the messages with a secret, it reaches no vector, no episode and no derived memory."""
    leaks = [sample.text for sample in SECRETS if any(map(sample.leaks_in, kept_of(real_world, sample)))]
    assert len(leaks) <= (1 - CAUGHT) * len(SECRETS), leaks


def test_secrets_are_not_stored_by_hand(real_world):
    """A memory that the user writes themselves is refused where the mask sees a secret."""
    stored = []
    for sample in SECRETS:
        try:
            stored.append(real_world.memory.add(real_world.owner, sample.text))
        except InvalidInputError:
            continue
    assert len(stored) <= (1 - CAUGHT) * len(SECRETS)


def test_other_texts_are_stored_as_they_are(real_world):
    """At most 1 % of the messages without a secret lose anything."""
    harmed = []
    for text in PLAIN:
        message = real_world.message(text)
        real_world.memory.remember(real_world.owner, message)
        harmed += [text] if real_world.episode(message.id).text != text else []
    assert len(harmed) <= HARMED * len(PLAIN), harmed


def test_a_key_is_not_cut_by_what_is_kept_around_it(real_world):
    """A secret that begins just before the end of what counts as context does not stay as its first half."""
    sample = next(sample for sample in SECRETS if sample.kind == "key/anthropic")
    (secret,) = sample.secrets
    before = real_world.message("x" * (NEIGHBOUR_CHARS - 12) + " " + secret)
    real_world.memory.remember(real_world.owner, real_world.message("I like tea"), before=[before])
    assert not any(secret[:8] in text for texts in real_world.embedder.calls for text in texts)


def test_a_long_key_in_a_file_is_masked_before_the_file_is_cut():
    """A private key that is longer than a part of a file leaves nothing of itself in any part."""
    key, body = pem(Random(1), "RSA ", 48)
    for name in ("notes.txt", "notes.md"):
        parts = parts_of(name, f"My server\n\n{key}\n\nThat was it".encode())
        assert not any(line in part.text for part in parts for line in body)
        assert "That was it" in parts[-1].text
