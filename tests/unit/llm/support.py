"""What the tests of the model layer share."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from optimus.llm_handler import Credentials, GenerationRequest, GenerationResult, OfflineContext
from optimus.llm_handler.generations import Generation
from optimus.llm_handler.requests import ModelRef
from optimus.models import ConversationId, MessageId, UserId, new_id
from optimus.settings import Settings

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
KEY = "sk-canary-0123456789abcdef"


def bare_settings(**values) -> Settings:
    """Return settings that no environment variable or file changes."""
    bare: Settings = Settings.model_construct(**({"request_timeout_s": 20, "request_retries": 0} | values))
    return bare


def make_request(base_url: str | None = None, **values) -> GenerationRequest:
    """Return a request to a compatible server, or whatever `values` say."""
    credentials = Credentials(base_url=base_url, api_key=SecretStr(KEY)) if base_url else None
    fields: dict[str, Any] = {
        "owner": UserId(new_id()),
        "conversation_id": ConversationId(new_id()),
        "message_id": MessageId(new_id()),
        "model": ModelRef(provider="compatible", name="gpt-6-luna"),
        "credentials": credentials,
        "connection_id": new_id(),
        "instructions": "Be brief.",
        "prompt": "Hello?",
        "offline": OfflineContext(now=NOW),
    }
    return GenerationRequest(**(fields | values))


@dataclass
class Ending:
    """Takes the result, like the code that stores it; `gate` holds it up."""

    results: list[GenerationResult] = field(default_factory=list)
    gate: threading.Event | None = None
    entered: threading.Event = field(default_factory=threading.Event)
    during: Callable[[], None] | None = None

    def __call__(self, result: GenerationResult) -> None:
        self.entered.set()
        if self.gate is not None:
            self.gate.wait(10)
        if self.during is not None:
            self.during()
        self.results.append(result)


def ended(generation: Generation) -> GenerationResult:
    """Wait for a generation's end and return its result."""
    assert generation.wait(20)
    assert generation.result is not None
    return generation.result


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that another thread brings about."""
    tick = threading.Event()
    for _ in range(2000):
        if condition():
            return
        tick.wait(0.005)
    raise AssertionError("the condition did not come about")
