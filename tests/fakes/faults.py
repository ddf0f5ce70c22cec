"""What goes wrong between a client and a server: connections that break, and calls whose fate the client cannot see.

A proxy stands on the wire, so that a broken connection is one; the server tells it when.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable
from enum import StrEnum
from threading import Condition, Event, Lock, Thread, Timer
from typing import Any

import grpc  # type: ignore[import-untyped]

CLOSED_S = 0.03
"""How long a door that refuses connections stays shut; nothing waits for it but gRPC's own next try."""
READS = frozenset(
    {"Get", "Scroll", "Count", "Query", "QueryBatch", "Facet", "List", "CollectionExists", "ListAliases", "HealthCheck"}
)


class Fault(StrEnum):
    """What happens to a call."""

    REFUSED = "refused"
    """The connection breaks before the call is applied, and new ones are refused for a moment."""
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"
    """It is never applied, and no answer comes."""
    RESET_BEFORE = "reset before"
    RESET_AFTER = "reset after"
    """The connection breaks after the call was applied."""
    DROPPED = "reply dropped"
    """It is applied, and no answer comes."""
    DELAYED = "delayed"
    """It is applied only after the client has given up."""
    OUTAGE = "outage"
    """This call and all after it are refused, until the fault is taken away."""


class Proxy:
    """Passes bytes between clients and a port of loopback."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def cut(self) -> None:
        """Reset every connection, as a machine that goes down does."""
        with self._lock:
            gone, self._open = self._open, set()
        for each in gone:
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def refuse(self) -> None:
        """Break every connection and take no new one."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def accept(self) -> None:
        """Take connections again."""
        self._listener = self._listen(self.port)

    def close(self) -> None:
        """Stop."""
        self.refuse()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        Thread(target=self._serve, args=(listener,), daemon=True).start()
        return listener

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            with self._lock:
                self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
            with self._lock:
                self._open.discard(each)


class Faults:
    """Lets one call, counted from now, go wrong; `calls` names all that came since."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.calls: list[str] = []
        self._fault: Fault | None = None
        self._place = 0
        self._state = Condition()
        self._busy = 0

    def plan(self, fault: Fault | None, place: int = 0) -> None:
        """Begin to count calls anew, and let the one at `place` go wrong; None lets all go well."""
        with self._state:
            self.calls, self._fault, self._place = [], fault, place

    def settle(self) -> None:
        """Return once no call is under way, a delayed one included."""
        with self._state:
            assert self._state.wait_for(lambda: not self._busy, 10)

    def between(self, name: str, context: Any, apply: Callable[[], Any]) -> Any:
        """Apply a call, or let happen to it what is planned."""
        with self._state:
            fault = self._fault
            is_due = len(self.calls) == self._place or (fault is Fault.OUTAGE and len(self.calls) >= self._place)
            self.calls.append(name)
            self._busy += 1
        try:
            return self._happen(fault, context, apply) if fault and is_due else apply()
        finally:
            with self._state:
                self._busy -= 1
                self._state.notify_all()

    def _happen(self, fault: Fault, context: Any, apply: Callable[[], Any]) -> Any:
        if fault in (Fault.UNAVAILABLE, Fault.OUTAGE):
            context.abort(grpc.StatusCode.UNAVAILABLE, "the test wants this")
        if fault is Fault.REFUSED:
            self.proxy.refuse()
            Timer(CLOSED_S, self.proxy.accept).start()
        elif fault is Fault.RESET_BEFORE:
            self.proxy.cut()
        elif fault is Fault.DEADLINE:
            self._outlast(context)
        elif fault is Fault.DELAYED:
            self._outlast(context)
            return apply()
        answer = None
        if fault in (Fault.RESET_AFTER, Fault.DROPPED):
            answer = apply()
            self.proxy.cut() if fault is Fault.RESET_AFTER else self._outlast(context)
        if answer is None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the test wants this")
        return answer

    def _outlast(self, context: Any) -> None:
        """Hold the call until its client has given up."""
        over = Event()
        if context.add_callback(over.set):
            assert over.wait(10)
