"""Every kind of filter selects, on every engine, the points that a plain Python predicate selects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from qdrant_client import models as m

from tests.contract import dataset

POINTS = dataset.points()
Predicate = Callable[[dict[str, Any]], bool]


def field(key: str, **condition: Any) -> m.FieldCondition:
    """Return a condition on a field."""
    return m.FieldCondition(key=key, **condition)


def value(key: str, wanted: Any) -> m.FieldCondition:
    """Return the condition that a field has a value."""
    return field(key, match=m.MatchValue(value=wanted))


def instant(payload: dict[str, Any]) -> datetime:
    """Return the time of a payload."""
    return datetime.fromisoformat(payload["at"])


MAY = datetime(2024, 5, 3, 4, tzinfo=UTC)

BY_PAYLOAD: dict[str, tuple[m.Filter, Predicate]] = {
    "no condition": (m.Filter(), lambda p: True),
    "keyword": (m.Filter(must=value("color", "red")), lambda p: p["color"] == "red"),
    "keyword in a list": (m.Filter(must=[value("tags", "t3")]), lambda p: "t3" in p["tags"]),
    "keyword unknown": (m.Filter(must=[value("color", "mauve")]), lambda p: False),
    "integer": (m.Filter(must=[value("n", 17)]), lambda p: p["n"] == 17),
    "bool true": (m.Filter(must=[value("flag", True)]), lambda p: p["flag"]),
    "bool false": (m.Filter(must=[value("flag", False)]), lambda p: not p["flag"]),
    "bool without an index": (m.Filter(must_not=[value("flag", True)]), lambda p: not p["flag"]),
    "uuid": (m.Filter(must=[value("key", dataset.uuid_of(1005))]), lambda p: p["n"] == 5),
    "any": (m.Filter(must=[field("color", match=m.MatchAny(any=["red", "blue"]))]), lambda p: p["color"] != "green"),
    "any of integers": (m.Filter(must=[field("n", match=m.MatchAny(any=[3, 5, 900]))]), lambda p: p["n"] in {3, 5}),
    "any of nothing": (m.Filter(must=[field("color", match=m.MatchAny(any=[]))]), lambda p: False),
    "except": (
        m.Filter(must=[field("color", match=m.MatchExcept(**{"except": ["red"]}))]),
        lambda p: p["color"] != "red",
    ),
    "text, every word": (
        m.Filter(must=[field("text", match=m.MatchText(text="fox red"))]),
        lambda p: "red" in p["text"],
    ),
    "text, any word": (
        m.Filter(must=[field("text", match=m.MatchTextAny(text_any="number7 number8"))]),
        lambda p: p["n"] in {7, 8},
    ),
    "phrase": (
        m.Filter(must=[field("text", match=m.MatchPhrase(phrase="over blue dogs"))]),
        lambda p: p["color"] == "blue",
    ),
    "range": (m.Filter(must=[field("n", range=m.Range(gt=10, lte=20))]), lambda p: 10 < p["n"] <= 20),
    "range of floats": (
        m.Filter(must=[field("price", range=m.Range(gte=25.5, lt=75))]),
        lambda p: 25.5 <= p.get("price", -1) < 75,
    ),
    "range of times, aware": (
        m.Filter(must=[field("at", range=m.DatetimeRange(gte=MAY))]),
        lambda p: instant(p) >= MAY,
    ),
    "range of times, naive": (
        m.Filter(must=[field("at", range=m.DatetimeRange(lt=MAY.replace(tzinfo=None)))]),
        lambda p: instant(p) < MAY,
    ),
    "range of times, a day": (
        m.Filter(must=[field("at", range=m.DatetimeRange(gt=date(2024, 9, 1)))]),
        lambda p: instant(p) > datetime(2024, 9, 1, tzinfo=UTC),
    ),
    "circle": (
        m.Filter(must=[field("place", geo_radius=m.GeoRadius(center=m.GeoPoint(lon=0, lat=45), radius=1e7))]),
        lambda p: True,
    ),
    "box": (
        m.Filter(
            must=[
                field(
                    "place",
                    geo_bounding_box=m.GeoBoundingBox(
                        top_left=m.GeoPoint(lon=-5, lat=48), bottom_right=m.GeoPoint(lon=5, lat=42)
                    ),
                )
            ]
        ),
        lambda p: -5 <= p["place"]["lon"] <= 5 and 42 <= p["place"]["lat"] <= 48,
    ),
    "polygon": (
        m.Filter(
            must=[
                field(
                    "place",
                    geo_polygon=m.GeoPolygon(
                        exterior=m.GeoLineString(
                            points=[
                                m.GeoPoint(lon=lon, lat=lat)
                                for lon, lat in ((-5, 42), (5, 42), (5, 48), (-5, 48), (-5, 42))
                            ]
                        )
                    ),
                )
            ]
        ),
        lambda p: -5 <= p["place"]["lon"] <= 5 and 42 <= p["place"]["lat"] <= 48,
    ),
    "values count": (m.Filter(must=[field("tags", values_count=m.ValuesCount(gte=2))]), lambda p: True),
    "is empty": (m.Filter(must=[m.IsEmptyCondition(is_empty=m.PayloadField(key="price"))]), lambda p: "price" not in p),
    "is empty, of a list": (m.Filter(must=[m.IsEmptyCondition(is_empty=m.PayloadField(key="empty"))]), lambda p: True),
    "is null": (m.Filter(must=[m.IsNullCondition(is_null=m.PayloadField(key="note"))]), lambda p: p["note"] is None),
    "is null, on the field": (m.Filter(must=[field("note", is_null=True)]), lambda p: p["note"] is None),
    "is not empty, on the field": (m.Filter(must=[field("price", is_empty=False)]), lambda p: "price" in p),
    "path": (m.Filter(must=[value("nested.deep.n", 3)]), lambda p: p["nested"]["deep"]["n"] == 3),
    "path through a list": (
        m.Filter(must=[value("nested.list[].a", 2), value("nested.list[].b", 1)]),
        lambda p: p["nested"]["list"][0]["a"] == 2,
    ),
    "nested": (
        m.Filter(
            must=[
                m.NestedCondition(
                    nested=m.Nested(key="nested.list", filter=m.Filter(must=[value("a", 2), value("b", 1)]))
                )
            ]
        ),
        lambda p: p["nested"]["list"][0] == {"a": 2, "b": 1},
    ),
    "should": (
        m.Filter(should=[value("n", 1), value("n", 2), value("color", "blue")]),
        lambda p: p["n"] == 1 or p["color"] == "blue",
    ),
    "must not, twice": (
        m.Filter(must_not=[value("color", "red"), value("flag", True)]),
        lambda p: p["color"] != "red" and not p["flag"],
    ),
    "at least two": (
        m.Filter(
            min_should=m.MinShould(
                conditions=[value("color", "red"), value("flag", True), value("tags", "t1")], min_count=2
            )
        ),
        lambda p: (p["color"] == "red") + p["flag"] + ("t1" in p["tags"]) >= 2,
    ),
    "filter in a filter": (
        m.Filter(
            must=[
                value("owner", dataset.uuid_of(2)),
                m.Filter(should=[value("color", "red"), m.Filter(must_not=value("flag", True))]),
            ]
        ),
        lambda p: p["owner"] == dataset.uuid_of(2) and (p["color"] == "red" or not p["flag"]),
    ),
    "empty lists": (m.Filter(must=[], should=[], must_not=[value("color", "red")]), lambda p: p["color"] != "red"),
}

BY_POINT: dict[str, tuple[m.Filter, Callable[[m.PointStruct], bool]]] = {
    "has id": (
        m.Filter(must=[m.HasIdCondition(has_id=[1, dataset.uuid_of(3), 999])]),
        lambda p: p.id in {1, dataset.uuid_of(3)},
    ),
    "has no id of none": (m.Filter(must=[m.HasIdCondition(has_id=[])]), lambda p: False),
    "has not id": (m.Filter(must_not=[m.HasIdCondition(has_id=[1])]), lambda p: p.id != 1),
    "has vector": (m.Filter(must=[m.HasVectorCondition(has_vector="ctx")]), lambda p: "ctx" in p.vector),
    "has no vector": (m.Filter(must_not=[m.HasVectorCondition(has_vector="bm25")]), lambda p: "bm25" not in p.vector),
}


def matching(loaded, selection: m.Filter) -> list[Any]:
    """Return the ids that a filter selects."""
    points, _ = loaded.client.scroll(loaded.collection, scroll_filter=selection, limit=dataset.SIZE)
    return sorted((point.id for point in points), key=str)


@pytest.mark.parametrize("case", BY_PAYLOAD)
def test_a_payload_filter_selects_what_its_predicate_selects(loaded, case):
    """A condition on payload fields means the same on every engine."""
    selection, predicate = BY_PAYLOAD[case]
    expected = sorted((point.id for point in POINTS if predicate(point.payload or {})), key=str)
    assert matching(loaded, selection) == expected
    assert loaded.client.count(loaded.collection, count_filter=selection).count == len(expected)


@pytest.mark.parametrize("case", BY_POINT)
def test_a_filter_on_the_point_itself_selects_what_its_predicate_selects(loaded, case):
    """A condition on ids and vectors means the same on every engine."""
    selection, predicate = BY_POINT[case]
    assert matching(loaded, selection) == sorted((point.id for point in POINTS if predicate(point)), key=str)


def test_a_filter_applies_to_a_search(loaded):
    """A search returns matching points only, as many as there are."""
    selection = m.Filter(must=[value("owner", dataset.uuid_of(1)), value("flag", False)])
    query = dataset.dense(dataset.random_numbers(1))
    hits = loaded.client.query_points(loaded.collection, query, query_filter=selection, limit=100).points
    assert {hit.payload["n"] for hit in hits} == {n for n in range(1, dataset.SIZE + 1) if n % 4 == 1}
