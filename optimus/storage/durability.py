"""Group commit: one sync to disk serves every write before it.

A write survives the death of the process at once; only power loss needs the sync. Critical writes wait for it, all
others are covered within a second by the same thread.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Thread
from time import monotonic

from optimus.errors import StoreError, StoreUnavailableError
from optimus.storage.folder import lacks_handles

WINDOW_S = 0.9
"""Leaves the rest of the second to the sync itself."""
_NO_MORE = "Optimus cannot write to its disk safely any more, so nothing new is kept. It has to be restarted."
IDLE_S = 30.0
"""Without a write for so long, the engine's log is trimmed: that pauses the process, so it waits for a quiet moment."""


class GroupCommit:
    """One thread that syncs, and flushes when nobody writes; any number of threads that wait for it.

    A failed sync is final: the system may have dropped the pages that it could not write and report success next
    time, so nothing after it counts as durable until the store is opened anew, and no write is let through. Where only
    a file handle was missing, nothing was synced and nothing dropped, so the next round tries again.
    """

    def __init__(
        self,
        *,
        sync: Callable[[], None],
        flush: Callable[[], None],
        window_s: float = WINDOW_S,
        idle_s: float = IDLE_S,
    ) -> None:
        self._sync = sync
        self._flush = flush
        self._window_s = window_s
        self._idle_s = idle_s
        self._is_unflushed = False
        self._state = Condition()
        self._wanted = 0
        self._done = 0
        self._refused = 0
        self._error: str | None = None
        self._is_dirty = False
        self._unsynced: list[float] = []
        self._synced_at: float | None = None
        self._is_closed = False
        self._thread = Thread(target=self._run, name="optimus-commit", daemon=True)
        self._thread.start()

    def mark(self) -> None:
        """Note a write; it is synced within the window."""
        if self._is_dirty:
            return
        with self._state:
            self._is_dirty = True
            self._unsynced.append(monotonic())
            self._state.notify_all()

    def lag_s(self) -> float:
        """Return how many seconds the oldest write has been waiting for its sync; 0 where none waits.

        After a failed sync it grows for ever: what was written then may be lost.
        """
        with self._state:
            return monotonic() - self._unsynced[0] if self._unsynced else 0.0

    def synced_ago_s(self) -> float | None:
        """Return how many seconds ago the last sync ended; None where there was none yet."""
        with self._state:
            return None if self._synced_at is None else monotonic() - self._synced_at

    def wait(self) -> None:
        """Return once a sync that began after this call is over.

        Raises:
            StoreUnavailableError: a sync failed, or the store is closed.
        """
        with self._state:
            self._wanted += 1
            ticket = self._wanted
            self._state.notify_all()
            self._state.wait_for(lambda: max(self._done, self._refused) >= ticket or self._error is not None)
            self._require()
            if self._done < ticket:
                raise StoreUnavailableError("no file handle is left to sync writes")

    def require(self) -> None:
        """Refuse a write that could not become durable.

        Raises:
            StoreUnavailableError: a sync failed, or the store is closed.
        """
        if self._error is not None:
            with self._state:
                self._require()

    def _require(self) -> None:
        if self._error is not None:
            raise StoreUnavailableError(f"writes cannot be synced to disk: {self._error}", user_message=_NO_MORE)

    def close(self) -> None:
        """Sync what is open and end the thread; closing twice does nothing."""
        with self._state:
            self._is_closed = True
            self._state.notify_all()
        self._thread.join()

    def _run(self) -> None:
        error = "the store is closed"
        try:
            while self._next_round():
                pass
        except (OSError, StoreError) as exc:
            error = str(exc)
        finally:
            with self._state:
                self._error = error
                self._state.notify_all()

    def _next_round(self) -> bool:
        """Wait for work, sync once, and tell whether another round may come."""
        if self._is_unflushed and not self._comes_work_soon():
            self._is_unflushed = not self._trims()
        with self._state:
            self._state.wait_for(self._has_work)
            self._state.wait_for(self._is_urgent, timeout=self._window_s)
            covered, closing, rounds = self._wanted, self._is_closed, len(self._unsynced)
            self._is_dirty = False
        try:
            self._sync()
        except (OSError, StoreError) as exc:
            if not lacks_handles(exc):
                raise
            self._put_off(covered)
            return not closing
        self._is_unflushed = True
        with self._state:
            self._done = covered
            del self._unsynced[:rounds]
            self._synced_at = monotonic()
            self._state.notify_all()
        return not closing

    def _trims(self) -> bool:
        """Flush; tell whether it was done, or has to wait until a file handle is free."""
        try:
            self._flush()
        except (OSError, StoreError) as exc:
            if not lacks_handles(exc):
                raise
            return False
        return True

    def _put_off(self, covered: int) -> None:
        """Tell those who wait, and leave what they wrote to the next round."""
        with self._state:
            self._refused = covered
            self._is_dirty = True
            self._state.notify_all()

    def _comes_work_soon(self) -> bool:
        with self._state:
            return self._state.wait_for(self._has_work, timeout=self._idle_s)

    def _has_work(self) -> bool:
        return self._is_dirty or self._is_urgent()

    def _is_urgent(self) -> bool:
        return self._is_closed or self._wanted > max(self._done, self._refused)
