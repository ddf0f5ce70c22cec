"""The search of the Memory page: every memory that has the words, or their beginnings; else those near in meaning."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from threading import Lock

from optimus.memory_manager.shelf import Shelf
from optimus.memory_manager.wording import normal_form
from optimus.models import MemoryId, UserId
from optimus.storage.records import MemoryFilter, MemoryPage, MemoryText

MIN_CLOSENESS = 0.35
"""Cosine from which on a memory counts as near in meaning; made-up words stay below 0.3 with all-MiniLM-L6-v2."""
MAX_NEAR = 1_000
MAX_OWNERS = 32
"""So many users' words are held at a time; a search of somebody else's reads theirs anew."""

Entry = tuple[MemoryText, str]
"""A memory, and its words as they are compared."""
Words = dict[MemoryId, Entry]


def folded(text: str) -> str:
    """Return the words alone, without case and accents, each after a space."""
    plain = unicodedata.normalize("NFKD", normal_form(text))
    return f" {''.join(each for each in plain if not unicodedata.combining(each))} "


class WordSearch:
    """Finds memories by the beginnings of their words.

    Stored text is sealed, so no index of the store knows the words. They are read once for an owner who searches, kept
    in memory, and read again one by one where something was written since.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._known: dict[UserId, Words] = {}
        self._stale: dict[UserId, set[MemoryId]] = {}
        self._lock = Lock()
        shelf.index.watch(self.touch)

    def touch(self, owner: UserId, ids: Sequence[MemoryId]) -> None:
        """Note that memories were written, so that they are read again before the next search."""
        with self._lock:
            if owner in self._known:
                self._stale.setdefault(owner, set()).update(ids)

    def forget(self, owner: UserId) -> None:
        """Drop the owner's words."""
        with self._lock:
            self._known.pop(owner, None)
            self._stale.pop(owner, None)

    def page(self, owner: UserId, query: str, where: MemoryFilter, *, limit: int, offset: int) -> MemoryPage:
        """Return one page of what `find` finds, with the count of all.

        Raises:
            EmbeddingError: the model cannot be used.
        """
        found, end = self.find(owner, query, where), offset + limit
        items = tuple(self._shelf.index.get(owner, found[offset:end]))
        return MemoryPage(items=items, next_offset=end if end < len(found) else None, total=len(found))

    def find(self, owner: UserId, query: str, where: MemoryFilter) -> list[MemoryId]:
        """Return the ids of all matches, best first.

        Those that have every word of the query, or a word that begins so, come alone: whole words first, then the
        newest. Only where there are none, those that have some of its words are returned, and the nearest in meaning.

        Raises:
            EmbeddingError: the model cannot be used.
        """
        wanted = folded(query).split()
        if not wanted:
            return []
        known = self._matching(owner, where)
        phrase = " ".join(wanted)
        having = [
            (1 + all(f" {word} " in words for word in wanted), item)
            for item, words in known
            if all(f" {word}" in words for word in wanted) or (len(phrase) > 1 and phrase in words)
        ]
        return _in_order(having) or self._loosely(owner, query, where, known)

    def _matching(self, owner: UserId, where: MemoryFilter) -> list[Entry]:
        """Return what a filter lets through; what is not merely of some kinds, and true now, is read anew."""
        if where != MemoryFilter(types=where.types):
            return [(item, folded(item.text)) for item in self._shelf.index.texts(owner, where)]
        return [each for each in self._words(owner).values() if where.types is None or each[0].type in where.types]

    def _loosely(self, owner: UserId, query: str, where: MemoryFilter, known: Sequence[Entry]) -> list[MemoryId]:
        stems = self._shelf.stems()
        wanted = [word for word in folded(query).split() if stems(word)]
        some = [(sum(f" {word} " in words for word in wanted), item) for item, words in known]
        near = self._shelf.index.nearest(owner, self._shelf.embed([query])[0], where, MAX_NEAR)
        close = [key for key, closeness in near if closeness >= MIN_CLOSENESS]
        return list(dict.fromkeys([*_in_order([found for found in some if found[0]]), *close]))

    def _words(self, owner: UserId) -> Words:
        """Return what is true now of an owner, with its words, as it stands in the store."""
        with self._lock:
            known = self._known.pop(owner, None)
            stale = self._stale.pop(owner, set())
            self._known[owner] = known or {}
            while len(self._known) > MAX_OWNERS:
                self._stale.pop(next(iter(self._known)), None)
                del self._known[next(iter(self._known))]
        if known is None or (self._shelf.index.count(owner) != len(known) and not stale):
            fresh = {item.id: (item, folded(item.text)) for item in self._shelf.index.texts(owner)}
        elif not stale:
            return known
        else:
            again = {item.id: item for item in self._shelf.index.texts(owner, ids=sorted(stale))}
            fresh = {key: value for key, value in known.items() if key not in stale}
            fresh |= {key: (item, folded(item.text)) for key, item in again.items()}
        with self._lock:
            self._known[owner] = fresh
        return fresh


def _in_order(found: list[tuple[int, MemoryText]]) -> list[MemoryId]:
    """Return the ids by how well they match; of equals the newest first."""
    ordered = sorted(found, key=lambda each: (each[0], each[1].recorded_at, each[1].id), reverse=True)
    return [item.id for _, item in ordered]
