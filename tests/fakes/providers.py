"""A model server on loopback that speaks every provider's own format, and fails the way they do when told to."""

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from tests.fakes import wire_formats

MODELS = ("gpt-6-luna", "gpt-6.1-terra", "text-embedding-3-small")
_LONGEST_WAIT_S = 20.0
_EVENTS = {"Content-Type": "text/event-stream"}


class FaultKind(StrEnum):
    """What goes wrong with one request."""

    STATUS = "status"
    HANG = "hang"
    RESET = "reset"
    CUT = "cut"
    END_EARLY = "end_early"
    BAD_JSON = "bad_json"
    HTML = "html"
    EMPTY = "empty"
    LONG_LINE = "long_line"
    BAD_TEXT = "bad_text"
    DRIP = "drip"
    WRONG_FORM = "wrong_form"
    TOLD = "told"
    PACKED = "packed"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One failure; `after` is how many events of the stream are sent before it."""

    kind: FaultKind
    status: int = 500
    message: str = wire_formats.DETAIL
    headers: dict[str, str] = field(default_factory=dict)
    after: int = 3
    event: bytes = b""
    """What the stream says in place of the rest, or the whole answer, which gzip has packed."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: wire_formats.Row

    @property
    def text(self) -> str:
        """Everything that was sent, as text."""
        return json.dumps(self.body, ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How one interface answers."""

    events: Callable[[str, list[str], str], list[bytes]]
    """The model, the words and the thoughts before them, as a stream."""
    document: Callable[[str, str], wire_formats.Row]
    call: Callable[[str, str, wire_formats.Row], list[bytes]] | None = None


_DIALECTS = {
    "/chat/completions": Dialect(
        events=wire_formats.chat_events, document=wire_formats.chat_json, call=wire_formats.chat_call
    ),
    "/responses": Dialect(
        events=wire_formats.responses_events, document=wire_formats.responses_json, call=wire_formats.responses_call
    ),
    "/messages": Dialect(
        events=wire_formats.messages_events, document=wire_formats.messages_json, call=wire_formats.messages_call
    ),
    "GenerateContent": Dialect(
        events=wire_formats.gemini_events, document=wire_formats.gemini_json, call=wire_formats.gemini_call
    ),
    ":generateContent": Dialect(events=wire_formats.gemini_events, document=wire_formats.gemini_json),
}


_OLLAMA = Dialect(events=wire_formats.ollama_events, document=wire_formats.chat_json, call=wire_formats.ollama_call)


_LINES = {
    FaultKind.BAD_JSON: b"{broken",
    FaultKind.LONG_LINE: b"x" * 10_000_000,
    FaultKind.BAD_TEXT: b'{"text": "\xff\xfe\xc3"}',
    FaultKind.WRONG_FORM: b'{"choices": 7, "candidates": "x", "type": 3}',
}
"""What a stream says that no library can read."""
_IN_STREAM = {FaultKind.CUT, FaultKind.END_EARLY, FaultKind.EMPTY, FaultKind.TOLD}


class FakeProvider:
    """The server's switches, and what it saw. Set them before the request that they are for."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.requests: list[Request] = []
        self.faults: deque[Fault] = deque()
        self.answer: Callable[[Request], str] = lambda _request: "Hello from the fake."
        self.calls: deque[tuple[str, wire_formats.Row]] = deque()
        """Tools that the next streamed answers call, each with its arguments, instead of writing."""
        self.thoughts = ""
        """What streamed answers let see of their thinking."""
        self.key: str | None = None
        self.is_ollama = False
        """Whether Chat Completions are written with the peculiarities of Ollama."""
        self.prefix = ""
        """A path under which alone the server answers."""
        self.faults_for_chats: deque[Fault] = deque()
        """Like `faults`, but listings pass them by."""
        self.models: tuple[str, ...] = MODELS
        self.unknown_models: tuple[str, ...] = ()
        self.cuts_short = False
        """Whether answers say that the limit of tokens ended them."""
        self.filters = False
        """Whether streamed answers say that a filter ended them."""
        self.hold_after: int | None = None
        """Stop a stream after so many events until `release` is called."""
        self.arrived = threading.Semaphore(0)
        """One up for each request that arrived."""
        self.left = threading.Event()
        """Set once a client went away in the middle of a stream."""
        self._released = threading.Event()

    def release(self) -> None:
        """Let held and hanging requests go on."""
        self._released.set()

    def is_released(self, within_s: float) -> bool:
        """Wait shortly for `release`; tell whether it was called."""
        return self._released.wait(within_s)

    def wait_released(self) -> None:
        """Wait for `release`, with a limit for the case that a test fails."""
        self._released.wait(_LONGEST_WAIT_S)

    def bodies(self) -> list[Request]:
        """Return the requests for an answer, without those for lists."""
        return [request for request in self.requests if request.method == "POST"]

    def chats(self) -> list[Request]:
        """Return the requests for a streamed answer, without those that look for memories."""
        return [each for each in self.bodies() if each.body.get("stream") or "streamGenerate" in each.path]


@contextmanager
def running_provider() -> Iterator[FakeProvider]:
    """Run a fake server on a free port."""
    server = _Server(("127.0.0.1", 0), _Handler)
    fake = server.fake
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.release()
        server.shutdown()
        server.server_close()
        thread.join()


def refused_url() -> str:
    """Return an address on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.fake = FakeProvider(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_args):
        """Stay quiet."""

    @property
    def fake(self) -> FakeProvider:
        return cast("_Server", self.server).fake

    def do_GET(self):
        request = self._take()
        if not self._refused(request):
            self._send_json(200, self._listing(request.path))

    def do_POST(self):
        request = self._take()
        if self._refused(request):
            return
        if self.fake.faults_for_chats:
            self._fail(request, self.fake.faults_for_chats.popleft())
            return
        dialect = next(
            (each for name, each in _DIALECTS.items() if request.path.partition("?")[0].endswith(name)), None
        )
        if self.fake.is_ollama and dialect is _DIALECTS["/chat/completions"]:
            dialect = _OLLAMA
        model = request.body.get("model") or request.path.partition("/models/")[2].partition(":")[0]
        if dialect is None or model in self.fake.unknown_models:
            self._send_json(404, wire_formats.error_body(request.path, 404))
        elif request.body.get("stream") or "streamGenerate" in request.path:
            if self.fake.calls and dialect.call:
                self._stream(dialect.call(model, *self.fake.calls.popleft()), None)
                return
            words = [f"{word} " for word in self.fake.answer(request).split(" ")]
            events = dialect.events(model, [*words[:-1], words[-1].rstrip()], self.fake.thoughts)
            if self.fake.cuts_short or self.fake.filters:
                events = wire_formats.cut_short_stream(events, by_filter=self.fake.filters)
            self._stream(events, self._stream_fault())
        else:
            row = dialect.document(model, self.fake.answer(request))
            self._send_json(200, wire_formats.cut_short(row) if self.fake.cuts_short else row)

    def _take(self) -> Request:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        request = Request(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=json.loads(raw) if raw else {},
        )
        self.fake.requests.append(request)
        self.fake.arrived.release()
        return request

    def _refused(self, request: Request) -> bool:
        """Answer what fails before a stream begins; tell whether it did."""
        fake = self.fake
        if not request.path.startswith(fake.prefix):
            self._send_json(404, {"detail": "Not Found"})
            return True
        given = [request.headers.get(name, "") for name in ("authorization", "x-api-key", "x-goog-api-key")]
        if fake.key is not None and not any(value.removeprefix("Bearer ") == fake.key for value in given):
            refusal = 400 if "/v1beta/" in request.path else 401
            self._send_json(refusal, wire_formats.wrong_key_body(request.path))
            return True
        if not fake.faults or fake.faults[0].kind in _IN_STREAM:
            return False
        self._fail(request, fake.faults.popleft())
        return True

    def _fail(self, request: Request, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.STATUS:
                self._send_json(
                    fault.status, wire_formats.error_body(request.path, fault.status, fault.message), fault.headers
                )
            case FaultKind.HANG:
                self.fake.wait_released()
                self.close_connection = True
            case FaultKind.RESET:
                self._hang_up()
            case FaultKind.HTML:
                self._send(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})
            case FaultKind.PACKED:
                self._send(200, fault.event, {"Content-Type": "application/json", "Content-Encoding": "gzip"})
            case FaultKind.DRIP:
                self._drip()
            case _:
                self._send(200, b"data: " + _LINES[fault.kind] + b"\n\n", _EVENTS)

    def _drip(self) -> None:
        """Send a line that never ends, a byte now and then: the connection lives, and nothing is said."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._chunk(b'data: {"')
        while self._chunk(b"x") and not self.fake.is_released(0.05):
            pass
        self.close_connection = True

    def _stream_fault(self) -> Fault | None:
        return self.fake.faults.popleft() if self.fake.faults else None

    def _stream(self, events: list[bytes], fault: Fault | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, event in enumerate(events):
            if fault is not None and (fault.kind is FaultKind.EMPTY or number == fault.after):
                break
            if number == self.fake.hold_after:
                self.fake.wait_released()
            if not self._chunk(event):
                return
        if fault is not None and fault.kind is FaultKind.CUT:
            self._hang_up()
            return
        if fault is not None and fault.kind is FaultKind.TOLD:
            self._chunk(fault.event)
        self._chunk(b"")

    def _chunk(self, data: bytes) -> bool:
        try:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()
        except OSError:
            self.fake.left.set()
            self.close_connection = True
            return False
        return True

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _listing(self, path: str) -> wire_formats.Row:
        if "/v1beta/" in path:
            rows = [
                {"name": f"models/{name}", "supportedGenerationMethods": ["generateContent"]}
                for name in self.fake.models
            ]
            return {"models": rows}
        return {"object": "list", "data": [{"id": name, "object": "model"} for name in self.fake.models]}

    def _send_json(self, status: int, body: wire_formats.Row, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json"} | (headers or {}))

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
