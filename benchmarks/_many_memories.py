"""Any number of memories from one seed: generated sentences, embedded once, repeated with noise, shared out to users.

The same plan and the same sentence vectors give the same memories in every process, block by block, so that none of
them has to hold or pass on all of them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from benchmarks._progress import progress
from optimus.embedding import MiniLmEmbedder
from optimus.models import UserId, stable_id

BLOCK = 200
"""Memories that are written in one call, all of one user."""
LARGE_SHARE = 0.2
LARGE = 0
"""The number of the user that has a fifth of all memories."""
_NEIGHBOUR = 0.6
_LEAST_NOISE, _MOST_NOISE = 0.01, 0.02
_EMBEDDED_AT_ONCE = 256
_WHO: tuple[str, ...] = (
    "I",
    "My sister",
    "My brother",
    "My neighbour",
    "My colleague Ana",
    "Our landlord",
    "My doctor",
    "My boss",
)
_WHO += ("My daughter", "My son", "My friend Tomás", "My aunt Rosa", "My teacher", "Our gardener", "My cousin Lena")
_DOES: tuple[str, ...] = (
    "likes",
    "recommended",
    "is allergic to",
    "collects",
    "is afraid of",
    "cooks",
    "sells",
    "wants to learn about",
)
_DOES += ("gave up", "talks all day about", "paid too much for", "is looking for", "wrote a book about", "dreams of")
_WHAT: tuple[str, ...] = (
    "olives",
    "old maps",
    "penicillin",
    "jazz",
    "tall ladders",
    "sourdough",
    "second-hand bicycles",
    "beekeeping",
)
_WHAT += ("sailing", "chess openings", "night trains", "garden tools", "wool socks", "mushrooms", "board games", "tea")
_WHAT += ("pottery", "steep stairs", "black and white films", "cheap flights", "tax law", "violins", "tomato plants")
_WHAT += ("crossword puzzles", "fresh paint", "wild swimming", "cold coffee", "football", "poems", "solar panels")
_WHERE: tuple[str, ...] = (
    "in Lisbon",
    "at work",
    "at home",
    "by the sea",
    "in the garden",
    "in Oslo",
    "at school",
    "on the train",
)
_WHERE += ("in the old town", "in Kyoto", "at the market", "in the mountains", "in Chicago", "at the lake", "abroad")
_WHEN: tuple[str, ...] = (
    "since spring",
    "on weekends",
    "since the move",
    "most of the time",
    "lately",
    "every winter",
    "before lunch",
)
_WHEN += (
    "on Mondays",
    "since 2019",
    "after midnight",
    "once a month",
    "in the holidays",
    "when it rains",
    "as a child",
)


def sentences(count: int, seed: int) -> list[str]:
    """Return distinct sentences about people, places and things.

    Raises:
        ValueError: there are not so many.
    """
    parts = (_WHO, _DOES, _WHAT, _WHERE, _WHEN)
    total = int(np.prod([len(part) for part in parts]))
    made = []
    for number in random.Random(seed).sample(range(total), count):  # noqa: S311 - data for measuring
        words = []
        for part in parts:
            number, chosen = divmod(number, len(part))  # noqa: PLW2901 - what is left of the number
            words.append(part[chosen])
        made.append(" ".join(words))
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many memories there are, and whose; how many queries are asked."""

    points: int
    users: int
    texts: int
    queries: int
    seed: int

    def sentences(self) -> list[str]:
        """Return the distinct sentences: first those that are stored, then those that are asked for."""
        return sentences(self.texts + self.queries, self.seed)

    def blocks(self) -> list[tuple[int, int]]:
        """Return the number of the user and how many memories, block by block, the users' blocks mixed."""
        large = int(self.points * LARGE_SHARE)
        rest = self.points - large
        shares = [large, *(rest // self.users + (number < rest % self.users) for number in range(self.users))]
        found = [
            (user, min(BLOCK, share - start)) for user, share in enumerate(shares) for start in range(0, share, BLOCK)
        ]
        random.Random(self.seed).shuffle(found)  # noqa: S311 - data for measuring
        return found

    def owner(self, user: int) -> UserId:
        """Return the id of a user by number."""
        return UserId(stable_id("benchmark user", str(self.seed), str(user)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some memories of one user: ids, numbers of the sentences, vectors of the texts and in context, `n` x 384."""

    ids: list[str]
    texts: np.ndarray[Any, Any]
    dense: np.ndarray[Any, Any]
    ctx: np.ndarray[Any, Any]


class ManyMemories:
    """The memories of a plan."""

    def __init__(self, plan: Plan, vectors: np.ndarray[Any, Any]) -> None:
        """Take the sentences' vectors: first those that are stored, then those that are asked for."""
        self.plan = plan
        self._vectors = vectors

    @property
    def queries(self) -> np.ndarray[Any, Any]:
        """The vectors of the sentences that are asked for, none of which is stored."""
        return self._vectors[self.plan.texts :]

    def block(self, number: int, count: int) -> Block:
        """Return one block: sentences drawn at random, each vector with noise of its own, at unit length again."""
        chance = np.random.default_rng([self.plan.seed, number])
        texts = chance.integers(self.plan.texts, size=count)
        noise = chance.uniform(_LEAST_NOISE, _MOST_NOISE, (count, 1)) * chance.standard_normal((count, 384))
        dense = _unit(self._vectors[texts] + noise)
        ctx = _unit(dense + _NEIGHBOUR * self._vectors[(texts + 1) % self.plan.texts])
        return Block(ids=[self._id(number, row) for row in range(count)], texts=texts, dense=dense, ctx=ctx)

    def _id(self, block: int, row: int) -> str:
        made = blake2b(f"{self.plan.seed}/{block}/{row}".encode(), digest_size=16).digest()
        return str(UUID(bytes=made, version=4))


def embedded(texts: list[str]) -> np.ndarray[Any, Any]:
    """Return the texts' vectors by the default model, `n` x 384, showing progress."""
    embedder = MiniLmEmbedder()
    starts = range(0, len(texts), _EMBEDDED_AT_ONCE)
    parts = [
        np.asarray(embedder.embed(texts[start : start + _EMBEDDED_AT_ONCE]), np.float32)
        for start in progress("embed", starts)
    ]
    return np.concatenate(parts)


def save(vectors: np.ndarray[Any, Any], folder: Path) -> None:
    """Leave the sentences' vectors for the processes that are measured."""
    np.save(folder / "vectors.npy", vectors)


def load(plan: Plan, folder: Path) -> ManyMemories:
    """Return the memories of a plan, with the vectors left by `save`."""
    return ManyMemories(plan, np.load(folder / "vectors.npy"))


def _unit(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    units: np.ndarray[Any, Any] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return units
