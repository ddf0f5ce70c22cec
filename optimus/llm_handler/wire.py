"""The HTTP clients that every provider's library is given.

One pool for all calls: little time to connect, a bound on the silence between two chunks, no redirects (a key must
not follow one), no proxies or credentials from the environment.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from optimus.llm_handler.loop import leave
from optimus.llm_handler.pinning import IsTrusted, Lookup, PinningBackend, system_lookup

if TYPE_CHECKING:
    import httpx
    import httpx2

MAX_CONNECTIONS = 1000
MAX_IDLE = 8
"""Few: with every request and every end, the library looks at each idle connection by a call of the system."""
KEEP_S = 5.0
"""How long a connection without a request is kept."""
WRITE_S = 30.0
POOL_S = 10.0
_USER_AGENT = {"User-Agent": "optimus"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What the calls of models need of the world: replaced where time and names are made up."""

    monotonic: Callable[[], float] = time.monotonic
    """Seconds that only go forward."""
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits before a request is sent again."""
    lookup: Lookup = system_lookup
    """Finds the addresses of a name."""


class HttpClients:
    """Both generations of the HTTP library, made on first use; one provider's library still wants the older one."""

    def __init__(
        self, *, connect_s: float, read_s: float, is_trusted: IsTrusted, lookup: Lookup = system_lookup
    ) -> None:
        self._is_trusted = is_trusted
        self._lookup = lookup
        self._connect_s = connect_s
        self._read_s = read_s
        self._lock = threading.Lock()
        self._modern: httpx2.AsyncClient | None = None
        self._legacy: httpx.AsyncClient | None = None

    def modern(self) -> httpx2.AsyncClient:
        """Return the client for all libraries but one."""
        import httpcore2  # noqa: PLC0415
        import httpx2  # noqa: PLC0415

        with self._lock:
            if self._modern is None:
                self._modern = httpx2.AsyncClient(
                    timeout=httpx2.Timeout(connect=self._connect_s, read=self._read_s, write=WRITE_S, pool=POOL_S),
                    transport=self._pinned(httpx2, httpcore2),
                    headers=_USER_AGENT,
                    trust_env=False,
                    follow_redirects=False,
                    event_hooks={"request": [self._cap_connect]},
                )
            return self._modern

    def legacy(self) -> httpx.AsyncClient:
        """Return the client for the library that wants the older kind."""
        import httpcore  # noqa: PLC0415
        import httpx  # noqa: PLC0415

        with self._lock:
            if self._legacy is None:
                self._legacy = httpx.AsyncClient(
                    timeout=httpx.Timeout(connect=self._connect_s, read=self._read_s, write=WRITE_S, pool=POOL_S),
                    transport=self._pinned(httpx, httpcore),
                    headers=_USER_AGENT,
                    trust_env=False,
                    follow_redirects=False,
                    event_hooks={"request": [self._cap_connect]},
                )
            return self._legacy

    def _pinned(self, http: ModuleType, core: ModuleType) -> Any:
        """Return a transport whose connections go to checked addresses only.

        The library has no public way to give its transport another network, so its pool is replaced.
        """
        transport = http.AsyncHTTPTransport(trust_env=False)
        transport._pool = core.AsyncConnectionPool(  # noqa: SLF001 - see above; a test holds it
            ssl_context=http.create_ssl_context(trust_env=False),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_IDLE,
            keepalive_expiry=KEEP_S,
            network_backend=PinningBackend(core=core, is_trusted=self._is_trusted, lookup=self._lookup),
        )
        return transport

    async def _cap_connect(self, request: Any) -> None:
        """Keep the short time to connect where a library sends one number for all phases; let the next call prepare."""
        leave()
        timeout = request.extensions.get("timeout", {})
        connect = timeout.get("connect")
        capped = self._connect_s if connect is None else min(connect, self._connect_s)
        request.extensions = {**request.extensions, "timeout": {**timeout, "connect": capped}}

    async def close(self) -> None:
        """Close the connections, on the loop that opened them."""
        with self._lock:
            modern, self._modern = self._modern, None
            legacy, self._legacy = self._legacy, None
        if modern is not None:
            await modern.aclose()
        if legacy is not None:
            await legacy.aclose()
