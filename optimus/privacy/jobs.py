"""Imports that are running: they go on whatever page their owner looks at."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Lock

from optimus.errors import InvalidInputError, OptimusError
from optimus.models import UserId
from optimus.privacy.importing import ImportPreview

STOP_S = 10.0
"""How long an erasure waits for an import to stop."""

_log = logging.getLogger(__name__)


class ImportJob:
    """One import, seen from the pages. Safe from any thread."""

    def __init__(self, *, total: int) -> None:
        self.total = total
        """How many records it goes through."""
        self._done = 0
        self._stopping = Event()
        self._ended = Event()
        self.result: ImportPreview | None = None
        """What was done; None while it runs, and where it failed."""
        self.error = ""
        """What to tell the owner where it failed."""

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        return min(1.0, self._done / self.total) if self.total else 0.0

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or not."""
        return self._ended.is_set()

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end; tell whether it has come."""
        return self._ended.wait(timeout_s)

    def stop(self) -> None:
        """Ask it to end after the present batch."""
        self._stopping.set()

    def step(self, done: int) -> None:
        """Note that more records are done.

        Raises:
            InvalidInputError: it was asked to stop.
        """
        self._done += done
        if self._stopping.is_set():
            raise InvalidInputError("stopped", user_message="The import was stopped. Import the file again to go on.")

    def run(self, work: Callable[[], ImportPreview]) -> None:
        """Do the work in this thread and keep how it ended."""
        try:
            self.result = work()
        except OptimusError as error:
            self.error = error.user_message
        except Exception as error:  # noqa: BLE001 - in a thread of its own nobody else would hear of it
            _log.error("an import failed: %s", type(error).__name__)
            self.error = OptimusError.user_message
        finally:
            self._ended.set()


class ImportJobs:
    """The imports of this process, one for each owner."""

    def __init__(self) -> None:
        self._jobs: dict[UserId, ImportJob] = {}
        self._lock = Lock()

    def begin(self, owner: UserId, job: ImportJob) -> ImportJob:
        """Take a job in.

        Raises:
            InvalidInputError: the owner's last one still runs.
        """
        with self._lock:
            last = self._jobs.get(owner)
            if last is not None and not last.is_over:
                raise InvalidInputError(user_message="An import is still running. Wait until it has ended.")
            self._jobs[owner] = job
        return job

    def of(self, owner: UserId) -> ImportJob | None:
        """Return the owner's job."""
        return self._jobs.get(owner)

    def put_away(self, owner: UserId) -> None:
        """Forget the owner's job, if it has ended."""
        with self._lock:
            last = self._jobs.get(owner)
            if last is not None and last.is_over:
                del self._jobs[owner]

    def give_up(self, owner: UserId) -> None:
        """Forget a job that was taken in and never ran."""
        with self._lock:
            self._jobs.pop(owner, None)

    def stop(self, owner: UserId) -> None:
        """Stop the owner's job and forget it."""
        job = self.of(owner)
        if job is not None:
            job.stop()
            job.wait(STOP_S)
            self.put_away(owner)

    def stop_all(self) -> None:
        """Stop every job, before the store closes."""
        for owner in list(self._jobs):
            self.stop(owner)
