"""What the repositories take and return, where the domain vocabulary is not enough.

Stored types are apart from shown ones: the sign-in service turns a `StoredUser`, with its hash, into a `User`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, NamedTuple

from pydantic import Field, SecretStr

from optimus.models import (
    ConversationId,
    Memory,
    MemoryId,
    MemoryStatus,
    MemoryType,
    MessageId,
    Role,
    SessionId,
    SourceKind,
    User,
    UserId,
    UserStatus,
    Value,
)
from optimus.storage.bm25 import SparseWeights

NO_EXTRACTION = "none"
"""No model looks for memories, only the rules do."""
EventData = dict[str, str | int | float | bool | None]
Engine = Literal["embedded", "server", "memory"]
MAX_DISPLAY_NAME = 60
MAX_RECALLED = 20
"""The most memories that a user can let into one answer."""


class StoredUser(Value):
    """An account with its credential; `version` guards every change."""

    id: UserId
    username: str
    role: Role
    status: UserStatus = UserStatus.ACTIVE
    created_at: datetime
    password_hash: str = Field(repr=False)
    pepper_id: str
    """Which pepper went into the hash, so that a changed pepper is noticed."""
    password_changed_at: datetime
    must_change_password: bool = False
    """The password is a one-time code that the server made; nothing may be done before an own one replaces it."""
    code_expires_at: datetime | None = None
    """Until when the one-time code counts."""
    code_used: bool = False
    """The one-time code has signed somebody in; it does not do so again."""
    seen_at: datetime | None = None
    """When the account was last used, to the minute."""
    version: int = 1

    def keeps_password_of(self, before: StoredUser) -> bool:
        """Tell whether the password is still the one that it was; a hash under another pepper is no other password."""
        is_renewed = self.pepper_id != before.pepper_id and self.password_changed_at == before.password_changed_at
        return self.password_hash == before.password_hash or is_renewed

    def to_user(self) -> User:
        """Return the account without its credential."""
        return User(id=self.id, username=self.username, role=self.role, status=self.status, created_at=self.created_at)


class StoredSession(Value):
    """A signed-in browser; `expires_at` is the absolute end, the idle end counts from `seen_at`."""

    id: SessionId
    user_id: UserId
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    proven_at: datetime | None = None
    """When the password was given again in this session; None where it was given at its beginning only."""
    user_agent: str = ""
    """A short label for the list of sessions ("Firefox on Linux"), never the raw header."""


class Ticket(Value):
    """A one-time right to open a session; only the hash of its secret is stored."""

    hash: str
    session_id: SessionId
    user_id: UserId
    expires_at: datetime


class LimitRecord(Value):
    """Failures counted against one key; `version` 0 means that nothing is stored yet."""

    key: str
    account: str = ""
    """The key of the account alone, by which an account that is erased takes its counts along."""
    failures: tuple[datetime, ...] = ()
    version: int = 0


class Spell(NamedTuple):
    """What was used at one moment."""

    at: int
    """Microseconds since the epoch: whole numbers come back from a store as they are."""
    messages: int
    tokens: int


class DailyUse(Value):
    """What an account has used of a day's limits, and lately; `version` 0 means that nothing is stored yet."""

    user_id: UserId
    day: date
    """In UTC."""
    messages: int = 0
    tokens: int = 0
    """Of ended answers, and estimates of those that are being written."""
    cost_usd: float = 0.0
    """The same in US dollars, where the price is known."""
    unpriced: int = 0
    """Calls whose price is not known: they are in `tokens`, not in `cost_usd`."""
    recent: tuple[Spell, ...] = ()
    """What was used within the last minute, and a little before, the oldest first, whatever day it was."""
    version: int = 0


class CaptchaRecord(Value):
    """A check question that was asked; only the hash of its answer is stored."""

    id: str
    answer_hash: str
    key: str = ""
    """The limiter's key that it was made for."""
    expires_at: datetime


class Connection(Value):
    """A user's own model provider; the API key is sealed in the store."""

    id: str
    user_id: UserId
    provider: str
    label: str
    base_url: str | None = None
    api_key: SecretStr | None = None
    models: tuple[str, ...] = ()
    created_at: datetime


MAX_FALLBACKS = 5
MAX_IMAGE_MODELS = 20


