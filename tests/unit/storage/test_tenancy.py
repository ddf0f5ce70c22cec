from collections.abc import Callable
from typing import Any

import pytest
from qdrant_client import models
from qdrant_client.client_base import QdrantBase
from qdrant_client.http.models import QueryResponse

from optimus.errors import TenancyError
from optimus.models import UserId, new_id
from optimus.storage.filters import all_of, equals, has_ids, owned_by
from optimus.storage.store import Store
from optimus.storage.tenancy import TenancyWall, across_tenants, acting_as
from tests.unit.storage.conftest import vector

OWN_WORDS = "I live in Lisbon"


def point_of(owner: str, text: str = OWN_WORDS, **payload: Any) -> models.PointStruct:
    """Return a point as a plain Mem0 writes it."""
    stored = {"user_id": owner, "data": text, "created_at": "2026-01-01T12:00:00+00:00", **payload}
    return models.PointStruct(id=new_id(), vector={"": vector(1), "ctx": vector(2)}, payload=stored)


def in_a_batch(where: models.Filter | None, **fields: Any) -> list[models.QueryRequest]:
    """Return one query of a batch."""
    return [models.QueryRequest(query=vector(1), filter=where, limit=10, with_payload=True, **fields)]


@pytest.fixture
def name(store):
    """The name of the collection of memories."""
    return store.names.memories


@pytest.fixture
def mine(store, name, alice):
    """A point of Alice's."""
    point = point_of(alice)
    store.client.upsert(name, points=[point])
    return point


@pytest.fixture
def theirs(store, name, bob):
    """A point of Bob's."""
    point = point_of(bob, "I live in Porto")
    store.client.upsert(name, points=[point])
    return point


def texts(store: Store, owner: UserId) -> list[str]:
    """Return the texts of all memories of an owner, past the wall."""
    with across_tenants():
        records, _ = store.client.scroll(store.names.memories, scroll_filter=all_of(owned_by(owner)))
    return [(record.payload or {})["data"] for record in records]


FILTERED_CALLS: dict[str, Callable[..., Any]] = {
    "query_points": lambda client, name, where: client.query_points(name, query=vector(1), query_filter=where),
    "query_batch_points": lambda client, name, where: client.query_batch_points(name, requests=in_a_batch(where)),
    "scroll": lambda client, name, where: client.scroll(name, scroll_filter=where),
    "count": lambda client, name, where: client.count(name, count_filter=where),
    "facet": lambda client, name, where: client.facet(name, key="status", facet_filter=where),
    "delete": lambda client, name, where: client.delete(name, points_selector=where),
    "set_payload": lambda client, name, where: client.set_payload(name, payload={"status": "x"}, points=where),
    "delete_payload": lambda client, name, where: client.delete_payload(name, keys=["status"], points=where),
    "delete_vectors": lambda client, name, where: client.delete_vectors(name, vectors=["ctx"], points=where),
}
OWNERLESS: dict[str, Callable[[str], models.Filter | None]] = {
    "none": lambda owner: None,
    "empty": lambda owner: models.Filter(),
    "another field": lambda owner: all_of(equals("status", "active")),
    "star": lambda owner: all_of(equals("user_id", "*")),
    "upper case": lambda owner: all_of(equals("user_id", owner.upper())),
    "list": lambda owner: all_of(models.FieldCondition(key="user_id", match=models.MatchAny(any=[owner]))),
    "except": lambda owner: all_of(
        models.FieldCondition(key="user_id", match=models.MatchExcept(**{"except": ["nobody"]}))
    ),
    "should": lambda owner: models.Filter(should=[owned_by(owner)]),
    "must not": lambda owner: models.Filter(must_not=[owned_by(owner)]),
    "nested": lambda owner: all_of(all_of(owned_by(owner))),
    "two owners": lambda owner: all_of(owned_by(owner), owned_by(new_id())),
    "two tests in one": lambda owner: all_of(
        models.FieldCondition(key="user_id", match=models.MatchValue(value=owner), is_null=False)
    ),
}


@pytest.mark.parametrize("call", FILTERED_CALLS)
@pytest.mark.parametrize("form", OWNERLESS)
def test_filter_without_owner_at_the_top_is_refused(memory_store, alice, call, form):
    """Every call by filter is refused whose filter does not want one owner at its top level, acting owner or not."""
    client, name = memory_store.client, memory_store.names.memories
    where = OWNERLESS[form](alice)

    with pytest.raises((TenancyError, ValueError)):
        FILTERED_CALLS[call](client, name, where)
    with acting_as(alice), pytest.raises((TenancyError, ValueError)):
        FILTERED_CALLS[call](client, name, where)


