"""Turn the raw answers of the store into a ranking: pure functions of their arguments, the clock's time included.

The four searches (meaning, meaning in context, keywords, keywords in context) are made comparable per query, mixed
over the union of what they found, and joined by what is known of each memory. Every weighted part is returned, so
that a person can be told why a memory was used. The weights were chosen on the turn evidence of LoCoMo (Maharana et
al., 2024), on three conversations, and checked on two others, and the other way round; the last digit is not fitted.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from heapq import nlargest
from itertools import islice, pairwise
from typing import NamedTuple

from optimus.memory_manager.wording import (
    Stems,
    is_about_the_writer,
    is_question,
    is_small_talk,
    normal_form,
    saying,
    speaker_of,
    statement,
)
from optimus.models import Memory, MemoryId, MemoryStatus, MemoryType, RecalledMemory, ScorePart

LEG_LIMIT = 80
"""How many memories each search brings."""
WEIGHTS: Mapping[ScorePart, float] = {
    ScorePart.DENSE: 0.13,
    ScorePart.CONTEXT: 0.16,
    ScorePart.KEYWORD: 0.18,
    ScorePart.KEYWORD_CONTEXT: 0.25,
    ScorePart.RECENCY: 0.03,
    ScorePart.IMPORTANCE: 0.04,
    ScorePart.CONFIDENCE: 0.02,
    ScorePart.ENTITY: 0.03,
    ScorePart.SPEAKER: 0.14,
    ScorePart.PIN: 0.02,
}
"""The mix; the weights sum to 1, so a score lies in 0-1."""
HALF_LIFE_DAYS = 90.0
"""The recency signal halves in this time."""

# Relevance, measured with all-MiniLM-L6-v2 on short personal facts: unrelated pairs reach a cosine of 0.25 (0.20
# where the question speaks of its writer), and a question with its answer begins at 0.31 ("what's my home town": 0.25).
MIN_EVIDENCE = 0.30
MIN_EVIDENCE_OF_WRITER = 0.24
_CONTEXT_TRUST = 0.9
_WORDS_SHARE = 0.3
_SPARE = 3
"""So many times the wanted number are looked at for copies."""
_READ = (2, 6)
"""So many times the wanted number are read, and more where the first of them are not enough."""
_DERIVED_SHARE = 0.7
"""A derived memory stands for its message where its score is at least this share of the message's."""

_ALIKE = 0.8
"""The share of their words that two near-copies have in common."""
_POSSESSIVE = re.compile(r"'s\b")
_NUMBER = re.compile(r"\d+")

