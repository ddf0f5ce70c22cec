"""The one background event loop on which every model call runs.

Pages run in threads without a loop, and a page's run ends long before an answer does; a provider's connections
belong to the loop that opened them. So there is one loop, in one thread, and whoever wants something from it
submits a coroutine.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from optimus.errors import ProviderUnreachableError

T = TypeVar("T")

_JOIN_S = 5.0


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