@pytest.mark.parametrize("call", FILTERED_CALLS)
def test_filter_that_names_another_owner_is_refused(store, name, mine, theirs, alice, bob, call):
    """While an owner acts, no call by filter reaches another's records."""
    with acting_as(alice), pytest.raises(TenancyError):
        FILTERED_CALLS[call](store.client, name, all_of(owned_by(bob)))

    assert texts(store, bob) == [theirs.payload["data"]]


@pytest.mark.parametrize("call", FILTERED_CALLS)
def test_filter_with_owner_passes_without_an_acting_one(store, name, mine, theirs, alice, bob, call):
    """A plain Mem0, which knows no acting owner, gets through with its own filter, and no further."""
    FILTERED_CALLS[call](store.client, name, all_of(owned_by(alice)))

    assert texts(store, bob) == [theirs.payload["data"]]


@pytest.mark.parametrize(
    "part",
    [
        {"prefetch": models.Prefetch(query=vector(1), limit=5)},
        {"prefetch": [models.Prefetch(prefetch=[models.Prefetch(query=vector(1), limit=5)], limit=5)]},
        {"params": models.SearchParams(idf=models.IdfCorpusParams(corpus=all_of(equals("status", "active"))))},
        {"lookup_from": models.LookupLocation(collection="optimus_memories")},
    ],
)
def test_every_filter_of_a_query_counts(memory_store, alice, part):
    """A prefetch at any depth, an IDF corpus or a look-up without owner makes the whole query refused."""
    client, name, where = memory_store.client, memory_store.names.memories, all_of(owned_by(alice))
    single = {{"params": "search_params"}.get(key, key): value for key, value in part.items()}

    with pytest.raises(TenancyError):
        client.query_points(name, query=vector(1), query_filter=where, **single)
    with pytest.raises(TenancyError):
        client.query_batch_points(name, requests=[*in_a_batch(where), *in_a_batch(where, **part)])


def test_prefetch_of_another_owner_is_refused(memory_store, alice, bob):
    """One query cannot mix owners, even without an acting one."""
    inner = models.Prefetch(query=vector(1), filter=all_of(owned_by(bob)), limit=5)
    fused = models.FusionQuery(fusion=models.Fusion.RRF)

    with pytest.raises(TenancyError):
        memory_store.client.query_points(
            memory_store.names.memories, prefetch=inner, query=fused, query_filter=all_of(owned_by(alice))
        )


@pytest.mark.parametrize("form", ["id", "nearest", "recommend"])
def test_query_by_point_id_is_refused(store, name, alice, theirs, form):
    """A query cannot read the vector of a point that may be another's."""
    queries = {
        "id": theirs.id,
        "nearest": models.NearestQuery(nearest=theirs.id),
        "recommend": models.RecommendQuery(recommend=models.RecommendInput(positive=[theirs.id])),
    }
    where = all_of(owned_by(alice))
    inner = models.Prefetch(query=queries[form], filter=where, limit=5)
    fused = models.FusionQuery(fusion=models.Fusion.RRF)

    with acting_as(alice), pytest.raises(TenancyError):
        store.client.query_points(name, query=queries[form], query_filter=where)
    with acting_as(alice), pytest.raises(TenancyError):
        store.client.query_points(name, prefetch=inner, query=fused, query_filter=where)


def test_calls_by_id_need_an_acting_owner(store, name, mine):
    """Without an acting owner nothing is reached by id."""
    client = store.client
    calls: tuple[Callable[[], Any], ...] = (
        lambda: client.retrieve(name, ids=[mine.id]),
        lambda: client.delete(name, points_selector=[mine.id]),
        lambda: client.delete(name, points_selector=models.PointIdsList(points=[mine.id])),
        lambda: client.set_payload(name, payload={"status": "x"}, points=[mine.id]),
        lambda: client.update_vectors(name, points=[models.PointVectors(id=mine.id, vector={"": vector(3)})]),
    )
    for call in calls:
        with pytest.raises(TenancyError):
            call()


