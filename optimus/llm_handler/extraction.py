"""The extraction agent: a model reads what the user wrote and names what is worth remembering, with what to do.

One call serves several messages and decides on all their findings. Whatever is sent stands in one JSON document, so
no text can pass for another part of it, and goes through the mask for secrets. An answer that is cut off or is no
such list raises; it never counts as an empty one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from pydantic import Field

from optimus.llm_handler.extraction_form import Bounds, Entries, Finding, fault, finding
from optimus.llm_handler.extraction_instructions import INSTRUCTIONS
from optimus.llm_handler.gateway import ModelGateway
from optimus.llm_handler.requests import PromptTurn
from optimus.llm_handler.structured import StructuredAgent, Target
from optimus.llm_handler.turns import INVISIBLE, MEMORY_CLOSE, MEMORY_OPEN
from optimus.models import MemoryType, Usage, Value

MESSAGE_CHARS = 8_000
CONTEXT_CHARS = 600
"""So much of a message around the ones to read: it only tells what words like "it" mean."""
_INSTRUCTED = re.compile(rf"{re.escape(MEMORY_OPEN)}.*?(?:{re.escape(MEMORY_CLOSE)}|\Z)", re.DOTALL | re.IGNORECASE)
Mask = Callable[[str], str]
"""Takes the secrets out of a text."""


class SourceMessage(Value):
    """A message of the user to be read."""

    text: str
    written: str
    """Local date and time with the day of the week, as the model is to read it."""


class KnownMemory(Value):
    """Something remembered that may have to do with the messages."""

    text: str
    type: MemoryType


class ExtractionRequest(Target):
    """Everything that one call is made from."""

    messages: tuple[SourceMessage, ...] = Field(min_length=1)
    around: tuple[PromptTurn, ...] = ()
    """What was said before the messages, oldest first."""
    known: tuple[KnownMemory, ...] = ()


class Extractor(Protocol):
    """What looks for memories with a model."""

    def ask(self, request: ExtractionRequest, spent: Callable[[Usage], None]) -> Future[tuple[Finding, ...]]:
        """Begin a call; see `MemoryExtractor.ask`."""


class MemoryExtractor:
    """Asks models for what is worth remembering; safe from any thread."""

    def __init__(self, *, gateway: ModelGateway, mask: Mask, timeout_s: float) -> None:
        self._loop = gateway.loop
        self._mask = mask
        self._agent: StructuredAgent[Entries, Bounds] = StructuredAgent(
            "extraction",
            gateway=gateway,
            timeout_s=timeout_s,
            output=Entries,
            bounds=Bounds,
            instructions=INSTRUCTIONS,
            fault=lambda entries, bounds: fault(entries.memories, bounds),
        )

    def ask(self, request: ExtractionRequest, spent: Callable[[Usage], None]) -> Future[tuple[Finding, ...]]:
        """Begin a call; the future holds what was found, and can be cancelled.

        `spent` is told once what the call took, whether it worked or not. The future raises a `ProviderError`; a
        `ProviderResponseError` where the answer was cut off or is not what was asked for.
        """
        return self._loop.submit(self._ask(request, spent))

    async def _ask(self, request: ExtractionRequest, spent: Callable[[Usage], None]) -> tuple[Finding, ...]:
        bounds = Bounds(len(request.messages), len(request.known))
        entries = await self._agent.run(request, document(request, self._mask), bounds, spent)
        return tuple(map(finding, entries.memories))


def document(request: ExtractionRequest, mask: Mask) -> str:
    """Return what is sent: one JSON document without secrets, hidden signs or memories that were injected before."""

    def safe(text: str, most: int) -> str:
        return presentable(text, most, mask)

    content = {
        "known": _numbered({"type": m.type.value, "text": safe(m.text, CONTEXT_CHARS)} for m in request.known),
        "around": [{"by": turn.role.value, "text": safe(turn.text, CONTEXT_CHARS)} for turn in request.around],
        "messages": _numbered({"written": m.written, "text": safe(m.text, MESSAGE_CHARS)} for m in request.messages),
    }
    return json.dumps(content, ensure_ascii=False)


def presentable(text: str, most: int, mask: Mask) -> str:
    """Return so many characters of a text without secrets, hidden signs or memories that were injected before."""
    return mask(INVISIBLE.sub(" ", _INSTRUCTED.sub(" ", text)).strip())[:most]


def _numbered(rows: Any) -> list[dict[str, Any]]:
    return [{"n": number, **row} for number, row in enumerate(rows, 1)]
