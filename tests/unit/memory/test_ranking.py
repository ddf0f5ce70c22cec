from datetime import timedelta
from typing import Any

import pytest

from optimus.memory_manager.ranking import LEG_LIMIT, WEIGHTS, Query, foremost, normalise, rank
from optimus.models import Memory, MemoryId, MemoryStatus, MemoryType, RecalledMemory, ScorePart, UserId, new_id
from optimus.storage.bm25 import Bm25Encoder
from tests.unit.memory.conftest import START

_ENCODER = Bm25Encoder()
OWNER = UserId(new_id())
Row = tuple[Memory, float]
Rows = dict[ScorePart, list[Row]]


def stems(text: str) -> frozenset[int]:
    """Return the content words of a text."""
    return frozenset(_ENCODER.encode_document(text).indices)


def memory(text: str, kind: MemoryType = MemoryType.FACT, *, days_ago: int = 0, **fields: Any) -> Memory:
    """Return a memory that became true some days ago."""
    at = START - timedelta(days=days_ago)
    times: dict[str, Any] = {"recorded_at": at, "updated_at": at, "valid_from": at}
    return Memory(id=MemoryId(new_id()), user_id=OWNER, text=text, type=kind, **times, **fields)


def legs(*rows: Row, **parts: list[Row]) -> Rows:
    """Build the four searches from rows of (memory, dense) and optional other parts by name."""
    empty: dict[ScorePart, list[Row]] = {ScorePart.CONTEXT: [], ScorePart.KEYWORD: [], ScorePart.KEYWORD_CONTEXT: []}
    return {ScorePart.DENSE: list(rows), **empty} | {ScorePart(name): found for name, found in parts.items()}


def ask(found: Rows, text: str = "where is the harbour", **fields: Any) -> list[RecalledMemory]:
    """Rank what was found for a question."""
    scores = {part: {each.id: score for each, score in rows} for part, rows in found.items()}
    memories = {each.id: each for rows in found.values() for each, _ in rows}
    return rank(scores, memories, Query(text=text, now=START, **fields), stems=stems)


def test_the_weights_are_shares():
    """The weights sum to one, so that a score lies between nothing and everything."""
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    assert set(WEIGHTS) == set(ScorePart)


def test_the_parts_explain_the_score():
    """Each result carries every weighted signal, and they sum to its score."""
    pinned = memory("The harbour is old", pinned=True, entities=("harbour",))
    (found,) = ask(legs((pinned, 0.6), keyword=[(pinned, 4.2)]))
    assert sum(found.parts.values()) == pytest.approx(found.score)
    assert {ScorePart.DENSE, ScorePart.KEYWORD, ScorePart.PIN, ScorePart.ENTITY} <= set(found.parts)
    assert ScorePart.KEYWORD_CONTEXT not in found.parts


def test_the_union_of_the_searches_is_ranked():
    """A memory that only the keywords found is a candidate like any other."""
    by_meaning, by_word = memory("We moored at the quay"), memory("Harbour XK-4471")
    found = ask(legs((by_meaning, 0.6), keyword=[(by_word, 9.0)]), text="harbour XK-4471")
    assert {item.memory.text for item in found} == {"We moored at the quay", "Harbour XK-4471"}


def test_a_full_search_counts_from_its_lowest():
    """What a full search brought last counts as nothing; a short one is measured from zero."""
    full = {MemoryId(str(number)): 0.5 + number / 1000 for number in range(LEG_LIMIT)}
    scores = normalise(full)
    assert (min(scores.values()), max(scores.values())) == (0.0, 1.0)
    assert normalise({MemoryId("a"): 0.4, MemoryId("b"): 0.2}) == {"a": 1.0, "b": 0.5}
    assert normalise({MemoryId("a"): 0.4}) == {"a": 1.0}
    assert normalise({MemoryId("a"): 0.0}) == {"a": 0.0}
    assert normalise({}) == {}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"days_ago": 1}, {"days_ago": 300}),
        ({"importance": 0.9}, {"importance": 0.2}),
        ({"confidence": 1.0}, {"confidence": 0.3}),
        ({"pinned": True}, {}),
        ({"entities": ("Harbour",)}, {"entities": ("Castle",)}),
        ({"status": MemoryStatus.ACTIVE, "days_ago": 90}, {"status": MemoryStatus.SUPERSEDED, "importance": 1.0}),
    ],
)
def test_of_equal_matches_the_better_known_comes_first(better, worse):
    """Recency, importance, confidence, a pin and a named thing decide between equal matches."""
    first, second = memory("The harbour is old", **better), memory("The harbour is new", **worse)
    found = ask(legs((second, 0.6), (first, 0.6)))
    assert [item.memory for item in found] == [first, second]


def test_the_order_is_always_the_same():
    """Equal scores are ordered by time and id, whatever order the searches gave."""
    rows = [(memory(f"Harbour {number}"), 0.6) for number in range(6)]
    assert [item.memory.id for item in ask(legs(*rows))] == [item.memory.id for item in ask(legs(*reversed(rows)))]


