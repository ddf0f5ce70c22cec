"""What happens where the engine gives out another account's record: an error, a count and a record in the log."""

import pytest

from optimus.errors import ForeignRecordError
from optimus.models import new_id
from optimus.storage.audit_records import AuditAction
from optimus.storage.filters import all_of, owned_by
from optimus.storage.sealing import SealingWall
from optimus.storage.tenancy import acting_as
from tests.unit.storage.test_tenancy import point_of


@pytest.fixture
def liar(memory_store, alice, bob, monkeypatch):
    """A store whose engine answers Alice's lists with Bob's records."""
    name, honest = memory_store.names.memories, SealingWall._pass
    memory_store.client.upsert(name, points=[point_of(bob, "I live in Porto")])

    def lying(self, call, collection_name, arguments):
        if call == "scroll" and collection_name == name:
            arguments = {**arguments, "scroll_filter": all_of(owned_by(bob))}
        return honest(self, call, collection_name, arguments)

    monkeypatch.setattr(SealingWall, "_pass", lying)
    return memory_store


def test_it_is_refused_counted_and_recorded(liar, alice):
    """Nothing of the answer is passed on, also while Alice acts; the log names whose records were asked for."""
    for _ in range(2):
        with acting_as(alice), pytest.raises(ForeignRecordError):
            liar.client.scroll(liar.names.memories, scroll_filter=all_of(owned_by(alice)))
    assert liar.audit.tally()[AuditAction.FOREIGN_RECORD] == 2
    newest = liar.audit.page().items[0]
    assert newest.subject == alice
    errors = liar.metrics.store_errors.labels("scroll", "memories", "isolation")
    assert errors._value.get() == 2
    assert liar.audit.verify().reason is None


def test_another_owners_id_is_only_missing(memory_store, alice, bob):
    """Asking for somebody else's record by its id is no fault of the engine: it is not there."""
    name, point = memory_store.names.memories, point_of(bob)
    memory_store.client.upsert(name, points=[point])
    with acting_as(alice):
        assert memory_store.client.retrieve(name, ids=[point.id, new_id()]) == []
    assert AuditAction.FOREIGN_RECORD not in memory_store.audit.tally()
