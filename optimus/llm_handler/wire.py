"""The HTTP clients that every provider's library is given.

One pool for all calls: five seconds to connect, a bound on the silence between two chunks, no redirects (a key must
not follow one), no proxies or credentials from the environment.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx
    import httpx2

CONNECT_S = 5.0
WRITE_S = 30.0
POOL_S = 10.0
_USER_AGENT = {"User-Agent": "optimus"}


class HttpClients:
    """Both generations of the HTTP library, made on first use; one provider's library still wants the older one."""

    def __init__(self, *, read_s: float) -> None:
        self._read_s = read_s
        self._lock = threading.Lock()
        self._modern: httpx2.AsyncClient | None = None
        self._legacy: httpx.AsyncClient | None = None

    def modern(self) -> httpx2.AsyncClient:
        """Return the client for all libraries but one."""
        import httpx2  # noqa: PLC0415

        with self._lock:
            if self._modern is None:
                self._modern = httpx2.AsyncClient(
                    timeout=httpx2.Timeout(connect=CONNECT_S, read=self._read_s, write=WRITE_S, pool=POOL_S),
                    limits=httpx2.Limits(max_connections=1000, max_keepalive_connections=50),
                    headers=_USER_AGENT,
                    trust_env=False,
                    follow_redirects=False,
                    event_hooks={"request": [_cap_connect]},
                )
            return self._modern

    def legacy(self) -> httpx.AsyncClient:
        """Return the client for the library that wants the older kind."""
        import httpx  # noqa: PLC0415

        with self._lock:
            if self._legacy is None:
                self._legacy = httpx.AsyncClient(
                    timeout=httpx.Timeout(connect=CONNECT_S, read=self._read_s, write=WRITE_S, pool=POOL_S),
                    limits=httpx.Limits(max_connections=1000, max_keepalive_connections=50),
                    headers=_USER_AGENT,
                    trust_env=False,
                    follow_redirects=False,
                    event_hooks={"request": [_cap_connect]},
                )
            return self._legacy

    async def close(self) -> None:
        """Close the connections, on the loop that opened them."""
        with self._lock:
            modern, self._modern = self._modern, None
            legacy, self._legacy = self._legacy, None
        if modern is not None:
            await modern.aclose()
        if legacy is not None:
            await legacy.aclose()


async def _cap_connect(request: Any) -> None:
    """Keep the short time to connect where a library sends one number for all phases."""
    timeout = request.extensions.get("timeout", {})
    connect = timeout.get("connect")
    capped = CONNECT_S if connect is None else min(connect, CONNECT_S)
    request.extensions = {**request.extensions, "timeout": {**timeout, "connect": capped}}