def test_what_has_too_little_to_do_with_it_is_left_out():
    """Below the evidence that unrelated texts reach, nothing is returned at all."""
    assert ask(legs((memory("I like tea"), 0.25))) == []
    assert len(ask(legs((memory("I like tea"), 0.31)))) == 1
    assert len(ask(legs((memory("I like tea"), 0.26)), text="what do I drink")) == 1


def test_shared_words_count_as_evidence():
    """A memory with all the words of the query passes, however far its vector is."""
    code = memory("The XK-4471 is in the drawer")
    assert [item.memory for item in ask(legs(keyword=[(code, 5.0)]), text="XK-4471")] == [code]


def test_a_fact_stands_for_its_message():
    """A message gives way to the fact derived from it, and to any fact that says the same."""
    fact = memory("The harbour is old")
    linked = memory("By the way, the harbour is old, they say", MemoryType.CONVERSATION, derived=(fact.id,))
    same = memory("the harbour is OLD!", MemoryType.CONVERSATION)
    found = ask(legs((linked, 0.7), (same, 0.69), (fact, 0.68)))
    assert [item.memory for item in found] == [fact]


def test_a_message_stays_for_what_no_fact_says():
    """A message that matters by something else than its fact is kept beside it."""
    fact = memory("I like tea", importance=0.1, days_ago=900)
    message = memory("I like tea and the harbour is old", MemoryType.CONVERSATION, derived=(fact.id,))
    found = ask(legs((message, 0.8), (fact, 0.31), keyword=[(message, 6.0)], context=[(message, 0.8)]))
    assert found[0].memory == message


def test_copies_of_a_statement_come_once():
    """Of several memories that say the same only the best is returned, and a denial is not a copy."""
    copies = [memory("The harbour is old"), memory("the harbour's old"), memory("The harbour is old.")]
    denial = memory("The harbour is not old")
    found = ask(legs(*((copy, 0.6) for copy in copies), (denial, 0.5)))
    assert [item.memory.text for item in found].count("The harbour is not old") == 1
    assert len(found) <= 3
    assert len({item.memory.text.casefold().rstrip(".") for item in found}) == len(found)


def test_a_repeated_question_is_no_memory():
    """A message that only asked the same before tells nothing; one that asked something else may."""
    asked = memory("Where is the harbour?", MemoryType.CONVERSATION)
    assert ask(legs((asked, 0.99)), text="where's the harbour") == []


def test_the_limit_holds():
    """Not more than wanted is returned, the best of them."""
    rows = [(memory(f"The harbour has quay number {number}"), 0.9 - number / 100) for number in range(30)]
    found = ask(legs(*rows), limit=5)
    assert [item.memory for item in found] == [row[0] for row in rows[:5]]


@pytest.mark.parametrize(
    ("question", "asked", "other"),
    [
        ("what is Ilse's harbour like", "Ilse: the harbour is old", "Bruno: the harbour is new"),
        ("what did Berg say of the harbour", "Ilse Berg: the harbour is old", "Bruno: the harbour is new"),
        ("what do I say of the harbour", "the harbour is old", "Bruno: the harbour is new"),
        ("what do I say of the harbour", "Note: the harbour is old", "Bruno: the harbour is new"),
    ],
)
def test_who_is_asked_about_speaks(question, asked, other):
    """Of equal matches those come first that the one whom the question is about said: by name, else the owner."""
    rows = [(memory(text, MemoryType.CONVERSATION), 0.6) for text in (other, asked)]
    found = ask(legs(*rows), text=question)
    assert [item.memory.text for item in found] == [asked, other]
    assert ScorePart.SPEAKER in found[0].parts
    assert ScorePart.SPEAKER not in found[1].parts


@pytest.mark.parametrize(
    ("again", "is_copy"),
    [
        ("In spring I walk along the old harbour wall with Tom and my dog", True),
        ("In spring I walk along the old harbour wall with Tom and Ann and my small brown dog", False),
        ("In spring I don't walk along the old harbour wall with Tom and my dog", False),
        ("In spring 2024 I walk along the old harbour wall with Tom and my dog", False),
        ("Ilse: In spring I walk along the old harbour wall with Tom and my dog", False),
    ],
)
def test_near_copies_come_once(again, is_copy):
    """What says the same but for a word is left out; another number, a denial and another speaker are not the same."""
    first = memory("In spring I often walk along the old harbour wall with Tom and my dog")
    found = ask(legs((first, 0.7), (memory(again), 0.6)))
    assert len(found) == (1 if is_copy else 2)


def test_enough_is_read_to_rank_the_best():
    """What the searches put first comes first, twice what is wanted, and then the rest, up to six times."""
    found = {ScorePart.DENSE: {MemoryId(str(n)): 1 - n / 100 for n in range(100)}, ScorePart.KEYWORD: {}}
    found[ScorePart.CONTEXT] = {MemoryId("50"): 0.9, MemoryId("other"): 0.1}
    assert list(foremost(found, 1)) == [["50", "0"], ["1", "2", "3", "4"]]
    assert [[len(keys) for keys in foremost(found, limit)] for limit in (20, 90)] == [[40, 61], [101, 0]]
