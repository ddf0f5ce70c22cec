"""A whole Optimus in memory: an empty store, cheap passwords, hashed vectors, a clock moved by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from optimus.keys import Keys
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelChoice
from optimus.models import Conversation, Message, Principal, Role, UserId, new_id
from optimus.services import Services, new_metrics, wire
from optimus.settings import Settings
from optimus.storage.store import open_memory_store
from tests.fakes.embedding import HashEmbedder

PASSWORD = "violin-harbour-94-mossy kettle"
KEYS = Keys(jwt=b"j" * 32, pepper=b"p" * 32, master=b"m" * 32)


@dataclass
class HandClock:
    """Stands still until it is moved; each reading is a millisecond later, so that order can be told."""

    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        self.now += timedelta(milliseconds=1)
        return self.now


@dataclass(kw_only=True)
class World:
    """The services, one signed-in user, and shortcuts for what tests do all the time."""

    services: Services
    clock: HandClock
    owner: UserId
    principal: Principal

    def offline(self) -> ModelChoice:
        """Return the offline assistant as a choice."""
        return next(c for c in self.services.connections.choices(self.owner) if c.ref == OFFLINE_MODEL)

    def say(
        self, text: str, *, conversation: Conversation | None = None, choice: ModelChoice | None = None
    ) -> tuple[Conversation, Message, Message]:
        """Send a message, wait for its answer; return the conversation, the message and the answer as stored."""
        chat = self.services.chat
        turn = chat.send(
            self.owner,
            text,
            conversation_id=conversation.id if conversation else None,
            choice=choice or self.offline(),
        )
        running = chat.generation(self.owner, turn.conversation.id)
        assert running is None or running.wait(20)
        messages = {message.id: message for message in chat.messages(self.owner, turn.conversation.id)}
        return turn.conversation, messages[turn.message.id], messages[turn.reply.id]


@contextmanager
def running_world(data_dir: Path, **settings: object) -> Iterator[World]:
    """Open a world and close it."""
    clock = HandClock()
    usual = {"data_dir": data_dir, "setup_code": None, "default_model": None, "max_sessions": 5}
    services = wire(
        Settings.model_validate(usual | settings),
        KEYS,
        open_memory_store(KEYS, clock=clock, metrics=new_metrics()),
        clock=clock,
        password_cost=4,
        embedder=HashEmbedder(),
    )
    user = services.auth.create_admin(code=None, username="ada", password=PASSWORD)
    ticket = services.auth.sign_in(username="ada", password=PASSWORD, network="test", captcha=None, user_agent="test")
    principal = services.auth.principal(services.auth.open_session(ticket).token)
    assert principal
    yield World(services=services, clock=clock, owner=user.id, principal=principal)
    services.close()


def stranger() -> Principal:
    """Return a principal that owns nothing."""
    owner = UserId(new_id())
    return Principal(user_id=owner, username="eve", role=Role.USER, session_id=new_id())  # type: ignore[arg-type]
