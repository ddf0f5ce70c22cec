"""What is done for everybody's memories by itself: the daily round, and looks through memories with progress."""

from __future__ import annotations

import logging
from datetime import timedelta
from threading import Event, Lock, Thread

from optimus.background import BackgroundJob
from optimus.errors import OptimusError
from optimus.memory_manager.graph import MemoryGraph
from optimus.memory_manager.health import MemoryHealth
from optimus.models import Clock, UserId
from optimus.preferences import PreferenceService
from optimus.storage.accounts import AccountRepository
from optimus.storage.work import WorkRepository

LOOK_EVERY_S = 300.0
"""How often the thread looks whether the round is due."""
ROUND = timedelta(days=1)
SPARE = timedelta(days=1)
"""So much longer is kept what was deleted: a clock that jumps a day ahead must not empty a bin too early."""
_PAUSE_S = 0.005
"""Between two batches of a look, so that everybody else comes first."""
_STOP_S = 10.0
_SETTING = "upkeep"
_log = logging.getLogger(__name__)


class _CancelledError(Exception):
    """A look was asked to end."""


class LookJob(BackgroundJob):
    """One look through an owner's memories; where it is stopped, what the look before found stays."""

    def step(self, done: int, total: int) -> None:
        """Note how far it has come, and let others go first."""
        self.done, self.total = done, total
        if self._stopping.wait(_PAUSE_S):
            raise _CancelledError


class UpkeepService:
    """Looks through memories on demand and once a day, and empties bins whose time is over."""

    def __init__(
        self,
        *,
        health: MemoryHealth,
        graph: MemoryGraph,
        preferences: PreferenceService,
        accounts: AccountRepository,
        work: WorkRepository,
        clock: Clock,
    ) -> None:
        self._health = health
        self._graph = graph
        self._preferences = preferences
        self._accounts = accounts
        self._work = work
        self._clock = clock
        self._jobs: dict[UserId, LookJob] = {}
        self._beginning = Lock()
        self._closing = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin the daily round; a second call does nothing."""
        if self._thread is None and not self._closing.is_set():
            self._thread = Thread(target=self._follow, name="optimus-upkeep", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop what runs, and begin nothing more; calling it twice does nothing."""
        self._closing.set()
        with self._beginning:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.stop()
        for job in jobs:
            job.wait(_STOP_S)
        if self._thread is not None:
            self._thread.join()

    def job(self, owner: UserId) -> LookJob | None:
        """Return the look that runs for an owner or ran last in this process."""
        return self._jobs.get(owner)

    def begin(self, owner: UserId) -> LookJob:
        """Look through an owner's memories in the background; where that is being done already, return that look."""
        job, is_new = self._new_job(owner)
        if is_new:
            Thread(target=self._look, args=(owner, job), name="optimus-look", daemon=True).start()
        return job

    def stop(self, owner: UserId) -> None:
        """End an owner's look and wait until it has ended."""
        job = self._jobs.get(owner)
        if job is not None:
            job.stop()
            job.wait(_STOP_S)

    def run_due(self) -> bool:
        """Make the daily round if it is due; tell whether it was. Of several processes one makes it.

        A round at a time to come was made before the clock was set back, and puts none off.
        """
        kept, now = self._work.setting(_SETTING) or {}, self._clock()
        if kept and 0 <= now.timestamp() - float(kept["ran_at"]) < ROUND.total_seconds():
            return False
        if not self._work.change_setting(_SETTING, {"ran_at": now.timestamp()}, version=int(kept.get("version", 0))):
            return False
        for user in self._accounts.users():
            if self._closing.is_set():
                break
            try:
                self.tend(user.id)
            except Exception as error:  # noqa: BLE001 - what is wrong with one account is no reason to leave the others
                _log.error("the memories of one account could not be tended: %s", type(error).__name__)
        return True

    def tend(self, owner: UserId) -> None:
        """Empty an owner's bin of what is too old, and look through their memories if that is due."""
        chosen, now = self._preferences.of(owner), self._clock()
        if chosen.bin_days is not None:
            self._health.purge(owner, before=now - timedelta(days=chosen.bin_days) - SPARE)
        self._graph.bring_up(owner)
        if chosen.checkup_days is None:
            return
        last = self._health.last(owner)
        if last is None or last.at is None or now - last.at >= timedelta(days=chosen.checkup_days):
            job, is_new = self._new_job(owner)
            if is_new:
                self._look(owner, job)

    def _new_job(self, owner: UserId) -> tuple[LookJob, bool]:
        with self._beginning:
            job = self._jobs.get(owner)
            if job is not None and not job.is_over:
                return job, False
            job = self._jobs[owner] = LookJob()
            if self._closing.is_set():
                job.stop()
            return job, True

    def _look(self, owner: UserId, job: LookJob) -> None:
        try:
            self._health.look(owner, job.step)
        except _CancelledError:
            return
        except OptimusError as error:
            job.error = error.user_message
        except Exception as error:  # noqa: BLE001 - in a thread of its own nobody else would hear of it
            _log.error("a look through memories failed: %s", type(error).__name__)
            job.error = "Your memories could not be looked through. The server's log says more."
        finally:
            job.end()

    def _follow(self) -> None:
        while not self._closing.wait(LOOK_EVERY_S):
            try:
                self.run_due()
            except Exception:  # noqa: BLE001 - the next round is due all the same
                _log.exception("the daily round could not be made")
