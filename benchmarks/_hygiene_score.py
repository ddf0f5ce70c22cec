"""How clean a set of memories is, along a life: duplicates, contradictions, junk, and what was lost.

Definitions stand in `docs/hygiene.md`. Counts are taken after each message and summed, so that a fault weighs as long
as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks._life import Life, Said, question
from benchmarks.report import Result

KINDS = ("duplicate", "contradiction", "junk", "lost")


@dataclass(kw_only=True)
class Score:
    """Follows one side through a life."""

    life: Life
    true: set[str] = field(default_factory=set)
    over: set[str] = field(default_factory=set)
    """What was true and is so no more."""
    held: int = 0
    """Memories, counted after each message."""
    wanted: int = 0
    """Facts that had to be held, counted after each message."""
    faults: dict[tuple[str, str], int] = field(default_factory=dict)
    """By kind and text (of lost facts the key): after how many messages it was there."""
    read: dict[str, tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)

    def note(self, said: Said, memories: Sequence[str]) -> None:
        """Take in a message and the texts of the memories that count as true after it, the oldest first."""
        self.true = self.true - set(said.ends) | set(said.gains)
        self.over = (self.over | set(said.ends)) - set(said.gains)
        self.held += len(memories)
        wanted = {key for key in self.true if self.life.facts[key].need == "must"}
        self.wanted += len(wanted)
        told: set[str] = set()
        for kind, text in self._faults(memories, told):
            self.faults[kind, text] = self.faults.get((kind, text), 0) + 1
        for key in wanted - told:
            self.faults["lost", key] = self.faults.get(("lost", key), 0) + 1

    def results(self, side: str = "") -> Iterator[Result]:
        """Yield the rates, with `side` behind their names."""
        for kind in KINDS:
            count = sum(times for (own, _), times in self.faults.items() if own == kind)
            among = self.wanted if kind == "lost" else self.held
            yield Result(name=f"{kind}_rate{side}", value=count / among if among else 0.0, unit="share")

    def listing(self) -> Iterable[tuple[str, int, str]]:
        """Return the faults: kind, after how many messages it was there, and the text; the gravest first."""
        ordered = sorted(self.faults.items(), key=lambda item: (KINDS.index(item[0][0]), -item[1], item[0][1]))
        return [(kind, times, text) for (kind, text), times in ordered]

    def _faults(self, memories: Sequence[str], told: set[str]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with memories, by kind and text; add to `told` the true facts that they say."""
        telling: list[tuple[str, frozenset[str]]] = []
        for text in memories:
            facts, denied = self._read(text)
            known = facts & (self.true | self.over)
            ended = {f"no longer {key}" for key in denied & self.over}
            wrong = denied & self.true - facts
            if not (known or ended or wrong) or any(self.life.facts[key].need == "never" for key in facts):
                yield "junk", text
                continue
            now = known & self.true
            told |= now
            answered = {question(key) for key in now}
            if wrong or any(question(key) not in answered for key in known - now):
                yield "contradiction", text
            telling.append((text, known | ended | {f"not {key}" for key in wrong}))
        covered: set[str] = set()
        for text, said in sorted(telling, key=lambda item: -len(item[1])):
            if said <= covered:
                yield "duplicate", text
            covered |= said

    def _read(self, text: str) -> tuple[frozenset[str], frozenset[str]]:
        """Return what a memory says and what it denies."""
        if text not in self.read:
            self.read[text] = self.life.said_by(text), self.life.denied_by(text)
        return self.read[text]
