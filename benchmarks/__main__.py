"""`python -m benchmarks NAME [--json] ...`.

A benchmark is a module of this package with two functions: `add_arguments(parser)` and `run(arguments) -> Report`.
Modules with a leading underscore, and `report`, are not benchmarks.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import Any

import benchmarks
from benchmarks.report import show


def names() -> list[str]:
    """Return the benchmarks there are."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name for name in found if not name.startswith("_") and name != "report")


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark that the first argument names and print its report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Optimus.")
    parser.add_argument("name", choices=names(), help="what to measure")
    chosen = parser.parse_args(arguments[:1]).name
    benchmark: Any = importlib.import_module(f"benchmarks.{chosen}")
    own = argparse.ArgumentParser(prog=f"python -m benchmarks {chosen}", description=benchmark.__doc__)
    own.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    benchmark.add_arguments(own)
    parsed = own.parse_args(arguments[1:])
    show(benchmark.run(parsed), wants_json=parsed.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
