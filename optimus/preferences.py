"""What a user chose about models and memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from optimus.errors import ConflictError, InvalidInputError
from optimus.models import Clock, MemoryType, UserId
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction
from optimus.storage.records import MAX_DISPLAY_NAME, MAX_FALLBACKS, MAX_IMAGE_MODELS, MAX_RECALLED, UserPreferences

_TRIES = 5


class PreferenceService:
    """Reads and changes preferences; two changes at once are both made, each on what the other left."""

    max_memories = MAX_RECALLED
    """The most memories that a user can let into one answer."""

    max_fallbacks = MAX_FALLBACKS
    max_image_models = MAX_IMAGE_MODELS

    def __init__(self, *, accounts: AccountRepository, clock: Clock, audit: AuditLog) -> None:
        self._accounts = accounts
        self._clock = clock
        self._audit = audit

    def of(self, owner: UserId) -> UserPreferences:
        """Return what a user chose, or the defaults."""
        return self._accounts.preferences(owner)

    def choose_profile(self, owner: UserId, *, display_name: str, time_zone: str | None) -> UserPreferences:
        """Choose how one is called, and the time zone of dates; None takes the browser's.

        Raises:
            InvalidInputError: the name is too long or cannot be shown, or there is no such time zone.
            ConflictError: the preferences change too fast.
        """
        name = " ".join(display_name.split())
        if len(name) > MAX_DISPLAY_NAME or not name.isprintable():
            raise InvalidInputError(
                user_message=f"A name has at most {MAX_DISPLAY_NAME} characters, and only such that can be shown."
            )
        if time_zone is not None and not is_zone(time_zone):
            raise InvalidInputError(user_message="That time zone is not known. Choose one from the list.")
        return self._change(owner, lambda _: {"display_name": name, "time_zone": time_zone})

    def adopt(self, owner: UserId, fields: Mapping[str, object]) -> UserPreferences:
        """Take over choices that come from elsewhere, unless the owner has made some here.

        Raises:
            ConflictError: the preferences change at this moment.
        """
        before = self.of(owner)
        if before.version:
            return before
        zone = fields.get("time_zone")
        known = {"time_zone": zone if isinstance(zone, str) and is_zone(zone) else None}
        chosen = UserPreferences.model_validate({**fields, **known, "user_id": owner, "version": 0})
        return self._accounts.save_preferences(chosen)

    def choose_memory(
        self,
        owner: UserId,
        *,
        remembers: bool,
        recalls: bool,
        max_memories: int,
        never_store: Collection[MemoryType],
        uses_tools: bool = True,
    ) -> UserPreferences:
        """Choose what a chat keeps and what answers are made from.

        Args:
            owner: Who chooses.
            remembers: Whether what they say in a chat is kept.
            recalls: Whether answers are made from memories.
            max_memories: How many memories an answer is given at most, 0 to 20.
            never_store: Kinds that are never kept of what they say in a chat.
            uses_tools: Whether models may search and change memories while they answer.

        Raises:
            InvalidInputError: the number is out of range; nothing is changed.
            ConflictError: the preferences change too fast.
        """
        if not 0 <= max_memories <= MAX_RECALLED:
            raise InvalidInputError(user_message=f"Choose between 0 and {MAX_RECALLED} memories for an answer.")

        def chosen(before: UserPreferences) -> dict[str, object]:
            restarts = remembers and not before.remembers
            return {
                "remembers": remembers,
                "remembers_since": self._clock() if restarts else before.remembers_since,
                "recalls": recalls,
                "max_memories": max_memories,
                "never_store": frozenset(never_store),
                "uses_tools": uses_tools,
            }

        return self._change(owner, chosen)

    def choose_upkeep(self, owner: UserId, *, bin_days: int | None, checkup_days: int | None) -> UserPreferences:
        """Choose how long deleted memories are kept and how often memories are looked through; see the fields.

        Raises:
            InvalidInputError: a number is out of range; nothing is changed.
            ConflictError: the preferences change too fast.
        """
        chosen = {"bin_days": bin_days, "checkup_days": checkup_days}
        try:
            UserPreferences.model_validate({"user_id": owner, **chosen})
        except ValidationError:
            raise InvalidInputError(user_message="Choose a number of days that is offered.") from None
        return self._change(owner, lambda _: dict(chosen))

    def choose_model(self, owner: UserId, *, model: str | None, connection_id: str | None) -> UserPreferences:
        """Choose the model of new chats, as `provider:model`; None leaves it to Optimus.

        Raises:
            ConflictError: the preferences change too fast.
        """
        return self._change(owner, lambda _: {"default_model": model, "default_connection": connection_id})

    def choose_extraction(self, owner: UserId, *, model: str | None, connection_id: str | None) -> UserPreferences:
        """Choose which model looks for memories: `provider:model`, `NO_EXTRACTION`, or None for the cheapest.

        Raises:
            ConflictError: the preferences change too fast.
        """
        return self._change(owner, lambda _: {"extraction_model": model, "extraction_connection": connection_id})

    def choose_fallbacks(self, owner: UserId, places: Sequence[tuple[str, str | None]]) -> UserPreferences:
        """Choose whom to ask where a model does not answer: `provider:model` and connection, in this order.

        Raises:
            InvalidInputError: there are too many.
            ConflictError: the preferences change too fast.
        """
        if len(places) > MAX_FALLBACKS:
            raise InvalidInputError("too many fallbacks", user_message=f"At most {MAX_FALLBACKS} models.")
        return self._change(owner, lambda _: {"fallbacks": tuple(places)})

    def choose_image_models(self, owner: UserId, models: Sequence[str]) -> UserPreferences:
        """Choose which models take pictures although their names do not tell, as `provider:model`.

        Raises:
            InvalidInputError: there are too many.
            ConflictError: the preferences change too fast.
        """
        if len(models) > MAX_IMAGE_MODELS:
            raise InvalidInputError("too many image models", user_message=f"At most {MAX_IMAGE_MODELS} models.")
        return self._change(owner, lambda _: {"image_models": tuple(models)})

    def choose_never_send(self, owner: UserId, rules: Sequence[tuple[MemoryType, str]]) -> UserPreferences:
        """Choose which kinds are never sent to whom; `Withholding` checks whom there is.

        Raises:
            ConflictError: the preferences change too fast.
        """
        return self._change(owner, lambda _: {"never_send": tuple(dict.fromkeys(rules))})

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


def is_zone(name: str) -> bool:
    """Tell whether this machine knows a time zone of that name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
