"""What goes into a generation and what comes out: plain values, without any provider's library."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self, TypedDict

from pydantic import Field, SecretStr

from optimus.models import (
    Attachment,
    ConversationId,
    Effort,
    MemoryChange,
    MemoryUse,
    MessageId,
    MessageRole,
    MessageState,
    RecalledMemory,
    Usage,
    UserId,
    Value,
)
from optimus.storage.records import Connection

SHOWN_KEY_CHARS = 4
_LEAST_KEY_CHARS = 12
"""A shorter key would be given away by its ending."""


class ModelRef(Value):
    """A model to talk to: the provider's key in the catalogue and the provider's own name of the model."""

    provider: str
    name: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> ModelRef:
        """Read `provider:name` back; the name may hold colons (`ollama:llama3.2:3b`).

        Raises:
            ValueError: there is no colon.
        """
        provider, colon, name = text.partition(":")
        if not colon:
            raise ValueError(text)
        return cls(provider=provider, name=name)


OFFLINE_MODEL = ModelRef(provider="offline", name="assistant")
CHEAPEST = ModelRef(provider="optimus", name="cheapest")
"""Stands for whichever model is the cheapest that can do what is asked for."""


class PromptTurn(Value):
    """One earlier message of the conversation, as the model gets it."""

    role: MessageRole
    text: str
    attachments: tuple[Attachment, ...] = ()


class OfflineContext(Value):
    """What the offline assistant answers from; other models do not see it."""

    recalled: tuple[RecalledMemory, ...] = ()
    """The memories that match the prompt, best first."""
    changes: tuple[MemoryChange, ...] = ()
    """What the prompt itself changed in memory."""
    spoken_of: tuple[MemoryUse, ...] = ()
    """What the answer before quoted, or else what the message before changed: what `that` means."""
    first_in_conversation: bool = False
    keeps: bool = True
    """Whether the user lets anything be remembered."""
    keeps_all: bool = True
    """Whether the user lets everything be remembered."""
    looks_up: bool = True
    """Whether the user lets answers be made from memories."""
    now: datetime


class Credentials(Value):
    """An endpoint and its key: a key is only ever sent to the address that stands beside it."""

    base_url: str | None = None
    """None means the provider's own address."""
    api_key: SecretStr | None = None


class ConnectionInfo(Value):
    """A provider that a user connected, with what it takes to call it."""

    id: str
    provider: str
    """The provider's key in the catalogue."""
    label: str
    credentials: Credentials
    models: tuple[str, ...] = ()

    @classmethod
    def of(cls, stored: Connection) -> Self:
        """Return what it takes to use a connection that a user made."""
        credentials = Credentials(base_url=stored.base_url, api_key=stored.api_key)
        return cls(
            id=stored.id,
            provider=stored.provider,
            label=stored.label,
            credentials=credentials,
            models=stored.models,
        )


class ModelTarget(Value):
    """A model with what it takes to call it."""

    model: ModelRef
    credentials: Credentials | None = None
    connection_id: str | None = None
    """The user's own connection that offers it; None where the settings do."""
    title: str
    """As the user reads it."""
    is_local: bool = False


class LineUp(TypedDict):
    """What a request says of a model's connection, and of whom to ask after it."""

    connection_id: str | None
    title: str
    fallbacks: tuple[ModelTarget, ...]


class GivenUp(Value):
    """A model that was asked for an answer before another one, and why it did not give it."""

    target: ModelTarget
    error: str
    """The sentence for the screen."""
    usage: Usage


class AnswerBounds(Value):
    """How much one answer may take."""

    tokens: int | None = None
    """What the model may write, its thoughts and calls of tools included; None leaves it to the model."""
    calls: int
    """Tools that the model may call."""


class GenerationRequest(Value):
    """Everything that one answer is written from."""

    owner: UserId
    conversation_id: ConversationId
    message_id: MessageId
    """The assistant message to be written."""
    model: ModelRef
    credentials: Credentials | None = None
    connection_id: str | None = None
    title: str = ""
    """The model's name as the user reads it."""
    fallbacks: tuple[ModelTarget, ...] = ()
    """Whom to ask where the model does not begin to answer, in this order."""
    instructions: str
    memory_block: str | None = None
    """Memories as lines of data; `turns.frame_memories` delimits and escapes them before they are sent."""
    summary: str = ""
    """Of what was said before the history."""
    history: tuple[PromptTurn, ...] = ()
    prompt: str
    attachments: tuple[Attachment, ...] = ()
    """Files that go along with the prompt."""
    sees: bool = False
    """Whether the model takes images; else their names go along."""
    temperature: float | None = None
    """How freely to answer, 0 to 1; None leaves it to the model."""
    effort: Effort | None = None
    """How long to think first; None leaves it to the model."""
    bounds: AnswerBounds | None = None
    """How much it may take; None leaves it to the model."""
    offline: OfflineContext
    tools: Any = Field(default=None, exclude=True, repr=False)
    """The `MemoryTools` that the model may call; None where it has none."""


class GenerationResult(Value):
    """How an answer ended. `text` is kept in every state, so a partial answer is never lost."""

    text: str
    thinking: str = ""
    """What the model let see of its thinking; it is shown, and never sent or remembered."""
    state: MessageState
    """`COMPLETE`, `STOPPED` or `FAILED`."""
    error: str | None = None
    """What to tell the user where the state is `FAILED`."""
    usage: Usage = Usage()
    """Of the model that was asked last."""
    given_up: tuple[GivenUp, ...] = ()
    """The models that were asked before it."""
    target: ModelTarget | None = None
    """The model that was asked last, where it is another than the chosen one."""

    @property
    def tokens(self) -> int:
        """The tokens that all models together took."""
        taken = (self.usage, *(each.usage for each in self.given_up))
        return sum(usage.input_tokens + usage.output_tokens for usage in taken)


class ModelChoice(Value):
    """One line of the model picker."""

    ref: ModelRef
    title: str
    provider_title: str
    free: bool
    """Costs nothing, or the provider has a free tier."""
    is_local: bool
    """Runs on this machine: nothing leaves it."""
    connection_id: str | None = None
    """The user's own connection that offers it; None where the settings do."""
    why: str = ""
    """Why Optimus picked it, as a sentence; empty where the user did."""

    @property
    def place(self) -> tuple[ModelRef, str | None]:
        """What tells it from every other choice."""
        return self.ref, self.connection_id

    @property
    def name(self) -> str:
        """The model's name with who offers it."""
        return self.title if self.ref in {OFFLINE_MODEL, CHEAPEST} else f"{self.title} · {self.provider_title}"


class OwnConnection(Value):
    """A connection as its owner sees it."""

    id: str
    provider: str
    """The provider's key in the catalogue."""
    base_url: str | None
    """None means the provider's own address."""
    key_ending: str
    """The last 4 characters of the key; empty where there is none, or where it is too short to show any."""
    has_key: bool
    models: int
    connected_at: datetime


def ending(key: SecretStr | None) -> str:
    """Return as much of a key as may be shown."""
    text = key.get_secret_value() if key else ""
    return text[-SHOWN_KEY_CHARS:] if len(text) >= _LEAST_KEY_CHARS else ""


class ConnectionTest(Value):
    """What came of calling a provider for real."""

    ok: bool
    message: str
    """One sentence for the screen: what works, or what is wrong and what to do."""
    models: tuple[str, ...] = ()
    """The names that the provider offers, where it lists them."""


class LocalServer(Value):
    """A model server that answers on this machine."""

    name: str
    """Of the program that usually answers at its port, such as `Ollama`."""
    base_url: str
    models: tuple[str, ...] = ()
