"""What every benchmark prints: a table for people, or one JSON object and nothing else."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_DECIMALS = 4
_SHOWN = {"share": 3}
"""Decimals in the table, by unit; 2 of any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One number."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The numbers of one run and what they were measured with."""

    benchmark: str
    parameters: Mapping[str, Any]
    results: Sequence[Result]


def machine() -> dict[str, Any]:
    """Return what the numbers depend on: processor, cores, system, Python."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0-1) of the values lie, without interpolation.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def as_json(report: Report) -> str:
    """Return the report as one JSON object on one line."""
    return json.dumps(
        {
            "benchmark": report.benchmark,
            "machine": machine(),
            "parameters": dict(report.parameters),
            "results": [
                {"name": result.name, "value": round(result.value, _DECIMALS), "unit": result.unit}
                for result in report.results
            ],
        }
    )


def as_table(report: Report) -> str:
    """Return the report as lines for people."""
    parameters = ", ".join(f"{name} {value}" for name, value in report.parameters.items())
    described = ", ".join(str(value) for value in machine().values())
    width = max((len(result.name) for result in report.results), default=0)
    rows = [
        f"  {result.name:<{width}}  {result.value:>12,.{_SHOWN.get(result.unit, 2)}f} {result.unit}"
        for result in report.results
    ]
    return "\n".join([f"{report.benchmark} ({parameters})", f"  cores, processor, system, Python: {described}", *rows])


def show(report: Report, *, wants_json: bool) -> None:
    """Print the report on standard output."""
    print(as_json(report) if wants_json else as_table(report))
    sys.stdout.flush()


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a kernel file, read once
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
