"""Which models a user may pick, and with which endpoint and key each is called."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from optimus.errors import OptimusError, ProviderKeyError, ProviderRejectedError, ProviderUnreachableError
from optimus.llm_handler.addresses import check_base_url, host_of, is_loopback
from optimus.llm_handler.catalogue import Catalogue, ProviderEntry
from optimus.llm_handler.requests import OFFLINE_MODEL, ConnectionInfo, Credentials, ModelChoice, ModelRef
from optimus.models import Clock
from optimus.provider_table import is_installed
from optimus.settings import Settings


class DefaultFault(NamedTuple):
    """Why the default model of the settings is not used: a clause and the way out."""

    detail: str
    fix: str


class ModelRules(Protocol):
    """What those who run Optimus decided about models; asked at each use, so that a change counts at once."""

    def allows(self, provider: str) -> bool:
        """Tell whether a provider may be used."""

    def default_model(self) -> str | None:
        """Return the model of new chats as `provider:model`; None where nobody chose one."""


NOT_INSTALLED = "The library of {title} is not installed on this server. Choose another model, or ask an admin."


class Endpoints:
    """Finds address and key of a model: the user's own connections first, then the settings.

    The two are always taken from the same place, so a key never goes to another address than its own.
    """

    def __init__(self, *, settings: Settings, catalogue: Catalogue, rules: ModelRules | None = None) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._rules = rules

    def refuse_forbidden(self, entry: ProviderEntry) -> None:
        """Refuse a provider that is not allowed, or whose library is missing.

        Raises:
            ProviderRejectedError: it is not, or is.
        """
        if not is_installed(entry.package):
            raise ProviderRejectedError("library missing", user_message=NOT_INSTALLED.format(title=entry.title))
        if not self.is_allowed(entry):
            sentence = f"{entry.title} is not allowed here any more. Choose another model, or ask an admin."
            raise ProviderRejectedError("provider not allowed", user_message=sentence)

    def is_allowed(self, entry: ProviderEntry) -> bool:
        """Tell whether a provider can and may be used; two interfaces of one provider are allowed together."""
        if not is_installed(entry.package):
            return False
        return self._rules is None or self._rules.allows(entry.settings_name or entry.key)

    def shared(self, entry: ProviderEntry) -> Credentials | None:
        """Return what the settings say about a provider; None where they say nothing that suffices."""
        if entry.settings_name is None:
            return None
        found = Credentials(
            base_url=getattr(self._settings, f"{entry.settings_name}_base_url") or None,
            api_key=getattr(self._settings, f"{entry.settings_name}_api_key"),
        )
        suffices = found.api_key is not None if entry.needs_key else found.base_url is not None
        return found if suffices else None

    def credentials(
        self, ref: ModelRef, connections: Sequence[ConnectionInfo], connection_id: str | None
    ) -> Credentials | None:
        """Return address and key for a model; None for the offline assistant.

        Without a connection the settings' are meant, never a user's own beside them: what may be sent was judged by
        where the settings lead. A user's own count where the settings have none.

        Raises:
            ModelNotFoundError: the provider is not known.
            ProviderRejectedError: the provider is not allowed.
            ProviderKeyError: nobody connected the provider, or the connection was removed.
        """
        entry = self._catalogue.get(ref.provider)
        self.refuse_forbidden(entry)
        if ref.provider == OFFLINE_MODEL.provider:
            return None
        shared = self.shared(entry) if connection_id is None else None
        if shared is not None:
            return shared
        own = [each for each in connections if each.provider == ref.provider and connection_id in {None, each.id}]
        own.sort(key=lambda each: ref.name not in each.models)
        if not own:
            raise ProviderKeyError(
                "not connected", user_message=f"{entry.title} is not connected any more. Connect it, or choose another."
            )
        return own[0].credentials

    def address(self, entry: ProviderEntry, credentials: Credentials) -> str:
        """Return the checked address that a provider is called at.

        Raises:
            InvalidInputError: the address may not be used.
            ProviderRejectedError: the provider is not allowed.
            ProviderUnreachableError: there is none.
        """
        self.refuse_forbidden(entry)
        if credentials.base_url is None:
            if entry.base_url is None:
                raise ProviderUnreachableError("no address", user_message="Enter the address of the model server.")
            return entry.base_url
        shared = self.shared(entry)
        is_trusted = shared is not None and shared.base_url == credentials.base_url
        return check_base_url(credentials.base_url, is_trusted=is_trusted)

    def trusts(self, host: str, port: int) -> bool:
        """Tell whether the settings or the catalogue name a server at this host and port."""
        known = [entry.base_url for entry in self._catalogue.all()]
        named = [
            getattr(self._settings, f"{entry.settings_name}_base_url")
            for entry in self._catalogue.all()
            if entry.settings_name
        ]
        return any(url and host_of(url) == (host.lower(), port) for url in (*known, *named))

    def choices(self, connections: Sequence[ConnectionInfo], listed: Sequence[str]) -> list[ModelChoice]:
        """Return what can be picked: own connections, shared providers, and at the end the offline assistant.

        `listed` names the models of the shared server, which the settings do not name.
        """
        known = [
            each
            for each in connections
            if each.provider in self._catalogue and self.is_allowed(self._catalogue.get(each.provider))
        ]
        found = [choice for each in known for choice in self._of_connection(each)]
        for entry in self._catalogue.all():
            credentials = self.shared(entry)
            if credentials is not None and self.is_allowed(entry):
                names = entry.models or (tuple(listed) if entry.base_url is None else ())
                here = {name for name in names if _is_local(entry, credentials, name)}
                found.extend(_choice(entry, name, entry.title, is_local=name in here) for name in names)
        offline = self._catalogue.get(OFFLINE_MODEL.provider)
        found.append(_choice(offline, OFFLINE_MODEL.name, offline.title, is_local=True))
        return found

    def default(self, choices: Sequence[ModelChoice]) -> ModelChoice:
        """Return the choice for a new chat: the chosen one where it is on offer, else the first."""
        wanted = self._rules.default_model() if self._rules else self._settings.default_model
        return next((choice for choice in choices if str(choice.ref) == wanted), choices[0])

    def default_fault(self, choices: Sequence[ModelChoice]) -> DefaultFault | None:
        """Return what is wrong with the setting of the default model; `choices` are those of the settings alone."""
        wanted = self._settings.default_model
        if not wanted or any(str(choice.ref) == wanted for choice in choices):
            return None
        provider = wanted.partition(":")[0]
        detail = f"OPTIMUS_DEFAULT_MODEL is {wanted}"
        if ":" not in wanted or provider not in self._catalogue:
            known = ", ".join(entry.key for entry in self._catalogue.all())
            return DefaultFault(
                f"{detail}, which names no provider that Optimus knows",
                f"Write it as provider:model, where the provider is one of {known}.",
            )
        entry = self._catalogue.get(provider)
        if entry.settings_name and self.shared(entry) is None:
            missing = f"OPTIMUS_{entry.settings_name.upper()}_{'API_KEY' if entry.needs_key else 'BASE_URL'}"
            return DefaultFault(
                f"{detail}, but {entry.title} is not set up", f"Set {missing}, or choose another default model."
            )
        offered = ", ".join(str(choice.ref) for choice in choices if choice.ref.provider == provider)
        return DefaultFault(
            f"{detail}, which {entry.title} does not offer",
            f"Choose one of {offered}." if offered else "See that the server runs and lists it, or choose another.",
        )

    def _of_connection(self, connection: ConnectionInfo) -> list[ModelChoice]:
        entry = self._catalogue.get(connection.provider)
        title, given = connection.label or entry.title, connection.credentials
        return [
            _choice(entry, name, title, is_local=_is_local(entry, given, name), connection_id=connection.id)
            for name in connection.models or entry.models
        ]


def _choice(
    entry: ProviderEntry, name: str, provider_title: str, *, is_local: bool, connection_id: str | None = None
) -> ModelChoice:
    is_offline = entry.key == OFFLINE_MODEL.provider
    return ModelChoice(
        ref=ModelRef(provider=entry.key, name=name),
        title=entry.title if is_offline else name,
        provider_title=provider_title,
        free=entry.has_free_tier or is_local,
        is_local=is_local,
        connection_id=connection_id,
    )


def _is_local(entry: ProviderEntry, credentials: Credentials, name: str) -> bool:
    """Tell whether a model runs on this machine, so that nothing leaves it.

    What answers here for a provider with an address of its own passes everything on to it, and so does Ollama for the
    models of its cloud, which their names tell. https://docs.ollama.com/cloud
    """
    is_here = entry.base_url is None and credentials.base_url is not None and is_loopback(credentials.base_url)
    return is_here and not name.endswith(("-cloud", ":cloud"))


class ListedModels:
    """The models of the shared server, asked for in the background at most once a minute.

    Only the first caller waits, and not for long: a page must not hang on a server that is switched off.
    """

    MAX_AGE = timedelta(minutes=1)

    def __init__(self, *, ask: Callable[[], Future[tuple[str, ...]]], clock: Clock, first_wait_s: float = 1.0) -> None:
        self._ask = ask
        self._clock = clock
        self._first_wait_s = first_wait_s
        self._lock = threading.Lock()
        self._names: tuple[str, ...] = ()
        self._asked_at: datetime | None = None

    def get(self) -> tuple[str, ...]:
        """Return the names known now."""
        with self._lock:
            is_first = self._asked_at is None
            if self._asked_at is not None and abs(self._clock() - self._asked_at) < self.MAX_AGE:
                return self._names
            self._asked_at = self._clock()
            answer = self._ask()
        answer.add_done_callback(self._take)
        if is_first:
            self._wait(answer)
        return self._names

    def _take(self, answer: Future[tuple[str, ...]]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            self._names = answer.result()

    def _wait(self, answer: Future[tuple[str, ...]]) -> None:
        try:
            self._names = answer.result(self._first_wait_s)
        except (TimeoutError, OptimusError):
            return