class UserPreferences(Value):
    """What a user chose about models and memory; `version` 0 means that nothing was chosen yet."""

    user_id: UserId
    display_name: str = Field(default="", max_length=MAX_DISPLAY_NAME)
    """What the user wants to be called; empty where the username will do."""
    time_zone: str | None = None
    """Name of the time zone that dates are shown in; None takes the browser's."""
    default_model: str | None = None
    """`provider:model` of new chats; None leaves it to Optimus."""
    default_connection: str | None = None
    """The user's own connection that offers it; None where the settings do."""
    extraction_model: str | None = None
    """`provider:model` that looks for memories, or `NO_EXTRACTION`; None takes the cheapest of the chat's provider."""
    extraction_connection: str | None = None
    fallbacks: tuple[tuple[str, str | None], ...] = Field(default=(), max_length=MAX_FALLBACKS)
    """Whom to ask where a model does not answer: `provider:model` and connection, in this order."""
    image_models: tuple[str, ...] = Field(default=(), max_length=MAX_IMAGE_MODELS)
    """Models that take pictures as the owner knows, `provider:model`, though their names do not tell."""
    remembers: bool = True
    """Whether what the user says in a chat is kept."""
    remembers_since: datetime | None = None
    """When it was last switched on again: what was said before may have been said while it was off."""
    recalls: bool = True
    """Whether answers are made from memories."""
    max_memories: int = Field(default=MAX_RECALLED, ge=0, le=MAX_RECALLED)
    """How many memories an answer is given at most."""
    never_store: frozenset[MemoryType] = frozenset()
    """Kinds that are never kept of what is said in a chat."""
    uses_tools: bool = True
    """Whether models may search and change memories while they answer."""
    bin_days: int | None = Field(default=90, ge=1, le=3650)
    """How long deleted memories are kept; None keeps them as long as the account."""
    checkup_days: int | None = Field(default=7, ge=1, le=365)
    """How often the memories are looked through for what is wrong with them; None means only when asked."""
    never_send: tuple[tuple[MemoryType, str], ...] = ()
    """Kinds that are never sent to a provider, or group of them: see `optimus.withholding`."""
    version: int = 0

    @property
    def offers_tools(self) -> bool:
        """Whether language models are offered tools: not where there is nothing that they might do."""
        return self.uses_tools and (self.recalls or self.remembers)


class Event(Value):
    """Something that was used. `data` holds numbers and names, never message text."""

    id: str
    user_id: UserId
    kind: str
    at: datetime
    data: EventData = Field(default={})


class MemoryPoint(Value):
    """A memory with everything that makes it searchable; the dense vectors have unit length."""

    memory: Memory
    dense: list[float] = Field(repr=False)
    ctx: list[float] = Field(repr=False)
    """The memory in its surroundings."""
    bm25: SparseWeights
    bm25_ctx: SparseWeights


class StoredVectors(NamedTuple):
    """The dense vectors of a stored memory; `ctx` is None where a plain Mem0 dropped it."""

    dense: list[float]
    ctx: list[float] | None


class QueryVectors(Value):
    """A query as the four legs need it; empty `sparse` weights skip the keyword legs."""

    dense: list[float] = Field(repr=False)
    sparse: SparseWeights


class MemoryFilter(Value):
    """Which memories; None means any. Without words about status only true ones are meant."""

    types: frozenset[MemoryType] | None = None
    statuses: frozenset[MemoryStatus] | None = frozenset({MemoryStatus.ACTIVE})
    conversation_id: ConversationId | None = None
    message_id: MessageId | None = None
    slot: str | None = None
    since: datetime | None = None
    """Recorded at this moment or later."""
    until: datetime | None = None
    """Recorded before this moment."""
    changed_at: datetime | None = None
    """Changed last at exactly this moment: what one act changed together."""
    sources: frozenset[SourceKind] | None = None
    document_id: str | None = None
    by_hand: bool | None = None
    """Whether it was written by hand, or derived from something that was said."""
    min_importance: float | None = None


class MemoryText(NamedTuple):
    """What a search by words needs of a memory."""

    id: MemoryId
    type: MemoryType
    recorded_at: datetime
    text: str


class MemoryOutline(NamedTuple):
    """A memory without its text: what can be read without opening anything sealed."""

    id: MemoryId
    type: MemoryType
    recorded_at: datetime


class LastUse(Value):
    """The answer that memories were given to."""

    last_used_at: datetime
    last_used_in: MessageId
    last_used_chat: ConversationId


class MemoryPage(Value):
    """One page, newest first; `next_offset` is None on the last one."""

    items: tuple[Memory, ...]
    next_offset: int | None
    total: int


class StoreHealth(Value):
    """What a probe record went through."""

    engine: Engine
    write_ms: float
    read_ms: float
    sync_ms: float
    collections: dict[str, int]
    """Number of records by collection."""
