"""Gives what is imported the ids under which it becomes the importer's own.

An id counts only where the importer already owns a record under it. Every other one, also one that is somebody
else's, becomes an id that follows from the importer and the original: importing twice writes the same records.
"""

from __future__ import annotations

from typing import TypeVar

from optimus.attachments import ROOM_BYTES
from optimus.memory_manager.shelf import DERIVED_TYPES, episode_id, is_active
from optimus.memory_manager.wording import normal_form
from optimus.models import (
    Conversation,
    ConversationId,
    Memory,
    MemoryId,
    MemoryVersion,
    Message,
    MessageId,
    MessageState,
    ToolCall,
    UserId,
    stable_id,
)
from optimus.privacy.data import ExportData
from optimus.storage.records import Event, MemoryFilter
from optimus.storage.store import Store

Id = TypeVar("Id", bound=str)


class Mapping:
    """The new ids of everything in one export, and which of them the owner has already."""

    def __init__(self, store: Store, owner: UserId, data: ExportData) -> None:
        self._owner = owner
        self.said = self._said(store, data)
        """Ids of conversations and messages that are there already."""
        self._messages = {m.id: self._placed(m.id, self.said) for each in data.conversations for m in each.messages}
        known = {outline.id for outline in store.memories.outline(owner, MemoryFilter(statuses=None))}
        self._memories = {memory.id: self._memory_id(memory, known) for memory in data.memories}
        self.known = known & set(self._memories.values())
        """Ids of memories that are there already."""
        events = [event.id for event in data.usage]
        self.counted = store.events.owned(owner, [*events, *map(self._derived, events)])
        """Ids of events that are there already."""

    def conversation(self, conversation: Conversation) -> Conversation:
        """Return the conversation as the owner's."""
        update = {"id": self._conversation_id(conversation.id), "user_id": self._owner}
        head = conversation.head and self._message_id(conversation.head)
        told = conversation.summary
        untold = tuple(map(self._message_id, told.untold)) if told else ()
        summary = told and told.model_copy(update={"upto": self._message_id(told.upto), "untold": untold})
        return conversation.model_copy(update=update | {"head": head, "summary": summary})

    def message(self, message: Message) -> Message:
        """Return the message as the owner's; nobody writes on it any more."""
        saved = (
            change.model_copy(
                update={
                    "memory_id": self.memory_id(change.memory_id),
                    "replaced_id": change.replaced_id and self.memory_id(change.replaced_id),
                }
            )
            for change in message.saved
        )
        used = (use.model_copy(update={"memory_id": self.memory_id(use.memory_id)}) for use in message.used)
        is_fitting = sum(each.size for each in message.attachments) <= ROOM_BYTES
        is_written = message.state is MessageState.WRITING
        return message.model_copy(
            update={
                "id": self._message_id(message.id),
                "conversation_id": self._conversation_id(message.conversation_id),
                "user_id": self._owner,
                "state": MessageState.STOPPED if is_written else message.state,
                "parent": message.parent and self._message_id(message.parent),
                "attachments": message.attachments if is_fitting else (),
                "saved": tuple(saved),
                "tools": tuple(self._call(each) for each in message.tools),
                "used": tuple(used),
            }
        )

    def _call(self, call: ToolCall) -> ToolCall:
        return call.model_copy(update={"asks": False, "found": tuple(map(self.memory_id, call.found))})

    def memory(self, memory: Memory) -> Memory:
        """Return the memory as the owner's, with its versions, its status and the mark of who said it."""
        origin = memory.provenance
        provenance = {
            "conversation_id": origin.conversation_id and self._conversation_id(origin.conversation_id),
            "message_id": origin.message_id and self._message_id(origin.message_id),
        }
        return memory.model_copy(
            update={
                "id": self.memory_id(memory.id),
                "user_id": self._owner,
                "provenance": origin.model_copy(update=provenance),
                "superseded_by": memory.superseded_by and self.memory_id(memory.superseded_by),
                "supersedes": memory.supersedes and self.memory_id(memory.supersedes),
                "sources": tuple(map(self._message_id, memory.sources)),
                "history": tuple(map(self._version, memory.history)),
                "derived": tuple(map(self.memory_id, memory.derived)),
                "last_used_in": memory.last_used_in and self._message_id(memory.last_used_in),
                "last_used_chat": memory.last_used_chat and self._conversation_id(memory.last_used_chat),
            }
        )

    def _version(self, version: MemoryVersion) -> MemoryVersion:
        return version.model_copy(update={"message_id": version.message_id and self._message_id(version.message_id)})

    def event(self, event: Event) -> Event:
        """Return the event as the owner's."""
        data = dict(event.data)
        for name in ("message_id", "question_id"):
            if message := data.get(name):
                data[name] = self._message_id(MessageId(str(message)))
        if conversation := data.get("conversation_id"):
            data["conversation_id"] = self._conversation_id(ConversationId(str(conversation)))
        if data.get("memory_ids"):
            data["memory_ids"] = ",".join(self.memory_id(MemoryId(key)) for key in str(data["memory_ids"]).split(","))
        placed = self._placed(event.id, self.counted)
        return event.model_copy(update={"id": placed, "user_id": self._owner, "data": data})

    def memory_id(self, original: MemoryId) -> MemoryId:
        """Return the new id of a memory, also of one that is not in the export."""
        return self._memories.get(original) or self._derived(original)

    def _conversation_id(self, original: ConversationId) -> ConversationId:
        return self._placed(original, self.said)

    def _message_id(self, original: MessageId) -> MessageId:
        return self._messages.get(original) or self._derived(original)

    def _memory_id(self, memory: Memory, known: set[MemoryId]) -> MemoryId:
        *present, derived = self._candidates(memory)
        return next((key for key in (*present, derived) if key in known), derived)

    def _candidates(self, memory: Memory) -> list[MemoryId]:
        """Return the ids under which a memory may be there already; the last one is its own where it is not.

        A message's memory is found by the message, and what is true now by its words.
        """
        said = memory.provenance.message_id
        if said and memory.id == episode_id(said):
            return [episode_id(self._message_id(said))]
        same = [MemoryId(stable_id("memory", self._owner, normal_form(memory.text)))] if _is_fact(memory) else []
        return [memory.id, *same, self._derived(memory.id)]

    def _said(self, store: Store, data: ExportData) -> set[str]:
        ids = [each.conversation.id for each in data.conversations]
        ids += [message.id for each in data.conversations for message in each.messages]  # type: ignore[misc]
        return store.conversations.owned(self._owner, [*ids, *map(self._derived, ids)])

    def _placed(self, original: Id, owned: set[str]) -> Id:
        return original if original in owned else self._derived(original)

    def _derived(self, original: Id) -> Id:
        return type(original)(stable_id("import", self._owner, original))


def _is_fact(memory: Memory) -> bool:
    return is_active(memory) and memory.type in DERIVED_TYPES
