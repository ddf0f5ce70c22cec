"""What one look of a model through messages is made from, and how its findings become proposals."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from optimus.llm_handler.extraction_form import Finding
from optimus.memory_manager.proposals import Proposal
from optimus.models import Memory, Message, MessageId
from optimus.storage.records import UserPreferences
from optimus.withholding import Receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one call is made from."""

    messages: Sequence[Message]
    before: Sequence[Message]
    known: Sequence[Memory]
    chosen: UserPreferences


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a model may be shown of a chat."""

    receiver: Receiver
    said: Sequence[Message]
    """Its newest messages, the oldest first."""
    unsent: Collection[MessageId]
    """Those of them that the model never gets."""


def proposal_of(finding: Finding, batch: Batch) -> Proposal:
    """Return what a model found as memory takes it."""
    zone = _zone(batch.messages[finding.source])
    event_at = datetime.combine(finding.event_on, time(), zone).astimezone(UTC) if finding.event_on else None
    return Proposal(
        text=finding.text,
        type=finding.type,
        entities=finding.entities,
        relations=finding.relations,
        confidence=finding.confidence,
        importance=finding.importance,
        language=finding.language,
        event_at=event_at,
        instructs=finding.instructs,
        decision=finding.decision,
        target=None if finding.known is None else batch.known[finding.known].id,
    )


def when_written(message: Message) -> str:
    """Return when a message was written, as the model is to read it."""
    zone = _zone(message)
    return f"{message.created_at.astimezone(zone):%A %Y-%m-%d %H:%M} ({zone.key})"


def _zone(message: Message) -> ZoneInfo:
    try:
        return ZoneInfo(message.zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
