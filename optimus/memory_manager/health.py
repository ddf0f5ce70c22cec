"""How well an owner's memories are kept: looks through them, repairs that can be taken back, and the bin."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from optimus.errors import ConflictError
from optimus.memory_manager import bulk
from optimus.memory_manager.acts import Way
from optimus.memory_manager.checkup import Examination, Progress
from optimus.memory_manager.library import DELETED
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.remembering import Derive
from optimus.memory_manager.repairs import Mender
from optimus.memory_manager.shelf import Shelf
from optimus.models import Clock, Memory, MemoryId, UserId
from optimus.storage.audit_records import AuditAction
from optimus.storage.checkups import MAX_REPAIRS, Checkup, CheckupRepository, Problem, Repair, RepairKind
from optimus.storage.survey import MemorySurvey

__all__ = ["Checkup", "MemoryHealth", "Problem", "Repair", "RepairKind"]

UNDO_FOR = timedelta(days=30)
"""How long a repair can be taken back here; the versions of a memory stay longer."""
_KEPT = 40
_MAX_IGNORED = 500
_TRIES = 5


class MemoryHealth:
    """One owner's memories at a time; what is another's looks missing. Every method may raise `StoreError`."""

    def __init__(
        self,
        *,
        shelf: Shelf,
        survey: MemorySurvey,
        memory: MemoryManager,
        checkups: CheckupRepository,
        derive: Derive,
        clock: Clock,
    ) -> None:
        self._shelf = shelf
        self._survey = survey
        self._memory = memory
        self._checkups = checkups
        self._derive = derive
        self._clock = clock

    def last(self, owner: UserId) -> Checkup | None:
        """Return what the last look found, with what became of it; None where there was none."""
        return self._checkups.of(owner)

    def look(self, owner: UserId, progress: Progress = lambda _done, _total: None) -> Checkup:
        """Look through all true memories and keep what is found; nothing is changed.

        `progress` may raise to end the look; what the one before found stays then.
        """
        now = self._clock()
        found = Examination(
            shelf=self._shelf,
            survey=self._survey,
            derive=self._derive,
            owner=owner,
            now=now,
            progress=progress,
        ).run()
        with self._memory.changing(owner):
            before = self._checkups.of(owner)
            made = [each for each in before.repairs if _may_undo(each, now)][-_KEPT:] if before else []
            ignored = before.ignored if before else ()
            new = [each for each in found.repairs if each.id not in ignored and each.id not in {m.id for m in made}]
            repairs = (*new[: MAX_REPAIRS - len(made)], *made)
            version = before.version + 1 if before else 1
            checkup = found.model_copy(update={"repairs": repairs, "ignored": ignored, "version": version})
            self._checkups.put(checkup)
        return checkup

    def make(self, owner: UserId, ids: Sequence[str], *, progress: Progress = lambda _done, _total: None) -> int:
        """Make proposed repairs; return how many. Those that are made already or unknown are passed over."""

        def made(repair: Repair) -> Repair | None:
            if repair.made_at:
                return None
            following = Mender(shelf=self._shelf, owner=owner, now=self._clock()).make(repair)
            self._tell(owner, following, is_back=False)
            return following

        return self._each(owner, ids, made, progress)

    def take_back(self, owner: UserId, ids: Sequence[str], *, progress: Progress = lambda _done, _total: None) -> int:
        """Take repairs back; return how many. Memories that were changed since stay as they are.

        Raises:
            LimitReachedError: memories would come back, and the owner has as many as allowed.
        """

        def back(repair: Repair) -> Repair | None:
            if not repair.made_at:
                return None
            self._shelf.refuse_beyond_limit(owner, len([each for each in repair.before if each.id != repair.keep]))
            following = Mender(shelf=self._shelf, owner=owner, now=self._clock()).take_back(repair)
            self._tell(owner, repair, is_back=True)
            return following

        return self._each(owner, ids, back, progress)

    def tidy(self, owner: UserId, repairs: Sequence[Repair]) -> int:
        """Make repairs at once that a model found after a chat, and keep them so that the owner can take them back.

        What was found before, and made, taken back or left out, is passed over. Returns how many were made.
        """
        with self._memory.changing(owner):
            last = self._checkups.of(owner)
            seen = {*last.ignored, *(each.id for each in last.repairs)} if last else set()
            new = {each.id: each for each in repairs if each.id not in seen}
            mender = Mender(shelf=self._shelf, owner=owner, now=self._clock())
            made = [each for each in map(mender.make, new.values()) if each.before]
            for each in made:
                self._tell(owner, each, is_back=False)
            if made and last is None:
                self._checkups.put(Checkup(user_id=owner, repairs=tuple(made[-_KEPT:])))
            elif made:
                self._change(owner, partial(_with_more, made))
        return len(made)

    def ignore(self, owner: UserId, ids: Collection[str]) -> None:
        """Leave proposals out, now and after later looks."""

        def left_out(checkup: Checkup) -> Checkup:
            repairs = tuple(each for each in checkup.repairs if each.made_at or each.id not in ids)
            ignored = tuple(dict.fromkeys((*checkup.ignored, *ids)))[-_MAX_IGNORED:]
            return checkup.model_copy(update={"repairs": repairs, "ignored": ignored})

        self._change(owner, left_out)

    def texts(self, owner: UserId, repairs: Sequence[Repair]) -> dict[MemoryId, Memory]:
        """Return the memories that repairs are about, as far as they exist."""
        ids = dict.fromkeys(key for each in repairs for key in (*each.targets, *([each.keep] if each.keep else [])))
        return {
            memory.id: memory for some in bulk.in_batches(list(ids)) for memory in self._shelf.index.get(owner, some)
        }

    def purge(self, owner: UserId, *, before: datetime) -> int:
        """Delete for good what went to the bin before a moment; return how many memories."""
        purged = 0
        old = [row.id for row in self._survey.rows(owner, DELETED) if row.updated_at < before]
        for some in bulk.in_batches(old):
            with self._memory.changing(owner):
                gone = [m.id for m in self._shelf.index.get(owner, some) if _is_gone(m, before)]
                self._shelf.index.delete(owner, gone)
            for memory_id in gone:
                self._memory.acts.did(AuditAction.MEMORY_PURGED, owner, memory_id, Way.HAND)
            purged += len(gone)
        return purged

    def _each(
        self, owner: UserId, ids: Sequence[str], change: Callable[[Repair], Repair | None], progress: Progress
    ) -> int:
        done = 0
        for number, repair_id in enumerate(dict.fromkeys(ids), 1):
            with self._memory.changing(owner):
                checkup = self._checkups.of(owner)
                repair = next((each for each in checkup.repairs if each.id == repair_id), None) if checkup else None
                following = change(repair) if repair else None
                if following:
                    self._change(owner, partial(_with, following))
                    done += 1
            progress(number, len(ids))
        return done

    def _change(self, owner: UserId, change: Callable[[Checkup], Checkup]) -> None:
        for _ in range(_TRIES):
            checkup = self._checkups.of(owner)
            if checkup is None or self._checkups.save(change(checkup)):
                return
        raise ConflictError("the checkup changes all the time")

    def _tell(self, owner: UserId, repair: Repair, *, is_back: bool) -> None:
        way = Way.CHAT if repair.by and not is_back else Way.HAND
        deletes = repair.kind is RepairKind.DELETE
        action = AuditAction.MEMORY_FORGOTTEN if deletes else AuditAction.MEMORY_REPLACED
        for each in repair.before:
            if each.id != repair.keep:
                self._memory.acts.did(AuditAction.MEMORY_UNDONE if is_back else action, owner, each.id, way)


def _with(repair: Repair, checkup: Checkup) -> Checkup:
    repairs = tuple(repair if each.id == repair.id else each for each in checkup.repairs)
    return checkup.model_copy(update={"repairs": repairs})


def _with_more(made: Sequence[Repair], checkup: Checkup) -> Checkup:
    """Add repairs that were made; the oldest of those go first where there are too many."""
    kept = [*(each for each in checkup.repairs if each.made_at), *made][-_KEPT:]
    open_ones = [each for each in checkup.repairs if not each.made_at]
    return checkup.model_copy(update={"repairs": (*open_ones[: MAX_REPAIRS - len(kept)], *kept)})


def _may_undo(repair: Repair, now: datetime) -> bool:
    return repair.made_at is not None and now - repair.made_at < UNDO_FOR


def _is_gone(memory: Memory, before: datetime) -> bool:
    return DELETED.statuses is not None and memory.status in DELETED.statuses and memory.updated_at < before
