"""The one background event loop on which every model call runs.

Pages run in threads without a loop, and a page's run ends long before an answer does; a provider's connections
belong to the loop that opened them. So there is one loop, in one thread, and whoever wants something from it
submits a coroutine.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from optimus.errors import ProviderUnreachableError

T = TypeVar("T")

_JOIN_S = 5.0
AT_ONCE = 2
"""Calls that are prepared at the same time: each takes some milliseconds of the loop."""
_LEAVE: ContextVar[Callable[[], None] | None] = ContextVar("leave_turnstile", default=None)


class Turnstile:
    """Lets few calls be prepared at a time, so that many at once do not hold the loop, and with it every answer.

    A place is given back by `leave`, once the request is on its way, or at the end of the block.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it while a request is prepared; everything that the block starts can leave it."""
        await self._free.acquire()
        given_back = False

        def give_back() -> None:
            nonlocal given_back
            if not given_back:
                given_back = True
                self._free.release()

        token = _LEAVE.set(give_back)
        try:
            yield
        finally:
            give_back()
            _LEAVE.reset(token)


def leave() -> None:
    """Give back the place that the present task holds in a turnstile, if it holds one."""
    give_back = _LEAVE.get()
    if give_back is not None:
        give_back()


class LoopThread:
    """An asyncio loop in a daemon thread, started by the constructor and ended by `close`."""

    def __init__(self, *, name: str = "optimus-models") -> None:
        self._loop = asyncio.new_event_loop()
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `work` on the loop and return at once.

        Raises:
            ProviderUnreachableError: the loop is closed, because the process is ending.
        """
        with self._lock:
            if self._closed:
                work.close()
                raise ProviderUnreachableError("loop closed", user_message="Optimus is shutting down.")
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Cancel what still runs, end the thread and free the loop; a second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._drain())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()

    async def _drain(self) -> None:
        own = asyncio.current_task()
        left = [task for task in asyncio.all_tasks() if task is not own]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()
