"""Where this process listens: read from its own sockets, because the ASGI server does not tell the application."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from ipaddress import ip_address
from pathlib import Path
from threading import Event
from time import monotonic

from optimus.ops_access import own_connection

PATIENCE_S = 10.0
"""How long the server may take to listen after its application has opened the store."""
_PAUSE_S = 0.05
_ANSWER_S = 5.0
_DESCRIPTORS = Path("/dev/fd")
"""This process's open descriptors by number, on Linux and macOS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """What people and the command line are told: an address without a slash at its end, or a Unix socket's path."""

    url: str | None = None
    unix_socket: str | None = None
    is_loopback: bool = False
    """Whether the address is this machine's own, which is where commands are taken."""


def find_listening(stopping: Event, patience_s: float = PATIENCE_S) -> Listening:
    """Return where this process listens, waiting until it does; nothing if it does not in time, or is stopping.

    Blocks: call it from a thread, since the process itself has to answer.
    """
    deadline = monotonic() + patience_s
    while not stopping.is_set() and monotonic() < deadline:
        sockets = list(_listening_sockets())
        found = next(filter(None, map(_proven, (name for name in sockets if isinstance(name, tuple)))), None)
        if found is not None:
            return found
        paths = [name for name in sockets if isinstance(name, str)]
        if paths:
            return Listening(unix_socket=paths[0])
        stopping.wait(_PAUSE_S)
    return Listening()


def _listening_sockets() -> Iterator[tuple[str, int] | str]:
    """Yield host and port, or the path of a Unix socket, of every socket that this process accepts connections at."""
    for descriptor in [int(entry.name) for entry in _DESCRIPTORS.iterdir()]:
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as listener:
                if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    continue
                family, address = listener.family, listener.getsockname()
        except OSError:  # another thread closed it meanwhile
            continue
        if family in (socket.AF_INET, socket.AF_INET6):
            yield address[0], address[1]
        elif family == socket.AF_UNIX:
            yield address if isinstance(address, str) else ""


def _proven(address: tuple[str, int]) -> Listening | None:
    """Return the address if Optimus answers there, with the scheme that it answers to."""
    host, port = _reachable(address[0]), address[1]
    scheme = next((scheme for scheme in ("http", "https") if _answers(scheme, host, port)), None)
    if scheme is None:
        return None
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    return Listening(url=url, is_loopback=ip_address(host).is_loopback)


def _reachable(host: str) -> str:
    """Return the address to connect to: a socket for all addresses is reached at this machine's own."""
    bound = ip_address(host.partition("%")[0])
    if bound.is_unspecified:
        return "127.0.0.1" if bound.version == 4 else "::1"  # noqa: PLR2004 - the version of the Internet Protocol
    return str(bound)


def _answers(scheme: str, host: str, port: int) -> bool:
    connection = own_connection(scheme, host, port, timeout_s=_ANSWER_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200  # noqa: PLR2004 - HTTP's OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
