"""Imports that are running: they go on whatever page their owner looks at."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock

from optimus.background import BackgroundJob
from optimus.errors import InvalidInputError, OptimusError
from optimus.models import UserId
from optimus.privacy.importing import ImportPreview

STOP_S = 10.0
"""How long an erasure waits for an import to stop."""

_log = logging.getLogger(__name__)


class ImportJob(BackgroundJob):
    """One import, seen from the pages; `total` counts its records."""

    result: ImportPreview | None = None
    """What was done; None while it runs, and where it failed."""

    def step(self, done: int) -> None:
        """Note that more records are done.

        Raises:
            InvalidInputError: it was asked to stop.
        """
        self.done += done
        if self.is_stopping:
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
            self.end()


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
