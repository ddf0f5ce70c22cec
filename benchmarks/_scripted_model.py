"""A model that answers by script: on the wire for Optimus, and as the language model that Mem0 calls.

Both get the same findings. Where the script takes a finding for something known, the model looks for it among the
known memories that it was sent; where it is not there, the finding is new to it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from benchmarks._life import Finding, Life, Said

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
            text = model.extraction(body["messages"][-1]["content"])
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