Legs = Mapping[ScorePart, Mapping[MemoryId, float]]
"""By search: what it found, with its own raw score, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for, and when."""

    text: str
    now: datetime
    limit: int = 20
    words: str = field(init=False)
    """The text's words between spaces, without a possessive `'s`, to find whole words in."""
    is_of_writer: bool = field(init=False)
    """Whether it asks about the one who asks."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", f" {_POSSESSIVE.sub('', normal_form(self.text))} ")
        object.__setattr__(self, "is_of_writer", is_about_the_writer(self.text))

    def names(self, thing: str) -> bool:
        """Tell whether the text has the words of `thing` in a row."""
        return f" {normal_form(thing)} " in self.words


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    memory: Memory
    raw: Mapping[ScorePart, float]
    parts: Mapping[ScorePart, float]
    score: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "score", sum(self.parts.values()))


def _order(candidate: _Candidate) -> tuple[bool, float, float, str]:
    """What is true first, then the best, and of equals the newest."""
    memory = candidate.memory
    is_past = memory.status is MemoryStatus.SUPERSEDED
    return (is_past, -candidate.score, -memory.valid_from.timestamp(), memory.id)


def _recalled(candidates: Sequence[_Candidate], query: Query) -> list[RecalledMemory]:
    return [RecalledMemory(memory=c.memory, score=c.score, parts=dict(c.parts)) for c in candidates[: query.limit]]


def foremost(legs: Legs, limit: int) -> Iterator[list[MemoryId]]:
    """Yield what to read to rank the best `limit` of all, what the searches together put first, and then some more.

    The signals beside the searches weigh too little to bring forward much of the rest, but what was read may be copies
    of one another.
    """
    scores: dict[MemoryId, float] = {}
    for part, found in legs.items():
        for key, value in normalise(found).items():
            scores[key] = scores.get(key, 0.0) + WEIGHTS[part] * value
    first = nlargest(_READ[-1] * limit, scores, key=lambda key: (scores[key], key))
    for start, end in pairwise((0, *(times * limit for times in _READ))):
        yield first[start:end]


def setting_back(legs: Legs, refused: AbstractSet[MemoryId]) -> Legs:
    """Return the searches with what is not wanted at the end, so that it sets no measure for the others."""
    if not refused:
        return legs
    lowest = {part: min(found.values(), default=0.0) for part, found in legs.items()}
    return {
        part: {key: lowest[part] if key in refused else score for key, score in found.items()}
        for part, found in legs.items()
    }


def rank(legs: Legs, memories: Mapping[MemoryId, Memory], query: Query, *, stems: Stems) -> list[RecalledMemory]:
    """Return the memories that bear on the query, best first, each statement once; none where nothing does.

    Args:
        legs: What the four searches found.
        memories: What was read of it.
        query: What is looked for.
        stems: The content words of a text.
    """
    gate = _Gate(legs, query, stems)
    found = sorted(_candidates(legs, memories, query), key=_order)
    relevant = list(islice(filter(gate.lets_pass, found), _SPARE * query.limit))
    return _recalled(list(islice(_diverse(relevant, _Told(found, stems), stems), query.limit)), query)


def by_weight(memories: Sequence[Memory], query: Query) -> list[RecalledMemory]:
    """Rank by what is known of each memory alone: for a question about everything."""
    found = [_Candidate(memory=memory, raw={}, parts=_own_parts(memory, query)) for memory in memories]
    return _recalled(sorted(found, key=_order), query)


def normalise(scores: Mapping[MemoryId, float]) -> dict[MemoryId, float]:
    """Map one search's scores to 0-1 for this query.

    What a full search left out scores at most its lowest, so that counts as nothing; a search that found less than
    it was asked for left out only what scores nothing.
    """
    if not scores:
        return {}
    high = max(scores.values())
    low = min(scores.values()) if len(scores) >= LEG_LIMIT else 0.0
    if high <= low:
        return {key: float(high > 0) for key in scores}
    return {key: max(0.0, (score - low) / (high - low)) for key, score in scores.items()}


def _candidates(legs: Legs, memories: Mapping[MemoryId, Memory], query: Query) -> list[_Candidate]:
    """Join the searches for each memory that was read."""
    shares = {part: normalise(found) for part, found in legs.items()}
    candidates = []
    for key, memory in memories.items():
        raw = {part: found[key] for part, found in legs.items() if key in found}
        parts = {part: WEIGHTS[part] * shares[part][key] for part in raw}
        candidates.append(_Candidate(memory=memory, raw=raw, parts=parts | _own_parts(memory, query)))
    return candidates


def _own_parts(memory: Memory, query: Query) -> dict[ScorePart, float]:
    """Return the weighted signals that need no search; a signal that says nothing is left out."""
    age_days = max(0.0, (query.now - memory.valid_from).total_seconds() / 86_400)
    is_named = any(query.names(entity) for entity in memory.entities if entity.strip())
    signals = {
        ScorePart.RECENCY: 0.5 ** (age_days / HALF_LIFE_DAYS),
        ScorePart.IMPORTANCE: memory.importance,
        ScorePart.CONFIDENCE: memory.confidence,
        ScorePart.ENTITY: float(is_named),
        ScorePart.SPEAKER: float(_is_said_by_the_asked(memory, query)),
        ScorePart.PIN: float(memory.pinned),
    }
    return {part: WEIGHTS[part] * value for part, value in signals.items() if value}


def _is_said_by_the_asked(memory: Memory, query: Query) -> bool:
    """Tell whether the one whom the query is about said it: who is named before the words, else the owner."""
    speaker = speaker_of(memory.text)
    return any(map(query.names, speaker.split())) if speaker else query.is_of_writer


class _Gate:
    """Tells whether a memory has enough to do with one query, in absolute terms."""

    def __init__(self, legs: Legs, query: Query, stems: Stems) -> None:
        self._stems = stems
        self._words = stems(query.text)
        self._needed = MIN_EVIDENCE_OF_WRITER if is_about_the_writer(query.text) else MIN_EVIDENCE
        self._ceilings = {part: _ceiling(legs.get(part, {})) for part in (ScorePart.DENSE, ScorePart.CONTEXT)}

    def lets_pass(self, candidate: _Candidate) -> bool:
        if candidate.memory.type is MemoryType.CONVERSATION and self._is_empty(candidate.memory.text):
            return False
        return self.evidence(candidate) >= self._needed

    def evidence(self, candidate: _Candidate) -> float:
        """Return how much speaks for the memory: its meaning, and the share of the query's words that it has."""
        raw = self._ceilings | dict(candidate.raw)
        meaning = max(raw[ScorePart.DENSE], _CONTEXT_TRUST * raw[ScorePart.CONTEXT])
        shared = len(self._stems(candidate.memory.text) & self._words)
        return meaning + _WORDS_SHARE * shared / max(1, len(self._words))

    def _is_empty(self, text: str) -> bool:
        """Tell whether a message says nothing, or only asks what is being asked again."""
        own = self._stems(text)
        is_repeated = is_question(text) and 2 * len(own & self._words) >= len(own)
        return not own or is_repeated or is_small_talk(text)


