"""The vocabulary of Optimus: domain values that every layer shares. They are frozen; times are aware, in UTC."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from optimus.values import (
    MAX_INSTRUCTIONS_CHARS,
    MAX_MEMORY_CHARS,
    MAX_MESSAGE_CHARS,
    MAX_TITLE_CHARS,
    ROOT,
    Attachment,
    ChangeKind,
    Clock,
    ConversationId,
    Effort,
    MemoryId,
    MemoryStatus,
    MemoryVersion,
    MessageId,
    MessageRole,
    MessageState,
    Principal,
    PromptParts,
    Relation,
    Role,
    SessionId,
    SourceKind,
    Summary,
    ToolCall,
    Usage,
    User,
    UserId,
    UserStatus,
    Value,
    Withheld,
    is_uuid,
    new_id,
    stable_id,
    utc_now,
)

__all__ = [
    "MAX_INSTRUCTIONS_CHARS",
    "MAX_MEMORY_CHARS",
    "MAX_MESSAGE_CHARS",
    "MAX_TITLE_CHARS",
    "ROOT",
    "Attachment",
    "ChangeKind",
    "Clock",
    "Conversation",
    "ConversationId",
    "Effort",
    "Memory",
    "MemoryChange",
    "MemoryId",
    "MemoryStatus",
    "MemoryType",
    "MemoryUse",
    "MemoryVersion",
    "Message",
    "MessageId",
    "MessageRole",
    "MessageState",
    "Principal",
    "PromptParts",
    "Provenance",
    "RecalledMemory",
    "Relation",
    "Role",
    "ScorePart",
    "SessionId",
    "SourceKind",
    "Summary",
    "ToolCall",
    "Usage",
    "User",
    "UserId",
    "UserStatus",
    "Value",
    "Withheld",
    "is_uuid",
    "new_id",
    "stable_id",
    "utc_now",
]


class MemoryType(StrEnum):
    """What kind of thing is remembered."""

    CONVERSATION = "conversation"
    NOTE = "note"
    DOCUMENT = "document"
    PREFERENCE = "preference"
    FACT = "fact"
    RELATIONSHIP = "relationship"


class Provenance(Value):
    """Where a memory comes from."""

    source: SourceKind = SourceKind.USER
    conversation_id: ConversationId | None = None
    message_id: MessageId | None = None
    extractor: str = "manual"
    """`manual`, `episode`, `rules`, `document` or the name of the extraction model."""
    document_id: str | None = None
    """Of the file that it is a part of; the rest says which: its name, the headings above, the page, how many parts."""
    title: str | None = None
    heading: str | None = None
    page: int | None = None
    parts: int | None = None

    @property
    def citation(self) -> str:
        """Where in a file it stands (`handbook.pdf, page 3`); empty where it is no part of one."""
        if not self.title:
            return ""
        return f"{self.title}, page {self.page}" if self.page else ", ".join(filter(None, (self.title, self.heading)))


class Memory(Value):
    """One remembered thing, in the user's own words (`I'm allergic to peanuts`)."""

    id: MemoryId
    user_id: UserId
    text: str = Field(min_length=1, max_length=MAX_MESSAGE_CHARS)
    type: MemoryType
    status: MemoryStatus = MemoryStatus.ACTIVE
    slot: str | None = None
    """The question that this memory answers once at a time (`home`, `employer`); a new answer replaces the old."""
    importance: float = Field(default=0.5, ge=0, le=1)
    confidence: float = Field(default=1.0, ge=0, le=1)
    entities: tuple[str, ...] = ()
    relations: tuple[Relation, ...] = ()
    """What a model read in the text; what the rules read in it is not stored."""
    language: str = "en"
    provenance: Provenance = Provenance()
    pinned: bool = False
    confirmations: int = 1
    """How often the user said it."""
    recorded_at: datetime
    updated_at: datetime
    valid_from: datetime
    valid_to: datetime | None = None
    superseded_by: MemoryId | None = None
    supersedes: MemoryId | None = None
    sources: tuple[MessageId, ...] = ()
    """Every message that said it, the first one first; none where it was written by hand."""
    derived: tuple[MemoryId, ...] = ()
    """Of an episode: the memories that its message made, confirmed or ended."""
    uses: int = Field(default=0, ge=0)
    """How many answers it was given to; being used makes no new version."""
    last_used_at: datetime | None = None
    last_used_in: MessageId | None = None
    last_used_chat: ConversationId | None = None
    never_send: tuple[str, ...] = ()
    """To whom its owner never sends it: providers, or groups of them; see `optimus.withholding`."""
    version: int = 1
    history: tuple[MemoryVersion, ...] = ()


class ScorePart(StrEnum):
    """The signals that a ranking mixes."""

    DENSE = "dense"
    CONTEXT = "context"
    KEYWORD = "keyword"
    KEYWORD_CONTEXT = "keyword_context"
    RECENCY = "recency"
    IMPORTANCE = "importance"
    CONFIDENCE = "confidence"
    ENTITY = "entity"
    SPEAKER = "speaker"
    PIN = "pin"


class RecalledMemory(Value):
    """A memory found for a query, with its score in 0-1 and what the score is made of."""

    memory: Memory
    score: float
    parts: dict[ScorePart, float] = Field(default={})
    """Weighted contribution of each signal; they sum to `score`."""


class MemoryChange(Value):
    """One change that a message caused: what the "Saved" card shows and Undo reverts."""

    kind: ChangeKind
    memory_id: MemoryId
    text: str
    replaced_id: MemoryId | None = None
    replaced_text: str | None = None
    version: int = 1
    """The version of the memory that the change made: Undo takes back this one and no later one."""
    undone: bool = False


class MemoryUse(Value):
    """A memory that was given to the model for an answer, as it read at that moment."""

    citation: str = ""
    memory_id: MemoryId
    text: str
    type: MemoryType
    recorded_at: datetime
    score: float
    parts: dict[ScorePart, float] = Field(default={})
    """What the score was made of; empty where it was given because little is known."""


class Message(Value):
    """One message of a conversation."""

    id: MessageId
    conversation_id: ConversationId
    user_id: UserId
    role: MessageRole
    text: str
    thinking: str = ""
    """What the model let see of its thinking before it wrote the text."""
    attachments: tuple[Attachment, ...] = Field(default=(), max_length=4)
    created_at: datetime
    zone: str | None = None
    """Name of the time zone in which it was written; None means UTC."""
    state: MessageState = MessageState.COMPLETE
    model: str | None = None
    """`provider:model` that wrote it; None for the user's own."""
    saved: tuple[MemoryChange, ...] = ()
    used: tuple[MemoryUse, ...] = ()
    tools: tuple[ToolCall, ...] = ()
    withheld: Withheld | None = None
    routed: str | None = None
    """Which model Optimus picked and why, where the user left it to Optimus."""
    parts: PromptParts | None = None
    usage: Usage | None = None
    error: str | None = None
    """What to tell the user where `state` is `FAILED`."""
    instead: str | None = None
    """Which model did not answer and why, where another than the chosen one wrote it."""
    parent: MessageId | None = None
    """The message that it follows, or `ROOT`; None, as of old: the one before it in time."""
    version: int = 1


class Conversation(Value):
    """A conversation without its messages."""

    id: ConversationId
    user_id: UserId
    title: str
    created_at: datetime
    updated_at: datetime
    instructions: str = Field(default="", max_length=MAX_INSTRUCTIONS_CHARS)
    """What the user wants models to know or heed in this conversation."""
    temperature: float | None = Field(default=None, ge=0, le=1)
    effort: Effort | None = None
    """How long models think first in this conversation; None leaves it to them."""
    summary: Summary | None = None
    """Of the messages that no longer fit into a prompt."""
    head: MessageId | None = None
    """The last message of the branch that is shown; None means the newest message."""
    version: int = 1
