"""What those who run Optimus decide for everybody: who may register, which models, how much of everything.

A setting of the environment wins and cannot be changed here. All others are read from the store and count at once;
a change that another process made is seen within two seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field, ValidationError

from optimus.auth.permissions import Action, authorize_now
from optimus.errors import ConfigurationError, ConflictError, InvalidInputError
from optimus.llm_handler.catalogue import CATALOGUE
from optimus.llm_handler.requests import OFFLINE_MODEL, ModelRef
from optimus.models import Clock, Principal, Value
from optimus.settings import Settings
from optimus.settings_sources import PREFIX
from optimus.storage.accounts import AccountRepository
from optimus.storage.audit import AuditLog
from optimus.storage.audit_records import AuditAction
from optimus.storage.records import EventData
from optimus.storage.work import WorkRepository

MAX_AGE = timedelta(seconds=2)
MOST_MESSAGES, MOST_TOKENS, MOST_MEMORIES, MOST_USD = 100_000, 1_000_000_000, 1_000_000, 100_000.0
MOST_A_MINUTE = 10_000
"""Messages of one user."""
LEAST_ANSWER, MOST_ANSWER = 100, 1_000_000
MOST_CALLS = 50
"""Beyond it a model goes round in circles."""
_NAME = "system"
_TRIES = 5
_ENVIRONMENT = {
    "is_registration_open": "registration",
    "default_model": "default_model",
    "allowed_providers": "allowed_providers",
    "messages_per_minute": "messages_per_minute",
    "tokens_per_minute": "tokens_per_minute",
    "messages_per_day": "messages_per_day",
    "tokens_per_day": "tokens_per_day",
    "usd_per_day": "usd_per_day",
    "tokens_per_answer": "tokens_per_answer",
    "calls_per_answer": "calls_per_answer",
    "max_memories": "max_memories",
}
"""Which setting of the environment fixes which field."""


class SystemSettings(Value):
    """The settings as they count; None means no limit."""

    is_registration_open: bool = False
    default_model: str | None = None
    """`provider:model` of new chats; None means the first one that is connected."""
    allowed_providers: frozenset[str] | None = None
    """Keys of the catalogue; None means all. The offline assistant is always allowed and never listed."""
    messages_per_minute: int | None = Field(default=30, ge=1, le=MOST_A_MINUTE)
    tokens_per_minute: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    messages_per_day: int | None = Field(default=None, ge=1, le=MOST_MESSAGES)
    tokens_per_day: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    usd_per_day: float | None = Field(default=None, gt=0, le=MOST_USD, allow_inf_nan=False)
    """US dollars of one user's calls, by list prices."""
    tokens_per_answer: int | None = Field(default=None, ge=LEAST_ANSWER, le=MOST_ANSWER)
    """What a model may write, its thoughts and calls of tools included."""
    calls_per_answer: int | None = Field(default=8, ge=1, le=MOST_CALLS)
    """Tools that a model may call; None means `MOST_CALLS`."""
    max_memories: int | None = Field(default=None, ge=1, le=MOST_MEMORIES)
    """Derived and written ones; messages are not counted."""


