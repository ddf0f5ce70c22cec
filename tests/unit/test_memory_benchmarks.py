import json
from datetime import UTC, datetime

import pytest

from benchmarks.__main__ import main
from benchmarks._baselines import Keywords, Meaning
from benchmarks._locomo import load, share
from tests.fakes.embedding import HashEmbedder
from tests.unit.locomo import conversation, written


def measured(capsys, *arguments: str) -> dict[str, float]:
    """Run a benchmark and return its numbers by name."""
    assert main([*arguments, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["benchmark"] == arguments[0]
    assert all(set(each) == {"name", "value", "unit"} for each in printed["results"])
    return {each["name"]: each["value"] for each in printed["results"]}


def test_retrieval_compares_all_systems_and_each_signal(capsys, tmp_path):
    """Every system has its figures in one run, over all and by conversation; leaving a signal out is a row, too."""
    path = written(tmp_path, conversation(1, sessions=1, turns=4), conversation(2, sessions=1, turns=4))
    values = measured(capsys, "retrieval", "--locomo", str(path))
    for system in ("optimus", "mem0", "bm25", "dense"):
        figures = [f"recall@{depth}/{system}" for depth in (5, 10, 20)] + [f"mrr/{system}"]
        figures += [f"recall@10/{system}/made-1", f"recall@20/{system}/made-2"]
        assert all(0 <= values[name] <= 1 for name in figures)
        assert 0 < values[f"p50_ms/{system}"] <= values[f"p95_ms/{system}"]
    assert values["recall@20/optimus"] > 0
    assert "recall@10/optimus-without-speaker" in values
    assert "p50_ms/optimus-without-speaker" not in values


def test_tokens_are_counted_on_both_sides(capsys, tmp_path):
    """The saving, the evidence, short histories and extraction have their figures, and of little nothing is missing."""
    path = written(tmp_path, conversation(3, sessions=1, turns=4))
    values = measured(capsys, "tokens", "--locomo", str(path))
    assert values["evidence_recall/short"] == 1.0
    assert values["evidence_recall/selective"] == 1.0
    assert {"prompt_saving", "prompt_saving/made-3"} <= set(values)
    assert values["memory_tokens/most"] <= 2_000
    assert 0 < values["extraction_token_ratio"] < 1


def test_recall_takes_some_time(capsys):
    """A filled store is asked as a chat asks, and the times come out."""
    values = measured(capsys, "recall", "--memories", "10", "--queries", "3")
    assert 0 < values["recall_p50_ms"] <= values["recall_p95_ms"]


def test_questions_without_evidence_are_not_asked(tmp_path):
    """Only questions that the conversation answers count; evidence is what is a turn of it."""
    made = conversation(1, sessions=1)
    made["qa"][0]["evidence"] = ["D1:2; D1:3", "D9:1"]
    (dialogue,) = load(written(tmp_path, made))
    assert [question.evidence for question in dialogue.questions] == [frozenset({"D1:2", "D1:3"})]
    assert dialogue.turns[0].text.endswith("[photo: a photo of two cups]")
    assert dialogue.turns[0].text.startswith("Ilse: ")
    assert dialogue.turns[1].at > dialogue.turns[0].at == datetime(2023, 5, 8, 13, 56, tzinfo=UTC)


@pytest.mark.parametrize("content", [{"qa": []}, [{"qa": []}], [{**conversation(1), "qa": []}]])
def test_a_file_of_another_form_is_refused(content, tmp_path):
    """What is no such file, or asks nothing, ends with a sentence and not with figures."""
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=r"other\.json"):
        load(path)


def test_the_share_counts_each_turn_once():
    """The share of the evidence does not grow with copies."""
    assert share([frozenset({"a"}), frozenset({"a", "c"})], {"a", "b"}) == 0.5
    assert share([], {"a"}) == 0.0


def test_the_baselines_find_what_matches():
    """Keywords rank rarer words higher, meaning the nearest vector."""
    turns = [("1", "the harbour is old"), ("2", "the harbour has a lighthouse"), ("3", "I like tea")]
    for baseline in (Keywords(), Meaning(HashEmbedder(64))):
        baseline.hear(turns)
        assert baseline.search("harbour lighthouse", 2)[0] == frozenset({"2"})
    assert Keywords().search("anything", 5) == []
