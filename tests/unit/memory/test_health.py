"""Looks through memories: what is found, what repairs do, and that they can be taken back."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from optimus.assembly import open_graph, open_shelf, open_upkeep
from optimus.memory_manager.health import MemoryHealth
from optimus.memory_manager.rules.derivation import derive
from optimus.models import Memory, MemoryId, MemoryStatus, MemoryType, Provenance, SourceKind, UserId, new_id
from optimus.preferences import PreferenceService
from optimus.storage.checkups import Checkup, Problem, Repair, RepairKind
from optimus.upkeep import LookJob, UpkeepService
from tests.unit.memory.conftest import World

Write = Callable[..., MemoryId]


@pytest.fixture
def kept(make_world: Callable[..., World]) -> World:
    """A user whose words the real rules read."""
    return make_world(derive=derive)


@pytest.fixture
def tended(kept: World) -> tuple[MemoryHealth, UpkeepService]:
    """Their health service and what tends it."""
    store = kept.store
    shelf = open_shelf(store, kept.embedder)
    preferences = PreferenceService(accounts=store.accounts, clock=kept.clock, audit=store.audit)
    return open_upkeep(store, shelf, kept.memory, open_graph(store, shelf), preferences, kept.clock)


@pytest.fixture
def health(tended: tuple[MemoryHealth, UpkeepService]) -> MemoryHealth:
    """Their health service."""
    return tended[0]


@pytest.fixture
def write(kept: World) -> Write:
    """Write a memory as it is, past the update phase."""

    def written(text: str, *, days_old: int = 0, **fields: object) -> MemoryId:
        at = kept.clock() - timedelta(days=days_old)
        usual = {"id": new_id(), "user_id": kept.owner, "text": text, "type": MemoryType.FACT, "recorded_at": at}
        memory = Memory.model_validate(usual | {"updated_at": at, "valid_from": at} | fields)
        kept.memory.adopt(kept.owner, [memory], {})
        return memory.id

    return written


def only(checkup: Checkup) -> Repair:
    """Return the one proposal."""
    (repair,) = checkup.repairs
    return repair


def standing(world: World, *ids: MemoryId) -> list[tuple[str, MemoryStatus, MemoryId | None, int, bool]]:
    """Return how memories stand, without their versions."""
    found = [world.stored(each) for each in ids]
    return [(m.text, m.status, m.superseded_by, m.confirmations, m.valid_to is None) for m in found]


def test_nothing_wrong_gives_nothing(health: MemoryHealth, kept: World, write: Write):
    """Different memories, close as they may be, are left alone; no memories at all are no problem."""
    assert health.look(kept.owner).repairs == ()
    assert health.look(kept.owner).rate(Problem.DUPLICATE) == 0
    write("My sister Maria lives in Porto", slot="relative.sister.maria.home")
    write("My sister Ana lives in Porto", slot="relative.sister.ana.home")
    write("I have 2 dogs")
    write("I have 3 cats")
    assert health.look(kept.owner).repairs == ()


def test_what_says_the_same_is_merged_and_taken_apart_again(health: MemoryHealth, kept: World, write: Write):
    """The one that was said most stays and takes over the others' mentions; Undo gives back what each had."""
    often = write("I like green tea a lot", confirmations=3, type=MemoryType.PREFERENCE)
    once = write("I like green tea", type=MemoryType.PREFERENCE)
    before = standing(kept, often, once)
    checkup = health.look(kept.owner)
    repair = only(checkup)
    assert (repair.problem, repair.kind, repair.keep, repair.targets) == (
        Problem.DUPLICATE, RepairKind.MERGE, often, (once,),
    )  # fmt: skip
    assert checkup.rate(Problem.DUPLICATE) == 0.5
    assert standing(kept, often, once) == before
    assert health.make(kept.owner, [repair.id]) == 1
    assert kept.facts() == ["I like green tea a lot"]
    assert kept.stored(often).confirmations == 4
    assert health.make(kept.owner, [repair.id]) == 0
    assert health.take_back(kept.owner, [repair.id]) == 1
    assert standing(kept, often, once) == before
    assert health.take_back(kept.owner, [repair.id]) == 0


def test_what_contradicts_is_replaced_by_the_newer(health: MemoryHealth, kept: World, write: Write):
    """Of two homes the later said one stays; Undo brings the older back."""
    old = write("I live in Lisbon", days_old=30, slot="home")
    new = write("I live in Porto", slot="home")
    before = standing(kept, old, new)
    repair = only(health.look(kept.owner))
    assert (repair.problem, repair.keep, repair.targets) == (Problem.CONTRADICTION, new, (old,))
    health.make(kept.owner, [repair.id])
    assert kept.stored(old).superseded_by == new
    assert kept.stored(old).valid_to == kept.stored(new).valid_from
    health.take_back(kept.owner, [repair.id])
    assert standing(kept, old, new) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [("I like coffee", "I don't like coffee"), ("Maria loves the old opera house", "Maria hates the old opera house")],
)
def test_a_denial_contradicts(health: MemoryHealth, kept: World, write: Write, one: str, other: str):
    """To like something and not to like it, or to hate it, cannot both be true."""
    old = write(one, days_old=3, type=MemoryType.PREFERENCE)
    new = write(other, type=MemoryType.PREFERENCE)
    repair = only(health.look(kept.owner))
    assert (repair.problem, repair.keep, repair.targets) == (Problem.CONTRADICTION, new, (old,))