def test_calls_by_id_reach_the_own_records_only(store, name, mine, theirs, alice, bob):
    """Another's id looks missing to a read and is passed over by a change."""
    both = [mine.id, theirs.id]
    with acting_as(bob):
        vectors_before = store.client.retrieve(name, ids=[theirs.id], with_vectors=True)[0].vector
    with acting_as(alice):
        assert [record.id for record in store.client.retrieve(name, ids=both)] == [mine.id]
        store.client.set_payload(name, payload={"status": "seen"}, points=both)
        store.client.update_vectors(name, points=[models.PointVectors(id=theirs.id, vector={"": vector(9)})])
        store.client.delete_vectors(name, vectors=["ctx"], points=both)
        store.client.delete(name, points_selector=both)

    with acting_as(bob):
        (kept,) = store.client.retrieve(name, ids=both, with_vectors=True)
    assert kept.payload == theirs.payload
    assert kept.vector == vectors_before
    assert texts(store, alice) == []


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        (True, {"user_id", "data", "created_at"}),
        (["data"], {"data"}),
        (["user_id"], {"user_id"}),
        (models.PayloadSelectorInclude(include=["data"]), {"data"}),
        (models.PayloadSelectorExclude(exclude=["user_id", "data"]), {"created_at"}),
        (models.PayloadSelectorExclude(exclude=["data"]), {"user_id", "created_at"}),
    ],
)
def test_payload_is_cut_to_what_was_asked(store, name, mine, alice, wanted, fields):
    """The owner, which the walls read along, does not show where nobody asked for it."""
    where = all_of(owned_by(alice))
    with acting_as(alice):
        found = [
            store.client.retrieve(name, ids=[mine.id], with_payload=wanted)[0],
            store.client.scroll(name, scroll_filter=where, with_payload=wanted)[0][0],
            store.client.query_points(name, query=vector(1), query_filter=where, with_payload=wanted).points[0],
        ]

    assert [set(record.payload) for record in found] == [fields] * 3


def test_no_payload_means_none(store, name, mine, alice):
    """Where no payload is asked for, none comes."""
    with acting_as(alice):
        (record,) = store.client.retrieve(name, ids=[mine.id], with_payload=False)

    assert record.payload is None


def test_existing_record_of_another_is_never_overwritten(store, name, theirs, alice, bob):
    """A write with another's id changes nothing, whether an owner acts or not."""
    stolen = point_of(alice, "stolen").model_copy(update={"id": theirs.id})

    store.client.upsert(name, points=[stolen])
    with acting_as(alice):
        store.client.upsert(name, points=[stolen])
        store.client.upsert(name, points=[stolen], update_filter=all_of(owned_by(bob)))

    assert texts(store, bob) == [theirs.payload["data"]]
    assert texts(store, alice) == []


def test_write_of_several_owners_guards_each(store, name, mine, theirs, alice, bob):
    """A write without an acting owner may hold several owners' records; each reaches its own only."""
    swapped = [
        point_of(bob, "x").model_copy(update={"id": mine.id}),
        point_of(alice, "new of Alice"),
        point_of(bob, "new of Bob"),
    ]
    store.client.upsert(name, points=swapped)

    assert sorted(texts(store, alice)) == [OWN_WORDS, "new of Alice"]
    assert sorted(texts(store, bob)) == ["I live in Porto", "new of Bob"]


@pytest.mark.parametrize("owner", [None, "*", "", "alice", 7])
def test_write_without_owner_is_refused(memory_store, owner):
    """A record without the UUID of its owner is not stored."""
    point = models.PointStruct(id=new_id(), vector={"": vector(1)}, payload={"user_id": owner, "data": "x"})

    with pytest.raises(TenancyError):
        memory_store.client.upsert(memory_store.names.memories, points=[point])


def test_write_for_another_than_the_acting_owner_is_refused(memory_store, alice, bob):
    """An acting owner writes own records only, as points or as a batch."""
    point = point_of(bob)
    batch = models.Batch(ids=[point.id], vectors={"": [vector(1)]}, payloads=[point.payload or {}])

    for points in ([point], batch):
        with acting_as(alice), pytest.raises(TenancyError):
            memory_store.client.upsert(memory_store.names.memories, points=points)


def test_batch_and_upload_are_written(store, name, alice):
    """The other forms of a write pass the wall too."""
    point = point_of(alice, "from a batch")
    store.client.upsert(
        name, points=models.Batch(ids=[point.id], vectors={"": [vector(1)]}, payloads=[point.payload or {}])
    )
    store.client.upload_points(name, points=iter([point_of(alice, "uploaded")]))

    assert sorted(texts(store, alice)) == ["from a batch", "uploaded"]


