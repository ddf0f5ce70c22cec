"""Memories with very long texts on their way to a server, which takes only so much at once."""

from __future__ import annotations

from contextlib import closing

import pytest

from optimus.memory_manager.manager import MemoryManager
from optimus.models import MAX_MESSAGE_CHARS, Memory, MemoryId, MemoryType, UserId, new_id
from optimus.storage.batches import MAX_BYTES, MAX_POINTS
from optimus.storage.bm25 import Bm25Encoder
from optimus.storage.store import open_store
from tests.fakes.embedding import HashEmbedder
from tests.fakes.qdrant_server import FakeQdrant
from tests.unit.memory.conftest import KEYS, START, ScriptedRules, SteppingClock

SIZE = 384


def memory_of(owner: UserId, text: str) -> Memory:
    """Return a memory from elsewhere."""
    times = {"recorded_at": START, "updated_at": START, "valid_from": START}
    return Memory.model_validate(
        {"id": MemoryId(new_id()), "user_id": owner, "text": text, "type": MemoryType.FACT} | times
    )


@pytest.mark.parametrize(("number", "length", "writes"), [(200, 60, 1), (60, MAX_MESSAGE_CHARS, 8)])
def test_what_comes_from_elsewhere_is_sent_in_parts_of_4_mb(number, length, writes):
    """Two hundred short memories are one write, some of the longest several; each part fits, and nothing is lost."""
    words = " olives maps jazz ladders" * (length // 10)
    texts = [f"{each}{words}"[:length] for each in range(number)]
    owner, embedder = UserId(new_id()), HashEmbedder(SIZE)
    with closing(FakeQdrant()) as server, closing(open_store(server.settings(), KEYS, vector_size=SIZE)) as store:
        parts = {"index": store.memories, "embedder": embedder, "encoder": Bm25Encoder(), "clock": SteppingClock()}
        memory = MemoryManager(**parts, derive=ScriptedRules())  # type: ignore[arg-type]
        memory.adopt(owner, [memory_of(owner, text) for text in texts], {})
        sent = [request for name, request in server.calls if name == "Upsert" and "memories" in request.collection_name]
        assert len(sent) == writes
        assert all(len(request.points) <= MAX_POINTS and request.ByteSize() <= MAX_BYTES for request in sent)
        assert store.memories.count(owner) == number
