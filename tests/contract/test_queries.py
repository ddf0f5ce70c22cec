"""Searches agree between the engines: ids, order and scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qdrant_client import models as m

from tests.contract import dataset
from tests.contract.engines import found, plain

GENERATOR = dataset.random_numbers(99)
QUERY = dataset.dense(GENERATOR)
OTHER = dataset.dense(GENERATOR)
CONTEXT = dataset.dense(GENERATOR, dataset.CONTEXT)
WORDS = dataset.sparse(GENERATOR)
BY_NUMBER: dict[int, Any] = {(point.payload or {})["n"]: point for point in dataset.points()}
ALL = dataset.SIZE


def value(key: str, wanted: Any) -> m.FieldCondition:
    """Return the condition that a field has a value."""
    return m.FieldCondition(key=key, match=m.MatchValue(value=wanted))


OWNER = m.Filter(must=[value("owner", dataset.uuid_of(1))])
RED = m.Filter(must=[value("color", "red")])
BLUE = m.Filter(must=[value("color", "blue")])
LEGS = [
    m.Prefetch(query=QUERY, limit=30),
    m.Prefetch(query=CONTEXT, using="ctx", limit=30),
    m.Prefetch(query=WORDS, using="bm25", limit=30),
]
RESCORED = m.SearchParams(exact=True, quantization=m.QuantizationSearchParams(rescore=True, oversampling=4.0))
TENANT_IDF = m.SearchParams(idf=m.IdfCorpusParams(corpus=OWNER))


def formula(expression: Any, **defaults: Any) -> m.FormulaQuery:
    """Return a formula with its defaults."""
    return m.FormulaQuery(formula=expression, defaults=defaults)


def decay(kind: str) -> Any:
    """Return how far a point's time is from a given one, by one of the three curves."""
    params = m.DecayParamsExpression(
        x=m.DatetimeKeyExpression(datetime_key="at"),
        target=m.DatetimeExpression(datetime="2024-08-01T00:00:00Z"),
        scale=90 * 86400,
        midpoint=0.5,
    )
    if kind == "lin":
        return m.LinDecayExpression(lin_decay=params)
    return m.ExpDecayExpression(exp_decay=params) if kind == "exp" else m.GaussDecayExpression(gauss_decay=params)


def plus(*terms: Any) -> m.SumExpression:
    """Return a sum."""
    return m.SumExpression(sum=list(terms))


def times(*factors: Any) -> m.MultExpression:
    """Return a product."""
    return m.MultExpression(mult=list(factors))


SQUASHED = m.DivExpression(div=m.DivParams(left="$score[2]", right=plus("$score[2]", 5.0)))
NO_SCORES = {"$score[0]": 0.0, "$score[1]": 0.0, "$score[2]": 0.0}
AT = {"at": "2000-01-01T00:00:00Z"}
DISTANCE = m.GeoDistance(geo_distance=m.GeoDistanceParams(origin=m.GeoPoint(lon=0, lat=45), to="place"))

