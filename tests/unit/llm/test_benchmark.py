import json

import pytest

from benchmarks.__main__ import main, names
from benchmarks.report import Report, Result, as_table, percentile


def test_the_output_is_one_json_object_and_nothing_else(capsys, monkeypatch, tmp_path):
    """With `--json` a benchmark prints exactly the agreed object, and many answers at once do not mix."""
    monkeypatch.chdir(tmp_path)
    assert main(["concurrent", "--generations", "5", "--words", "4", "--pause-ms", "0", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == ["benchmark", "machine", "parameters", "results"]
    assert printed["benchmark"] == "concurrent"
    assert printed["parameters"]["generations"] == 5
    values = {each["name"]: each["value"] for each in printed["results"]}
    assert values["errors"] == 0
    assert values["crosstalk"] == 0
    assert values["loop_block_max_ms"] >= 0
    assert all(set(each) == {"name", "value", "unit"} for each in printed["results"])


def test_a_turn_is_measured_whole_and_by_stage(capsys):
    """Every stage has a median and a 95th percentile, in the agreed form."""
    assert main(["turn", "--memories", "2", "--turns", "2", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["parameters"] == {"memories": 2, "turns": 2, "seed": 1}
    stages = ("allowance", "store", "remember", "recall", "dispatch", "other")
    wanted = ["overhead_p50_ms", "overhead_p95_ms", *(f"{p}_ms/{stage}" for p in ("p50", "p95") for stage in stages)]
    assert [each["name"] for each in printed["results"]] == wanted
    values = {each["name"]: each["value"] for each in printed["results"]}
    assert values["overhead_p95_ms"] >= values["overhead_p50_ms"] > 0
    assert values["p50_ms/remember"] > 0


def test_helpers_are_not_benchmarks():
    """Only modules that measure something can be named."""
    assert "concurrent" in names()
    assert not {"report", "__main__", "_echo_server"} & set(names())


def test_an_unknown_name_is_refused(capsys):
    """A name that is no benchmark ends with the names that are."""
    with pytest.raises(SystemExit):
        main(["nothing"])
    assert "concurrent" in capsys.readouterr().err


def test_the_table_names_every_number():
    """For people, each number stands with its name and unit."""
    table = as_table(Report(benchmark="b", parameters={"n": 1}, results=[Result(name="p95_ms", value=1.5, unit="ms")]))
    assert "p95_ms" in table
    assert "1.50 ms" in table


def test_percentiles_are_values_that_occurred():
    """A percentile is one of the measured values."""
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 0.99) == 1.0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)
