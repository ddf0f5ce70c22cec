"""The benchmarks that drive the running application, with amounts so small that only their working is tested."""

import json

import pytest

from benchmarks import durability, load
from benchmarks.__main__ import main

TINY = ["--sessions", "2", "--memories", "3", "--conversations", "2", "--events", "5", "--reruns", "1"]


def test_load_draws_each_page_again(capsys):
    """Two sessions open each page and draw it again without an error; every figure is reported."""
    assert main(["load", "--json", *TINY, "--think-s", "0"]) == 0
    results = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert results.pop("errors") == 0
    assert results.keys() == {"rerun_p50_ms", "rerun_p95_ms", *(f"rerun_p95_ms/{page}" for page in load.PAGES)}


def test_what_killed_processes_had_acknowledged_is_there(capsys):
    """Two kills amid eight writers: nothing lost, nothing back, every start opens; the figures are reported."""
    assert main(["durability", "--json", "--cycles", "2"]) == 0
    results = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert results.pop("acknowledged") > 0
    assert results == {"cycles": 2, "lost": 0, "resurrected": 0, "load_failures": 0}


def test_a_lost_and_a_resurrected_write_are_counted():
    """An acknowledged write that is gone, an older state, and a deleted record that is back each count."""
    book = durability.Book()
    for each in ("kept", "gone", "old", "open"):
        book.note("done", each, "1")
    book.note("done", "old", "2")
    book.note("done", "deleted", "-")
    book.note("begin", "open", "2")
    found = {"kept": "1", "old": "1", "open": "2", "deleted": "1"}
    assert book.compare(found) == (2, 1)
    assert book.compare(found) == (0, 0)


class Drifting:
    """A page that draws something else the next time, or fails."""

    def __init__(self, outcome: str | Exception) -> None:
        self._outcome = outcome

    def rerun(self) -> str:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


@pytest.mark.parametrize("outcome", ["Another page", RuntimeError("failed")])
def test_a_rerun_that_draws_something_else_is_an_error(outcome):
    """What a run draws is compared with the page that was opened, so that a failed page is never a fast one."""
    assert not load._drawn_again(Drifting(outcome), "The page")  # type: ignore[arg-type]
