"""What a user never sends to whom: kinds of memory, or single memories, to a provider or a group of them.

Whatever goes to a language model beside what was just typed passes here: memories for an answer, what its tools find,
earlier messages, what another model is shown to look for memories. In doubt nothing is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from optimus.errors import InvalidInputError
from optimus.llm_handler.catalogue import Catalogue, ProviderEntry
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelChoice, ModelTarget
from optimus.memory_manager.manager import MemoryManager
from optimus.models import Memory, MemoryId, MemoryType, Message, MessageId, MessageRole, UserId, Value
from optimus.preferences import PreferenceService

EVERY_MODEL = "models"
"""Everybody but the offline assistant."""
ELSEWHERE = "remote"
"""Everybody who is not on this machine."""
_COMPATIBLE = "compatible"
_ROUNDS = 20

Rule = tuple[MemoryType, str]


class Receiver(Value):
    """Who would read something."""

    provider: str
    """Two interfaces of one provider are one."""
    title: str
    is_local: bool
    is_offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What may not go to whom, of some memories and what they are connected to."""

    rules: Sequence[Rule]
    known: Mapping[MemoryId, Memory]
    receivers: Collection[str]
    """Those that a rule may name; one that is not known any more counts as everybody."""

    def kinds(self, receiver: Receiver) -> set[MemoryType]:
        """Return the kinds that a receiver never gets."""
        return {kind for kind, to in self.rules if self._covers(to, receiver)}

    def withholds(self, memory_id: MemoryId, receiver: Receiver) -> bool:
        """Tell whether a memory is kept from a receiver.

        A message is kept back with anything that came from it, and whenever a kind is: it may say more than was
        recognised. What replaced a memory is kept back like it. One that is gone counts as one of every kind.
        """
        kinds, waiting, seen = self.kinds(receiver), [memory_id], set[MemoryId]()
        while waiting:
            current = waiting.pop()
            seen.add(current)
            memory = self.known.get(current)
            if memory is None:
                if kinds:
                    return True
                continue
            if memory.type in kinds or (kinds and memory.type is MemoryType.CONVERSATION):
                return True
            if any(self._covers(to, receiver) for to in memory.never_send):
                return True
            waiting.extend(key for key in _connected(memory) if key not in seen)
        return False

    def _covers(self, to: str, receiver: Receiver) -> bool:
        if receiver.is_offline:
            return False
        if to == ELSEWHERE:
            return not receiver.is_local
        return to in {receiver.provider, EVERY_MODEL} or to not in self.receivers


