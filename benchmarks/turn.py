"""Our own work in a turn: from submitting a message until its request arrives at a model server on loopback."""

from __future__ import annotations

import argparse
import json
import queue
import random
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks._filling import fill_memories
from benchmarks.report import Report, Result, percentile
from optimus.llm_handler.requests import ModelChoice, ModelRef
from optimus.models import UserId, new_id
from optimus.services import Services, build_services
from optimus.settings import Settings

STAGES = {
    "allowance": ("allowance", ("take",)),
    "store": ("store.conversations", ("get", "messages", "create", "add_turn", "update_message", "touch", "change")),
    "remember": ("memory", ("remember",)),
    "recall": ("memory", ("recall",)),
}
"""What is measured by itself: where it is among the services, and its calls. The rest is `dispatch` and `other`."""
_WAIT_S = 30.0
_SAID = ("What does my sister like?", "I moved to Porto last week.", "Who sells old maps?", "My dog is called Rex.")
Timings = dict[str, list[float]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the size of the run."""
    parser.add_argument("--memories", type=int, default=5_000, help="memories of the user")
    parser.add_argument("--turns", type=int, default=100, help="measured turns, ten to a conversation")
    parser.add_argument("--seed", type=int, default=1)


def run(arguments: argparse.Namespace) -> Report:
    """Fill a store, then take turns in it, each measured to the arrival of its request."""
    with tempfile.TemporaryDirectory(prefix="optimus-turn-") as folder, _server() as (url, arrivals):
        chosen = {"data_dir": Path(folder), "compatible_base_url": url, "messages_per_minute": 10_000}
        settings = Settings.model_validate(chosen)
        services = build_services(settings, password_cost=4)
        try:
            owner = services.auth.create_admin(code=None, username="ada", password=f"measured-{new_id()}").id
            fill_memories(services, owner, arguments.memories, random.Random(arguments.seed))  # noqa: S311 - data
            services.warm()
            found = _measure(services, owner, arrivals, arguments.turns)
        finally:
            services.close()
    parameters = {name: getattr(arguments, name) for name in ("memories", "turns", "seed")}
    return Report(benchmark="turn", parameters=parameters, results=_results(found))


def _measure(services: Services, owner: UserId, arrivals: queue.Queue[float], turns: int) -> Timings:
    """Return the milliseconds of each turn and of its stages; the first turn is not counted."""
    found: Timings = defaultdict(list)
    spent: dict[str, float] = defaultdict(float)
    for stage, (place, calls) in STAGES.items():
        for call in calls:
            _time(_find(services, place), call, stage, spent)
    _time(services.models, "start", "started", spent, at=True)
    choice = ModelChoice(
        ref=ModelRef(provider="compatible", name="m"), title="m", provider_title="", free=True, is_local=True
    )
    conversation = None
    for number in range(turns + 1):
        spent.clear()
        began = time.perf_counter()
        turn = services.chat.send(owner, _SAID[number % len(_SAID)], conversation_id=conversation, choice=choice)
        arrived = arrivals.get(timeout=_WAIT_S)
        if number:
            _note(found, spent, began, arrived)
        running = services.chat.generation(owner, turn.conversation.id)
        if running:
            running.wait(_WAIT_S)
        conversation = turn.conversation.id if number % 10 else None
    return found


def _note(found: Timings, spent: dict[str, float], began: float, arrived: float) -> None:
    overhead, dispatch = arrived - began, max(0.0, arrived - spent["started"])
    known = {stage: spent[stage] for stage in STAGES} | {"dispatch": dispatch}
    for stage, seconds in {**known, "other": max(0.0, overhead - sum(known.values())), "overhead": overhead}.items():
        found[stage].append(seconds * 1000)


def _results(found: Timings) -> list[Result]:
    stages = [stage for stage in found if stage != "overhead"]
    return [
        Result(name="overhead_p50_ms", value=percentile(found["overhead"], 0.5), unit="ms"),
        Result(name="overhead_p95_ms", value=percentile(found["overhead"], 0.95), unit="ms"),
        *(Result(name=f"p50_ms/{stage}", value=percentile(found[stage], 0.5), unit="ms") for stage in stages),
        *(Result(name=f"p95_ms/{stage}", value=percentile(found[stage], 0.95), unit="ms") for stage in stages),
    ]


def _find(services: Services, place: str) -> Any:
    found: Any = services
    for name in place.split("."):
        found = getattr(found, name)
    return found


def _time(owner: Any, call: str, stage: str, spent: dict[str, float], *, at: bool = False) -> None:
    """Let a method add its seconds to a stage, or note when it was called; those of other threads are not counted."""
    inner: Callable[..., Any] = getattr(owner, call)
    main = threading.get_ident()

    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return inner(*args, **kwargs)
        finally:
            if threading.get_ident() == main:
                spent[stage] += began if at else time.perf_counter() - began

    setattr(owner, call, timed)


@contextmanager
def _server() -> Iterator[tuple[str, queue.Queue[float]]]:
    """Run a model server that answers one word and notes when each request arrived."""
    arrivals: queue.Queue[float] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_args: object) -> None:
            """Stay quiet."""

        def do_POST(self) -> None:
            arrived = time.perf_counter()
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            arrivals.put(arrived)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(_ANSWER)))
            self.end_headers()
            self.wfile.write(_ANSWER)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", arrivals
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _event(row: dict[str, Any]) -> bytes:
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps(base | row).encode() + b"\n\n"


_ANSWER = (
    _event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Fine."}, "finish_reason": None}]})
    + _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    + _event({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}})
    + b"data: [DONE]\n\n"
)
