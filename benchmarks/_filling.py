"""A store with years of use in it, made through the product's own services from a seeded generator."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks._progress import progress
from optimus.costs import asked
from optimus.llm_handler.requests import GenerationResult
from optimus.models import (
    Conversation,
    ConversationId,
    Memory,
    MemoryId,
    MemoryType,
    Message,
    MessageId,
    MessageRole,
    MessageState,
    Usage,
    UserId,
    new_id,
    stable_id,
    utc_now,
)
from optimus.services import Services, build_services
from optimus.settings import Settings
from optimus.usage import answer_event

YEARS = timedelta(days=730)
"""Over how long the use is spread."""
_USERS = 20
_AT_ONCE = 200
_DISTINCT = 2_000
SAID = 4
"""Messages of a conversation, the assistant's included."""
_WHO = ("my sister", "my colleague Ana", "my neighbour", "my doctor", "my daughter", "our landlord", "my boss", "Tomás")
_DOES = ("likes", "recommended", "is allergic to", "collects", "is afraid of", "cooks", "sells", "wants to learn about")
_WHAT = ("olives", "old maps", "penicillin", "jazz", "tall ladders", "sourdough", "second-hand bicycles", "beekeeping")
_WHEN = (
    "since spring",
    "on weekends",
    "since the move",
    "at work",
    "in Lisbon",
    "most of the time",
    "at home",
    "lately",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much there is of each thing, all of it one user's."""

    memories: int
    conversations: int
    answers: int


def fill(folder: Path, amounts: Amounts, *, sessions: int, seed: int) -> list[str]:
    """Make an administrator with everything, sign in, and close the store again.

    Returns:
        One cookie header for each session.
    """
    chance = random.Random(seed)  # noqa: S311 - data for measuring
    settings = Settings.model_validate({"data_dir": folder, "max_sessions": sessions})
    services = build_services(settings, password_cost=4)
    try:
        password = f"measured-{new_id()}"
        owner = services.auth.create_admin(code=None, username="ada", password=password).id
        fill_memories(services, owner, amounts.memories, chance)
        for _ in range(amounts.conversations):
            _converse(services, owner, chance)
        _answer(services, owner, amounts.answers, chance)
        return [f"optimus={_sign_in(services, password)}" for _ in range(sessions)]
    finally:
        services.close()


def fill_memories(services: Services, owner: UserId, number: int, chance: random.Random) -> None:
    """Give a user that many memories."""
    for _ in range(number):
        services.memory.add(owner, sentence(chance), MemoryType.FACT)


def fill_many(folder: Path, number: int, *, seed: int) -> None:
    """Make a store with that many memories, shared out to 20 users: some thousand sentences, each of them often."""
    chance = random.Random(seed)  # noqa: S311 - data for measuring
    texts = [sentence(chance) for _ in range(_DISTINCT)]
    services = build_services(Settings.model_validate({"data_dir": folder}), password_cost=4)
    try:
        for start in progress("fill", range(0, number, _AT_ONCE)):
            owner = UserId(stable_id("benchmark user", str(seed), str(start // _AT_ONCE % _USERS)))
            count = min(_AT_ONCE, number - start)
            services.memory.adopt(owner, [_memory(owner, chance.choice(texts)) for _ in range(count)], {})
    finally:
        services.close()


def _memory(owner: UserId, text: str) -> Memory:
    now, kind = utc_now(), MemoryType.FACT
    return Memory(
        id=MemoryId(new_id()), user_id=owner, text=text, type=kind, recorded_at=now, updated_at=now, valid_from=now
    )


def sentence(chance: random.Random) -> str:
    """Return something that a user might say about somebody."""
    who, does, what, when = (chance.choice(words) for words in (_WHO, _DOES, _WHAT, _WHEN))
    return f"{who[0].upper()}{who[1:]} {does} {what} {when}, number {chance.randrange(10**6)}"


def _converse(services: Services, owner: UserId, chance: random.Random) -> None:
    at = utc_now() - YEARS * chance.random()
    text = sentence(chance)
    conversation = Conversation(
        id=ConversationId(new_id()), user_id=owner, title=text[:60], created_at=at, updated_at=at
    )
    services.store.conversations.create(conversation)
    for number in range(SAID):
        services.store.conversations.add_message(
            _message(conversation, number, text if number == 0 else sentence(chance))
        )


def _message(conversation: Conversation, number: int, text: str) -> Message:
    return Message(
        id=MessageId(new_id()),
        conversation_id=conversation.id,
        user_id=conversation.user_id,
        role=MessageRole.ASSISTANT if number % 2 else MessageRole.USER,
        text=text,
        created_at=conversation.created_at + timedelta(seconds=number),
    )


def _answer(services: Services, owner: UserId, amount: int, chance: random.Random) -> None:
    """Record answers as they would have been over the years, by the offline assistant."""
    choice = services.connections.choices(owner)[0]
    given = asked(choice, sentence(chance), (), ())
    begin = utc_now() - YEARS
    for number in range(amount):
        at = begin + YEARS * (number / amount)
        reply = Message(
            id=MessageId(new_id()),
            conversation_id=ConversationId(new_id()),
            user_id=owner,
            role=MessageRole.ASSISTANT,
            text="",
            created_at=at,
            model=str(choice.ref),
        )
        milliseconds = chance.uniform(200, 4_000)
        usage = Usage(
            input_tokens=chance.randrange(200, 2_000),
            output_tokens=chance.randrange(20, 400),
            first_token_ms=milliseconds / 3,
            duration_ms=milliseconds,
        )
        result = GenerationResult(text="", state=MessageState.COMPLETE, usage=usage)
        services.store.events.append(answer_event(reply, given, result, at=at))


def _sign_in(services: Services, password: str) -> str:
    ticket = services.auth.sign_in(
        username="ada", password=password, network="benchmark", captcha=None, user_agent="benchmark"
    )
    return services.auth.open_session(ticket).token
