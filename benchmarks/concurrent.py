"""Many answers at once against a model server on loopback: does each get its own, and does the loop stay free?"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from dataclasses import dataclass, field

from benchmarks._echo_server import MODEL, answer_to, echo_server
from benchmarks.report import Report, Result, percentile
from optimus.llm_handler import Credentials, GenerationRequest, GenerationResult, OfflineContext
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import ModelRef
from optimus.models import ConversationId, MessageId, MessageState, UserId, new_id, stable_id, utc_now
from optimus.settings import load_settings

_WAIT_S = 120.0
_HEARTBEAT_S = 0.005


@dataclass(kw_only=True)
class _Run:
    """One generation's secret and what came of it."""

    secret: str
    results: list[GenerationResult] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the size of the run."""
    parser.add_argument("--generations", type=_positive, default=50, help="answers at the same time")
    parser.add_argument("--words", type=_positive, default=40, help="words of each answer")
    parser.add_argument("--pause-ms", type=float, default=10.0, help="time between two words at the server")
    parser.add_argument("--seed", default="optimus", help="what the secret words are made from")


def run(arguments: argparse.Namespace) -> Report:
    """Run the generations and compare each answer with the one right answer."""
    settings = load_settings()
    runs = [_Run(secret=_secret(arguments.seed, number)) for number in range(arguments.generations)]
    with echo_server(words=arguments.words, pause_ms=arguments.pause_ms) as base_url:
        gateway = ModelGateway(settings=settings, clock=utc_now)
        try:
            gateway.warm().result(_WAIT_S)
            _write_all(gateway, base_url, [_Run(secret=_secret(arguments.seed, -1))])
            started = time.perf_counter()
            blocked_ms = _write_all(gateway, base_url, runs)
            elapsed_s = time.perf_counter() - started
        finally:
            gateway.close()
    parameters = {"generations": arguments.generations, "words": arguments.words, "pause_ms": arguments.pause_ms}
    return Report(
        benchmark="concurrent",
        parameters=parameters | {"seed": arguments.seed},
        results=_results(runs, arguments.words, blocked_ms, elapsed_s),
    )


def _write_all(gateway: ModelGateway, base_url: str, runs: list[_Run]) -> float:
    """Run all at once; return the longest time for which the loop could do nothing else, in milliseconds."""
    heartbeat = _Heartbeat()
    beating = gateway.loop.submit(heartbeat.beat())
    generations = [gateway.start(_request(base_url, run.secret), run.results.append) for run in runs]
    deadline = time.monotonic() + _WAIT_S
    for generation in generations:
        generation.wait(max(0.0, deadline - time.monotonic()))
    beating.cancel()
    return heartbeat.longest_ms


class _Heartbeat:
    """Sleeps shortly on the loop, again and again, and notes the longest oversleeping."""

    def __init__(self) -> None:
        self.longest_ms = 0.0

    async def beat(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(_HEARTBEAT_S)
            late_s = time.perf_counter() - before - _HEARTBEAT_S
            self.longest_ms = max(self.longest_ms, late_s * 1000)


def _results(runs: list[_Run], words: int, blocked_ms: float, elapsed_s: float) -> list[Result]:
    right = sum(_is_right(run, words) for run in runs)
    first_ms = [
        each.usage.first_token_ms for run in runs for each in run.results if each.usage.first_token_ms is not None
    ]
    return [
        Result(name="errors", value=len(runs) - right, unit="answers"),
        Result(name="crosstalk", value=_crosstalk(runs), unit="answers"),
        Result(name="loop_block_max_ms", value=blocked_ms, unit="ms"),
        Result(name="first_token_p95_ms", value=percentile(first_ms, 0.95) if first_ms else math.inf, unit="ms"),
        Result(name="elapsed_s", value=elapsed_s, unit="s"),
    ]


def _is_right(run: _Run, words: int) -> bool:
    expected = answer_to(_prompt(run.secret), words)
    return len(run.results) == 1 and (run.results[0].state, run.results[0].text) == (MessageState.COMPLETE, expected)


def _crosstalk(runs: list[_Run]) -> int:
    """Count the answers in which another generation's secret stands."""
    owned = {run.secret for run in runs}
    return sum(bool((set(result.text.split()) & owned) - {run.secret}) for run in runs for result in run.results)


def _request(base_url: str, secret: str) -> GenerationRequest:
    return GenerationRequest(
        owner=UserId(new_id()),
        conversation_id=ConversationId(new_id()),
        message_id=MessageId(new_id()),
        model=ModelRef(provider="compatible", name=MODEL),
        credentials=Credentials(base_url=base_url),
        instructions="Repeat the word.",
        prompt=_prompt(secret),
        offline=OfflineContext(now=utc_now()),
    )


def _prompt(secret: str) -> str:
    return f"Say this word again and again: {secret}"


def _secret(seed: str, number: int) -> str:
    return stable_id("benchmark", seed, str(number))


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
