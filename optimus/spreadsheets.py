"""Tables as CSV text that a spreadsheet shows as it is, no cell ever taken for a formula; memories as CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from optimus.models import Memory

Cell = str | int | float | None

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")
_BOM = "\ufeff"
"""Without it some spreadsheets read UTF-8 as something else."""


def to_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table as CSV.

    A text that begins like a formula gets a quote in front, as https://owasp.org/www-community/attacks/CSV_Injection
    advises; numbers stay numbers, and None is an empty cell.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_harmless(cell) for cell in header])
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return _BOM + out.getvalue()


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_SIGNS) else cell


def memories_csv(memories: Iterable[Memory]) -> str:
    """Return memories as CSV, one a row, with times in UTC as ISO 8601."""
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
    return to_csv((*header, *used), rows)


def memories_json(memories: Iterable[Memory]) -> Iterator[str]:
    """Yield memories as JSON text, bit by bit: an object with the format's name and version, and the memories."""
    yield '{"format": "optimus-memories", "version": 1, "memories": ['
    for number, memory in enumerate(memories):
        yield (",\n" if number else "\n") + memory.model_dump_json(exclude={"user_id"})
    yield "\n]}\n"
