"""What goes wrong between a client and a server: connections that break, and calls whose fate the client cannot see.

A proxy stands on the wire, so that a broken connection is one; the server tells it when. Time that a client would
spend in waiting is skipped on a clock that the client shares, so that no fault depends on how busy the machine is.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable
from enum import StrEnum
from random import Random
from threading import Condition, Event, Lock, Thread, Timer
from time import monotonic
from typing import Any

import grpc  # type: ignore[import-untyped]

CLOSED_S = 0.03
"""How long a door that refuses connections stays shut; nothing waits for it but gRPC's own next try."""
SETTLED_S = 60.0
"""So long anything here may take on a machine that is busy; nothing needs more than moments on one that is not."""
READS = frozenset(
    {"Get", "Scroll", "Count", "Query", "QueryBatch", "Facet", "List", "CollectionExists", "ListAliases", "HealthCheck"}
)


class Fault(StrEnum):
    """What happens to a call."""

    REFUSED = "refused"
    """The connection breaks before the call is applied, and new ones are refused for a moment."""
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"
    """It is never applied, and no answer comes: the client waits as long as it may, and gives up."""
    RESET_BEFORE = "reset before"
    RESET_AFTER = "reset after"
    """The connection breaks after the call was applied."""
    DROPPED = "reply dropped"
    """It is applied, and no answer comes."""
    DELAYED = "delayed"
    """It is applied as soon as the client has given up, while that one goes on."""
    LATE = "late"
    """It is applied when the client has given up, and whatever it did next is over."""
    OUTAGE = "outage"
    """This call and all after it are refused, until the fault is taken away."""


class Proxy:
    """Passes bytes between clients and a port of loopback."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        self._is_closed = False
        self._place = _bound(0)
        """Never listens: it keeps the port while nobody does, which else the system might give away."""
        self.port: int = self._place.getsockname()[1]
        self._listener = self._listen()

    def cut(self) -> None:
        """Reset every connection, as a machine that goes down does."""
        with self._lock:
            gone, self._open = self._open, set()
        for each in gone:
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            _end(each)

    def refuse(self) -> None:
        """Break every connection and take no new one."""
        _end(self._listener)
        self.cut()

    def accept(self) -> None:
        """Take connections again."""
        self._listener = self._listen()

    def close(self) -> None:
        """Stop."""
        self._is_closed = True
        self.refuse()
        self._place.close()

    def _listen(self) -> socket.socket:
        listener = _bound(self.port)
        listener.listen()
        Thread(target=self._serve, args=(listener,), daemon=True).start()
        return listener

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            if self._is_closed:
                self.cut()
            for source, sink in ((client, server), (server, client)):
                Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for each in (source, sink):
            _end(each)
            with self._lock:
                self._open.discard(each)


def _bound(port: int) -> socket.socket:
    """Return a socket at a port of loopback; several may be bound there as long as one at most listens."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


def _end(each: socket.socket) -> None:
    """Close a socket, and wake whoever reads from it."""
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


class Faults:
    """Lets one call, counted from now, go wrong; `calls` names all that came since.

    `deadline_s` is what a client is ready to wait, in seconds of `clock`.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.calls: list[str] = []
        self.lost = 0
        """How many replies were lost so far of what had been applied."""
        self.deadline_s = 0.0
        self._skipped_s = 0.0
        self._fault: Fault | None = None
        self._place = 0
        self._share: float | None = None
        self._chance = Random()
        self._state = Condition()
        self._busy = 0
        self._door: Timer | None = None
        self._late: list[Callable[[], Any]] = []

    def clock(self) -> float:
        """Return seconds that only go forward, with those that a client has waited for nothing."""
        return monotonic() + self._skipped_s

    def plan(self, fault: Fault | None, place: int = 0) -> None:
        """Begin to count calls anew, and let the one at `place` go wrong; None lets all go well."""
        with self._state:
            self.calls, self._fault, self._place, self._share = [], fault, place, None

    def plan_often(self, fault: Fault, share: float, *, seed: int) -> None:
        """Begin to count calls anew, and let a share of the writes go wrong, by chance."""
        with self._state:
            self.calls, self._fault, self._share, self._chance = [], fault, share, Random(seed)

    def settle(self) -> None:
        """Return once no call is under way, one that is applied late included, and the door is open."""
        with self._state:
            assert self._state.wait_for(lambda: not self._busy, SETTLED_S)
            late, self._late = self._late, []
        for apply in late:
            with contextlib.suppress(Exception):
                apply()
        if self._door is not None:
            self._door.join(SETTLED_S)

    def between(self, name: str, context: Any, apply: Callable[[], Any]) -> Any:
        """Apply a call, or let happen to it what is planned."""
        with self._state:
            fault = self._fault
            is_due = self._is_due(name)
            self.calls.append(name)
            self._busy += 1
        try:
            return self._happen(fault, context, apply) if fault and is_due else apply()
        finally:
            self._done()

    def _is_due(self, name: str) -> bool:
        if self._share is not None:
            return name not in READS and self._chance.random() < self._share
        return len(self.calls) == self._place or (self._fault is Fault.OUTAGE and len(self.calls) >= self._place)

    def _done(self) -> None:
        with self._state:
            self._busy -= 1
            self._state.notify_all()

    def _happen(self, fault: Fault, context: Any, apply: Callable[[], Any]) -> Any:
        if fault is Fault.REFUSED:
            self.proxy.refuse()
            self._door = Timer(CLOSED_S, self.proxy.accept)
            self._door.start()
        elif fault is Fault.RESET_BEFORE:
            self.proxy.cut()
        elif fault is Fault.RESET_AFTER:
            apply()
            self.lost += 1
            self.proxy.cut()
        elif fault is Fault.DROPPED:
            apply()
        elif fault is Fault.DELAYED:
            self._afterwards(context, apply)
        elif fault is Fault.LATE:
            self._late.append(apply)
        if fault in (Fault.DEADLINE, Fault.DROPPED, Fault.DELAYED, Fault.LATE):
            self._skipped_s += self.deadline_s
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the test wants this")
        context.abort(grpc.StatusCode.UNAVAILABLE, "the test wants this")

    def _afterwards(self, context: Any, apply: Callable[[], Any]) -> None:
        """Apply a call in a thread of its own once its client has given up."""
        over = Event()

        def work() -> None:
            try:
                over.wait(SETTLED_S)
                apply()
            except Exception:  # noqa: BLE001 - what the server refuses now would have been refused before
                pass
            finally:
                self._done()

        assert context.add_callback(over.set)
        with self._state:
            self._busy += 1
        Thread(target=work, daemon=True).start()
