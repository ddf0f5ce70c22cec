"""Which turns of long conversations are found for questions about them, without a language model.

`recall@K/SYSTEM` is the mean over the questions of the share of the evidence that is among the first K; it is also
given for each conversation. `optimus-without-SIGNAL` orders what Optimus found without one of its signals.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks._baselines import Baseline, Found, Keywords, Meaning, Mem0Search, quiet_mem0
from benchmarks._locomo import Dialogue, Listener, Listening, Question, chat_memory, listening, load, share
from benchmarks.report import Report, Result, percentile
from optimus.models import RecalledMemory, ScorePart

DEPTHS = (5, 10, 20)
_DEEPEST = max(DEPTHS)
_CANDIDATES = 400
"""More than the four searches bring together."""
_OPTIMUS = "optimus"
Search = Callable[[Question], Found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one system found for one question."""

    system: str
    dialogue: str
    recall: Mapping[int, float]
    """Share of the evidence by depth."""
    reciprocal: float
    """One over the place of the first result with evidence; 0 where none has any."""
    took_ms: float | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the file and how much of it to use."""
    parser.add_argument("--locomo", type=Path, required=True, help="conversations in the form of LoCoMo")
    parser.add_argument("--questions", type=int, default=None, help="at most so many of each conversation")


def run(arguments: argparse.Namespace) -> Report:
    """Let every system hear each conversation and answer its questions."""
    dialogues = load(arguments.locomo, arguments.questions)
    with quiet_mem0(), listening() as optimus:
        answers = [answer for dialogue in dialogues for answer in _answers(optimus, dialogue)]
    parameters = {
        "file": arguments.locomo.name,
        "conversations": len(dialogues),
        "turns": sum(len(dialogue.turns) for dialogue in dialogues),
        "questions": sum(len(dialogue.questions) for dialogue in dialogues),
    }
    return Report(benchmark="retrieval", parameters=parameters, results=_results(answers))


def _answers(optimus: Listening, dialogue: Dialogue) -> Iterable[Answer]:
    listener = optimus.hear(dialogue)
    memory, embedder = chat_memory(optimus), optimus.services.embedder
    at = optimus.clock()

    def ask(question: Question, limit: int = _DEEPEST) -> list[RecalledMemory]:
        return memory.recall(listener.asks(question.text, at), limit=limit)

    def fresh() -> None:
        optimus.clock.now = at
        embedder.forget()

    yield from _ask_all(_OPTIMUS, dialogue, lambda question: listener.evidence(ask(question)), fresh)
    for question in dialogue.questions:
        found = optimus.services.memory.recall(listener.owner, question.text, limit=_CANDIDATES)
        yield from _without_signals(dialogue, question, found, listener)
    others: dict[str, Baseline] = {"mem0": Mem0Search(embedder), "bm25": Keywords(), "dense": Meaning(embedder)}
    for name, other in others.items():
        other.hear([(turn.id, turn.text) for turn in dialogue.turns])
        yield from _ask_all(name, dialogue, _searching(other), fresh)


def _searching(other: Baseline) -> Search:
    return lambda question: other.search(question.text, _DEEPEST)


def _ask_all(system: str, dialogue: Dialogue, search: Search, fresh: Callable[[], None]) -> Iterable[Answer]:
    """Ask every question; no vector of an earlier question is kept, and the first one of all is not timed."""
    search(dialogue.questions[0])
    for question in dialogue.questions:
        fresh()
        started = time.perf_counter()
        found = search(question)
        yield _answer(system, dialogue, question, found, (time.perf_counter() - started) * 1000)


def _without_signals(
    dialogue: Dialogue, question: Question, found: Sequence[RecalledMemory], listener: Listener
) -> Iterable[Answer]:
    for part in ScorePart:
        ordered = sorted(found, key=partial(_score_without, part))
        yield _answer(f"{_OPTIMUS}-without-{part.value}", dialogue, question, listener.evidence(ordered), None)


def _score_without(part: ScorePart, found: RecalledMemory) -> float:
    """Return what a memory is sorted by where one signal is taken away, the best first."""
    return found.parts.get(part, 0.0) - found.score


def _answer(system: str, dialogue: Dialogue, question: Question, found: Found, took_ms: float | None) -> Answer:
    first = next((place for place, turns in enumerate(found[:_DEEPEST], 1) if turns & question.evidence), None)
    return Answer(
        system=system,
        dialogue=dialogue.name,
        recall={depth: share(found[:depth], question.evidence) for depth in DEPTHS},
        reciprocal=1 / first if first else 0.0,
        took_ms=took_ms,
    )


def _results(answers: Sequence[Answer]) -> list[Result]:
    systems = list(dict.fromkeys(answer.system for answer in answers))
    results = []
    for system in systems:
        own = [answer for answer in answers if answer.system == system]
        results += _figures(system, own)
        took = [answer.took_ms for answer in own if answer.took_ms is not None]
        for name, part in (("p50_ms", 0.5), ("p95_ms", 0.95)):
            results += [Result(name=f"{name}/{system}", value=percentile(took, part), unit="ms")] if took else []
    for system in (name for name in systems if "-without-" not in name):
        for dialogue in dict.fromkeys(answer.dialogue for answer in answers):
            own = [answer for answer in answers if (answer.system, answer.dialogue) == (system, dialogue)]
            results += _figures(f"{system}/{dialogue}", own)[1:3]
    return results


def _figures(name: str, answers: Sequence[Answer]) -> list[Result]:
    mean = [(f"recall@{depth}", [answer.recall[depth] for answer in answers]) for depth in DEPTHS]
    mean.append(("mrr", [answer.reciprocal for answer in answers]))
    return [Result(name=f"{kind}/{name}", value=sum(each) / len(each), unit="share") for kind, each in mean]
