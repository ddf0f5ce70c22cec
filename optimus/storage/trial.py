"""Try collections in a process of their own: damage may end a process without a word, and must not end ours.

`try_folders` starts `python -m optimus.storage.trial`, which opens one collection after the other, reads every record
and prints a line for each. Nothing heavy is imported: a trial costs a tenth of a second and a millisecond for every
thirty records. An index that does not agree with the records is built anew.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import qdrant_edge as edge

from optimus.storage.integrity import Tally, record_sum

ALL_READ = 50_000
"""Up to so many records are read; of more only the number is compared."""
PATIENCE_S = 300.0
_PAGE = 256
_VALUES = 100_000
_NEAR_ONE = 0.01


class Tried(NamedTuple):
    """What came of trying one collection."""

    fault: str | None
    """Why it does not open, in the engine's words; None where it does."""
    points: int = 0
    tally: Tally | None = None
    """Of the records that no write was changing; None where there were too many to read."""
    whole: Tally | None = None
    """Of all records."""
    rebuilt: tuple[str, ...] = ()
    """Fields whose index did not agree with the records."""


def try_folders(folders: Sequence[Path], in_flight: Sequence[Collection[str]]) -> list[Tried]:
    """Try collections, closed ones of a folder that nobody else has open; `in_flight` names records not to count."""
    answers: list[Tried] = []
    while len(answers) < len(folders):
        asked = [[str(folder), list(ids)] for folder, ids in zip(folders, in_flight, strict=True)][len(answers) :]
        found, reason = _run(asked)
        answers += found
        if len(answers) < len(folders):
            answers.append(Tried(reason))
    return answers


def try_here(folder: Path) -> Tried:
    """Try one collection in this process, which damage may end."""
    return _tried(_try(folder, frozenset()))


def _run(asked: list[list[Any]]) -> tuple[list[Tried], str]:
    command = [sys.executable, "-m", "optimus.storage.trial"]
    try:
        done = subprocess.run(  # noqa: S603 - this very module
            command,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            cwd=Path(__file__).parents[2],
        )
    except subprocess.TimeoutExpired:
        return [], "it does not open in time"
    found = [_tried(json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]
    return found, f"opening it ends the process ({done.returncode})"


def _tried(line: dict[str, Any]) -> Tried:
    tally, whole = (None if found is None else Tally(found[0], int(found[1], 16)) for found in line["tallies"])
    return Tried(line["fault"], line["points"], tally, whole, tuple(line["rebuilt"]))


def main() -> None:
    """Read what to try from standard input; print a line for each that is through."""
    for folder, ids in json.load(sys.stdin):
        print(json.dumps(_try(Path(folder), frozenset(ids))), flush=True)  # noqa: T201 - the answer


def _try(folder: Path, in_flight: frozenset[str]) -> dict[str, Any]:
    answer: dict[str, Any] = {"fault": None, "points": 0, "tallies": [None, None], "rebuilt": []}
    try:
        shard = edge.EdgeShard.load(str(folder / "shard"))
        answer["points"] = shard.count(edge.CountRequest(exact=True))
        if answer["points"] <= ALL_READ:
            answer |= _read(shard, in_flight, folder)
        shard.flush()
        shard.close()
        if not (folder / "shard" / "wal").is_dir():
            answer["fault"] = "it keeps no log"
    except BaseException as exc:  # noqa: BLE001 - a panic is no Exception, and whatever happens is the answer
        answer["fault"] = f"{type(exc).__name__}: {str(exc)[:300]}"
    return answer


def _read(shard: edge.EdgeShard, in_flight: frozenset[str], folder: Path) -> dict[str, Any]:
    indexes, cosines = shard.info().payload_schema, _cosines(folder)
    settled, whole, values = Tally(), Tally(), {name: Counter[Any]() for name in indexes}
    for record in _records(shard):
        _check_vectors(record, cosines)
        found = record_sum(record.id, record.payload)
        whole = whole.changed((), (found,))
        if str(record.id) not in in_flight:
            settled = settled.changed((), (found,))
        for name, counted in values.items():
            counted.update(_values((record.payload or {}).get(name)))
    rebuilt = [name for name, index in indexes.items() if _disagrees(shard, name, index, values[name])]
    for name in rebuilt:
        shard.update(edge.UpdateOperation.delete_field_index(name))
        shard.update(edge.UpdateOperation.create_field_index(name, indexes[name].params or indexes[name].data_type))
        if _disagrees(shard, name, indexes[name], values[name]):
            raise ValueError(f"the index of {name} cannot be built")
    return {"tallies": [_line(settled), _line(whole)], "rebuilt": rebuilt}


def _records(shard: edge.EdgeShard) -> Iterable[edge.Record]:
    offset = None
    while True:
        page, offset = shard.scroll(edge.ScrollRequest(offset=offset, limit=_PAGE, with_payload=True, with_vector=True))
        yield from page
        if offset is None:
            return


def _cosines(folder: Path) -> frozenset[str]:
    """Return the names of the vectors that are kept at unit length."""
    stored = json.loads((folder / "collection.json").read_text(encoding="utf-8"))["config"].get("vectors") or {}
    named = {"": stored} if "size" in stored else stored
    return frozenset(name for name, params in named.items() if params.get("distance") == "Cosine")


def _check_vectors(record: edge.Record, cosines: frozenset[str]) -> None:
    vectors = record.vector if isinstance(record.vector, dict) else {"": record.vector}
    for name in cosines & vectors.keys():
        vector = vectors[name]
        if isinstance(vector, list) and not abs(math.hypot(*vector) - 1) < _NEAR_ONE:
            raise ValueError(f"a vector {name!r} is not what was stored")


def _disagrees(shard: edge.EdgeShard, name: str, index: Any, values: Counter[Any]) -> bool:
    """Tell whether an index finds other records than those that have the field."""
    kind = str(index.data_type)
    if kind.endswith("Keyword"):
        hits = shard.facet(edge.FacetRequest(name, limit=_VALUES, exact=True)).hits
        words = {value: count for value, count in values.items() if isinstance(value, str)}
        return len(words) < _VALUES and {hit.value: hit.count for hit in hits} != words
    if kind.endswith("Datetime"):
        return _counted(shard, name, edge.RangeDateTime(gte="0001-01-02T00:00:00Z")) != values.total()
    if kind.endswith(("Integer", "Float")):
        return _counted(shard, name, edge.RangeFloat(gte=-1e300)) != values.total()
    return False


def _values(value: Any) -> list[Any]:
    """Return what an index holds of a field of one record, each once."""
    listed = value if isinstance(value, list) else [] if value is None else [value]
    known = (each for each in listed if isinstance(each, str | int | float) and not isinstance(each, bool))
    return list(dict.fromkeys(known))


def _counted(shard: edge.EdgeShard, name: str, found: Any) -> int:
    where = edge.Filter(must=[edge.FieldCondition(name, range=found)])
    return shard.count(edge.CountRequest(exact=True, filter=where))


def _line(tally: Tally) -> list[Any]:
    return [tally.points, f"{tally.digest:032x}"]


if __name__ == "__main__":
    main()
