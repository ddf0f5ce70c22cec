"""Many memories at once: forget and restore as `Reverter` does for one, in few short writes.

All of one act carry one moment, by which it can be taken back whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from optimus.memory_manager import versions
from optimus.memory_manager.shelf import Shelf, episode_id, is_active
from optimus.models import Memory, MemoryId, MemoryStatus, UserId

BATCH = 200
"""Memories of one step: the engine holds every session while it writes."""


def in_batches(ids: Sequence[MemoryId]) -> Iterator[Sequence[MemoryId]]:
    """Yield ids, `BATCH` at a time."""
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def forget_all(shelf: Shelf, owner: UserId, ids: Sequence[MemoryId], *, now: datetime) -> Collection[MemoryId]:
    """Take memories, and the messages that say them, out of use; return those that were not out of use before.

    Those that are missing or somebody else's are passed over.
    """
    found = [memory for memory in shelf.index.get(owner, ids) if memory.status is not MemoryStatus.DELETED]
    gone = [versions.forgotten(memory, now=now) for memory in found]
    written = shelf.index.replace_all(owner, gone)
    for episodes in _episodes(shelf, owner, (memory for memory in gone if memory.id in written)):
        hidden = [
            versions.changed(episode, now=now, reason="forget", status=MemoryStatus.ARCHIVED)
            for episode in episodes
            if is_active(episode)
        ]
        shelf.index.replace_all(owner, hidden)
    return written


def restore_all(shelf: Shelf, owner: UserId, ids: Sequence[MemoryId], *, now: datetime) -> Collection[MemoryId]:
    """Bring forgotten memories back, with the messages that say nothing else that is forgotten; return those."""
    found = [memory for memory in shelf.index.get(owner, ids) if memory.status is MemoryStatus.DELETED]
    back = [versions.restored(memory, now=now) for memory in found]
    written = shelf.index.replace_all(owner, back)
    for episodes in _episodes(shelf, owner, (memory for memory in back if memory.id in written)):
        hidden = [episode for episode in episodes if episode.status is MemoryStatus.ARCHIVED]
        said = {memory_id for episode in hidden for memory_id in episode.derived}
        deleted = {memory.id for memory in shelf.index.get(owner, [*said]) if memory.status is MemoryStatus.DELETED}
        shown = [
            versions.changed(episode, now=now, reason="undo", status=MemoryStatus.ACTIVE)
            for episode in hidden
            if deleted.isdisjoint(episode.derived)
        ]
        shelf.index.replace_all(owner, shown)
    return written


def _episodes(shelf: Shelf, owner: UserId, memories: Iterable[Memory]) -> Iterator[list[Memory]]:
    """Yield the messages that said the memories, some at a time, each once."""
    ids = dict.fromkeys(episode_id(source) for memory in memories for source in memory.sources)
    for some in in_batches(list(ids)):
        yield shelf.index.get(owner, some)
