"""Reads `optimus.json`: strictly, record by record, and every record as the importer's own.

Nothing in the file says whose it becomes: the owner is put into each record here, and a record that brings one is
refused like one with any other unknown field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from optimus.errors import InvalidInputError
from optimus.models import MAX_TITLE_CHARS, Conversation, Memory, Message, MessageRole, UserId, is_uuid
from optimus.privacy.archive import NO_EXPORT, check_format
from optimus.privacy.data import (
    ExportData,
    ExportedAccount,
    ExportedAct,
    ExportedConnection,
    ExportedConversation,
    ExportedPreferences,
    is_usage,
)
from optimus.storage.records import Event

MAX_RECORD_BYTES = 190_000
"""Of one record as JSON: sealed and encoded it still fits one record of the store (256 KB)."""
_MOST = 1e12
"""No count, cost or time in milliseconds is larger."""
_FIELDS = {"format", "version", "exported_at", "account", "preferences", "connections"}
_LISTS = ("conversations", "memories", "usage", "audit")
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(days=1)
"""How far another machine's clock may be ahead."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

Model = TypeVar("Model", bound=BaseModel)


def read_export(raw: bytes, owner: UserId, *, now: datetime) -> ExportData:
    """Return an export as the owner's.

    Raises:
        InvalidInputError: the text is no JSON of an export, of a newer version, or a record in it cannot be taken; the
            sentence names which one.
    """
    fields = _parsed(raw)
    check_format(fields.get("format"), fields.get("version"))
    if set(fields) != _FIELDS | set(_LISTS) or not all(isinstance(fields[name], list) for name in _LISTS):
        raise InvalidInputError("other fields", user_message=NO_EXPORT)
    reader = _Reader(owner, now)
    preferences = fields["preferences"]
    data = ExportData(
        exported_at=reader.time(fields["exported_at"]),
        account=reader.read(ExportedAccount, fields["account"], "the account"),
        preferences=reader.read(ExportedPreferences, preferences, "the settings") if preferences else None,
        connections=tuple(reader.all(ExportedConnection, fields["connections"], "connection")),
        conversations=tuple(reader.conversations(fields["conversations"])),
        memories=tuple(reader.owned(Memory, fields["memories"], "memory")),
        usage=tuple(reader.owned(Event, fields["usage"], "answer")),
        audit=tuple(reader.all(ExportedAct, fields["audit"], "account event")),
    )
    _check_ids(data)
    return data


class _Reader:
    """Turns JSON values into records of one owner, or says which one cannot be taken."""

    def __init__(self, owner: UserId, now: datetime) -> None:
        self._owner = owner
        self._latest = now + _AHEAD

    def time(self, value: object) -> datetime:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            _refuse("the time of the export")
        self._check(moment, "the time of the export")
        return moment

    def read(self, model: type[Model], value: object, where: str, **own: str) -> Model:
        if not isinstance(value, dict) or own.keys() & value.keys():
            _refuse(where)
        try:
            text = json.dumps(value | own, ensure_ascii=False, allow_nan=False).encode()
            record = model.model_validate_json(text, strict=True)
        except (ValidationError, ValueError, RecursionError):
            _refuse(where)
        if len(text) > MAX_RECORD_BYTES:
            _refuse(where, "it is too long")
        self._check(record.model_dump(exclude=_free_text(record)), where)
        return record

    def all(self, model: type[Model], values: object, noun: str, **own: str) -> Iterator[Model]:
        for number, value in enumerate(values if isinstance(values, list) else [values], 1):
            yield self.read(model, value, f"{noun} {number}", **own)

    def owned(self, model: type[Model], values: object, noun: str) -> Iterator[Model]:
        return self.all(model, values, noun, user_id=self._owner)

    def conversations(self, values: list[object]) -> Iterator[ExportedConversation]:
        for number, value in enumerate(values, 1):
            where = f"conversation {number}"
            if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
                _refuse(where)
            head = {key: field for key, field in value.items() if key != "messages"}
            conversation = self.read(Conversation, head, where, user_id=self._owner)
            if len(conversation.title) > MAX_TITLE_CHARS:
                _refuse(where, "its title is too long")
            inside = {"user_id": self._owner, "conversation_id": conversation.id}
            messages = tuple(self.all(Message, value["messages"], f"{where}, message", **inside))
            yield ExportedConversation(conversation=conversation, messages=messages)

    def _check(self, value: Any, where: str) -> None:
        """Refuse times that cannot be, and texts with characters that nobody can type."""
        if isinstance(value, dict):
            for name, inner in value.items():
                self._check(inner, where)
                if name.endswith("_at") and isinstance(inner, datetime) and inner > self._latest:
                    _refuse(where, "it has a time in the future")
        elif isinstance(value, list | tuple | frozenset):
            for inner in value:
                self._check(inner, where)
        elif isinstance(value, datetime):
            if value.tzinfo is None or not _EARLIEST < value < _LATEST:
                _refuse(where, "it has a time that cannot be")
        elif isinstance(value, str) and _CONTROL.search(value):
            _refuse(where, "it has characters that cannot be typed")


def _free_text(record: BaseModel) -> set[str]:
    """Name the field that may hold any character: what a model answered is kept as it came."""
    return {"text"} if isinstance(record, Message) and record.role is MessageRole.ASSISTANT else set()


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(f"unreadable JSON: {type(exc).__name__}", user_message=NO_EXPORT) from None
    if not isinstance(fields, dict):
        raise InvalidInputError("no object", user_message=NO_EXPORT)
    return fields


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a name stands twice")
    return fields


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _check_ids(data: ExportData) -> None:
    """Refuse ids that are none, and two records with one id."""
    conversations = [each.conversation.id for each in data.conversations]
    messages = [message.id for each in data.conversations for message in each.messages]
    for noun, ids in (
        ("conversation", conversations + messages),
        ("memory", [memory.id for memory in data.memories]),
        ("answer", [event.id for event in data.usage]),
    ):
        seen: set[str] = set()
        for number, record_id in enumerate(ids, 1):
            if not is_uuid(record_id) or record_id in seen:
                _refuse(f"{noun} {number}", "its number is not its own")
            seen.add(record_id)
    _check_references(data.memories)
    _check_usage(data.usage)


def _check_usage(events: Iterable[Event]) -> None:
    """Refuse figures that would bend sums and limits."""
    for number, event in enumerate(events, 1):
        figures = [value for value in event.data.values() if isinstance(value, int | float)]
        if not is_usage(event) or not all(0 <= figure <= _MOST for figure in figures):
            _refuse(f"answer {number}", "its figures cannot be")


def _check_references(memories: Iterable[Memory]) -> None:
    for number, memory in enumerate(memories, 1):
        origin = memory.provenance
        named = (origin.conversation_id, origin.message_id, memory.superseded_by, memory.supersedes)
        used = (memory.last_used_in, memory.last_used_chat)
        if not all(map(is_uuid, (*filter(None, (*named, *used)), *memory.sources, *memory.derived))):
            _refuse(f"memory {number}", "it names something that cannot be")


def _refuse(where: str, why: str = "it is not as Optimus writes it") -> NoReturn:
    raise InvalidInputError(
        "a record is refused", user_message=f"This file cannot be imported: {where} was refused, because {why}."
    )
