"""A made-up life, as recall hands it over."""

from __future__ import annotations

from datetime import UTC, datetime

from optimus.llm_handler.requests import OfflineContext
from optimus.models import (
    ChangeKind,
    Memory,
    MemoryChange,
    MemoryId,
    MemoryType,
    Provenance,
    RecalledMemory,
    SourceKind,
    UserId,
    stable_id,
)

NOW = datetime(2026, 11, 22, 19, 5, tzinfo=UTC)
OWNER = UserId(stable_id("user", "ana"))


def recalled(
    text: str,
    kind: MemoryType = MemoryType.FACT,
    slot: str | None = None,
    *,
    day: int = 1,
    entities: tuple[str, ...] = (),
    source: SourceKind = SourceKind.USER,
    language: str = "en",
    score: float = 0.5,
) -> RecalledMemory:
    """Return a memory that was told on a day of November 2026."""
    told = datetime(2026, 11, day, 9, 0, tzinfo=UTC)
    memory = Memory(
        id=MemoryId(stable_id("memory", text)),
        user_id=OWNER,
        text=text,
        type=kind,
        slot=slot,
        entities=entities,
        language=language,
        provenance=Provenance(source=source),
        recorded_at=told,
        updated_at=told,
        valid_from=told,
    )
    return RecalledMemory(memory=memory, score=score)


def episode(text: str, *, day: int = 1) -> RecalledMemory:
    """Return a raw message that was recalled with a high score."""
    return recalled(text, MemoryType.CONVERSATION, day=day, score=0.95)


_P, _R, _N = MemoryType.PREFERENCE, MemoryType.RELATIONSHIP, MemoryType.NOTE

LIFE = (
    episode("Where do I live?"),
    episode("What's my name?"),
    episode("I bought a blue tent for the festival", day=2),
    recalled("I live in Lisbon", slot="home", entities=("Lisbon",), day=3),
    recalled("I'm allergic to peanuts", slot="allergy.1", day=4),
    recalled("My sister Maria is a nurse", _R, "relative.sister.maria.job", entities=("Maria",), day=5),
    recalled("My sister Maria lives in Rome", _R, "relative.sister.maria.home", entities=("Maria", "Rome"), day=6),
    recalled("My name is Ana Silva", slot="name", entities=("Ana Silva",), day=7),
    recalled("I work at Siemens", slot="employer", entities=("Siemens",), day=8),
    recalled("I'm a software engineer", slot="job", day=9),
    recalled("My dog is called Rex", _R, "pet.dog.name", entities=("Rex",), day=10),
    recalled("I like coffee", _P, "like.1", day=11),
    recalled("I don't like tea", _P, "like.2", day=12),
    recalled("My favourite colour is green", _P, "favourite.colour", day=13),
    recalled("My favourite food is sushi", _P, "favourite.food", day=13),
    recalled("My flight is on 3 May 2027", slot="event.1", day=14),
    recalled("I have a dentist appointment on 23 November 2026", day=14),
    recalled("My birthday is on 12 June", slot="birthday", day=15),
    recalled("I'm 34 years old", slot="age", day=15),
    recalled("I'm vegetarian", _P, "diet", day=16),
    recalled("My wife is called Clara", _R, "partner.name", entities=("Clara",), day=16),
    recalled("My brother Tom works at Google", _R, "relative.brother.tom.job", entities=("Tom", "Google"), day=17),
    recalled("I speak German and English", day=17),
    recalled("I usually run on Mondays", day=18),
    recalled("I prefer window seats", _P, "preference.seats", day=18),
    recalled("My locker code is 4711", _N, day=19),
    recalled("The spare key is under the mat", _N, day=19),
    recalled("My car is a VW Golf", slot="possession.car", entities=("VW Golf",), day=19),
    recalled("My boss is called Karin", _R, "person.boss.name", entities=("Karin",), day=20),
    recalled("I was born in Porto", slot="birthplace", entities=("Porto",), day=20),
    recalled("I have two kids", _R, day=20),
    recalled("I want to learn Spanish", entities=("Spanish",), day=21),
    recalled("I have asthma", day=21),
)


def context(*memories: RecalledMemory, changes: tuple[MemoryChange, ...] = (), first: bool = False) -> OfflineContext:
    """Return what the assistant answers from."""
    return OfflineContext(recalled=memories, changes=changes, first_in_conversation=first, now=NOW)


def change(kind: ChangeKind, text: str, replaced: str | None = None) -> MemoryChange:
    """Return one change, as the update phase reports it."""
    return MemoryChange(
        kind=kind,
        memory_id=MemoryId(stable_id("memory", text)),
        text=text,
        replaced_id=MemoryId(stable_id("memory", replaced)) if replaced else None,
        replaced_text=replaced,
    )
