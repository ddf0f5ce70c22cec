from datetime import timedelta

import pytest

from optimus.memory_manager.ranking import LEG_LIMIT, normalise, setting_back
from optimus.models import Memory, MemoryId, MemoryStatus, MemoryType, MessageId, ScorePart, SourceKind, new_id
from optimus.storage.records import MemoryFilter
from tests.unit.memory.conftest import START

ANY = frozenset(MemoryStatus)


def adopted(world, text, **fields) -> Memory:
    """Store a memory with certain fields and return it."""
    source = world.tell("I keep a boat") if not world.facts() else None
    known = world.stored(source.memory_id) if source else world.memory.list(world.owner).items[0]
    made: Memory = known.model_copy(update={"id": MemoryId(new_id()), "text": text, "sources": ()} | fields)
    world.memory.adopt(world.owner, [made], {})
    return made


def found(world, query, **which) -> list[str]:
    """Return the texts that a query recalls."""
    return [item.memory.text for item in world.memory.recall(world.owner, query, **which)]


def texts_of(world, leg) -> set[str]:
    """Return the texts of what one search found."""
    return {memory.text for memory in world.memory._shelf.index.get(world.owner, list(leg))}


@pytest.mark.parametrize(
    ("where", "fields"),
    [
        ({"types": frozenset({MemoryType.NOTE})}, {"type": MemoryType.NOTE}),
        ({"min_importance": 0.8}, {"importance": 0.9}),
        ({"statuses": frozenset({MemoryStatus.ARCHIVED})}, {"status": MemoryStatus.ARCHIVED}),
        ({"since": START + timedelta(days=1)}, {"recorded_at": START + timedelta(days=2)}),
        ({"until": START - timedelta(days=1)}, {"recorded_at": START - timedelta(days=2)}),
    ],
)
def test_recall_keeps_to_a_filter(world, where, fields):
    """Kind, importance, status and dates narrow down what is recalled."""
    adopted(world, "The red kayak is in Ghent")
    wanted = adopted(world, "The red kayak is in Oslo", **fields)
    assert found(world, "red kayak", where=MemoryFilter(**where)) == [wanted.text]


def test_recall_keeps_to_a_source(world):
    """What was imported can be asked for alone."""
    adopted(world, "The red kayak is in Ghent")
    known = adopted(world, "The red kayak is in Porto")
    imported = known.provenance.model_copy(update={"source": SourceKind.IMPORT})
    adopted(world, "The red kayak is in Oslo", provenance=imported)
    only = MemoryFilter(sources=frozenset({SourceKind.IMPORT}))
    assert found(world, "red kayak", where=only) == ["The red kayak is in Oslo"]


def test_recall_keeps_to_whom_it_is_about(world):
    """Only memories that name the wanted person are returned, however they spell the name's letters."""
    adopted(world, "The red kayak is Ilse's", entities=("Ilse",))
    adopted(world, "The red kayak is Bruno's", entities=("Bruno",))
    assert found(world, "red kayak", about="ilse") == ["The red kayak is Ilse's"]


def test_what_was_replaced_comes_last(world):
    """Where replaced memories are asked for, what is true now stands before them."""
    adopted(world, "The red kayak is in Ghent, red kayak", status=MemoryStatus.SUPERSEDED)
    adopted(world, "The red kayak is in Oslo")
    both = MemoryFilter(statuses=frozenset({MemoryStatus.ACTIVE, MemoryStatus.SUPERSEDED}))
    assert found(world, "red kayak Ghent", where=both)[0] == "The red kayak is in Oslo"
    assert len(found(world, "red kayak Ghent", where=both)) == 2


@pytest.mark.parametrize(("count", "others"), [(2, 10), (5, 0), (2 * LEG_LIMIT, 0)])
@pytest.mark.parametrize("status", [MemoryStatus.DELETED, MemoryStatus.QUARANTINED, MemoryStatus.SUPERSEDED])
def test_however_much_is_hidden_what_is_true_is_found(world, status, count, others):
    """Forgotten, withheld and replaced memories neither come back nor keep out those that are less alike."""
    wanted = adopted(world, "The old kayak needs paint")
    known = [wanted.text, *(adopted(world, f"My kayak trip to lake {number}").text for number in range(others))]
    fields = {"status": status, "sources": ()}
    hidden = [
        wanted.model_copy(update=fields | {"id": MemoryId(new_id()), "text": f"The red kayak {number}"})
        for number in range(count)
    ]
    world.memory.adopt(world.owner, hidden, {})
    assert set(found(world, "red kayak")) == set(known)


