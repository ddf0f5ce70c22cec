"""A model that answers by script: on the wire for Optimus, and as the language model that Mem0 calls.

Both get the same findings. Where the script takes a finding for something known, the model looks for it among the
known memories that it was sent; where it is not there, the finding is new to it. Asked to compare statements, it
answers by the life's definitions, and errs in a share of the cases.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from benchmarks._life import Finding, Life, Said, question

MISSES = 0.05
"""So many of the pairs that say the same, or of which one ends the other, it does not see, whenever it is asked."""
WRONG = 0.02
"""So many of the new statements it takes for a repetition of another that says something else."""
_EXISTING = re.compile(r"## Existing Memories\s*\n(\[.*?\])\s*(?=\n##|\Z)", re.DOTALL)


class ScriptedModel:
    """Says what the life's message at hand has for it."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self.said: Said = life.messages[0]

    def extraction(self, sent: str) -> str:
        """Return the answer to a request of Optimus to look for memories."""
        known = [entry["text"] for entry in json.loads(sent)["known"]]
        return json.dumps({"memories": [self._entry(finding, known) for finding in self.said.findings]})

    def settling(self, sent: str) -> str:
        """Return the answer to a request of Optimus to compare statements, the oldest first."""
        entries = json.loads(sent)["entries"]
        texts = [entry["text"] for entry in entries]
        groups = [
            group
            for place, entry in enumerate(entries)
            if entry.get("new")
            for group in self._groups(place, texts)
            if group["same"] or group["outdated"]
        ]
        return json.dumps({"groups": groups})

    def _groups(self, place: int, texts: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield what a new statement belongs together with."""
        text = texts[place]
        if place and _chance(text) < WRONG:
            yield {"keep": place, "same": [place + 1], "outdated": []}
            return
        own = self._sense(text)
        same: list[int] = []
        outdated: list[int] = []
        for other, said in enumerate(texts):
            sense = self._sense(said)
            if other == place or not own or not sense or _chance(f"{text}|{said}") < MISSES:
                continue
            if own <= sense and (own < sense or other < place):
                yield {"keep": other + 1, "same": [place + 1], "outdated": []}
                return
            if sense <= own:
                same.append(other + 1)
            elif other < place and self._is_over(sense) and _questions(sense) & _questions(own):
                outdated.append(other + 1)
        yield {"keep": place + 1, "same": same, "outdated": outdated}

    def _is_over(self, sense: Iterable[tuple[str, bool]]) -> bool:
        """Tell whether all that a statement says has ended by the message at hand."""
        true: set[str] = set()
        for said in self._life.messages:
            true = true - set(said.ends) | set(said.gains)
            if said is self.said:
                break
        return all((key in true) is not says for key, says in sense)

    def _sense(self, text: str) -> frozenset[tuple[str, bool]]:
        """Return the facts that a text says, and those that it denies."""
        said, denied = self._life.said_by(text), self._life.denied_by(text)
        return frozenset({(key, True) for key in said} | {(key, False) for key in denied - said})

    def generate_response(self, messages: Sequence[dict[str, str]], **_: Any) -> str:
        """Return the answer to Mem0's prompt, which asks to leave out what exists already."""
        found = _EXISTING.search(messages[-1]["content"])
        known = [entry["text"] for entry in json.loads(found[1])] if found else []
        new = [each for each in self.said.findings if each.decision != "skip" or self._place(each, known) is None]
        entries = [{"id": str(n), "text": each.text, "attributed_to": "user"} for n, each in enumerate(new)]
        return json.dumps({"memory": entries})

    def _entry(self, finding: Finding, known: Sequence[str]) -> dict[str, Any]:
        place = self._place(finding, known)
        return {
            "source": 1,
            "text": finding.text,
            "type": finding.type,
            "entities": [],
            "relations": [],
            "confidence": finding.confidence,
            "importance": 0.5,
            "language": self.said.language,
            "event_date": None,
            "instructs_assistant": finding.instructs,
            "decision": "add" if place is None else finding.decision,
            "known": None if place is None else place + 1,
        }

    def _place(self, finding: Finding, known: Sequence[str]) -> int | None:
        """Return where among the known memories the one stands that the finding is about."""
        if finding.decision == "add":
            return None
        return next((place for place, text in enumerate(known) if finding.of in self._life.said_by(text)), None)


def _chance(text: str) -> float:
    """Return a number from 0 to 1 that is always the same for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


def _questions(sense: frozenset[tuple[str, bool]]) -> set[str]:
    """Return which questions of a life a statement answers."""
    return {question(key) for key, _ in sense}


@contextmanager
def serving(model: ScriptedModel) -> Iterator[str]:
    """Serve a scripted model on loopback in the form of OpenAI's Chat Completions; yield its base address."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.model = model
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    model: ScriptedModel


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_args: object) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        self._send("application/json", json.dumps({"object": "list", "data": [{"id": "m"}]}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        model = cast("_Server", self.server).model
        if body.get("stream"):
            self._send("text/event-stream", _stream(model.said.reply))
        else:
            sent = body["messages"][-1]["content"]
            text = model.extraction(sent) if "messages" in json.loads(sent) else model.settling(sent)
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            row = _row("chat.completion") | {"choices": [choice], "usage": _USAGE}
            self._send("application/json", json.dumps(row).encode())

    def _send(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


_USAGE = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}


def _row(kind: str) -> dict[str, Any]:
    return {"id": "c1", "object": kind, "created": 1, "model": "m"}


def _stream(text: str) -> bytes:
    """Return an answer as a stream of events, its text in one."""
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": text}, None), ({}, "stop")]
    rows: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} for delta, reason in deltas
    ]
    rows.append({"choices": [], "usage": _USAGE})
    events = [f"data: {json.dumps(_row('chat.completion.chunk') | row)}\n\n" for row in rows]
    return "".join([*events, "data: [DONE]\n\n"]).encode()