def _ceiling(found: Mapping[MemoryId, float]) -> float:
    """Return what a memory can score at most in a search that did not bring it."""
    return min(found.values()) if len(found) >= LEG_LIMIT else 0.0


def _diverse(candidates: Sequence[_Candidate], told: _Told, stems: Stems) -> Iterator[_Candidate]:
    """Leave out messages for which a derived memory stands, and all but the best copy of one statement.

    A message that says no more than a derived memory, relevant or not, is judged by that, and not by the company that
    it was in.
    """
    derived = {c.memory.id: c for c in candidates if c.memory.type is not MemoryType.CONVERSATION}
    said: list[_Said] = []
    for candidate in candidates:
        says = _Said.of(candidate.memory.text, stems)
        is_message = candidate.memory.id not in derived
        if is_message and (says.saying in told.sayings or _is_told_by(candidate, derived)):
            continue
        if not any(map(says.repeats, said)):
            said.append(says)
            yield candidate


class _Told:
    """What the derived memories among all that was found say; worked out where a message asks for it."""

    def __init__(self, found: Sequence[_Candidate], stems: Stems) -> None:
        self._texts = [c.memory.text for c in found if c.memory.type is not MemoryType.CONVERSATION]
        self._stems = stems

    @cached_property
    def sayings(self) -> AbstractSet[Hashable]:
        return {saying(text, self._stems) for text in self._texts}


class _Said(NamedTuple):
    """What tells near-copies from statements that differ."""

    saying: Hashable
    words: frozenset[int]
    numbers: frozenset[str]
    is_negative: bool
    speaker: str | None

    @classmethod
    def of(cls, text: str, stems: Stems) -> _Said:
        same, words, denies = statement(text, stems)
        return cls(same, words, frozenset(_NUMBER.findall(text)), denies, speaker_of(text))

    def repeats(self, other: _Said) -> bool:
        """Tell whether it says nothing that `other` does not, or the same with another word or two."""
        if self.saying == other.saying:
            return True
        if self[2:] != other[2:] or not self.words:
            return False
        shared = len(self.words & other.words)
        return shared >= _ALIKE * len(self.words | other.words)


def _is_told_by(episode: _Candidate, derived: Mapping[MemoryId, _Candidate]) -> bool:
    """Tell whether a memory derived from the message is about as relevant as the message."""
    bar = _DERIVED_SHARE * episode.score
    return any(key in derived and derived[key].score >= bar for key in episode.memory.derived)
