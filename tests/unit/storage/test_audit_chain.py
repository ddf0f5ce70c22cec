from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from optimus.models import UserId, new_id
from optimus.storage.audit_chain import PARTS, START, AuditChain, Link

CHAIN = AuditChain(b"k" * 32)
FORGER = AuditChain(b"f" * 32)
AT = datetime(2026, 3, 1, tzinfo=UTC)
ANN, BOB = UserId("a0000000-0000-4000-8000-000000000001"), UserId("b0000000-0000-4000-8000-000000000002")
COUNT = 1_000
Record = dict[str, Any]


def link(record: Record) -> Link:
    """Return a record's place."""
    return Link(record["seq"], record["hash"])


def fields(number: int) -> Record:
    """Return what a record tells: ann acts on bob's account."""
    names = {"actor": ANN, "user_id": BOB, "item": new_id(), "network": "ab12", "browser": "Firefox on Linux"}
    return {"type": "admin.role_changed", "data": {"role": "admin", "count": number, "ok": True}, **names}


@pytest.fixture(scope="module", name="records")
def _records() -> list[Record]:
    """A chain of 1,000 records."""
    made: list[Record] = []
    after = START
    for number in range(COUNT):
        made.append(CHAIN.sealed(fields(number), at=AT, after=after))
        after = link(made[-1])
    return made


def first_flaw(records: list[Record], after: Link = START) -> int | None:
    """Return the number of the first place that is wrong."""
    for record in records:
        if CHAIN.flaw(record, after):
            return after.seq + 1
        after = link(record)
    return None


def test_a_chain_that_nobody_touched_has_no_flaw(records):
    """All records hold; each has its own salts, so equal acts have unequal hashes."""
    assert first_flaw(records) is None
    assert len({record["who"] for record in records} | {record["whom"] for record in records}) == 2 * COUNT


def test_deleting_changing_or_swapping_any_of_a_thousand_records_shows_at_its_place(records):
    """Every record in turn; what stands before it is checked already, so the check goes on from there."""
    afters = [START, *map(link, records)]
    for place, (one, following) in enumerate(pairwise(records)):
        after = afters[place]
        assert CHAIN.flaw(following, after), "deleted"
        assert CHAIN.flaw(one | {"data": one["data"] | {"role": "user"}}, after), "changed"
        assert CHAIN.flaw(following | {"seq": one["seq"]}, after), "swapped"
        assert CHAIN.flaw(one, afters[place + 1]), "repeated"
        assert CHAIN.flaw(one, after) is None


@pytest.mark.parametrize(
    "change",
    [
        {"type": "auth.signed_in"},
        {"at": "2026-03-02T00:00:00+00:00"},
        {"data": {}},
        {"data": None},
        {"seq": 2},
        {"seq": True},
        {"seq": "1"},
        {"seq": 1.5},
        {"prev": "x"},
        {"hash": "x"},
        {"hash": None},
        {"hash": "\ud800"},
        {"actor": BOB},
        {"actor": None},
        {"network": "other"},
        {"browser": None},
        {"user_id": ANN},
        {"item": None},
        {"who_salt": "00"},
        {"whom": "00"},
        {**dict.fromkeys(PARTS["who"]), "who_salt": None},
        {**dict.fromkeys(PARTS["who"]), "who_salt": None, "who_erased": "00"},
    ],
    ids=str,
)
def test_every_field_counts(records, change):
    """No part of a record can be changed, emptied, or passed off as erased."""
    assert CHAIN.flaw(records[0] | change, START)


def test_without_the_key_nothing_can_be_made_that_fits(records):
    """A record under another key is no record of this chain, nor is one that was sealed anew after a change."""
    assert CHAIN.flaw(FORGER.sealed(fields(0), at=AT, after=START), START)
    assert CHAIN.flaw(FORGER.blanked(records[0], ANN) | {"who": records[0]["who"]}, START)
    assert CHAIN.head_mark(link(records[0])) != FORGER.head_mark(link(records[0]))


def test_an_erasure_blanks_only_the_part_that_names_the_account(records):
    """Ann's record about bob keeps bob when ann goes, and ann when bob goes; the chain holds without either."""
    one = records[0]
    without_ann, without_bob = CHAIN.blanked(one, ANN), CHAIN.blanked(one, BOB)
    assert [without_ann[name] for name in ("actor", "network", "browser", "user_id")] == [None, None, None, BOB]
    assert [without_bob[name] for name in ("actor", "user_id", "item")] == [ANN, None, None]
    neither = CHAIN.blanked(without_ann, BOB)
    for blank in (without_ann, without_bob, neither):
        assert first_flaw([blank, *records[1:3]]) is None
    assert ANN not in str(neither)
    assert BOB not in str(neither)
    assert neither["who_salt"] is None
    assert neither["whom_salt"] is None


def test_the_proof_of_one_erasure_serves_no_other_record_or_part(records):
    """A blanked part's proof cannot be moved, so nobody can hide behind somebody else's erasure."""
    blank = CHAIN.blanked(records[0], ANN)
    moved = {**dict.fromkeys(PARTS["who"]), "who_salt": None, "who_erased": blank["who_erased"]}
    assert CHAIN.flaw(records[1] | moved, link(records[0]))
    other = {**dict.fromkeys(PARTS["whom"]), "whom_salt": None, "whom_erased": blank["who_erased"]}
    assert CHAIN.flaw(records[0] | other, START)


def test_an_erasure_hides_no_change(records):
    """A part that was tampered with before it was blanked is still found afterwards."""
    assert CHAIN.flaw(CHAIN.blanked(records[0] | {"actor": BOB}, BOB), START)


def test_where_somebody_unknown_was_goes_with_the_account(records):
    """The network of a failed sign-in is blanked with the account that it was tried on."""
    failed = CHAIN.sealed(fields(0) | {"actor": None}, at=AT, after=START)
    blank = CHAIN.blanked(failed, BOB)
    assert blank["network"] is None
    assert CHAIN.flaw(blank, START) is None
