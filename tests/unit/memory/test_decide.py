from typing import Any

import pytest

from optimus.memory_manager.decide import Known, decide, decide_forgetting
from optimus.memory_manager.rules.candidate import Candidate, CandidateKind
from optimus.models import ChangeKind, Memory, MemoryId, MemoryType, UserId, new_id
from optimus.storage.bm25 import Bm25Encoder
from tests.unit.memory.conftest import START

_ENCODER = Bm25Encoder()


def stems(text: str) -> frozenset[int]:
    """Return the content words of a text."""
    return frozenset(_ENCODER.encode_document(text).indices)


def known(text: str, *, slot: str | None = None, closeness: float = 0.0, kind: MemoryType = MemoryType.FACT) -> Known:
    """Return a known memory."""
    memory = Memory(
        id=MemoryId(new_id()),
        user_id=UserId(new_id()),
        text=text,
        type=kind,
        slot=slot,
        recorded_at=START,
        updated_at=START,
        valid_from=START,
    )
    return Known(memory=memory, closeness=closeness)


def said(text: str, **fields: Any) -> Candidate:
    """Return a candidate."""
    return Candidate(**{"text": text, "type": MemoryType.FACT, **fields})


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (known("I am allergic to peanuts"), said("I'm allergic to peanuts."), ChangeKind.MERGE),
        (known("I paint"), said("I paint watercolours"), ChangeKind.MERGE),
        (known("I paint watercolours"), said("I paint"), ChangeKind.MERGE),
        (known("My sister Maria is a nurse"), said("My sister Marta is a nurse"), ChangeKind.ADD),
        (known("I ran 5 km"), said("I ran 6 km"), ChangeKind.ADD),
        (known("I paint", kind=MemoryType.PREFERENCE), said("I paint watercolours"), ChangeKind.ADD),
        (known("I live in Lisbon", slot="home"), said("I live in Porto", slot="home"), ChangeKind.SUPERSEDE),
        (known("I live in Lisbon", slot="home"), said("I live in Lisbon, Portugal", slot="home"), ChangeKind.MERGE),
        (known("I live in Lisbon", slot="home"), said("I like Lisbon", slot="like.1"), ChangeKind.ADD),
        (known("I'm 30 years old", slot="age"), said("I'm 31 years old", slot="age"), ChangeKind.SUPERSEDE),
        (known("I drink coffee"), said("I don't drink coffee"), ChangeKind.SUPERSEDE),
        (known("I take coffee with sugar"), said("I take coffee without sugar"), ChangeKind.SUPERSEDE),
        (known("I'm vegetarian"), said("I eat fish again", negates="I'm vegetarian"), ChangeKind.SUPERSEDE),
        (known("I'm not vegetarian"), said("I eat fish again", negates="I'm vegetarian"), ChangeKind.ADD),
        (known("Her name is Ana", closeness=0.8), said("Her name is Eva", corrects=True), ChangeKind.SUPERSEDE),
        (known("Her name is Ana", closeness=0.4), said("The boat is Eva", corrects=True), ChangeKind.ADD),
    ],
    ids=lambda value: getattr(value, "text", None) or getattr(getattr(value, "memory", value), "text", str(value)),
)
def test_a_statement_is_decided_by_rules(old, new, kind):
    """Same words merge, another answer or the opposite replaces, and anything doubtful is simply added."""
    assert decide(new, [old], stems=stems).kind is kind


def test_a_merge_keeps_the_richer_wording():
    """Whoever said more is kept, in either order; of equals the older wording stays."""
    for old, new in (("I paint", "I paint watercolours"), ("I paint watercolours", "I paint")):
        assert decide(said(new), [known(old)], stems=stems).text == "I paint watercolours"
    assert decide(said("I am tall"), [known("I'm tall")], stems=stems).text == "I'm tall"


def test_the_same_words_win_over_a_correction():
    """Saying a current fact once more never replaces it by itself."""
    old = known("I live in Porto", slot="home")
    decision = decide(said("I live in Porto", slot="home", corrects=True), [old], stems=stems)
    assert (decision.kind, decision.targets) == (ChangeKind.MERGE, (old.memory,))


def test_all_answers_to_one_question_are_replaced():
    """Where a slot holds two memories by accident, the new answer ends both."""
    olds = [known("I live in Lisbon", slot="home"), known("I live in Faro", slot="home")]
    decision = decide(said("I live in Porto", slot="home"), olds, stems=stems)
    assert set(decision.targets) == {old.memory for old in olds}


@pytest.mark.parametrize(
    ("text", "slot", "expected"),
    [
        ("I live in Lisbon", None, ["I live in Lisbon"]),
        ("my home", "home", ["I live in Lisbon"]),
        ("dog", None, ["My dog is Rex"]),
        ("my pet", None, ["My dog is Rex"]),
        ("my boat", None, []),
    ],
)
def test_forgetting_means_what_says_it_or_the_one_nearest_thing(text, slot, expected):
    """A sentence, a slot or a name picks what says it; else the nearest memory, if it is near enough."""
    items = [
        known("I live in Lisbon", slot="home", closeness=0.2),
        known("My dog is Rex", closeness=0.6 if text == "my pet" else 0.1),
    ]
    candidate = said(text, kind=CandidateKind.FORGET, slot=slot)
    decision = decide_forgetting(candidate, items, stems=stems)
    assert [memory.text for memory in decision.targets] == expected
    assert decision.kind is (ChangeKind.FORGET if expected else ChangeKind.SKIP)