def test_owner_of_a_record_cannot_be_changed(store, name, mine, alice, bob):
    """No change of a payload gives a record to somebody else or to nobody."""
    where = all_of(owned_by(alice))
    calls: tuple[Callable[[], Any], ...] = (
        lambda: store.client.set_payload(name, payload={"user_id": bob}, points=where),
        lambda: store.client.set_payload(name, payload={"x": 1}, points=where, key="user_id"),
        lambda: store.client.overwrite_payload(name, payload={"user_id": bob}, points=where),
        lambda: store.client.overwrite_payload(name, payload={"status": "x"}, points=where),
        lambda: store.client.delete_payload(name, keys=["user_id"], points=where),
        lambda: store.client.clear_payload(name, points_selector=where),
        lambda: store.client.clear_payload(name, points_selector=[mine.id]),
    )
    for call in calls:
        with acting_as(alice), pytest.raises(TenancyError):
            call()

    assert texts(store, alice) == [OWN_WORDS]


def test_collections_are_not_dropped_through_the_wall(memory_store):
    """Mem0's reset, which drops its collection, is refused; so is dropping the accounts."""
    for name in (memory_store.names.memories, memory_store.names.accounts):
        with pytest.raises(TenancyError):
            memory_store.client.delete_collection(name)


def test_unknown_collections_are_owned(memory_store, alice):
    """A collection that the wall has never heard of is guarded like the known ones."""
    memory_store.client.create_collection("else", vectors_config={})

    with pytest.raises(TenancyError):
        memory_store.client.scroll("else")


def test_calls_that_nobody_uses_are_refused(memory_store):
    """What the wall does not know cannot reach the engine."""
    client, name = memory_store.client, memory_store.names.memories

    calls: tuple[Callable[[], Any], ...] = (
        lambda: client.query_points_groups(name, group_by="user_id", query=vector(1)),
        lambda: client.search_matrix_pairs(name),
        lambda: client.create_snapshot(name),
        lambda: client.batch_update_points(name, update_operations=[]),
        lambda: client.http,
    )
    for call in calls:
        with pytest.raises((NotImplementedError, TenancyError)):
            call()


def test_acting_owner_is_a_uuid_and_stays_one(alice, bob):
    """Nobody acts under a made-up name, nor as two owners at once; the same one twice is fine."""
    with pytest.raises(TenancyError), acting_as(UserId("*")):
        pass
    with acting_as(alice):
        with acting_as(alice):
            pass
        with pytest.raises(TenancyError), acting_as(bob):
            pass


def test_across_tenants_ends_with_its_block(memory_store):
    """The way round the wall is open inside its block only."""
    name = memory_store.names.memories
    with across_tenants():
        memory_store.client.scroll(name)
    with pytest.raises(TenancyError):
        memory_store.client.scroll(name)


class LeakingEngine(QdrantBase):
    """An engine whose filter does not work."""

    def __init__(self, owner: str) -> None:
        super().__init__()
        self.record = models.Record(id=new_id(), payload={"user_id": owner})
        self.point = models.ScoredPoint(id=new_id(), version=0, score=1.0, payload={"user_id": owner})

    def scroll(self, collection_name: str, *args: Any, **kwargs: Any) -> Any:
        return [self.record], None

    def retrieve(self, collection_name: str, *args: Any, **kwargs: Any) -> Any:
        return [self.record]

    def query_points(self, collection_name: str, *args: Any, **kwargs: Any) -> Any:
        return QueryResponse(points=[self.point])


def test_foreign_record_from_the_engine_is_not_handed_on(alice, bob):
    """Should the engine return another's record, a search fails and a read by id shows nothing."""
    wall = TenancyWall(LeakingEngine(bob), unowned=())
    where = all_of(owned_by(alice))

    with acting_as(alice):
        with pytest.raises(TenancyError):
            wall.scroll("memories", scroll_filter=where)
        with pytest.raises(TenancyError):
            wall.query_points("memories", query=vector(1), query_filter=where)
        assert wall.retrieve("memories", ids=[new_id()]) == []


def test_filters_that_narrow_are_kept(store, name, mine, alice):
    """What a caller adds beside the owner still narrows."""
    store.client.upsert(name, points=[point_of(alice, "other")])

    with acting_as(alice):
        found, _ = store.client.scroll(name, scroll_filter=all_of(owned_by(alice), has_ids(mine.id)))

    assert [record.id for record in found] == [mine.id]
