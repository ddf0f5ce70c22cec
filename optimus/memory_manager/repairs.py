"""Making the repairs that a checkup proposes, and taking them back; every memory keeps its versions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from optimus.errors import NotFoundError
from optimus.memory_manager import bulk, versions
from optimus.memory_manager.episodes import hide, show
from optimus.memory_manager.shelf import Shelf, is_active
from optimus.models import Memory, MemoryId, MemoryStatus, UserId
from optimus.storage.checkups import Before, Repair, RepairKind


class Mender:
    """Makes repairs of one owner's memories, as of one moment. The caller holds the owner's lock."""

    def __init__(self, *, shelf: Shelf, owner: UserId, now: datetime) -> None:
        self._shelf = shelf
        self._owner = owner
        self._now = now

    def make(self, repair: Repair) -> Repair:
        """Make a repair and return it with what taking it back needs; what is no longer as it was is passed over.

        Only true memories are changed. Where the one to keep is not true any more, nothing is done.
        """
        keep = self._true(repair.keep) if repair.keep else None
        targets = [memory for memory_id in repair.targets if (memory := self._true(memory_id))]
        if repair.keep and keep is None:
            targets = []
        before = tuple(map(_before, (*([keep] if keep and targets else []), *targets)))
        if repair.kind is RepairKind.DELETE:
            bulk.forget_all(self._shelf, self._owner, [memory.id for memory in targets], now=self._now)
        elif repair.kind is RepairKind.ARCHIVE:
            for target in targets:
                self._change(target.id, lambda stored: _when_true(stored, self._put_away(stored)))
        elif keep and targets:
            self._replace(repair.kind, keep, targets)
        return repair.model_copy(update={"made_at": self._now, "before": before})

    def take_back(self, repair: Repair) -> Repair:
        """Make a repair as if it had not been, as far as its memories still stand as it left them."""
        keep = self._shelf.find(self._owner, repair.keep) if repair.keep else None
        if repair.kind is RepairKind.DELETE:
            bulk.restore_all(self._shelf, self._owner, [each.id for each in repair.before], now=self._now)
        else:
            for each in repair.before:
                if each.id == repair.keep:
                    continue
                self._bring_back(each, repair, keep)
        if keep and is_active(keep) and repair.kind is RepairKind.MERGE:
            self._share_out(repair, keep.id)
        return repair.model_copy(update={"made_at": None, "before": ()})

    def _replace(self, kind: RepairKind, keep: Memory, targets: list[Memory]) -> None:
        at = keep.valid_from if kind is RepairKind.SUPERSEDE else self._now
        stems = self._shelf.stems()
        for target in targets:
            ended = max(at, target.valid_from)

            def replaced(stored: Memory, ended: datetime = ended) -> Memory | None:
                return _when_true(stored, versions.superseded(stored, by=keep.id, at=ended, now=self._now))

            self._change(target.id, replaced)
            if kind is RepairKind.SUPERSEDE:
                self._change(keep.id, partial(self._succeeding, before=target.id))
            hide(self._shelf, self._owner, target, by=keep.id, now=self._now, stems=stems)
        if kind is RepairKind.MERGE:
            sources = tuple(dict.fromkeys((*keep.sources, *(key for each in targets for key in each.sources))))
            said = sum(each.confirmations for each in targets)
            self._change(
                keep.id,
                lambda stored: self._tidied(stored, sources=sources, confirmations=stored.confirmations + said),
            )

    def _succeeding(self, stored: Memory, *, before: MemoryId) -> Memory | None:
        """Name what a memory replaced, so that this comes back when the memory is withdrawn."""
        return None if stored.supersedes else self._tidied(stored, supersedes=before)

    def _bring_back(self, before: Before, repair: Repair, keep: Memory | None) -> None:
        """Make a memory true again, unless it was changed since, or what replaced it was replaced in turn."""
        if repair.kind is not RepairKind.ARCHIVE and (keep is None or not is_active(keep)):
            return
        left = MemoryStatus.ARCHIVED if repair.kind is RepairKind.ARCHIVE else MemoryStatus.SUPERSEDED

        def back(stored: Memory) -> Memory | None:
            if stored.status is not left or (repair.keep and stored.superseded_by != repair.keep):
                return None
            return self._tidied(
                stored,
                reason="undo",
                status=before.status,
                superseded_by=before.superseded_by,
                valid_to=before.valid_to,
            )

        memory = self._change(before.id, back)
        if memory and is_active(memory):
            show(self._shelf, self._owner, memory, instead_of=repair.keep, now=self._now)

    def _share_out(self, repair: Repair, keep: MemoryId) -> None:
        """Take from the kept memory what it took over."""
        own = next((each for each in repair.before if each.id == keep), None)
        if own is None:
            return
        taken = {source for each in repair.before if each.id != keep for source in each.sources} - set(own.sources)
        said = sum(each.confirmations for each in repair.before if each.id != keep)
        self._change(
            keep,
            lambda stored: self._tidied(
                stored,
                reason="undo",
                sources=tuple(source for source in stored.sources if source not in taken),
                confirmations=max(1, stored.confirmations - said),
            ),
        )

    def _put_away(self, memory: Memory) -> Memory:
        return self._tidied(memory, status=MemoryStatus.ARCHIVED)

    def _tidied(self, memory: Memory, reason: str = "tidy", **fields: Any) -> Memory:
        return versions.changed(memory, now=self._now, reason=reason, **fields)

    def _true(self, memory_id: MemoryId) -> Memory | None:
        memory = self._shelf.find(self._owner, memory_id)
        return memory if memory and is_active(memory) else None

    def _change(self, memory_id: MemoryId, change: Callable[[Memory], Memory | None]) -> Memory | None:
        with suppress(NotFoundError):
            return self._shelf.change(self._owner, memory_id, change)
        return None


def _when_true(stored: Memory, following: Memory) -> Memory | None:
    return following if is_active(stored) else None


def _before(memory: Memory) -> Before:
    fields = {name: getattr(memory, name) for name in Before.model_fields}
    return Before.model_validate(fields)
