"""The benchmarks that drive the running application, with amounts so small that only their working is tested."""

import json
from argparse import Namespace
from threading import Event
from unittest.mock import Mock

import pytest

from benchmarks import durability, load, soak
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
    assert results == {"cycles": 2, "lost": 0, "resurrected": 0, "half_written": 0, "load_failures": 0}


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


def test_a_half_written_record_is_counted():
    """A record without one of its vectors, and one that an index does not know, are each told by the next process."""
    lines = ["have a half\n", "have b 1\n", "count -2\n", "count 0\n", "ready\n"]
    count = durability.Count()
    process = Mock(spec_set=durability.Process, **{"live.return_value": lines})
    durability._cycle(process, durability.Book(settled={"a": "1", "b": "1"}), count, None)
    assert (count.half_written, count.lost) == (3, 1)


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


def test_browsers_at_work_meet_no_error(capsys):
    """Two browsers draw pages and talk for some seconds without an error; every figure is reported."""
    little = ["--minutes", "0.1", "--sessions", "2", "--memories", "3", "--turns", "1", "--think-s", "0.05"]
    assert main(["soak", "--json", *little]) == 0
    results = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert results["errors"] == 0
    assert results["turns"] > 0
    assert results["reruns"] > 0
    growths = {"rss_growth", "own_ram_growth", "file_growth", "thread_growth"}
    assert results.keys() == {"turns", "reruns", "errors", "own_ram_mb", *growths}


@pytest.mark.parametrize("outcome", ["Another page", RuntimeError("failed")])
def test_a_step_of_a_browser_that_fails_is_counted(outcome):
    """A step that ends with an error, or draws another page than the wanted one, is an error of the soak."""
    arguments = Namespace(turns=1, think_s=0.0, seed=1)
    browser = soak.Browser("", "", arguments, Event(), 0)
    assert browser._step(Drifting(outcome).rerun, "The page") is None
    assert browser._done.errors == 1


def test_a_filled_store_starts(capsys):
    """With memories there before, the page of somebody who is signed in is waited for; every figure is reported."""
    assert main(["start", "--json", "--memories", "30", "--runs", "1", "--no-browser"]) == 0
    results = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert results.keys() == {"ready_s", "readyz_s", "ready_s_max", "ready_s/first"}
    assert results["ready_s"] >= results["readyz_s"] > 0
