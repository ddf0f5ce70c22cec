from datetime import UTC, datetime

from optimus.models import MemoryId, MemoryType, MemoryUse, ScorePart, new_id
from optimus.ui.text import why


def use(score: float, **parts: float) -> MemoryUse:
    """Return a memory that an answer was given, with the parts of its score."""
    return MemoryUse(
        memory_id=MemoryId(new_id()),
        text="I live in Lisbon",
        type=MemoryType.FACT,
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        score=score,
        parts={ScorePart(name): value for name, value in parts.items()},
    )


def test_the_reason_for_a_memory_is_told_in_plain_words():
    """The three strongest signals are named, strongest first; how sure a memory is says nothing of a question."""
    told = why(use(0.61, dense=0.1, keyword=0.2, confidence=0.3, speaker=0.15, recency=0.01))
    assert told == "match 61%: shares words, said by whom the question is about, close in meaning"


def test_what_has_no_reason_says_so():
    """An answer from before reasons were kept shows its match alone; what came along unasked says why."""
    assert why(use(0.5)) == "match 50%"
    assert why(use(0.0)) == "given because little is known so far"