QUERIES: dict[str, dict[str, Any]] = {
    "dense": {"query": QUERY},
    "dense, as an array": {"query": np.asarray(QUERY)},
    "dense, filtered": {"query": QUERY, "query_filter": OWNER},
    "dense, rescored": {"query": QUERY, "search_params": RESCORED},
    "dense, offset": {"query": QUERY, "limit": 5, "offset": 7},
    "dense, threshold": {"query": QUERY, "score_threshold": 0.2, "limit": ALL},
    "dense, dot product": {"query": CONTEXT, "using": "ctx"},
    "dense, distance": {"query": CONTEXT, "using": "far"},
    "dense, distance below a threshold": {"query": CONTEXT, "using": "far", "score_threshold": 4.0, "limit": ALL},
    "sparse": {"query": WORDS, "using": "plain", "limit": 20},
    "sparse, IDF": {"query": WORDS, "using": "bm25", "limit": 20},
    "sparse, IDF, filtered": {"query": WORDS, "using": "bm25", "query_filter": OWNER, "limit": 20},
    "sparse, IDF of the tenant": {"query": WORDS, "using": "bm25", "query_filter": OWNER, "search_params": TENANT_IDF},
    "sparse, empty": {"query": m.SparseVector(indices=[], values=[]), "using": "bm25"},
    "by id": {"query": 4},
    "by UUID": {"query": dataset.uuid_of(6)},
    "by id, of another vector": {"query": 4, "using": "ctx"},
    "by id, sparse": {"query": 4, "using": "bm25", "limit": 20},
    "by id, filtered": {"query": 4, "query_filter": RED},
    "recommend": {
        "query": m.RecommendQuery(recommend=m.RecommendInput(positive=[1, dataset.uuid_of(6)], negative=[4]))
    },
    "recommend by vectors": {
        "query": m.RecommendQuery(recommend=m.RecommendInput(positive=[QUERY, 2], negative=[OTHER]))
    },
    "recommend, best score": {
        "query": m.RecommendQuery(
            recommend=m.RecommendInput(positive=[1, 2], negative=[4], strategy=m.RecommendStrategy.BEST_SCORE)
        )
    },
    "recommend, sum of scores": {
        "query": m.RecommendQuery(
            recommend=m.RecommendInput(positive=[1, 2], negative=[4], strategy=m.RecommendStrategy.SUM_SCORES)
        )
    },
    "diverse": {"query": m.NearestQuery(nearest=QUERY, mmr=m.Mmr(diversity=0.6, candidates_limit=50))},
    "diverse, by default": {"query": m.NearestQuery(nearest=QUERY, mmr=m.Mmr())},
    "ordered": {"query": m.OrderByQuery(order_by="n")},
    "ordered, of a prefetch": {
        "prefetch": m.Prefetch(query=QUERY, limit=20),
        "query": m.OrderByQuery(order_by=m.OrderBy(key="n", direction=m.Direction.DESC)),
    },
    "fusion by rank": {"prefetch": LEGS, "query": m.FusionQuery(fusion=m.Fusion.RRF), "limit": ALL},
    "fusion by rank, k": {"prefetch": LEGS, "query": m.RrfQuery(rrf=m.Rrf(k=60)), "limit": ALL},
    "fusion by weighted rank": {
        "prefetch": LEGS,
        "query": m.RrfQuery(rrf=m.Rrf(k=60, weights=[3.0, 1.0, 0.5])),
        "limit": ALL,
    },
    "fusion by distribution": {"prefetch": LEGS, "query": m.FusionQuery(fusion=m.Fusion.DBSF)},
    "fusion, filtered outside": {
        "prefetch": LEGS,
        "query": m.FusionQuery(fusion=m.Fusion.RRF),
        "limit": ALL,
        "query_filter": OWNER,
    },
    "fusion, filtered inside": {
        "prefetch": [leg.model_copy(update={"filter": OWNER}) for leg in LEGS],
        "query": m.FusionQuery(fusion=m.Fusion.RRF),
        "limit": ALL,
    },
    "prefetch, searched again": {"prefetch": m.Prefetch(query=QUERY, limit=40), "query": CONTEXT, "using": "far"},
    "prefetch in a prefetch": {
        "prefetch": m.Prefetch(
            prefetch=[m.Prefetch(query=QUERY, limit=60), m.Prefetch(query=WORDS, using="bm25", limit=60)],
            query=CONTEXT,
            using="ctx",
            limit=25,
        ),
        "query": OTHER,
    },
    "prefetch with a threshold": {
        "prefetch": m.Prefetch(query=QUERY, limit=ALL, score_threshold=0.25),
        "query": OTHER,
    },
    "prefetch by id": {"prefetch": m.Prefetch(query=4, limit=30), "query": OTHER},
    "formula": {"prefetch": LEGS[:1], "query": formula(plus("$score", 1.0))},
    "formula of parts": {
        "prefetch": LEGS,
        "query": formula(
            plus(times(0.4, "$score[0]"), times(0.2, "$score[1]"), times(0.3, SQUASHED), times(0.1, "price")),
            price=0.0,
            **NO_SCORES,
        ),
    },
    "formula, exponential decay": {"prefetch": LEGS[:1], "query": formula(plus("$score", decay("exp")), **AT)},
    "formula, normal decay": {"prefetch": LEGS[:1], "query": formula(plus("$score", decay("gauss")), **AT)},
    "formula, linear decay": {"prefetch": LEGS[:1], "query": formula(plus("$score", decay("lin")), **AT)},
    "formula with conditions": {
        "prefetch": LEGS[:1],
        "query": formula(plus("$score", times(2.0, value("flag", True)), times(0.5, RED))),
    },
    "formula with functions": {
        "prefetch": LEGS[:1],
        "query": formula(
            plus(
                m.SqrtExpression(sqrt=m.AbsExpression(abs="$score")),
                m.LnExpression(ln=plus("price", 1.0)),
                m.PowExpression(pow=m.PowParams(base="price", exponent=0.5)),
                m.NegExpression(neg=m.Log10Expression(log10=plus("n", 1.0))),
                m.ExpExpression(exp=times(0.01, "price")),
            ),
            price=1.0,
            n=1.0,
        ),
    },
    "formula with a distance": {
        "prefetch": LEGS[:1],
        "query": formula(plus("$score", m.DivExpression(div=m.DivParams(left=1000.0, right=plus(DISTANCE, 1.0))))),
    },
    "formula above a threshold": {
        "prefetch": LEGS[:1],
        "query": formula(plus("$score", 0.0)),
        "score_threshold": 0.3,
        "limit": ALL,
    },
}


