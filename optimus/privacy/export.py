"""Writes everything about a user as a ZIP file, while it is being fetched; never more than a part of it is in memory.

`optimus.json` holds all and can be imported. The tables and the Markdown say the same for people. The manifest, last
in the file, has the size and SHA-256 of every other file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from optimus.errors import SessionEndedError
from optimus.models import Clock, Conversation, Memory, MemoryId, MemoryType, Message, Principal, UserId
from optimus.privacy import tables
from optimus.privacy.data import (
    DATA_FILE,
    FORMAT,
    MANIFEST_FILE,
    VERSION,
    ExportedAccount,
    ExportedAct,
    ExportedConnection,
    ExportedPreferences,
    Manifest,
    ManifestEntry,
    is_usage,
)
from optimus.spreadsheets import memory_lines
from optimus.storage.audit_records import AuditEntry, AuditFilter
from optimus.storage.records import Connection, Event, MemoryFilter, UserPreferences
from optimus.storage.store import Store

BATCH = 200
MOST_CHAT_FILES = 900
"""Of more conversations several share a file: an archive with more entries would not be taken back."""
_WRITTEN_AT_ONCE = 64 * 1024
_ANY = MemoryFilter(statuses=None)
_README = """Everything that Optimus holds about you, exported at {at} for {username}.

optimus.json       all of it; Optimus can import this archive again (Settings, Your data)
memories.md        what is remembered, to read
memories.csv       the same as a table
conversations/     your chats, to read
conversations.csv  a list of your chats
messages.csv       every message
usage.csv          every answer with its model, tokens, cost and times
manifest.json      size and SHA-256 of every file: a changed file is not imported

The keys of model providers and your password are never exported.
In the tables a text that a spreadsheet could take for a formula begins with a quote.
"""

File = tuple[str, Iterable[str]]


class Exporter:
    """Reads one owner's records page by page, and nobody else's."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def chunks(self, principal: Principal) -> Iterator[bytes]:
        """Yield the ZIP file of the principal's data in parts.

        Raises:
            SessionEndedError: the account is gone.
            StoreError: the store does not answer.
        """
        return _zipped(_Reader(self._store, principal, self._clock()))