@pytest.mark.parametrize(
    ("problem", "kind", "text", "fields"),
    [
        (Problem.UNSURE, RepairKind.DELETE, "I may like jazz", {"confidence": 0.3}),
        (Problem.STALE, RepairKind.ARCHIVE, "I use a blue pen", {"days_old": 400, "uses": 1}),
        (Problem.STALE, RepairKind.ARCHIVE, "I fly to Rome on 2025-11-03", {"days_old": 65}),
        (Problem.UNUSED, RepairKind.ARCHIVE, "I saw a heron", {"days_old": 100}),
    ],
)
def test_each_single_problem(health: MemoryHealth, kept: World, write: Write, problem, kind, text, fields):
    """A guess goes to the bin, what rests or is over is put away; Undo brings it back. Pinned ones are left alone."""
    memory_id = write(text, **fields, pinned=True)
    assert health.look(kept.owner).repairs == ()
    kept.memory.adopt(kept.owner, [kept.stored(memory_id).model_copy(update={"pinned": False})], {})
    repair = only(health.look(kept.owner))
    assert (repair.problem, repair.kind, repair.targets) == (problem, kind, (memory_id,))
    health.make(kept.owner, [repair.id])
    gone = {RepairKind.DELETE: MemoryStatus.DELETED, RepairKind.ARCHIVE: MemoryStatus.ARCHIVED}[kind]
    assert kept.stored(memory_id).status is gone
    assert memory_id not in {item.memory.id for item in kept.memory.recall(kept.owner, text)}
    health.take_back(kept.owner, [repair.id])
    assert kept.stored(memory_id).status is MemoryStatus.ACTIVE


def test_what_an_answer_repeats_and_what_keeps_coming_back_is_a_loop(health: MemoryHealth, kept: World, write: Write):
    """What a model saved that was known, and what is true again though it was deleted twice, belongs in the bin."""
    write("I like opera", slot="one")
    echo = write("I like opera", slot="two", provenance=Provenance(source=SourceKind.ASSISTANT))
    for _ in range(2):
        write("I like chess", status=MemoryStatus.DELETED)
    back = write("I like chess")
    found = health.look(kept.owner)
    assert found.counts[Problem.LOOPED] == 2
    assert back in {each.targets[0] for each in found.repairs if each.problem is Problem.LOOPED}
    assert echo in {key for each in found.repairs for key in (*each.targets, each.keep)}


def test_repairs_are_made_and_taken_back_together(health: MemoryHealth, kept: World, write: Write):
    """All at once with progress, after another look as well; what was changed since stays as it is."""
    ids = [write(f"I may like band number {number}", confidence=0.1) for number in range(5)]
    repairs = [each.id for each in health.look(kept.owner).repairs]
    told: list[tuple[int, int]] = []
    assert health.make(kept.owner, repairs, progress=lambda done, total: told.append((done, total))) == 5
    assert told[-1] == (5, 5)
    assert kept.facts() == []
    kept.memory.restore(kept.owner, ids[0])
    again = health.look(kept.owner)
    assert {each.id for each in again.repairs if each.made_at} == set(repairs)
    assert health.take_back(kept.owner, repairs) == 5
    assert len(kept.facts()) == 5
    assert kept.stored(ids[0]).version == 3


def test_what_is_ignored_is_not_proposed_again(health: MemoryHealth, kept: World, write: Write):
    """A proposal that was left out stays out after the next look."""
    write("I may like jazz", confidence=0.1)
    repair = only(health.look(kept.owner))
    health.ignore(kept.owner, [repair.id])
    assert health.last(kept.owner).repairs == ()  # type: ignore[union-attr]
    assert health.look(kept.owner).repairs == ()


def test_owners_are_apart(health: MemoryHealth, kept: World, write: Write):
    """Another user sees no look, and cannot make or take back somebody's repair."""
    write("I may like jazz", confidence=0.1)
    repair, other = only(health.look(kept.owner)), UserId(new_id())
    assert health.last(other) is None
    assert health.make(other, [repair.id]) == 0
    assert kept.facts() == ["I may like jazz"]


def test_the_bin_is_emptied_of_what_is_too_old(health: MemoryHealth, kept: World, write: Write):
    """What was deleted before a moment is gone for good, what came later or is no longer in the bin stays."""
    old, back = write("I like tea"), write("I like milk")
    for each in (old, back):
        kept.memory.forget(kept.owner, each)
    moment = kept.clock()
    late = write("I like wine")
    kept.memory.forget(kept.owner, late)
    kept.memory.restore(kept.owner, back)
    assert health.purge(kept.owner, before=moment) == 1
    assert kept.store.memories.get(kept.owner, [old]) == []
    assert kept.stored(late).status is MemoryStatus.DELETED
    assert kept.facts() == ["I like milk"]


def test_a_look_can_be_cancelled_and_leaves_the_one_before(tended, kept: World, write: Write):
    """A look tells how far it is; one that was stopped ends without a result and without an error."""
    health, upkeep = tended
    write("I may like jazz", confidence=0.1)
    first = upkeep.begin(kept.owner)
    assert first.wait(20)
    assert (first.share, first.error) == (1.0, "")
    found = health.last(kept.owner)
    job = LookJob()
    job.stop()
    upkeep._jobs[kept.owner] = job
    assert upkeep.begin(kept.owner) is job
    upkeep._look(kept.owner, job)
    assert job.is_over
    assert not job.error
    assert health.last(kept.owner) == found