@pytest.mark.parametrize("case", QUERIES)
def test_a_query_finds_the_same_with_the_same_scores(peer, reference, case):
    """Ids, order and scores agree with the in-memory engine."""
    query = {"limit": 10} | QUERIES[case]
    ours = peer.client.query_points(peer.collection, **query).points
    theirs = reference.client.query_points(reference.collection, **query).points
    assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in theirs], abs=1e-3, rel=1e-3)
    assert {hit.id: hit.score for hit in ours} == pytest.approx(
        {hit.id: hit.score for hit in theirs}, abs=1e-3, rel=1e-3
    )
    if query["limit"] != ALL:
        assert [hit.id for hit in ours] == [hit.id for hit in theirs]


def test_cosine_scores_are_those_of_the_formula_book(loaded):
    """A dense score is the cosine, computed here from the raw vectors."""
    hits = loaded.client.query_points(loaded.collection, QUERY, limit=ALL).points
    query = np.asarray(QUERY) / np.linalg.norm(QUERY)
    for hit in hits:
        vector = np.asarray(BY_NUMBER[hit.payload["n"]].vector[""])
        assert hit.score == pytest.approx(float(query @ vector / np.linalg.norm(vector)), abs=1e-4)
    assert len(hits) == ALL
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_sparse_scores_are_the_sum_over_common_terms(loaded):
    """A sparse score without IDF is the inner product, and only points with a common term are found."""
    words = dict(zip(WORDS.indices, WORDS.values, strict=True))
    expected = {}
    for number, point in BY_NUMBER.items():
        stored = point.vector["plain"]
        common = [words[i] * v for i, v in zip(stored.indices, stored.values, strict=True) if i in words]
        if common:
            expected[number] = pytest.approx(sum(common), abs=1e-3)
    hits = loaded.client.query_points(loaded.collection, WORDS, using="plain", limit=ALL).points
    assert {hit.payload["n"]: hit.score for hit in hits} == expected


