"""What of a message its writer says of their own."""

from typing import Any

import pytest

from optimus.memory_manager.own_words import is_about_nothing, own_words, speaks_of_self
from tests.fakes.providers import running_provider
from tests.unit.llm.test_extraction import entry, written
from tests.world import World


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('A guest wrote: "I live in Munich and I am angry." What now?', ""),
        ('My favourite book is "Dune".', 'My favourite book is "Dune".'),
        ("Would being vegan be healthier?", ""),
        ("Is that safe? I'm allergic to nuts.", "I'm allergic to nuts."),
        ("What if I moved to Oslo? I live in Kiel.", "I live in Kiel."),
        ("Translate into French: we ship on Monday", "Translate into French:"),
        ("Ich überlege, ob ich ein Boot kaufe.", ""),
        ("You said I like cats, where is that from? I like dogs.", "I like dogs."),
        ("You told me to rest, so I stayed at home.", "You told me to rest, so I stayed at home."),
        ("E se eu mudasse para o Porto?", ""),
        ("A minha irmã casou e se mudou para Lisboa.", "A minha irmã casou e se mudou para Lisboa."),
    ],
)
def test_only_what_the_writer_states_is_their_own(text, kept):
    """Quoted words, questions about others, what-ifs and texts to work on carry no finding."""
    assert own_words(text) == kept


def test_talk_about_the_talk_and_moods_are_nothing():
    """That the user says hello, or is tired today, is not worth keeping; that they sleep badly is."""
    assert is_about_nothing("The user says thanks")
    assert is_about_nothing("Ich bin heute müde")
    assert not is_about_nothing("The user lives in Leeds")
    assert not is_about_nothing("I am tired of Leeds")


@pytest.mark.parametrize(
    ("text", "is_of_self"),
    [
        ("Compare two kinds of tents.", False),
        ("A neighbour bought a tent. People!", False),
        ("How do I fold a tent?", False),
        ("I bought a tent.", True),
        ("How do I fold a tent? Mine is new.", True),
        ("Mein Zelt ist neu.", True),
    ],
)
def test_requests_and_tales_of_others_do_not_speak_of_the_writer(text, is_of_self):
    """Only what is said of oneself, outside of questions, does."""
    assert speaks_of_self(own_words(text)) is is_of_self


@pytest.mark.parametrize(
    ("before", "text", "finding", "is_kept"),
    [
        ("Hello", "Rufus, our beagle, sleeps in Porto", "Rufus sleeps in Porto", True),
        ("Hello", 'My guest said: "Rufus the beagle sleeps in Porto." Rude?', "Rufus sleeps in Porto", False),
        ('She wrote "the beagle sleeps all day in Porto"', "Rufus again!", "Rufus the beagle sleeps in Porto", False),
        ("Hello", "I am tired", "I am tired", False),
    ],
)
def test_a_finding_stands_on_the_writers_own_words(world: World, before, text, finding, is_kept):
    """What a model takes from a quotation, in the message or before it, or from a mood, does not become a memory."""
    assert kept_of(world, before, text, entry(finding)) == ([finding] if is_kept else [])


@pytest.mark.parametrize(("confidence", "is_kept"), [(0.5, False), (0.7, True)])
def test_a_guess_from_a_request_is_not_kept(world: World, confidence, is_kept):
    """Of a message that does not speak of its writer, a model has to be surer."""
    finding = "Tents for the mountains are needed"
    found = kept_of(
        world, "Hello", "Compare two kinds of tents for the mountains.", entry(finding, confidence=confidence)
    )
    assert found == ([finding] if is_kept else [])


def kept_of(world: World, before: str, text: str, found: dict[str, Any]) -> list[str]:
    """Say two messages, let a model find something in the second, and return what was kept of it."""
    with running_provider() as provider:
        provider.answer = lambda request: "Hello." if request.body.get("stream") else written(found)
        connections = world.services.connections
        connections.connect(world.principal, provider="compatible", base_url=f"{provider.url}/v1", key="")
        conversation, _, _ = world.say(before)
        world.say(text, conversation=conversation, choice=connections.newest(world.owner, "compatible"))
        assert world.services.extraction.run_due() == 1
        assert [request for request in provider.bodies() if not request.body.get("stream")]
    memories = world.services.memory.list(world.owner).items
    return [each.text for each in memories if each.provenance.extractor.startswith("compatible")]