class _Reader:
    """What is exported, read anew for each file that tells it; short lists are read once."""

    def __init__(self, store: Store, principal: Principal, at: datetime) -> None:
        self.at = at
        self._store = store
        self._owner = owner = principal.user_id
        self._account = ExportedAccount(
            username=principal.username, role=principal.role, created_at=_created(store, principal)
        )
        self._conversations = store.conversations.every(owner)
        outlines = store.memories.outline(owner, _ANY)
        self._memories = sorted(outlines, key=lambda outline: (outline.recorded_at, outline.id))
        self._events = store.events.of(owner)

    def files(self) -> Iterator[File]:
        """Yield every file but the manifest, in a fixed order."""
        yield "README.txt", [_README.format(at=f"{self.at:%Y-%m-%d %H:%M} UTC", username=self._account.username)]
        yield DATA_FILE, self._json()
        yield "memories.csv", memory_lines(self._in_order())
        yield "memories.md", tables.memories_markdown(self._by_kind())
        yield "conversations.csv", tables.conversations_csv(self._conversations)
        yield "messages.csv", tables.messages_csv(m for c in self._conversations for m in self._messages(c))
        yield "usage.csv", tables.usage_csv(self._usage())
        share = -(-len(self._conversations) // MOST_CHAT_FILES) or 1
        for number, start in enumerate(range(0, len(self._conversations), share), 1):
            yield f"conversations/{number:04}.md", self._readable(self._conversations[start : start + share])

    def _json(self) -> Iterator[str]:
        chosen = self._store.accounts.preferences(self._owner)
        head = {
            "format": FORMAT,
            "version": VERSION,
            "exported_at": self.at.isoformat(),
            "account": self._account.model_dump(mode="json"),
            "preferences": _preferences(chosen).model_dump(mode="json") if chosen.version else None,
            "connections": [
                _connection(c).model_dump(mode="json") for c in self._store.accounts.connections(self._owner)
            ],
        }
        yield _dumped(head)[:-1]
        yield from _array("conversations", map(self._conversation, self._conversations))
        yield from _array(
            "memories", (memory.model_dump(mode="json", exclude={"user_id"}) for memory in self._in_order())
        )
        yield from _array("usage", (event.model_dump(mode="json", exclude={"user_id"}) for event in self._usage()))
        yield from _array("audit", (act.model_dump(mode="json") for act in self._acts()))
        yield "\n}\n"

    def _conversation(self, conversation: Conversation) -> dict[str, object]:
        without = {"user_id", "conversation_id"}
        return conversation.model_dump(mode="json", exclude={"user_id"}) | {
            "messages": [message.model_dump(mode="json", exclude=without) for message in self._messages(conversation)]
        }

    def _messages(self, conversation: Conversation) -> list[Message]:
        return self._store.conversations.transcript(self._owner, conversation.id)

    def _readable(self, conversations: Iterable[Conversation]) -> Iterator[str]:
        for conversation in conversations:
            yield from tables.conversation_markdown(conversation, self._messages(conversation))

    def _in_order(self) -> Iterator[Memory]:
        return self._read([outline.id for outline in self._memories])

    def _by_kind(self) -> Iterator[Memory]:
        kinds = list(tables.TITLES)
        return self._read([o.id for o in sorted(self._memories, key=lambda o: kinds.index(MemoryType(o.type)))])

    def _read(self, ids: list[MemoryId]) -> Iterator[Memory]:
        for start in range(0, len(ids), BATCH):
            yield from self._store.memories.get(self._owner, ids[start : start + BATCH])

    def _acts(self) -> Iterator[ExportedAct]:
        """Yield what the audit log holds about the account, the newest first; nobody else is named in it."""
        offset, where = 0, AuditFilter(about=self._owner)
        while page := self._store.audit.page(where, limit=BATCH, offset=offset).items:
            yield from (_act(entry, self._owner) for entry in page)
            offset += len(page)

    def _usage(self) -> Iterator[Event]:
        return (event for event in self._events if is_usage(event))


@dataclass(slots=True)
class _Sink:
    """Where the archive is written to: what has come so far is taken away from time to time."""

    pending: bytearray

    def write(self, data: bytes) -> int:
        self.pending += data
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def take(self, least: int = 0) -> Iterator[bytes]:
        if len(self.pending) > least:
            taken = bytes(self.pending)
            self.pending.clear()
            yield taken


def _zipped(reader: _Reader) -> Iterator[bytes]:
    sink, entries = _Sink(bytearray()), {}
    with ZipFile(sink, "w", ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for name, texts in reader.files():
            digest, size = hashlib.sha256(), 0
            with archive.open(_info(name, reader.at), "w") as file:
                for text in texts:
                    data = text.encode()
                    digest.update(data)
                    size += len(data)
                    file.write(data)
                    yield from sink.take(_WRITTEN_AT_ONCE)
            entries[name] = ManifestEntry(sha256=digest.hexdigest(), size=size)
        manifest = Manifest(format=FORMAT, version=VERSION, exported_at=reader.at, files=entries)
        archive.writestr(_info(MANIFEST_FILE, reader.at), manifest.model_dump_json(indent=1))
    yield from sink.take()


def _info(name: str, at: datetime) -> ZipInfo:
    info = ZipInfo(name, date_time=(at.year, at.month, at.day, at.hour, at.minute, at.second))
    info.compress_type = ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info


def _array(name: str, records: Iterable[dict[str, object]]) -> Iterator[str]:
    yield f',\n"{name}": ['
    for number, record in enumerate(records):
        yield (",\n" if number else "\n") + _dumped(record)
    yield "\n]"


def _dumped(record: dict[str, object]) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False)


def _created(store: Store, principal: Principal) -> datetime:
    user = store.accounts.user(principal.user_id)
    if user is None:
        raise SessionEndedError("the account is gone")
    return user.created_at


def _preferences(chosen: UserPreferences) -> ExportedPreferences:
    fields = chosen.model_dump(include=set(ExportedPreferences.model_fields) - {"never_store"})
    return ExportedPreferences(**fields, never_store=tuple(sorted(chosen.never_store)))


def _connection(connection: Connection) -> ExportedConnection:
    return ExportedConnection.model_validate(connection.model_dump(include=set(ExportedConnection.model_fields)))


def _act(entry: AuditEntry, owner: UserId) -> ExportedAct:
    by: Literal["you", "somebody else", "nobody"] = "nobody"
    if entry.actor:
        by = "you" if entry.actor == owner else "somebody else"
    told = entry.data if by == "you" else {k: v for k, v in entry.data.items() if k not in {"network", "browser"}}
    return ExportedAct(at=entry.at, action=entry.action, by=by, item=entry.item, data=told)