def test_rank_fusion_scores_are_those_of_the_ranks(loaded):
    """Each leg adds 1 / (rank / weight + k - 1), ranks from 1; what no leg found is not there."""
    k, weights = 60, (3.0, 1.0, 0.5)
    expected: dict[Any, float] = {}
    for leg, weight in zip(LEGS, weights, strict=True):
        hits = loaded.client.query_points(loaded.collection, leg.query, using=leg.using, limit=30).points
        for rank, hit in enumerate(hits, start=1):
            expected[hit.id] = expected.get(hit.id, 0.0) + 1 / (rank / weight + k - 1)
    fusion = m.RrfQuery(rrf=m.Rrf(k=k, weights=list(weights)))
    fused = loaded.client.query_points(loaded.collection, fusion, prefetch=LEGS, limit=ALL).points
    assert {hit.id: hit.score for hit in fused} == pytest.approx(expected, abs=1e-5)


def test_a_query_by_id_leaves_the_point_itself_out(loaded):
    """Who asks for neighbours of a point does not get the point."""
    hits = loaded.client.query_points(loaded.collection, 4, limit=ALL).points
    assert len(hits) == ALL - 1
    assert 4 not in {hit.id for hit in hits}


def test_the_idf_of_a_tenant_differs_from_that_of_all(loaded):
    """With a corpus, word statistics come from the tenant's points alone: the scores change, the filter does not."""
    scores = [
        loaded.client.query_points(
            loaded.collection, WORDS, using="bm25", query_filter=OWNER, search_params=params, limit=ALL
        ).points
        for params in (None, TENANT_IDF)
    ]
    everyone, tenant = ({hit.id: round(hit.score, 3) for hit in hits} for hits in scores)
    assert set(everyone) == set(tenant)
    assert everyone != tenant


def test_without_a_query_points_come_in_the_order_of_their_ids(loaded):
    """A query without a query pages by id, integers first."""
    hits = loaded.client.query_points(loaded.collection, query_filter=BLUE, limit=5).points
    assert [hit.id for hit in hits] == [2, 5, 8, 11, 14]


def test_a_random_sample_holds_matching_points_once(loaded):
    """A sample has as many distinct points as asked for."""
    hits = loaded.client.query_points(
        loaded.collection, m.SampleQuery(sample=m.Sample.RANDOM), query_filter=RED, limit=20
    ).points
    assert len({hit.id for hit in hits}) == 20
    assert {hit.payload["color"] for hit in hits} == {"red"}


def test_a_batch_answers_each_query_in_its_order(loaded):
    """A batch gives what the single queries give; payload comes only where it is asked for."""
    requests = [
        m.QueryRequest(query=QUERY, limit=4),
        m.QueryRequest(query=WORDS, using="bm25", limit=6, filter=OWNER, with_payload=True),
        m.QueryRequest(query=4, limit=3, with_payload=["n"], with_vector=["ctx"]),
    ]
    answers = loaded.client.query_batch_points(loaded.collection, requests)
    single = [
        loaded.client.query_points(loaded.collection, QUERY, limit=4),
        loaded.client.query_points(loaded.collection, WORDS, using="bm25", limit=6, query_filter=OWNER),
        loaded.client.query_points(loaded.collection, 4, limit=3),
    ]
    assert [found(answer.points) for answer in answers] == [found(answer.points) for answer in single]
    assert all(not hit.payload and hit.vector is None for hit in answers[0].points)
    assert all(hit.payload["owner"] == dataset.uuid_of(1) for hit in answers[1].points)
    assert all(set(hit.payload) == {"n"} and set(hit.vector) <= {"ctx"} for hit in answers[2].points)


def test_a_result_carries_the_stored_payload_and_vectors(loaded):
    """Payload and vectors of a hit are the stored ones; cosine vectors are stored at unit length."""
    hit = loaded.client.query_points(loaded.collection, QUERY, limit=1, with_vectors=True).points[0]
    point = BY_NUMBER[hit.payload["n"]]
    unit = np.asarray(point.vector[""]) / np.linalg.norm(point.vector[""])
    stored = plain(hit.vector)
    assert hit.payload == point.payload
    assert stored[""] == pytest.approx([float(number) for number in unit], abs=1e-4)
    assert stored["bm25"] == pytest.approx(plain(point.vector["bm25"]), abs=1e-3)
    assert isinstance(hit.id, int | str)
