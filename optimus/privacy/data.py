"""What an export holds, as values; how it is written and read is in `export` and `reading`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from optimus.models import Conversation, Memory, MemoryType, Message, Role, Value
from optimus.storage.records import MAX_DISPLAY_NAME, MAX_RECALLED, Event, EventData

FORMAT = "optimus-export"
VERSION = 1
DATA_FILE = "optimus.json"
MANIFEST_FILE = "manifest.json"


class ExportedAccount(Value):
    """Whose export it is; an import shows it and takes nothing from it."""

    username: str
    role: Role
    created_at: datetime


class ExportedPreferences(Value):
    """What the user chose; None in the export of somebody who chose nothing."""

    display_name: str = Field(default="", max_length=MAX_DISPLAY_NAME)
    time_zone: str | None = None
    default_model: str | None = None
    remembers: bool
    remembers_since: datetime | None = None
    recalls: bool
    max_memories: int = Field(ge=0, le=MAX_RECALLED)
    never_store: tuple[MemoryType, ...] = ()
    uses_tools: bool = True
    never_send: tuple[tuple[MemoryType, str], ...] = ()


class ExportedConnection(Value):
    """A model connection without its key; it is told, and not imported."""

    id: str
    provider: str
    label: str
    base_url: str | None = None
    models: tuple[str, ...] = ()
    created_at: datetime


class ExportedAct(Value):
    """What the audit log holds about the account."""

    at: datetime
    action: str
    by: Literal["you", "somebody else", "nobody"]
    """Who did it; nobody means that nobody was signed in."""
    item: str | None = None
    data: EventData = Field(default={})


class ExportedConversation(Value):
    """A conversation with its messages, the oldest first."""

    conversation: Conversation
    messages: tuple[Message, ...]


class ExportData(Value):
    """Everything that Optimus holds about one user, keys and passwords aside."""

    exported_at: datetime
    account: ExportedAccount
    preferences: ExportedPreferences | None
    connections: tuple[ExportedConnection, ...] = ()
    conversations: tuple[ExportedConversation, ...] = ()
    memories: tuple[Memory, ...] = ()
    """Of every status, with all versions that are kept."""
    usage: tuple[Event, ...] = ()
    audit: tuple[ExportedAct, ...] = ()
    """What was recorded about the account; it is told, and not imported."""


class ManifestEntry(Value):
    """What the manifest says of a file."""

    sha256: str
    size: int
    """Bytes."""


class Manifest(Value):
    """The list of an export's files."""

    format: str
    version: int
    exported_at: datetime
    files: dict[str, ManifestEntry]


def is_usage(event: Event) -> bool:
    """Tell whether an event counts use: acts have a kind with a dot (`auth.signed_in`)."""
    return "." not in event.kind
