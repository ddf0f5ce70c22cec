"""The benchmark of hygiene: its figures rise with the fault that they count, and a life is checked before it is led."""

import json

import pytest

from benchmarks._hygiene_score import KINDS, Score
from benchmarks._life import Life, load
from benchmarks._life_maker import made, written
from benchmarks.hygiene import SHIPPED
from tests.unit.test_memory_benchmarks import measured

FACTS = {
    "home.kiel": {"says": ["live*|wohne, kiel"]},
    "home.oslo": {"says": ["live*|wohne, oslo"]},
    "food.olives": {"says": ["!like*|mag, olives|oliven"]},
    "food.cake": {"says": ["like*, cake"], "need": "may"},
}
FIRST = {"at": "2025-01-01T08:00:00+01:00", "zone": "Europe/Berlin", "chat": "1", "text": "I live in Kiel."}
SECOND = FIRST | {"at": "2025-01-02T08:00:00+01:00", "text": "I live in Oslo and don't like olives."}
GOOD = {
    "about": "somebody",
    "facts": FACTS,
    "messages": [
        FIRST | {"gains": ["home.kiel"], "findings": [{"text": "I live in Kiel"}]},
        SECOND | {"gains": ["home.oslo", "food.olives"], "ends": ["home.kiel"]},
    ],
}


def rates(*states: list[str]) -> dict[str, float]:
    """Return the rates of the small life with these memories after each message."""
    life = Life.model_validate(GOOD)
    score = Score(life=life)
    for said, memories in zip(life.messages, states, strict=True):
        score.note(said, memories)
    return {result.name: result.value for result in score.results()}


CLEAN = ["I live in Oslo", "Ich mag keine Oliven"]


def test_a_clean_memory_has_no_faults():
    """What the gold state asks for, in any accepted words and denied where it is denied, is no fault."""
    assert set(rates(["I live in Kiel"], CLEAN).values()) == {0.0}


@pytest.mark.parametrize(
    ("kind", "memories", "rate"),
    [
        ("duplicate", [*CLEAN, "Ich wohne in Oslo"], 1 / 4),
        ("contradiction", [*CLEAN, "I live in Kiel"], 1 / 4),
        ("contradiction", [*CLEAN, "I like olives"], 1 / 4),
        ("junk", [*CLEAN, "The sky is blue"], 1 / 4),
        ("lost", ["I live in Oslo"], 1 / 3),
    ],
)
def test_each_rate_rises_with_its_fault_alone(kind, memories, rate):
    """One fault of a kind gives the share that the definition says, and leaves the other three at nothing."""
    found = rates(["I live in Kiel"], memories)
    assert found == {f"{each}_rate": rate if each == kind else 0.0 for each in KINDS}


def test_a_fault_counts_as_long_as_it_stands():
    """What was mended before the end has been there, and the end of a fact is neither junk nor a contradiction."""
    assert rates(["I live in Kiel", "The sky is blue"], CLEAN)["junk_rate"] == 1 / 4
    assert set(rates(["I live in Kiel"], [*CLEAN, "I don't live in Kiel"]).values()) == {0.0}
    assert rates(["I live in Kiel"], [*CLEAN, "I moved from Kiel, I live in Oslo"])["contradiction_rate"] == 0.0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"facts": FACTS | {"x": {"says": [","]}}}, "names nothing"),
        ({"messages": [SECOND, FIRST]}, "message 2 was written before"),
        ({"messages": [FIRST | {"gains": ["home.rome"]}]}, "unknown fact: home.rome"),
        ({"messages": [FIRST | {"ends": ["home.kiel"]}]}, "ends what is not true"),
        ({"messages": [FIRST | {"findings": [{"text": "x", "decision": "skip"}]}]}, "without naming it"),
        ({"messages": [FIRST | {"zone": "Mars/Base"}]}, "no time zone"),
        ({"messages": []}, "messages"),
    ],
)
def test_a_life_that_cannot_be_is_refused(change, fault, tmp_path):
    """What is not of the form, or contradicts itself, ends with a sentence that says where."""
    path = tmp_path / "life.json"
    path.write_text(json.dumps(GOOD | change), encoding="utf-8")
    with pytest.raises(ValueError, match=fault):
        load(path)


def test_the_shipped_life_is_what_the_seed_makes():
    """The life in the tree has 500 messages in three languages and several zones, and can be made again."""
    life = load(SHIPPED)
    assert len(life.messages) == 500
    assert {said.language for said in life.messages} == {"en", "de", "pt"}
    assert len({said.zone for said in life.messages}) >= 3
    assert written(made("harbour", 1, 500)) == SHIPPED.read_text(encoding="utf-8")


def test_all_sides_are_measured_in_one_run(capsys, tmp_path):
    """Optimus with the scripted model, by rules and Mem0 have all four rates, and each side heard the life."""
    path = tmp_path / "life.json"
    path.write_text(json.dumps(GOOD), encoding="utf-8")
    values = measured(capsys, "hygiene", "--life", str(path))
    assert {f"{kind}_rate{side}" for kind in KINDS for side in ("", "/rules", "/mem0")} <= set(values)
    assert values["lost_rate/rules"] == 0.0
    assert values["lost_rate/mem0"] == pytest.approx(2 / 3, abs=1e-4)
    assert values["memories/mem0"] == 1.0
