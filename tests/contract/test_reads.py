"""Pages, orders, counts, facets and look-ups are the same on every engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from qdrant_client import models as m

from tests.contract import dataset

NUMBERS = range(1, dataset.SIZE + 1)
PAYLOADS = {(point.payload or {})["n"]: point.payload or {} for point in dataset.points()}
INTEGER_IDS = [n for n in NUMBERS if n % 3]
UUID_IDS = [dataset.uuid_of(n) for n in NUMBERS if n % 3 == 0]


def value(key: str, wanted: Any) -> m.FieldCondition:
    """Return the condition that a field has a value."""
    return m.FieldCondition(key=key, match=m.MatchValue(value=wanted))


GREEN = m.Filter(must=[value("color", "green")])


def pages(loaded, **request: Any) -> list[Any]:
    """Return the ids of all pages, one after the other."""
    ids: list[Any] = []
    offset = None
    while True:
        points, offset = loaded.client.scroll(loaded.collection, offset=offset, **request)
        ids.extend(point.id for point in points)
        if offset is None:
            return ids


@pytest.mark.parametrize("limit", [1, 7, 64, 1000])
def test_pages_hold_every_point_once_in_the_order_of_ids(loaded, limit):
    """Whatever the page's size: integers ascending, then UUIDs, nothing twice, nothing left out."""
    if limit == 1:
        one = m.Filter(must=[m.FieldCondition(key="n", range=m.Range(lt=9))])
        assert pages(loaded, limit=1, scroll_filter=one) == [1, 2, 4, 5, 7, 8, dataset.uuid_of(3), dataset.uuid_of(6)]
    else:
        assert pages(loaded, limit=limit) == INTEGER_IDS + UUID_IDS


def test_pages_of_a_filter_hold_its_points_only(loaded):
    """Paging goes together with a filter."""
    assert pages(loaded, limit=10, scroll_filter=GREEN) == [n for n in INTEGER_IDS if n % 3 == 1]


def test_a_page_starts_at_its_offset(loaded):
    """The offset is the first id of the page, present or not."""
    points, _ = loaded.client.scroll(loaded.collection, offset=150, limit=3)
    assert [point.id for point in points] == [151, 152, 154]


@pytest.mark.parametrize(
    ("order", "first"),
    [
        (m.OrderBy(key="n"), [1, 2, 3]),
        (m.OrderBy(key="n", direction=m.Direction.DESC), [160, 159, 158]),
        (m.OrderBy(key="n", start_from=50), [50, 51, 52]),
        (m.OrderBy(key="n", direction=m.Direction.DESC, start_from=50), [50, 49, 48]),
    ],
    ids=["ascending", "descending", "from", "descending from"],
)
def test_an_order_by_an_integer_starts_where_it_is_told(loaded, order, first):
    """Ordered pages start at the smallest, at the largest or at a given value."""
    points, offset = loaded.client.scroll(loaded.collection, order_by=order, limit=3)
    assert [point.payload["n"] for point in points] == first
    assert offset is None


def test_an_order_leaves_out_points_without_the_field(loaded):
    """A point without a price is on no page ordered by price."""
    points, _ = loaded.client.scroll(loaded.collection, order_by="price", limit=dataset.SIZE)
    prices = [point.payload["price"] for point in points]
    assert prices == sorted(payload["price"] for payload in PAYLOADS.values() if "price" in payload)


def test_an_order_by_time_takes_a_moment_to_start_from(loaded):
    """Times order as times; paging goes on from a moment."""
    start = datetime(2024, 6, 1, tzinfo=UTC)
    order = m.OrderBy(key="at", direction=m.Direction.DESC, start_from=start)
    points, _ = loaded.client.scroll(loaded.collection, order_by=order, limit=dataset.SIZE)
    expected = sorted((p["at"] for p in PAYLOADS.values() if datetime.fromisoformat(p["at"]) <= start), reverse=True)
    assert [point.payload["at"] for point in points] == expected


def test_an_order_goes_together_with_a_filter(loaded):
    """An ordered page holds matching points only."""
    points, _ = loaded.client.scroll(loaded.collection, scroll_filter=GREEN, order_by="n", limit=4)
    assert [point.payload["n"] for point in points] == [1, 4, 7, 10]


@pytest.mark.parametrize("exact", [True, False])
def test_a_count_is_the_number_of_points(loaded, exact):
    """All points, and those that match."""
    client, collection = loaded.client, loaded.collection
    assert client.count(collection, exact=True).count == dataset.SIZE
    assert client.count(collection, count_filter=GREEN, exact=exact).count == sum(n % 3 == 1 for n in NUMBERS)


