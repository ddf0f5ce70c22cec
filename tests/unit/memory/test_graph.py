"""People and things: named, merged, withdrawn and brought back with the memories that name them."""

from collections.abc import Callable

import pytest

from optimus.assembly import open_graph, open_shelf
from optimus.errors import NotFoundError
from optimus.memory_manager.graph import MemoryGraph, Neighbourhood
from optimus.memory_manager.rules.derivation import derive
from optimus.models import ChangeKind, MemoryId, Relation, UserId, new_id
from optimus.storage.graph import EntityType
from optimus.storage.sealing import TAG
from optimus.storage.tenancy import acting_as
from tests.unit.memory.conftest import World

MARIA, JOB, DANISH, PORTO = (
    "My sister Maria lives in Porto",
    "My sister works at Siemens",
    "Maria is learning Danish",
    "I was in Porto on 2025-06-01",
)


@pytest.fixture
def people(make_world: Callable[..., World]) -> World:
    """A user whose words the real rules read."""
    return make_world(derive=derive)


@pytest.fixture
def graph(people: World) -> MemoryGraph:
    """Their graph."""
    return open_graph(people.store, open_shelf(people.store, people.embedder))


def add(world: World, *texts: str) -> list[MemoryId]:
    """Write memories by hand."""
    return [world.memory.add(world.owner, text).id for text in texts]


def around(graph: MemoryGraph, world: World, name: str) -> set[str]:
    """Return the memories that name somebody."""
    found = graph.neighbourhood(world.owner, name)
    return {memory.text for memory in found.memories} if found else set()


def stated(found: Neighbourhood | None) -> list[tuple[str, str, str, bool]]:
    """Return relations with whether they are true now."""
    relations = found.relations if found else ()
    return [(r.relation.subject, r.relation.predicate, r.relation.object, r.until is None) for r in relations]


def test_names_of_one_person_are_one(people: World, graph: MemoryGraph):
    """`my sister Maria`, `my sister` and `Maria` mean the same, whichever is asked for, with kind and other names."""
    add(people, MARIA, JOB, DANISH, PORTO)
    for name in ("Maria", "maria", "my sister", "My sister"):
        assert around(graph, people, name) == {MARIA, JOB, DANISH}
    found = graph.neighbourhood(people.owner, "my sister")
    assert found
    assert (found.entity.name, found.entity.type, found.entity.aliases) == ("Maria", EntityType.PERSON, ("my sister",))
    assert ("Maria", "lives in", "Porto", True) in stated(found)
    assert ("my sister", "works at", "Siemens", True) in stated(found)
    assert "Porto" in found.neighbours
    listed = {entity.name: count for entity, count in graph.entities(people.owner)}
    assert listed["Porto"] == 2
    assert "my sister" not in listed


def test_two_who_could_be_meant_stay_two(people: World, graph: MemoryGraph):
    """With two sisters, `my sister` alone is neither; forgetting one of them makes it the other."""
    add(people, MARIA, JOB)
    (ana,) = add(people, "I have a sister called Ana")
    assert around(graph, people, "Maria") == {MARIA}
    assert around(graph, people, "Ana") == {"I have a sister called Ana"}
    people.memory.forget(people.owner, ana)
    assert around(graph, people, "Maria") == {MARIA, JOB}


def test_a_first_name_is_the_full_name_as_long_as_nobody_else_has_it(people: World, graph: MemoryGraph):
    """`Maria` is `Maria Silva` until there is a `Maria Costa`."""
    add(people, "My sister Maria Silva lives in Porto", DANISH)
    assert DANISH in around(graph, people, "Maria Silva")
    add(people, "My boss Maria Costa lives in Faro")
    assert DANISH not in around(graph, people, "Maria Silva")


def test_related_memories_come_by_what_is_named(people: World, graph: MemoryGraph):
    """What names the same comes first, then what names what a related memory tells of; nothing else comes."""
    maria, job, danish, porto = add(people, MARIA, JOB, DANISH, PORTO)
    add(people, "I like tea")
    found = graph.related(people.owner, danish)
    assert [each.memory.id for each in found][-1] == porto
    assert {each.memory.id for each in found} == {maria, job, porto}
    assert found[0].through == ("Maria",)
    with pytest.raises(NotFoundError):
        graph.related(UserId(new_id()), danish)


def test_the_graph_follows_the_memories(people: World, graph: MemoryGraph):
    """Forgetting, editing, replacing and undoing withdraw what only that memory named, and bring it back."""
    maria, _ = add(people, MARIA, DANISH)
    people.memory.forget(people.owner, maria)
    assert graph.neighbourhood(people.owner, "Porto") is None
    assert "Porto" not in {entity.name for entity, _ in graph.entities(people.owner)}
    people.memory.restore(people.owner, maria)
    assert around(graph, people, "Porto") == {MARIA}
    version = people.stored(maria).version
    people.memory.edit(people.owner, maria, "My sister Maria lives in Faro", expected_version=version)
    assert graph.neighbourhood(people.owner, "Porto") is None
    (change,) = people.say("My sister Maria moved to Braga")
    assert change.kind is ChangeKind.SUPERSEDE
    assert ("Maria", "lives in", "Faro", False) in stated(graph.neighbourhood(people.owner, "Faro"))
    assert around(graph, people, "Faro") == set()
    people.memory.undo(people.owner, change)
    assert ("Maria", "lives in", "Faro", True) in stated(graph.neighbourhood(people.owner, "Faro"))
    assert graph.neighbourhood(people.owner, "Braga") is None


def test_a_graph_is_the_same_after_a_restart(people: World, graph: MemoryGraph):
    """What was written while nobody looked is read at the first look, and what was read is not read again."""
    add(people, MARIA, DANISH)
    assert graph.bring_up(people.owner) == 2
    (gone,) = add(people, PORTO)
    people.memory.forget(people.owner, gone)
    another = open_graph(people.store, open_shelf(people.store, people.embedder))
    assert another.bring_up(people.owner) == 0
    add(people, JOB)
    third = open_graph(people.store, open_shelf(people.store, people.embedder))
    assert third.bring_up(people.owner) == 1
    assert around(third, people, "Maria") == {MARIA, DANISH, JOB}


def test_what_a_model_stated_is_in_the_graph_and_goes_with_the_wording(people: World, graph: MemoryGraph):
    """Stored relations count beside what the rules read; another wording drops them."""
    (memory_id,) = add(people, "Rui sold me his old bike")
    stored = people.stored(memory_id)
    told = Relation(subject="Rui", predicate="sold", object="bike")
    people.memory.adopt(people.owner, [stored.model_copy(update={"relations": (told,)})], {})
    assert ("Rui", "sold", "bike", True) in stated(graph.neighbourhood(people.owner, "Rui"))
    edited = people.memory.edit(people.owner, memory_id, "Rui has a bike", expected_version=stored.version)
    assert edited.relations == ()


def test_names_are_sealed_and_owners_apart(people: World, graph: MemoryGraph):
    """What the engine holds of a graph shows no name; another user's names are not found."""
    add(people, MARIA)
    graph.bring_up(people.owner)
    other = UserId(new_id())
    assert graph.neighbourhood(other, "Maria") is None
    assert graph.entities(other) == ()
    with acting_as(people.owner):
        records, _ = people.store.raw.scroll(people.store.names.relations, limit=100, with_payload=True)
    held = str([record.payload for record in records])
    assert TAG in held
    assert not {"Maria", "Porto", "sister"} & {word for word in ("Maria", "Porto", "sister") if word in held}