def test_what_is_refused_sets_no_measure():
    """The best of a search counts as one without what is not wanted, and the lowest of a full one still as nothing."""
    full = {MemoryId(str(number)): 0.1 + number / 1000 for number in range(LEG_LIMIT)}
    best = MemoryId(str(LEG_LIMIT - 1))
    left = setting_back({ScorePart.DENSE: full}, {best})[ScorePart.DENSE]
    shares = normalise(left)
    assert shares[MemoryId(str(LEG_LIMIT - 2))] == 1.0
    assert (shares[best], shares[MemoryId("0")]) == (0.0, 0.0)


def test_a_day_is_answered_from_what_was_known_then(world):
    """As of a moment there is what was taken for true then, in the words of then, and nothing later."""
    before = world.clock()
    made = world.memory.add(world.owner, "The red kayak is in Ghent")
    then = world.clock()
    world.memory.edit(world.owner, made.id, "The red kayak is in Oslo", expected_version=1)
    assert found(world, "red kayak", as_of=before) == []
    assert found(world, "red kayak", as_of=then) == ["The red kayak is in Ghent"]
    assert found(world, "red kayak", as_of=world.clock()) == ["The red kayak is in Oslo"]


def test_what_was_replaced_since_was_true_then(world):
    """A fact that another replaced is the answer for the time before, and only for that."""
    world.tell("I live in Ghent", slot="home")
    then = world.clock()
    world.tell("I live in Oslo", slot="home")
    facts = MemoryFilter(types=frozenset({MemoryType.FACT}))
    assert found(world, "where do I live", as_of=then, where=facts) == ["I live in Ghent"]
    assert found(world, "where do I live", as_of=world.clock(), where=facts) == ["I live in Oslo"]


def test_the_past_does_not_bring_back_what_was_forgotten(world):
    """Forgetting holds for every time."""
    made = world.memory.add(world.owner, "The red kayak is in Ghent")
    then = world.clock()
    world.memory.forget(world.owner, made.id)
    assert found(world, "red kayak", as_of=then) == []


def test_a_message_is_found_by_what_followed(world):
    """Once the next messages are there, their words and meaning are part of a message's surroundings."""
    first = world.message("guess what I bought yesterday")
    world.memory.remember(world.owner, first)
    assert found(world, "submarine") == []
    second = world.message("a yellow submarine of course")
    world.memory.remember(world.owner, second, before=[first])
    legs = world.memory._shelf.search(world.owner, "submarine", MemoryFilter(), limit=10)
    assert first.text in texts_of(world, legs[ScorePart.KEYWORD_CONTEXT])
    assert first.text not in texts_of(world, legs[ScorePart.KEYWORD])
    third, fourth = world.message("it dives a mile"), world.message("and smells of periscope oil")
    world.memory.remember(world.owner, third, before=[first, second])
    world.memory.remember(world.owner, fourth, before=[first, second, third])
    legs = world.memory._shelf.search(world.owner, "periscope", MemoryFilter(), limit=10)
    around = texts_of(world, legs[ScorePart.KEYWORD_CONTEXT])
    assert around == {second.text, third.text, fourth.text}


def test_of_others_nothing_becomes_surroundings(world):
    """What followed in a chat of somebody else's changes no memory of theirs, and none is made."""
    foreign = world.message("guess what", owner=type(world.owner)(new_id()))
    world.memory.remember(world.owner, world.message("a yellow submarine"), before=[foreign])
    assert world.memory.list(foreign.user_id, where=MemoryFilter(statuses=ANY)).total == 0


def test_all_there_is_comes_only_while_it_is_little(world):
    """Everything true is returned, messages first and without the one being answered; nothing where it is more."""
    message = world.message("What about kayaks?", message_id=MessageId(new_id()))
    world.tell("I live in Ghent")
    world.memory.remember(world.owner, message)
    known = world.memory.all_within(world.owner, 100, exclude_message=message.id)
    assert known is not None
    assert [memory.type for memory in known] == [MemoryType.CONVERSATION, MemoryType.FACT]
    assert world.memory.all_within(world.owner, 10) is None


def test_copies_do_not_push_out_what_else_bears_on_it(world):
    """Where the best matches say the same, more is read until there is enough."""
    for number in range(5):
        adopted(world, f"{'!' * number}The red kayak is in Ghent")
    other = adopted(world, "The kayak of my brother is somewhere else")
    assert found(world, "where is the red kayak", limit=2)[1:] == [other.text]