@pytest.mark.parametrize(
    ("key", "selection", "expected"),
    [
        ("color", None, {"red": 53, "green": 54, "blue": 53}),
        ("color", m.Filter(must=[value("flag", True)]), {"red": 26, "green": 27, "blue": 27}),
        ("flag", None, {True: 80, False: 80}),
        ("tags", GREEN, {f"t{k}": sum(n % 5 == k for n in NUMBERS if n % 3 == 1) for k in range(5)}),
        ("n", m.Filter(must=[m.FieldCondition(key="n", range=m.Range(lte=3))]), {1: 1, 2: 1, 3: 1}),
        ("owner", None, {dataset.uuid_of(k): 40 for k in range(4)}),
    ],
    ids=["keyword", "filtered", "bool", "list", "integer", "tenant"],
)
def test_a_facet_counts_the_points_of_each_value(loaded, key, selection, expected):
    """Each value with its number of points, and each value of a list."""
    hits = loaded.client.facet(loaded.collection, key, facet_filter=selection, limit=100, exact=True).hits
    counted = {hit.value: hit.count for hit in hits}
    assert {found: counted[found] for found in expected} == expected
    assert [type(hit.value) for hit in hits] == [type(next(iter(expected)))] * len(hits)


def test_a_facet_keeps_to_its_limit(loaded):
    """The most frequent values come first, and no more than asked for."""
    hits = loaded.client.facet(loaded.collection, "color", limit=1, exact=True).hits
    assert [(hit.value, hit.count) for hit in hits] == [("green", 54)]


def test_retrieved_points_come_in_the_order_asked_for_without_the_missing(loaded):
    """Look-ups keep the order of the request and leave out what does not exist."""
    wanted = [8, dataset.uuid_of(3), 9999, "no id", 1, dataset.uuid_of(4)]
    points = loaded.client.retrieve(loaded.collection, wanted)
    assert [point.id for point in points] == [8, dataset.uuid_of(3), 1]
    assert [point.payload["n"] for point in points] == [8, 3, 1]


@pytest.mark.parametrize(
    ("with_payload", "fields"),
    [
        (True, set(PAYLOADS[8])),
        (["n", "color", "absent"], {"n", "color"}),
        (["nested.deep"], {"nested"}),
        (m.PayloadSelectorInclude(include=["n"]), {"n"}),
        (m.PayloadSelectorExclude(exclude=["text", "nested"]), set(PAYLOADS[8]) - {"text", "nested"}),
        (False, set()),
    ],
    ids=["all", "list", "path", "include", "exclude", "none"],
)
def test_a_read_returns_the_payload_fields_asked_for(loaded, with_payload, fields):
    """No more and no fewer fields than asked for, by look-up and by page."""
    found = loaded.client.retrieve(loaded.collection, [8], with_payload=with_payload)[0]
    selection = m.Filter(must=[m.HasIdCondition(has_id=[8])])
    paged, _ = loaded.client.scroll(loaded.collection, scroll_filter=selection, with_payload=with_payload)
    assert set(found.payload or {}) == fields
    assert (paged[0].payload or {}) == (found.payload or {})


@pytest.mark.parametrize(
    ("with_vectors", "names"),
    [
        (True, {"", "ctx", "far", "bm25", "plain"}),
        (["ctx"], {"ctx"}),
        (["ctx", "bm25"], {"ctx", "bm25"}),
        (["", "ctx"], {"", "ctx"}),
    ],
)
def test_a_read_returns_the_vectors_asked_for(loaded, with_vectors, names):
    """No more and no fewer vectors than asked for."""
    found = loaded.client.retrieve(loaded.collection, [8], with_vectors=with_vectors)[0]
    assert set(found.vector) == names


def test_the_default_vector_alone_comes_as_a_list(loaded):
    """Asked for by its empty name, it is not wrapped."""
    found = loaded.client.retrieve(loaded.collection, [8], with_vectors=[""])[0]
    assert isinstance(found.vector, list)
    assert len(found.vector) == dataset.DENSE


def test_a_read_without_vectors_returns_none(loaded):
    """Vectors come only when asked for."""
    assert loaded.client.retrieve(loaded.collection, [8])[0].vector is None


def test_a_uuid_is_found_in_any_spelling(loaded):
    """Upper case and without dashes means the same point, and comes back in the canonical form."""
    canonical = dataset.uuid_of(3)
    for spelling in (canonical.upper(), canonical.replace("-", "")):
        assert [point.id for point in loaded.client.retrieve(loaded.collection, [spelling])] == [canonical]
