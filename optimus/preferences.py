"""What a user chose about models and memory."""

from __future__ import annotations

from collections.abc import Callable, Collection

from optimus.errors import ConflictError, InvalidInputError
from optimus.models import Clock, MemoryType, UserId
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction
from optimus.storage.records import MAX_RECALLED, UserPreferences

_TRIES = 5


class PreferenceService:
    """Reads and changes preferences; two changes at once are both made, each on what the other left."""

    max_memories = MAX_RECALLED
    """The most memories that a user can let into one answer."""

    def __init__(self, *, accounts: AccountRepository, clock: Clock, audit: AuditLog) -> None:
        self._accounts = accounts
        self._clock = clock
        self._audit = audit

    def of(self, owner: UserId) -> UserPreferences:
        """Return what a user chose, or the defaults."""
        return self._accounts.preferences(owner)

    def choose_memory(
        self,
        owner: UserId,
        *,
        remembers: bool,
        recalls: bool,
        max_memories: int,
        never_store: Collection[MemoryType],
    ) -> UserPreferences:
        """Choose what a chat keeps and what answers are made from.

        Args:
            owner: Who chooses.
            remembers: Whether what they say in a chat is kept.
            recalls: Whether answers are made from memories.
            max_memories: How many memories an answer is given at most, 1 to 20.
            never_store: Kinds that are never kept of what they say in a chat.

        Raises:
            InvalidInputError: the number is out of range; nothing is changed.
            ConflictError: the preferences change too fast.
        """
        if not 1 <= max_memories <= MAX_RECALLED:
            raise InvalidInputError(user_message=f"Choose between 1 and {MAX_RECALLED} memories for an answer.")

        def chosen(before: UserPreferences) -> dict[str, object]:
            restarts = remembers and not before.remembers
            return {
                "remembers": remembers,
                "remembers_since": self._clock() if restarts else before.remembers_since,
                "recalls": recalls,
                "max_memories": max_memories,
                "never_store": frozenset(never_store),
            }

        return self._change(owner, chosen)

    def choose_model(self, owner: UserId, *, model: str | None, connection_id: str | None) -> UserPreferences:
        """Choose the model of new chats, as `provider:model`; None leaves it to Optimus.

        Raises:
            ConflictError: the preferences change too fast.
        """
        return self._change(owner, lambda _: {"default_model": model, "default_connection": connection_id})

    def _change(self, owner: UserId, chosen: Callable[[UserPreferences], dict[str, object]]) -> UserPreferences:
        for _ in range(_TRIES):
            before = self.of(owner)
            try:
                saved = self._accounts.save_preferences(before.model_copy(update=chosen(before)))
            except ConflictError:
                continue
            self._audit.note(AuditAction.PREFERENCE_CHANGE, actor=owner, subject=owner)
            return saved
        raise ConflictError("the preferences change too fast")
