"""How long it takes to recall for a message that was never seen before, its embedding included."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from benchmarks._locomo import Listening, chat_memory, listening, said
from benchmarks.report import Report, Result, percentile
from optimus.models import ConversationId, Memory, MemoryId, MemoryType, UserId, new_id
from optimus.prompt import MAX_MEMORIES

_BATCH = 200
_WARM_UP = 10
_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
_EVERY = timedelta(hours=2)
_WHO = "my sister|my colleague Ana|my neighbour|our doctor|my daughter|our landlord|my boss|Tomás|Ms Okafor|Jonas"
_DOES = "likes|recommended|is allergic to|collects|is afraid of|cooks|sells|wants to learn about|repairs|dreams of"
_WHAT = "olives|old maps|penicillin|jazz|tall ladders|sourdough|bicycles|beekeeping|chess|lighthouses|tea|violins"
_WHERE = "in Lisbon|at work|by the harbour|in the garden|at the office|on the train|in Kyoto|at the market|upstairs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the size of the run."""
    parser.add_argument("--memories", type=int, default=5_000, help="how many there are, half of them messages")
    parser.add_argument("--queries", type=int, default=300, help="how many messages are recalled for")
    parser.add_argument("--seed", type=int, default=1, help="what the sentences are made from")


def run(arguments: argparse.Namespace) -> Report:
    """Fill a store and recall for messages as a chat does."""
    chance = random.Random(arguments.seed)  # noqa: S311 - data for measuring
    with listening() as optimus:
        owner = UserId(new_id())
        _fill(optimus, owner, arguments.memories, chance)
        took = _ask(optimus, owner, arguments.queries, chance)
    return Report(
        benchmark="recall",
        parameters={"memories": arguments.memories, "queries": arguments.queries, "seed": arguments.seed},
        results=[
            Result(name="recall_p50_ms", value=percentile(took, 0.5), unit="ms"),
            Result(name="recall_p95_ms", value=percentile(took, 0.95), unit="ms"),
        ],
    )


def _fill(optimus: Listening, owner: UserId, amount: int, chance: random.Random) -> None:
    memories = list(_memories(owner, amount, chance))
    for start in range(0, amount, _BATCH):
        batch = memories[start : start + _BATCH]
        around = {memory.id: tuple(other.text for other in batch[max(0, n - 2) : n]) for n, memory in enumerate(batch)}
        optimus.services.memory.adopt(owner, batch, around)
    optimus.clock.now = _BEGIN + amount * _EVERY


def _memories(owner: UserId, amount: int, chance: random.Random) -> Iterator[Memory]:
    for number in range(amount):
        at = _BEGIN + number * _EVERY
        yield Memory(
            id=MemoryId(new_id()),
            user_id=owner,
            text=f"{_sentence(chance)} and I noted it as number {number}.",
            type=MemoryType.CONVERSATION if number % 2 else MemoryType.FACT,
            recorded_at=at,
            updated_at=at,
            valid_from=at,
        )


def _ask(optimus: Listening, owner: UserId, amount: int, chance: random.Random) -> list[float]:
    """Return how long each recall took, in milliseconds, the first ones not counted; no vector is kept."""
    memory, chat = chat_memory(optimus), ConversationId(new_id())
    took = []
    for number in range(_WARM_UP + amount):
        message = said(owner, chat, f"Do you remember when {_sentence(chance)}, around {number}?", optimus.clock())
        optimus.services.embedder.forget()
        started = time.perf_counter()
        memory.recall(message, limit=MAX_MEMORIES, for_model=True)
        took.append((time.perf_counter() - started) * 1000)
    return took[_WARM_UP:]


def _sentence(chance: random.Random) -> str:
    return " ".join(chance.choice(words.split("|")) for words in (_WHO, _DOES, _WHAT, _WHERE))
