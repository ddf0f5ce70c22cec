"""Conversations of the form of LoCoMo (Maharana et al., 2024): read from a file, and said to Optimus turn by turn.

A turn becomes a message of one user, with its speaker's name before the words, as in a chat log that somebody
pastes; the caption of a picture that was sent stands behind them, as in the authors' own retrieval.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from optimus.chat_memory import CONTEXT_MESSAGES, ChatMemory
from optimus.models import ConversationId, Message, MessageId, MessageRole, RecalledMemory, UserId, new_id
from optimus.services import Services, build_services
from optimus.settings import Settings

ASKED = frozenset({1, 2, 3, 4})
"""The categories of questions that have an answer in the conversation."""
_SESSION = re.compile(r"session_(\d+)")
_TURN = re.compile(r"D\d+:\d+")
_TIME_FORM = "%I:%M %p on %d %B, %Y"
_TURN_TAKES = timedelta(seconds=30)
_ASKED_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a conversation."""

    id: str
    session: int
    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question and the turns that answer it."""

    text: str
    evidence: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """A conversation over many sessions with the questions about it."""

    name: str
    turns: Sequence[Turn]
    questions: Sequence[Question]


def load(path: Path, limit: int | None = None) -> list[Dialogue]:
    """Read the conversations of a file; of each at most `limit` questions.

    Raises:
        ValueError: the file is not of the form, or there is no question to ask.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        dialogues = [_dialogue(record, number, limit) for number, record in enumerate(records, 1)]
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"{path.name} is not of LoCoMo's form: {type(exc).__name__} {exc}") from exc
    if not any(dialogue.questions for dialogue in dialogues):
        raise ValueError(f"{path.name} holds no question with evidence")
    return dialogues


def _dialogue(record: Mapping[str, Any], number: int, limit: int | None) -> Dialogue:
    conversation = record["conversation"]
    sessions = sorted(int(found[1]) for key in conversation if (found := _SESSION.fullmatch(key)))
    turns = [turn for session in sessions for turn in _turns(conversation, session)]
    known = {turn.id for turn in turns}
    asked = [
        Question(text=entry["question"], evidence=frozenset(evidence))
        for entry in record["qa"]
        if entry.get("category") in ASKED
        and (evidence := known & set(_TURN.findall(" ".join(entry.get("evidence") or ()))))
    ]
    return Dialogue(name=record.get("sample_id") or str(number), turns=turns, questions=asked[:limit])


def _turns(conversation: Mapping[str, Any], session: int) -> Iterator[Turn]:
    begin = datetime.strptime(conversation[f"session_{session}_date_time"], _TIME_FORM).replace(tzinfo=UTC)
    for place, turn in enumerate(conversation[f"session_{session}"]):
        caption = turn.get("blip_caption")
        text = f"{turn['speaker']}: {turn['text']}" + (f" [photo: {caption}]" if caption else "")
        yield Turn(id=turn["dia_id"], session=session, text=text, at=begin + place * _TURN_TAKES)


@dataclass
class SetClock:
    """Shows the time that it was set to, a moment later at each look."""

    now: datetime = datetime(2020, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        self.now += timedelta(microseconds=1)
        return self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One user who said a whole conversation, and which message was which turn."""

    owner: UserId
    turns: Mapping[MessageId, str]
    conversation: ConversationId

    def evidence(self, recalled: Sequence[RecalledMemory]) -> list[frozenset[str]]:
        """Return the turns that stand behind each memory."""
        return [frozenset(self.turns[source] for source in found.memory.sources) for found in recalled]

    def asks(self, text: str, at: datetime) -> Message:
        """Return a question as a message of a new chat."""
        return said(self.owner, self.conversation, text, at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """An Optimus of its own on a folder of its own, and its clock."""

    services: Services
    clock: SetClock = field(default_factory=SetClock)

    def hear(self, dialogue: Dialogue) -> Listener:
        """Say a conversation to a new user's Optimus, one chat for each session; it is then a day later."""
        owner = UserId(new_id())
        turn_of: dict[MessageId, str] = {}
        for _, turns in groupby(dialogue.turns, key=attrgetter("session")):
            chat = ConversationId(new_id())
            before: list[Message] = []
            for turn in turns:
                self.clock.now = turn.at
                message = said(owner, chat, turn.text, turn.at)
                self.services.memory.remember(owner, message, before=before[-CONTEXT_MESSAGES:])
                turn_of[message.id] = turn.id
                before.append(message)
        self.clock.now += _ASKED_AFTER
        return Listener(owner=owner, turns=turn_of, conversation=ConversationId(new_id()))


@contextmanager
def listening() -> Iterator[Listening]:
    """Open an empty Optimus with its default settings, and remove it at the end."""
    clock = SetClock()
    with TemporaryDirectory(prefix="optimus-benchmark-") as folder:
        services = build_services(Settings.model_validate({"data_dir": Path(folder)}), clock=clock, password_cost=4)
        try:
            yield Listening(services=services, clock=clock)
        finally:
            services.close()


def chat_memory(optimus: Listening) -> ChatMemory:
    """Return memory as a chat uses it."""
    services = optimus.services
    return ChatMemory(
        memory=services.memory,
        preferences=services.preferences,
        queue=services.extraction,
        withholding=services.withholding,
    )


def share(found: Sequence[AbstractSet[str]], evidence: AbstractSet[str]) -> float:
    """Return which share of the evidence stands in what was found."""
    return len(evidence & frozenset().union(*found)) / len(evidence)


def said(owner: UserId, chat: ConversationId, text: str, at: datetime) -> Message:
    """Return a message as its writer sends it."""
    return Message(
        id=MessageId(new_id()),
        conversation_id=chat,
        user_id=owner,
        role=MessageRole.USER,
        text=text,
        created_at=at,
    )
