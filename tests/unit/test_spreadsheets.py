"""CSV that spreadsheets show as it is, and memories as CSV and JSON."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from optimus.models import Memory
from optimus.spreadsheets import memories_csv, memories_json, to_csv


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\ufeff=", "\u3000+", "\uff1d", "\uff20"])
def test_no_cell_is_a_formula(sign):
    """A text that begins like a formula gets a quote in front, in the header, too."""
    cell = f"{sign}1+1"
    header, row = csv.reader(io.StringIO(to_csv([cell], [[cell]]).removeprefix("\ufeff"), newline=""))
    assert header == row == [f"'{cell}"]


def test_numbers_and_ordinary_texts_stay():
    """Negative numbers stay numbers, nothing is an empty cell, and signs within a text do no harm."""
    text = to_csv(["a", "b", "c"], [[-1, None, 'x=1, "y"'], [0.25, "Ü", "two\nlines"]]).removeprefix("\ufeff")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["a", "b", "c"],
        ["-1", "", 'x=1, "y"'],
        ["0.25", "Ü", "two\nlines"],
    ]


AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def memory(text: str, **fields: object) -> Memory:
    """Return a memory to write down."""
    times = {"recorded_at": AT, "updated_at": AT, "valid_from": AT}
    return Memory.model_validate({"id": "m", "user_id": "u", "text": text, "type": "fact", **times, **fields})


def test_memories_as_a_table():
    """Each memory is a row under its header; text that looks like a formula is harmless."""
    text = memories_csv([memory("=1+1", uses=2, last_used_at=AT), memory("two\nlines", pinned=True)])
    first, second = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert (first["memory"], first["times_used"], first["last_used_at"]) == ("'=1+1", "2", AT.isoformat())
    assert (second["memory"], second["pinned"], second["last_used_at"]) == ("two\nlines", "yes", "")
    assert first["said_at"] == AT.isoformat()


@pytest.mark.parametrize("number", [0, 1, 3])
def test_memories_as_json(number):
    """Any number of memories is one JSON object, each whole but for its owner."""
    memories = [memory(f'"{i}" Ü') for i in range(number)]
    written = json.loads("".join(memories_json(memories)))
    assert (written["format"], written["version"]) == ("optimus-memories", 1)
    assert [Memory.model_validate({**row, "user_id": "u"}) for row in written["memories"]] == memories
