"""Mem0's own extraction, through whatever model it is given: its instructions, and its reading of the answer.

It only finds. It is shown the memories that the model may be sent, and it reads and writes no store: what it finds is
checked, kept and versioned like the findings of any other model. Mem0 asks to leave out what is known, and decides on
nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import md5
from types import SimpleNamespace
from typing import Any

from optimus.errors import ProviderResponseError
from optimus.memory_manager.mem0 import LLMError, Mem0Memory, MemoryConfig, extract_json, remove_code_blocks

Answer = Callable[[str, str], str]
"""Asks a model: its instructions and the prompt, for its answer."""
_OWNER = "user"
"""Mem0 wants a name for whose messages it reads; no store is asked for it."""


def find(text: str, around: Sequence[Mapping[str, str]], known: Sequence[str], answer: Answer) -> list[str]:
    """Return what Mem0 finds worth remembering in a message of the user.

    Args:
        text: The message.
        around: What was said before, oldest first, each with its `role` and `content`.
        known: Memories that may have to do with it.
        answer: Asks the model.

    Raises:
        ProviderResponseError: the answer is not what Mem0 asks for; Mem0 itself would take it for nothing.
        Exception: whatever `answer` raised.
    """
    vectors = _Shown(known)
    try:
        _Extraction(vectors, around, answer).add([{"role": "user", "content": text}], user_id=_OWNER)
    except LLMError as exc:
        raise exc.__cause__ or exc from None
    return vectors.found


class _Extraction(Mem0Memory):  # type: ignore[misc]
    """`mem0.Memory` that only extracts."""

    def __init__(self, vectors: _Shown, around: Sequence[Mapping[str, str]], answer: Answer) -> None:
        self.config = MemoryConfig()
        self.vector_store = vectors
        self.embedding_model = _NoEmbedding()
        self.llm = _Model(answer)
        self.db = _Before(around)
        self.collection_name, self.api_version = "", self.config.version
        self.custom_instructions = self.reranker = None
        self._entity_store = _Shown(())


class _Shown:
    """In the place of a vector store: the known memories to look at, and what was found."""

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known
        self.found: list[str] = []

    def search(self, **_: Any) -> list[Any]:
        hashes = [md5(text.encode(), usedforsecurity=False).hexdigest() for text in self._known]
        rows = zip(self._known, hashes, strict=True)
        return [SimpleNamespace(id=key, payload={"data": text, "hash": key}) for text, key in rows]

    def insert(self, *, payloads: Sequence[Mapping[str, Any]], **_: Any) -> None:
        self.found += [each["data"] for each in payloads if each.get("attributed_to", _OWNER) == _OWNER]


class _NoEmbedding:
    """Nothing is searched for, so nothing needs a vector."""

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        del text, memory_action
        return []

    def embed_batch(self, texts: Sequence[str], memory_action: str | None = None) -> list[list[float]]:
        del memory_action
        return [[] for _ in texts]


class _Model:
    """The language model as Mem0 calls it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def generate_response(self, messages: Sequence[Mapping[str, str]], **_: Any) -> str:
        instructions, prompt = (message["content"] for message in messages)
        text = self._answer(instructions, prompt)
        if not _is_list(text):
            raise ProviderResponseError("not the form that Mem0 asks for")
        return text


class _Before:
    """The earlier messages, in the place of Mem0's own history."""

    def __init__(self, around: Sequence[Mapping[str, str]]) -> None:
        self._around = [dict(turn) for turn in around]

    def get_last_messages(self, session_scope: str, limit: int = 10) -> list[dict[str, str]]:
        del session_scope
        return self._around[-limit:]

    def save_messages(self, *_: Any) -> None:
        """The chat has them."""

    batch_add_history = save_messages

    def close(self) -> None:
        """There is nothing to close."""


def _is_list(text: str) -> bool:
    """Tell whether Mem0 can read an answer; it looks for the JSON in the same two ways."""
    for candidate in (remove_code_blocks(text), extract_json(text)):
        try:
            found = json.loads(candidate, strict=False)
        except ValueError:
            continue
        if isinstance(found, dict) and isinstance(found.get("memory"), list):
            return all(isinstance(each, dict) for each in found["memory"])
    return False
