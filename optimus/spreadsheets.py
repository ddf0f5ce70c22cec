"""Tables as CSV text that a spreadsheet shows as it is, no cell ever taken for a formula; memories as CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from optimus.models import Memory

Cell = str | int | float | None

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
_SKIPPED = " \u00a0\u3000\ufeff\u200b"
"""What a spreadsheet may pass over before it looks for a formula."""
_BOM = "\ufeff"
"""Without it some spreadsheets read UTF-8 as something else."""


def to_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table as CSV; see `csv_lines`."""
    return "".join(csv_lines(header, rows))


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Yield a table as CSV, line by line.

    A text that begins like a formula gets a quote in front, as https://owasp.org/www-community/attacks/CSV_Injection
    advises; numbers stay numbers, and None is an empty cell.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    out.write(_BOM)
    for row in chain([header], rows):
        writer.writerow([_harmless(cell) for cell in row])
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def _harmless(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    return f"'{cell}" if cell.lstrip(_SKIPPED).startswith(_FORMULA_SIGNS) else cell


def memories_csv(memories: Iterable[Memory]) -> str:
    """Return memories as CSV; see `memory_lines`."""
    return "".join(memory_lines(memories))


def memory_lines(memories: Iterable[Memory]) -> Iterator[str]:
    """Yield memories as CSV, line by line, one a row, with times in UTC as ISO 8601."""
    header = ("id", "memory", "kind", "status", "said_at", "changed_at", "source", "written_by_hand", "pinned")
    used = ("times_said", "times_used", "last_used_at", "chat_id", "last_used_chat_id", "replaced_by", "version")
    rows = (
        (
            memory.id,
            memory.text,
            memory.type.value,
            memory.status.value,
            memory.recorded_at.isoformat(),
            memory.updated_at.isoformat(),
            memory.provenance.source.value,
            "yes" if memory.provenance.extractor == "manual" else "no",
            "yes" if memory.pinned else "no",
            memory.confirmations,
            memory.uses,
            memory.last_used_at.isoformat() if memory.last_used_at else None,
            memory.provenance.conversation_id,
            memory.last_used_chat,
            memory.superseded_by,
            memory.version,
        )
        for memory in memories
    )
    return csv_lines((*header, *used), rows)


def memories_json(memories: Iterable[Memory]) -> Iterator[str]:
    """Yield memories as JSON text, bit by bit: an object with the format's name and version, and the memories."""
    yield '{"format": "optimus-memories", "version": 1, "memories": ['
    for number, memory in enumerate(memories):
        yield (",\n" if number else "\n") + memory.model_dump_json(exclude={"user_id"})
    yield "\n]}\n"
