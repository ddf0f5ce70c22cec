"""CSV that spreadsheets show as it is."""

import csv
import io

import pytest

from optimus.spreadsheets import to_csv


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
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