class Withholding:
    """A user's privacy rules for models: how they are chosen, and what they keep back."""

    def __init__(self, *, memory: MemoryManager, preferences: PreferenceService, catalogue: Catalogue) -> None:
        self._memory = memory
        self._preferences = preferences
        self._catalogue = catalogue

    def receivers(self) -> dict[str, str]:
        """Return whom a rule may name, with what to call them: groups first, then each provider."""
        providers = {_key(entry): entry.title for entry in reversed(self._catalogue.all()) if entry.build}
        ordered = {_key(entry): providers[_key(entry)] for entry in self._catalogue.all() if entry.build}
        return {EVERY_MODEL: "Any language model", ELSEWHERE: "Any model not on this machine", **ordered}

    def rules(self, owner: UserId) -> tuple[Rule, ...]:
        """Return which kinds the owner never sends to whom."""
        return self._preferences.of(owner).never_send

    def choose_kinds(self, owner: UserId, rules: Iterable[Rule]) -> None:
        """Choose which kinds are never sent to whom.

        Raises:
            InvalidInputError: a rule names somebody who is not there.
        """
        wanted = list(rules)
        self._check(to for _, to in wanted)
        self._preferences.choose_never_send(owner, wanted)

    def choose(self, owner: UserId, memory_id: MemoryId, to: Sequence[str]) -> Memory:
        """Choose to whom one memory is never sent.

        Raises:
            InvalidInputError: somebody is named who is not there.
            NotFoundError: the memory is missing or not the owner's.
        """
        self._check(to)
        return self._memory.never_send(owner, memory_id, to)

    def receiver(self, model: ModelChoice | ModelTarget) -> Receiver:
        """Return who reads what is sent to a model."""
        ref = model.ref if isinstance(model, ModelChoice) else model.model
        title = model.provider_title if isinstance(model, ModelChoice) else model.title
        is_offline = ref.provider == OFFLINE_MODEL.provider
        return Receiver(
            provider=self._provider(ref.provider), title=title, is_local=model.is_local, is_offline=is_offline
        )

    def judge(self, owner: UserId, memories: Collection[Memory] = (), ids: Collection[MemoryId] = ()) -> Judgement:
        """Read what is needed to tell of some memories who may get them.

        Raises:
            StoreError: it cannot be read, so nothing may be sent.
        """
        known = {memory.id: memory for memory in memories}
        missing, looked = set(ids) - set(known), set[MemoryId]()
        missing |= {key for memory in memories for key in _connected(memory)} - set(known)
        for _ in range(_ROUNDS):
            if not missing:
                break
            looked |= missing
            found = self._memory.some(owner, sorted(missing))
            known |= {memory.id: memory for memory in found}
            missing = {key for memory in found for key in _connected(memory)} - set(known) - looked
        return Judgement(rules=self.rules(owner), known=known, receivers=frozenset(self.receivers()))

    def unsent(self, owner: UserId, memories: Sequence[Memory], receivers: Collection[Receiver]) -> set[MemoryId]:
        """Return those of the memories that one of the receivers may not get.

        Raises:
            StoreError: it cannot be told, so nothing may be sent.
        """
        if all(receiver.is_offline for receiver in receivers):
            return set()
        judgement = self.judge(owner, memories)
        return {m.id for m in memories if any(judgement.withholds(m.id, receiver) for receiver in receivers)}

    def unsent_messages(self, owner: UserId, messages: Sequence[Message], receiver: Receiver) -> set[MessageId]:
        """Return those of a chat's messages that a receiver may not get.

        They are those that made or used memories that it may not get, the answers to these, and where a kind is kept
        from it all that were not written to it or by it: what else they say is not known.

        Raises:
            StoreError: it cannot be told, so nothing may be sent.
        """
        if receiver.is_offline:
            return set()
        judgement = self.judge(owner, ids={key for message in messages for key in _touched(message)})
        kept = {m.id for m in messages if any(judgement.withholds(key, receiver) for key in _touched(m))}
        kept |= {m.id for m, asked in _answers(messages) if asked in kept}
        if judgement.kinds(receiver):
            kept |= {message.id for message in messages} - self._shared(messages, receiver)
        return kept

    def _shared(self, messages: Sequence[Message], receiver: Receiver) -> set[MessageId]:
        """Return the messages that a receiver wrote, or has answered; servers of other addresses are not told apart."""
        if receiver.provider == _COMPATIBLE:
            return set()
        own = {(m.id, asked) for m, asked in _answers(messages) if self._provider(_named(m)) == receiver.provider}
        return {key for pair in own for key in pair if key}

    def _provider(self, key: str) -> str:
        return _key(self._catalogue.get(key)) if key in self._catalogue else key

    def _check(self, to: Iterable[str]) -> None:
        if set(to) - set(self.receivers()):
            raise InvalidInputError("unknown receiver", user_message="Choose from the list who never gets it.")


def _key(entry: ProviderEntry) -> str:
    return entry.settings_name or entry.key


def _answers(messages: Sequence[Message]) -> Iterator[tuple[Message, MessageId | None]]:
    """Yield the answers, each with the message that it answers."""
    before: Message | None = None
    for message in messages:
        if message.role is MessageRole.ASSISTANT:
            yield message, message.parent or (before.id if before else None)
        before = message


def _named(message: Message) -> str:
    """Return the provider that a message names as its writer's."""
    return (message.model or "").partition(":")[0]


def _connected(memory: Memory) -> tuple[MemoryId, ...]:
    """Return what a memory says as well: what its message made, or what it replaced."""
    return (*memory.derived, *((memory.supersedes,) if memory.supersedes else ()))


def _touched(message: Message) -> set[MemoryId]:
    """Return the memories that a message made, used or was told of."""
    saved = {key for change in message.saved for key in (change.memory_id, change.replaced_id) if key}
    found = {key for call in message.tools for key in (*call.found, call.memory_id) if key}
    return saved | found | {use.memory_id for use in message.used}
