"""How fast, how exact and how small the embedded store is with very many memories, and whether it ever pauses.

Sentences are generated, embedded by the default model and repeated with noise until there are enough; besides equal
users, one user has a fifth of all memories. Filling, serving and the comparison with float32 run in processes of their
own, so that their memory can be told apart.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks._many_memories import Plan, embedded, save
from benchmarks._progress import say
from benchmarks._scale_parts import NEAREST, Job, as_text
from benchmarks.report import Report, Result, percentile
from optimus.storage.optimizing import optimize_in_child, order_for

ROOT = Path(__file__).parent.parent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the size of the run."""
    parser.add_argument("--points", type=_positive, default=100_000, help="memories in all")
    parser.add_argument("--users", type=_positive, default=100, help="equal users, besides the large one")
    parser.add_argument("--texts", type=_positive, default=50_000, help="distinct sentences")
    parser.add_argument("--queries", type=_positive, default=1_000, help="searches that are measured")
    parser.add_argument("--seed", type=int, default=1, help="what the data are made from")
    parser.add_argument("--folder", type=Path, help="where the store is made (some 8 KB a memory, for the run only)")
    parser.add_argument("--detach", type=Path, metavar="LOG", help="go on in the background; results go to the file")


def run(arguments: argparse.Namespace) -> Report:
    """Fill a store, build its index, serve from it, and compare."""
    if arguments.detach:
        _detach(arguments.detach)
    plan = Plan(**{each.name: getattr(arguments, each.name) for each in fields(Plan)})
    with TemporaryDirectory(prefix="optimus-scale-", dir=arguments.folder) as folder:
        save(embedded(plan.sentences()), Path(folder))
        job = Job(folder=folder, plan=plan)
        filled = _part("fill", job)
        index_s = _optimize(job)
        served = _part("serve", job)
        held = _part("hold", job)
    results = _results(filled, index_s, served, held)
    return Report(benchmark="scale", parameters=asdict(plan), results=results)


def _results(filled: dict[str, Any], index_s: float, served: dict[str, Any], held: dict[str, Any]) -> list[Result]:
    recall = _recall(served["found"], held["exact"])
    return [
        Result(name="insert_per_s", value=filled["insert_per_s"], unit="memories/s"),
        Result(name="index_s", value=index_s, unit="s"),
        Result(name="search_p50_ms/engine", value=percentile(served["engine"], 0.5), unit="ms"),
        Result(name="search_p99_ms/engine", value=percentile(served["engine"], 0.99), unit="ms"),
        Result(name="search_p99_ms/with_embedding", value=percentile(served["with_embedding"], 0.99), unit="ms"),
        Result(name="search_p99_ms/large_tenant", value=percentile(served["large"], 0.99), unit="ms"),
        Result(name="recall@10/quantized_vs_exact", value=recall, unit="share"),
        Result(name="vector_ram_ratio", value=held["ram"] / max(1, served["ram"]), unit="times"),
        Result(name="longest_pause_ms", value=served["longest_pause_ms"], unit="ms"),
    ]


def _recall(found: Sequence[Sequence[str]], exact: Sequence[Sequence[str]]) -> float:
    shares = [len(set(some) & set(best)) / min(NEAREST, len(best)) for some, best in zip(found, exact, strict=True)]
    return sum(shares) / len(shares)


def _optimize(job: Job) -> float:
    order = order_for(job.settings, at_least=1)
    started = perf_counter()
    optimize_in_child(order, lambda step: say(f"index: {step.step} {step.collection} ({step.number}/{step.of})"))
    return perf_counter() - started


def _part(name: str, job: Job) -> dict[str, Any]:
    """Run a part in a process of its own; its progress goes to our standard error.

    Raises:
        CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "benchmarks._scale_parts", name]
    done = subprocess.run(  # noqa: S603 - our own module, without a shell
        command, input=as_text(job), stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    say(f"{name}: done")
    return answer


def _detach(log: Path) -> None:
    """Begin anew in a session of its own, with all output in a file, and end this process."""
    arguments = [part for part in sys.argv[1:] if part not in ("--detach", str(log), f"--detach={log}")]
    with log.open("w", encoding="utf-8") as output:
        child = subprocess.Popen(  # noqa: S603 - the same command again, without a shell
            [sys.executable, "-m", "benchmarks", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=ROOT,
        )
    print(f"Running as process {child.pid}; see {log}.", file=sys.stderr)
    sys.exit(0)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
