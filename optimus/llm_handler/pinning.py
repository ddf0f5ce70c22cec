"""Which address a name is connected to: it is looked up once, each answer is checked, and that very one is called.

So a name cannot be public when it is checked and private when it is called. It stands below the pool of the HTTP
library, which goes on to key connections and certificates by the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from types import ModuleType
from typing import Any

from optimus.errors import InvalidInputError
from optimus.llm_handler.addresses import check_resolved

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the addresses of a name, best first; raises `OSError` where there are none."""
IsTrusted = Callable[[str, int], bool]
"""Tells whether whoever runs Optimus named this host and port, so that it may be in the own network."""


async def system_lookup(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class PinningBackend:
    """The network of one generation of the HTTP library, which is `core`; only checked addresses are connected to."""

    def __init__(self, *, core: ModuleType, is_trusted: IsTrusted, lookup: Lookup) -> None:
        self._core = core
        self._inner = core.AnyIOBackend()
        self._is_trusted = is_trusted
        self._lookup = lookup

    async def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> Any:  # noqa: ASYNC109 - the library's own signature
        """Connect to the first checked address that answers, all within `timeout` seconds.

        Raises:
            ConnectError: the name leads nowhere, or where it must not lead; the cause says which.
            ConnectTimeout: nobody answered in time.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._checked(host, port)
                return await self._first(addresses, port, options)
        except (OSError, InvalidInputError) as exc:
            kind = self._core.ConnectTimeout if isinstance(exc, TimeoutError) else self._core.ConnectError
            raise kind(type(exc).__name__) from exc

    async def connect_unix_socket(self, *_args: Any, **_options: Any) -> Any:
        """Refuse: no model is called over a file."""
        raise self._core.ConnectError("no unix sockets")

    async def sleep(self, seconds: float) -> None:
        """Wait between two tries of the pool."""
        await self._inner.sleep(seconds)

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        addresses = [host] if _is_address(host) else await self._lookup(host, port)
        for address in addresses:
            check_resolved(host, address, is_trusted=self._is_trusted(host, port))
        if not addresses:
            raise socket.gaierror("no address")
        return addresses

    async def _first(self, addresses: Sequence[str], port: int, options: dict[str, Any]) -> Any:
        """Connect to the addresses in turn; each but the last gets a share of the time."""
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout=1.0, **options)
            except (self._core.ConnectError, self._core.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout=None, **options)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
