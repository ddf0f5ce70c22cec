"""Documents that a user adds: remembered part by part, listed, and deleted as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import PurePath

from optimus.memory_manager.acts import Way
from optimus.memory_manager.episodes import clean
from optimus.memory_manager.library import MemoryLibrary
from optimus.memory_manager.manager import MemoryManager
from optimus.memory_manager.parts import Part, parts_of
from optimus.memory_manager.shelf import Shelf
from optimus.models import (
    Clock,
    Memory,
    MemoryId,
    MemoryType,
    Provenance,
    SourceKind,
    UserId,
    stable_id,
)
from optimus.storage.audit_records import AuditAction
from optimus.storage.documents import KEPT_STATUSES, DocumentIndex
from optimus.storage.records import MemoryFilter

IMPORTANCE = 0.4
"""Below what somebody said about themselves."""
BATCH = 32
"""Parts of one step: after each it is told how far it is."""
MAX_TITLE_CHARS = 120
EXTRACTOR = "document"

Progress = Callable[[int, int], None]
"""Is told how many parts are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as far as it is remembered now."""

    id: str
    title: str
    parts: int
    """How many there were when it was added."""
    kept: int
    """How many of them are remembered: some may have been deleted, or adding it was broken off."""
    added_at: datetime


class DocumentShelf:
    """One owner's documents at a time; a foreign id and a missing one look the same. May raise `StoreError`."""

    def __init__(
        self, *, index: DocumentIndex, shelf: Shelf, memory: MemoryManager, library: MemoryLibrary, clock: Clock
    ) -> None:
        self._index = index
        self._shelf = shelf
        self._memory = memory
        self._library = library
        self._clock = clock

    def add(self, owner: UserId, name: str, content: bytes, *, progress: Progress | None = None) -> Document:
        """Remember a file part by part. The same file again completes what is missing, and changes nothing else.

        Args:
            owner: Whose it is.
            name: The file's name, which becomes its title.
            content: The file.
            progress: Is told after each step.

        Raises:
            InvalidInputError: the file cannot be read; the sentence says why, and nothing is stored.
            LimitReachedError: the owner would have more memories than allowed; nothing is stored.
            EmbeddingError: the model cannot be used.
        """
        parts, document_id = parts_of(name, content), stable_id("document", owner, sha256(content).hexdigest())
        memories = self._memories(owner, document_id, title_of(name), parts)
        with self._memory.changing(owner):
            there = {memory.id for memory in self._stored(owner, document_id)}
            missing = [memory for memory in memories if memory.id not in there]
            self._shelf.refuse_beyond_limit(owner, len(missing))
            for start in range(0, len(missing), BATCH):
                some = missing[start : start + BATCH]
                self._memory.adopt(owner, some, {memory.id: surroundings(memory) for memory in some})
                if start == 0:
                    self._memory.acts.did(AuditAction.MEMORY_CREATED, owner, MemoryId(document_id), Way.FILE)
                if progress:
                    progress(len(memories) - len(missing) + start + len(some), len(memories))
        return self._document(owner, document_id, len(memories), memories[0])

    def all(self, owner: UserId) -> list[Document]:
        """Return the owner's documents, the newest first."""
        counts = self._index.counts(owner)
        firsts = {m.provenance.document_id: m for m in self._shelf.index.get(owner, [part_id(key) for key in counts])}
        found = [self._document(owner, key, kept, firsts.get(key)) for key, kept in counts.items()]
        return sorted(found, key=lambda document: (document.added_at, document.title), reverse=True)

    def forget(self, owner: UserId, document_id: str) -> int:
        """Take a document with all its parts out of use, in one act that can be undone; return how many parts."""
        return self._library.forget(owner, [memory.id for memory in self._stored(owner, document_id)])

    def _stored(self, owner: UserId, document_id: str) -> list[Memory]:
        where = MemoryFilter(types=frozenset({MemoryType.DOCUMENT}), statuses=KEPT_STATUSES, document_id=document_id)
        ids = [entry.id for entry in self._shelf.index.outline(owner, where)]
        return list(self._library.export(owner, ids))

    def _document(self, owner: UserId, document_id: str, kept: int, part: Memory | None) -> Document:
        part = part or self._shelf.index.page(owner, MemoryFilter(document_id=document_id), limit=1).items[0]
        return Document(
            id=document_id,
            title=part.provenance.title or "document",
            parts=part.provenance.parts or kept,
            kept=kept,
            added_at=part.recorded_at,
        )

    def _memories(self, owner: UserId, document_id: str, title: str, parts: Sequence[Part]) -> list[Memory]:
        now = self._clock()
        texts = [clean(part.text) for part in parts]
        return [
            Memory(
                id=part_id(document_id, number),
                user_id=owner,
                text=text,
                type=MemoryType.DOCUMENT,
                importance=IMPORTANCE,
                provenance=Provenance(
                    source=SourceKind.FILE,
                    extractor=EXTRACTOR,
                    document_id=document_id,
                    title=title,
                    heading=part.heading or None,
                    page=part.page,
                    parts=len(parts),
                ),
                recorded_at=now,
                updated_at=now,
                valid_from=now,
            )
            for number, (part, text) in enumerate(zip(parts, texts, strict=True))
            if text
        ]


def part_id(document_id: str, number: int = 0) -> MemoryId:
    """Return the id of a part of a document, counted from 0: adding the file again writes the same ones."""
    return MemoryId(stable_id("document part", document_id, str(number)))


def title_of(name: str) -> str:
    """Return what a file is called on the screen: its name without folders, in one line."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in PurePath(name).name).split())
    return plain[-MAX_TITLE_CHARS:] or "document"


def surroundings(memory: Memory) -> list[str]:
    """Return what a part stands among: its document's name without the ending, and its headings."""
    origin = memory.provenance
    return [text for text in (PurePath(origin.title or "").stem, origin.heading) if text]