class SystemSettingsService:
    """Reads and changes the system's settings; what cannot be recorded in the audit log is not changed.

    It is also what the model layer asks which providers and which default model it may offer.
    """

    def __init__(
        self,
        *,
        work: WorkRepository,
        accounts: AccountRepository,
        settings: Settings,
        clock: Clock,
        audit: AuditLog,
    ) -> None:
        """Read what the environment fixes.

        Raises:
            ConfigurationError: OPTIMUS_ALLOWED_PROVIDERS names a provider that does not exist.
        """
        self._work = work
        self._accounts = accounts
        self._clock = clock
        self._audit = audit
        self._fixed = _fixed_values(settings)
        self._known: tuple[datetime, SystemSettings] | None = None
        self._followers: list[Callable[[], None]] = []

    def follow(self, follower: Callable[[], None]) -> None:
        """Call `follower` after each change that this process makes."""
        self._followers.append(follower)

    @property
    def fixed(self) -> Mapping[str, str]:
        """The fields that the environment fixes, each with the name of its variable."""
        return {field: PREFIX + _ENVIRONMENT[field].upper() for field in self._fixed}

    def current(self) -> SystemSettings:
        """Return the settings that count now.

        Raises:
            StoreError: the store does not answer; nobody guesses what is allowed.
        """
        known, now = self._known, self._clock()
        if known is None or abs(now - known[0]) > MAX_AGE:
            known = self._known = (now, self._stored()[0])
        return known[1].model_copy(update=self._fixed)

    def change(self, principal: Principal, **changes: Any) -> SystemSettings:
        """Change some settings, by the names of their fields, and return all of them.

        Raises:
            PermissionDeniedError: the principal may not manage the system.
            InvalidInputError: a value is not possible, or the environment fixes it; nothing is changed.
            ConflictError: others change them at the same moment, again and again.
        """
        authorize_now(self._accounts, principal, Action.MANAGE_SYSTEM)
        for field in self.fixed.keys() & changes.keys():
            raise InvalidInputError(user_message=f"{self.fixed[field]} fixes this. Change it in the environment.")
        for _ in range(_TRIES):
            before, version = self._stored()
            after = _checked(before, changes)
            if after == before:
                return self.current()
            with suppress(ConflictError), self._recorded(principal, before, after):
                if not self._work.change_setting(_NAME, after.model_dump(mode="json"), version=version):
                    raise ConflictError("the system settings changed meanwhile")
                self._known = None
                for follower in self._followers:
                    follower()
                return self.current()
        raise ConflictError("the system settings change too fast")

    def allows(self, provider: str) -> bool:
        """Tell whether a provider of the catalogue may be used; the offline assistant always may."""
        allowed = self.current().allowed_providers
        return allowed is None or provider == OFFLINE_MODEL.provider or provider in allowed

    def default_model(self) -> str | None:
        """Return the model of new chats as `provider:model`; None where nobody chose one."""
        return self.current().default_model

    def max_memories(self) -> int | None:
        """Return how many memories one user may have; None means any number."""
        return self.current().max_memories

    def is_registration_open(self) -> bool:
        """Tell whether anybody may make an account, as the store says at this very moment."""
        self._known = None
        return self.current().is_registration_open

    def _stored(self) -> tuple[SystemSettings, int]:
        stored = self._work.setting(_NAME) or {}
        fields = {name: stored[name] for name in SystemSettings.model_fields if name in stored}
        return SystemSettings.model_validate(fields), int(stored.get("version", 0))

    @contextmanager
    def _recorded(self, principal: Principal, before: SystemSettings, after: SystemSettings) -> Iterator[None]:
        """Record each field that changes before it does."""
        with ExitStack() as acts:
            for field in SystemSettings.model_fields:
                old, new = getattr(before, field), getattr(after, field)
                if old != new:
                    data: EventData = {"setting": field, "before": _words(old), "after": _words(new)}
                    act = self._audit.around(AuditAction.SETTING_CHANGE, actor=principal.user_id, data=data)
                    acts.enter_context(act)
            yield


def _fixed_values(settings: Settings) -> dict[str, Any]:
    found = {field: getattr(settings, name) for field, name in _ENVIRONMENT.items()}
    fixed: dict[str, Any] = {field: value for field, value in found.items() if value is not None}
    if "is_registration_open" in fixed:
        fixed["is_registration_open"] = fixed["is_registration_open"] == "open"
    if "allowed_providers" in fixed:
        named = {key.strip() for key in fixed["allowed_providers"].split(",")}
        if unknown := sorted(key for key in named if key not in CATALOGUE):
            known = ", ".join(entry.key for entry in CATALOGUE.offered())
            raise ConfigurationError(f"OPTIMUS_ALLOWED_PROVIDERS names {unknown[0]}; known are {known} and offline")
        fixed["allowed_providers"] = frozenset(named - {OFFLINE_MODEL.provider})
    return fixed


def _checked(before: SystemSettings, changes: Mapping[str, Any]) -> SystemSettings:
    """Return the settings with the changes.

    Raises:
        InvalidInputError: a value is not possible.
    """
    try:
        after = SystemSettings.model_validate(before.model_dump() | dict(changes))
    except ValidationError as exc:
        field = str(exc.errors()[0]["loc"][0]).replace("_", " ")
        raise InvalidInputError(user_message=f"That is not possible for “{field}”. Choose another value.") from None
    offered = {entry.key for entry in CATALOGUE.offered()}
    if after.allowed_providers is not None and not after.allowed_providers <= offered:
        raise InvalidInputError(user_message="Optimus does not know one of these providers.")
    if "default_model" in changes and after.default_model is not None:
        _check_model(after.default_model, after.allowed_providers)
    return after


def _check_model(model: str, allowed: frozenset[str] | None) -> None:
    provider = ModelRef.parse(model).provider if ":" in model else ""
    if provider not in CATALOGUE:
        raise InvalidInputError(user_message="Write the default model as provider:model.")
    if allowed is not None and provider not in allowed and provider != OFFLINE_MODEL.provider:
        title = CATALOGUE.get(provider).title
        raise InvalidInputError(user_message=f"{title} is not among the allowed providers. Allow it first.")


def _words(value: object) -> str | float | bool | None:
    """Return a setting's value as the log keeps it."""
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    return value if isinstance(value, str | int | float | bool) else None
