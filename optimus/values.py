"""What every value is made of, and who acts: ids, times, limits, accounts. `optimus.models` passes it all on.

Ids are UUID strings made by the server; nothing that a person typed is ever used as an id or as a tenant.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, NewType, Self
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from pydantic import BaseModel, ConfigDict, Field, model_validator

UserId = NewType("UserId", str)
SessionId = NewType("SessionId", str)
ConversationId = NewType("ConversationId", str)
MessageId = NewType("MessageId", str)
MemoryId = NewType("MemoryId", str)

ROOT = MessageId("")
"""Stands for what comes before the first message of a conversation."""

Clock = Callable[[], datetime]

MAX_MESSAGE_CHARS = 32_000
MAX_TITLE_CHARS = 120
MAX_INSTRUCTIONS_CHARS = 4_000
MAX_MEMORY_CHARS = 4_000

_NAMESPACE = uuid5(NAMESPACE_URL, "optimus")


def utc_now() -> datetime:
    """Return the present time, aware, in UTC: the default `Clock`."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a random UUID string."""
    return str(uuid4())


def stable_id(*natural_key: str) -> str:
    """Return the UUIDv5 of a natural key, so that writing the same thing twice writes one record."""
    return str(uuid5(_NAMESPACE, "\x1f".join(natural_key)))


def is_uuid(value: object) -> bool:
    """Tell whether `value` is a UUID in its canonical, lower-case, dashed form."""
    if not isinstance(value, str):
        return False
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False


class Value(BaseModel):
    """Base of all domain values: frozen, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MessageRole(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"


class Relation(Value):
    """What a memory states of somebody or something, in its own words: `I`, `live in`, `Lisbon`."""

    subject: str = Field(min_length=1, max_length=200)
    """`I` for the user."""
    predicate: str = Field(min_length=1, max_length=100)
    object: str = Field(min_length=1, max_length=200)


class Role(StrEnum):
    """What an account may do."""

    USER = "user"
    ADMIN = "admin"


class UserStatus(StrEnum):
    """Whether an account may sign in."""

    ACTIVE = "active"
    LOCKED = "locked"


class User(Value):
    """An account as other layers see it: no credential inside."""

    id: UserId
    username: str
    role: Role
    status: UserStatus = UserStatus.ACTIVE
    created_at: datetime


class Principal(Value):
    """Who acts in this run: proven from the cookie and the stored session, never from session state."""

    user_id: UserId
    username: str
    role: Role
    session_id: SessionId
    must_change_password: bool = False
    """Signed in with a one-time code: nothing but choosing an own password is allowed."""


class ChangeKind(StrEnum):
    """What the update phase did with a candidate."""

    ADD = "add"
    MERGE = "merge"
    SUPERSEDE = "supersede"
    SKIP = "skip"
    FORGET = "forget"


class MessageState(StrEnum):
    """How a message ended; `WRITING` after a restart means that it was interrupted."""

    COMPLETE = "complete"
    WRITING = "writing"
    STOPPED = "stopped"
    FAILED = "failed"


Effort = Literal["low", "medium", "high"]
"""How long a model thinks before it answers."""


class Attachment(Value):
    """A file that goes along with a message."""

    name: str = Field(max_length=80)
    kind: Literal["image", "text", "pdf"]
    data: str = Field(max_length=100_000)
    """Of an image a JPEG in base64, of a PDF the file in base64, else the text."""
    text: str = Field(default="", max_length=100_000)
    """Of a PDF its text, for models that do not take the file; empty where it holds none."""
    pages: int = Field(default=0, ge=0)
    """Of a PDF."""

    @property
    def content(self) -> bytes:
        """The bytes of an image or a PDF."""
        return b64decode(self.data)

    @property
    def words(self) -> str:
        """What can be read of it without eyes."""
        return self.data if self.kind == "text" else self.text

    @property
    def size(self) -> int:
        """Bytes that it takes in its message's record."""
        return len(self.data.encode()) + len(self.text.encode())

    @model_validator(mode="after")
    def _is_what_it_says(self) -> Self:
        begins = {"image": b"\xff\xd8\xff", "pdf": b"%PDF-"}.get(self.kind)
        if begins and not b64decode(self.data, validate=True).startswith(begins):
            raise ValueError("not of its kind")
        return self


class ToolCall(Value):
    """What a model did with a tool while it wrote an answer."""

    name: str
    """`search_memory`, `save_memory`, `correct_memory` or `forget_memory`."""
    text: str
    """What it was called with; to forget, the memory's text."""
    memory_id: MemoryId | None = None
    asks: bool = False
    """Whether it waits for the user's word."""
    found: tuple[MemoryId, ...] = ()
    """What a search told the model of."""
    refused: str = ""
    """Why it was not done, as the model was told; empty where it was."""


class MemoryStatus(StrEnum):
    """Where a memory stands; only `ACTIVE` ones count as true now."""

    ACTIVE = "active"
    SUPERSEDED = "superseded"
    ARCHIVED = "archived"
    QUARANTINED = "quarantined"
    DELETED = "deleted"


class SourceKind(StrEnum):
    """Who or what said it; only `USER` is trusted as it is."""

    USER = "user"
    ASSISTANT = "assistant"
    IMPORT = "import"
    FILE = "file"
    TOOL = "tool"


class MemoryVersion(Value):
    """How a memory stood before a change, and what the change was."""

    version: int
    text: str
    status: MemoryStatus
    changed_at: datetime
    reason: str
    """What was done, such as `edit`, `merge`, `supersede`, `forget`, `restore`, `undo`, `pin`, `tidy` or `withhold`."""
    undoes: int | None = None
    """The version that an `undo` took back, so that it is taken back once."""
    message_id: MessageId | None = None
    """The message that a `merge` counted."""
    said: str = ""
    """How that message says it."""
    source: SourceKind | None = None
    """Who had said it until then, where the change altered that."""
    extractor: str = ""
    """The extractor until then, likewise."""


class Withheld(Value):
    """What a model was not given for an answer, because its user never sends it there."""

    to: str
    """Who did not get it, as the user reads it."""
    memories: int = 0
    messages: int = 0
    """Earlier messages of the chat that hold such memories, or may."""


class Summary(Value):
    """What was said in a chat up to a message, in short."""

    text: str
    upto: MessageId
    untold: tuple[MessageId, ...] = ()
    """Messages before it that it does not tell of, because its model never gets them."""


class PromptParts(Value):
    """What a model was given for an answer, in estimated tokens."""

    instructions: int
    memories: int
    history: int
    summary: int = 0
    """Of earlier messages that did not fit."""
    message: int
    left_out: int = 0
    """Earlier messages that were too much for the model, or for what may go along."""


class Usage(Value):
    """What one model call took."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of those that went in, read from the provider's cache at a lower price."""
    cache_written_tokens: int = 0
    """Of those that went in, written to the provider's cache, which may cost more."""
    first_token_ms: float | None = None
    duration_ms: float | None = None

    def plus(self, other: Usage) -> Usage:
        """Return this call with the tokens of another one added."""
        names = ("input_tokens", "output_tokens", "cached_tokens", "cache_written_tokens")
        return self.model_copy(update={name: getattr(self, name) + getattr(other, name) for name in names})
